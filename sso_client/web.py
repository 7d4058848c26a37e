"""A request and an answer as the SDK sees them, whatever the framework. Adapters translate; nothing is decided here."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, quote, urlencode

from sso_client.addresses import in_ascii, page_address


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request of a browser, a program or the centre.

    `path` is decoded and begins with "/"; `root_path` is where the application is mounted, "" at the root of its host.
    Header names are in lower case. `body` is read for the SDK's own routes only. `may_wait` is
    False where an answer that takes its time would keep all others waiting.
    """

    method: str
    scheme: str
    host: str
    path: str
    root_path: str = ""
    query_string: bytes = field(default=b"", repr=False)  # may hold a ticket
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold an access token
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    remote_addr: str = ""
    body: bytes = field(default=b"", repr=False)
    may_wait: bool = False

    @property
    def query(self) -> dict[str, list[str]]:
        """All values of each parameter; what can't be decoded is as good as missing."""
        return _pairs(self.query_string)

    @property
    def form(self) -> dict[str, list[str]]:
        """The fields of a posted form (application/x-www-form-urlencoded)."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return _pairs(self.body) if kind == "application/x-www-form-urlencoded" else {}

    def argument(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next(iter(self.query.get(name, ())), None)

    @property
    def origin(self) -> str:
        """`scheme://host[:port]` as the request came in."""
        return f"{self.scheme}://{self.host}"

    @property
    def page(self) -> str:
        """This very page, as a browser would ask for it."""
        return page_address(self.root_path + self.path, self.query_string)


@dataclass(frozen=True, slots=True)
class SetCookie:
    """A cookie to set: always for the whole host, never for scripts. An empty value with `max_age` 0 removes it."""

    name: str
    value: str = field(repr=False)
    secure: bool
    max_age: int | None = None

    def header(self) -> str:
        """The value of a Set-Cookie header."""
        age = "" if self.max_age is None else f"; Max-Age={self.max_age}"
        return f"{self.name}={self.value}{age}{'; Secure' if self.secure else ''}; HttpOnly; Path=/; SameSite=Lax"


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What to send back. `stream`, if it is there, is the body: sent part by part, closed when the browser is gone."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    cookies: tuple[SetCookie, ...] = ()
    stream: AsyncGenerator[str, None] | None = field(default=None, repr=False)

    def with_cookies(self, *cookies: SetCookie) -> "WebAnswer":
        """The same with more cookies; a later one of the same name wins."""
        names = {cookie.name for cookie in cookies}
        return replace(self, cookies=(*(old for old in self.cookies if old.name not in names), *cookies))

    def with_headers(self, **headers: str) -> "WebAnswer":
        """The same with more headers, `Retry_After="5"` for Retry-After."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **added})


def redirect(url: str, status: int = 302) -> WebAnswer:
    """A redirect that nobody keeps."""
    return WebAnswer(status, {"Location": in_ascii(url), "Cache-Control": "no-store"})


def as_query(values: Mapping[str, str]) -> str:
    """A query string that stays readable where the standards let it (RFC 3986 section 3.4)."""
    return urlencode(values, quote_via=quote, safe="/?:@!$'()*,;")


def _pairs(raw: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(raw.decode("ascii"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return {}
