"""A source is what its commit id says, or it is refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provision.errors import SourceRefused
from provision.genuine.sources import at_hand, get, get_all, is_cached
from tests.genuine.conftest import Published, git


def refusal(published: Published) -> str:
    with pytest.raises(SourceRefused) as refused:
        get(published.source)
    assert published.name in refused.value.message
    assert not is_cached(published.source)
    return refused.value.message


def test_a_source_comes_from_its_repository(published: Published, tmp_path: Path) -> None:
    get(published.source).unpack(tmp_path / "tree")
    assert (tmp_path / "tree/README").read_text() == "a tool\n"
    assert (tmp_path / "tree/bin/tool").stat().st_mode & 0o111


def test_a_source_comes_from_its_bundle(
    published: Published, bundles: Path, tmp_path: Path
) -> None:
    published.bundle(bundles)
    source = published.source.model_copy(update={"repository": "https://nowhere.invalid/tool"})
    get(source).unpack(tmp_path / "tree", "README")
    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["README"]


def test_it_has_the_date_of_its_commit(published: Published) -> None:
    assert get(published.source).committed == 1586538000


def test_a_cached_source_needs_neither_bundle_nor_repository(
    published: Published, bundles: Path
) -> None:
    bundle, source = published.bundle(bundles), published.source
    get(source)
    bundle.unlink()
    shutil.rmtree(published.repository)
    assert get(source).source == source
    assert at_hand([source]) == ""


def test_only_what_is_fetched_is_told_of(published: Published, bundles: Path) -> None:
    bundle = published.bundle(bundles)
    told: list[str] = []
    get_all([published.source], told.append)
    get_all([published.source], told.append)
    assert told == [f"fetching {published.source} from {bundle}"]


def test_a_bundle_with_another_commit_is_refused(published: Published, bundles: Path) -> None:
    wanted = published.source
    published.change({"README": "another tool\n"}, published.tag)
    published.bundle(bundles)
    # only the new one's history: the commit that is asked for must not be in it by chance
    git(published.repository, "checkout", "--quiet", "--orphan", "alone")
    published.change({"README": "another tool\n"}, published.tag)
    published.bundle(bundles)
    with pytest.raises(SourceRefused) as refused:
        get(wanted)
    assert f"expected commit {wanted.commit}" in refused.value.message
    assert f"{published.tag} {published.commit}" in refused.value.message
    assert str(bundles / "tool.bundle") in refused.value.message
    assert not is_cached(wanted)


def test_a_cached_commit_is_not_another_in_its_place(published: Published, tmp_path: Path) -> None:
    wanted = published.source
    cached = get(wanted)
    published.change({"README": "another tool\n"}, "2.0")
    other = git(published.repository, "rev-parse", "2.0^{commit}")
    git(cached.repository, "fetch", "--quiet", f"file://{published.repository}", "refs/tags/2.0")
    git(cached.repository, "update-ref", f"refs/replace/{wanted.commit}", other)
    get(wanted).unpack(tmp_path / "tree")
    assert (tmp_path / "tree/README").read_text() == "a tool\n"


@pytest.mark.parametrize("part", [0.2, 0.6, 0.98])
def test_a_truncated_bundle_is_refused(part: float, published: Published, bundles: Path) -> None:
    bundle = published.bundle(bundles)
    bundle.write_bytes(bundle.read_bytes()[: int(bundle.stat().st_size * part)])
    assert f"cannot be read from {bundle}" in refusal(published)


def test_a_bundle_in_which_something_was_altered_is_refused(
    published: Published, bundles: Path
) -> None:
    bundle = published.bundle(bundles)
    content = bytearray(bundle.read_bytes())
    content[-60] ^= 0x40
    bundle.write_bytes(content)
    assert f"cannot be read from {bundle}" in refusal(published)


def test_a_file_that_was_patched_in_the_cache_is_refused(
    published: Published, tmp_path: Path
) -> None:
    place = get(published.source).repository
    patched = tmp_path / "patched"
    patched.write_text("a patched tool\n")
    # the object of README holds something else now, and is well-formed
    readme = git(published.repository, "rev-parse", f"{published.tag}:README")
    other = git(place, "hash-object", "-w", str(patched))
    for pack in place.glob("objects/pack/*"):
        pack.chmod(0o644)
        pack.rename(tmp_path / pack.name)
    with next(tmp_path.glob("*.pack")).open("rb") as pack:
        import subprocess

        subprocess.run(["git", "-C", str(place), "unpack-objects", "-q"], stdin=pack, check=True)
    target = place / "objects" / readme[:2] / readme[2:]
    target.chmod(0o644)
    target.write_bytes((place / "objects" / other[:2] / other[2:]).read_bytes())
    with pytest.raises(SourceRefused) as refused:
        get(published.source)
    assert "tool 1.0" in refused.value.message
    assert "is damaged" in refused.value.message
    assert readme[2:] in refused.value.message


def test_no_bundle_at_all_is_refused_with_where_it_should_be(
    published: Published, bundles: Path
) -> None:
    assert f"there is no {bundles / 'tool.bundle'}" in refusal(published)
    assert at_hand([published.source]) == f"{bundles} has no bundle of tool"


def test_a_repository_without_the_commit_is_refused(published: Published) -> None:
    source = published.source.model_copy(update={"commit": "0" * 39 + "1"})
    with pytest.raises(SourceRefused, match=r"tool 1\.0"):
        get(source)
    assert not is_cached(source)


def test_a_repository_out_of_reach_is_not_at_hand(published: Published) -> None:
    source = published.source.model_copy(update={"repository": "https://127.0.0.1:9/tool"})
    assert at_hand([source]).startswith("https://127.0.0.1:9/ does not answer")
    assert at_hand([published.source]) == ""


def test_what_broke_off_leaves_nothing_behind(
    published: Published, bundles: Path, cache: Path
) -> None:
    refusal(published)
    published.bundle(bundles).write_bytes(b"# v2 git bundle\n")
    refusal(published)
    left = list((cache / "sources").iterdir()) if (cache / "sources").exists() else []
    assert left == []


def test_a_source_larger_than_a_download_may_be_is_refused_and_leaves_nothing(
    published: Published, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPNPROOF_DOWNLOAD_MIB", "0")
    with pytest.raises(SourceRefused, match="cannot be read from") as refused:
        get(published.source)
    assert "0 MiB (VPNPROOF_DOWNLOAD_MIB)" in refused.value.hint
    assert list((cache / "sources").iterdir()) == []
