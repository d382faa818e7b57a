"""Under SELinux the installed programs are labelled as programs; elsewhere nothing is touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "provision/reference/access_server"

HOME = "/usr/local/openvpn_as"
SPEC = f"{HOME}/(bin|libexec|scripts)(/.*)?"
PROGRAMS = f"{HOME}/bin {HOME}/libexec {HOME}/scripts"
ADD = f"semanage fcontext -a -t bin_t {SPEC}"


def asked(place: Path, **status: int) -> list[str]:
    """Return what is asked of the programs that there are, each ending with its status."""
    programs = place / "programs"
    programs.mkdir()
    for name, ends in status.items():
        (programs / name).write_text(
            f'#!/bin/sh\necho "{name}${{*:+ $*}}" >>{place}/asked\n'
            f'case "$*" in *" -m "*) exit 0 ;; esac\nexit {ends}\n'
        )
        (programs / name).chmod(0o755)
    shell = subprocess.run(["sh", "-c", "command -v sh"], capture_output=True, check=True)
    subprocess.run(
        [shell.stdout.decode().strip(), SOURCE / "label.sh", HOME],
        env={**os.environ, "PATH": str(programs)},
        check=True,
    )
    return (place / "asked").read_text().splitlines() if (place / "asked").exists() else []


@pytest.mark.parametrize("status", [{}, {"selinuxenabled": 1}])
def test_without_selinux_nothing_is_labelled(tmp_path: Path, status: dict[str, int]):
    more = {"semanage": 0, "restorecon": 0, "chcon": 0}
    assert set(asked(tmp_path, **status, **more)) <= {"selinuxenabled"}


def test_the_label_is_there_for_good_and_now(tmp_path: Path):
    said = asked(tmp_path, selinuxenabled=0, semanage=0, restorecon=0)
    assert said == ["selinuxenabled", ADD, f"restorecon -R {PROGRAMS}"]


def test_a_label_that_was_set_before_is_set_again(tmp_path: Path):
    said = asked(tmp_path, selinuxenabled=0, semanage=1, restorecon=0)
    assert said[1:] == [ADD, ADD.replace("-a", "-m"), f"restorecon -R {PROGRAMS}"]


def test_without_semanage_the_files_alone_are_labelled(tmp_path: Path):
    said = asked(tmp_path, selinuxenabled=0, restorecon=0, chcon=0)
    assert said == ["selinuxenabled", f"chcon -R -t bin_t {PROGRAMS}"]


def test_the_installer_labels_after_it_has_restored_the_rest():
    lines = (SOURCE / "install.sh").read_text().splitlines()
    restored = next(n for n, line in enumerate(lines) if "restorecon -R" in line)
    assert 'sh "$here/label.sh" "$home"' in lines[restored + 1]
