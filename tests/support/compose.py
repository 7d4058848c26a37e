"""docker-compose.yml without an engine: each service of a profile as a process in a box (see boxes), with exactly its
command, environment, volumes and walls, in the order and with the health checks that the file names.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.boxes import Image, Walls, beside

Service = dict[str, Any]
_SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


def read(text: str, profile: str) -> dict[str, Service]:
    """The profile's services, anchors and `$$` resolved."""

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("$$", "$")
        if isinstance(value, list):
            return [plain(item) for item in value]
        return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value

    services = yaml.safe_load(text)["services"]
    return {name: plain(service) for name, service in services.items() if profile in service["profiles"]}


@dataclass
class Container:
    """One started service."""

    service: Service
    process: subprocess.Popen[bytes]
    walls: Walls
    env: dict[str, str]
    probe: list[str]
    log: Path

    def text(self) -> str:
        """What it has said."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """As `docker compose exec`: behind the same walls."""
        command = beside(self.process.pid, self.walls, self.env, argv)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


class Project:
    """`docker compose up` and `down`."""

    def __init__(self, directory: Path, services: Mapping[str, Service], images: Callable[[str], Image]) -> None:
        self.services = services
        self.containers: dict[str, Container] = {}
        self._directory = directory
        self._images = images

    def up(self, timeout_s: float = 120) -> None:
        """Everything, each service when what it depends on is so far. Raises AssertionError with the log."""
        while waiting := [name for name in self.services if name not in self.containers]:
            name = next(n for n in waiting if set(self.services[n].get("depends_on", {})) <= set(self.containers))
            for other, condition in self.services[name].get("depends_on", {}).items():
                self._await(other, condition["condition"], timeout_s)
            self.start(name)
        for name, container in self.containers.items():
            self._await(name, "service_healthy" if container.probe else "service_completed_successfully", timeout_s)

    def start(self, name: str) -> Container:
        """One service, with an empty layer of its own."""
        service = self.services[name]
        image = self._images(service["image"])
        layer = self._directory / f"{name}-{len(list(self._directory.iterdir()))}"
        self._hosts(layer)
        walls = self._walls(service, image)
        env = {**image.env, **service.get("environment", {})}
        argv = [*image.entrypoint, *(service.get("command") or image.cmd)]
        log = layer.with_suffix(".log")
        with log.open("wb") as output:
            command = image.command(argv, layer=layer, walls=walls, env=env)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.containers[name] = Container(service, process, walls, env, _probe(service, image), log)
        return self.containers[name]

    def stop(self, name: str) -> int:
        """The stop signal, and what became of it: the exit code. Raises TimeoutExpired after the grace period."""
        container = self.containers.pop(name)
        process = container.process
        if process.poll() is None:
            process.send_signal(_SIGNALS[container.service.get("stop_signal", "SIGTERM")])
        try:
            return process.wait(int(container.service.get("stop_grace_period", "10s").removesuffix("s")))
        finally:
            process.kill()
            process.wait()

    def down(self) -> dict[str, int]:
        """All of it, the last first: the exit codes."""
        return {name: self.stop(name) for name in reversed(list(self.containers))}

    def _await(self, name: str, condition: str, timeout_s: float) -> None:
        container = self.containers[name]
        if condition == "service_completed_successfully":
            code = container.process.wait(timeout_s)
            assert code == 0, f"{name} ended with {code}:\n{container.text()}"
            return
        until = time.monotonic() + timeout_s
        while (done := container.run(*container.probe)).returncode:
            assert container.process.poll() is None, f"{name} is gone:\n{container.text()}"
            assert time.monotonic() < until, f"{name} isn't healthy: {done.stdout}{done.stderr}\n{container.text()}"
            time.sleep(0.2)

    def _hosts(self, layer: Path) -> None:
        """Every service by its name and its aliases; all of them share one loopback."""
        names = set(self.services)
        for service in self.services.values():
            names |= set(service.get("networks", {}).get("default", {}).get("aliases", []))
        (layer / "etc").mkdir(parents=True)
        (layer / "etc/hosts").write_text(f"127.0.0.1 localhost {' '.join(sorted(names))}\n")

    def _walls(self, service: Service, image: Image) -> Walls:
        mounts = []
        for volume in service.get("volumes", []):
            name, path, *mode = volume.split(":")
            mounts.append((self._volume(name, path, image), path, mode == ["ro"]))
        return Walls(
            user=service["user"],
            groups=tuple(service.get("group_add", [])),
            read_only=service["read_only"],
            no_capabilities=service["cap_drop"] == ["ALL"],
            no_new_privileges="no-new-privileges:true" in service["security_opt"],
            no_network=service.get("network_mode") == "none",
            volumes=tuple(mounts),
            tmpfs=tuple(service.get("tmpfs", [])),
        )

    def _volume(self, name: str, path: str, image: Image) -> Path:
        """A new one takes its owner and mode from the folder that the image has there; else it is root's."""
        folder = self._directory / "volumes" / name
        if not folder.exists():
            folder.mkdir(parents=True)
        pattern = image.find(path)
        if pattern is not None and not any(folder.iterdir()):
            status = pattern.stat()
            os.chown(folder, status.st_uid, status.st_gid)
            shutil.copymode(pattern, folder)
        return folder


def _probe(service: Service, image: Image) -> list[str]:
    check = service.get("healthcheck")
    if check is None:
        return list(image.healthcheck)
    if check.get("disable"):
        return []
    kind, *words = check["test"]
    return ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words
