"""What one host made comes to another: wishes, answers and parcels by SSH."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import HostLost, LabError
from lab.hosts.connection import Connection, Connections
from lab.hosts.sharing.exchange import Exchange, Wish
from lab.hosts.sharing.mail import Mail
from lab.hosts.sharing.relay import relay
from lab.image import travel
from lab.made_once import WISHES, Cached
from tests.hosts.playing import Stage
from tests.image.made import image, make


@pytest.fixture
def open_hosts(two: Stage) -> Iterator[dict[str, Connection]]:
    connections = Connections(two.read().hosts)
    for one in connections.each.values():
        one.open()
    yield connections.each
    connections.close()


def python(cache: Path, *arguments: str) -> str:
    return f"VPNPROOF_CACHE={cache} exec {shlex.join([sys.executable, *arguments])}"


def goods(host: Connection, what: str, thing: Cached) -> str:
    cache = Path(host.host.cache)
    cache.mkdir(parents=True, exist_ok=True)
    return python(cache, "-m", "lab.hosts.sharing.goods", what, thing.kind, thing.key)


@pytest.fixture
def thing(open_hosts: dict[str, Connection], monkeypatch: pytest.MonkeyPatch) -> Cached:
    """Put an image on the host one."""
    one = Cached("image", image(1).key)
    goods(open_hosts["one"], "has", one)
    monkeypatch.setenv("VPNPROOF_CACHE", str(open_hosts["one"].host.cache))
    made = make(1)
    monkeypatch.delenv("VPNPROOF_CACHE")
    return Cached("image", made.key)


def has(host: Connection, thing: Cached) -> bool:
    return host.run(goods(host, "has", thing)).status == 0


def bring(open_hosts: dict[str, Connection], thing: Cached, giver: str, taker: str) -> int:
    of, to = open_hosts[giver], open_hosts[taker]
    return relay(of, goods(of, "give", thing), to, goods(to, "take", thing), 60)


def test_an_image_goes_from_one_host_to_another(
    open_hosts: dict[str, Connection], thing: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [has(one, thing) for one in open_hosts.values()] == [True, False]
    assert bring(open_hosts, thing, "one", "two") > 0
    assert [has(one, thing) for one in open_hosts.values()] == [True, True]
    monkeypatch.setenv("VPNPROOF_CACHE", str(open_hosts["two"].host.cache))
    assert travel.there(thing.key) is not None


def test_which_host_failed_is_said(open_hosts: dict[str, Connection], thing: Cached) -> None:
    other = Cached("image", "2" * 64)
    with pytest.raises(LabError, match="there is no image 222222222222 here any more"):
        bring(open_hosts, other, "one", "two")
    one, two = open_hosts["one"], open_hosts["two"]
    with pytest.raises(LabError, match=r"two: .* was asked for"):
        relay(one, goods(one, "give", thing), two, goods(two, "take", other), 60)
    with pytest.raises(LabError, match="two: "):
        relay(one, goods(one, "give", thing), two, "exec false", 60)
    with pytest.raises(LabError, match=r"nothing moved from one to two for 0\.5 s, after 0 octets"):
        relay(one, "exec sleep 100", two, "exec cat", 0.5)


def test_a_worker_gets_what_another_host_has(
    open_hosts: dict[str, Connection], thing: Cached, two: Stage
) -> None:
    mails: dict[str, Mail] = {}

    def answer(wish: Wish, what: str) -> None:
        mails[wish.host].answer(wish.name, what)

    exchange = Exchange(
        open_hosts,
        lambda host, it: has(open_hosts[host], it),
        lambda it, giver, taker: bring(open_hosts, it, giver, taker) and None,
        answer,
        lambda _: None,
    )
    directories = {name: two.folder / f"wishes of {name}" for name in open_hosts}
    for name, one in open_hosts.items():
        command = python(
            Path(one.host.cache), "-m", "lab.hosts.sharing.wishes", str(directories[name])
        )
        mails[name] = Mail(one, command, exchange)
    worker = (
        "import sys; from lab.made_once import *; from lab.image.travel import there\n"
        f"with made_once(Cached(*{tuple(thing)!r}), print): print(there({thing.key!r}))"
    )
    own = {
        **os.environ,
        WISHES: str(directories["two"]),
        "VPNPROOF_CACHE": str(open_hosts["two"].host.cache),
    }
    try:
        said = subprocess.run(
            [sys.executable, "-c", worker],
            env=own,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.splitlines()
    finally:
        for one in open_hosts.values():
            one.close()
        for mail in mails.values():
            mail.close()
    assert said[0].startswith("asking whether another host has image 1111")
    assert said[1].startswith(f"{open_hosts['two'].host.cache}/images/debian-12-1111")


def test_what_listens_nowhere_says_why(open_hosts: dict[str, Connection]) -> None:
    exchange = Exchange(open_hosts, *[lambda *_: None] * 4)
    with pytest.raises(HostLost, match=r"one: nothing listens there .*: No module named lab"):
        Mail(open_hosts["one"], "echo No module named lab >&2; exit 1", exchange)
