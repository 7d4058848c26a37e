"""The sites of a run: twenty of them, each with its own way of going wrong, in the order in which a small run takes
them.
"""

from dataclasses import dataclass

#: N of every site with the SDK, the shortest there is: so that a lease can be watched running out.
LEASE_S = 5


@dataclass(frozen=True)
class SiteKind:
    """One site. `hosts`: how many stores it has. A `fault` begins and ends at shares (`windows`) of a run's first
    part."""

    client_id: str
    what: str
    sdk: bool = False
    hosts: int = 1
    fault: str = ""
    """`wire:in`, `wire:out`, `wire:both`: the way to the centre is cut; `stop`: SIGSTOP; else a behaviour towards the
    logout call (site_server)."""
    share: int = 100
    windows: tuple[tuple[float, float], ...] = ((0.1, 0.6),)
    refuses: str = ""
    """It refuses some people's calls for ever, on purpose: the name under which the ledger must give up."""
    clock_off_ms: int = 0
    clock_slow: float = 0.0
    polls: bool = False
    """It asks (RFC 8936) instead of being called."""
    down: bool = False
    """Down for an hour, in the accelerated part."""


SITES = (
    SiteKind("p-ok", "nothing"),
    SiteKind(
        "s-cut",
        "SDK; the network to the centre is cut both ways",
        sdk=True,
        fault="wire:both",
        windows=((0.06, 0.42), (0.54, 0.9)),
    ),
    SiteKind("p-late", "answers after the time-out, and did the work", fault="late", share=30, windows=((0.4, 0.9),)),
    SiteKind("s-crash", "SDK; kill -9 in the middle of a logout call or a check-in", sdk=True),
    SiteKind("p-500", "answers 500", fault="500", windows=((0.4, 0.9),)),
    SiteKind("p-asks", "asks instead of being called", polls=True, fault="wire:out", windows=((0.2, 0.5),)),
    SiteKind("p-crash", "kill -9 before the work, and after it before the answer"),
    SiteKind("s-two", "SDK; two hosts, calls reach one of them", sdk=True, hosts=2),
    SiteKind("p-down", "down for an accelerated hour", down=True),
    SiteKind("s-mute", "SDK; it can't reach the centre", sdk=True, fault="wire:out", windows=((0.3, 0.7),)),
    SiteKind(
        "p-refuses", "answers 400: half of the people's calls for ever", fault="400", share=50, refuses="http_400"
    ),
    SiteKind("s-stop", "SDK; stopped, and goes on later as a laptop that slept", sdk=True, fault="stop"),
    SiteKind("p-moved", "answers 302: half of the people's calls for ever", fault="302", share=50, refuses="http_302"),
    SiteKind("s-deaf", "SDK; the centre never reaches it", sdk=True, fault="wire:in", windows=((0.0, 1.0),)),
    SiteKind("p-busy", "answers 429 with Retry-After", fault="429", share=60, windows=((0.4, 0.9),)),
    SiteKind("s-slow", "SDK; its clocks are 40 s behind and 5 % slow", sdk=True, clock_off_ms=-40_000, clock_slow=0.05),
    SiteKind("p-hang", "hangs", fault="hang", windows=((0.5, 0.9),)),
    SiteKind("p-drip", "answers a byte at a time", fault="drip", share=50, windows=((0.5, 0.9),)),
    SiteKind("p-drop", "drops the connection", fault="drop", windows=((0.3, 0.8),)),
    SiteKind(
        "p-skew", "its clock is ten minutes off, and is set right later", clock_off_ms=600_000, windows=((0.0, 0.4),)
    ),
)


def chosen(count: int, names: tuple[str, ...] = ()) -> tuple[SiteKind, ...]:
    """The first `count` of them, or those with these names."""
    return tuple(site for site in SITES if site.client_id in names) if names else SITES[:count]


def stated_skew_ms(site: SiteKind) -> int:
    """How much longer than N by the real time this site's N may last, because its clocks run slow."""
    return int(LEASE_S * 1000 * site.clock_slow / (1 - site.clock_slow)) + (1 if site.clock_slow else 0)
