"""Small published sources made for the tests, and a cache of one's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.genuine.catalogue import Source

_WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "Somebody"),
        ("EMAIL", "somebody@example.org"),
        ("DATE", "1586538000 +0200"),
    )
}


def git(repository: Path, *words: str) -> str:
    """Run git as nobody in particular, on a day long ago."""
    return subprocess.run(
        ["git", "-C", str(repository), *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **_WHO, "GIT_CONFIG_GLOBAL": "/dev/null"},
    ).stdout.strip()


@dataclass(frozen=True)
class Published:
    """A repository of somebody's, with a tag."""

    name: str
    repository: Path
    tag: str = "1.0"

    @property
    def commit(self) -> str:
        return git(self.repository, "rev-parse", f"{self.tag}^{{commit}}")

    @property
    def source(self) -> Source:
        return Source(
            name=self.name,
            repository=f"file://{self.repository}",
            tag=self.tag,
            commit=self.commit,
            licence="MIT",
        )

    def change(self, files: Mapping[str, str], tag: str) -> None:
        """Commit `files`, and let `tag` lead there, whatever it led to before."""
        for path, text in files.items():
            file = self.repository / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            if text.startswith("#!"):
                file.chmod(0o755)
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", f"for {tag}")
        git(self.repository, "tag", "--force", "--annotate", "--message", tag, tag)

    def bundle(self, directory: Path) -> Path:
        """Write the tag's bundle as the directory of bundles has it."""
        directory.mkdir(exist_ok=True)
        path = directory / f"{self.name}.bundle"
        git(self.repository, "bundle", "create", "--quiet", str(path), f"refs/tags/{self.tag}")
        return path


def publish(root: Path, name: str, files: Mapping[str, str]) -> Published:
    """Return a new repository with `files` in its tag 1.0."""
    repository = root / "published" / name
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main")
    one = Published(name, repository)
    one.change(files, one.tag)
    return one


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "cache"
    root.mkdir()
    monkeypatch.setenv("VPNPROOF_CACHE", str(root))
    monkeypatch.delenv("VPNPROOF_SOURCES", raising=False)
    return root


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return publish(tmp_path, "tool", {"README": "a tool\n", "bin/tool": "#!/bin/sh\necho tool\n"})


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of bundles, which is asked first."""
    directory = tmp_path / "bundles"
    directory.mkdir()
    monkeypatch.setenv("VPNPROOF_SOURCES", str(directory))
    return directory
