"""Which software is chosen, and that the reason is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import ImageError, ScenarioError
from provision.errors import PackagingFailed
from provision.genuine import build, catalogue, software
from provision.genuine.software import DROP_IN, Software, built, choose, of_guide, require_fit
from tests.genuine import world
from tests.genuine.conftest import publish


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, catalogue.Source]:
    made = {"tool": publish(tmp_path, "tool", {"README": "a tool\n"}).source}
    monkeypatch.setattr(software, "read", lambda: made)
    return made


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world.compiler(tmp_path)), prepend=":")


def test_what_is_asked_for_is_chosen(sources: dict[str, catalogue.Source]) -> None:
    assert choose("drop-in", "debian-12") == Software("drop-in", "as asked for")
    genuine = choose("genuine", "debian-12")
    assert genuine.commits == (("tool", sources["tool"].commit),)
    assert str(genuine) == "genuine, 1 sources by commit (as asked for)"


def test_auto_is_genuine_when_its_sources_are_at_hand(
    sources: dict[str, catalogue.Source], tools: None
) -> None:
    chosen = choose("auto", "debian-12")
    assert (chosen.name, chosen.reason) == ("genuine", "its sources can be had")
    assert chosen.commits


def test_auto_is_the_drop_in_when_they_are_out_of_reach(
    sources: dict[str, catalogue.Source], tools: None
) -> None:
    source = sources["tool"]
    sources["tool"] = source.model_copy(update={"repository": "https://127.0.0.1:9/tool"})
    chosen = choose("auto", "debian-12")
    assert chosen.name == "drop-in"
    assert "https://127.0.0.1:9/ does not answer within 4 s" in str(chosen)
    assert not chosen.commits


def test_auto_is_the_drop_in_when_a_bundle_is_missing(
    sources: dict[str, catalogue.Source], tools: None, bundles: Path
) -> None:
    assert str(choose("auto", "debian-12")) == f"drop-in ({bundles} has no bundle of tool)"


def test_auto_is_the_drop_in_when_there_is_no_compiler(
    sources: dict[str, catalogue.Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda tool: None if tool == "go" else tool)
    assert (
        choose("auto", "debian-12").reason == "to build the genuine takes go: lab/setup --genuine"
    )


def test_auto_is_genuine_without_anything_once_it_was_built(
    sources: dict[str, catalogue.Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "is_cached", lambda *_: True)
    monkeypatch.setattr(build.shutil, "which", lambda _tool: None)
    assert choose("auto", "debian-12").reason == "it was built before"


def test_auto_is_the_drop_in_where_the_genuine_was_never_run(
    sources: dict[str, catalogue.Source], tools: None
) -> None:
    assert "Enterprise Linux" in choose("auto", "centos-stream-9").reason


def test_another_word_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no software 'real'"):
        choose("real", "debian-12")


def test_the_failover_guides_software_is_not_free() -> None:
    genuine = Software("genuine", "as asked for", (("tool", "0" * 40),))
    assert of_guide("multi_node", genuine) is genuine
    assert of_guide("failover", genuine).name == "drop-in"
    assert "not free" in of_guide("failover", genuine).reason
    out_of_reach = Software("drop-in", "https://github.com/ does not answer within 4 s")
    assert "not free" in of_guide("failover", out_of_reach).reason


def test_only_the_genuine_is_built_and_needs_packages_of_its_own(
    sources: dict[str, catalogue.Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_in = choose("drop-in", "debian-12")
    assert built(drop_in, "debian-12") is None
    assert drop_in.package_sets == ()
    genuine = choose("genuine", "debian-12")
    assert genuine.package_sets == ("genuine",)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PackagingFailed, match="needs git, dpkg-deb, go"):
        built(genuine, "debian-12")


@pytest.mark.parametrize("image", ["debian-12", "centos-stream-9"])
def test_the_drop_in_fits_guests_whose_python_is_new_enough(image: str) -> None:
    require_fit(DROP_IN, image)


@pytest.mark.parametrize(
    ("software", "why"),
    [
        (DROP_IN, r"centos-7 have Python 3\.6.* takes 3\.9"),
        (Software("genuine", "as asked for", (("tool", "0" * 40),)), r"centos-7 have PHP 5\.4"),
    ],
)
def test_neither_software_fits_centos_7(software: Software, why: str) -> None:
    with pytest.raises(ImageError, match=why) as wrong:
        require_fit(software, "centos-7")
    assert "--image=centos-stream-9" in wrong.value.hint
