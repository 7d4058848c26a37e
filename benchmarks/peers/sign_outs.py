"""How people sign out of the others: what a browser does until the person has an answer."""

from __future__ import annotations

from benchmarks.load import Operation
from benchmarks.traffic import CasTraffic, Person, Traffic, browse, hidden_fields


def by_confirmation(traffic: Traffic | CasTraffic, person: Person) -> Operation[None]:
    """oidc-provider asks first, and then tells the sites before it answers."""
    page = yield from browse(person, "GET", "/session/end", traffic.host)
    page.must(page.status == 200 and b'name="xsrf"' in page.body, "a question")
    form = {**hidden_fields(page), "logout": "yes"}
    answer = yield from browse(person, "POST", "/session/end/confirm", traffic.host, form)
    answer.must(answer.status in (302, 303), "signed out")


def by_logout_page(traffic: Traffic | CasTraffic, person: Person) -> Operation[None]:
    """django-cas-server tells the services before it answers."""
    answer = yield from browse(person, "GET", "/logout", traffic.host)
    answer.must(answer.status == 200, "signed out")
