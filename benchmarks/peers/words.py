"""What the page says of the others: versions, how each is set up, what it can't be asked."""

from __future__ import annotations

from collections.abc import Collection

from benchmarks.peers.peer import HERE

_NAMED = (
    "node",
    "oidc-provider",
    "ioredis",
    "Authlib",
    "django-cas-server",
    "django-oauth-toolkit",
    "Django",
    "gunicorn",
)

_DEBIAN = "; glewlwyd as Debian has it"
_GLEWLWYD = """\
- *glewlwyd*: one process, a thread for each connection, SQLite, access tokens that are JWTs. Its silent step is the
  one with which its own page goes on, its sign-out the two calls of that page.
"""
_TITLES = {"node": "Node.js"}


def words(products: Collection[str]) -> str:
    """A paragraph and a list, of those that were measured."""
    debian, more = (_DEBIAN, _GLEWLWYD) if "glewlwyd" in products else ("", "")
    return f"""In the same rounds. Names of workloads are those of above. {_versions()}{debian}.

Each is set up as its documentation says, and made quick where that says how: no consent page, opaque access tokens,
the same people, sites and connections (`benchmarks/peers/`).

- *oidc-provider*: a process for each core (`node:cluster`), records in Redis through an adapter of ours, argon2id
  with the same parameters as here by `@node-rs/argon2`. It asks before it signs somebody out: its W6 is the question
  and the answer.
- *authlib*: Authlib's Flask integration on gunicorn (2 processes, 4 threads), one key in Redis for each record,
  argon2id with the same parameters by argon2-cffi. No ID token comes with a refresh, so its W4 signs nothing; it tells
  nobody of a sign-out.
- *django-cas-server*, *django-oauth-toolkit*: on gunicorn as above, SQLite in WAL without a sync at each commit,
  sessions in Redis, Django's default hash (PBKDF2 with 1,000,000 rounds: W5 says nothing else). The toolkit signs
  with RS256 only, keeps client secrets in the clear here (hashed, each request of a client would take those rounds,
  too) and answers `prompt=none` with 500, so it is asked without.
{more}"""


def _versions() -> str:
    found = {}
    for line in (HERE / "packages.txt").read_text(encoding="utf-8").splitlines():
        package = line.rpartition(" ")[2]
        name, _, version = package.replace("==", "@").rpartition("@")
        found[name] = version
    return ", ".join(f"{_TITLES.get(name, name)} {found[name]}" for name in _NAMED)
