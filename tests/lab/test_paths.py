"""Where things lie: private directories, labs and nothing but labs in theirs."""

from pathlib import Path

import pytest

from lab import paths, quiet
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


@pytest.mark.parametrize("name", ["", "../up", "Large", "two words", "a\nb", "x" * 30])
def test_a_name_that_is_none_for_a_lab_is_refused(name: str, private_places: Path) -> None:
    with pytest.raises(LabError, match="is no name for a lab"):
        paths.new_lab_directory(name)
    assert not private_places.exists()


@pytest.mark.parametrize("others", [["Documents", "projects"], [".hidden"], ["failover-12ab"]])
def test_a_directory_that_holds_anything_else_is_refused_by_name(
    private_places: Path, others: list[str]
) -> None:
    lab = paths.new_lab_directory("small")
    for name in others:
        (private_places / name).mkdir()
    for use in (lambda: list(paths.lab_directories()), lambda: paths.new_lab_directory("small")):
        with pytest.raises(LabError, match="is no directory of labs") as refused:
            use()
        assert all(repr(name) in refused.value.message for name in others)
        assert "\n" not in refused.value.message
    assert set(private_places.iterdir()) >= {lab, *(private_places / name for name in others)}


def test_of_many_others_three_are_named_and_no_name_reaches_a_terminal_raw(
    private_places: Path,
) -> None:
    paths.labs()
    for name in ("\x1b[31mred", "b", "c", "d", "e"):
        (private_places / name).touch()
    with pytest.raises(LabError, match="and 2 more") as refused:
        list(paths.lab_directories())
    assert "\x1b" not in str(refused.value)


def test_an_empty_directory_lost_and_found_and_our_own_locks_are_no_others(
    private_places: Path,
) -> None:
    private_places.mkdir(mode=0o700)
    assert list(paths.lab_directories()) == []
    (private_places / "lost+found").mkdir()
    made = paths.new_lab_directory("small")
    with quiet.quiet(made):
        assert list(paths.lab_directories()) == [made]


def test_a_link_to_a_lab_is_no_lab(private_places: Path, tmp_path: Path) -> None:
    made = paths.new_lab_directory("small")
    elsewhere = made.rename(tmp_path / made.name)
    made.symlink_to(elsewhere)
    with pytest.raises(LabError, match=f"it holds '{made.name}'"):
        list(paths.lab_directories())


def test_a_lab_has_its_marker_before_it_has_its_name(
    private_places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("lab.marker.mark", "pathlib.Path.rename"):
        with monkeypatch.context() as patch:
            patch.setattr(step, killed)
            with pytest.raises(KeyboardInterrupt):
                paths.new_lab_directory("small")
        assert list(paths.lab_directories()) == []
        left = [path.name for path in private_places.glob(".small-*")]
        assert len(left) == 1
        assert paths.remove_unfinished() == left
        assert not list(private_places.glob(".small-*"))


def test_an_unfinished_directory_that_holds_more_is_not_ours(private_places: Path) -> None:
    odd = paths.labs() / ".small-12ab.unfinished"
    odd.mkdir()
    (odd / "letter.txt").write_text("dear")
    assert paths.remove_unfinished() == []
    with pytest.raises(LabError, match=odd.name):
        paths.new_lab_directory("small")
    assert (odd / "letter.txt").read_text() == "dear"


def test_an_unfinished_lab_in_the_way_of_a_new_one_makes_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (paths.labs() / ".small-12ab.unfinished").mkdir()
    monkeypatch.setattr("secrets.token_hex", lambda _: "12ab")
    assert paths.new_lab_directory("small").name == "small-12ab"
