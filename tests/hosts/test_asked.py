"""What the command line says of hosts: refused before anything starts, or passed on to workers."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lab.keys import KeyPair
from scenarios.over_hosts.asked import arguments_for_workers

PROJECT = Path(__file__).parents[2]


def test_workers_are_asked_for_the_same_from_the_root_of_their_checkout(tmp_path: Path) -> None:
    (tmp_path / "scenarios" / "failover").mkdir(parents=True)
    (tmp_path / "own.toml").touch()
    asked = ["failover", "failover::test_x[a/b]", "-k", "x or y", "--topology=../own.toml", "-x"]
    ours = ["--lab=hosts.toml", "--lab", "h.toml", "--evidence", "/var/run/1", "--set-up-hosts"]
    assert arguments_for_workers([*ours, *asked], tmp_path / "scenarios", tmp_path) == [
        "scenarios/failover",
        "scenarios/failover::test_x[a/b]",
        *("-k", "x or y", "--topology=own.toml", "-x"),
    ]


def test_a_path_that_no_host_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.toml").touch()
    (tmp_path / "checkout").mkdir()
    with pytest.raises(pytest.UsageError, match="so no host has it"):
        arguments_for_workers(
            ["--topology=../outside.toml"], tmp_path / "checkout", tmp_path / "checkout"
        )


def scenarios(*options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "scenarios/harness"]
    done = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_a_run_on_hosts_that_are_not_there_ends_before_it_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]  # nobody answers there any more
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {KeyPair.generate().public}\n")
    (tmp_path / "key").touch()
    file = tmp_path / "hosts.toml"
    head = 'known_hosts = "known"\nkey = "key"\n'
    file.write_text(f'{head}[hosts.one]\naddress = "127.0.0.1"\nport = {port}\n')
    status, said = scenarios(f"--lab={file}", f"--evidence={tmp_path / 'run'}")
    assert status == 4
    assert f"ERROR: --lab: one (root@127.0.0.1:{port}): cannot be reached: " in said
    assert "nothing was started" in said
    assert not (tmp_path / "run").exists()
    status, said = scenarios(f"--lab={file}", "--setup-plan", "--collect-only")
    assert (status, said) == (0, ""), "nothing would run, so no host is looked at"
    status, said = scenarios(f"--lab={file}", "-n", "2")
    assert (status, "no -n beside it" in said) == (4, True)
