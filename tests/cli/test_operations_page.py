"""docs/operations.md: its example is applied as it stands."""

import re
from pathlib import Path

from tests.cli.conftest import Sso

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")


def test_the_complete_example_is_applied_and_then_nothing_is_left_to_do(sso: Sso, tmp_path: Path) -> None:
    found = re.search(r"<!-- test: apply -->\n```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    file = tmp_path / "clients.toml"
    file.write_text(found[1])
    (tmp_path / "stock.secret").write_text("from-the-vault-0123456789abcdef01\n")
    done = sso.json("client", "apply", str(file))["clients"]
    assert {entry["action"] for entry in done} == {"add"}
    # Shop, reports and grades get secrets; stock's and wiki's were named, board is public, CAS services have none.
    assert [entry["client_id"] for entry in done if entry["environment"]] == ["shop", "reports", "grades"]
    again = sso.json("client", "apply", str(file), "--prune")["clients"]
    assert {entry["action"] for entry in again} == {"same"}
    assert len(sso.json("client", "show", "wiki")["secrets"]) == 2
