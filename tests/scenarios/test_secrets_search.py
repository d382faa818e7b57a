"""The end of a run: its evidence is searched for what its labs know, and the run fails by it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checks.engine.judging import judge_now
from evidence.events.pair import PairConfigured
from evidence.leaks import search
from evidence.secret import FILE_NAME, Secrets
from scenarios.secrets_search import may_not_be_shared, searched, tell_of_secrets
from tests.checks.bad_inputs import IN_PLACE
from tests.checks.failover.recording import rejects, steady, unsure
from tests.checks.protocols import encoder
from tests.scenarios.failover_pair import PASSWORD
from tests.scenarios.failover_stage import Stage

VALUE = "correct horse battery"


def told(found: Any) -> str:
    lines: list[str] = []
    terminal: Any = SimpleNamespace(write_line=lambda line, **_: lines.append(line))
    tell_of_secrets(terminal, found)
    return "\n".join(lines)


def test_a_run_whose_labs_knew_no_secret_is_not_searched(tmp_path: Path) -> None:
    assert searched(tmp_path / "none") is None
    assert told(None) == ""
    assert not may_not_be_shared(None)


def test_a_secret_in_the_evidence_fails_the_run_and_is_told_by_its_place(tmp_path: Path) -> None:
    Secrets(tmp_path).keep({"password of openvpn": VALUE})
    (tmp_path / "trouble.log").write_text(f"it said {VALUE}")
    found = searched(tmp_path)
    assert may_not_be_shared(found)
    said = told(found)
    assert "DO NOT SHARE THIS EVIDENCE" in said
    assert "trouble.log: password of openvpn stands there (plain, octet 8)" in said
    assert VALUE not in said + (tmp_path / "leaks.json").read_text()
    assert not (tmp_path / FILE_NAME).exists()


def test_evidence_without_one_is_said_to_be_searched(tmp_path: Path) -> None:
    Secrets(tmp_path).keep({"password of openvpn": VALUE})
    (tmp_path / "trouble.log").write_text("nothing")
    found = searched(tmp_path)
    assert not may_not_be_shared(found)
    assert "looked for 1 secrets in 1 files, found none" in told(found)
    assert json.loads((tmp_path / "leaks.json").read_text())["shareable"] is True


def test_the_evidence_of_each_host_is_searched_for_the_secrets_of_all(tmp_path: Path) -> None:
    alpha, beta = tmp_path / "hosts" / "alpha", tmp_path / "hosts" / "beta"
    kept = Secrets(alpha).refer("ucarp.password", "kept for judging")
    Secrets(alpha).keep({"password of openvpn": VALUE})
    Secrets(beta).keep({"password of portal": "another secret"})
    (beta / "trouble.log").write_text(f"it said {VALUE}")
    found = searched(tmp_path)
    assert may_not_be_shared(found)
    assert "hosts/beta/trouble.log: password of openvpn stands there" in told(found)
    assert (tmp_path / "leaks.json").exists()
    assert [one.of for one in Secrets(alpha).known()] == ["ucarp.password"]
    assert Secrets(alpha).resolve(kept) == "kept for judging"
    assert Secrets(beta).known() == []


def test_what_a_pair_is_configured_with_reaches_the_history_without_its_password(
    stage: Stage,
) -> None:
    directory = stage.history.path.parent
    (configured,) = stage.recorded(PairConfigured)
    assert not isinstance(configured.password, str)
    assert Secrets(directory).resolve(configured.password) == PASSWORD
    assert search(directory, Secrets(directory).known()).leaks == ()
    judge_now(directory, stage.history, "FO-19")
    assert search(directory, Secrets(directory).known()).leaks == ()


def recorded(directory: Path, password: str = encoder.PASSWORD) -> Any:
    reference = Secrets(directory).refer("ucarp.password", password)
    return steady(directory, password=reference.model_dump())


def test_digests_are_verified_by_the_password_that_is_referred_to(tmp_path: Path) -> None:
    assert recorded(tmp_path).judge("FO-19").status == "PASS"
    rejects(recorded(tmp_path, "another one").judge("FO-19"), "do not verify")


def test_without_the_password_only_what_needs_it_is_unknown(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    unsure(run.judge("FO-19"), "no digest can be verified: ucarp.password is not here")
    assert run.judge("FO-16").status == "PASS"


def test_with_another_password_in_its_place_nothing_fails(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    kept = (tmp_path / FILE_NAME).read_text()
    (tmp_path / FILE_NAME).write_text(kept.replace(encoder.PASSWORD, "another one"))
    unsure(run.judge("FO-19"), "not the one that was recorded")


@pytest.mark.parametrize("what", IN_PLACE)
def test_whatever_lies_in_its_place_no_check_fails_or_falls(tmp_path: Path, what: str) -> None:
    run = recorded(tmp_path)
    IN_PLACE[what](tmp_path / FILE_NAME)
    unsure(run.judge("FO-19"), "no digest can be verified: ")
