"""The tables of the application `sso`, step by step."""
