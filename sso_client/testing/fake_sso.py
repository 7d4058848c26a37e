"""What a test holds: people signed in and out at the site under test, and everything that can go wrong meanwhile.

The provider behind it is real (`provider`); pages and logout calls go through the site's own test client (`site`).
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakKeyDictionary

from sso_client.settings import Settings, load_settings
from sso_client.site import names
from sso_client.testing.answers import PATHS
from sso_client.testing.endpoints import Call, authorize
from sso_client.testing.listener import Listener
from sso_client.testing.page import LogoutNotDone, Page, SignInFailed
from sso_client.testing.provider import Provider
from sso_client.testing.signing import KeyRing, new_ec_key
from sso_client.testing.site import RunningSite, Site, site_of
from sso_client.testing.tokens import Grant

#: Names of the provider's endpoints, as `fail` and `calls` take them.
Endpoint = Literal[
    "discovery", "keys", "authorize", "token", "userinfo", "introspect", "revoke", "end-session", "check-in"
]
_MAX_HOPS = 12
#: What test clients call the site when nobody says anything else.
_OWN_HOSTS = frozenset({"", "localhost", "testserver"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened at the provider and taken up by the site."""

    sid: str
    sub: str


class FakeSSO:
    """A sign-in service for one test, with one registered site: the one under test.

    `prefix` is where that site mounts the SDK's routes. `provider` is what answers: its fields may be changed.
    """

    def __init__(
        self,
        store: Path,
        *,
        listener: Listener | None = None,
        keys: KeyRing | None = None,
        base_url: str = "http://localhost",
    ) -> None:
        self.base_url = base_url
        self.prefix = "/sso"
        self.provider = Provider(
            client_id="site-under-test",
            epoch=f"res-{secrets.token_hex(8)}",
            report_s=60,
            listener=listener or Listener(),
            keys=keys or KeyRing(),
        )
        self.provider.keys.reset()
        self.provider.up()
        self._owns_listener = listener is None
        self._store = store
        self._sites: dict[str, Site] = {}  # sid -> where that session's logout call goes
        self._sids: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # a browser has one session at the provider
        self._reachable = True

    def close(self) -> None:
        """Answer no more."""
        self.provider.listener.provider = None
        if self._owns_listener:
            self.provider.down()

    # ------------------------------------------------------------ settings

    @property
    def issuer(self) -> str:
        return self.provider.issuer

    @property
    def environ(self) -> dict[str, str]:
        """The settings of the site under test, by their names in the environment."""
        return {
            "SSO_ISSUER": self.issuer,
            "SSO_CLIENT_ID": self.provider.client_id,
            "SSO_CLIENT_SECRET": self.provider.client_secret,
            "SSO_BASE_URL": self.base_url,
            "SSO_STORE": f"sqlite:///{self._store}",
        }

    @property
    def settings(self) -> Settings:
        """The same as the SDK's own record, for a site that makes its client by hand."""
        return load_settings({}, environ=self.environ)

    # ------------------------------------------------------------ signing in

    def sign_in(
        self, client: Any, sub: str = "alice", *, groups: Sequence[str] = (), page: str = "/", **claims: Any
    ) -> SignedIn:
        """Sign a person in by the site's own login and callback. Raises SignInFailed with the page that came instead.

        `claims` are the person's: `name=`, `email=`; `auth_time=` (seconds), `amr=` and `acr=` say how they signed in.
        """
        answer = self.visit(client, f"{self.prefix}/login?{urlencode({'next': page})}", sub, groups=groups, **claims)
        sid = self._sids.get(client, "")
        session = self.provider.sessions.get(sid)
        if answer.status >= 400 or session is None or not self._is_taken(sid):
            hint = "" if session else " (it asks another provider? It must be made with fake_sso's settings)"
            raise SignInFailed(f"the site answered {answer.status} {answer.location or ''}{hint}\n{answer.text}")
        if session.sub != sub:
            raise SignInFailed(f"{session.sub} is signed in with this client already: sign out, or use another client")
        return SignedIn(sid, sub)

    def visit(
        self, client: Any, path: str = "/", sub: str = "alice", *, groups: Sequence[str] = (), **claims: Any
    ) -> Page:
        """Open a page as a browser would; on the way through the provider this person signs in. Returns the last page.

        Only what the SDK redirects is followed, and the way back to the page; the site's own redirects are answers.
        """
        site, wanted = site_of(client), urlsplit(path).path
        own = _OWN_HOSTS | {urlsplit(self.base_url).netloc}
        told = _person(sub) | {"groups": list(names(groups))} | claims
        answer = site.open(path)
        for _ in range(_MAX_HOPS):
            goal = urlsplit(answer.location or "")
            if answer.location is None:
                return answer
            if f"{goal.scheme}://{goal.netloc}" == self.issuer and goal.path == PATHS["authorize"]:
                goal = urlsplit(self._through_the_provider(client, site, goal.query, sub, told))
            elif goal.netloc not in own or not (goal.path.startswith(self.prefix + "/") or goal.path == wanted):
                return answer
            answer = site.open(f"{goal.path}?{goal.query}" if goal.query else goal.path)
        raise SignInFailed(f"after {_MAX_HOPS} pages the site still redirects, now to {answer.location}")

    def access_token(self, sub: str = "alice", *, scope: str = "openid groups", **claims: Any) -> str:
        """A token for an API under test, as another site would bring it; it ends with `sign_out(sub)`."""
        session = self.provider.open_session(sub, _person(sub) | claims)
        return self.provider.new_access_token(Grant(session.sid, sub, scope, session.auth_time))

    def live(self, sub: str = "alice") -> list[str]:
        """The `sid`s of a person's sessions that have not ended."""
        sessions = list(self.provider.sessions.values())
        return [session.sid for session in sessions if session.sub == sub and session.sid not in self.provider.ended]

    # ------------------------------------------------------------ signing out

    def sign_out(self, sub: str = "alice", *, reason: str = "sign_out_everywhere", call: bool = True) -> None:
        """End all sessions of a person and call the site for each. Raises LogoutNotDone unless it does them all.

        With `call=False` nobody calls: the site hears at its next check-in. Raises ValueError if nothing can end.
        """
        sids = self.live(sub)
        if not sids:
            raise ValueError(f"{sub!r} has no session that could end")
        for sid in sids:
            self.provider.end(sid, reason)
        for sid in sids if call and self._reachable else ():
            self._tell(sid, reason)

    def end(self, sid: str, *, reason: str = "sign_out", call: bool = True) -> None:
        """End one session, as `sign_out` ends all."""
        if sid not in self.provider.sessions:
            raise ValueError(f"no session is called {sid!r}")
        self.provider.end(sid, reason)
        if call and self._reachable:
            self._tell(sid, reason)

    def expire(self, sub: str = "alice", *, call: bool = True) -> None:
        """The sessions of a person have reached the end of their life: nobody signed out."""
        self.sign_out(sub, reason="absolute", call=call)

    def logout_token(self, sid: str, *, forged: bool = False, **changes: Any) -> str:
        """A logout token to call the site with; `forged`: by a stranger's key; a change to None removes a claim."""
        claims = {"sid": sid, "sub": self.provider.sessions[sid].sub} | changes
        return self.provider.logout_token(key=new_ec_key() if forged else None, **claims)

    def call_logout(self, client: Any, token: str) -> Page:
        """Call the site with any token; returns its answer. At the provider nothing ends."""
        return self._call(site_of(client), token)

    # ------------------------------------------------------------ what can go wrong

    def rotate_keys(self, *, announced: bool = True) -> None:
        """Sign with another key from now on: one that was published in time, as ours are, or one that nobody knows."""
        self.provider.keys.rotate(announced=announced)

    def skew(self, seconds: float) -> None:
        """Set the provider's clock ahead of the site's (negative: behind); 0 puts it right."""
        self.provider.skew_s = seconds

    def fail(self, endpoint: Endpoint, how: float | str, *, times: int | None = None) -> None:
        """Let an endpoint fail: a status (int), "hang up", seconds to wait (float), or a protocol error code (text).

        `times`: only for so many calls. Codes are those of docs/endpoints.md, such as "session_ended" at "token" and
        "access_denied" at "authorize". Raises ValueError for an int that is no status.
        """
        path = PATHS[endpoint]
        if isinstance(how, int) and not 100 <= how <= 599:
            raise ValueError(f"{how} is no status; write seconds with a point: {how}.0")
        with self.provider.lock:
            self.provider.failing[path] = how
            self.provider.failing_times.pop(path, None)
            if times is not None:
                self.provider.failing_times[path] = times

    def heal(self) -> None:
        """Nothing is wrong any more: undoes `fail`, `cut_off`, `down` and `skew`."""
        with self.provider.lock:
            self.provider.failing.clear()
            self.provider.failing_times.clear()
            self.provider.skew_s = 0.0
        self.up()

    def cut_off(self) -> None:
        """Nothing gets through between site and provider; the provider goes on, and people sign out there."""
        self._reachable = False
        self.provider.silent = True

    def down(self) -> None:
        """The provider is stopped: connections are refused, nobody is called."""
        self._reachable = False
        self.provider.down()

    def up(self) -> None:
        """Undoes `down` and `cut_off`. What ended meanwhile the site hears at its next check-in."""
        self._reachable = True
        self.provider.silent = False
        self.provider.up()

    def calls(self, endpoint: Endpoint) -> int:
        """How often an endpoint was called."""
        return self.provider.calls(PATHS[endpoint])

    def wait_until(self, true: Callable[[], bool], seconds: float = 10.0) -> None:
        """Ask again and again until something is true. Raises AssertionError when the time is over."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not become true within {seconds} s")
            time.sleep(0.02)

    # ------------------------------------------------------------ within

    def _through_the_provider(self, client: Any, site: Site, query: str, sub: str, claims: dict[str, Any]) -> str:
        """Where the provider's pages and the person's password lead to: the way back. Raises SignInFailed."""
        provider, path = self.provider, PATHS["authorize"]
        provider.requests.append((path, {}, b""))
        fault = provider.take_fault(path)
        if not self._reachable or isinstance(fault, int) or fault == "hang up":
            raise SignInFailed("the browser gets no page from the provider")
        known = provider.sessions.get(self._sids.get(client, ""))
        if known is not None and known.sid not in provider.ended and known.sub != sub:
            self.end(known.sid, reason="replaced")  # one live session per browser
        if known is not None and known.sid in provider.ended:
            known = None
        asked = dict(parse_qsl(query))
        if known is not None and not self._asks_again(asked, known.auth_time):
            claims = {"auth_time": known.auth_time} | claims
        if "acr_values" in asked:  # the person does what the site demands, unless the test says otherwise
            claims = {"acr": asked["acr_values"].split(" ")[0]} | claims
        session = provider.open_session(sub, claims, None if known is None else known.sid)
        answer = authorize(provider, Call("GET", path, query, {}, b""), str(fault or ""), session)
        back = answer.headers.get("Location")
        if back is None:
            raise SignInFailed(f"the provider refuses the site's request:\n{answer.body.decode()}")
        self._sids[client], self._sites[session.sid] = session.sid, site
        return back

    def _asks_again(self, asked: dict[str, str], auth_time: int) -> bool:
        """True if the password is due although there is a session (OpenID Connect Core 1.0 section 3.1.2.1)."""
        too_old = "max_age" in asked and self.provider.now_s() - auth_time > int(asked["max_age"])
        return too_old or asked.get("prompt") in ("login", "select_account")

    def _is_taken(self, sid: str) -> bool:
        return any(ticket.used for ticket in list(self.provider.tickets.values()) if ticket.sid == sid)

    def _tell(self, sid: str, reason: str) -> None:
        """Call the site that took up this session, if one did. Raises LogoutNotDone."""
        site = self._sites.get(sid)
        taken = [ticket for ticket in list(self.provider.tickets.values()) if ticket.sid == sid and ticket.used]
        if not taken:
            return
        answer = self._call(site or RunningSite(taken[-1].redirect_uri), self.logout_token(sid, reason=reason))
        if answer.status != 200:
            raise LogoutNotDone(f"the site answered its logout call with {answer.status}\n{answer.text}")
        self.provider.acknowledge(sid, answer.header("Lockstep-Store"))

    def _call(self, site: Site, token: str) -> Page:
        return site.call(f"{self.prefix}/backchannel-logout", urlencode({"logout_token": token}).encode())


def _person(sub: str) -> dict[str, Any]:
    """What everybody is called unless the test says otherwise."""
    return {"preferred_username": sub, "name": sub.capitalize()}
