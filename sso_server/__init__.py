"""Lockstep, the centre: the single sign-on server."""
