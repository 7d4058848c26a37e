"""Starting the command loads what it needs and no more: three processes of every centre begin with it."""

import subprocess
import sys

UNWANTED = "{'sqlalchemy', 'flask', 'alembic', 'requests'}"
LOADED = f"import sys; import sso_server.cli; print(*(sys.modules.keys() & {UNWANTED}))"


def test_the_command_alone_loads_no_database_and_no_web() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
