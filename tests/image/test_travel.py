"""An image on its way to another host: the same build arrives, or nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.image import travel
from lab.image.kept import Images
from tests.image.made import image, make


def sent() -> bytes:
    made = make(1, content=b"\1\0")
    place = travel.there(made.key)
    assert place == made.disk.parent
    to = io.BytesIO()
    travel.send(place, to)
    return to.getvalue()


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return a parcel, on a host that lacks what is in it."""
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "of-the-giver"))
    content = sent()
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "of-the-taker"))
    return content


def test_an_image_arrives_as_it_is(parcel: bytes) -> None:
    key = image(1).key
    assert travel.there(key) is None
    travel.receive(key, io.BytesIO(parcel))
    found = Images().find(image(1), lambda _: None)
    assert found is not None
    assert found.disk.read_bytes() == b"\1\0" * 4096
    assert found.disk.stat().st_mode & 0o777 == 0o444
    travel.receive(key, io.BytesIO(parcel))  # once more: nothing happens
    assert travel.there(key) == found.disk.parent


def test_a_parcel_that_is_damaged_or_another_leaves_nothing_behind(parcel: bytes) -> None:
    key = image(1).key
    with pytest.raises(LabError, match="was asked for"):
        travel.receive("2" * 64, io.BytesIO(parcel))
    for cut in (10, len(parcel) // 2):
        with pytest.raises(LabError):
            travel.receive(key, io.BytesIO(parcel[:cut]))
    assert travel.there(key) is None
    assert not list(Images())
    assert not list(Images().directory.glob(".unfinished-*"))


def test_a_damaged_image_is_given_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path))
    made = make(1)
    made.disk.chmod(0o644)
    made.disk.write_bytes(b"x" * made.disk.stat().st_size)
    assert travel.there(made.key) is None
