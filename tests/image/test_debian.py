"""The Debian guest: what it is built from, and that a built one is used again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import ImageError
from lab.image import debian
from lab.image.archives import KEYRING, Archives

BUILDS = """#!/bin/sh
for argument; do
    case $argument in "--customize-hook=download "*) echo content > "${argument##* }" ;; esac
done
dd if=/dev/zero of="$DISK" bs=1024 count=64 2>/dev/null
echo "$*" >> "${0%/*}/log"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory for a made-up mmdebstrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(debian, "_PATH", f"{folder}:{debian._PATH}")
    monkeypatch.setenv("PATH", debian._PATH)
    return folder


def mmdebstrap(folder: Path, script: str) -> None:
    program = folder / "mmdebstrap"
    program.write_text(script)
    program.chmod(0o755)


def test_the_key_covers_packages_sources_and_scripts():
    wanted = debian.recipe()
    keys = {wanted.key}
    for field, value in {
        "packages": (*wanted.packages, "hello"),
        "sources": ("deb http://example.org/debian bookworm main",),
        "customize": wanted.customize + "#",
        "disk": wanted.disk + "#",
        "architecture": "aarch64",
        "size_gib": 5,
    }.items():
        keys.add(debian.Recipe(**{**wanted.__dict__, field: value}).key)
    assert len(keys) == 7


def test_a_host_of_a_run_calls_the_guest_as_home_does(monkeypatch: pytest.MonkeyPatch):
    home = debian.recipe()
    monkeypatch.setenv(debian.ARCHIVES_OF_RUN, json.dumps(home.sources))
    monkeypatch.setattr(debian, "Archives", lambda: Archives(keyring=Path("/nowhere")))
    assert debian.recipe().key == home.key, "whatever its own mirrors are, and without keys"
    monkeypatch.setenv(debian.ARCHIVES_OF_RUN, json.dumps(["deb http://other bookworm main"]))
    assert debian.recipe().key != home.key


def test_debians_keyring_is_the_only_one_that_is_believed(tmp_path: Path):
    line = debian.command(debian.recipe(), tmp_path, "root")
    assert f"--keyring={KEYRING}" in line
    archives = [each for each in line if each.startswith("deb ")]
    assert archives
    assert all(each.startswith(f"deb [signed-by={KEYRING}] ") for each in archives)
    assert not any("trusted" in each.lower() for each in archives)


def test_an_archive_that_nobody_vouches_for_is_not_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "sources.list").write_text(
        "deb [trusted=yes] file:///nowhere/debian bookworm main\n"
    )
    monkeypatch.setattr(debian, "Archives", lambda: Archives(apt=tmp_path / "apt"))
    said: list[str] = []
    assert not any("nowhere" in each for each in debian.recipe(said.append).sources)
    assert "file:///nowhere/debian bookworm did not say" in said[0]


def test_a_built_guest_is_used_again_if_it_is_as_it_was_built(programs: Path):
    mmdebstrap(programs, BUILDS)
    said: list[str] = []
    built = debian.build(said.append)
    assert debian.build(said.append) == built
    once = (programs / "log").stat().st_size
    assert said == ["converting the disk to qcow2"]
    assert built.kernel is not None
    built.kernel.chmod(0o644)
    built.kernel.write_text("Content\n")
    assert debian.build(said.append) == built
    assert said[1] == f"{built} cannot be trusted: kernel: its content has changed; it is made anew"
    assert (programs / "log").stat().st_size == 2 * once
    assert built.kernel.read_text() == "content\n"


def test_a_failed_build_says_what_mmdebstrap_said_and_leaves_nothing(cache: Path, programs: Path):
    mmdebstrap(programs, "#!/bin/sh\necho E: no such archive\nexit 1\n")
    with pytest.raises(ImageError, match="no such archive"):
        debian.build(lambda _line: None)
    assert list((cache / "images").iterdir()) == []
