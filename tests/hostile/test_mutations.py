"""The mutated inputs themselves: many, different, repeatable, and what they find is found."""

from __future__ import annotations

import time

import pytest

from tests.hostile.mutations import mutated, mutated_text, survives

SAMPLES = [bytes(range(60)), b"another"]


def test_they_are_the_same_for_a_seed_and_others_for_another() -> None:
    first = list(mutated(SAMPLES, "a", 500))
    assert first == list(mutated(SAMPLES, "a", 500))
    assert first[2:] != list(mutated(SAMPLES, "b", 500))[2:]
    assert len(set(first)) > 400
    texts = list(mutated_text(["one 1", "two"], "a", 500))
    assert texts == list(mutated_text(["one 1", "two"], "a", 500))


def test_what_is_not_documented_is_reported_with_its_input() -> None:
    def parse(octets: bytes) -> int:
        return octets[59]

    with pytest.raises(IndexError) as caught:
        survives(parse, mutated(SAMPLES, "a", 500), ValueError)
    assert "input number" in str(caught.value.__notes__)


def test_what_is_documented_is_not_reported_unless_nothing_is_ever_read() -> None:
    def number(octets: bytes) -> int:
        return int(octets)

    survives(number, iter([b"1", b"x"]), ValueError)
    with pytest.raises(AssertionError, match="nothing was tried"):
        survives(number, iter([b"x"]), ValueError)


def test_a_hang_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.hostile.mutations._PATIENCE_S", 0.1)
    with pytest.raises(TimeoutError, match="still not done"):
        survives(lambda _: time.sleep(600), iter([b"x"]))


def test_what_takes_all_memory_is_reported() -> None:
    with pytest.raises(MemoryError):
        survives(lambda _: bytes(2**40), iter([b"x"]))
