"""Values that would become more than one word of OpenVPN's configuration are refused.

What a node writes comes from the controller, and OpenVPN starts it as root.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.reference.drop_in import guide_profile

KEYS = {name: f"-----BEGIN {name}-----\nAA\n" for name in ("ca", "certificate", "private_key")}
KEYS["tls_crypt"] = "# a comment\nkey"


def server(keys: dict[str, str] | None = None, name: str = "node-a", **options: Any) -> str:
    from vpn_lib_common.profile import Profile
    from vpn_server_node.openvpn import Surroundings, configuration
    from vpn_server_node.server_config import processes

    user = options.pop("user", "nobody")
    around = Surroundings(user, "nogroup", Path("/usr/lib/hooks"), use_daemon=False)
    process = next(iter(processes(Profile(name, guide_profile(1, "a", **options)))))
    return configuration(process, around, {**KEYS, **(keys or {})})


def client(**options: Any) -> str:
    from vpn_lib_common.profile import Profile
    from vpn_user_portal.client_profile import client_profile

    return client_profile(Profile("node-a", guide_profile(1, "a", **options)), KEYS, KEYS)


def test_what_is_right_is_written() -> None:
    assert "\nlocal ::\n" in server(dns=["@GW4@", "2620:fe::fe"], dnsSuffix=["example.org"])
    assert "\r\nremote node.example.org 1194 udp" in client(hostName="node.example.org")


@pytest.mark.parametrize(
    "more",
    [
        "x\nup /tmp/x",
        "x\r\nup /tmp/x",
        "x up",
        'x"\nup /tmp/x\n#',
        'x" "',
        "x#",
        "x\\",
        "x\0",
        "",
        "é",
        "x" * 256,
        5,
        ["x"],
    ],
)
@pytest.mark.parametrize("option", ["listen", "managementIp", "user", "dns", "dnsSuffix"])
def test_a_value_that_would_be_more_than_a_word_is_refused(option: str, more: object) -> None:
    from vpn_lib_common.profile import ProfileError

    value = [more] if option in ("dns", "dnsSuffix") else more
    with pytest.raises(ProfileError, match="single word"):
        server(**{option: value})


@pytest.mark.parametrize("value", ["-x\nup /tmp/x", "a b", ""])
def test_a_clients_profile_has_one_word_for_the_server(value: str) -> None:
    from vpn_lib_common.profile import ProfileError

    with pytest.raises(ProfileError, match="hostName"):
        client(hostName=value)


@pytest.mark.parametrize("name", ["ca", "certificate", "private_key", "tls_crypt"])
def test_a_key_that_would_end_its_part_of_the_file_is_refused(name: str) -> None:
    from vpn_lib_common.profile import ProfileError

    for text in ("AA\n</ca>\nup /tmp/x\n<ca>\nAA", "AA\n </key>", "AA\x0b</tls-crypt>\nup x"):
        with pytest.raises(ProfileError, match="not a key or a certificate"):
            server({name: text})


@pytest.mark.parametrize("name", ["../../x", "a/b", ".hidden", "-x", "", "a\nb", "a b", "é"])
def test_a_profile_whose_name_is_no_files_name_is_refused(name: str) -> None:
    from vpn_lib_common.profile import ProfileError
    from vpn_server_node.server_config import selected

    with pytest.raises(ProfileError, match="cannot be a profile's name"):
        list(selected({}, {name: {}}))


@pytest.mark.parametrize("listening", ["udp/0", "udp/65536", "udp/x", "sctp/1194", "udp/1194/5", 5])
def test_what_openvpn_cannot_listen_on_is_refused(listening: object) -> None:
    from vpn_lib_common.profile import ProfileError

    with pytest.raises(ProfileError, match="is not a protocol and a port"):
        server(vpnProtoPorts=[listening])


@pytest.mark.parametrize("option", ["dns", "dnsSuffix", "routes", "vpnProtoPorts"])
@pytest.mark.parametrize("given", ["9.9.9.9", 5, {"a": "9.9.9.9"}])
def test_a_list_that_is_none_is_named_with_its_profile(option: str, given: object) -> None:
    from vpn_lib_common.profile import ProfileError

    with pytest.raises(ProfileError, match=f'profile "node-a": "{option}" is not a list'):
        server(**{option: given})


def test_a_profile_that_is_none_is_named() -> None:
    from vpn_lib_common.profile import ProfileError, profiles

    with pytest.raises(ProfileError, match='"vpnProfiles": "internet" is not a keyed array'):
        profiles({"vpnProfiles": {"internet": "x"}})


def test_a_list_of_names_is_no_text() -> None:
    from vpn_lib_common.php_config import ConfigError, texts

    assert texts({}, "adminUserIdList") == []
    assert texts({"adminUserIdList": ["admin"]}, "adminUserIdList") == ["admin"]
    for given in ("administrator", [5], {"a": "b"}):
        with pytest.raises(ConfigError, match='"adminUserIdList" is not a list of texts'):
            texts({"adminUserIdList": given}, "adminUserIdList")


@pytest.mark.parametrize(
    ("duration", "ends"),
    [
        ("P90D", "2026-05-01"),
        ("P1Y", "2027-01-31"),
        ("P1M", "2026-03-03"),
        ("P2W", "2026-02-14"),
        ("P1Y2M10DT2H30M5S", "2027-04-10T02:30:05"),
        ("PT36H", "2026-02-01T12:00:00"),
    ],
)
def test_a_session_lasts_as_long_as_php_would_have_it(duration: str, ends: str) -> None:
    from vpn_user_portal.download import session_end

    assert session_end(duration, datetime(2026, 1, 31)) == datetime.fromisoformat(ends)


@pytest.mark.parametrize("duration", ["", "P", "PT", "P1", "1D", "P1DT", "P99999999999D", 90, None])
def test_what_is_no_duration_is_named(duration: object) -> None:
    from vpn_lib_common.command import CommandError
    from vpn_user_portal.download import session_end

    with pytest.raises(CommandError, match="sessionExpiry"):
        session_end(duration, datetime(2026, 1, 31))


def test_a_configuration_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    from vpn_lib_common import php_config

    path = tmp_path / "config.php"
    path.write_text("<?php return ['a' => 'é'];\n")
    php_config.write(path, {"a": "ü", "b": [1]})
    assert php_config.read(path) == {"a": "ü", "b": [1]}
    with pytest.raises(php_config.ConfigError, match="is not UTF-8"):
        php_config.write(path, {"a": "\udcfc"})
    assert php_config.read(path) == {"a": "ü", "b": [1]}
