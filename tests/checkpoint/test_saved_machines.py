"""libvirt's saved machines: read, given to another machine, and given another place."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import layout
from lab.checkpoint.saveimage import SaveImage
from lab.domain import QEMU_NAMESPACE, moved_xml, renamed_xml
from lab.errors import LabError
from tests.checkpoint.pretend import PretendLab, saved

COOKIE = b"<qemuCookie/>\0"
MEMORY = bytes(range(256)) * 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.save"
    path.write_bytes(saved("<domain>one</domain>", MEMORY, cookie=COOKIE, running=1))
    return path


def test_a_saved_machine_tells_its_xml_and_where_its_memory_begins(file: Path) -> None:
    image = SaveImage.read(file)
    assert image.xml == "<domain>one</domain>"
    assert (image.cookie, image.running) == (COOKIE, 1)
    assert file.read_bytes()[image.memory_offset :] == MEMORY


def test_a_save_without_cookie_has_none(tmp_path: Path) -> None:
    path = tmp_path / "x.save"
    path.write_bytes(saved("<domain/>", MEMORY))
    assert SaveImage.read(path).cookie == b""


@pytest.mark.parametrize("length", [1, 100, 5000, 70000])
def test_a_copy_belongs_to_another_machine_and_has_the_same_memory(
    file: Path, tmp_path: Path, length: int
) -> None:
    other = f"<domain>{'x' * length}</domain>"
    SaveImage.read(file).write_as(tmp_path / "two.save", other)
    copy = SaveImage.read(tmp_path / "two.save")
    assert (copy.xml, copy.cookie, copy.running) == (other, COOKIE, 1)
    assert copy.memory_offset % 4096 == 0
    assert copy.path.read_bytes()[copy.memory_offset :] == MEMORY


def test_memory_stays_where_it_was_when_the_xml_fits(file: Path, tmp_path: Path) -> None:
    original = SaveImage.read(file)
    original.write_as(tmp_path / "two.save", "<domain>two</domain>")
    assert SaveImage.read(tmp_path / "two.save").memory_offset == original.memory_offset


@pytest.mark.parametrize("length", [0, 50, 91, 92, 500, 4095])
def test_a_save_cut_short_is_refused(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(LabError, match="is cut short"):
        SaveImage.read(file)


@pytest.mark.parametrize(
    ("at", "what"),
    [(0, b"LibvirtQemudPart"), (16, b"\3"), (28, b"\1")],
    ids=["unfinished", "version", "compressed"],
)
def test_a_save_of_another_kind_is_refused(file: Path, at: int, what: bytes) -> None:
    content = bytearray(file.read_bytes())
    content[at : at + len(what)] = what
    file.write_bytes(content)
    with pytest.raises(LabError, match="is not an uncompressed libvirt save"):
        SaveImage.read(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(header=st.binary(max_size=76), tail=st.binary(max_size=300))
def test_whatever_a_save_says_of_itself_it_is_read_or_refused(
    tmp_path: Path, header: bytes, tail: bytes
) -> None:
    path = tmp_path / "any.save"
    path.write_bytes(b"LibvirtQemudSave" + b"\2\0\0\0" + header + tail)
    try:
        image = SaveImage.read(path)
    except LabError:
        return
    assert image.memory_offset <= path.stat().st_size


def test_a_copy_that_does_not_fit_is_said(file: Path) -> None:
    with pytest.raises(LabError, match="cannot be written: No such file"):
        SaveImage.read(file).write_as(file.parent / "nowhere" / "two.save", "<domain/>")


def test_a_renamed_and_moved_machine_has_its_own_name_uuid_and_addresses(lab: PretendLab) -> None:
    uuid = lab.topology.uuid("two")
    renamed = renamed_xml(lab.xml("one"), "two", uuid)
    moved = moved_xml(renamed, layout.placement(lab.directory, lab.state, "two"))
    found = ET.fromstring(moved)  # noqa: S314
    assert (found.findtext("name"), found.findtext("uuid")) == ("two", uuid)
    assert f"mac={lab.topology.mac('two', 0)}," in moved
    assert lab.topology.mac("one", 0) not in moved


def test_a_moved_machine_uses_only_files_and_ports_of_its_new_lab(
    lab: PretendLab, blank_disk: Path
) -> None:
    saved_xml = ET.fromstring(lab.xml("one"))  # noqa: S314
    disk = saved_xml.find("devices/disk")
    assert disk is not None
    chain = ET.SubElement(disk, "backingStore", type="file")  # as libvirt saves it
    ET.SubElement(chain, "source", file=str(blank_disk))
    there = PretendLab(blank_disk)
    placed = layout.placement(there.directory, there.state, "one")
    moved = moved_xml(ET.tostring(saved_xml, encoding="unicode"), placed)
    assert str(lab.directory) not in moved
    assert str(blank_disk) not in moved
    found = ET.fromstring(moved)  # noqa: S314
    assert [source.get("file") for source in found.iterfind("devices/disk/source")] == [
        str(placed.disk),
        str(placed.seed),
    ]
    forwarded = [one.get("value", "") for one in found.iter(f"{{{QEMU_NAMESPACE}}}arg")]
    assert any(f"hostfwd=tcp:127.0.0.1:{placed.ssh_port}-" in value for value in forwarded)


def test_a_moved_machine_keeps_what_its_guest_has_seen(lab: PretendLab) -> None:
    original = lab.xml("one")
    placed = layout.placement(Path("/elsewhere"), lab.state, "one")
    moved = ET.fromstring(moved_xml(original, placed))  # noqa: S314
    for path in ("name", "uuid", "memory", "vcpu", "cpu/model", "os/type"):
        assert moved.findtext(path) == ET.fromstring(original).findtext(path)  # noqa: S314
