"""`python -m benchmarks [isolation|expiry|mass_end|scale] [options]`: one of them, or all with their usual numbers."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = ("isolation", "expiry", "mass_end", "scale")


def main() -> None:
    """Each reads its own options."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked and asked not in NAMES:
        sys.exit(f"There is no measurement {asked!r}: {', '.join(NAMES)}.")
    sys.argv[1:2] = []
    for name in (asked,) if asked else NAMES:
        print(f"\n# {name}")
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
