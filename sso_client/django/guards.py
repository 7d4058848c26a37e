"""Guards for views: `login_required` with demands, `bearer_required` for APIs. Plain Django's work as well."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction, sync_to_async

from sso_client.django.translating import to_response
from sso_client.django.visit import visit_of
from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.site import Demand, names

_View = TypeVar("_View", bound=Callable[..., Any])


@overload
def login_required(view: _View) -> _View: ...


@overload
def login_required(
    view: None = None, *, groups: Sequence[str] = (), max_age: int | None = None, acr: str | Sequence[str] = ()
) -> Callable[[_View], _View]: ...


def login_required(
    view: _View | None = None,
    *,
    groups: Sequence[str] = (),
    max_age: int | None = None,
    acr: str | Sequence[str] = (),
) -> Any:
    """Guard a view, plain or `async def`: `@login_required`, or with demands.

    `groups`: any one of these groups at the centre. `max_age`: a password typed at most so many seconds ago, else it is
    asked for again. `acr`: any one of these ways of signing in (OpenID Connect Core 1.0 section 2).
    """
    demand = Demand(names(groups), max_age, names(acr))

    def check(request: Any) -> Any:
        visit = visit_of(request)
        visit.is_asked = True
        refusal = drive(visit.connection.site.refusal(visit.web, visit.session, demand))
        if refusal is not None:
            return to_response(refusal)
        if visit.account is None:
            raise SSOError("account_refused", "the account of this session is gone or not active")
        return None

    def decorate(guarded: _View) -> _View:
        return _guard(guarded, check)

    return decorate if view is None else decorate(view)


def bearer_required(*, scope: str | Sequence[str] = (), groups: Sequence[str] = ()) -> Callable[[_View], _View]:
    """Guard an API: `@bearer_required(scope="profile")`. 401 or 403 with WWW-Authenticate, never a redirect.

    The caller shows an access token in the Authorization header (RFC 6750 section 2.1). Inside the view
    `request.sso_bearer` is the token, `request.sso_user` its person, `request.user` that person's account here, if
    there is one; if it isn't active, 403. `scope`: all of them; `groups`: any one of them at the centre.
    """

    def check(request: Any) -> None:
        visit = visit_of(request)
        visit.take_bearer(drive(visit.connection.site.bearer(visit.web, scope, groups)))
        request.sso_bearer = visit.bearer

    def decorate(guarded: _View) -> _View:
        guard: Any = _guard(guarded, check)
        # Neither has anything to say here: no browser sends this header by itself, and no cookie lets anybody in.
        guard.csrf_exempt, guard.login_required = True, False
        return cast(_View, guard)

    return decorate


def _guard(guarded: _View, check: Callable[[Any], Any]) -> _View:
    """The view behind a check, which answers instead of it or raises."""
    if iscoroutinefunction(guarded):

        @wraps(guarded)
        async def guard_later(request: Any, *args: Any, **kwargs: Any) -> Any:
            return await sync_to_async(check)(request) or await guarded(request, *args, **kwargs)

        return cast(_View, guard_later)

    @wraps(guarded)
    def guard(request: Any, *args: Any, **kwargs: Any) -> Any:
        return check(request) or guarded(request, *args, **kwargs)

    return cast(_View, guard)
