"""Sign-in at a device without a browser (RFC 8628): it shows a short code, and its person types that in elsewhere.

What is asked lies in two slips, one under the digest of the device's code and one under that of the person's. A yes is
an ordinary ticket of the person's session, bound to the device's code as to a PKCE verifier (RFC 7636): so the device
takes part in that session, and a sign-out ends what it got.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace

from sso_server.core import identifiers
from sso_server.core.clients import Client
from sso_server.core.details import GrantDetails
from sso_server.core.errors import InvalidGrant, Refused, TooManyGuesses, Unavailable
from sso_server.core.guesses import Limit, place_of
from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.ports import Clock, GuessStore, Randomness, SlipStore
from sso_server.core.records import record
from sso_server.core.sessions import Session
from sso_server.core.tickets import Tickets, s256

#: Section 6.1: no vowels, so that no words come out; nothing that looks like something else.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
LIFE_MS = 10 * MINUTE
INTERVAL_S = 5
#: A device counts its five seconds from when it heard us, and networks are uneven.
_EARLY_MS = 500
#: So long we can still say that a code has expired, and not only that we know none.
_KEPT_MS = 10 * MINUTE
#: So long a device waits for what its person agreed to: should that never be written, `Consents.confirm` refuses it.
_HELD_MS = MINUTE
_TRIES = 8


@record
class Begun:
    """What the device is told."""

    device_code: str
    user_code: str
    """As it is shown: `BCDF-GHJK`."""
    expires_in: int
    """Seconds."""
    interval: int


@record
class Asking:
    """What one device asks for; the content of its slip. Times in ms."""

    client_id: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    user_code: str
    """Its digest."""
    expires_at: int
    interval: int = INTERVAL_S
    """Seconds; grows when the device asks too fast."""
    polled_at: int = 0
    refused: bool = False
    ticket: str = ""
    """After a yes. Without the device's code it is worth nothing."""
    challenge: str = ""
    """What that ticket is bound to."""
    held_until: int = 0
    """Until then the device waits for what its person agreed to with their yes to be written down."""

    @property
    def is_answered(self) -> bool:
        """A person has said yes or no."""
        return self.refused or bool(self.ticket)

    def to_text(self) -> str:
        """The slip's content."""
        said = asdict(self)
        if not self.held_until:
            # An older version, working beside this one, can't read slips that name it: theirs are without, and so are
            # ours but for the moment in which it says something.
            del said["held_until"]
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Asking:
        """The opposite."""
        said = json.loads(text)
        return cls(**said | {name: tuple(said[name]) for name in ("scope", "resources")})


@record
class Found:
    """A request that waits for an answer, as the page that asks for it names it."""

    name: str
    """Of its slip."""
    asking: Asking


def plain_code(typed: str) -> str:
    """The code as it counts: whatever the case, and whatever stands between the letters (section 6.1). Empty: it can't
    be one."""
    letters = "".join(c for c in typed[:64].upper() if c.isalnum())
    return letters if len(letters) == _LENGTH and set(letters) <= set(LETTERS) else ""


def shown_code(plain: str) -> str:
    """In two halves, as people read it."""
    return f"{plain[:4]}-{plain[4:]}"


def limits_for(sid: str, address: str) -> tuple[Limit, ...]:
    """Section 5.1: 20^8 codes, and ten minutes to guess at one. Five wrong ones at once, then one a minute, for each
    session and for each address."""
    return (
        Limit(f"d:{identifiers.digest(sid)[:32]}", 5, MINUTE, MINUTE, HOUR),
        Limit(f"da:{place_of(address)}", 5, MINUTE, MINUTE, HOUR),
    )


