"""/cas/validate, CAS 1 (CAS 3.0.3 section 2.4): yes or no, in plain text."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request

from sso_server.fronts.cas.answering import answered, install_failures
from sso_server.fronts.cas.responses import Body
from sso_server.fronts.cas.validation import read_asked
from sso_server.fronts.cas.validation import validate as validate_ticket

_PLAIN = "text/plain"


def _no(code: str, description: str, *, as_json: bool) -> Body:
    """Section 2.4.2 has no room for a reason; the log has it."""
    del code, description, as_json
    return Body("no\n", _PLAIN)


blueprint = Blueprint("cas_validate", __name__)
install_failures(blueprint, _no)


@blueprint.route("/cas/validate", methods=["GET", "POST"], strict_slashes=False)
def validate() -> Response:
    """`yes` and, as every client of CAS 1 reads it, the user name on a line of its own. A proxy ticket is `no`."""

    def answer(values: dict[str, str], as_json: bool) -> Body:
        del as_json
        # Section 2.4.1 has no pgtUrl, and the answer no place for what it would bring.
        asked = replace(read_asked(request, values), callback="")
        found = validate_ticket(asked, proxies_allowed=False)
        return Body(f"yes\n{found.user.username}\n", _PLAIN)

    return answered(answer, _no, formats=False)
