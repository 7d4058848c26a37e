"""An answer to a site by a form that the browser posts: nothing of it stands in an address."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, make_response, render_template

from sso_server.web.responses import allow_form_target


def post_by_browser(address: str, fields: Mapping[str, str], site_name: str, *, is_signed_in: bool = True) -> Response:
    """The page whose form posts the fields to this registered address, by itself or by its button (OAuth 2.0 Form Post
    Response Mode section 2; CAS 3.0.3 section 2.1.1, `method`)."""
    allow_form_target(address)
    page = render_template(
        "post_answer.html", address=address, fields=fields, site_name=site_name, is_signed_in=is_signed_in
    )
    return make_response(page)