class Devices:
    """Takes what devices ask for, and what people answer."""

    def __init__(
        self, slips: SlipStore, tickets: Tickets, guesses: GuessStore, clock: Clock, randomness: Randomness
    ) -> None:
        self._slips = slips
        self._tickets = tickets
        self._guesses = guesses
        self._clock = clock
        self._random = randomness

    def begin(self, client: Client, scope: tuple[str, ...], resources: tuple[str, ...]) -> Begun:
        """Two codes for this request. Raises Unavailable."""
        now = self._clock.now()
        device_code = self._random.token(identifiers.DEVICE_CODE)
        name, challenge = _name(device_code), s256(device_code)
        for _ in range(_TRIES):
            plain = _letters(self._random.token(identifiers.DEVICE_CODE))
            if self._slips.add(_person_name(plain), name, now + LIFE_MS, now):
                break
        else:
            raise Unavailable("Too many devices ask at once.")
        expires_at = now + LIFE_MS
        asking = Asking(client.client_id, scope, resources, identifiers.digest(plain), expires_at, challenge=challenge)
        self._slips.add(name, asking.to_text(), expires_at + _KEPT_MS, now)
        return Begun(device_code, shown_code(plain), LIFE_MS // SECOND, INTERVAL_S)

    def find(self, typed: str, session: Session, address: str) -> Found | None:
        """What waits under a code that a person typed; None: nothing (any more). Raises TooManyGuesses, Unavailable."""
        now, limits = self._clock.now(), limits_for(session.sid, address)
        # Counted before anything is looked at, so that parallel guesses can't slip through together.
        wait_ms = self._guesses.begin(limits, now)
        if wait_ms > 0:
            raise TooManyGuesses(wait_ms)
        plain = plain_code(typed)
        name = self._slips.find(_person_name(plain), now) if plain else None
        found = self.find_waiting(name) if name else None
        if found is not None:
            self._guesses.settle((), [limit.key for limit in limits])
        return found

    def find_waiting(self, name: str) -> Found | None:
        """The same for a page that has found it before. Raises Unavailable."""
        now = self._clock.now()
        text = self._slips.find(name, now)
        asking = Asking.from_text(text) if text else None
        if asking is None or asking.is_answered or now >= asking.expires_at:
            return None
        return Found(name, asking)

    def approve(self, found: Found, session: Session, client: Client, keep: Callable[[], None] | None = None) -> None:
        """The person says yes: the device becomes part of this session when it next asks. `keep` writes down what they
        agree to by it: only once their answer counts, and before the device is served. Raises Refused if it is too
        late, or somebody was faster; Unavailable."""
        asking = found.asking
        ticket = self._tickets.issue(
            session,
            client,
            redirect_uri="",
            code_challenge=asking.challenge,
            nonce="",
            scope=asking.scope,
            details=GrantDetails(resources=asking.resources),
            # The device may come late: it asks every few seconds, or less often if it was told to slow down.
            expires_at=asking.expires_at,
        )
        if keep is None:
            self._answer(found, lambda known: replace(known, ticket=ticket))
            return
        # In the step that answers: of two presses at once the second changes nothing, and so holds nobody up either.
        held_until = self._clock.now() + _HELD_MS
        answered = self._answer(found, lambda known: replace(known, ticket=ticket, held_until=held_until))
        try:
            keep()
        except Unavailable:
            # Nothing is agreed to: the question stands, and its button can be pressed once more.
            with contextlib.suppress(Unavailable):
                self._change_held(found.name, answered, replace(answered, ticket="", held_until=0))
            raise
        with contextlib.suppress(Unavailable):
            self._change_held(found.name, answered, replace(answered, held_until=0))

    def refuse(self, found: Found) -> None:
        """The person says no. Raises as `approve`."""
        self._answer(found, lambda known: replace(known, refused=True))

    def _answer(self, found: Found, change: Callable[[Asking], Asking]) -> Asking:
        """What is known with the answer."""
        for _ in range(_TRIES):
            now = self._clock.now()
            text = self._slips.find(found.name, now)
            known = Asking.from_text(text) if text else None
            if text is None or known is None or known.is_answered or now >= known.expires_at:
                raise Refused("This code has been used already, or its time is over.")
            # The device may have polled meanwhile, which is written there, too.
            answered = change(known)
            if self._slips.replace(found.name, text, answered.to_text(), now):
                return answered
        raise Unavailable("The device asks too often to be answered.")

    def _change_held(self, name: str, was: Asking, now_said: Asking) -> None:
        # While it is held nobody else writes there; afterwards the device may have come for it.
        self._slips.replace(name, was.to_text(), now_said.to_text(), self._clock.now())

    def poll(self, device_code: str, client: Client) -> str:
        """The ticket that this device may redeem with its code, once. Raises InvalidGrant with the codes of section
        3.5, Unavailable."""
        name, now = _name(device_code), self._clock.now()
        for _ in range(_TRIES):
            text = self._slips.find(name, now)
            known = Asking.from_text(text) if text else None
            # Section 3.4: bound to the client that asked. Whose it is, is nobody else's business.
            if text is None or known is None or known.client_id != client.client_id:
                raise InvalidGrant("The device_code is unknown, used already, or another client's.")
            if known.refused:
                raise InvalidGrant("The person said no.", code="access_denied")
            if now >= known.expires_at:
                raise InvalidGrant("The device_code has expired.", code="expired_token")
            if known.ticket and now < known.held_until:
                raise _pending()
            if known.ticket:
                # Of any number that ask at once, one has it.
                if self._slips.take(name, now) is None:
                    continue
                return known.ticket
            is_early = known.polled_at and now - known.polled_at < known.interval * SECOND - _EARLY_MS
            interval = known.interval + 5 if is_early else known.interval
            if not self._slips.replace(name, text, replace(known, polled_at=now, interval=interval).to_text(), now):
                # Answered at this very moment, or the device asks twice at once.
                continue
            if is_early:
                raise InvalidGrant(f"Ask every {interval} seconds from now on.", code="slow_down")
            raise _pending()
        raise InvalidGrant("Ask less often.", code="slow_down")

    def put_back(self, device_code: str, ticket: str, client: Client) -> None:
        """The ticket could not be redeemed because a store is away: the device may ask once more. Never raises."""
        now = self._clock.now()
        asking = Asking(client.client_id, (), (), "", now + MINUTE, ticket=ticket)
        with contextlib.suppress(Unavailable):
            self._slips.add(_name(device_code), asking.to_text(), now + MINUTE, now)


def _name(device_code: str) -> str:
    return f"device:{identifiers.digest(device_code)}"


def _pending() -> InvalidGrant:
    return InvalidGrant("The person has not answered yet.", code="authorization_pending")


def _person_name(plain: str) -> str:
    return f"user-code:{identifiers.digest(plain)}"


def _letters(token: str) -> str:
    """160 random bits as eight of twenty letters: 34 bits are left, evenly but for what nobody can measure."""
    number = int.from_bytes(hashlib.sha256(token.encode()).digest())
    letters = ""
    for _ in range(_LENGTH):
        number, index = divmod(number, len(LETTERS))
        letters += LETTERS[index]
    return letters
