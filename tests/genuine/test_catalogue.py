"""The catalogue of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.errors import SourceRefused
from provision.genuine.catalogue import key_of, read

ENTRY = """\
[tool]
repository = "https://example.org/tool"
tag = "1.0"
commit = "0123456789012345678901234567890123456789"
licence = "MIT"
"""


def test_each_source_has_a_repository_a_commit_and_a_licence() -> None:
    sources = read()
    assert {"vpn-server-api", "vpn-server-node", "vpn-daemon", "documentation"} <= set(sources)
    assert len({source.commit for source in sources.values()}) == len(sources)
    assert all(source.repository.startswith("https://") for source in sources.values())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('tag = "1.0"\n', "", "[tool] tag: Field required"),
        ("0123456789", "master", "[tool] commit:"),
        ("https://", "git@", "[tool] repository:"),
        ('licence = "MIT"', 'licence = "MIT"\nbranch = "main"', "[tool] branch: Extra"),
        ("[tool]", "[tool", "Expected ']'"),
    ],
)
def test_a_wrong_entry_is_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(ENTRY.replace(old, new, 1))
    with pytest.raises(SourceRefused) as refused:
        read(path)
    assert words in refused.value.message
    assert str(path) in refused.value.message


def test_the_key_is_that_of_the_commits_in_any_order(tmp_path: Path) -> None:
    sources = list(read().values())
    assert key_of(sources) == key_of(reversed(sources))
    other = sources[0].model_copy(update={"commit": "0" * 40})
    assert key_of(sources) != key_of([other, *sources[1:]])
