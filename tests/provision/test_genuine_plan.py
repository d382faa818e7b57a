"""The multi-node guide as a plan with the genuine software: the published scripts, amended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from provision import multi_node
from provision.genuine.build import Built
from provision.genuine.catalogue import read
from provision.genuine.sources import DIRECTORY, get
from provision.multi_node import all_in_one
from provision.multi_node.controller import CONFIG
from provision.multi_node.nodes import apply_changes
from provision.multi_node.published import (
    CONTROLLER,
    NODE,
    Amended,
    apply_changes_amended,
    convert_amended,
    deploy_script,
)
from provision.notes import Notes
from provision.plan import Plan
from provision.platform import CENTOS_7, CENTOS_STREAM_9, DEBIAN_12, Platform
from provision.step import Step
from provision.transcript import Session, Transcript
from tests.provision.machines import ShellMachine
from tests.provision.test_multi_node import SITE, TOPOLOGY

SECTIONED = """\
#!/bin/sh

#
# Deploys something
#

####################
# FIRST
####################

echo one of 7.0

####################
# SECOND
####################

echo two

####################
# THIRD
####################

echo "####################"
echo three
"""


@pytest.fixture
def built(tmp_path: Path) -> Built:
    place = tmp_path / "built"
    for path in ("repository/Packages", "documentation-2/apply_changes.sh"):
        (place / path).parent.mkdir(parents=True)
        (place / path).write_text(path)
    return Built(place)


def plan_with(built: Built, platform: Platform = DEBIAN_12) -> Plan:
    return multi_node.plan(TOPOLOGY, platform, genuine=built)


def step(plan: Plan, name: str) -> Step:
    return next(one for one in plan.steps if one.name == name)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(ShellMachine(), Notes(), Transcript(tmp_path / "here.log"))


def test_packages_are_there_before_anything_is_deployed(built: Built) -> None:
    names = [one.name for one in plan_with(built).steps]
    for machine, deployed in (("controller", "deploy the controller"), ("node-b", "deploy node-b")):
        assert names.index(f"package repository on {machine}") < names.index(deployed)
    assert "package repository on services" not in names


def test_what_was_built_is_part_of_what_a_checkpoint_depends_on(built: Built) -> None:
    before = plan_with(built).source_keys()[-1]
    (built.repository / "Packages").write_text("other packages")
    assert plan_with(built).source_keys()[-1] != before


def test_vpn_daemon_is_installed_as_the_guide_types_it(built: Built) -> None:
    daemon = step(plan_with(built), "vpn-daemon on node-a").describe()
    assert "apt-get install -y --no-install-recommends vpn-daemon" in daemon
    assert "cp vpn-daemon.key /etc/ssl/vpn-daemon/private/server.key" in daemon
    assert "  | LISTEN=:41194" in daemon
    daemon = step(plan_with(built, CENTOS_STREAM_9), "vpn-daemon on node-a").describe()
    assert "dnf -y install vpn-daemon" in daemon
    assert "chgrp -R vpn-daemon /etc/pki/vpn-daemon" in daemon


def test_php_reads_its_configuration_anew_after_each_change_of_it(built: Built) -> None:
    for name in ("profiles", "merge the profiles"):
        text = step(plan_with(built), name).describe()
        assert "systemctl restart php8.2-fpm" in text
        assert f"find {CONFIG} -newer" in text


@pytest.mark.parametrize(
    ("platform", "user"), [(DEBIAN_12, "www-data"), (CENTOS_STREAM_9, "apache")]
)
def test_configurations_come_from_the_portals_pages(
    built: Built, platform: Platform, user: str
) -> None:
    text = step(plan_with(built, platform), "configurations for clients").describe()
    portal = "https://frkovpn.tuxed.net/vpn-user-portal/"
    assert f"portal-download {portal} user-$1 node-a {user} > " in text
    assert "vpn-user-portal-issue" not in text


def test_what_does_not_work_today_is_an_erratum(built: Built) -> None:
    names = {erratum.name for erratum in plan_with(built).errata}
    assert {
        "units-not-stopped",
        "certificate-names-collide",
        "daemon-unreachable",
        "old-configuration",
        "deploy-on-debian",
        "package-repository",
        "passwords-logged",
        "convert-on-debian",
        "convert-not-executable",
    } <= names
    assert "vpn-daemon-postponed" not in names
    drop_in = {erratum.name for erratum in multi_node.plan(TOPOLOGY, DEBIAN_12).errata}
    assert not drop_in & {"units-not-stopped", "passwords-logged", "convert-on-debian"}
    centos = {erratum.name for erratum in plan_with(built, CENTOS_STREAM_9).errata}
    convert = {"convert-on-debian", "convert-not-executable", "convert-marked-units"}
    assert centos & convert == convert - {"convert-on-debian"}


def test_centos_scripts_find_the_labs_packages(tmp_path: Path, session: Session) -> None:
    script = tmp_path / "deploy_centos_node.sh"
    repository = "[LC-v2]\nbaseurl=https://repo.letsconnect-vpn.org/2/rpm/epel\ngpgcheck=1\n"
    script.write_text(f"rpm --import https://example.org/KEY\n{repository}")
    (action,) = deploy_script("node", CENTOS_STREAM_9, str(tmp_path))
    action.apply(session)
    assert action.applied(session)
    assert script.read_text() == "[LC-v2]\nbaseurl=file:///srv/LC\ngpgcheck=0\n"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (CENTOS_STREAM_9, "yum -y install a policycoreutils-python-utils b"),
        (CENTOS_7, "yum -y install a policycoreutils-python b"),
    ],
)
def test_centos_scripts_name_packages_that_are_there(
    platform: Platform, expected: str, tmp_path: Path, session: Session
) -> None:
    script = tmp_path / "deploy_centos_node.sh"
    script.write_text("yum -y install a policycoreutils-python b\npolicycoreutils-python\n")
    (action,) = deploy_script("node", platform, str(tmp_path))
    action.apply(session)
    first, last = script.read_text().splitlines()
    assert (first, last) == (expected, expected.split()[-2])


def amend(amended: Amended, directory: Path, session: Session) -> str:
    for action in amended.actions(str(directory)):
        if not action.applied(session):
            action.apply(session)
    return (directory / amended.target).read_text()


def test_a_script_is_amended_by_its_sections(tmp_path: Path, session: Session) -> None:
    (tmp_path / "deploy.sh").write_text(SECTIONED)
    amended = Amended("deploy.sh", "deploy_here.sh", ("SECOND",), ("s/7\\.0/8.2/",), ("two",))
    text = amend(amended, tmp_path, session)
    assert "one of 8.2" in text
    assert "SECOND" not in text
    assert "two" not in text
    assert text.endswith(
        "# THIRD\n####################\n\n" + SECTIONED.split("THIRD\n", 1)[1][22:]
    )
    assert os.access(tmp_path / "deploy_here.sh", os.X_OK)
    assert (tmp_path / "deploy.sh").read_text() == SECTIONED


@pytest.mark.parametrize(("gone", "there"), [(("two",), ()), ((), ("four",))])
def test_an_amendment_that_does_not_fit_is_an_error(
    gone: tuple[str, ...], there: tuple[str, ...], tmp_path: Path, session: Session
) -> None:
    (tmp_path / "deploy.sh").write_text(SECTIONED)
    amended = Amended("deploy.sh", "other.sh", ("NONE",), ("s/a/a/",), gone, there)
    with pytest.raises(Exception, match="ended with status"):
        amend(amended, tmp_path, session)


def test_apply_changes_is_amended_once_and_the_published_one_kept(
    tmp_path: Path, session: Session
) -> None:
    script = tmp_path / "apply_changes.sh"
    script.write_text("systemctl list-units --no-legend\n")
    (action,) = apply_changes_amended(str(tmp_path))
    action.apply(session)
    assert action.applied(session)
    assert script.read_text() == "systemctl list-units --plain --no-legend\n"
    published = tmp_path / "apply_changes.sh.published"
    assert published.read_text() == "systemctl list-units --no-legend\n"


#: Of the same form as the published one: which programs, and in which order.
CONVERT = """\
#!/bin/sh
yum remove -y vpn-server-node
rm -rf /etc/vpn-server-node
semanage port -d -t openvpn_port_t -p tcp 11940-16036
for i in $(systemctl -a --no-legend | grep openvpn-server@ | awk {'print $1'})
do
    systemctl disable --now "${i}"
