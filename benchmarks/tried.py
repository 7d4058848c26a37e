"""What was tried for goals that are missed, in words: docs/performance.md shows it beside each that is.

Keys are `Goal.about`; one that is met again needs no text, and none is shown.
"""

TRIED: dict[str, str] = {}
