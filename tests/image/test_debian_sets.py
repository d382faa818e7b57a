"""Sets of packages that only some labs need: an image of their own, the other left alone."""

from __future__ import annotations

from pathlib import Path

from lab.image.debian import command, recipe


def test_a_set_adds_packages_and_changes_the_key() -> None:
    plain, more = recipe(), recipe(sets=("genuine",))
    assert set(plain.packages) < set(more.packages)
    assert {"php-fpm", "pwgen"} <= set(more.packages) - set(plain.packages)
    assert plain.key != more.key


def test_units_of_a_set_start_nothing_by_themselves(tmp_path: Path) -> None:
    words = command(recipe(sets=("genuine",)), tmp_path, "root")
    assert '--customize-hook=chroot "$1" systemctl disable --quiet php8.2-fpm' in words
    assert not any("php8.2-fpm" in word for word in command(recipe(), tmp_path, "root"))
