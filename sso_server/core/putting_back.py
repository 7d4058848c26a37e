"""A store was put back on purpose: what must be done is written down before anybody is served from it.

How it is carried out is `core.restoring`'s, and nothing renews a lease until then.
"""

from __future__ import annotations

from sso_server.core.errors import Refused
from sso_server.core.ports import Clock, Randomness, RestorationStore
from sso_server.core.restorations import Cause, Restoration

#: What stands in the row instead of a proof.
CAUSE = "put_back"


def order_restoration(
    store: RestorationStore,
    clock: Clock,
    randomness: Randomness,
    *,
    newest_session_at: int = 0,
    is_aside: bool = False,
) -> Restoration:
    """Every session opened before this moment, or up to `newest_session_at` (ms; the clock may be behind), is to end,
    and every grant is to be revoked. `is_aside`: nobody serves from this store yet, so that a restoration which it
    still has unfinished can be answered by this one. Raises Refused (one is under way), Unavailable.
    """
    now = clock.now()
    state = store.state()
    after = ""
    if state is None:
        first = Restoration(randomness.token("res"), Cause.FIRST_SEEN.value, now, 0, False, "", finished_at=now)
        store.begin(first, after="")
        after = first.restoration_id
    else:
        after = state.newest.restoration_id
        if is_aside and state.unfinished is not None:
            store.finish(after, state.newest.incarnation, 0, now)
    # No incarnation: it is noted when all is done, from whoever answers then.
    restoration = Restoration(randomness.token("res"), CAUSE, max(now, newest_session_at + 1), 0, True, "")
    if not store.begin(restoration, after=after):
        raise Refused("A restoration is under way already. Try again when it is done.", code="conflict")
    return restoration
