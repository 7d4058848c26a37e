"""Telling sites: the worker claims, the sender posts, the sweeper watches deadlines; message builders are handed in."""
