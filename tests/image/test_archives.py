"""Which archives are Debian's own, whatever they are called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.cache import cache_root
from lab.errors import ImageError
from lab.image import archives
from lab.image.aptsources import Source, configured
from lab.image.archives import KEYRING, Archives, list_name
from tests.image.signer import Signer

REAL = Archives()
ASKED = archives._asked
FITTING = (("bookworm", "Debian"), ("bookworm-updates", "Debian"))


class Machine:
    """The apt of some machine; `debian` is who signs Debian's archives there."""

    def __init__(self, root: Path, debian: Signer) -> None:
        self.debian = debian
        self.said: list[str] = []
        self.archives = Archives(root / "apt", root / "lists", debian.keyring)
        self.archives.lists.mkdir()
        (self.archives.apt / "sources.list.d").mkdir(parents=True)

    def has(
        self,
        uri: str,
        suite: str = "bookworm",
        *,
        by: Signer | None = None,
        components: str = "main",
        read: bool = True,
        **fields: str,
    ) -> None:
        """Configure an archive, which says what it is, signed; apt has read that, or not yet."""
        source = Source(uri, suite, ("main",))
        with (self.archives.apt / "sources.list").open("a") as file:
            file.write(f"deb [trusted=yes] {uri} {suite} {components}\n")
        told = {"Origin": "Debian", "Label": "Debian", "Codename": suite, **fields}
        text = "".join(f"{name}: {value}\n" for name, value in told.items())
        if read:
            signed = (by or self.debian).clear(text)
            (self.archives.lists / list_name(source)).write_bytes(signed)

    def sources(self, release: str = "bookworm") -> list[str]:
        self.said.clear()
        return [
            f"{each.uri} {each.suite}" for each in self.archives.debian(release, self.said.append)
        ]


