"""What the guide takes for granted: working DNS, a web server to reach, somebody who certifies.

All of it is on the services machine. The zone answers `nodes` in random order: each answer is an
independent draw, which is what a judge of the distribution over nodes may reckon with. (BIND's
`cyclic` would make the answers depend on who asked before.)
"""

from __future__ import annotations

from provision.action import Check, Command, Packages, Remember, Service
from provision.files import WriteFile
from provision.firewall import open_to_the_wire
from provision.multi_node import errata
from provision.multi_node.site import Host, Site
from provision.platform import Platform
from provision.step import Step

SECTION = "Requirements"
RRSET_ORDER = "random"

#: Where the lab's certificate authority keeps its files on the services machine.
AUTHORITY = "/root/lab-ca"

AUTHORITY_NOTE = "lab CA certificate"
CERTIFICATE_NOTE = "controller TLS certificate"
KEY_NOTE = "controller TLS key"

_BIND = """\
options {{
    directory "{cache}";
    listen-on {{ any; }};
    listen-on-v6 {{ any; }};
    allow-query {{ any; }};
    recursion no;
    dnssec-validation no;
    rrset-order {{ order {order}; }};
}};

zone "{domain}" {{
    type master;
    file "{zone}";
}};
"""

_ZONE = """\
$TTL 60
$ORIGIN {domain}.
@ IN SOA {ns} hostmaster 2020041001 3600 600 86400 60
@ IN NS {ns}
{records}
$INCLUDE "{include}"
"""

_SITE = """\
<VirtualHost *:80>
    ServerName {fqdn}
    DocumentRoot /var/www/{fqdn}
    # Who asked, and when: microseconds since the epoch, the address, the request, the answer.
    LogFormat "%{{usec}}t %a \\"%r\\" %>s" asked
    CustomLog {log} asked
    <Directory /var/www/{fqdn}>
        Require all granted
    </Directory>
</VirtualHost>
"""


def zone_path(site: Site, platform: Platform) -> str:
    """Return where the zone lies."""
    return f"{platform.bind_zones}/{site.domain}.zone"


def nodes_path(site: Site, platform: Platform) -> str:
    """Return where the records of the round-robin name lie; empty before Load Balancing."""
    return f"{platform.bind_zones}/{site.shared_fqdn}.zone"


def web_log(site: Site, platform: Platform) -> str:
    """Return the web server's log: "microseconds address "request" status" a line."""
    return f"{platform.apache_log}/{site.web_fqdn}.log"


def relative(fqdn: str, site: Site) -> str:
    """Return a name as the zone writes it, without the domain."""
    return fqdn.removesuffix(f".{site.domain}")


def zone(site: Site, platform: Platform) -> str:
    """Return the zone: A and AAAA of every machine, and what Load Balancing adds by inclusion."""
    records = [_records(host, host.fqdn, site) for host in site.hosts]
    records.append(_records(site.services, site.web_fqdn, site))
    return _ZONE.format(
        domain=site.domain,
        ns=relative(site.services.fqdn, site),
        records="\n".join(records),
        include=nodes_path(site, platform),
    )


def named(site: Site, platform: Platform) -> Service:
    """Return the name server as a service that is younger than its files."""
    files = (platform.bind_conf, zone_path(site, platform), nodes_path(site, platform))
    return Service(platform.bind, after=files)


def steps(site: Site, platform: Platform) -> list[Step]:
    """Return the steps of the services machine."""
    return [_dns(site, platform), _web(site, platform), _authority(site)]


def _records(host: Host, fqdn: str, site: Site) -> str:
    name = relative(fqdn, site)
    return f"{name:<15} IN  A       {host.ipv4}\n{'':<16}IN  AAAA    {host.ipv6}"


def _dns(site: Site, platform: Platform) -> Step:
    conf = _BIND.format(
        cache=platform.bind_cache,
        order=RRSET_ORDER,
        domain=site.domain,
        zone=zone_path(site, platform),
    )
    include = nodes_path(site, platform)
    return Step(
        name="name server",
        section=SECTION,
        machine=site.services.name,
        changes=f"BIND answers for {site.domain}",
        actions=(
            *open_to_the_wire(platform),
            Packages(platform, (platform.bind_package,)),
            WriteFile(platform.bind_conf, conf),
            WriteFile(zone_path(site, platform), zone(site, platform)),
            Command(f"install -m 0644 /dev/null {include}", creates=include),
            Check(f"named-checkconf -z {platform.bind_conf}"),
            named(site, platform),
        ),
        module=__name__,
    )


def _web(site: Site, platform: Platform) -> Step:
    path = f"{platform.apache_sites}/{site.web_fqdn}.conf"
    root = f"/var/www/{site.web_fqdn}"
    page = f"<!doctype html>\n<title>{site.web_fqdn}</title>\n<p>Here is {site.web_fqdn}.</p>\n"
    conf = _SITE.format(fqdn=site.web_fqdn, log=web_log(site, platform))
    return Step(
        name="web server",
        section=SECTION,
        machine=site.services.name,
        changes=f"http://{site.web_fqdn}/ is there and logs who asked",
        actions=(
            Packages(platform, (platform.apache,)),
            *_own_certificate(platform),
            Command(f"mkdir -p -m 0755 {root}", creates=root),  # the server's user reads it
            WriteFile(f"{root}/index.html", page),
            WriteFile(path, conf),
            Check(platform.apache_test),
            Service(platform.apache, after=(path,)),
        ),
        module=__name__,
    )


def _own_certificate(platform: Platform) -> tuple[Command, ...]:
    """Return what a web server with mod_ssl that never ran needs, or its configuration is wrong."""
    if (make := platform.makes_tls) is None:
        return ()
    there = f"[ -e {platform.tls_certificates}/localhost.crt ]"
    return (Command(make, unless=f"{{ [ ! -x {make} ] || {there}; }}"),)


def _authority(site: Site) -> Step:
    fqdn = site.controller.fqdn
    make_ca = (
        f"mkdir -p -m 0700 {AUTHORITY}\n"
        f"cd {AUTHORITY}\n"
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 "
        "-days 3650 -subj '/CN=Lab CA' -keyout ca.key -out ca.new\n"
        "mv ca.new ca.crt"
    )
    certify = (
        f"cd {AUTHORITY}\n"
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 "
        f"-subj '/CN={fqdn}' -keyout {fqdn}.key -out {fqdn}.csr\n"
        f"printf 'subjectAltName=DNS:{fqdn}\\nextendedKeyUsage=serverAuth\\n' > {fqdn}.ext\n"
        "openssl x509 -req -sha256 -days 825 -CA ca.crt -CAkey ca.key -CAcreateserial "
        f"-extfile {fqdn}.ext -in {fqdn}.csr -out {fqdn}.new\n"
        f"mv {fqdn}.new {fqdn}.crt"
    )
    return Step(
        name="certificate authority",
        section=SECTION,
        machine=site.services.name,
        changes=f"a certificate for {fqdn} that the lab's machines accept",
        actions=(
            Command(make_ca, creates=f"{AUTHORITY}/ca.crt"),
            Command(certify, creates=f"{AUTHORITY}/{fqdn}.crt"),
            Remember(AUTHORITY_NOTE, f"cat {AUTHORITY}/ca.crt", secret=False),
            Remember(CERTIFICATE_NOTE, f"cat {AUTHORITY}/{fqdn}.crt", secret=False),
            Remember(KEY_NOTE, f"cat {AUTHORITY}/{fqdn}.key"),
        ),
        errata=(errata.CERTIFICATE_AUTHORITY,),
        module=__name__,
    )
