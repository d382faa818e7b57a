"""The requirement matrix is filtered without a script, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.browser.window import DESKTOP, PHONE, Window

SHOWN = """return [...document.querySelectorAll('.matrix tbody tr')]
    .filter(row => row.checkVisibility()).map(row => row.className)"""
FOCUSED = """const one = document.activeElement;
    return [one.name || '', one.id, getComputedStyle(one.nextElementSibling || one).outlineStyle]"""


def test_no_script_of_a_page_runs_in_this_window(browser: Window, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<title>off</title><script>document.title = 'on'</script><p>text")
    browser.show(page)
    assert browser.driver.title == "off"


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_click_leaves_the_rows_of_a_verdict_and_of_a_guide(
    browser: Window, pages: Mapping[str, Path], width: int
) -> None:
    browser.show(pages["sign-off"], width)
    everything = browser.run(SHOWN)
    assert {one.split()[0] for one in everything} == {"s-PASS", "s-FAIL", "s-UNKNOWN"}
    _click(browser, "v-UNKNOWN")
    assert browser.run(SHOWN) == [one for one in everything if "s-UNKNOWN" in one]
    _click(browser, "g-multi-node")
    left = browser.run(SHOWN)
    assert left == [one for one in everything if one == "s-UNKNOWN g-multi-node"]
    assert left
    _click(browser, "v-all")
    _click(browser, "g-all")
    assert browser.run(SHOWN) == everything


def test_how_many_rows_are_left_is_said(browser: Window, pages: Mapping[str, Path]) -> None:
    browser.show(pages["sign-off"])
    assert _said(browser) == "89 of 89 requirements"
    _click(browser, "v-FAIL")
    assert _said(browser) == "2 of 89 requirements"
    _click(browser, "g-harness")  # nothing of it is FAIL
    assert browser.run(SHOWN) == []
    assert _said(browser) == "0 of 89 requirements"


def test_the_keyboard_reaches_the_filters_and_is_seen_there(
    browser: Window, pages: Mapping[str, Path]
) -> None:
    from selenium.webdriver import ActionChains, Keys

    browser.show(pages["sign-off"])
    for _ in range(60):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        if browser.run(FOCUSED)[0] == "verdict":
            break
    assert browser.run(FOCUSED) == ["verdict", "v-all", "solid"]
    ActionChains(browser.driver).send_keys(Keys.ARROW_RIGHT).perform()
    assert browser.run(FOCUSED) == ["verdict", "v-PASS", "solid"]
    assert {one.split()[0] for one in browser.run(SHOWN)} == {"s-PASS"}
    ActionChains(browser.driver).send_keys(Keys.TAB).send_keys(Keys.ARROW_RIGHT).perform()
    assert browser.run(FOCUSED) == ["guide", "g-multi-node", "solid"]
    assert set(browser.run(SHOWN)) == {"s-PASS g-multi-node"}


def _click(browser: Window, name: str) -> None:
    browser.driver.find_element("css selector", f"label[for='{name}']").click()


def _said(browser: Window) -> str:
    told = [one["name"] for one in browser.accessible() if one["role"] == "StaticText"]
    at = next(at for at, name in enumerate(told) if name.endswith("requirements shown."))
    return "".join(told[at - 1 : at + 1]).partition(" shown")[0]