@pytest.fixture
def machine(tmp_path: Path, publisher: Signer, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(archives, "_asked", lambda source: pytest.fail(f"asked {source}"))
    return Machine(tmp_path, publisher)


DEBIANS_OWN = [
    "http://deb.debian.org/debian bookworm",
    "http://deb.debian.org/debian bookworm-updates",
    "http://deb.debian.org/debian-security bookworm-security",
]


def test_a_mirror_of_debian_is_taken_by_any_name(machine: Machine):
    machine.has("https://cache.corp.example/apt/42")
    machine.has("https://cache.corp.example/apt/43", "bookworm-security", Label="Debian-Security")
    assert machine.sources() == [
        "https://cache.corp.example/apt/42 bookworm",
        "https://cache.corp.example/apt/43 bookworm-security",
    ]
    assert machine.said == []


def test_a_vendors_archive_that_ends_in_debian_is_left_out(machine: Machine, stranger: Signer):
    machine.has("http://deb.debian.org/debian")
    machine.has("https://download.docker.com/linux/debian", by=stranger, Origin="Docker")
    assert machine.sources() == ["http://deb.debian.org/debian bookworm"]
    assert "left out: https://download.docker.com/linux/debian bookworm" in machine.said[0]


def test_who_only_says_to_be_debian_is_left_out(machine: Machine, stranger: Signer):
    machine.has("http://false.example/debian", by=stranger)
    assert machine.sources() == DEBIANS_OWN
    assert "signed by no key of" in machine.said[0]


def test_what_was_altered_is_left_out(machine: Machine):
    machine.has("http://mirror.example/debian", Origin="Nobody")
    (path,) = machine.archives.lists.iterdir()
    path.write_bytes(path.read_bytes().replace(b"Nobody", b"Debian"))
    assert machine.sources() == DEBIANS_OWN
    assert "was altered" in machine.said[0]


@pytest.mark.parametrize(
    "fields", [{"Origin": "Debian Ports"}, {"Label": "Debian debug"}, {"Label": "Vendor"}]
)
def test_another_archive_by_the_same_keys_is_left_out(machine: Machine, fields: dict[str, str]):
    machine.has("http://mirror.example/debian", **fields)
    assert machine.sources() == DEBIANS_OWN
    assert "left out" in machine.said[0]


def test_what_stands_outside_the_signature_is_not_believed(machine: Machine):
    machine.has("http://mirror.example/debian", Origin="Nobody")
    (path,) = machine.archives.lists.iterdir()
    path.write_bytes(path.read_bytes() + b"\nOrigin: Debian\n")
    assert machine.sources() == DEBIANS_OWN


def test_every_line_names_debians_keyring_and_only_main(machine: Machine):
    machine.has("http://mirror.example/debian", components="main contrib non-free")
    (source,) = machine.archives.debian("bookworm", print)
    keyring = machine.archives.keyring
    assert str(source) == f"deb [signed-by={keyring}] http://mirror.example/debian bookworm main"


def test_a_suite_by_its_other_name_is_known_by_its_codename(machine: Machine):
    machine.has("http://mirror.example/debian", "oldstable", Codename="bookworm")
    assert machine.sources() == ["http://mirror.example/debian bookworm"]


def test_another_release_by_such_a_name_is_not_taken_for_the_guests(machine: Machine):
    machine.has("http://mirror.example/debian", "stable", Codename="trixie")
    assert machine.sources() == [
        "http://mirror.example/debian bookworm",
        "http://mirror.example/debian bookworm-updates",
        "http://deb.debian.org/debian-security bookworm-security",
    ]


def test_a_machine_of_another_release_uses_its_mirrors_for_the_guests_release(machine: Machine):
    machine.has("http://near.example/a", "trixie")
    machine.has("http://near.example/b", "trixie-security", Label="Debian-Security")
    assert machine.sources() == [
        "http://near.example/a bookworm",
        "http://near.example/a bookworm-updates",
        "http://near.example/b bookworm-security",
    ]


def test_a_machine_that_is_no_debian_uses_debians_own_archive(machine: Machine, stranger: Signer):
    machine.has("http://archive.ubuntu.com/ubuntu", "jammy", by=stranger, Origin="Ubuntu")
    assert machine.sources() == DEBIANS_OWN


def test_what_apt_has_not_read_yet_is_asked_for(machine: Machine, monkeypatch):
    machine.has("http://mirror.example/debian", read=False)
    told = machine.debian.clear("Origin: Debian\nLabel: Debian\nCodename: bookworm\n")
    monkeypatch.setattr(archives, "_asked", lambda _: told)
    assert machine.sources() == ["http://mirror.example/debian bookworm"]


def test_what_was_found_is_not_asked_again_until_the_configuration_changes(
    machine: Machine, monkeypatch
):
    machine.has("http://mirror.example/debian")
    before = machine.sources()
    shutil.rmtree(machine.archives.lists)
    assert machine.sources() == before
    machine.archives.lists.mkdir()
    machine.has("http://mirror.example/debian", "bookworm-updates")
    monkeypatch.setattr(archives, "_asked", lambda _: None)
    assert machine.sources() == ["http://mirror.example/debian bookworm-updates"]


def test_who_cannot_be_asked_is_left_out_this_time_only(machine: Machine, monkeypatch):
    machine.has("http://mirror.example/debian", read=False)
    monkeypatch.setattr(archives, "_asked", lambda _: None)
    assert machine.sources() == DEBIANS_OWN
    assert "did not say whether it is Debian's" in machine.said[0]
    told = machine.debian.clear("Origin: Debian\nLabel: Debian\nCodename: bookworm\n")
    monkeypatch.setattr(archives, "_asked", lambda _: told)
    assert machine.sources() == ["http://mirror.example/debian bookworm"]


def test_a_damaged_memory_is_none(machine: Machine):
    machine.has("http://mirror.example/debian")
    before = machine.sources()
    (cache_root() / "archives.json").write_text("{")
    assert machine.sources() == before


def test_without_debians_keys_it_says_what_is_missing(machine: Machine, tmp_path: Path):
    machine.has("http://mirror.example/debian")
    without = Archives(machine.archives.apt, machine.archives.lists, tmp_path / "none.gpg")
    with pytest.raises(ImageError, match=r"Debian's keys are missing: .*none\.gpg"):
        without.debian("bookworm", print)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://deb.debian.org/debian/", "deb.debian.org_debian_dists_x_InRelease"),
        ("https://me:secret@host:8080/a_b", "host:8080_a%5fb_dists_x_InRelease"),
        ("file:///srv/mirror", "_srv_mirror_dists_x_InRelease"),
    ],
)
def test_apts_own_names_are_known(uri: str, name: str):
    assert list_name(Source(uri, "x", ("main",))) == name


@pytest.mark.skipif(not KEYRING.is_file(), reason="no keys of Debian here")
def test_what_this_machines_apt_has_read_is_judged_right():
    read = [
        source
        for source in configured(REAL.apt)
        if (REAL.lists / list_name(source)).is_file() and "main" in source.components
    ]
    if not read:
        pytest.skip("apt has read no archive here")
    for source in read:
        text = (REAL.lists / list_name(source)).read_bytes()
        archive = REAL._archive(source, text, print)
        by_debian = b"\nOrigin: Debian\n" in text
        assert (archive is not None) == by_debian, source
        assert archive is None or f"\nCodename: {archive.codename}\n".encode() in text


@pytest.mark.skipif(not KEYRING.is_file(), reason="no keys of Debian here")
def test_debians_real_archive_signed_by_another_key_is_not(publisher: Signer, tmp_path: Path):
    for source in configured(REAL.apt):
        path = REAL.lists / list_name(source)
        if path.is_file():
            false = Archives(keyring=publisher.keyring)
            assert false._archive(source, path.read_bytes(), print) is None


@pytest.mark.parametrize(("size", "told"), [(1000, 1000), (100 << 20, None)])
def test_what_an_archive_says_of_itself_has_a_largest_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, told: int | None
):
    helper = tmp_path / "apt-helper"
    helper.write_text(f'#!/bin/sh\nexec head -c {size} /dev/zero > "$4"\n')
    helper.chmod(0o755)
    monkeypatch.setattr(archives, "_HELPER", str(helper))
    said = ASKED(Source("http://deb.debian.org/debian", "bookworm", ("main",)))
    assert (None if said is None else len(said)) == told
