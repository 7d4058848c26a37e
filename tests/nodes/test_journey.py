"""One centre on two nodes: each step of a story is answered by another node than the one before."""

import pytest
import requests

from tests.nodes.farm import Farm
from tests.support.centre import PASSWORD


def test_smoke(farm: Farm) -> None:
    party = farm.add_party("shop-" + farm.centre.username)
    browser = farm.browser()
    answer = browser.http.get(party.authorize_url("v" * 43), timeout=15)
    print(answer.status_code, answer.url, answer.text[:300])
    print(farm.answered())
