"""ovpn-init and sacli as a person or a script runs them, installed by install.sh."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from openvpnas import snapshot
from openvpnas.cli_service import accept_snapshot
from openvpnas.config import Config
from openvpnas.paths import ROOT_VARIABLE, Paths
from openvpnas.users import Users

Command = Callable[..., "subprocess.CompletedProcess[str]"]
INIT, SACLI = "bin/ovpn-init", "scripts/sacli"


@pytest.fixture
def node(template: Path, tmp_path: Path) -> Paths:
    """Give a primary node with a user."""
    shutil.copytree(template, tmp_path / "root")
    paths = Paths(tmp_path / "root")
    Users.at(paths).put("alice", "prop_autologin", "true")
    return paths


def contents(paths: Paths) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in paths.etc.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    "answer", ["delete\n", "Delete\n", "yes\n", "\n", "", " DELETE\n", "DELETE \n"]
)
def test_anything_but_the_exact_word_leaves_the_node_as_it_was(
    command: Command, node: Paths, answer: str
):
    before = contents(node)
    done = command(INIT, "--secondary", stdin=answer)
    assert done.returncode == 1
    assert contents(node) == before


def test_the_exact_word_wipes_and_makes_a_standby(command: Command, node: Paths):
    done = command(INIT, "--secondary", stdin="DELETE\n")
    assert done.returncode == 0
    assert "Please enter 'DELETE' to delete existing configuration:" in done.stdout
    assert contents(node) == {node.role_file: b"secondary\n"}


def test_batch_and_force_never_read_standard_input(command: Command, node: Paths, installed: Path):
    program = installed / "usr/local/openvpn_as" / INIT
    done = subprocess.run(
        ["sh", "-c", '"$0" --secondary --batch --force <&-', program],
        env={**os.environ, "OPENVPN_AS_ROOT": str(node.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "DELETE" not in done.stdout
    assert contents(node) == {node.role_file: b"secondary\n"}


def test_batch_alone_does_not_wipe_a_node_that_holds_data(command: Command, node: Paths):
    before = contents(node)
    done = command(INIT, "--secondary", "--batch", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert contents(node) == before


def test_answering_no_to_the_primary_question_makes_a_standby(command: Command, node: Paths):
    assert command(INIT, stdin="no\nDELETE\n").returncode == 0
    assert node.role_file.read_text() == "secondary\n"


def test_a_host_that_cannot_be_is_refused_before_the_wipe(command: Command, node: Paths):
    before = contents(node)
    assert command(INIT, "--batch", "--force", "--host=a b").returncode == 1
    assert contents(node) == before


def test_a_primary_can_be_queried_at_once(command: Command, tmp_path: Path):
    done = command(INIT, "--batch", "--force", "--host=vpn.example.org", stdin=subprocess.DEVNULL)
    assert "Admin password: " in done.stdout
    values = json.loads(command(SACLI, "ConfigQuery").stdout)
    assert values["host.name"] == "vpn.example.org"
    assert values["ucarp.vhid"] == "94"
    assert {type(value) for value in values.values()} == {str}


def test_config_put_and_delete(command: Command, node: Paths):
    done = command(SACLI, "--key", "ucarp.vhid", "--value", "77", "ConfigPut")
    assert (done.returncode, done.stdout) == (0, "[True, {}]\n")
    assert Config.at(node).get("ucarp.vhid") == "77"
    command(SACLI, "--key", "ucarp.vhid", "ConfigDel")
    assert Config.at(node).get("ucarp.vhid") == "94"


def test_a_value_may_come_from_a_file(command: Command, node: Paths, tmp_path: Path):
    (tmp_path / "value").write_text("a.example\n")
    command(SACLI, "--key", "host.name", "--value_file", str(tmp_path / "value"), "ConfigPut")
    assert Config.at(node).get("host.name") == "a.example"


@pytest.mark.parametrize("vhid", ["0", "256"])
def test_a_refused_value_is_said_and_changes_nothing(command: Command, node: Paths, vhid: str):
    done = command(SACLI, "--key", "ucarp.vhid", "--value", vhid, "ConfigPut")
    assert done.returncode == 1
    assert "1 to 255" in done.stderr
    assert Config.at(node).get("ucarp.vhid") == "94"


def test_a_subscription_is_loaded_as_the_guide_types_it(command: Command, node: Paths):
    assert command(SACLI, "-v", "LAB-25-abcdef", "LoadSubscription").returncode == 0
    shown = ast.literal_eval(command(SACLI, "SubscriptionStatus").stdout)
    assert (shown["name"], shown["max_cc"], shown["state"]) == (
        "LAB-25-abcdef",
        25,
        "SUBSCRIPTION_OK",
    )
    assert "subscription.bundle" in Config.at(node).all()


def test_user_properties_show_no_digest(command: Command, node: Paths):
    command(SACLI, "--user", "alice", "--new_pass", "secret", "SetLocalPassword")
    shown = command(SACLI, "--user", "alice", "UserPropGet").stdout
    assert json.loads(shown)["alice"] == {"prop_autologin": "true", "type": "user_connect"}


def test_one_time_passwords_come_from_standard_input(command: Command, node: Paths):
    arguments = ("--user", "alice", "--value_file", "-", "AddOneTimePasswords")
    assert json.loads(command(SACLI, *arguments, stdin="a b\nc\n").stdout)["unused"] == 3


def test_both_profiles_are_printed(command: Command, node: Paths):
    for action in ("GetUserlogin", "GetAutologin"):
        done = command(SACLI, "--user", "alice", action)
        assert done.returncode == 0
        assert "remote vpn.example.org 1194 udp" in done.stdout


def test_revoking_a_user_without_a_certificate_is_said(command: Command, node: Paths):
    done = command(SACLI, "--user", "alice", "RevokeUser")
    assert done.returncode == 1
    assert "no certificate" in done.stderr


def test_after_a_revocation_a_profile_has_a_new_certificate(command: Command, node: Paths):
    first = command(SACLI, "--user", "alice", "GetUserlogin").stdout
    assert command(SACLI, "--user", "alice", "RevokeUser").returncode == 0
    assert command(SACLI, "--user", "alice", "GetUserlogin").stdout != first


def test_a_service_that_does_not_run_has_no_services(command: Command, node: Paths):
    shown = json.loads(command(SACLI, "status").stdout)
    assert shown["service_status"] == {}


def test_a_start_says_what_will_restart(command: Command, node: Paths):
    lines = command(SACLI, "start").stdout.splitlines()
    assert lines[0] == "RunStart warm None"
    assert lines[-1] == "WILL_RESTART []"


def test_a_standby_refuses_configuration_and_says_why(command: Command, node: Paths):
    command(INIT, "--secondary", "--batch", "--force")
    done = command(SACLI, "--key", "host.name", "--value", "x", "ConfigPut")
    assert done.returncode == 1
    assert "standby" in done.stderr
    assert json.loads(command(SACLI, "FailoverStatus").stdout)["role"] == "secondary"


def test_an_unknown_action_is_a_wrong_command_line(command: Command, node: Paths):
    assert command(SACLI, "Nonsense").returncode == 2


def test_installing_again_keeps_the_configuration(command: Command, node: Paths, installed: Path):
    source = Path(__file__).parents[3] / "provision/reference/access_server"
    before = contents(node)
    subprocess.run([source / "install.sh", "--root", node.root], check=True, capture_output=True)
    assert contents(node) == before


def test_a_running_standby_refuses_changes_that_would_be_lost(command: Command, node: Paths):
    node.runtime.mkdir(parents=True)
    node.state_file.write_text(json.dumps({"pid": os.getpid(), "state": "BACKUP"}))
    done = command(SACLI, "-v", "LAB-25-abcdef", "LoadSubscription")
    assert done.returncode == 1
    assert "use the active node" in done.stderr
    assert command(SACLI, "SubscriptionStatus").returncode == 0


def test_an_active_node_takes_no_snapshot_of_a_second_active_one(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(ROOT_VARIABLE, str(paths.root))
    snapshot.make(paths)
    paths.staging.mkdir()
    (paths.outgoing / "complete").resolve().rename(paths.staging / "incoming")
    paths.runtime.mkdir(parents=True)
    paths.state_file.write_text(json.dumps({"pid": os.getpid(), "state": "MASTER"}))
    assert accept_snapshot() == 1
    assert "active itself" in capsys.readouterr().err
    assert snapshot.staged(paths) is None
    paths.state_file.write_text(json.dumps({"pid": os.getpid(), "state": "BACKUP"}))
    assert accept_snapshot() == 0
    assert snapshot.staged(paths) is not None
