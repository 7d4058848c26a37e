"""One of several processes that want the same thing: `python -m tests.support.contender PLACE JOB`.

It opens the stores of PLACE, says `ready`, waits for a line, does what JOB says as fast as it can,
and prints the outcomes.
"""

import json
import sys
from typing import Any

from sso_server.core.tickets import NewToken, Redemption
from tests.support.builders import NOW
from tests.support.engines import Place


def redemption_from(values: dict[str, Any]) -> Redemption:
    access, refresh = NewToken(**values.pop("access")), NewToken(**values.pop("refresh"))
    return Redemption(**values, access=access, refresh=refresh)


def main() -> None:
    stores = Place.load(sys.argv[1]).open()
    job = json.loads(sys.argv[2])
    redemptions = [redemption_from(values) for values in job.get("redeem", [])]
    stores.lists.count_live(NOW)  # the connection is made before the race begins
    print("ready", flush=True)
    sys.stdin.readline()
    outcomes: list[Any] = []
    for redemption in redemptions:
        refusal = stores.tickets.redeem(redemption, NOW).refusal
        outcomes.append(refusal.value if refusal else None)
    for _ in range(job.get("claims", 0)):
        rows = stores.outbox.claim(job["worker"], NOW, 3, 60_000)
        outcomes += [[row.sid, row.client_id] for row in rows]
    print(json.dumps(outcomes), flush=True)
    stores.close()


if __name__ == "__main__":
    main()
