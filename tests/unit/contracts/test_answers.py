"""Answers of older writers are still answers: what came later has defaults."""

import msgspec
import pytest

from contracts.answers import Age
from contracts.errors import InvalidInput
from contracts.events import decode

OLD = b'{"years":34.2,"low":29.1,"high":39.8,"coverage":0.8,"smoothed_years":33.7,"frames":41}'


def test_an_age_without_the_fused_interval_is_read_and_shown_as_before() -> None:
    age = decode(Age, OLD)
    assert (age.smoothed_low, age.smoothed_high, age.shown_years) == (None, None, None)
    assert age.for_people() == (33.7, 29.1, 39.8)
    alone = msgspec.structs.replace(age, smoothed_years=None)
    assert alone.for_people() == (34.2, 29.1, 39.8)


def test_an_age_of_a_newer_writer_is_read_too() -> None:
    assert decode(Age, OLD[:-1] + b',"later":[1]}').years == 34.2


def test_shown_years_are_whole() -> None:
    with pytest.raises(InvalidInput, match="shown_years"):
        decode(Age, OLD[:-1] + b',"shown_years":33.5}')
