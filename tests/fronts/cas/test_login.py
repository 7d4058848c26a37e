"""Somebody comes from a CAS site (CAS 3.0.3 sections 2.1 and 2.2.4)."""
from flask.testing import FlaskClient
from tests.fronts.cas.cas_site import CasSite, fill_in, ticket_of

def test_x(browser: FlaskClient, notes: CasSite) -> None:
    answer = fill_in(browser, notes.login(browser))
    assert ticket_of(answer).startswith("ST-")
    assert notes.validated(answer).fresh
    again = notes.login(browser)
    assert not notes.validated(again).fresh
