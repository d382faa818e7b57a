"""The packages: which files of which source go where, as the published packages had them.

Programs in /usr/share/NAME with links to their configuration and data, commands
/usr/bin/NAME-COMMAND, libraries below /usr/share/php. Only paths, users and modes stand here.
"""

from __future__ import annotations

from provision.genuine.recipe import (
    FromSource,
    GoProgram,
    Ours,
    Owned,
    Patch,
    Recipe,
    System,
    packaging,
)

_PHP = "/usr/share/php"

# source -> (package, directory of its classes in the source, and below /usr/share/php)
_LIBRARIES = {
    "vpn-lib-common": ("php-lc-common", "src", "LC/Common"),
    "php-openvpn-connection-manager": ("php-lc-openvpn-connection-manager", "src", "LC/OpenVpn"),
    "php-secookie": ("php-fkooman-secookie", "src", "fkooman/SeCookie"),
    "php-otp-verifier": ("php-fkooman-otp-verifier", "src", "fkooman/Otp"),
    "php-sqlite-migrate": ("php-fkooman-sqlite-migrate", "src", "fkooman/SqliteMigrate"),
    "php-jwt": ("php-fkooman-jwt", "src", "fkooman/Jwt"),
    "php-oauth2-server": ("php-fkooman-oauth2-server", "src", "fkooman/OAuth/Server"),
    "php-saml-sp": ("php-fkooman-saml-sp", "src", "fkooman/SAML/SP"),
    "constant-time-encoding": (
        "php-paragonie-constant-time-encoding", "src", "ParagonIE/ConstantTime",
    ),
    "psr-log": ("php-psr-log", "Psr/Log", "Psr/Log"),
    "bacon-qr-code": ("php-bacon-baconqrcode", "src/BaconQrCode", "BaconQrCode"),
}  # fmt: skip
_NEEDED_BY_ALL = ("vpn-lib-common", "constant-time-encoding", "psr-log")


def recipes(system: System) -> tuple[Recipe, ...]:
    """Return every package for one family of systems, libraries first."""
    return (
        *(_library(source) for source in _LIBRARIES),
        _vpn_ca(),
        _vpn_daemon(system),
        _api(system),
        _node(system),
        _portal(system),
    )


def _library(source: str) -> Recipe:
    name, path, target = _LIBRARIES[source]
    return Recipe(
        name=name,
        source=source,
        summary=f"{source}, a library in PHP",
        contents=(FromSource(path, f"{_PHP}/{target}"),),
    )


def _libraries(*sources: str) -> tuple[str, ...]:
    return tuple(_LIBRARIES[source][0] for source in (*_NEEDED_BY_ALL, *sources))


def _vpn_ca() -> Recipe:
    return Recipe(
        name="vpn-ca",
        source="vpn-ca",
        summary="certificate authority for a VPN server",
        contents=(GoProgram("vpn-ca/main.go", "/usr/bin/vpn-ca"),),
    )


def _vpn_daemon(system: System) -> Recipe:
    keys = system.daemon_keys
    variables = {"main.tlsCertDir": keys, "main.tlsKeyDir": f"{keys}/private"}
    unit = (
        Patch("/etc/sysconfig/vpn-daemon", system.daemon_environment),
        Patch("/usr/bin/vpn-daemon", system.daemon),
    )
    return Recipe(
        name="vpn-daemon",
        source="vpn-daemon",
        summary="tells a controller of a node's OpenVPN connections, and ends them",
        contents=(
            GoProgram("vpn-daemon/main.go", system.daemon, variables),
            FromSource("vpn-daemon.service", f"{system.units}/vpn-daemon.service", unit),
            Ours(system.daemon_environment, packaging("vpn-daemon.default")),
        ),
        configuration=(system.daemon_environment,),
        directories=(
            Owned(keys, 0o755, "root", "root"),
            Owned(f"{keys}/private", 0o710, "root", "vpn-daemon"),
        ),
        user="vpn-daemon",
        afterwards=("systemctl daemon-reload || true",),
    )


def _program(
    name: str, namespace: str, commands: tuple[str, ...], *paths: str
) -> tuple[FromSource | Ours, ...]:
    """Return what the three PHP programs have alike."""
    share = f"/usr/share/{name}"
    return (
        *(FromSource(path, f"{share}/{path}") for path in ("bin", "src", *paths)),
        Ours(
            f"{share}/vendor/autoload.php",
            packaging("autoload.php").replace("@NAMESPACE@", namespace.replace("\\", "\\\\")),
        ),
        *(
            _command(f"/usr/bin/{name}-{command}", f"{share}/bin/{command}.php")
            for command in commands
        ),
    )


def _command(target: str, program: str) -> Ours:
    """Return a command that is called by its own name: programs tell their name by it."""
    return Ours(target, f"#!/usr/bin/php\n<?php require '{program}';\n", mode=0o755)


