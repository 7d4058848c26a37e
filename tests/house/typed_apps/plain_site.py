"""The verbs without a framework, blocking and async; each `type: ignore` is a mistake that a type checker must find."""

from pathlib import Path

from sso_client import (
    AsyncSSOClient,
    Attempt,
    Bearer,
    CheckInReport,
    LocalSession,
    LocalStore,
    LogoutAnswer,
    Settings,
    SignIn,
    SignOut,
    SSOClient,
    SSOError,
    load_settings,
    open_sqlite_store,
)

settings: Settings = load_settings({"client_id": "shop"})
store: LocalStore = open_sqlite_store(Path("shop.sqlite3"), issuer=settings.issuer, client_id=settings.client_id)
blocking = SSOClient(settings, store)
later = AsyncSSOClient(settings, store)


def sign_in(query: dict[str, list[str]], attempt: Attempt) -> str:
    ticket: str = blocking.read_answer(query, attempt)
    known: SignIn = blocking.validate_ticket(ticket, attempt)
    cookie, session = blocking.open_session(known)
    wrong: int = session.user.name  # type: ignore[assignment]
    return cookie + str(wrong)


def serve(cookie: str | None, authorization: str | None) -> str:
    try:
        session = blocking.find_session(cookie)
        caller: Bearer = blocking.read_bearer(authorization, scope="profile")
    except SSOError as error:
        return f"{error.code} {error.status} {error.fix}"
    name: str = session.user.name  # type: ignore[union-attr]
    return f"{name} {caller.user.sub} {blocking.access_token(cookie)} {blocking.still_signed_in(cookie)}"


def end(cookie: str, body: bytes) -> tuple[SignOut, LogoutAnswer, CheckInReport]:
    blocking.sign_out(cookie, scope="nowhere")  # type: ignore[arg-type]
    return blocking.sign_out(cookie, scope="site"), blocking.receive_logout(body, "text/plain"), blocking.check_in()


async def serve_later(cookie: str) -> str:
    session: LocalSession | None = await later.find_session(cookie)
    forgotten: str = later.access_token(cookie)  # type: ignore[assignment]
    url, attempt = await later.login_url("/orders", max_age_s=300)
    token: str = await later.access_token(cookie)
    return f"{session} {forgotten} {url} {attempt.state} {token}"
