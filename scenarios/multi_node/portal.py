"""The portal as a browser on a machine of the lab has it: pages, forms, one cookie.

It sees what a person sees, and fills in the forms that it finds, so that any portal that looks
like the guide's will do. curl asks, on that machine; all that is secret goes there by stdin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

from evidence.events.portal import Listed
from lab.errors import ScenarioError
from provision.target import Target

CONNECTIONS, CONFIGURATIONS = "connections", "configurations"
_SECONDS = 180  # issuing a configuration takes an emulated controller seconds of RSA
_TAIL = 300  # characters of what curl said
_CURL = "curl -q -K - 2>&1"
_END_OF_HEAD = re.compile(r"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/[\d.]+ (\d{3})")
_COOKIE = re.compile(r"^set-cookie: (SID=[^;\s]+)", re.IGNORECASE | re.MULTILINE)
_LOCATION = re.compile(r"^location: (\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass
class Form:
    """A form: where it is sent, its fields with what stands in them, and its buttons."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """Name and value of each button that has a name."""
    options: dict[str, list[str]] = field(default_factory=dict)
    """What may be chosen, by the name of the list."""


class Unanswered(ScenarioError):
    """A page that was to be filled in did not come; `page` says what curl said instead."""

    def __init__(self, page: Page, names: str) -> None:
        super().__init__(
            f"{page.url} (0) has no form with {names}: {page.silence}",
            hint="is the portal's machine running, and does its name lead there?",
        )
        self.page = page


@dataclass(frozen=True)
class Page:
    """An answer of the portal. status: 0 when none came; text is then what curl said.

    waited_s: from when it was asked for to when it had come, or was given up.
    """

    url: str
    status: int
    location: str
    text: str
    waited_s: float = 0.0

    @property
    def silence(self) -> str:
        """What curl said if no answer came, "" if one did."""
        return "" if self.status else self.text.strip()[-_TAIL:]

    @cached_property
    def forms(self) -> list[Form]:
        """The forms on it."""
        return _Reader.of(self).forms

    def form(self, *names: str) -> Form:
        """Return the form that has fields or buttons of these names; ScenarioError without."""
        for form in self.forms:
            if set(names) <= {*form.fields, *(name for name, _ in form.buttons)}:
                return form
        if not self.status:
            raise Unanswered(self, " and ".join(names))
        raise ScenarioError(
            f"{self.url} ({self.status}) has no form with {' and '.join(names)}",
            hint="is it the portal of the guide, and is who looks at it logged in?",
        )

    @property
    def is_login(self) -> bool:
        """Whether it asks for a password."""
        return any("userPass" in form.fields for form in self.forms)

    @property
    def connections(self) -> dict[str, tuple[Listed, ...]]:
        """Who is connected, by profile, if it is the page Connections; else nothing."""
        return {name: tuple(rows) for name, rows in _Reader.of(self).connections.items()}


class Portal:
    """One browser's view of the portal at `root`, from a machine."""

    def __init__(self, machine: Target, root: str) -> None:
        self._machine = machine
        self.root = root
        self._cookie = ""

    @classmethod
    def of(cls, machine: Target, fqdn: str) -> Portal:
        """Return the portal of a controller, nobody logged in."""
        return cls(machine, f"https://{fqdn}/vpn-user-portal/")

    def get(self, page: str, **query: str) -> Page:
        """Ask for a page by its name."""
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return self._ask(f"{self.root}{page}" + (f"?{asked}" if asked else ""), None)

    def send(self, form: Form, **values: str) -> Page:
        """Send a form, filled in, as its page would."""
        return self._ask(form.action, {**form.fields, **values})

    def log_in(self, user: str, password: str) -> Page:
        """Log in as somebody else than before; return the answer, which leads on if that went well.

        Whoever was logged in is so no more.
        """
        self._cookie = ""
        form = self.get("").form("userName", "userPass")
        return self.send(form, userName=user, userPass=password)

    def download(self, profile: str, name: str) -> Page:
        """Create a configuration of a profile."""
        form = self.get(CONFIGURATIONS).form("profileId", "displayName")
        return self.send(form, profileId=profile, displayName=name)

    def act_on(self, user: str, action: str) -> Page:
        """Let an administrator do something with a user: disableUser, enableUser."""
        for form in self.get("user", user_id=user).forms:
            if ("user_action", action) in form.buttons:
                return self.send(form, user_action=action)
        raise ScenarioError(f"the portal offers no {action} for {user}")

    def delete_certificates(self) -> list[Page]:
        """Delete all configurations of who is logged in; return the answers.

        Where the page that lists them did not come, that is the only answer.
        """
        page = self.get(CONFIGURATIONS)
        if not page.status:
            return [page]
        found = [form for form in page.forms if "commonName" in form.fields]
        return [self.send(form) for form in found]

    def _ask(self, url: str, values: Mapping[str, str] | None) -> Page:
        origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        lines = [
            "silent", "show-error", "include", "http1.1", f"max-time = {_SECONDS}",
            f"url = {_quoted(url)}", 'header = "Accept: text/html"',
        ]  # fmt: skip
        if self._cookie:
            lines.append(f"cookie = {_quoted(self._cookie)}")
        if values is not None:
            lines.append(f"header = {_quoted(f'Origin: {origin}')}")
            lines += ["request = POST"] if not values else []
            lines += [f"data-urlencode = {_quoted(f'{k}={v}')}" for k, v in values.items()]
        result = self._machine.run(
            _CURL, stdin="\n".join(lines) + "\n", timeout=_SECONDS + 30, check=False
        )
        said, waited_s = result.stdout, result.seconds
        head, text = (*_END_OF_HEAD.split(said, 1), "")[:2]
        status = _STATUS.match(head)
        if status is None:
            return Page(url, 0, "", said, waited_s)
        if cookies := _COOKIE.findall(head):
            self._cookie = cookies[-1]
        location = _LOCATION.search(head)
        where = location[1] if location else ""
        return Page(url, int(status[1]), where, text, waited_s)


