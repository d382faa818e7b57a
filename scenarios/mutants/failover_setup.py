"""Mutants of how a pair is set up, and of the failover page: FO-01 to FO-11, FO-45."""

from __future__ import annotations

from scenarios.mutants.access_server import PROGRAMS, Patched, Wrapped
from scenarios.mutants.mutant import Broken, Mutant

_FILE = "test_setup.py::"
_WIPE = f"{_FILE}test_only_the_word_delete_wipes_and_then_nothing_is_left"
_VALIDATE = f"{_FILE}test_validate_shows_four_good_rows_and_each_prerequisite_its_own"
_OF_ROWS = ("FO-01", "FO-06", "FO-07", "FO-08")
_PRIMARY, _SECONDARY = ("primary",), ("secondary",)

_REFUSED = '            return Row("", BAD, f"{host}: {outcome.last_line}")'
_TAKEN = '            return Row("", GOOD, "not looked at")'
_ALWAYS_GOOD = Patched(_PRIMARY, "validation.py", 'BAD = "BAD"', 'BAD = "GOOD"')
_NO_SSH_TEST = Patched(_PRIMARY, "validation.py", _REFUSED, _TAKEN)
_STARTS_UCARP = (
    "ucarp --interface=wire0 --srcip={pair.secondary.host} --vhid={pair.vhid} --pass=another "
    "--addr={pair.virtual_ip} --upscript=/bin/true --downscript=/bin/true --shutdown --neutral "
    "</dev/null >/dev/null 2>&1 &"
)


def _others(requirement: str) -> tuple[str, ...]:
    return tuple(one for one in _OF_ROWS if one != requirement)


def one_way_key(broken: Broken) -> None:
    """Take the secondary's key away from the primary's root."""
    key = broken.lab["secondary"].run("cut -d' ' -f2 /root/.ssh/id_rsa.pub").stdout.strip()
    known = "/root/.ssh/authorized_keys"
    broken.lab["primary"].run(f"grep -qF {key} {known} && sed -i '\\#{key}#d' {known}")


def any_case_confirms(broken: Broken) -> None:
    """Let ovpn-init take the word in any case, where it asks before it starts anything."""
    asks, asks_less = '"$answer" != DELETE ]', '"$(echo "$answer" | tr a-z A-Z)" != DELETE ]'
    broken.edit("secondary", f"{PROGRAMS}/ovpn-init", asks, asks_less)


MUTANTS = (
    Mutant(
        "FO-01", _VALIDATE, "primary", "rsync cannot be started",
        ("not GOOD in a pair set up right", "rsync on primary"),
        Wrapped(_PRIMARY, "rsync", "exit 127", restarts=False), _others("FO-01"),
    ),
    Mutant(
        "FO-02", _WIPE, "secondary", "ovpn-init accepts the word in any case",
        ("'delete'", "the configuration"),
        any_case_confirms,
    ),
    Mutant(
        "FO-03", _WIPE, "secondary", "a wipe keeps the databases",
        ("left after the wipe: ", "seeded-one"),
        Patched(
            _SECONDARY, "initialise.py",
            "        shutil.rmtree(directory, ignore_errors=True)",
            "        if directory != paths.databases:\n"
            "            shutil.rmtree(directory, ignore_errors=True)",
            restarts=False,
        ),
    ),
    Mutant(
        "FO-04", f"{_FILE}test_batch_and_force_never_ask", "secondary",
        "ovpn-init asks with --batch --force, too", ("it read its standard input",),
        Patched(
            _SECONDARY, "cli_init.py",
            "    if batch and force:\n        return",
            '    if batch and force:\n        _ask("Really? ")\n        return',
            restarts=False,
        ),
    ),
    Mutant(
        "FO-05", f"{_FILE}test_root_reaches_root_in_both_directions", "primary",
        "the secondary's key is taken away", ("from secondary ended with status",), one_way_key,
    ),
    Mutant(
        "FO-06", _VALIDATE, "primary", "Validate logs in nowhere", ("read GOOD", "SSH from"),
        _NO_SSH_TEST, ("FO-07", "FO-08"),
    ),
    Mutant(
        "FO-07", _VALIDATE, "primary", "Validate reads GOOD always", ("all rows read GOOD",),
        _ALWAYS_GOOD, _others("FO-07"),
    ),
    Mutant(
        "FO-07", _VALIDATE, "primary", "Validate shows a row twice", ("5 rows",),
        Patched(
            _PRIMARY, "validation.py",
            "[asdict(row) for row in self.rows]",
            "[asdict(row) for row in (*self.rows, *self.rows[:1])]",
        ),
        more="twice",
    ),
    Mutant(
        "FO-08", _VALIDATE, "primary", "both rows about rsync look at the same node",
        ("no-rsync: rows ", "turned bad"),
        Patched(
            _PRIMARY, "validation.py",
            "        _rsync_name(other): partner.rsync(),",
            '        _rsync_name(other): _rsync(shell.run(["rsync", "--version"])),',
        ),
        _others("FO-08"),
    ),
    Mutant(
        "FO-09", f"{_FILE}test_validate_changes_nothing", "secondary",
        "Validate starts ucarp there", ("changed by Validate", "secondary: programs"),
        Patched(
            _PRIMARY, "validation.py",
            "    partner = _Partner(pair, name, shell)\n    rows",
            "    partner = _Partner(pair, name, shell)\n"
            f'    partner.ask(f"setsid {_STARTS_UCARP}")\n    rows',
        ),
    ),
    Mutant(
        "FO-09", f"{_FILE}test_validate_changes_nothing", "primary",
        "Validate adds an address", ("changed by Validate", "primary: addresses"),
        Patched(
            _PRIMARY, "validation.py",
            "    addresses = local_addresses(shell)\n    own = find_place",
            '    shell.run(["ip", "address", "replace", "192.0.2.77/32", "dev", "lo"])\n'
            "    addresses = local_addresses(shell)\n    own = find_place",
        ),
        more="address",
    ),
    Mutant(
        "FO-10", f"{_FILE}test_a_virtual_ip_outside_the_nodes_subnet_is_refused", "primary",
        "any virtual IP is good", ("is accepted in",),
        Patched(_PRIMARY, "pair.py", "if virtual_ip not in network:", "if False:"),
    ),
    Mutant(
        "FO-11", f"{_FILE}test_commit_and_restart_brings_the_virtual_ip_up_unaided", "primary",
        "a commit is not followed by a restart", ("within 10 s of the commit",),
        Patched(_PRIMARY, "commit.py", "    restart()\n", "    pass\n"),
    ),
    Mutant(
        "FO-45", "test_troubleshooting.py::test_nodes_in_two_segments_cannot_be_a_pair", "primary",
        "Validate reads GOOD always", ("all rows read GOOD although",), _ALWAYS_GOOD,
    ),
)  # fmt: skip
