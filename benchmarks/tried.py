"""What was tried for goals that are missed, in words: docs/performance.md shows it beside each that is.

Keys are `Goal.about`; one that is met again needs no text, and none is shown. A missed one without a text is shown as
that, and fails a test as soon as its figures are of a whole run.
"""

_SHARED = (
    "Done: [web workers share the connections that are kept](decisions/2026-11-22-processes-share-connections.md) (by"
    " chance one had most of them; all in one, gunicorn gave 0.56 and granian 0.72 of the answers), and with granian "
    "[a core for each worker](decisions/2026-11-22-workers-may-keep-to-a-core.md) (R 16 %, userinfo 40 % more a "
    "second)."
)
_OF_NODE = (
    "What took most is gone: [a thin edge](decisions/2026-11-22-a-thin-edge-on-flask.md), [views and hooks found "
    "once](decisions/2026-11-22-views-and-hooks-are-looked-up-once.md), [scripts that read what they "
    "need](decisions/2026-11-22-what-a-step-costs-redis.md), [people cached in the "
    "process](decisions/2026-11-22-people-are-cached-in-the-process.md), [statements that go to the "
    "driver](decisions/2026-11-22-hot-statements-go-to-the-driver.md). What is left above the floor are the checks, "
    "two log lines, counters and a second trip to Redis ([two trips for a "
    "code](decisions/2026-11-22-a-code-takes-two-trips-to-redis.md): 25 to 40 us of some 650). Tried and not kept: "
    "ES256 without PyJWT (3 to 5 us), blocking sockets to Redis (1 us), the garbage collector held back (1 to 2 us), "
    "one request at a time in the application (dearer), fewer threads for granian (no difference). Not tried: an "
    "answer before Flask, which would be a second way for requests through the house. In three whole runs R took 1.37, "
    "1.3 and 1.3 times the floor with gunicorn on Redis, 1.38, 1.44 and 1.27 with granian on Redis, 1.39, 1.17 and "
    "1.27 with gunicorn on SQLite, 1.4, 1.47 and 1.52 with granian on SQLite: there it is dearer than it should be. W2 "
    "had 1.24, 1.41 and 1.51 there."
)
_OF_CHECKS = (
    "One trip to Redis or one statement, and no signature: most of what is measured is Flask and the web server. "
    "Done: [a thin edge](decisions/2026-11-22-a-thin-edge-on-flask.md), [views and hooks found "
    "once](decisions/2026-11-22-views-and-hooks-are-looked-up-once.md), [scripts that read what they "
    "need](decisions/2026-11-22-what-a-step-costs-redis.md), on SQLite connections that are kept for reading and "
    "fewer columns (a look-up with its counters 20 us instead of 29), a log line made in one step (10 us instead of "
    "13), counters looked up once. On SQLite a userinfo took 1.58 times the floor in one thread; in four it grows, "
    "because each call into SQLite and each log line lets another thread take the interpreter. A core for each worker"
    " spares both Lockstep and the floor: fewer milliseconds, the same ratio. Tried and not kept: larger caches, "
    "memory maps, rarer checkpoints (within the noise). In three whole runs userinfo had between 1.26 and 1.5, and "
    "with granian on SQLite 1.58, 1.59 and 1.71. Next would be fields packed into one on Redis (each that is "
    "read costs about 0.35 us), with a version in between that reads both forms."
)
_W5 = (
    "A sign-in is four requests: pages and redirects with sealed state and a form's token. Without hash, web server "
    "and Redis they take 3.3 to 3.5 ms in one process that does nothing else, and the web server 1.8 ms with "
    "gunicorn; behind a hash, which sweeps the processor's caches, they take more. In two runs until "
    "2026-11-22 it was 6 to 10 ms and, while the machine was slower (the floor's hash took 33 ms and not 26), 9 to "
    "11, then with [libsodium](decisions/2026-11-23-libsodium-hashes.md) (a hash of 19 to 22 ms on "
    "2026-11-23) 8 to 12, beside other programs, and 7 to 10 and 9 to 13 in the two runs after that. "
    "Done: sentences of a template translated once, a seal's key derived once, small tables for deflate. Left: "
    "counters of guesses "
    "in three trips, on SQL in five or six statements through SQLAlchemy, Flask-WTF's serializer for each "
    "call, the audit's commit on SQLite (0.3 ms)."
)
_STORM = (
    "[Turns and places](decisions/2026-11-22-sign-ins-take-turns.md) took most of it away (17 to 120 times before); "
    "that page has the table of what was tried: lower priorities, a process that hashes, shorter turns of the "
    "interpreter. With [a core for each worker](decisions/2026-11-22-workers-may-keep-to-a-core.md) granian's 4.9 "
    "became 4.0 on Redis and its 4.2 became 2.5 on SQLite; in two runs on 2026-11-23 they were 3.6 and 3.5, and 1.4 "
    "(beside an idle p99 that was unsteady, 2.9 to 53 ms) and 3.2. gunicorn, without cores of its own, had 6.3, 8.0, "
    "4.2 and 5.5 on Redis and 4.4, 4.5, 5.9 and 4.8 on SQLite in four runs until then. What is left are the "
    "crowd's own pages on the same two cores."
)
_START = (
    "[Forks](decisions/2026-11-22-forks-and-granian.md), no Alembic where the schema is current, [settings read by "
    "own code, one dialect of SQL](decisions/2026-11-22-settings-are-read-by-own-code.md), [records that share what "
    "dataclasses compiles for each](decisions/2026-11-23-records-share-what-dataclasses-compiles.md) (9 % of the "
    "imports' instructions). Nothing on the way sleeps or polls, and most of it are imports: SQLAlchemy a fifth, our "
    "records still an eighth, Flask and werkzeug, PyJWT with cryptography's X.509, redis-py with its cluster and its "
    "asyncio clients a twelfth. Looked at and left: connections to Redis of our own, which would spare redis-py (45 ms,"
    " 7 MB) and take over its TLS; gunicorn without its command line (3 ms, and GUNICORN_CMD_ARGS would be heard no "
    "more); routes compiled before the fork (25 ms of each worker, but they do it side by side)."
)
_FRESH = (
    "[Forks](decisions/2026-11-22-forks-and-granian.md): what is imported before the fork is shared (about 50 MB of "
    "the figure, which counts shared pages in full for each process). Tried: giving free memory back before the fork "
    "(0.1 MB). Fewer modules is the only way left: [settings without "
    "pydantic](decisions/2026-11-22-settings-are-read-by-own-code.md) took 7 MB away, one dialect of SQL 2.6, [records"
    " that share their methods](decisions/2026-11-23-records-share-what-dataclasses-compiles.md) 0.6. redis-py would be"
    " 7 MB: whoever imports its errors has its cluster and asyncio clients, too."
)
_WORKER = (
    "[Huge pages](decisions/2026-11-22-hashes-in-huge-pages.md) took 38 MB away. What is left is what a fresh worker "
    "holds, and some 4 MB of threads, caches and statements."
)

TRIED: dict[str, str] = {
    "R ES256, operations a second against oidc-provider": _SHARED + " " + _OF_NODE,
    "R ES256, operations a second against authlib": _SHARED,
    "CR, CAS rounds a second against django-cas-server": _SHARED,
    "R RS256, operations a second against oidc-provider": _OF_NODE,
    "W4 ES256, operations a second against oidc-provider": _OF_NODE,
    "R ES256, processor time against the floor": _OF_NODE,
    "W2 ES256, processor time against the floor": _OF_NODE,
    "W3u ES256, operations a second against oidc-provider": _SHARED + " " + _OF_CHECKS,
    "W3i ES256, operations a second against oidc-provider": _SHARED + " " + _OF_CHECKS,
    "W3u ES256, processor time against the floor": _OF_CHECKS,
    "W3i ES256, processor time against the floor": _OF_CHECKS,
    "W5, processor time over the hash": _W5,
    "p99 of userinfo while 50 people sign in, against its idle p99": _STORM,
    "cold start": _START,
    "memory of a worker before any sign-in": _FRESH,
    "memory of a worker after many sign-ins": _WORKER,
}
