"""A virtual host borrows a machine's NIC: what it sends, what it hears, and what it may not do."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.capture import Capture
from lab.errors import NotHere, WireError
from lab.site import Site
from lab.wait import until
from lab.wire import Match
from tests.site.hosts import Host, site_of

MAC = bytes.fromhex("0270726f6265")
ASKED = b"\xff" * 6 + MAC + b"\x08\x06" + b"." * 46
ANSWERED = MAC + bytes.fromhex("525400000001") + b"\x08\x06" + b"!" * 46

LENT = """\
#!/bin/sh
echo ready
while read -r line; do
    echo "$line" >>{folder}/lent
    echo "$(date +%s%N) {answer}"
done
"""


@pytest.fixture
def site(two: dict[str, Host], tmp_path: Path) -> Iterator[Site]:
    host = two["secondary"]
    answer = base64.b64encode(ANSWERED).decode()
    host.program("python3", LENT.format(folder=host.folder, answer=answer))
    opened = Site(site_of(tmp_path, two, head='probe = "secondary"'), tmp_path)
    opened.open(tmp_path / "site.pcapng")
    yield opened
    opened.close()


def test_what_it_sends_leaves_there_and_what_comes_is_heard(
    site: Site, two: dict[str, Host]
) -> None:
    site.wire.attach("probe/wire0", "lan")
    with site.wire.frames(Match(to_ports=("probe/wire0",))) as heard:
        site.wire.inject("lan", ASKED)
        answer = heard.take(10)
    assert base64.b64decode((two["secondary"].folder / "lent").read_text()) == ASKED
    assert answer is not None
    assert answer.raw == ANSWERED
    assert abs(answer.at_ns - time.time_ns()) < 10 * 10**9


def test_its_frames_bear_its_own_port_in_the_capture(
    site: Site, two: dict[str, Host], tmp_path: Path
) -> None:

    site.wire.attach("probe/wire0", "lan")
    site.wire.inject("lan", ASKED)
    two["secondary"].hears("out", ASKED)
    site.wire.flush()
    found = until(lambda: list(Capture(tmp_path / "site.pcapng")), 5, "the frame to be recorded")
    assert [frame.interface for frame in found] == ["probe/wire0"]


def test_it_sends_in_nobody_elses_name(site: Site) -> None:
    site.wire.attach("probe/wire0", "lan")
    site.wire.inject("lan", ASKED)
    with pytest.raises(NotHere, match="another's address"):
        site.wire.inject("lan", ANSWERED)


def test_a_network_that_the_machine_is_not_on_is_not_here(site: Site) -> None:
    with pytest.raises(NotHere, match="has no NIC on outside"):
        site.wire.attach("probe/wire0", "outside")


def test_a_machine_that_does_not_lend_its_nic_says_why(site: Site, two: dict[str, Host]) -> None:
    two["secondary"].program("python3", "#!/bin/sh\necho 'not permitted' >&2; exit 1\n")
    with pytest.raises(WireError, match="secondary does not lend its NIC"):
        site.wire.attach("probe/wire0", "lan")


def test_a_machine_that_lends_its_nic_no_more_is_a_trouble(
    site: Site, two: dict[str, Host]
) -> None:
    two["secondary"].program("python3", "#!/bin/sh\necho ready\nread -r line\n")
    site.wire.attach("probe/wire0", "lan")
    assert site.wire.troubles == []
    site.wire.inject("lan", ASKED)
    (told,) = until(lambda: site.wire.troubles, 10, "the trouble to be told")
    assert told.startswith("secondary lends its NIC no more: ")
    with pytest.raises(WireError, match="sends nothing any more"):
        site.wire.inject("lan", ASKED)


def test_a_nic_that_was_given_back_is_none(site: Site, two: dict[str, Host]) -> None:
    for _ in range(2):
        site.wire.attach("probe/wire0", "lan")
    site.wire.begin()
    with pytest.raises(NotHere, match="no host was put on the network"):
        site.wire.inject("lan", ASKED)
    two["secondary"].hears("out", ASKED)
    site.wire.flush()
    assert site.wire.troubles == []
