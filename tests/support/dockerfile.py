"""A Dockerfile's steps, and what they come to when they are carried out here (see boxes)."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.support.boxes import Image, package_index

Step = tuple[str, str]


def steps(text: str) -> list[Step]:
    """(word, rest) of each instruction; continued lines are joined, comments dropped."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [
        (word, rest.strip()) for line in joined.splitlines() if line.strip() for word, _, rest in [line.partition(" ")]
    ]


def expanded(text: str, env: Mapping[str, str]) -> str:
    """With $NAME replaced, as ENV and COPY lines do it."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: env.get(found[1], ""), text)


def ignores(text: str) -> Callable[[str], bool]:
    """Whether .dockerignore keeps a path (relative) out of the build."""
    rules = [
        (line[1:], True) if line.startswith("!") else (line, False) for line in text.splitlines() if line.strip("# ")
    ]
    rules = [(pattern, kept) for pattern, kept in rules if not pattern.startswith("#")]

    def is_out(path: str) -> bool:
        out = False
        for pattern, kept in rules:
            parts = Path(path).parts
            if pattern.startswith("**/"):
                matches = any(fnmatch.fnmatch(part, pattern[3:]) for part in parts)
            else:
                matches = any(fnmatch.fnmatch("/".join(parts[: i + 1]), pattern) for i in range(len(parts)))
            out = not kept if matches else out
        return out

    return is_out


def build(root: Path, bases: Callable[[str], Image]) -> Image:
    """The last stage's image. Raises CalledProcessError when a step fails."""
    is_out = ignores((root / ".dockerignore").read_text(encoding="utf-8"))
    stages: dict[str, Image] = {}
    image: Image | None = None
    for number, (word, rest) in enumerate(steps((root / "Dockerfile").read_text(encoding="utf-8"))):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            image = bases(base).with_layer(f"stage-{number}")
            stages[name] = image
            continue
        assert image is not None
        image = _step(image, word, rest, root=root, is_out=is_out, stages=stages)
        stages[name] = image
    assert image is not None
    return image


def _step(
    image: Image, word: str, rest: str, *, root: Path, is_out: Callable[[str], bool], stages: Mapping[str, Image]
) -> Image:
    if word == "RUN":
        subprocess.run(image_run(image, rest), check=True, capture_output=True, text=True, timeout=600)
    elif word == "COPY":
        _copy(image, rest, root, is_out, stages)
    elif word == "ENV":
        pairs = dict(pair.split("=", 1) for pair in rest.split())
        image = replace(image, env={**image.env, **{n: expanded(v, image.env) for n, v in pairs.items()}})
    elif word == "WORKDIR":
        (image.layers[0] / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        image = replace(image, workdir=rest)
    elif word == "USER":
        image = replace(image, user=rest)
    elif word == "CMD":
        image = replace(image, cmd=tuple(json.loads(rest)))
    elif word == "HEALTHCHECK":
        image = replace(image, healthcheck=tuple(json.loads(rest.partition("CMD ")[2])))
    else:
        assert word in {"VOLUME", "EXPOSE", "STOPSIGNAL"}, word
    return image


def image_run(image: Image, line: str) -> list[str]:
    """A RUN line: as root of the build, its changes kept in the image's newest layer."""
    below = replace(image, layers=image.layers[1:])
    return below.command(["sh", "-c", line], layer=image.layers[0], env={**package_index(), **image.env})


def _copy(image: Image, rest: str, root: Path, is_out: Callable[[str], bool], stages: Mapping[str, Image]) -> None:
    words = rest.split()
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    *sources, target = (word for word in words if not word.startswith("--"))
    into = image.layers[0] / str(Path(image.workdir) / target).lstrip("/")
    for source in sources:
        found = stages[options["from"]].find(source) if "from" in options else root / source
        assert found is not None, f"{source} isn't in {options['from']}"
        assert "from" in options or not is_out(source), f"{source} doesn't reach the build (.dockerignore)"
        if found.is_dir():
            skip = None if "from" in options else _skip(root, is_out)
            shutil.copytree(found, into, symlinks=True, ignore=skip, dirs_exist_ok=True)
            continue
        place = into / found.name if target.endswith("/") or len(sources) > 1 else into
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, place)
        if "chmod" in options:
            place.chmod(int(options["chmod"], 8))


def _skip(root: Path, is_out: Callable[[str], bool]) -> Callable[[str, list[str]], list[str]]:
    return lambda folder, names: [n for n in names if is_out((Path(folder) / n).relative_to(root).as_posix())]
