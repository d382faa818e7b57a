"""The portal in a window, by what is seen there: its login, and its page Connections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evidence.events.portal import Listed
from tests.browser.looks import FAINT, LEAST, OVER, SIDEWAYS, SQUEEZED
from tests.browser.window import DESKTOP, PHONE, Window

LISTED = """
const seen = one => one && one.checkVisibility() ? one.innerText.trim() : '';
const below = heading => {
    const table = heading.nextElementSibling;
    return table && table.tagName === 'TABLE' ? [...table.tBodies[0].rows] : [];
};
return [...document.querySelectorAll('h2[id]')].map(heading => [
    heading.id, seen(heading), below(heading).map(row => [
        seen(row.querySelector('a')), seen(row.querySelector('td:not(:first-child) [title]')),
        [...row.querySelectorAll('code')].map(seen)])])
"""
COUNTED = """return [...document.querySelector('main table').tBodies[0].rows].map(row =>
    [row.cells[0].querySelector('[title]').title, Number(row.cells[1].innerText)])"""
ANSWERS_S = 120.0  # an emulated controller asks each node first
ROW_OF = """return [...document.querySelectorAll('tr')].find(row =>
    [...row.querySelectorAll('code')].some(one => one.innerText.trim() === arguments[0]))"""


@dataclass(frozen=True)
class Connections:
    """Who is listed, and what each profile is called, by profile."""

    listed: dict[str, tuple[Listed, ...]]
    called: dict[str, str]
    counted: dict[str, int]


class PortalWindow:
    """A window that looks at the portal at `root`."""

    def __init__(self, window: Window, root: str) -> None:
        self.window = window
        self.root = root

    def begin(self) -> None:
        """Open the portal with nobody logged in, whoever was."""
        driver = self.window.driver
        driver.get(self.root)
        driver.delete_all_cookies()
        driver.get(self.root)

    def log_in(self, user: str, password: str) -> None:
        """Fill in the form, and send it."""
        self.begin()
        driver = self.window.driver
        driver.find_element("name", "userName").send_keys(user)
        driver.find_element("name", "userPass").send_keys(password)
        driver.find_element("css selector", "main form button").click()

    def open_connections(self) -> None:
        """Load the page Connections anew, by the menu."""
        self.window.driver.find_element("link text", "Connections").click()

    def connections(self) -> Connections:
        """Read the page Connections that is there."""
        found = self.window.run(LISTED)
        return Connections(
            listed={
                profile: tuple(
                    Listed(user=user or "?", name=name or "?", addresses=tuple(addresses))
                    for user, name, addresses in rows
                )
                for profile, _, rows in found
            },
            called={profile: called for profile, called, _ in found},
            counted=dict(self.window.run(COUNTED)),
        )

    def disconnect(self, address: str) -> None:
        """Press the button in the row of an address, and wait for the page that answers."""
        from selenium.webdriver.support.expected_conditions import staleness_of
        from selenium.webdriver.support.wait import WebDriverWait

        button = self.window.run(ROW_OF, address).find_element("css selector", "button")
        button.click()
        WebDriverWait(self.window.driver, ANSWERS_S).until(staleness_of(button))

    def pictures(self, directory: Path, name: str) -> list[str]:
        """Look at the page on each screen, light and dark; return what is wrong with its looks."""
        directory.mkdir(parents=True, exist_ok=True)
        wrong = []
        for screen, width in (("desktop", DESKTOP), ("phone", PHONE)):
            for scheme in ("light", "dark"):
                self.window.become(width, dark=scheme == "dark")
                self.window.picture(directory / f"{name}-{screen}-{scheme}.png")
                found = [*self.window.run(OVER, False), *self.window.run(SQUEEZED)]
                found += ["it scrolls sideways"] if self.window.run(SIDEWAYS) else []
                found += self.window.run(FAINT, LEAST)[1]
                wrong += [f"{screen}, {scheme}: {one}" for one in found]
        self.window.become(DESKTOP)
        return wrong
