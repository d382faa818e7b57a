"""vpn-ca: flags, messages, files and certificates of version 2.0.0."""

from __future__ import annotations

import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from hypothesis import given
from hypothesis import strategies as st

from checks.engine.verdict import Status
from tests.checks.multi_node.installed_runs import run_mn_09
from tests.reference.drop_in import Machine

STAMP = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d "


def vpn_ca(machine: Machine, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return machine.run("/usr/bin/vpn-ca", *arguments, cwd=directory)


@pytest.fixture(scope="module")
def authority(installed: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a CA with a certificate of each kind; tests only read it, or fail to change it."""
    directory = tmp_path_factory.mktemp("ca")
    for arguments in (
        ["-init"],
        ["-client", "vpn-daemon-client", "-not-after", "CA"],
        ["--server=vpn-daemon-node-a"],
    ):
        done = vpn_ca(installed, directory, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return directory


def certificate(directory: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())


def usages(found: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_files_are_readable_by_their_owner_alone(authority: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in authority.iterdir()}
    names = ("ca", "vpn-daemon-client", "vpn-daemon-node-a")
    assert modes == {f"{name}.{kind}": 0o600 for name in names for kind in ("crt", "key")}


def test_the_check_of_certificates_objects_only_to_the_one_that_ends_too_early(
    authority: Path, tmp_path: Path
) -> None:
    names = {"authority": "ca", "client": "vpn-daemon-client", "server": "vpn-daemon-node-a"}
    run = run_mn_09()
    for event in run.all("credentials.shown"):
        for one in event["files"]:
            if one["what"] == "certificate":
                one["text"] = (authority / f"{names[one['of']]}.crt").read_text()
    verdict = run.judge("MN-09", tmp_path)
    assert verdict.status is Status.FAIL
    assert len(verdict.reasons) == 3  # as it is on the controller, and on two nodes
    assert all(" ends at " in reason for reason in verdict.reasons), verdict.text


def test_keys_are_pkcs8(authority: Path) -> None:
    assert (authority / "ca.key").read_text().startswith("-----BEGIN PRIVATE KEY-----\n")


def test_openssl_accepts_each_certificate_for_its_purpose_alone(authority: Path) -> None:
    def accepted(name: str, purpose: str) -> bool:
        command = ["openssl", "verify", "-CAfile", "ca.crt", "-purpose", purpose, f"{name}.crt"]
        return subprocess.run(command, cwd=authority, capture_output=True).returncode == 0

    assert accepted("vpn-daemon-client", "sslclient")
    assert accepted("vpn-daemon-node-a", "sslserver")
    assert not accepted("vpn-daemon-client", "sslserver")
    assert not accepted("vpn-daemon-node-a", "sslclient")


def test_the_ca_has_the_genuine_extensions(authority: Path) -> None:
    found = certificate(authority, "ca")
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    key_usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert found.subject.rfc4514_string() == "CN=VPN CA"
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True,
        True,
        0,
    )
    assert key_usage.critical
    assert key_usage.value.key_cert_sign
    assert not key_usage.value.crl_sign
    assert usages(found) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_a_server_certificate_has_no_alternative_name(authority: Path) -> None:
    found = certificate(authority, "vpn-daemon-node-a")
    oids = {extension.oid for extension in found.extensions}
    assert ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in oids
    assert usages(found) == {ExtendedKeyUsageOID.SERVER_AUTH}


def test_not_after_ca_ends_with_the_ca(authority: Path) -> None:
    ends = {
        certificate(authority, name).not_valid_after_utc for name in ("ca", "vpn-daemon-client")
    }
    assert len(ends) == 1


def test_without_not_after_a_certificate_lasts_a_calendar_year(authority: Path) -> None:
    found = certificate(authority, "vpn-daemon-node-a")
    lifetime = found.not_valid_after_utc - found.not_valid_before_utc
    assert timedelta(days=365, minutes=5) <= lifetime <= timedelta(days=366, minutes=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-init"],
            "ERROR: unable to open file to write key: open ca.key: file exists",
        ),
        (
            ["-server", "vpn-daemon-node-a"],
            "ERROR: unable to open file to write key: open vpn-daemon-node-a.key: file exists",
        ),
        (["-client", "not_allowed"], "invalid 'commonName' specified"),
        (
            ["-client", "x", "-not-after", "foo"],
            'ERROR: unable to parse -not-after: parsing time "foo" as '
            '"2006-01-02T15:04:05Z07:00": cannot parse "foo" as "2006"',
        ),
        (
            ["-client", "x", "-not-after", "2020-01-01T00:00:00Z"],
            "-not-after must be in the future",
        ),
        (
            ["-client", "x", "-not-after", "2999-01-01T00:00:00+01:00"],
            "-not-after can't outlive the CA",
        ),
    ],
)
def test_a_refusal_is_one_line_and_changes_nothing(
    installed: Machine, authority: Path, arguments: list[str], message: str
) -> None:
    before = {path.name: path.read_bytes() for path in authority.iterdir()}
    done = vpn_ca(installed, authority, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(STAMP + re.escape(message) + "\n", done.stderr)
    assert {path.name: path.read_bytes() for path in authority.iterdir()} == before


def test_without_a_ca_nothing_is_issued(installed: Machine, tmp_path: Path) -> None:
    done = vpn_ca(installed, tmp_path, "-client", "x")
    message = "ERROR: unable to open PEM: open ca.key: no such file or directory"
    assert done.returncode == 1
    assert re.fullmatch(STAMP + message + "\n", done.stderr)


def test_no_action_lists_the_flags(installed: Machine, tmp_path: Path) -> None:
    done = vpn_ca(installed, tmp_path)
    assert done.returncode == 1
    names = re.findall(r"^  -(\S+)(?: string)?\n    \t\S", done.stderr, re.MULTILINE)
    assert names == ["ca-dir", "client", "init", "not-after", "server"]


def test_an_unknown_flag_is_exit_code_2(installed: Machine, tmp_path: Path) -> None:
    done = vpn_ca(installed, tmp_path, "-name", "x")
    assert done.returncode == 2
    assert done.stderr.startswith("flag provided but not defined: -name\n  -ca-dir string\n")


def test_help_is_no_error(installed: Machine, tmp_path: Path) -> None:
    assert vpn_ca(installed, tmp_path, "-h").returncode == 0


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9998, 1, 1)))
def test_a_moment_reads_back_as_it_was_written(moment: datetime) -> None:
    from vpn_ca.moment import parse_moment

    whole = moment.replace(microsecond=0, tzinfo=UTC)
    assert parse_moment(whole.isoformat()) == whole


@given(st.from_regex(r"[^0-9].*|[0-9]{0,3}", fullmatch=True))
def test_whatever_is_no_moment_is_refused_with_a_reason(text: str) -> None:
    from vpn_ca.moment import parse_moment

    with pytest.raises(ValueError, match="cannot parse"):
        parse_moment(text)
