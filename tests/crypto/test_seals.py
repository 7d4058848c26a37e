import pytest

from sso_server.crypto.seals import ItsdangerousSeals
from tests.support.clocks import SetClock

KEY, OLDER = "k" * 40, "o" * 40


def seals(*secrets: str, clock: SetClock | None = None) -> ItsdangerousSeals:
    return ItsdangerousSeals(secrets or (KEY,), clock or SetClock())


def test_what_was_sealed_opens_unchanged_and_can_stand_in_a_url() -> None:
    payload = {"text": "密码", "number": 7, "list": [1, None, True], "long": "a" * 2000}
    text = seals().seal("request", payload)
    assert seals().open("request", text) == payload
    assert all(c.isalnum() or c in "-_." for c in text)


def test_another_purpose_opens_nothing() -> None:
    assert seals().open("mark", seals().seal("request", {"a": 1})) is None


def test_not_one_character_can_be_changed() -> None:
    text = seals().seal("request", {"a": 1})
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        opened = seals().open("request", changed)
        # The last character of a base64 text carries unused bits.
        assert opened is None or (place == len(text) - 1 and opened == {"a": 1})


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\ud800", "密码", "a" * 20_000, "{}", "null.x.y"])
def test_noise_opens_nothing(text: str) -> None:
    assert seals().open("request", text) is None


def test_age_is_measured_by_the_clock_that_is_handed_in() -> None:
    clock = SetClock()
    one = seals(clock=clock)
    text = one.seal("request", {"a": 1})
    clock.pass_ms(60_000)
    assert one.open("request", text, 60) == {"a": 1}
    clock.pass_ms(1_000)
    assert one.open("request", text, 60) is None
    assert one.open("request", text) == {"a": 1}


def test_the_first_secret_writes_and_all_read() -> None:
    old = seals(OLDER).seal("request", {"a": 1})
    both = seals(KEY, OLDER)
    assert both.open("request", old) == {"a": 1}
    fresh = both.seal("request", {"a": 2})
    assert seals(KEY).open("request", fresh) == {"a": 2}
    assert seals(OLDER).open("request", fresh) is None


def test_without_a_secret_there_is_no_seal() -> None:
    with pytest.raises(ValueError, match="secret"):
        ItsdangerousSeals((), SetClock())
