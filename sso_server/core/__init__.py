"""The session core: what a sign-in, a ticket, a sign-out and a check-in are.

Standard library only: no Flask, no Redis, no SQL, no wall clock. Time and randomness are handed in.
"""
