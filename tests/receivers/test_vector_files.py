"""The test vectors are what the script makes, each bad one is bad in one way only, and the receivers are short."""

import importlib.util
import json
import re
from typing import Any

import jwt
import pytest

from sso_client.errors import SSOError
from sso_client.logout_token import verify_logout_token
from sso_client.signed_token import read_header
from tests.receivers.conftest import RECEIVERS, ROOT

PAGE = json.loads((RECEIVERS / "vectors/vectors.json").read_text(encoding="utf-8"))
JWKS = json.loads((RECEIVERS / "vectors/jwks.json").read_text(encoding="utf-8"))
#: What our own SDK says: each vector reaches the check that it is made for.
REASONS = {
    "good": "",
    "good_es256": "",
    "content_changed": "signature_invalid",
    "alg_none": "alg_not_allowed",
    "hs256_with_public_key": "alg_not_allowed",
    "key_of_a_stranger": "signature_invalid",
    "expired": "token_expired",
    "wrong_issuer": "issuer_mismatch",
    "wrong_audience": "audience_mismatch",
    "no_event": "event_missing",
    "other_event": "event_missing",
    "with_nonce": "nonce_present",
    "nobody": "subject_missing",
    "wrong_type": "typ_wrong",
}


def verdict(token: str) -> str:
    """The SDK's error code, empty for a good token."""
    keys = [jwt.PyJWK(key) for key in JWKS["keys"]]
    try:
        header = read_header(token, ("RS256", "ES256"))
        (key,) = [key for key in keys if key.key_id == header.kid]
        verify_logout_token(
            token, header, [key], issuer=PAGE["issuer"], client_id=PAGE["client_id"], now_s=PAGE["made_at"] + 600
        )
    except SSOError as error:
        return error.code
    return ""


def test_each_vector_is_bad_in_the_one_way_that_its_name_says() -> None:
    assert {vector["name"]: verdict(vector["token"]) for vector in PAGE["vectors"]} == REASONS
    assert {vector["name"]: vector["status"] for vector in PAGE["vectors"]} == {
        name: 400 if reason else 200 for name, reason in REASONS.items()
    }


def unsigned(page: dict[str, Any]) -> list[tuple[str, ...]]:
    """Everything but the signatures of ES256, which are different each time."""
    return [
        (v["name"], str(v["status"]), v["why"], v["token"].rpartition(".")[0] if "es256" in v["name"] else v["token"])
        for v in page["vectors"]
    ]


def test_the_files_are_what_the_script_makes() -> None:
    spec = importlib.util.spec_from_file_location("logout_vectors", ROOT / "scripts/logout_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.page()
    assert script.jwks() == JWKS
    assert unsigned(made) == unsigned(PAGE)
    assert {k: v for k, v in made.items() if k != "vectors"} == {k: v for k, v in PAGE.items() if k != "vectors"}


@pytest.mark.parametrize("name", ["flask_receiver.py", "node_receiver.mjs"])
def test_a_receiver_has_at_most_thirty_lines_that_fit_a_screen(name: str) -> None:
    lines = (RECEIVERS / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 120


def test_the_page_names_each_vector_with_its_status() -> None:
    page = (ROOT / "docs/receive-logout.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (200|400) \|", page, flags=re.MULTILINE)
    assert rows == [(vector["name"], str(vector["status"])) for vector in PAGE["vectors"]]
