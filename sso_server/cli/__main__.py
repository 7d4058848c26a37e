"""`python -m sso_server.cli` is the `sso` command: how the supervisor starts its own children."""

from __future__ import annotations

from sso_server.cli import main

if __name__ == "__main__":
    main(prog_name="sso")
