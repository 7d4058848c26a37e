"""Which user names may be taken: every program that is told one must read the same."""

import pytest

from sso_server.core.errors import InvalidRequest
from sso_server.core.users import check_username

#: What XML, a site or a trimming script drops, or what shows nowhere.
UNSEEN = "\ufffe\ufdd0\U0001ffff\ufeff\u200b\u200d\u202e\u2060\u00ad\x01\x7f\u0378\ue000\ud800\U000e0041"


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_a_name_with_a_character_that_cant_be_seen_is_refused(unseen: str) -> None:
    for name in (f"admin{unseen}", f"{unseen}admin", f"ad{unseen}min"):
        with pytest.raises(InvalidRequest, match="can be seen"):
            check_username(name)


@pytest.mark.parametrize("name", ["alice", "a.b+c@example.org", "李雷", "अमित", "Zoë", "o'neil", "<&>", "😀", "_"])
def test_people_have_names_in_every_script(name: str) -> None:
    assert check_username(f" {name}\u3000") == name
