"""Whose request this is: our local session decides, once; Django's own session is made to agree with it."""

from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib import auth
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.functional import SimpleLazyObject

from sso_client.bearer import Bearer
from sso_client.django.connection import Connection
from sso_client.django.translating import read_request
from sso_client.driving import drive
from sso_client.errors import SSOError
from sso_client.records import LocalSession
from sso_client.user import AnonymousUser, User
from sso_client.web import SetCookie, WebAnswer, WebRequest

if TYPE_CHECKING:
    from sso_client.django.backend import SSOBackend

_UNKNOWN: Any = object()


class Visit:
    """One request: `request.sso_visit`. `request.user` and `request.sso_user` ask it when they are used."""

    def __init__(self, connection: Connection, request: Any) -> None:
        self.connection = connection
        self.bearer: Bearer | None = None
        self.is_asked = False  # somebody wanted to know whose request this is: the answer is theirs alone
        self.raised: SSOError | None = None  # what was answered to that question, if it was no answer
        self.is_over = False  # the site called `auth.logout`: the browser's cookie goes as well
        self.request = request
        self._is_ending = False
        self._web: WebRequest | None = None
        self._session: LocalSession | None = _UNKNOWN
        self._doubt: SSOError | None = None
        self._account: Any = _UNKNOWN
        self._caller: Any = None  # the account of an access token's person

    @property
    def web(self) -> WebRequest:
        """The request in the SDK's words."""
        if self._web is None:
            self._web = read_request(self.request)
        return self._web

    @property
    def session(self) -> LocalSession | None:
        """The local session, looked up once. Raises LeaseExpired (a 503 page) when nobody can confirm it."""
        if self._doubt is not None:
            raise self._doubt
        if self._session is _UNKNOWN:
            try:
                self._session = drive(self.connection.site.session(self.web)) if self.request.COOKIES else None
            except SSOError as error:
                self._doubt = error
                raise
        return self._session

    @property
    def account(self) -> Any:
        """The site's own account of the signed-in person; None if nobody is, or if it is gone or not active."""
        if self._account is _UNKNOWN:
            session = self.session
            self._account = None if session is None else _load_account(session.site_user)
        return self._account

    def attach(self) -> None:
        """Make `request.user`, `request.auser()` and `request.sso_user` ours."""
        request = self.request
        request.user = SimpleLazyObject(self._ask)
        request.auser = sync_to_async(self._ask)
        request.sso_user = SimpleLazyObject(self._ask_sso)

    @property
    def is_personal(self) -> bool:
        """True if what is answered belongs to one person alone."""
        return self.is_asked and (self.bearer is not None or self._session not in (_UNKNOWN, None))

    def settle(self) -> None:
        """Make Django's own session agree with ours before a view sees it: what it holds is one person's.

        While the centre can't confirm anybody nothing is ended, and whoever asks whose request this is gets the 503.
        """
        try:
            session = self.session
        except SSOError:
            return
        bound = self._bound_to()
        if session is None:
            # Signed out elsewhere, or never by us: Django's cookie alone lets nobody in.
            if bound is not None:
                self.end_django_session()
        elif bound != session.site_user:
            if self.account is None:
                if bound is not None:
                    self.end_django_session()
            elif bound is None and self.request.session.is_empty():
                self._bind()
            else:
                self._log_in()

    def take(self, answer: WebAnswer) -> bool:
        """Note the session that the callback has just opened, and begin Django's; False if it opened none."""
        if not answer.cookies:
            return False
        name = self.connection.site.cookie_names(self.web).session
        cookie = next((cookie.value for cookie in answer.cookies if cookie.name == name), "")
        try:
            self._session = self.connection.client.find_session(cookie, activity=False)
        except SSOError:  # the next request asks again
            return False
        self._doubt, self._account = None, _UNKNOWN
        if self._session is None or self.account is None:
            return False
        self._log_in()
        return True

    def take_bearer(self, bearer: Bearer) -> None:
        """An API's caller is the token's person, whoever's cookie came along. Raises SSOError `account_refused`."""
        caller = _backend().find_account(bearer.user)
        if caller is not None and not _backend().user_can_authenticate(caller):
            raise SSOError("account_refused", f"the account of the token's person, {caller.pk}, is not active")
        self.bearer, self._caller = bearer, caller
        self.attach()

    def end_django_session(self) -> None:
        """Sign out of Django: `user_logged_out` is sent, the session's data goes. Ours has ended, or is ending."""
        account = self._account if self._account is not _UNKNOWN else None
        self.request.user = account or auth.get_user(self.request)
        self._is_ending = True
        auth.logout(self.request)
        self._is_ending = False
        self.attach()

    def end(self) -> None:
        """The site itself called `auth.logout`: that is a real sign-out, here and at the centre."""
        if self._is_ending:
            return
        site = self.connection.site
        cookie = site.cookie(self.web)
        if cookie is not None:
            self.connection.client.sign_out(cookie)
        self._session, self._account, self._doubt, self.is_over = None, None, None, True
        self.request.sso_user = AnonymousUser()

    def gone_cookie(self) -> SetCookie:
        """What removes the session's cookie."""
        names = self.connection.site.cookie_names(self.web)
        return SetCookie(names.session, "", names.secure, 0)

    def is_bound(self) -> bool:
        """True if Django's own session names anybody."""
        return self._bound_to() is not None

    def _bound_to(self) -> str | None:
        request = self.request
        if django_settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        was = request.session.accessed
        found = request.session.get(SESSION_KEY)
        request.session.accessed = was  # looking is no use: a public page needs no `Vary: Cookie` for it
        return None if found is None else str(found)

    def _bind(self) -> None:
        """Django's new session is this person's, and is written if a view puts anything in: it ends with theirs.

        No sign-in, which would write at once: of who comes without Django's cookie, each request would leave a row.
        """
        from sso_client.django.backend import backend_path

        kept = self.request.session
        was = kept.accessed, kept.modified
        kept[SESSION_KEY], kept[BACKEND_SESSION_KEY] = cast(LocalSession, self.session).site_user, backend_path()
        if hasattr(self.account, "get_session_auth_hash"):
            kept[HASH_SESSION_KEY] = self.account.get_session_auth_hash()
        kept.accessed, kept.modified = was

    def _log_in(self) -> None:
        """Begin Django's session as its own sign-in does: new key, nothing of anybody else's, new CSRF token."""
        from sso_client.django.backend import backend_path

        auth.login(self.request, self.account, backend=backend_path())
        self.attach()

    def _ask(self) -> Any:
        self.is_asked = True
        if self.bearer is not None:
            return self._caller or _nobody()
        try:
            return self.account or _nobody()
        except SSOError as error:
            self.raised = error
            raise

    def _ask_sso(self) -> User | AnonymousUser:
        self.is_asked = True
        if self.bearer is not None:
            return self.bearer.user
        try:
            return AnonymousUser() if self.session is None else self.session.user
        except SSOError as error:
            self.raised = error
            raise


def visit_of(request: Any) -> Visit:
    """The visit of a request. Raises ImproperlyConfigured if the middleware is missing."""
    found = getattr(request, "sso_visit", None)
    if not isinstance(found, Visit):
        raise ImproperlyConfigured(
            "add 'sso_client.django.SSOMiddleware' to MIDDLEWARE, after AuthenticationMiddleware"
        )
    return found


def end_ours(request: Any = None, **_: Any) -> None:
    """Receiver of `user_logged_out`."""
    visit = getattr(request, "sso_visit", None)
    if isinstance(visit, Visit):
        visit.end()


# The accounts' models are there only after `django.setup()`; guards can be imported before.


def _backend() -> "SSOBackend":
    from sso_client.django.backend import backend_path

    return cast("SSOBackend", load_backend(backend_path()))


def _nobody() -> Any:
    from django.contrib.auth.models import AnonymousUser as NobodyOfDjango

    return NobodyOfDjango()


def _load_account(name: str | None) -> Any:
    if name is None:
        return None
    try:
        return _backend().get_user(name)
    except (ValueError, ValidationError):  # another user model than when the session was opened
        return None
