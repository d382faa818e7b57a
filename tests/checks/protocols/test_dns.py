"""DNS answers, taken apart."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.protocols.dns import Answer, Malformed, parse_answer
from tests.checks.factories import dns_answer
from tests.checks.sites import GUIDE

A, B = "145.0.6.72", "145.0.6.73"


def test_the_addresses_of_an_answer_keep_their_order() -> None:
    answer = parse_answer(dns_answer(7, "A", [B, A]))
    assert answer == Answer(7, 0, GUIDE.shared_name, "A", (B, A))


@given(st.integers(min_value=0, max_value=200))
def test_an_answer_that_ends_early_is_malformed(length: int) -> None:
    message = dns_answer(7, "AAAA", ["fd00::1", "fd00::2"])
    if length < len(message):
        with pytest.raises(Malformed):
            parse_answer(message[:length])


@given(st.binary(max_size=100))
def test_no_bytes_make_the_dns_reader_loop_or_crash(tail: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_answer(dns_answer(7, "A", [])[:12] + tail)


def test_a_name_that_points_at_itself_is_malformed() -> None:
    message = dns_answer(7, "A", [])[:12] + b"\xc0\x0c\x00\x01\x00\x01"
    with pytest.raises(Malformed, match="itself"):
        parse_answer(message)
