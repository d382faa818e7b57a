"""What a lab's directory says of itself."""

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.state import LabState, MachineState
from lab.topology import read_topology


def state() -> LabState:
    return LabState(
        topology=read_topology("failover"),
        image="debian-12",
        accelerator="tcg",
        uri=None,
        machines={"gateway": MachineState(ssh_port=2222, host_key="ssh-ed25519 AAAA")},
    )


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    state().write(tmp_path)
    assert LabState.read(tmp_path) == state()


def test_writing_leaves_no_other_file_behind(tmp_path: Path) -> None:
    state().write(tmp_path)
    state().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lab.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"image": 5}', "\x00"])
def test_what_is_not_a_lab_is_refused_with_a_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "lab.json").write_text(content)
    with pytest.raises(LabError, match=r"lab\.json cannot be read(?s:.*)python -m lab gc"):
        LabState.read(tmp_path)


def test_a_directory_without_a_lab_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"lab\.json cannot be read"):
        LabState.read(tmp_path)
