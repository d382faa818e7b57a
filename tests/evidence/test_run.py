"""The layout of a run's directory, and what its `run.json` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import BadEvidence
from evidence.run import RunDirectory


def test_each_piece_of_evidence_has_its_place(tmp_path: Path) -> None:
    files = RunDirectory(tmp_path)
    assert files.place(files.capture("failover-2")) == "wire/failover-2.pcapng"
    assert (
        files.place(files.transcript("failover", "primary")) == "transcripts/failover/primary.log"
    )
    assert files.place(files.history) == "history.jsonl"
    assert files.place(files.errata("failover")) == "errata-failover.json"


def test_what_was_to_be_judged_is_told_in_order(tmp_path: Path) -> None:
    files = RunDirectory(tmp_path)
    files.facts_file.write_text('{"requirements": ["MN-01", "FO-24"]}')
    assert files.requirements() == ("FO-24", "MN-01")


@pytest.mark.parametrize("content", [None, "", "{", "[]"], ids=["missing", "empty", "cut", "list"])
def test_facts_that_cannot_be_read_are_bad_evidence(tmp_path: Path, content: str | None) -> None:
    files = RunDirectory(tmp_path)
    if content is not None:
        files.facts_file.write_text(content)
    with pytest.raises(BadEvidence, match=r"run\.json"):
        files.facts()
