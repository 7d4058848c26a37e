"""Every answer that somebody got from the centre, and what may be said of them all. Thread-safe."""

import threading
from collections import Counter
from dataclasses import dataclass

#: Each call to a store that is away costs about a second, and one request makes a few; two cores serve everybody here.
HANG_S = 6.0


@dataclass(frozen=True)
class Answer:
    """One answer. Times in s since the epoch. `what` names the step; 0 as status: none came."""

    at: float
    what: str
    status: int
    took_s: float
    node: str = ""
    problem: str = ""
    """Why it may not be: neither success, nor a refusal by the protocol, nor a clear 503."""

    @property
    def is_success(self) -> bool:
        return self.status in range(200, 400)


class Answers:
    """What people and sites write down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Answer] = []

    def add(self, answer: Answer) -> None:
        with self._lock:
            self._all.append(answer)

    def of(self, *what: str) -> list[Answer]:
        """Those of these steps (of all, if none is named), in the order in which they were asked for."""
        with self._lock:
            found = [each for each in self._all if not what or each.what in what]
        return sorted(found, key=lambda each: each.at)

    def unclear(self) -> list[str]:
        """A sentence for each answer that may not be."""
        return [f"{each.what}: {each.problem}" for each in self.of() if each.problem]

    def by_status(self) -> Counter[int]:
        return Counter(each.status for each in self.of())

    def slowest_s(self) -> float:
        return max((each.took_s for each in self.of()), default=0.0)

    def outage_s(self, what: str) -> float:
        """The longest time from the first failure of this step to the next success. Endless if none came."""
        longest, began = 0.0, 0.0
        for each in self.of(what):
            if not each.is_success:
                began = began or each.at
            elif began:
                longest, began = max(longest, each.at + each.took_s - began), 0.0
        return float("inf") if began else longest
