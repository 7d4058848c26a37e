"""How a request finds its view and its hooks: what Flask looks for anew at each request is looked up once for each
endpoint. The hooks, their order, error handlers and whatever is unusual stay Flask's own.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, request
from flask.ctx import RequestContext
from flask.globals import request_ctx
from werkzeug.routing import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response
    from flask.typing import ResponseReturnValue


class _Hooks(NamedTuple):
    """Of one endpoint, in the order in which they are called."""

    before: tuple[Callable[[], Any], ...]
    after: tuple[Callable[[Response], Any], ...]
    teardown: tuple[Callable[[BaseException | None], Any], ...]


class Dispatch(Flask):
    """Flask's own way of a request, with its look-ups done before. Views and hooks are no coroutines."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self._hooks: dict[str, _Hooks] = {}
        self._plain: dict[tuple[str, str], Rule] | None = None
        super().__init__(*args, **more)

    def preprocess_request(self) -> ResponseReturnValue | None:
        """As Flask's."""
        endpoint = request.endpoint or ""
        hooks = self._hooks.get(endpoint)
        if hooks is None:
            if self.url_value_preprocessors:
                return super().preprocess_request()
            # The first request of this endpoint: from the first of all on Flask takes no more hooks.
            hooks = self._hooks[endpoint] = self._hooks_of(request.blueprints)
        for before in hooks.before:
            answer = before()
            if answer is not None:
                return answer  # type: ignore[no-any-return]
        return None

    def process_response(self, response: Response) -> Response:
        """As Flask's."""
        context = request_ctx._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        hooks = self._hooks.get(context.request.endpoint or "")
        if hooks is None or context._after_request_functions:  # noqa: SLF001  (`after_this_request` puts them there)
            return super().process_response(response)
        for after in hooks.after:
            response = after(response)
        if not self.session_interface.is_null_session(context._session):  # noqa: SLF001  (reading it would open it)
            self.session_interface.save_session(self, context._session, response)  # noqa: SLF001
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """As Flask's, which calls it with the error; of its signal nobody here hears."""
        hooks = self._hooks.get(request.endpoint or "")
        if hooks is None:
            return super().do_teardown_request(exc)
        for teardown in hooks.teardown:
            teardown(exc)
        return None

    def rule_of(self, path: str, method: str) -> Rule | None:
        """The rule of an address without parts that vary, where there is exactly one; None: werkzeug finds it."""
        if self._plain is None:
            self._plain = self._plain_rules()
        return self._plain.get((path, method))

    def _plain_rules(self) -> dict[tuple[str, str], Rule]:
        found: dict[tuple[str, str], Rule | None] = {}
        for rule in self.url_map.iter_rules():
            usual = not (rule.arguments or rule.defaults or rule.redirect_to or rule.alias or rule.websocket)
            for method in rule.methods or ():
                is_first = (rule.rule, method) not in found
                found[rule.rule, method] = rule if usual and is_first and not rule.subdomain else None
        return {asked: rule for asked, rule in found.items() if rule is not None}

    def _hooks_of(self, blueprints: list[str]) -> _Hooks:
        inwards, outwards = (None, *reversed(blueprints)), (*blueprints, None)
        return _Hooks(
            tuple(chain.from_iterable(self.before_request_funcs.get(name, ()) for name in inwards)),
            tuple(chain.from_iterable(reversed(self.after_request_funcs.get(name, ())) for name in outwards)),
            tuple(chain.from_iterable(reversed(self.teardown_request_funcs.get(name, ())) for name in outwards)),
        )


class DirectContext(RequestContext):
    """Of one request."""

    def match_request(self) -> None:
        """Most addresses have no parts that vary: werkzeug's look through its tree takes 10 us."""
        asked, adapter = self.request, self.url_adapter
        # An upgrade to a WebSocket is none of ours, but werkzeug's to refuse.
        if isinstance(self.app, Dispatch) and adapter is not None and not adapter.websocket:
            rule = self.app.rule_of(adapter.path_info, asked.method)
            if rule is not None:
                asked.url_rule, asked.view_args = rule, {}
                return
        super().match_request()
