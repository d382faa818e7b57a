"""The checkout goes to a host by its content; what the host lacks, its `lab/setup` brings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HostsError
from lab.hosts.checkout import Checkout
from lab.hosts.connection import Connection
from lab.hosts.ready import consented, make_ready


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "lab").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("ignored\n")
    (root / "ignored").write_text("no")
    (root / "a file").write_text("a")
    (root / "link").symlink_to("a file")
    setup = root / "lab" / "setup"
    setup.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--missing*) cat missing 2>/dev/null; exit 0 ;; esac\n'
        "[ -e fails ] && { cat fails >&2; exit 1; }\n"
        'echo "$*" >> calls; mkdir -p .venv; exit 0\n'
    )
    setup.chmod(0o755)
    return root


def brought(project: Path, host: Connection) -> tuple[Path, bool]:
    checkout = Checkout.at(project)
    sent = checkout.bring(host, sys.executable)
    return Path(checkout.on(host)), sent


def test_what_git_does_not_ignore_arrives(project: Path, host: Connection) -> None:
    there, sent = brought(project, host)
    assert sent
    assert sorted(path.name for path in there.iterdir()) == [".gitignore", "a file", "lab", "link"]
    assert (there / "link").readlink() == Path("a file")
    assert (there / "lab" / "setup").stat().st_mode & 0o100


def test_what_is_there_is_not_sent_again(project: Path, host: Connection) -> None:
    brought(project, host)
    assert not brought(project, host)[1]


def test_what_another_run_has_sent_meanwhile_is_left_where_it_is(
    project: Path, host: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = brought(project, host)
    mark = there / ".venv"
    mark.mkdir()
    looks = iter((False, True))  # before it was sent by the other, and after
    monkeypatch.setattr(Checkout, "_is_there", lambda *_: next(looks))
    run = host.run

    def not_there(command: str, *given: Any, **named: Any) -> Any:
        return run("false" if command.startswith("test -e ") else command, *given, **named)

    monkeypatch.setattr(host, "run", not_there)
    Checkout.at(project).bring(host, sys.executable)
    assert mark.exists()


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    (project / "a directory").mkdir()
    subprocess.run(["git", "init", "-q", str(project / "a directory")], check=True)
    (project / "a directory" / "file").touch()
    with pytest.raises(HostsError, match="'a directory/' cannot be read"):
        Checkout.at(project)


def test_another_content_has_another_directory(project: Path, host: Connection) -> None:
    before, _ = brought(project, host)
    (project / "a file").write_text("b")
    after, sent = brought(project, host)
    assert sent
    assert before != after
    assert (before / "a file").read_text() == "a"


def test_whether_a_file_runs_and_what_is_removed_count(project: Path) -> None:
    seen = [Checkout.at(project).digest]
    (project / "a file").chmod(0o755)
    seen.append(Checkout.at(project).digest)
    (project / "a file").unlink()
    seen.append(Checkout.at(project).digest)
    assert len(set(seen)) == 3


def test_one_that_was_changed_there_is_sent_anew(project: Path, host: Connection) -> None:
    there, _ = brought(project, host)
    (there / "a file").write_text("changed")
    assert brought(project, host)[1]
    assert (there / "a file").read_text() == "a"


def test_no_checkout_of_git_is_said(tmp_path: Path) -> None:
    with pytest.raises(HostsError, match="git does not know"):
        Checkout.at(tmp_path)


def ready(project: Path, host: Connection, *, consent: bool = False) -> str:
    checkout = Checkout.at(project)
    checkout.bring(host, sys.executable)
    consented(host, checkout, ["--genuine"], consent=consent)
    make_ready(host, checkout, ["--genuine"])
    return (Path(checkout.on(host)) / "calls").read_text()


def test_setup_runs_where_no_package_is_missing(project: Path, host: Connection) -> None:
    assert ready(project, host) == "--genuine\n"


def test_packages_want_consent_and_are_named_without(project: Path, host: Connection) -> None:
    (project / "missing").write_text("qemu-system-x86 gcc \n")
    with pytest.raises(HostsError) as refused:
        ready(project, host)
    there = Checkout.at(project).on(host)
    assert refused.value.message == (
        f"one: lacks qemu-system-x86 gcc: run `cd {there} && lab/setup --genuine` there, or give "
        "--set-up-hosts"
    )
    assert ready(project, host, consent=True) == "--genuine\n"


def test_a_setup_that_fails_is_one_line(project: Path, host: Connection) -> None:
    (project / "fails").write_text("setup: error: no network\n")
    with pytest.raises(HostsError) as refused:
        ready(project, host)
    assert refused.value.message == "one: cannot be set up: setup: error: no network"


def test_a_setup_that_fails_says_what_stood_above_its_error(
    project: Path, host: Connection
) -> None:
    (project / "fails").write_text(
        "W: a warning\nE: dpkg was interrupted, run 'dpkg --configure -a'\n"
        "setup: error: these packages could not be installed: gcc\nhint: the lines above say why\n"
    )
    with pytest.raises(HostsError) as refused:
        ready(project, host)
    assert refused.value.message == (
        "one: cannot be set up: setup: error: these packages could not be installed: gcc "
        "(E: dpkg was interrupted, run 'dpkg --configure -a')"
    )


def test_a_setup_that_fails_without_a_word_has_a_status(project: Path, host: Connection) -> None:
    (project / "fails").touch()
    with pytest.raises(HostsError, match="one: cannot be set up: status 1"):
        ready(project, host)


def test_what_was_installed_for_an_earlier_checkout_is_taken_over(
    project: Path, host: Connection
) -> None:
    ready(project, host)
    (Path(Checkout.at(project).on(host)) / ".venv" / "package").touch()
    (project / "a file").write_text("b")
    ready(project, host)
    assert (Path(Checkout.at(project).on(host)) / ".venv" / "package").exists()


def test_what_was_half_taken_over_is_taken_over_anew(project: Path, host: Connection) -> None:
    ready(project, host)
    (Path(Checkout.at(project).on(host)) / ".venv" / "package").touch()
    (project / "a file").write_text("b")
    there, _ = brought(project, host)
    (there / ".unfinished-venv" / "half").mkdir(parents=True)
    ready(project, host)
    assert [path.name for path in (there / ".venv").iterdir()] == ["package"]


def test_what_the_system_would_clear_away_is_kept(project: Path, host: Connection) -> None:
    brought(project, host)
    kept, old = Path(host.host.cache) / "kernel", 1_600_000_000
    kept.parent.mkdir(parents=True)
    kept.write_text("a kernel")
    os.utime(kept, (old, old))
    before = kept.stat()
    make_ready(host, Checkout.at(project))
    after = kept.stat()
    assert after.st_ctime_ns == before.st_ctime_ns, "a checkpoint is known again by it"
    if kept.read_text() and kept.stat().st_atime > old:  # file systems that note who reads
        assert after.st_atime > old
