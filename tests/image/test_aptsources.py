"""Which archives apt is configured with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.image.aptsources import Source, configured, deb822_style, one_line_style

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
Trusted: yes
"""


def test_both_formats_are_read(tmp_path: Path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list").write_text(
        "deb [arch=amd64 trusted=yes] http://mirror.example/debian/ bookworm main # near\n"
        "# deb http://old.example/debian bookworm main\n"
    )
    assert list(configured(tmp_path)) == [
        Source("http://mirror.example/debian/", "bookworm", ("main",)),
        Source("http://deb.debian.org/debian", "bookworm", ("main", "contrib")),
        Source("http://deb.debian.org/debian", "bookworm-updates", ("main", "contrib")),
        Source("https://deb.nodesource.com/node_20.x", "nodistro", ("main",)),
    ]


def test_disabled_and_source_only_stanzas_are_left_out():
    off = "Types: deb\nEnabled: no\nURIs: http://x/debian\nSuites: bookworm\nComponents: main\n"
    only_source = "Types: deb-src\nURIs: http://x/debian\nSuites: bookworm\nComponents: main\n"
    assert list(deb822_style(off)) == []
    assert list(deb822_style(only_source)) == []


def test_a_line_without_options_is_read():
    (source,) = one_line_style("deb http://mirror.example/debian bookworm main\n")
    assert str(source) == "deb http://mirror.example/debian bookworm main"
    assert (
        str(Source("http://x", "bookworm", ("main",), "/k.gpg"))
        == "deb [signed-by=/k.gpg] http://x bookworm main"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_only_root_may_read_is_left_out(tmp_path: Path):
    (tmp_path / "sources.list").write_text("deb http://secret.example/debian bookworm main\n")
    (tmp_path / "sources.list").chmod(0)
    assert list(configured(tmp_path)) == []
