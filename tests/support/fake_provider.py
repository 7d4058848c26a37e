"""A small OpenID provider on a real socket, with real keys: the SDK's tests talk to it over HTTP.

It keeps the wire contract (tickets taken once, ends listed until acknowledged) and does as a test tells it: be slow,
answer with a status, hang up, go down and come back on the same port.
"""

import base64
import json
import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

EVENT = "http://schemas.openid.net/event/backchannel-logout"
_EC = ec.generate_private_key(ec.SECP256R1())
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Ticket:
    sid: str
    sub: str
    nonce: str
    auth_time: int
    redirect_uri: str
    used: bool = False


@dataclass
class FakeProvider:
    """One centre with one client."""

    client_id: str = "shop"
    client_secret: str = "s3cret/+ä"
    leases: bool = True
    lease_s: int = 60
    grace_s: int = 0
    epoch: str | None = None  # None: an older centre
    report_s: int | None = None  # None: an older centre that doesn't say it
    lag_ms: int = 0
    more_rounds: int = 0
    alg: str = "ES256"
    session_expires_in: int | None = 3600
    ec_key: Any = _EC
    kid: str = "key-1"
    profile: dict[str, Any] = field(default_factory=lambda: {"name": "Alice Example", "preferred_username": "alice"})
    discovery_changes: dict[str, Any] = field(default_factory=dict)
    id_token_changes: dict[str, Any] = field(default_factory=dict)
    token_changes: dict[str, Any] = field(default_factory=dict)
    check_in_changes: dict[str, Any] = field(default_factory=dict)
    failing: dict[str, Any] = field(default_factory=dict)  # path -> status | "hang up" | seconds to wait | "drip ..."
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)  # the caller's side of the connection of each request
    check_ins: list[dict[str, Any]] = field(default_factory=list)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    stores: dict[str, str] = field(default_factory=dict)  # sid -> store of the local session
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0
    server: ThreadingHTTPServer | None = None

    def up(self) -> None:
        """Listen; after `down()` on the same port again."""
        provider = self

        class Handler(_Handler):
            centre = provider

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A caller that hung up early is what a test asked for."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Stop listening: connections are refused."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self, path: str) -> int:
        return sum(1 for called, _, _ in self.requests if called == path)

    def issue_ticket(self, login_url: str, *, sid: str, sub: str = "usr-alice", auth_time: int | None = None) -> str:
        """What the person's sign-in at the centre would lead to: a ticket for this authorization request."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(login_url).query).items()}
        ticket = f"code-{secrets.token_hex(16)}"
        moment = int(time.time()) if auth_time is None else auth_time
        self.tickets[ticket] = Ticket(sid, sub, query["nonce"], moment, query["redirect_uri"])
        return ticket

    def callback_url(self, login_url: str, *, sid: str, sub: str = "usr-alice", auth_time: int | None = None) -> str:
        """The path and query that the browser comes back with."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(login_url).query).items()}
        ticket = self.issue_ticket(login_url, sid=sid, sub=sub, auth_time=auth_time)
        back = urlencode({"code": ticket, "state": query["state"], "iss": self.issuer})
        return f"{urlsplit(query['redirect_uri']).path}?{back}"

    def end(self, sid: str, reason: str = "sign_out") -> None:
        """End a session; every store that holds it hears of it at check-in."""
        with self.lock:
            self.ended[sid] = reason
            store = self.stores.get(sid)
            if store is not None:
                self.rows[store][sid] = {"sid": sid, "reason": reason, "ended_at": int(time.time() * 1000)}

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None, key: Any = None) -> str:
        key = key or (self.ec_key if self.alg == "ES256" else _RSA)
        return jwt.encode(claims, key, algorithm=self.alg, headers={"kid": f"{self.kid}-{self.alg}", **(headers or {})})

    def logout_claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good logout token; a change to None removes one."""
        moment = time.time()
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": int(moment),
            "exp": int(moment) + 120,
            "jti": secrets.token_hex(8),
            "sub": "usr-alice",
            "events": {EVENT: {}},
            "reason": "sign_out",
            "ended_at": int(moment * 1000) - 31,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def logout_token(self, typ: str | None = "logout+jwt", key: Any = None, **changes: Any) -> str:
        return self.sign(self.logout_claims(**changes), {"typ": typ}, key)

    def logout_form(self, **changes: Any) -> bytes:
        return urlencode({"logout_token": self.logout_token(**changes)}).encode()

    def jwks(self) -> dict[str, Any]:
        es = ECAlgorithm(ECAlgorithm.SHA256).to_jwk(self.ec_key.public_key(), as_dict=True)
        rs = RSAAlgorithm(RSAAlgorithm.SHA256).to_jwk(_RSA.public_key(), as_dict=True)
        es |= {"kid": f"{self.kid}-ES256", "use": "sig", "alg": "ES256"}
        rs |= {"kid": f"{self.kid}-RS256", "use": "sig", "alg": "RS256"}
        return {"keys": [{"kty": "strange"}, es, rs]}

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end-session",
            "jwks_uri": f"{self.issuer}/jwks.json",
            "check_in_endpoint": f"{self.issuer}/check-in" if self.leases else None,
            "authorization_response_iss_parameter_supported": True,
        } | self.discovery_changes
        return {name: value for name, value in document.items() if value is not None}

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            ticket = self.tickets.get(form.get("code", ""))
            if ticket is None:
                return 400, {"error": "invalid_grant", "error_description": "ticket_unknown"}
            if ticket.used:
                return 400, {"error": "invalid_grant", "error_description": "ticket_used"}
            ticket.used = True
            if form.get("redirect_uri") != ticket.redirect_uri:
                return 400, {"error": "invalid_grant", "error_description": "redirect_uri_mismatch"}
            if ticket.sid in self.ended:
                return 400, {"error": "invalid_grant", "error_description": "session_ended"}
            if "store_id" in form:
                self.stores[ticket.sid] = form["store_id"]
        moment = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": ticket.sub,
            "aud": self.client_id,
            "exp": moment + 300,
            "iat": moment,
            "auth_time": ticket.auth_time,
            "nonce": ticket.nonce,
            "sid": ticket.sid,
            "amr": ["pwd"],
        } | self.id_token_changes
        answer = {
            "access_token": f"at {ticket.sub}",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.sign({name: value for name, value in claims.items() if value is not None}),
            "session_expires_in": self.session_expires_in,
            "lease_s": self.lease_s,
        } | self.token_changes
        return 200, {name: value for name, value in answer.items() if value is not None}

    def check_in(self, told: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.check_ins.append(told)
            rows = self.rows[told["store"]]
            for sid in told["acks"]:
                rows.pop(sid, None)
            for sid in told["ended"]:
                self.ended[sid] = "site_sign_out"
            unknown = [
                {"sid": sid, "reason": "unknown_session", "ended_at": int(time.time() * 1000)}
                for sid in told.get("sids", [])
                if sid in self.ended or sid not in self.stores
            ]
            more = self.more_rounds > 0
            self.more_rounds = max(0, self.more_rounds - 1)
            return {
                "ends": [*rows.values(), *unknown],
                "more": more,
                "mark": f"mark-{len(self.check_ins)}",
                "lag_ms": self.lag_ms,
                "lease_s": self.lease_s,
                "grace_s": self.grace_s,
                **({} if self.report_s is None else {"report_s": self.report_s}),
                **({} if self.epoch is None else {"epoch": self.epoch}),
            } | self.check_in_changes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    centre: FakeProvider

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._recorded(path, b""):
            return
        if path == "/.well-known/openid-configuration":
            self._answer(200, self.centre.discovery())
        elif path == "/jwks.json":
            self._answer(200, self.centre.jwks())
        elif path == "/userinfo":
            sub = self.headers.get("Authorization", "").removeprefix("Bearer at ")
            self._answer(200, {"sub": sub, **self.centre.profile})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        if not self._recorded(path, body):
            return
        user, _, password = base64.b64decode(self.headers.get("Authorization", "")[6:]).decode().partition(":")
        if (unquote_plus(user), unquote_plus(password)) != (self.centre.client_id, self.centre.client_secret):
            self._answer(401, {"error": "invalid_client"})
        elif path == "/token":
            self._answer(*self.centre.token({name: values[0] for name, values in parse_qs(body.decode()).items()}))
        elif path == "/check-in":
            self._answer(200, self.centre.check_in(json.loads(body)))
        else:
            self._answer(404, {})

    def _recorded(self, path: str, body: bytes) -> bool:
        """Note the call; False if it was answered as the test wants it to fail."""
        self.centre.peers.append(self.client_address)
        self.centre.requests.append((path, dict(self.headers), body))
        fault = self.centre.failing.get(path)
        if fault == "hang up" or self.centre.server is None:  # a kept connection outlives the listening socket
            self.close_connection = True
            self.connection.close()
            return False
        if isinstance(fault, float):
            time.sleep(fault)
        elif isinstance(fault, int):
            self._answer(fault, {"error": "temporarily_unavailable"})
            return False
        return True

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        fault = self.centre.failing.get(urlsplit(self.path).path)
        if fault == "drip headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self._drip(b"X-Slow: " + b"x" * 60)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("Location", f"{self.centre.issuer}/elsewhere")
        self.end_headers()
        if fault == "drip body":
            self._drip(body)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes) -> None:
        """A byte now and then, each within any time-out for a single read."""
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.2)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
        pass
