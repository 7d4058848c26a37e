"""Secrets at work: randomness, password hashes, seals, signing keys. Whoever imports this room is `wiring` or `cli`."""
