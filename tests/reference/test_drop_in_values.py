"""Values that would become more than one word of OpenVPN's configuration are refused.

What a node writes comes from the controller, and OpenVPN starts it as root.
"""

from __future__ import annotations

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
