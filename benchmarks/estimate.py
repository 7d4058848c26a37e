"""How long a run will take, from what the parts of each measurement took on an idle machine with two cores: said before
it begins. Nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.given import STORES, WEB_SERVERS, Given


@dataclass(frozen=True, slots=True)
class Lasting:
    """Seconds of one measurement with both web servers and both stores."""

    once: float = 0.0
    """Whatever the rounds: filling stores, starting what runs through all rounds."""
    a_round: float = 0.0
    """Starting, signing people in, warming up."""
    a_second: float = 0.0
    """For each second of load (`Given.seconds`) in each round."""
    with_peers: tuple[float, float] = (0.0, 0.0)
    """What other people's servers add: to a round, and for each second of load in it."""
    goes_by_web_server: bool = True


#: `python -m benchmarks` says at its end what each took: renew these when they are far off.
KNOWN = {
    "serving": Lasting(a_round=95, a_second=112, with_peers=(40, 50)),
    "starting": Lasting(once=90, a_round=6),
    "sign_out": Lasting(a_round=56, with_peers=(40, 0)),
    "deliveries": Lasting(a_round=12, a_second=18, goes_by_web_server=False),
    "check_in": Lasting(a_round=34, a_second=8),
    "storm": Lasting(once=12, a_round=6, a_second=32),
    "growth": Lasting(once=280, a_round=54, a_second=36, goes_by_web_server=False),
}


def seconds(name: str, given: Given) -> float:
    """Of one measurement; 0 of one that isn't known."""
    known = KNOWN.get(name, Lasting())
    share = len(given.stores) / len(STORES)
    if known.goes_by_web_server:
        share *= len(given.web_servers) / len(WEB_SERVERS)
    a_round = known.a_round + known.a_second * given.seconds
    more, more_a_second = known.with_peers if given.peers else (0.0, 0.0)
    return share * (known.once + given.rounds * a_round) + given.rounds * (more + more_a_second * given.seconds)


def minutes(names: Iterable[str], given: Given) -> int:
    """Of all of these."""
    return round(sum(seconds(name, given) for name in names) / 60) or 1
