"""What the core needs from outside, as Protocols of at most six methods. Each method is a whole step of the story.

One method, one transaction or one script, one round trip: that is what makes the guarantees possible on every store.
Every store method raises `errors.Unavailable` when the store can't answer; then nothing, or all of the step, was done,
and repeating it is safe. Instants are handed in as `now` (ms).
"""

from sso_server.core.ports.account_side import (
    AuditStore,
    ClientStore,
    EndOrderStore,
    Journal,
    KeyStore,
    OneTimeStore,
    RestorationStore,
    Retention,
    UserStore,
)
from sso_server.core.ports.session_side import (
    Archive,
    CensusStore,
    CheckInStore,
    GuessStore,
    Ledger,
    Outbox,
    PastStore,
    PollStore,
    SessionLists,
    SessionStore,
    StoreHealth,
    Sweeps,
    TicketStore,
    TokenStore,
)
from sso_server.core.ports.tools import (
    Clock,
    LogoutCaller,
    PasswordHasher,
    ProxyCallback,
    Randomness,
    Seals,
    Signer,
    Wake,
)

__all__ = [
    "Archive",
    "AuditStore",
    "CensusStore",
    "CheckInStore",
    "ClientStore",
    "Clock",
    "EndOrderStore",
    "GuessStore",
    "Journal",
    "KeyStore",
    "Ledger",
    "LogoutCaller",
    "OneTimeStore",
    "Outbox",
    "PasswordHasher",
    "PastStore",
    "PollStore",
    "ProxyCallback",
    "Randomness",
    "RestorationStore",
    "Retention",
    "Seals",
    "SessionLists",
    "SessionStore",
    "Signer",
    "StoreHealth",
    "Sweeps",
    "TicketStore",
    "TokenStore",
    "UserStore",
    "Wake",
]