def _quoted(text: str) -> str:
    """Return a value of curl's configuration."""
    for one, other in {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}.items():
        text = text.replace(one, other)
    return f'"{text}"'


class _Reader(HTMLParser):
    """Reads forms, and the page Connections: a heading with an id a profile, a row a client."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.connections: dict[str, list[Listed]] = {}
        self._url = url
        self._form: Form | None = None
        self._select = ""
        self._profile = ""
        self._titles: list[str] = []
        self._addresses: list[str] = []
        self._in_code = False

    @classmethod
    def of(cls, page: Page) -> _Reader:
        """Read a page."""
        reader = cls(page.url)
        reader.feed(page.text)
        reader.close()
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(urljoin(self._url, has.get("action") or self._url))
            self.forms.append(self._form)
        elif self._form is not None and "name" in has:
            _add_field(self._form, tag, has)
            self._select = has["name"] if tag == "select" else self._select
        elif self._form is not None and tag == "option":
            self._form.options.setdefault(self._select, []).append(has.get("value", ""))
        if tag == "h2" and "id" in has:
            self._profile = has["id"]
            self.connections[self._profile] = []
        elif tag == "tr":
            self._titles, self._addresses = [], []
        elif tag in ("a", "span") and "title" in has:
            self._titles.append(has["title"])
        self._in_code = tag == "code"

    def handle_data(self, data: str) -> None:
        if self._in_code and data.strip():
            self._addresses.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False
        if tag == "form":
            self._form = None
        elif tag == "tr" and self._profile and self._addresses:
            user, name = (*self._titles, "?", "?")[:2]
            row = Listed(user=user or "?", name=name or "?", addresses=tuple(self._addresses))
            self.connections[self._profile].append(row)


def _add_field(form: Form, tag: str, has: Mapping[str, str]) -> None:
    if tag == "button":
        form.buttons.append((has["name"], has.get("value", "")))
    elif tag in ("input", "select"):
        form.fields[has["name"]] = has.get("value", "")


def listed_as(page: Page, addresses: tuple[str, ...]) -> Iterator[str]:
    """Yield the users who are listed with one of these addresses."""
    for rows in page.connections.values():
        for row in rows:
            if set(addresses) & set(row.addresses):
                yield row.user
