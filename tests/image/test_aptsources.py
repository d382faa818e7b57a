"""Which archives the guest is built from."""

from __future__ import annotations

from pathlib import Path

from lab.image.aptsources import deb822_style, one_line_style, sources

DEB822 = """Types: deb
# a comment in the middle
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://deb.nodesource.com/node_20.x
Suites: nodistro
Components: main
"""


def test_third_party_archives_are_left_out(tmp_path: Path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list").write_text(
        "deb https://download.docker.com/linux/debian bookworm stable\n"
        "# deb http://old.example/debian bookworm main\n"
    )
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert [str(each) for each in sources("bookworm", tmp_path)] == [
        f"deb {signed} http://deb.debian.org/debian bookworm main",
        f"deb {signed} http://deb.debian.org/debian bookworm-updates main",
    ]


def test_the_old_format_is_read_with_options():
    text = "deb [arch=amd64 trusted=yes] http://mirror.example/debian/ bookworm main # near\n"
    (source,) = one_line_style(text)
    assert str(source) == "deb [trusted=yes] http://mirror.example/debian/ bookworm main"


def test_disabled_and_source_only_stanzas_are_left_out():
    off = "Types: deb\nEnabled: no\nURIs: http://x/debian\nSuites: bookworm\nComponents: main\n"
    only_source = "Types: deb-src\nURIs: http://x/debian\nSuites: bookworm\nComponents: main\n"
    assert list(deb822_style(off)) == []
    assert list(deb822_style(only_source)) == []


def test_a_machine_of_another_release_uses_its_mirror_for_the_guests_release(tmp_path: Path):
    (tmp_path / "sources.list").write_text("deb http://near.example/debian trixie main\n")
    uris = [(each.uri, each.suite) for each in sources("bookworm", tmp_path)]
    assert ("http://near.example/debian", "bookworm") in uris


def test_a_machine_that_is_no_debian_uses_debians_own_archive(tmp_path: Path):
    assert {each.uri for each in sources("bookworm", tmp_path)} == {
        "http://deb.debian.org/debian",
        "http://deb.debian.org/debian-security",
    }
