"""Text of strangers, before it is printed."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.printable import visible

ANYTHING = st.text(st.characters(exclude_categories=[]))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("nul\0 del\x7f back\b", r"nul\x00 del\x7f back\x08"),
        ("first\r\nsecond\tthird", r"first\r\nsecond\tthird"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("pa\u200bss\ufeff", r"pa\u200bss\ufeff"),
        ("so\xadft", r"so\xadft"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("lone \ud800 and \udc80", r"lone \ud800 and \udc80"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("fill\u3164er, v\ufe0f, v\U000e0100", r"fill\u3164er, v\ufe0f, v\U000e0100"),
    ],
)
def test_what_acts_on_a_terminal_or_hides_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["", "plain", "Grüße, 世界 ☃ 😀", "wide\u3000space", r"C:\x1b"])
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_newline_and_tab_stay_when_they_are_asked_for() -> None:
    assert visible("a\n\tb\r\x1b", layout=True) == "a\n\tb\\r\\x1b"


def test_of_a_long_text_its_beginning_is_shown_and_how_much_more_there_is() -> None:
    assert visible("ab\0" * 1000, most=4) == r"ab\x00a... (2996 more characters)"
    assert visible("abcd", most=4) == "abcd"


@given(ANYTHING)
def test_whatever_comes_can_be_printed_and_nothing_of_it_acts(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown


def test_of_all_characters_none_of_the_hidden_classes_passes() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {unicodedata.category(one) for one in visible(every)}
    assert not left & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