def _api(system: System) -> Recipe:
    web = system.web_group
    commands = (
        "init", "status", "stats", "housekeeping", "update-ip", "update-api-secrets",
        "disconnect-expired-certificates",
    )  # fmt: skip
    cron = packaging("vpn-server-api.cron").replace("@WEB_USER@", web)
    config, snippet = "/etc/vpn-server-api/config.php", f"{system.apache}/vpn-server-api.conf"
    return Recipe(
        name="vpn-server-api",
        source="vpn-server-api",
        summary="the controller's API",
        depends=(
            *system.php,
            *_libraries("php-openvpn-connection-manager", "php-otp-verifier", "php-sqlite-migrate"),
        ),
        contents=(
            *_program("vpn-server-api", "LC\\Server", commands, "web", "schema", "easy-rsa"),
            FromSource("config/config.php.example", config),
            Ours(snippet, packaging("vpn-server-api.conf")),
            Ours("/etc/cron.d/vpn-server-api", cron, mode=0o640),
        ),
        links={
            "/usr/share/vpn-server-api/config": "/etc/vpn-server-api",
            "/usr/share/vpn-server-api/data": "/var/lib/vpn-server-api",
        },
        configuration=(config, snippet, "/etc/cron.d/vpn-server-api"),
        directories=(
            Owned("/etc/vpn-server-api", 0o750, "root", web),
            Owned("/var/lib/vpn-server-api", 0o700, web, web),
        ),
        afterwards=_written_by_web(system, "/var/lib/vpn-server-api"),
    )


def _node(system: System) -> Recipe:
    commands = ("server-config", "generate-firewall", "generate-dns-zones", "certificate-info")
    config, firewall = (f"/etc/vpn-server-node/{name}.php" for name in ("config", "firewall"))
    hooks_moved = Patch("'/usr/libexec/vpn-server-node'", f"'{system.hooks}'")
    users = (
        Patch("'vpnUser' => 'openvpn'", f"'vpnUser' => '{system.vpn_user}'"),
        Patch("'vpnGroup' => 'openvpn'", f"'vpnGroup' => '{system.vpn_group}'"),
    )
    share = "/usr/share/vpn-server-node"
    return Recipe(
        name="vpn-server-node",
        source="vpn-server-node",
        summary="makes a node's OpenVPN configuration by what the controller says",
        depends=(*system.php, "openvpn", *_libraries()),
        contents=(
            *_program("vpn-server-node", "LC\\Node", commands, "libexec"),
            # over the one that came with `src`
            FromSource("src/OpenVpn.php", f"{share}/src/OpenVpn.php", (hooks_moved,)),
            FromSource("config/config.php.example", config, users),
            FromSource("config/firewall.php.example", firewall),
            *(
                _command(f"{system.hooks}/client-{what}", f"{share}/libexec/client-{what}.php")
                for what in ("connect", "disconnect")
            ),
        ),
        links={
            f"{share}/config": "/etc/vpn-server-node",
            f"{share}/openvpn-config": "/etc/openvpn/server",
        },
        configuration=(config, firewall),
        directories=(Owned("/etc/vpn-server-node", 0o750, "root", system.vpn_group),),
    )


def _portal(system: System) -> Recipe:
    web = system.web_group
    commands = (
        "init", "add-user", "generate-oauth-key", "show-oauth-key", "foreign-key-list-fetcher",
    )  # fmt: skip
    config, snippet = "/etc/vpn-user-portal/config.php", f"{system.apache}/vpn-user-portal.conf"
    return Recipe(
        name="vpn-user-portal",
        source="vpn-user-portal",
        summary="the portal where users get their configurations",
        depends=(
            *system.php,
            *_libraries(
                "php-secookie", "php-sqlite-migrate", "php-jwt", "php-oauth2-server",
                "php-saml-sp", "bacon-qr-code",
            ),
        ),
        contents=(
            *_program(
                "vpn-user-portal", "LC\\Portal", commands, "web", "schema", "views", "locale",
                "VERSION",
            ),
            FromSource("config/config.php.example", config),
            Ours(snippet, packaging("vpn-user-portal.conf")),
        ),
        links={
            "/usr/share/vpn-user-portal/config": "/etc/vpn-user-portal",
            "/usr/share/vpn-user-portal/data": "/var/lib/vpn-user-portal",
        },
        configuration=(config, snippet),
        directories=(
            Owned("/etc/vpn-user-portal", 0o750, "root", web),
            Owned("/var/lib/vpn-user-portal", 0o700, web, web),
        ),
        afterwards=(
            *_written_by_web(system, "/var/lib/vpn-user-portal"),
            "/usr/bin/vpn-user-portal-generate-oauth-key",
        ),
    )  # fmt: skip


def _written_by_web(system: System, directory: str) -> tuple[str, ...]:
    """Return what lets a confined web server write to a directory, as the published RPMs do it."""
    if system.family != "el":
        return ()
    labelled = f"semanage fcontext -a -t httpd_sys_rw_content_t '{directory}(/.*)?'"
    return f"{labelled} 2>/dev/null || :", f"restorecon -R {directory} || :"
