"""A frozen machine thaws where another cache lies: image and checkpoint came as parcels."""

from __future__ import annotations

import io
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.accelerator import choose
from lab.checkpoint import Checkpoint, Store, cold_start, freeze, ingredients, thaw, travel
from lab.image import prepare
from lab.image import travel as images
from lab.progress import Progress
from tests.vm.alone import TOPOLOGY

pytestmark = pytest.mark.vm
IN_MEMORY, ON_DISK = "/run/nonce", "/root/nonce"  # the first is on a tmpfs


@pytest.fixture
def frozen() -> Iterator[tuple[Checkpoint, str]]:
    """Give a checkpoint of a machine that remembers a nonce, and the nonce."""
    image, accelerator, nonce = prepare(), choose(None), secrets.token_hex(8)
    made_of = ingredients(TOPOLOGY, image, accelerator, nonce=nonce)
    with cold_start(TOPOLOGY, image, accelerator) as lab:
        lab.machines["alone"].run(f"echo {nonce} | tee {IN_MEMORY} > {ON_DISK}; sync")
        checkpoint = freeze(lab, made_of, "a machine that travels", keep_running=False)
    yield checkpoint, nonce
    Store().remove(checkpoint.key)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vpnproof-", dir="/var/tmp") as place:
        yield Path(place)


def test_a_machine_goes_on_on_another_host(
    frozen: tuple[Checkpoint, str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, nonce = frozen
    assert checkpoint.manifest.parents, "it lies on the one that its machine was booted in"
    own, image, machine = prepare(), io.BytesIO(), io.BytesIO()
    images.send(own.disk.parent, image)
    travel.send(checkpoint, machine)
    monkeypatch.setenv("VPNPROOF_CACHE", str(elsewhere))
    images.receive(own.key, io.BytesIO(image.getvalue()))
    travel.receive(checkpoint.key, io.BytesIO(machine.getvalue()), Store())
    came = Store().find(checkpoint.key)
    assert came is not None
    there = prepare()
    assert there.disk.is_relative_to(elsewhere)
    with thaw(came, there, choose(None), progress=Progress()) as lab:
        said = lab.machines["alone"].run(f"cat {IN_MEMORY} {ON_DISK}").stdout
        assert said.split() == [nonce, nonce]
        lab.machines["alone"].reboot()
        lab.machines["alone"].wait_until_up(300)
        assert lab.machines["alone"].run(f"cat {ON_DISK}").stdout.strip() == nonce
    shutil.rmtree(elsewhere / "checkpoints")
