"""Downloads that can be trusted: resumed where they broke off, and checked before they count.

A file enters its place only when its SHA-256 is the published one; what was altered is removed.
What merely broke off stays beside it, and the next attempt goes on there. What is larger than a
download may be is given up, and nothing of it is kept. Only https is spoken, also where a server
sends us elsewhere.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import pooch
import requests

from lab.errors import ImageError
from lab.limits import DOWNLOAD
from lab.progress import Advance

CONNECT_SECONDS = 3.0  # a default image must be chosen in seconds where there is no network
READ_SECONDS = 30.0
_CHUNK = 1 << 20
pooch.get_logger().setLevel("WARNING")  # it would write into the bar; progress is told by us


class _Refusing(requests.adapters.BaseAdapter):
    """Answers for http: with an error, before anybody is asked."""

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        """Refuse."""
        raise requests.exceptions.InvalidSchema(f"{request.url} is not https")

    def close(self) -> None:
        """Do nothing: nothing was opened."""


def https_only() -> requests.Session:
    """Return a session that speaks https and nothing else, also when it is redirected."""
    session = requests.Session()
    session.mount("http://", _Refusing())
    return session


def length_of(response: requests.Response) -> int:
    """Return how many bytes a server says that there are; 0 when it does not say."""
    told = response.headers.get("Content-Length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


@cache
def reachable(url: str, seconds: float = CONNECT_SECONDS + 1) -> bool:
    """Whether `url` answers within `seconds`; asked once a process."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            with (
                https_only() as session,
                session.head(url, timeout=CONNECT_SECONDS, allow_redirects=True) as response,
            ):
                answers.append(response.ok)
        except requests.RequestException:
            answers.append(False)

    # a thread, because looking up a name has no time limit of its own
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(answers and answers[0])


def fetch(url: str, sha256: str, destination: Path, advance: Advance) -> Path:
    """Download `url` to `destination`, whole and checked. ImageError says what was wrong."""
    partial = destination.with_name(f"{sha256}.part")
    try:
        pooch.retrieve(
            url=url,
            known_hash=f"sha256:{sha256}",
            fname=destination.name,
            path=destination.parent,
            downloader=_Resuming(partial, advance),
        )
    except requests.HTTPError as wrong:
        raise ImageError(f"{url} cannot be had: {wrong}") from wrong
    except requests.RequestException as wrong:
        raise ImageError(
            f"the download of {url} broke off: {wrong}",
            hint="run the same again: it goes on where it broke off",
        ) from wrong
    except ValueError as wrong:  # pooch's word for another hash
        raise ImageError(
            f"{url} is not what its publisher says: it was altered or cut off on its way; removed",
            hint=f"expected SHA-256 {sha256}; try again, or another mirror",
        ) from wrong
    return destination


class _Resuming:
    """A downloader for pooch that goes on from what an earlier attempt left in `partial`."""

    def __init__(self, partial: Path, advance: Advance) -> None:
        self._partial = partial
        self._advance = advance

    def __call__(
        self, url: str, output_file: str, _pooch: object, *, check_only: bool = False
    ) -> bool | None:
        if check_only:
            return reachable(url)
        here = self._partial.stat().st_size if self._partial.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
        limits = (CONNECT_SECONDS, READ_SECONDS)
        with (
            https_only() as session,
            session.get(url, headers=headers, stream=True, timeout=limits) as response,
        ):
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
                resumed = response.status_code == requests.codes.partial_content
                self._receive(response, here if resumed else 0)
            # else: all of it is here already, and the hash will tell
        self._partial.replace(output_file)
        return None

    def _receive(self, response: requests.Response, here: int) -> None:
        length = length_of(response)
        total = here + length if length else 0
        self._require_within(total, response.url)
        with self._partial.open("ab" if here else "wb") as file:
            self._advance(here, total)
            for chunk in response.iter_content(_CHUNK):
                self._require_within(here + len(chunk), response.url)
                file.write(chunk)
                here += len(chunk)
                self._advance(here, total)

    def _require_within(self, size: int, url: str) -> None:
        if size > DOWNLOAD.octets:
            self._partial.unlink(missing_ok=True)
            raise ImageError(
                f"{url} has more than {DOWNLOAD}; nothing of it was kept",
                hint=f"is it the image that you meant? If so, raise {DOWNLOAD.name}",
            )
