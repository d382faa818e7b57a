"""Where things lie: private directories, and whose a lab is."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lab import paths
from lab.cache import cache_root
from lab.errors import LabError


def test_the_directory_of_labs_is_made_for_its_owner_only(private_places: Path) -> None:
    assert paths.labs() == private_places
    assert private_places.stat().st_mode & 0o7777 == 0o700


def test_a_directory_that_others_can_enter_is_refused(private_places: Path) -> None:
    private_places.mkdir(mode=0o700)
    private_places.chmod(0o755)
    with pytest.raises(LabError, match=r"not a private directory of yours(?s:.*)VPNPROOF_LABS"):
        paths.labs()


def test_a_symlink_in_its_place_is_refused(private_places: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    private_places.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LabError, match="not a private directory"):
        paths.labs()


def test_a_file_in_its_place_is_refused(private_places: Path) -> None:
    private_places.write_text("in the way")
    with pytest.raises(LabError, match="cannot be made"):
        paths.labs()


def test_the_cache_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"


def test_a_new_lab_belongs_to_this_process() -> None:
    directory = paths.new_lab_directory("small")
    assert directory.name.startswith("small-")
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert paths.owner_alive(directory)


def test_labs_of_one_name_have_directories_of_their_own() -> None:
    made = {paths.new_lab_directory("small") for _ in range(20)}
    assert set(paths.lab_directories()) == made


def test_the_name_of_a_lab_is_drawn_again_when_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn))
    names = [paths.new_lab_directory("small").name for _ in range(2)]
    assert names == ["small-aaaa", "small-bbbb"]


def test_a_lab_whose_maker_has_ended_has_no_owner() -> None:
    program = "import sys, lab.paths; sys.stdout.write(str(lab.paths.new_lab_directory('small')))"
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not paths.owner_alive(Path(made.stdout))


def test_a_lab_whose_maker_is_a_zombie_has_no_owner(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        (tmp_path / "owner").write_text(f"{ended.pid} {psutil.Process(ended.pid).create_time()}")
        assert not paths.owner_alive(tmp_path)


def test_another_process_with_the_owners_pid_is_not_the_owner(tmp_path: Path) -> None:
    me = psutil.Process()
    (tmp_path / "owner").write_text(f"{me.pid} {me.create_time() - 3600}")
    assert not paths.owner_alive(tmp_path)


@pytest.mark.parametrize("content", ["", "12", "some words here", "x 1.0", "-5 1.0"])
def test_an_owner_file_that_makes_no_sense_names_no_owner(tmp_path: Path, content: str) -> None:
    (tmp_path / "owner").write_text(content)
    assert not paths.owner_alive(tmp_path)
