"""A shop whose store keeps its marks, people signed in there, and the way back to right."""

from sso_server.core.check_in import CheckIn, CheckInAnswer
from sso_server.core.sessions import EndReason, Session
from tests.support.builders import opened, registered, store_id
from tests.support.deliveries import Deliveries

STORE = store_id()


class Site:
    """The shop's store: it keeps the mark of its last answer."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._check_ins = deliveries.check_ins()
        self.client = deliveries.site("shop", "https://shop.example/logout", lease_s=60)
        deliveries.clock.pass_ms(1)
        self.mark: str | None = None

    def check_in(self, *acks: str) -> CheckInAnswer:
        answer = self._check_ins.check_in(self.client, CheckIn(STORE, self.mark, acks, (), (), None))
        self.mark = answer.mark
        return answer


def signed_in(deliveries: Deliveries, **changes: object) -> Session:
    """At the shop, a second ago."""
    now = deliveries.clock.now() - 1000
    session = opened(deliveries.stores, now, **changes)
    registered(deliveries.stores, session, now=now, store_id=STORE, reports=True, ticket={"offline": True})
    return session


def end(deliveries: Deliveries, session: Session) -> None:
    deliveries.sign_out().end(session.sid, EndReason.SIGN_OUT, actor="user")


def is_live(deliveries: Deliveries, session: Session) -> bool:
    found = deliveries.stores.sessions.find(session.sid)
    return found is not None and found.ended_at is None


def one_store(deliveries: Deliveries) -> bool:
    return deliveries.stores.past.look().heartbeat is None


def put_right(deliveries: Deliveries) -> None:
    done = deliveries.restoring().run_once(beat=True)
    assert done is not None, "nothing was found"
    assert deliveries.restoring().run_once(beat=True) is None, "and then it is right"
