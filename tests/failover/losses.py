"""What a run cost: counted from what was acknowledged to people and sites, never from the centre's own word."""

from dataclasses import dataclass, field
from math import inf


@dataclass
class Losses:
    """Each list has a sentence for each thing that was lost, or came back."""

    setting: str
    outages_s: list[float]
    """The longest time without sign-ins, at each node."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """How many sessions were opened, ended, tickets redeemed and so on."""
    tries: int = 0
    """How often thieves got an answer: a count of nothing is no zero."""
    still_good_s: float = 0.0
    """How long after its end one of `alive_again` was good for something."""
    alive_again: list[str] = field(default_factory=list)
    """Ended sessions: their cookie, their refresh token or their access token was good for something afterwards."""
    redeemed_again: list[str] = field(default_factory=list)
    revoked_again: list[str] = field(default_factory=list)
    """Revoked refresh tokens that got tokens."""
    rotated_again: list[str] = field(default_factory=list)
    """Rotated ones that did, although their successors had been used."""
    sessions: list[str] = field(default_factory=list)
    """Acknowledged and gone, although nobody ended them."""
    overhang: list[str] = field(default_factory=list)
    """Let in at a site with the SDK later than a lease after the acknowledged end."""
    worst_overhang_s: float = 0.0
    untold: list[str] = field(default_factory=list)
    """Ends of which the site without the SDK was never told."""
    not_honoured: list[str] = field(default_factory=list)
    """Signed out at a site while the centre was away, and still signed in at the centre at the end."""
    unclear: list[str] = field(default_factory=list)
    """Answers that were neither success, nor a refusal, nor a clear 503; and those that took too long."""
    public: list[str] = field(default_factory=list)
    """Discovery or keys that weren't answered."""
    refused: int = 0
    """Clear answers 503."""
    slowest_s: float = 0.0

    def line(self) -> str:
        """A row for docs/failover.md."""
        done = ", ".join(f"{count} {what}" for what, count in self.acknowledged.items())
        outage = " / ".join(f"{outage:.1f} s" for outage in self.outages_s)
        return (
            f"FAILOVER | {self.setting} | {outage} | {done} | {len(self.alive_again)} | "
            f"{len(self.redeemed_again)} | {len(self.revoked_again)} | {len(self.rotated_again)} | "
            f"{len(self.sessions)} | {self.worst_overhang_s:.1f} s | {len(self.untold)} | "
            f"{len(self.not_honoured)} | {self.refused} | {len(self.unclear)}; {self.slowest_s:.1f} s"
        )

    def hold(self, **allowed: bool) -> None:
        """Nothing that is promised everywhere is missing. `allowed` names what this setting doesn't promise."""
        assert max(self.outages_s) < inf, f"{self.line()}\nsign-ins did not come back"
        assert self.tries, f"{self.line()}\nnobody tried anything that must not work"
        assert all(self.acknowledged.values()), f"{self.line()}\nsomething was never acknowledged to anybody"
        never = ("alive_again", "redeemed_again", "revoked_again", "overhang", "not_honoured", "unclear", "public")
        promised = [name for name in (*never, "rotated_again", "sessions", "untold") if not allowed.get(name)]
        broken = {name: getattr(self, name)[:5] for name in promised if getattr(self, name)}
        assert not broken, f"{self.line()}\n{broken}"
