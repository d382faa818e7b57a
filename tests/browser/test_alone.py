"""A page asks nobody for anything, says nothing on the console, and its links lead somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.browser.conftest import PAGES
from tests.browser.window import DESKTOP, PHONE, Window

ASTRAY = """return [...document.querySelectorAll('a')]
    .map(one => one.getAttribute('href') || one.getAttribute('xlink:href'))
    .filter(to => !to.startsWith('#') || !document.getElementById(to.slice(1)))"""
TARGET = """const place = document.querySelector(':target').getBoundingClientRect();
    const nav = document.querySelector('nav');
    const top = getComputedStyle(nav).position === 'sticky' ? nav.offsetHeight : 0;
    return place.height > 0 && place.top >= top - 1 && place.top < innerHeight"""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone(browser: Window, pages: Mapping[str, Path], name: str) -> None:
    browser.show(pages[name])
    browser.open_all()
    assert browser.complaints() == []
    assert browser.requested() == {pages[name].as_uri()}
    assert browser.run(ASTRAY) == []


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", ["cut short", "nothing", "10,000 verdicts"])
def test_what_is_not_there_is_seen_without_scrolling(
    browser: Window, pages: Mapping[str, Path], name: str, width: int
) -> None:
    browser.show(pages[name], width)
    place = "return document.querySelector('.warning li').getBoundingClientRect().bottom"
    assert 0 < browser.run(place) < browser.run("return innerHeight")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_what_a_link_leads_to_is_seen_there(
    browser: Window, pages: Mapping[str, Path], width: int
) -> None:
    browser.show(pages["sign-off"], width)
    targets = browser.run("return [...document.querySelectorAll('nav a')].map(one => one.hash)")
    assert len(targets) >= 8
    for target in targets:
        browser.driver.find_element("css selector", f"nav a[href='{target}']").click()
        assert browser.run(TARGET), target


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_mark_leads_to_the_frame_that_it_stands_for_and_back(
    browser: Window, pages: Mapping[str, Path], width: int
) -> None:
    browser.show(pages["sign-off"], width)
    mark = browser.driver.find_element("css selector", "a.mark.answer")
    row = browser.run("return arguments[0].getAttribute('href')", mark)
    browser.run("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", mark)
    mark.click()
    assert browser.driver.current_url.endswith(row)
    assert browser.run(TARGET)  # its table was closed before
    browser.driver.find_element("css selector", f"tr{row} a").click()
    assert browser.driver.current_url.endswith(f"{row}-m")
    assert browser.run(TARGET)


def test_all_of_ten_thousand_verdicts_are_there(browser: Window, pages: Mapping[str, Path]) -> None:
    browser.show(pages["10,000 verdicts"])
    browser.open_all()
    assert browser.run("return document.querySelectorAll('.parts > li').length") >= 10_000
    browser.driver.find_element("css selector", "label[for='g-harness']").click()
    rows = browser.driver.find_elements("css selector", ".matrix tbody tr")
    shown = {one.get_attribute("class") for one in rows if one.is_displayed()}
    assert shown == {"s-PASS g-harness"}
