"""Packages of made-up sources: what is in them, whose it is, and that they come out alike."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from provision.errors import PackagingFailed
from provision.genuine import debian, rpm
from provision.genuine.build import Built, build, is_cached, key, missing_tools
from provision.genuine.catalogue import Source
from provision.genuine.recipe import DEBIAN, EL, FromSource, Patch, Recipe
from provision.genuine.recipes import recipes
from provision.genuine.sources import DIRECTORY
from provision.genuine.stage import stage
from tests.genuine import world

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    return world.catalogue(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def built(sources: dict[str, Source], tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built_in(tmp_path_factory.mktemp("built"), sources)


def built_in(place: Path, sources: dict[str, Source]) -> Built:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VPNPROOF_CACHE", str(place))
        patch.delenv(DIRECTORY, raising=False)  # of whoever runs the tests
        patch.setenv("PATH", f"{world.compiler(place)}:{os.environ['PATH']}")
        return build(DEBIAN, sources)


def deb(built: Built, name: str) -> Path:
    (found,) = built.repository.glob(f"{name}_*.deb")
    return found


def ask(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def listing(package: Path) -> dict[str, str]:
    """Return the attributes of each file: `-rwxr-xr-x root/root`, and what a link leads to."""
    found = {}
    for line in ask("dpkg-deb", "-c", str(package)).splitlines():
        mode, owner, _, _, _, name = line.split(None, 5)
        name, _, leads_to = name.partition(" -> ")
        found[name.removeprefix(".").rstrip("/")] = f"{mode} {owner} {leads_to}".strip()
    return found


def test_there_is_a_deb_of_every_recipe(built: Built) -> None:
    names = {path.name.split("_")[0] for path in built.repository.glob("*.deb")}
    assert names == {recipe.name for recipe in recipes(DEBIAN)}
    assert "/usr/bin/vpn-ca" in listing(deb(built, "vpn-ca"))


def test_a_package_says_which_commit_it_was_made_of(
    built: Built, sources: dict[str, Source]
) -> None:
    package = str(deb(built, "vpn-server-node"))
    assert ask("dpkg-deb", "-f", package, "Source-Commit").strip() == (
        sources["vpn-server-node"].commit
    )
    assert ask("dpkg-deb", "-f", package, "Version").strip() == "2.1.4-0vpnproof1"
    assert ask("dpkg-deb", "-f", package, "Architecture").strip() == "all"


def test_programs_lie_where_the_published_packages_have_them(built: Built) -> None:
    api = listing(deb(built, "vpn-server-api"))
    assert api["/usr/bin/vpn-server-api-init"] == "-rwxr-xr-x root/root"
    assert api["/usr/share/vpn-server-api/config"].endswith("root/root /etc/vpn-server-api")
    assert api["/usr/share/vpn-server-api/data"].endswith("root/root /var/lib/vpn-server-api")
    assert api["/etc/cron.d/vpn-server-api"] == "-rw-r----- root/root"
    assert api["/usr/share/vpn-server-api/easy-rsa/run.sh"] == "-rwxr-xr-x root/root"
    node = listing(deb(built, "vpn-server-node"))
    assert node["/usr/lib/vpn-server-node/client-connect"] == "-rwxr-xr-x root/root"
    assert "/usr/share/php/LC/Common/some.php" in listing(deb(built, "php-lc-common"))


def test_patches_are_in_the_package(built: Built, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", deb(built, "vpn-server-node"), tmp_path], check=True)
    moved = (tmp_path / "usr/share/vpn-server-node/src/OpenVpn.php").read_text()
    assert "'/usr/lib/vpn-server-node'" in moved
    assert "libexec" not in moved
    assert "'vpnGroup' => 'nogroup'" in (tmp_path / "etc/vpn-server-node/config.php").read_text()


def test_configuration_survives_an_update(built: Built) -> None:
    told = ask("dpkg-deb", "-I", str(deb(built, "vpn-user-portal")), "conffiles").split()
    assert "/etc/vpn-user-portal/config.php" in told
    assert "/etc/apache2/conf-available/vpn-user-portal.conf" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vpn-server-api", "chown www-data:www-data /var/lib/vpn-server-api && chmod 0700"),
        ("vpn-server-node", "chown root:nogroup /etc/vpn-server-node && chmod 0750"),
        ("vpn-daemon", "chown root:vpn-daemon /etc/ssl/vpn-daemon/private && chmod 0710"),
        ("vpn-daemon", "useradd --system --user-group"),
        ("vpn-user-portal", "/usr/bin/vpn-user-portal-generate-oauth-key"),
    ],
)
def test_what_is_not_roots_is_given_away_on_installation(
    name: str, words: str, built: Built
) -> None:
    script = ask("dpkg-deb", "-I", str(deb(built, name)), "postinst")
    assert words in script
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_the_daemon_is_told_where_its_certificates_lie(built: Built, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", deb(built, "vpn-daemon"), tmp_path], check=True)
    program = (tmp_path / "usr/sbin/vpn-daemon").read_text()
    assert "-X main.tlsKeyDir=/etc/ssl/vpn-daemon/private" in program
    unit = (tmp_path / "lib/systemd/system/vpn-daemon.service").read_text()
    assert "/etc/default/vpn-daemon" in unit


def test_apts_index_has_every_package_with_its_digest(built: Built) -> None:
    stanzas = (built.repository / "Packages").read_text().split("\n\n")
    assert len(stanzas) == len(recipes(DEBIAN))
    for stanza in stanzas:
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        package = built.repository / fields["Filename"]
        assert ask("sha256sum", str(package)).split()[0] == fields["SHA256"]
        assert package.stat().st_size == int(fields["Size"])


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_apt_takes_the_repository_and_finds_what_a_package_needs(
    built: Built, tmp_path: Path
) -> None:
    for directory in ("state/lists/partial", "cache/archives/partial", "etc"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "status").touch()
    repository = tmp_path / "LC"
    shutil.copytree(built.repository, repository)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    settings = {
        "Dir::Etc": tmp_path / "etc",
        "Dir::Etc::sourcelist": tmp_path / "sources.list",
        "Dir::State": tmp_path / "state",
        "Dir::State::status": tmp_path / "status",
        "Dir::Cache": tmp_path / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]
    told = subprocess.run([*apt, "update"], capture_output=True, text=True, check=True)
    assert "Err:" not in told.stdout
    assert told.stderr == ""
    wanted = ["install", "--simulate", "vpn-ca"]
    assert "Inst vpn-ca (2.0.1-0vpnproof1" in ask(*apt, *wanted)


def test_the_guides_scripts_are_there_as_published(built: Built) -> None:
    found = {str(path.relative_to(built.scripts)) for path in built.scripts.rglob("*")}
    assert {"deploy_debian.sh", "apply_changes.sh", "multi_node/stop_node.sh"} <= found
    assert "img" not in found
    assert os.access(built.scripts / "deploy_debian.sh", os.X_OK)


def test_packages_come_out_alike_whenever_and_wherever_they_are_built(
    built: Built, sources: dict[str, Source], tmp_path: Path
) -> None:
    again = built_in(tmp_path, sources)
    assert again.place != built.place
    index = (again.repository / "Packages").read_text()
    assert index == (built.repository / "Packages").read_text()


def test_what_was_altered_since_it_was_built_is_refused_by_name(
    built: Built, sources: dict[str, Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built.place.parents[1], tmp_path / "copy", symlinks=True)
    (package,) = (tmp_path / "copy").glob("packages/*/repository/vpn-ca_*.deb")
    package.write_bytes(package.read_bytes() + b"\n")
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "copy"))
    with pytest.raises(PackagingFailed) as failed:
        build(DEBIAN, sources)
    assert f"{package} is another than was built here" in failed.value.message


def test_what_is_cached_needs_no_compiler(built: Built, sources: dict[str, Source]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VPNPROOF_CACHE", str(built.place.parents[1]))
        patch.setenv("PATH", "/nowhere")
        assert is_cached(DEBIAN, sources)
        assert build(DEBIAN, sources) == built


def test_without_a_compiler_it_says_what_to_do(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert missing_tools(DEBIAN) == ("git", "dpkg-deb", "go")
    with pytest.raises(PackagingFailed) as failed:
        build(DEBIAN, sources)
    assert "lab/setup --genuine" in failed.value.hint


def test_another_commit_is_another_key(sources: dict[str, Source]) -> None:
    other = sources["php-jwt"].model_copy(update={"commit": "0" * 40})
    assert key(DEBIAN, sources) != key(DEBIAN, {**sources, "php-jwt": other})
    assert key(DEBIAN, sources) != key(EL, sources)


@pytest.mark.parametrize("text", ["nothing of it", "listen = 80\nlisten = 80\n"])
def test_a_patch_that_does_not_fit_is_an_error(text: str) -> None:
    with pytest.raises(PackagingFailed, match=r"httpd\.conf: a patch does not fit"):
        Patch("listen = 80", "listen = 81").apply(text, "httpd.conf")


def test_a_recipe_for_another_source_is_an_error(tmp_path: Path) -> None:
    recipe = Recipe("tool", "tool", "a tool", contents=(FromSource("src", "/usr/share/tool"),))
    (tmp_path / "root").mkdir()
    with pytest.raises(PackagingFailed, match="the source has no src"):
        stage(recipe, tmp_path, tmp_path / "root", 0)


def test_a_package_without_anything_to_do_has_no_script() -> None:
    (library,) = (one for one in recipes(DEBIAN) if one.name == "php-lc-common")
    assert debian.postinst(library) == ""


def test_a_confined_web_server_may_write_to_its_data_on_el_alone() -> None:
    """As the published RPMs have it: what is labelled var_lib_t is not for httpd_t."""
    for name in ("vpn-server-api", "vpn-user-portal"):
        (el,), (deb,) = (
            [one for one in recipes(each) if one.name == name] for each in (EL, DEBIAN)
        )
        said = "\n".join(el.afterwards)
        assert f"-t httpd_sys_rw_content_t '/var/lib/{name}(/.*)?'" in said
        assert f"restorecon -R /var/lib/{name}" in said
        assert not any("semanage" in line for line in deb.afterwards)


def test_an_rpms_spec_says_whose_each_file_is(sources: dict[str, Source], tmp_path: Path) -> None:
    (node,) = (one for one in recipes(EL) if one.name == "vpn-server-node")
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    for path, text in world.files_of("vpn-server-node", EL).items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    stage(node, source, root, 0)
    lines = rpm.spec(node, sources["vpn-server-node"], root).splitlines()
    assert "Version: 2.1.4" in lines
    assert "BuildArch: noarch" in lines
    assert "Requires: openvpn" in lines
    assert "%dir %attr(0750,root,openvpn) /etc/vpn-server-node" in lines
    kept = "%config(noreplace) %attr(0644,root,root) /etc/vpn-server-node/config.php"
    assert kept in lines
    assert "%attr(0755,root,root) /usr/libexec/vpn-server-node/client-connect" in lines
    assert not any(line.split()[-1] == "/etc" for line in lines if line.startswith("%dir"))
