"""What must be in order for a node to do its work: made here, looked at by `web.readiness`, for `/readyz` and
`sso check` alike.
"""

from __future__ import annotations

from collections.abc import Callable

from sso_server.core.errors import Unavailable
from sso_server.core.ports import Clock, StoreHealth
from sso_server.core.restorations import Restorations
from sso_server.crypto.signing_keys import SigningKeys
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.schema import known_revisions, revision_of
from sso_server.web.readiness import Check, Finding, store_check

DATABASE = "The database"
REDIS = "Redis"


def database_checks(health: StoreHealth, database: Database, clock: Clock) -> tuple[Check, ...]:
    """The database, and whether this program and its schema fit."""
    return store_check(DATABASE, health, clock), Check("The database's schema", lambda: _schema(database), DATABASE)


def redis_check(health: StoreHealth, clock: Clock) -> Check:
    """Redis alone: it needs no schema."""
    return store_check(REDIS, health, clock)


def fence_check(read: Callable[[], object], restorations: Restorations) -> Check:
    """Whether this node may use the Redis that it reaches (`core.fence`). `read`: anything that the fence guards."""

    def look() -> Finding:
        try:
            read()
        except Unavailable as error:
            if restorations.is_unfinished():
                # Said as a warning: it will be over within seconds, and is so on every node.
                return Finding()
            words = "This node's Redis isn't the one that was put right last, or doesn't say who it is (+info)."
            return Finding(reasons=(words,), detail=error.detail)
        return Finding()

    return Check("Redis behind the fence", look, REDIS)


def centre_checks(keys: SigningKeys, restorations: Restorations) -> tuple[Check, ...]:
    """What needs the stores to be there."""
    return (
        Check("The signing keys", lambda: _keys(keys), DATABASE),
        Check("The restoration", lambda: _restoration(restorations), DATABASE),
    )


def _schema(database: Database) -> Finding:
    revision, known = revision_of(database), known_revisions()
    if revision == known[-1]:
        return Finding(f"The database's schema is up to date ({revision}).")
    if revision in known:
        return Finding(
            reasons=(f"The database's schema is older ({revision}) than this program's ({known[-1]}): sso db upgrade.",)
        )
    if not revision:
        return Finding(reasons=("The database has no schema: sso db upgrade.",))
    # While versions are changed one node after the other the old nodes go on: a migration leaves them what they need.
    return Finding(
        warnings=(f"The database's schema is newer ({revision}) than this program's ({known[-1]}): upgrade this node.",)
    )


def _keys(keys: SigningKeys) -> Finding:
    if not keys.list_keys():
        return Finding("There are no signing keys yet: the first start makes them.")
    keys.ensure_keys()
    # 0 is the secret that writes. One that is needed for reading only must not be dropped yet.
    older = sum(1 for index in keys.sealed_under().values() if index)
    if older:
        return Finding(f"The signing keys can be read, {older} of them with an older secret only: sso key reseal.")
    return Finding("The signing keys can be read.")


def _restoration(restorations: Restorations) -> Finding:
    if not restorations.is_unfinished():
        return Finding()
    # Still ready: everything but a check-in is answered, and another node couldn't answer that either.
    words = "The store of sessions went back in time and isn't put right yet: no check-in is answered."
    return Finding(
        warnings=(f"{words} The delivery process does it within seconds: does one run (sso serve, sso deliver)?",)
    )
