"""What machines of a site send each other is recorded as a wire records it, and covered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.capture import Capture, verify
from evidence.moment import NS
from lab.errors import NotHere
from lab.quiet import quiet
from lab.site import Site
from lab.wire import Drop, Match, Rule
from tests.checks.protocols import encoder
from tests.site.hosts import Host, site_of

ADVERT = encoder.carp("192.168.70.1", counter=1)


@pytest.fixture
def site(two: dict[str, Host], tmp_path: Path) -> Iterator[Site]:
    opened = Site(site_of(tmp_path, two), tmp_path)
    opened.open(tmp_path / "site.pcapng")
    yield opened
    opened.close()


def test_frames_stand_in_the_capture_by_their_senders_time(
    site: Site, two: dict[str, Host], tmp_path: Path
) -> None:
    from_ns = time.time_ns()
    with site.wire.frames(Match(protocol=112, from_ports=("primary/wire0",))) as seen:
        at_ns = two["primary"].hears("out", ADVERT)
        two["secondary"].hears("in", ADVERT)
        shown = seen.take(10)
    site.wire.flush()
    until_ns = time.time_ns()
    assert shown is not None
    assert (shown.port, shown.raw) == ("primary/wire0", ADVERT)
    (frame,) = Capture(tmp_path / "site.pcapng")
    assert (frame.interface, frame.data, frame.passed) == ("primary/wire0", ADVERT, True)
    assert abs(frame.at_ns - at_ns) <= site.wire.unsure_ns + 10**6
    holes = Capture(tmp_path / "site.pcapng").coverage().holes(from_ns, frame.at_ns + 1)
    assert not holes
    assert until_ns > frame.at_ns


def test_a_network_that_carries_nothing_that_is_for_all_is_listened_to(
    two: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.site.medium._COMES_IN_S", 0.2)
    for host in two.values():
        (host.folder / "in.quiet").touch()
    opened = Site(site_of(tmp_path, two), tmp_path)
    opened.open(tmp_path / "site.pcapng")
    try:
        two["primary"].hears("out", ADVERT)
        opened.wire.flush()
        (frame,) = Capture(tmp_path / "site.pcapng")
        assert (frame.interface, frame.passed) == ("primary/wire0", True)
    finally:
        opened.close()


def test_a_capture_that_was_closed_is_sound(
    site: Site, two: dict[str, Host], tmp_path: Path
) -> None:
    two["primary"].hears("out", ADVERT)
    site.wire.flush()
    site.close()
    assert verify(tmp_path / "site.pcapng") is None
    assert Capture(tmp_path / "site.pcapng").coverage().ended


def test_a_machine_that_was_cut_off_is_listened_to_again(
    site: Site, two: dict[str, Host], tmp_path: Path
) -> None:
    two["primary"].server.drop()
    two["primary"].hears("out", ADVERT)
    two["secondary"].hears("in", ADVERT)
    site.wire.flush()
    assert [frame.interface for frame in Capture(tmp_path / "site.pcapng")] == ["primary/wire0"]


def test_what_machines_sent_while_none_was_listened_to_is_a_hole(
    site: Site, two: dict[str, Host], tmp_path: Path
) -> None:
    """However soon they are listened to again, and however late a mark is."""
    site.wire.flush()
    for host in two.values():
        host.server.drop()
    from_ns = time.time_ns()
    site.wire.flush()
    coverage = Capture(tmp_path / "site.pcapng").coverage()
    (hole,) = coverage.holes(from_ns - NS // 2, time.time_ns() - NS)
    assert hole.why.startswith("nobody told what primary/wire0 and secondary/wire0 sent, between")


def test_nothing_of_ours_carries_the_frames(site: Site) -> None:
    for refused in (
        lambda: site.wire.add(Rule(Match(protocol=112), Drop())),
        lambda: site.wire.cut("primary/wire0"),
        lambda: site.wire.filter_mac("primary/wire0", []),
        lambda: site.wire.attach("probe/wire0", "lan"),
        lambda: site.set_link("primary", 0, up=False),
        site["primary"].pause,
        site["primary"].shut_down,
        lambda: site["primary"].need_power_switch("crash"),
    ):
        with pytest.raises(NotHere):
            refused()


def test_nothing_is_disturbed_unless_that_is_allowed(site: Site, tmp_path: Path) -> None:
    site["primary"].is_container = False  # this host may be one
    with pytest.raises(NotHere, match="not done without --allow-disruption"):
        site["primary"].kill()
    assert not (tmp_path / "announced.log").exists()


def test_what_disturbs_is_announced_before_it_is_done(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    site.allowed, site.say = True, told.append
    site["primary"].is_container = False
    # It would reset this host.
    monkeypatch.setattr(site["primary"], "run", lambda command, **_: told.append(command))
    site["primary"].kill()
    announced, command = told
    assert "about to disturb: primary: the power is cut for a moment" in announced
    assert "sysrq-trigger" in command
    assert announced in (tmp_path / "announced.log").read_text()


def test_a_site_that_is_timed_does_not_wait_for_itself(site: Site) -> None:
    with quiet(site.directory):
        assert site["primary"].run("echo there", timeout=10).stdout == "there\n"
