"""lab/setup on machines that lack something: a clear error, and nothing half-done.

Each test runs a copy of the script in a project of its own, with a PATH of programs made for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).parent.parent / "lab" / "setup"
TOOLS = (
    *("cat", "cut", "dirname", "basename", "grep", "id", "rm", "sha256sum", "env", "flock"),
    *("mkdir", "cp", "sh"),
)

EVERYTHING_INSTALLED = "printf installed"
NOTHING_INSTALLED = 'case $* in *" dpkg") exit 0 ;; esac; exit 1'  # but dpkg itself
FAKE_PYTHON = """case "$*" in
*"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"-m pip --quiet"*) echo "pip: $*" >&2; exit {pip} ;;
*-V*) echo Python 3.11.2 ;;
esac"""


class Machine:
    """A directory of programs, and a project with the script in it."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.programs = root / "bin"
        (self.project / "lab").mkdir(parents=True)
        self.programs.mkdir()
        shutil.copy(SETUP, self.project / "lab" / "setup")
        (self.project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
        for lock in ("requirements.lock", "requirements-build.lock"):
            (self.project / lock).write_text("x==1 --hash=sha256:00\n")
        for tool in TOOLS:
            (self.programs / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")

    @property
    def venv(self) -> Path:
        return self.project / ".venv"

    def has(self, name: str, script: str) -> None:
        program = self.programs / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def setup(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(self.project / "lab" / "setup"), *options],
            env={"PATH": str(self.programs), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a Debian where every package is there, and pip works."""
    made = Machine(tmp_path)
    made.has("apt-get", "echo apt-get was called >&2; exit 1")
    made.has("dpkg-query", EVERYTHING_INSTALLED)
    made.has("python3", FAKE_PYTHON.format(pip=0))
    return made


def test_the_script_is_plain_posix_shell():
    checker = shutil.which("dash") or "/bin/sh"
    subprocess.run([checker, "-n", str(SETUP)], check=True)


def test_a_second_run_calls_neither_apt_nor_pip(machine: Machine):
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    assert "setup: done" in first.stdout
    second = machine.setup()
    assert (second.returncode, second.stdout) == (0, "")


def test_a_changed_project_file_runs_pip_again(machine: Machine):
    machine.setup()
    (machine.project / "pyproject.toml").write_text("[project]\nname = 'y'\n")
    assert "installing the project" in machine.setup().stdout


def test_a_changed_lock_runs_pip_again(machine: Machine):
    machine.setup()
    (machine.project / "requirements.lock").write_text("x==2 --hash=sha256:00\n")
    assert "installing the project" in machine.setup().stdout


def test_everything_but_the_project_itself_is_installed_by_its_hash(machine: Machine):
    asked = [line for line in machine.setup().stderr.splitlines() if line.startswith("pip: ")]
    *locked, project = asked
    assert [line.split()[-1].rpartition("/")[2] for line in locked] == [
        "requirements-build.lock",
        "requirements.lock",
    ]
    assert all("--require-hashes" in line and "--no-deps" in line for line in locked)
    assert project.endswith("install --no-deps --no-build-isolation -e .")


def test_without_a_package_manager_it_names_the_packages(machine: Machine):
    (machine.programs / "apt-get").unlink()
    done = machine.setup()
    assert done.returncode == 1
    assert "neither apt-get nor dnf" in done.stderr
    assert "mmdebstrap" in done.stderr
    assert not machine.venv.exists()


def test_without_network_it_says_what_is_missing_and_stops(machine: Machine):
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("id", "echo 0")
    done = machine.setup()
    assert done.returncode == 1
    assert "missing packages: qemu-system-x86 " in done.stdout
    assert "is there a network?" in done.stdout
    assert "these packages could not be installed: qemu-system-x86 " in done.stderr
    assert not machine.venv.exists()


def test_package_lists_of_which_one_cannot_be_read_keep_nobody_from_installing(machine: Machine):
    """Another vendor's expired key, say."""
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("id", "echo 0")
    machine.has("apt-get", 'case $* in *update) exit 100 ;; esac; echo "apt-get $*"')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "install --no-install-recommends qemu-system-x86 " in done.stdout


def test_a_package_of_two_architectures_is_there(machine: Machine):
    machine.has("dpkg-query", "printf installedinstalled")
    assert machine.setup().returncode == 0


def test_programs_of_a_venv_that_was_moved_name_the_python_of_where_it_is(machine: Machine):
    real = f'case "$1$2" in -c*pathlib*) exec {sys.executable} "$@" ;; esac\n'
    machine.has("python3", real + FAKE_PYTHON.format(pip=0))
    machine.setup()
    program = machine.venv / "bin" / "pytest"
    program.write_text("#!/where/it/was/.venv/bin/python\nimport sys\nsys.exit()\n")
    (machine.venv / ".setup-stamp").write_text("of another place\n")
    assert machine.setup().returncode == 0
    here = f"#!{machine.venv}/bin/python\nimport sys\nsys.exit()\n"
    assert program.read_text() == here


def test_an_ordinary_user_without_sudo_gets_the_line_to_run_as_root(machine: Machine):
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 1
    assert "there is no sudo: apt-get -qq -o DPkg::Lock::Timeout=300 update" in done.stderr


def test_an_ordinary_users_sudo_is_used_for_packages_and_announced(machine: Machine):
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("id", "echo 1000")
    machine.has("sudo", 'echo "as root: $*"')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "sudo for missing packages: qemu-system-x86 " in done.stdout
    assert "as root: -- env DEBIAN_FRONTEND=noninteractive apt-get" in done.stdout


def test_sudo_is_told_the_proxy_which_it_would_leave_out(machine: Machine):
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("id", "echo 1000")
    machine.has("sudo", 'echo "as root: $*"')
    done = machine.setup(https_proxy="http://proxy:3128")
    said = "as root: -- env http_proxy= https_proxy=http://proxy:3128 no_proxy= apt-get"
    assert said in done.stdout


def test_without_a_new_enough_python_it_says_so(machine: Machine):
    machine.has("python3", "exit 1")
    done = machine.setup()
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr


def test_a_venv_that_fails_half_way_is_removed(machine: Machine):
    machine.has("python3", FAKE_PYTHON.format(pip=1))
    done = machine.setup()
    assert done.returncode == 1
    assert "pip could not install what requirements-build.lock names" in done.stderr
    assert not machine.venv.exists()


def test_on_fedora_packages_come_by_dnf(machine: Machine):
    (machine.programs / "apt-get").unlink()
    machine.has("rpm", "exit 1")
    machine.has("id", "echo 0")
    machine.has("dnf", 'echo "dnf $*"')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "dnf -q -y install" in done.stdout
    assert "libvirt-daemon-driver-qemu" in done.stdout


def test_fedora_with_apt_and_dpkg_of_its_own_is_still_fedora(machine: Machine):
    """They are there for mmdebstrap; dpkg does not know itself."""
    machine.has("dpkg-query", "exit 1")
    machine.has("rpm", "exit 1")
    machine.has("id", "echo 0")
    machine.has("dnf", 'echo "dnf $*"')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "dnf -q -y install" in done.stdout


@pytest.mark.parametrize("program", ["apt-get", "dnf"])
def test_a_compiler_is_installed_only_when_the_genuine_software_is_asked_for(
    machine: Machine, program: str
):
    machine.has("id", "echo 0")
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("rpm", "exit 1")
    (machine.programs / "apt-get").unlink()
    machine.has(program, 'echo "installs $*"')
    assert "golang" not in machine.setup().stdout
    assert "golang" in machine.setup("--genuine").stdout


def test_a_browser_is_installed_only_when_it_is_asked_for_alone_or_with_others(machine: Machine):
    machine.has("id", "echo 0")
    machine.has("dpkg-query", NOTHING_INSTALLED)
    machine.has("apt-get", 'echo "installs $*"')
    assert "chromium" not in machine.setup("--genuine").stdout
    both = machine.setup("--genuine", "--browser").stdout
    assert "chromium-driver" in both
    assert "golang" in both


def test_another_option_is_refused(machine: Machine):
    done = machine.setup("--browser", "--genuin")
    assert done.returncode == 1
    assert "unknown option: --genuin" in done.stderr


def test_what_is_missing_is_told_and_nothing_is_installed(machine: Machine):
    machine.has("dpkg-query", NOTHING_INSTALLED)
    told = machine.setup("--missing")
    assert told.returncode == 0, told.stderr
    assert "qemu-system-x86" in told.stdout.split()
    assert "apt-get was called" not in told.stderr
    assert not machine.venv.exists()


def test_nothing_missing_says_nothing(machine: Machine):
    told = machine.setup("--missing", "--genuine")
    assert (told.returncode, told.stdout, machine.venv.exists()) == (0, "", False)
