"""A window of headless Chromium, driven by WebDriver, in which no page may run a script.

What a test asks of a page is evaluated by the driver beside it, which a page's own scripts being
switched off does not hinder.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PHONE, DESKTOP = 390, 1280
PAPER = 703
"""Widths in CSS pixels; that of A4 between its margins."""


class Window:
    """One window; `show` loads a page in it anew."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def show(
        self, page: Path, width: int = DESKTOP, *, dark: bool = False, media: str = ""
    ) -> None:
        """Load a page anew."""
        self.become(width, dark=dark, media=media)
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)  # what was said of the page before is not of this one
        self.driver.get(page.as_uri())

    def become(self, width: int, *, dark: bool = False, media: str = "") -> None:
        """Be another screen, or paper, for the page that is there."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < DESKTOP}
        self.tell("Emulation.setEmulatedMedia", media=media, features=scheme)
        self.tell("Emulation.setDeviceMetricsOverride", **size)

    def picture(self, path: Path) -> None:
        """Write what the page looks like, as PNG, from its top to its end."""
        shot = self.tell("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def open_all(self) -> None:
        """Open what a reader can open."""
        self.run("for (const one of document.querySelectorAll('details')) one.open = true")

    def run(self, script: str, *given: object) -> Any:
        return self.driver.execute_script(script, *given)

    def tell(self, command: str, **given: object) -> Any:
        return self.driver.execute_cdp_cmd(command, given)

    def accessible(self) -> list[dict[str, str]]:
        """Return what assistive technology is told: role, name and level of each element."""
        nodes = self.tell("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": one["role"]["value"],
                "name": one.get("name", {}).get("value", ""),
                **{each["name"]: str(each["value"].get("value")) for each in one["properties"]},
            }
            for one in nodes
            if not one["ignored"]
        ]

    def complaints(self) -> list[str]:
        """Return what the browser said of the page on its console."""
        return [one["message"] for one in self.driver.get_log("browser")]

    def requested(self) -> set[str]:
        """Return every address that the page made the browser ask for."""
        events = [
            json.loads(one["message"])["message"] for one in self.driver.get_log("performance")
        ]
        asked = [one["params"] for one in events if one["method"] == "Network.requestWillBeSent"]
        return {one["request"]["url"] for one in asked} - {"about:blank"}


def driver_or_skip() -> str:
    """Return where the driver is; skip the test that asks when it cannot be used."""
    pytest.importorskip("selenium", reason="selenium is not here: tox -e browser has it")
    found = shutil.which("chromedriver")
    if found is None:
        pytest.skip("no chromedriver is installed: lab/setup --browser has it")
    return found


@contextmanager
def window(chromedriver: str, *arguments: str) -> Iterator[Window]:
    """Open a window, and close it and its browser at the end; `arguments` are for the browser."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    always = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    for one in (*always, *arguments):
        options.add_argument(one)
    scripts = {"profile.managed_default_content_settings.javascript": 2}
    options.add_experimental_option("prefs", scripts)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options, ChromeService(chromedriver)) as driver:
        yield Window(driver)