done
yum remove -y openvpn
cp resources/centos/iptables /etc/sysconfig/iptables
cp resources/centos/ip6tables /etc/sysconfig/ip6tables
systemctl restart iptables
systemctl restart ip6tables
"""
CONVERT_ON_DEBIAN = """\
#!/bin/sh
DEBIAN_FRONTEND=noninteractive apt-get remove -y vpn-server-node
rm -rf /etc/vpn-server-node
for i in $(systemctl -a --plain --no-legend | grep openvpn-server@ | awk {'print $1'})
do
    systemctl disable --now "${i}"
done
DEBIAN_FRONTEND=noninteractive apt-get remove -y openvpn
cp resources/centos/iptables /etc/iptables/rules.v4
cp resources/centos/ip6tables /etc/iptables/rules.v6
systemctl restart netfilter-persistent
"""


def test_a_conversion_reads_centos_names_as_debians(tmp_path: Path, session: Session) -> None:
    script = tmp_path / "convert_to_controller.sh"
    script.write_text(CONVERT)
    for action in convert_amended(str(tmp_path), DEBIAN_12):
        action.apply(session)
        assert action.applied(session)
    assert os.access(script, os.X_OK), "it is published as 0644"
    assert script.read_text() == CONVERT_ON_DEBIAN
    assert (tmp_path / "convert_to_controller.sh.published").read_text() == CONVERT


def test_a_conversion_on_centos_finds_units_that_failed(tmp_path: Path, session: Session) -> None:
    script = tmp_path / "convert_to_controller.sh"
    script.write_text(CONVERT)
    for action in convert_amended(str(tmp_path), CENTOS_STREAM_9):
        action.apply(session)
        assert action.applied(session)
    assert script.read_text() == CONVERT.replace("--no-legend", "--plain --no-legend")


@pytest.mark.parametrize("platform", [DEBIAN_12, CENTOS_STREAM_9])
def test_all_in_one_amends_what_it_runs_of_the_published_scripts(platform: Platform) -> None:
    ((drop_in,), (genuine,)) = (
        all_in_one.steps(SITE, platform, genuine=which) for which in (False, True)
    )
    assert ".published" not in drop_in.describe()
    text = genuine.describe()
    first = text.index(f"./{platform.deploy_node}")
    for name in (platform.deploy_node, "apply_changes.sh", "convert_to_controller.sh"):
        assert 0 < text.index(f"/{name}") < first
    assert genuine.actions[-len(drop_in.actions) :] == drop_in.actions


@pytest.mark.parametrize(("written_s_later", "runs"), [(-5, True), (0, True), (60, False)])
def test_a_process_that_was_never_stopped_does_not_count_as_running(
    written_s_later: int, runs: bool, tmp_path: Path
) -> None:
    node = SITE.nodes[0]
    _, running = apply_changes(node, once="it")
    programs, configs = tmp_path / "bin", tmp_path / "configs"
    programs.mkdir()
    configs.mkdir()
    answers = {"systemctl": 'case $1 in show) echo "MainPID=7";; esac', "ps": "echo 100"}
    answers["date"] = "echo 1000"
    for name, script in answers.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    for number in (0, 1):
        (configs / f"{node.name}-{number}.conf").touch()
        times = (900 + written_s_later,) * 2
        os.utime(configs / f"{node.name}-{number}.conf", times)
    script = running.text.replace("/etc/openvpn/server", str(configs))
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) is runs
    assert ("is older than its configuration" in done.stdout) is not runs


_CURL = """#!/bin/sh
case "$*" in
*_form/auth/verify) echo "cookie" >cookies; printf %s {login} ;;
*configurations) printf 'client\nremote x 1194 udp\n' | grep {found} >"$3"; printf 200 ;;
esac
"""


@pytest.mark.parametrize(
    ("login", "found", "said"),
    [(302, "-e .", ""), (200, "-e .", "user-1 was not let in: HTTP 200"),
     (302, "-v remote", "user-1 got no configuration of node-a: HTTP 200")],
)  # fmt: skip
def test_a_configuration_is_downloaded_by_who_was_let_in(
    login: int, found: str, said: str, tmp_path: Path
) -> None:
    script = Path(multi_node.__file__).with_name("portal-download.sh")
    curl = _CURL.format(login=login, found=found).replace('"$3"', '"$out"')
    curl = curl.replace("case", 'while [ "$1" != -o ]; do shift; done; out=$2\ncase', 1)
    curl = curl.replace(">cookies", ">/dev/null")
    sudo = f'#!/bin/sh\necho "$@" >{tmp_path}/asked\ncat\n'
    programs = {"pwgen": "#!/bin/sh\necho secret\n", "sudo": sudo, "curl": curl}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", str(script), "https://x/vpn-user-portal/", "user-1", "node-a", "apache"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.stderr.strip() == said
    assert done.stdout == ("" if said else "client\nremote x 1194 udp\n")
    assert done.returncode == bool(said)
    asked = (tmp_path / "asked").read_text()
    assert asked == "-u apache vpn-user-portal-add-user --user user-1\n"


@pytest.mark.skipif(DIRECTORY not in os.environ, reason=f"needs the sources: {DIRECTORY}")
def test_the_published_scripts_can_be_amended(tmp_path: Path, session: Session) -> None:
    get(read()["documentation"]).unpack(tmp_path / "scripts")
    for amended in (CONTROLLER, NODE):
        amend(amended, tmp_path / "scripts", session)
    for action in convert_amended(str(tmp_path / "scripts"), DEBIAN_12):
        action.apply(session)
