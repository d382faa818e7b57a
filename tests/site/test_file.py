"""What is wrong with a site file is said in one line each, before anything is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import SiteError
from lab.keys import KeyPair
from lab.site import read_site

MACHINES = ("primary", "secondary", "gateway", "client")


def written(tmp_path: Path, *, known: tuple[str, ...] = (), **changes: str) -> Path:
    """Write a site file of the failover guide; `changes` replace whole parts of it."""
    public = KeyPair.generate().public
    hosts = known or tuple(f"192.0.2.{number}" for number in range(1, 5))
    (tmp_path / "known").write_text("".join(f"{host} {public}\n" for host in hosts))
    (tmp_path / "key").touch()
    parts = {
        "head": 'topology = "failover"\nknown_hosts = "known"\nuser = "admin"\nkey = "key"\n',
        **{
            name: f'[machines.{name}]\naddress = "192.0.2.{number}"\n'
            for number, name in enumerate(MACHINES, start=1)
        },
        **changes,
    }
    path = tmp_path / "site.toml"
    path.write_text("\n".join(parts.values()))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(SiteError) as refused:
        read_site(path)
    return refused.value.message


def test_a_site_names_how_each_machine_is_reached(tmp_path: Path) -> None:
    site = read_site(
        written(tmp_path, client='[machines.client]\naddress = "192.0.2.4"\nuser = "root"\n')
    )
    assert str(site.access["primary"]) == "admin@192.0.2.1:22"
    assert site.access["primary"].as_root("id -u") == "sudo -n sh -c 'id -u'"
    assert site.access["client"].as_root("id -u") == "id -u"
    assert site.topology.with_role("gateway")[0].name == "gateway"


def test_a_topology_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    own = (
        '[topology]\nname = "own"\nguide = "failover"\n[topology.networks.lan]\n'
        'ipv4 = "192.168.70.0/24"\n[[topology.machines]]\nname = "primary"\n'
        'fqdn = "primary.vpn.example"\nroles = ["primary"]\n'
        'nics = [{ network = "lan", ipv4 = "192.168.70.1" }]\n'
    )
    head = 'known_hosts = "known"\n'
    only = dict.fromkeys(MACHINES[1:], "")
    site = read_site(written(tmp_path, head=head, **only, topology=own))
    assert site.topology.machine("primary").roles == ("primary",)


def test_jump_hosts_are_gone_through_in_order(tmp_path: Path) -> None:
    jumps = (
        '[jumps.outer]\naddress = "outer.example"\n'
        '[jumps.inner]\naddress = "inner.example"\njump = "outer"\nport = 2222\n'
    )
    known = ("outer.example", "[inner.example]:2222", *(f"192.0.2.{n}" for n in range(1, 5)))
    primary = '[machines.primary]\naddress = "192.0.2.1"\njump = "inner"\n'
    site = read_site(written(tmp_path, known=known, jumps=jumps, primary=primary))
    hops = [hop.address for hop in site.access["primary"].hops]
    assert hops == ["outer.example", "inner.example", "192.0.2.1"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"more": "[machines.primary2]\naddress = '192.0.2.9'\n"}, "has no machine of that name"),
        ({"client": ""}, "machines.client: is missing"),
        (
            {"client": "[machines.client]\naddress = '192.0.2.1'\n"},
            "machines.client.address: 192.0.2.1:22 is also that of primary",
        ),
        ({"client": "[machines.client]\naddress = '192.0.2.4'\nsudo = true\n"}, "client.sudo"),
        ({"client": "[machines.client]\naddress = '192.0.2.4'\nport = 0\n"}, "client.port: 0"),
        (
            {"client": "[machines.client]\naddress = '192.0.2.4'\njump = 'x'\n"},
            "machines.client.jump: 'x' is no table of jumps",
        ),
        (
            {
                "jumps": "[jumps.a]\naddress = 'a'\njump = 'b'\n"
                "[jumps.b]\naddress = 'b'\njump = 'a'\n"
            },
            "jumps.a.jump: leads back to a",
        ),
        (
            {"client": "[machines.client]\naddress = '192.0.2.77'\n"},
            "machines.client.address: 192.0.2.77 is not in known_hosts",
        ),
        (
            {"client": "[machines.client]\naddress = '192.0.2.4'\nkey = 'none'\n"},
            "machines.client.key:",
        ),
        ({"head": 'topology = "failover"\nknown_hosts = "none"\n'}, "known_hosts:"),
        ({"head": 'topology = "nowhere"\nknown_hosts = "known"\n'}, "no topology 'nowhere'"),
        ({"head": 'topology = "failover"\nknown_hosts = "known"\nprobe = "x"\n'}, "probe: 'x'"),
        ({"head": "topology = 3\n"}, "topology"),
        ({"head": "["}, "not TOML"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    told = complaint(written(tmp_path, **changes))
    assert said in told
    assert len(told.splitlines()) <= 4  # pydantic tells of a union by each of its members


def test_authorities_in_known_hosts_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path)
    known = tmp_path / "known"
    plain = known.read_text()
    known.write_text(f"@cert-authority *.example.org {KeyPair.generate().public}\n{plain}")
    assert read_site(path).access["primary"]
    known.write_text(f"@revoked * {KeyPair.generate().public}\n{plain}")
    assert "@revoked is not understood" in complaint(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.toml") == f"no site file {tmp_path / 'none.toml'}"


def test_the_example_of_the_documentation_is_a_site(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sites.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    known = ("bastion.example.org", "192.0.2.11", "192.0.2.12", "192.0.2.1")
    path = written(tmp_path, known=(*known, "[198.51.100.20]:2222"))
    path.write_text(
        example.replace("site-topology.toml", "failover")
        .replace("~/.ssh/known_hosts", "known")
        .replace("~/.ssh/id_ed25519", "key")
    )
    site = read_site(path)
    assert str(site.access["primary"]) == ("admin@192.0.2.11:22 by way of bastion.example.org")
    assert site.probe == "gateway"
