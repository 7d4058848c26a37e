import pytest

from sso_server.core import identifiers
from sso_server.crypto.identifiers import SystemRandomness

RANDOM = SystemRandomness()


def test_what_it_makes_has_the_shape_that_the_core_knows() -> None:
    for prefix in ("sid", "ck", "br", "code", "at", "rt"):
        for bucket in (0, 7, 63):
            made = RANDOM.identifier(prefix, bucket)
            assert identifiers.is_kind(made, prefix)
            assert identifiers.bucket_of(made) == bucket
    assert identifiers.is_store_id(RANDOM.token("st"))


def test_no_two_are_alike_and_no_bucket_is_left_out() -> None:
    assert len({RANDOM.identifier("sid", 1) for _ in range(10_000)}) == 10_000
    assert {RANDOM.bucket() for _ in range(5_000)} == set(range(64))


def test_every_character_is_used_about_equally() -> None:
    text = "".join(RANDOM.token("st").removeprefix("st-") for _ in range(5_000))
    expected = len(text) / 32
    chi_square = sum((text.count(c) - expected) ** 2 / expected for c in "abcdefghijklmnopqrstuvwxyz234567")
    assert chi_square < 100  # 31 degrees of freedom: beyond this once in ten million


@pytest.mark.parametrize("bucket", [-1, 64])
def test_a_bucket_that_does_not_exist_is_refused(bucket: int) -> None:
    with pytest.raises(ValueError, match="no bucket"):
        RANDOM.identifier("sid", bucket)


def test_jitter_stays_below_one() -> None:
    jitters = [RANDOM.jitter() for _ in range(1000)]
    assert 0 <= min(jitters) < 0.1
    assert 0.9 < max(jitters) < 1
