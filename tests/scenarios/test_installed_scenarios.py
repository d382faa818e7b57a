"""What stands on machines is looked at as it is: by a shell here, on files that are made up."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.verdict import Status
from checks.multi_node.converted import ASKED, CONVERT, KEPT
from evidence.events.installed import (
    CredentialsShown,
    InstallationShown,
    NodeConfigured,
    TlsCryptKeysShown,
)
from evidence.history import read_history
from provision.platform import DEBIAN_12
from scenarios.multi_node import (
    installed,
    test_controller,
    test_converting,
    test_load_balancing,
    test_nodes,
)
from tests.checks.multi_node.installed_runs import KEY, made
from tests.reference.drop_in import SOFTWARE
from tests.scenarios.pretended_portal import OVPN, PRINTED, TLS_CRYPT, PretendedPortal
from tests.scenarios.test_multi_node_scenarios import Stage, as_json
from tests.scenarios.test_multi_node_scenarios import stage as stage

CURL = "curl -q -K -"


class Shell:
    """A machine whose commands are run here, with programs of its own before all others."""

    name = "here"

    def __init__(self, programs: Path | None = None, **places: Path) -> None:
        self.programs, self.places = programs, places

    def run(self, command: str, *, check: bool = True, **_: Any) -> Any:
        for name, place in self.places.items():
            command = command.replace(f"/etc/{name}", str(place))
        path = f"{self.programs}:{os.environ['PATH']}" if self.programs else os.environ["PATH"]
        done = subprocess.run(
            ["sh", "-c", command],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=check,
        )
        return SimpleNamespace(
            status=done.returncode, stdout=done.stdout, output=done.stdout, seconds=0.1
        )


def only(stage: Stage, kind: type[Any]) -> Any:
    (event,) = read_history(stage.history.path).of(kind)
    return event


def program(directory: Path, name: str, said: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\n{said}\n")
    (directory / name).chmod(0o755)


def test_certificates_are_shown_whole_and_of_keys_their_first_line(
    stage: Stage, tmp_path: Path
) -> None:
    shown, key = tmp_path / "a.crt", tmp_path / "a.key"
    shown.write_text(made("server"))
    key.write_text(f"{KEY}\nsecret\n-----END PRIVATE KEY-----\n")
    key.chmod(0o604)
    paths = {
        str(shown): ("server", "certificate"),
        str(key): ("server", "key"),
        str(tmp_path / "absent"): ("client", "key"),
    }
    installed.credentials(stage.history, cast(Any, Shell()), paths)
    certificate, other = only(stage, CredentialsShown).files
    assert certificate.text == made("server").strip()
    assert (other.text, other.mode, other.path) == (KEY, "604", str(key))
    assert "secret" not in stage.history.path.read_text()


def test_one_key_has_one_digest_wherever_it_stands(stage: Stage, tmp_path: Path) -> None:
    alone = f"#\n# 2048 bit OpenVPN static key\n-----BEGIN-----\n{TLS_CRYPT}\n-----END-----\n"
    (tmp_path / "ta.key").write_text(alone)
    (tmp_path / "a.conf").write_text(f"port 1194\n<tls-crypt>\n{alone}</tls-crypt>\n")
    (tmp_path / "b.conf").write_text("port 1194\n")
    paths = f"{tmp_path}/ta.key {tmp_path}/*.conf {tmp_path}/absent"
    installed.tls_crypt_keys(stage.history, cast(Any, Shell()), paths)
    shared, a, b = only(stage, TlsCryptKeysShown).keys
    assert shared.digest == a.digest == installed.key_in(OVPN) != ""
    assert (Path(b.path).name, b.digest) == ("b.conf", "")
    assert installed.key_in("client\n") == ""
    assert installed.key_in("<tls-crypt>" * 500_000) == "", "none of them is closed"
    assert TLS_CRYPT not in stage.history.path.read_text()


def test_what_is_installed_is_what_would_run_too(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_, server, systemd = tmp_path / "bin", tmp_path / "openvpn", tmp_path / "systemd"
    (server / "server").mkdir(parents=True)
    bin_.mkdir()
    (server / "server" / "it-0.conf").touch()
    wants = systemd / "system" / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "openvpn-server@it-1.service").symlink_to("/nowhere")
    rows = "openvpn-server@it-0.service loaded active running it\\n"
    rows += "openvpn-server@internet-0.service loaded failed failed it\\n"
    program(
        bin_, "systemctl",
        f'case $1 in is-active) echo inactive; exit 3;; *) printf "{rows}";; esac',
    )  # fmt: skip
    program(bin_, "pidof", "echo 12 13")
    program(bin_, "vpn-user-portal-add-user", "")
    (tmp_path / "config.php").write_text("<?php")
    monkeypatch.setattr(installed, "CONFIG", str(tmp_path / "config.php"))
    machine = Shell(bin_, openvpn=server, systemd=systemd)
    installed.installation(stage.history, cast(Any, machine), DEBIAN_12)
    seen = only(stage, InstallationShown)
    assert "vpn-user-portal-add-user" in seen.present
    assert "vpn-server-node-server-config" not in seen.present
    assert seen.units == ("openvpn-server@it-0.service", "openvpn-server@it-1.service")
    assert (seen.processes, seen.files, seen.web) == (2, ("it-0.conf",), "inactive")
    assert len(seen.config) == 64


def test_an_api_without_configuration_is_recorded_as_such(stage: Stage) -> None:
    said = "present vpn-server-api-status\nweb active\n"
    seen = installed.read_installation("controller", said)
    assert (seen.config, seen.units, seen.processes) == ("", (), 0)
    assert seen.asked == ASKED


@pytest.mark.parametrize(("said", "wanted"), [("null", None), ('["node-a"]', ["node-a"])])
def test_a_nodes_list_is_recorded_as_php_has_it(stage: Stage, said: str, wanted: object) -> None:
    machine = SimpleNamespace(name="node-a", run=lambda *_, **__: SimpleNamespace(stdout=said))
    installed.node_config(stage.history, cast(Any, machine))
    assert only(stage, NodeConfigured).profile_list == wanted


# The scenarios, on machines that answer from a script


def lab_of(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(
        cast(Any, stage.lab), "image", SimpleNamespace(name="debian-12"), raising=False
    )
    monkeypatch.setattr(cast(Any, stage.lab), "directory", stage.directory, raising=False)
    return stage.lab


def listed(paths: dict[str, tuple[str, str]]) -> str:
    return "".join(
        f"\n@@@ {600 if of == 'authority' else 640} root root {path}\n"
        f"{KEY if what == 'key' else made(of)}"
        for path, (of, what) in paths.items()
    )


def test_every_certificate_and_key_is_looked_at(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_of(stage, monkeypatch)
    stage.lab["controller"].script = {"stat -L": listed(installed.credentials_of_controller())}
    for node in stage.site.nodes:
        stage.lab[node].script = {"stat -L": listed(installed.credentials_of_node(DEBIAN_12))}
    test_controller.test_certificates_are_made_by_vpn_ca_and_keys_are_nobody_elses(
        lab, stage.site, stage.history, stage.judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_each_node_is_looked_at_after_changes_were_applied(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_of(stage, monkeypatch)
    for node in stage.site.nodes:
        machine = stage.lab[node]
        ran = machine.run

        def run(command: str, ran: Any = ran, **kwargs: Any) -> Any:
            if "apply_changes" in command:
                return SimpleNamespace(status=0, stdout="", output="done")
            return ran(command, **kwargs)

        monkeypatch.setattr(machine, "run", run)
        machine.script = {"profileList": as_json([node]), **machine.script}
    test_nodes.test_a_node_deploys_the_profiles_of_its_list_and_no_others(
        lab, stage.site, stage.history, stage.judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def merged(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> PretendedPortal:
    lab, portal = lab_of(stage, monkeypatch), PretendedPortal(stage.site)
    digest = installed._digest([TLS_CRYPT])
    for node in stage.site.nodes:
        stage.lab[node].script = {"sha256sum": f"@@@ {node}-0.conf\n{digest}  -\n"}
    controller = stage.lab["controller"]
    controller.script = {
        "sha256sum": f"@@@ {installed.SHARED_KEY}\n{digest}  -\n",
        "deploy_controller.log": PRINTED,
        **controller.script,
    }
    stage.lab[stage.site.client.name].script = {CURL: portal.answer}
    test_load_balancing.test_merged_profiles_are_one_to_users_with_one_name_and_one_key(
        lab, stage.site, stage.history, stage.judge
    )
    return portal


def test_merged_profiles_are_asked_for_as_a_user_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = merged(stage, monkeypatch)
    assert stage.verdict.status is Status.PASS, stage.verdict.text
    assert portal.deleted == {"demo"}
    assert TLS_CRYPT not in stage.history.path.read_text()


def test_a_portal_that_cannot_read_the_key_is_a_finding(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.scenarios.pretended_portal.OVPN", "no key")
    merged(stage, monkeypatch)
    assert stage.verdict.status is Status.FAIL
    assert "leads to nowhere" in stage.verdict.text


def state(present: Sequence[str], *, serves: bool, config: str = "ab" * 32) -> str:
    lines = [f"present {one}" for one in present]
    if serves:
        lines += ["unit openvpn-server@node-a-0.service", "process 12", "file node-a-0.conf"]
    return "\n".join([*lines, "web active", *([f"config {config}  -"] if config else [])])


def converted(stage: Stage, monkeypatch: pytest.MonkeyPatch, after: str, portal: Any) -> None:
    lab = lab_of(stage, monkeypatch)
    states = [after, state(ASKED, serves=True)]

    def run(command: str, **_: Any) -> Any:
        said = ""
        if "deploy_controller.log" in command:
            said = PRINTED
        elif "list-units" in command:
            said = states.pop()
        elif command.endswith(f"./{CONVERT}"):
            portal.converted = True
        return SimpleNamespace(status=0, stdout=said, output="")

    monkeypatch.setattr(stage.lab["controller"], "run", run)
    monkeypatch.setattr(
        test_converting, "Plan", lambda steps: SimpleNamespace(run=lambda *_, **__: steps)
    )
    stage.lab[stage.site.client.name].script = {CURL: portal.answer}
    test_converting.test_an_installation_that_is_all_in_one_becomes_a_controller(
        lab, stage.site, stage.history, stage.judge
    )


def test_a_conversion_is_looked_at_before_and_after(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(stage, monkeypatch, state(KEPT, serves=False), PretendedPortal(stage.site))
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_a_portal_that_is_gone_afterwards_is_a_finding(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Going(PretendedPortal):
        converted = False

        def answer(self, command: str, stdin: str) -> str:
            return "curl: (7) refused" if self.converted else super().answer(command, stdin)

    after = state(KEPT, serves=False, config="")
    converted(stage, monkeypatch, after, Going(stage.site))
    assert stage.verdict.status is Status.FAIL
    assert "the API's configuration is gone" in stage.verdict.text
    assert "admin cannot log in any more: 0" in stage.verdict.text


@pytest.mark.parametrize("genuine", [True, False])
def test_the_published_script_is_told_from_the_drop_ins(
    genuine: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / CONVERT
    shutil.copyfile(SOFTWARE / CONVERT, script)
    if genuine:
        script.write_text("#!/bin/sh\nyum remove -y vpn-server-node\n")
    monkeypatch.setattr(test_converting, "SCRIPT", str(script))
    machine = cast(Any, Shell())
    monkeypatch.setattr(machine, "run", partial(machine.run, check=False))
    assert test_converting.is_published(machine) is genuine
