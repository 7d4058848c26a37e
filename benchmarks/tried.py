"""What was tried for goals that are missed, in words: docs/performance.md shows it beside each that is.

Keys are `Goal.about`; one that is met again needs no text, and none is shown. A missed one without a text is shown as
that, and fails a test as soon as its figures are of a whole run.
"""

TRIED: dict[str, str] = {}
