"""On a phone, at a desk and on paper nothing hangs over the edge, and nothing is squeezed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from tests.browser.conftest import PAGES
from tests.browser.looks import OVER, SIDEWAYS, SQUEEZED
from tests.browser.window import DESKTOP, PAPER, PHONE, Window

BREAK = 760
"""The widest screen that is laid out as a phone's."""


@pytest.mark.parametrize(
    ("name", "width"),
    [*product(PAGES, (PHONE, DESKTOP)), ("sign-off", BREAK), ("sign-off", BREAK + 1)],
)
def test_nothing_overflows_and_nothing_is_squeezed(
    browser: Window, pages: Mapping[str, Path], name: str, width: int
) -> None:
    browser.show(pages[name], width)
    browser.open_all()
    assert browser.run(SIDEWAYS) == 0
    assert browser.run(OVER, False)[:5] == []
    assert browser.run(SQUEEZED)[:5] == []


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_nothing_is_cut_off(browser: Window, pages: Mapping[str, Path], name: str) -> None:
    browser.show(pages[name], PAPER, media="print")
    assert browser.run(OVER, True)[:5] == []
    assert browser.run(SQUEEZED)[:5] == []
