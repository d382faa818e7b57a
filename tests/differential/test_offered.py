"""Nothing is offered by the drop-in without its genuine counterpart beside it in a test.

These run everywhere: what the genuine packages hold stands in `provision.genuine.recipes`, what the
genuine API answers in the recorded answers.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.genuine.recipe import DEBIAN
from provision.genuine.recipes import recipes
from tests.differential.exchanges import recorded
from tests.differential.listed import README, in_the_readme
from tests.reference.drop_in import SOFTWARE, Machine

HERE = Path(__file__).parent
CALLS = "test_api.py::test_the_drop_in_answers_as_the_genuine_api_was_recorded"
_COMMANDS = "test_commands.py::test_commands_of_controller_and_portal_do_the_same"
_CONFIGURATIONS = (
    "test_commands.py::test_the_drop_ins_configurations_hold_what_the_genuine_ones_hold"
)
_HOOKS = "test_hooks.py::test_hooks_end_alike_and_ask_for_the_same"

#: What is installed, by the genuine packages' path, and the test that compares it.
COMPARED = {
    "/usr/bin/vpn-ca": "test_vpn_ca.py::test_certificates_are_the_same_extension_by_extension",
    "/usr/bin/vpn-server-api-housekeeping": _COMMANDS,
    "/usr/bin/vpn-server-api-init": _COMMANDS,
    "/usr/bin/vpn-server-api-status": (
        "test_connections.py::test_the_status_command_prints_the_same"
    ),
    "/usr/bin/vpn-server-api-update-api-secrets": _COMMANDS,
    "/usr/bin/vpn-server-api-update-ip": _COMMANDS,
    "/usr/bin/vpn-server-node-generate-firewall": (
        "test_firewall.py::test_the_rules_are_the_genuine_ones"
    ),
    "/usr/bin/vpn-server-node-server-config": (
        "test_server_config.py::test_server_configurations_are_the_same_line_by_line"
    ),
    "/usr/bin/vpn-user-portal-add-user": _COMMANDS,
    "/usr/bin/vpn-user-portal-init": _COMMANDS,
    "/usr/sbin/vpn-daemon": "test_daemon.py::test_answers_are_the_genuine_ones",
    "/usr/lib/vpn-server-node/client-connect": _HOOKS,
    "/usr/lib/vpn-server-node/client-disconnect": _HOOKS,
    "/etc/vpn-server-api/config.php": _CONFIGURATIONS,
    "/etc/vpn-server-node/config.php": _CONFIGURATIONS,
    "/etc/vpn-server-node/firewall.php": _CONFIGURATIONS,
    "/etc/vpn-user-portal/config.php": _CONFIGURATIONS,
    "/etc/cron.d/vpn-server-api": "test_commands.py::test_housekeeping_is_started_as_often",
}
_SCRIPTS = "test_scripts.py::test_each_does_what_the_genuine_one_does"
SCRIPTS = {
    "multi_node/start_node.sh": _SCRIPTS,
    "multi_node/stop_node.sh": _SCRIPTS,
    "multi_node/update_controller.sh": _SCRIPTS,
    "multi_node/update_node.sh": _SCRIPTS,
}
IN_LABS = {
    "apply_changes.sh",
    "convert_to_controller.sh",
    "deploy_centos_controller.sh",
    "deploy_centos_node.sh",
    "deploy_debian_controller.sh",
    "deploy_debian_node.sh",
}
"""They make over whole machines: what compares them is a lab with --software of each kind."""
UNCOMPARED = {"lets_encrypt_centos.sh", "lets_encrypt_debian.sh"}
"""No lab reaches an ACME server, and the genuine ones write below /etc of whoever runs them."""
PORTAL = HERE.parent / "reference/test_portal_beside_genuine.py"
INVENTED = {"/usr/bin/vpn-user-portal-issue"}
"""Has no counterpart; the README says so."""
_PLACES = ("usr/bin", "usr/sbin", "usr/lib/vpn-server-node", "etc/vpn-*", "etc/cron.d")


@pytest.fixture(scope="module")
def offered(installed: Machine) -> set[str]:
    """Return the path of every program and configuration file that the drop-in installs."""
    if not Path("/etc/debian_version").exists():
        pytest.skip("the paths are those of Debian")
    return set(_files(installed.root))


def _files(root: Path) -> Iterator[str]:
    for place in _PLACES:
        for directory in root.glob(place):
            for path in directory.iterdir():
                if path.is_file() and (os.access(path, os.X_OK) or "etc" in place):
                    yield f"/{path.relative_to(root)}"


def test_every_program_and_file_has_a_counterpart_and_is_compared(offered: set[str]) -> None:
    assert offered - COMPARED.keys() - INVENTED == set()
    assert (COMPARED.keys() | INVENTED) - offered == set()
    packaged = {one.target for recipe in recipes(DEBIAN) for one in recipe.contents}
    assert COMPARED.keys() - packaged == set()
    assert INVENTED & packaged == set()


def test_every_call_of_the_api_was_asked_of_the_genuine_one_and_answered() -> None:
    from vpn_server_api.app import _CALLS

    asked: dict[str, set[int]] = {}
    for one in recorded():
        call = one.request.split()[1].strip("/").partition("?")[0] if " /" in one.request else ""
        asked.setdefault(call, set()).add(one.answer.status)
    assert {call for call in _CALLS if not asked.get(call, set()) & {200, 201}} == set()


@pytest.mark.parametrize("test", sorted({CALLS, _SCRIPTS, *COMPARED.values()}))
def test_what_compares_is_there(test: str) -> None:
    module, _, name = test.partition("::")
    loaded = importlib.import_module(f"tests.differential.{module.removesuffix('.py')}")
    assert callable(getattr(loaded, name))


def test_every_script_is_compared_or_said_to_be_compared_in_labs_alone() -> None:
    scripts = [*SOFTWARE.glob("*.sh"), *SOFTWARE.glob("multi_node/*.sh")]
    assert {str(one.relative_to(SOFTWARE)) for one in scripts} == (
        SCRIPTS.keys() | IN_LABS | UNCOMPARED
    )


def test_every_page_of_the_portal_is_asked_of_both() -> None:
    from vpn_user_portal.app import _ADMINS, _USERS

    asked = PORTAL.read_text()
    pages = {page.strip("/") for page in (*_USERS, *_ADMINS)} - {""}
    assert {page for page in pages if f'"{page}"' not in asked} == set()


def test_what_is_invented_is_said_to_be() -> None:
    text = README.read_text()
    for program in INVENTED:
        (line,) = [one for one in text.splitlines() if f"`{Path(program).name} " in one]
        assert "invented" in line


def test_the_readme_lists_the_differences_that_tests_see_and_no_others() -> None:
    seen: set[str] = set()
    for path in HERE.glob("test_*.py"):
        module = importlib.import_module(f"tests.differential.{path.stem}")
        for name in ("PERMITTED", "ENDS"):
            seen |= set(getattr(module, name, {}))
    assert seen == in_the_readme()
