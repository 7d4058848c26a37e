"""The container files hold together: schema, names, ports, secrets and the walls around each service. No engine runs
here; tests/house/test_containers_run.py carries them out without one.
"""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.house.sources import ROOT
from tests.support import dockerfile

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SECRETS = (ROOT / "scripts/compose-secrets").read_text(encoding="utf-8")


def test_the_file_is_what_the_compose_specification_asks_for() -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*argv, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_volume_and_dependency_is_declared_and_in_the_same_profile(name: str) -> None:
    service = SERVICES[name]
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
    assert {SERVICES[other]["profiles"][0] for other in service.get("depends_on", {})} <= set(service["profiles"])


def test_every_service_belongs_to_one_profile_and_neither_starts_the_other() -> None:
    assert {tuple(service["profiles"]) for service in SERVICES.values()} == {("full",), ("embedded",)}


def test_each_server_has_a_health_check_and_whoever_waits_for_it_waits_for_that() -> None:
    for service in SERVICES.values():
        for other, condition in service.get("depends_on", {}).items():
            ends = SERVICES[other]["restart"] == "no"
            assert condition["condition"] == ("service_completed_successfully" if ends else "service_healthy")
            # Only the centre's own image brings one along.
            assert ends or "healthcheck" in SERVICES[other] or SERVICES[other]["image"] == "lockstep-sso:local"


def test_redis_keeps_every_write() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes --appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command


def test_no_secret_stands_in_a_file_or_an_environment() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|DATABASE_URL|REDIS_URL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert str(value).startswith(("/secrets/", "/var/lib/site/")), f"{name}: {variable}"


def test_only_who_needs_a_secret_sees_it_and_only_its_maker_may_write() -> None:
    holders = {
        volume: {
            (name, "ro" if mount.endswith(":ro") else "rw")
            for name, service in SERVICES.items()
            for mount in service.get("volumes", [])
            if mount.startswith(f"{volume}:")
        }
        for volume in COMPOSE["volumes"]
        if volume.endswith("-secrets")
    }
    assert holders == {
        "centre-secrets": {("secrets", "rw"), ("centre", "ro"), ("register", "ro")},
        "postgres-secrets": {("secrets", "rw"), ("postgres", "ro")},
        "redis-secrets": {("secrets", "rw"), ("redis", "ro")},
    }
    assert SERVICES["secrets"]["network_mode"] == "none"


def test_the_centre_may_do_in_redis_what_the_docs_say_and_no_more() -> None:
    (written,) = re.findall(r"~lockstep:\* (.*)", SECRETS)
    text = (ROOT / "docs/redis.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"\| one server, each server under Sentinel \| `([^`]*)`", text)
    assert written == f"{row} +config|get"


def test_everybody_knows_the_issuer_by_one_address() -> None:
    issuers = {s["environment"]["SSO_ISSUER"] for s in SERVICES.values() if "SSO_ISSUER" in s.get("environment", {})}
    assert issuers == {"http://centre.localhost:9000"}
    for name in ("centre", "embedded-centre"):
        assert SERVICES[name]["networks"]["default"]["aliases"] == ["centre.localhost"]


def test_the_image_runs_as_nobody_with_a_health_check_and_a_clean_stop() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, flags=re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert "/readyz" in last
    assert "STOPSIGNAL SIGTERM" in last


def test_everything_the_image_copies_reaches_the_build_and_nothing_else_does() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    allowed = {line[1:] for line in rules.splitlines() if line.startswith("!")}
    copied = {
        source
        for word, rest in dockerfile.steps(DOCKERFILE)
        if word == "COPY" and "--from" not in rest
        for source in [part for part in rest.split() if not part.startswith("--")][:-1]
    }
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []
    is_out = dockerfile.ignores(rules)
    left_out = (
        "docs/redis.md",
        ".env",
        "lockstep-data/secret-key",
        "sso_server/instance/x",
        "sso_server/__pycache__/x",
    )
    assert [name for name in left_out if not is_out(name)] == []
