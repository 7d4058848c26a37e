"""What is to happen in a run, drawn from its seed: which sessions there are, when and why each ends. Pure."""

import random
from dataclasses import dataclass, field

from tests.faults.sites import SiteKind

#: Ends that happen by themselves at a deadline.
DEADLINES = ("idle", "absolute")
#: Ends of all sessions of a person, by an order.
ORDERS = ("sign_out_everywhere", "password_change", "account_disabled")

_SHARES = (
    ("administrator", 26),
    ("idle", 14),
    ("absolute", 12),
    ("sign_out_everywhere", 14),
    ("password_change", 8),
    ("account_disabled", 8),
    ("replaced", 8),
    ("site_sign_out", 6),
    ("token_reuse", 4),
)
HTTP_WAYS = ("sign_out", "site_sign_out", "sign_out_everywhere")


@dataclass
class Planned:
    """One session. What is found out while the run goes on is written here too: it is the suite's own list."""

    number: int
    user: str
    reason: str
    """Why it ends; empty: it never does (a control)."""
    at: float
    """When, as a share of the first part; 1 and more: at the beginning of the second."""
    over_http: bool = False
    sid: str = ""
    cookie: str = field(default="", repr=False)
    """The centre's."""
    cookies: dict[str, str] = field(default_factory=dict)
    """Host -> cookie of the local session that was opened there."""
    registered: set[tuple[str, str]] = field(default_factory=set)
    """(client, host) that the centre said are registered."""
    refresh_token: str = ""
    refresh_client: str = ""
    created_at: int = 0
    deadline: int = 0
    """When it falls due (ms); 0: by nobody's clock."""
    began_at: int = 0
    """When its end was first asked for (ms)."""
    answered_at: int = 0
    """When somebody was told that it is over, or ordered (ms)."""
    renewed: bool = False
    """A control with a short idle time that is renewed all the while."""

    @property
    def ends(self) -> bool:
        """Not a control."""
        return bool(self.reason)


def draw(seed: int, sign_outs: int) -> list[Planned]:
    """All sessions of a run, the ones over HTTP first. One in twenty goes over HTTP."""
    chance = random.Random(seed)
    over_http = max(1, sign_outs // 20)
    found: list[Planned] = []
    for i in range(over_http):
        way = HTTP_WAYS[i % len(HTTP_WAYS)]
        # Their sign-in is part of the run, and takes a while.
        found.append(Planned(len(found), f"person-{i}", way, chance.uniform(0.15, 0.9), over_http=True))
    reasons = _deal(sign_outs - over_http, chance)
    for reason in reasons:
        if reason not in ORDERS:
            found.append(Planned(len(found), f"single-{len(found)}", reason, _when(reason, chance)))
    for reason in ORDERS:
        left = reasons.count(reason)
        while left:
            size = min(left, chance.randint(1, 10))
            at, user = _when(reason, chance), f"group-{len(found)}"
            found += [Planned(len(found) + i, user, reason, at) for i in range(size)]
            left -= size
    # Controls: a second device of people whose first one signs out, and some with a short idle time.
    singles = [p for p in found if p.user.startswith("single-") and p.reason in ("administrator", "idle")]
    for i in range(max(3, sign_outs // 20)):
        user = singles[i % len(singles)].user if singles and i % 2 else f"control-{i}"
        found.append(Planned(len(found), user, "", 9.0))
    for i in range(2):
        found.append(Planned(len(found), f"control-renewed-{i}", "", 9.0, renewed=True))
    return found


def _deal(count: int, chance: random.Random) -> list[str]:
    """So many reasons in the proportions of `_SHARES`, none left out if there is room."""
    dealt = [name for name, _ in _SHARES][:count]
    names, weights = zip(*_SHARES, strict=True)
    dealt += chance.choices(names, weights, k=count - len(dealt))
    return dealt


def _when(reason: str, chance: random.Random) -> float:
    # A deadline can't wait for the second part, where a whole hour is over in a minute.
    return chance.uniform(0.02, 0.98) if reason in DEADLINES or chance.random() < 0.85 else 1.0


def hosts_of(kind: SiteKind, number: int) -> tuple[str, ...]:
    """Which hosts of a site the browser of this session came to."""
    names = host_names(kind)
    return (names, names[:1], names[1:])[number % 3] if len(names) > 1 else names


def host_names(kind: SiteKind) -> tuple[str, ...]:
    """One store each."""
    return (kind.client_id,) if kind.hosts == 1 else tuple(f"{kind.client_id}.{'abcdef'[i]}" for i in range(kind.hosts))


def points(sites: tuple[SiteKind, ...]) -> list[str]:
    """Every named point at which somebody is to die, in the order of their turn."""
    names = {site.client_id for site in sites}
    crash = [f"s-crash.{p}" for p in ("inbox.before", "inbox.after", "apply.before", "apply.after")]
    found = [
        "web.end.before",
        "delivery.claim.after",
        "web.open.after",
        "web.redeem.after",
        "delivery.send.after",
        "web.check_in.after",
        "delivery.record.before",
        "web.end.after",
        "delivery.sweep.after",
        "web.redeem.before",
        "delivery.reschedule.before",
        "web.check_in.before",
        "delivery.end.before",
        "delivery.archive.before",
        "delivery.send.before",
        "delivery.end.after",
        "delivery.sweep.before",
        "delivery.record.after",
        "delivery.archive.after",
    ]
    mixed = crash if "s-crash" in names else []
    mixed += ["p-crash.work.before", "p-crash.work.after"] if "p-crash" in names else []
    mixed += ["p-asks.ask.before", "p-asks.ask.after"] if "p-asks" in names else []
    for i, point in enumerate(mixed):
        found.insert(3 * i + 1, point)
    return found
