"""Readable by everybody: landmarks, names, headings, and text that stands out from its ground."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.browser.looks import FAINT, LEAST
from tests.browser.window import DESKTOP, PAPER, PHONE, Window


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["sign-off", "cut short"])
def test_every_text_stands_out_from_its_ground(
    browser: Window, pages: Mapping[str, Path], name: str, width: int, dark: bool
) -> None:
    browser.show(pages[name], width, dark=dark)
    browser.open_all()
    texts, faint = browser.run(FAINT, LEAST)
    assert texts > 500
    assert faint[:5] == []
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark


def test_on_paper_it_is_ink_on_white_whatever_the_screen_is(
    browser: Window, pages: Mapping[str, Path]
) -> None:
    browser.show(pages["cut short"], PAPER, dark=True, media="print")
    assert browser.run(FAINT, LEAST)[1][:5] == []
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def test_text_that_is_faint_would_be_found(browser: Window, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<body style='background: #fff; color: #777'><p>almost</p>"
        "<p style='background: #0008'>grey</p><svg><text fill='#eee'>drawn</text></svg>"
    )
    browser.show(page)
    assert [one.partition(" ")[2] for one in browser.run(FAINT, LEAST)[1]] == [
        "almost", "grey", "drawn",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_assistive_technology_is_told_of_parts_tables_and_names(
    browser: Window, pages: Mapping[str, Path], width: int
) -> None:
    browser.show(pages["sign-off"], width)
    browser.open_all()
    told = browser.accessible()
    count = Counter(one["role"] for one in told)
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert count[landmark] == 1, landmark
    assert count["table"] == browser.run("return document.querySelectorAll('table').length")
    assert count["columnheader"] >= 3 * count["table"]
    assert count["rowheader"] >= 89
    for one in told:
        if one["role"] in ("link", "radio", "region", "graphics-symbol", "heading", "navigation"):
            assert one["name"], one
        if one.get("focusable") == "True":
            assert one["name"], one
    levels = [int(one["level"]) for one in told if one["role"] == "heading"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_scrolls_sideways_can_be_scrolled_by_keyboard(
    browser: Window, pages: Mapping[str, Path]
) -> None:
    browser.show(pages["sign-off"], PHONE)
    browser.open_all()
    scrolling = """return [...document.querySelectorAll('body *')]
        .filter(one => one.scrollWidth > one.clientWidth + 1
                && getComputedStyle(one).overflowX === 'auto')
        .map(one => [one.tabIndex, one.getAttribute('aria-label') || ''])"""
    found = browser.run(scrolling)
    assert found
    assert all(index == 0 and name for index, name in found)
