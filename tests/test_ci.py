"""What signs a deployment off, and what runs at night: every part, whatever became of the others.

Each test runs copies of the scripts in a project of its own; its programs note what they are given.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
PYTEST = """#!/bin/sh
echo "pytest $*" >>told
while [ "$1" != --evidence ]; do shift; done
mkdir "$2" && echo '{"a": 1}' >"$2/report.json" && echo secret >"$2/secrets.json"
searched='{"shareable": true}'
[ "${LEAKS:-}" = none ] || echo "${LEAKS:-$searched}" >"$2/leaks.json"
exit ${PYTEST_STATUS:-0}
"""
PYTHON = """#!/bin/sh
echo "python $*" >>told
case "$*" in *"-m ${FAILS:-none}"*) exit 3 ;; *"${UNPRINTED:-none}") exit 3 ;; esac
case "$*" in *compare*) echo "no requirement turned" ;; esac
"""


class Project:
    """A checkout with the scripts and pretended programs, and a key that signs."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        shutil.copytree(HERE / ".ci", self.root / ".ci")
        self._program(".venv/bin/pytest", PYTEST)
        self._program(".venv/bin/python", PYTHON)
        self._program(".venv/bin/tox", "#!/bin/sh\necho tox $* >>told\nexit ${TOX_STATUS:-0}\n")
        self._program("lab/setup", "#!/bin/sh\necho setup $* >>told\nexit ${SETUP_STATUS:-0}\n")
        self.key = root / "key"
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
        subprocess.run(keygen, check=True)

    def _program(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / command[0]), *command[1:]],
            env={**os.environ, "VPNPROOF_NIGHTS": str(self.root / "nights"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def told(self) -> list[str]:
        told = self.root / "told"
        return told.read_text().splitlines() if told.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_one_command_runs_judges_reports_signs_and_checks_the_signature(project: Project) -> None:
    done = project.run(".ci/acceptance", "--sign", str(project.key), "--evidence", "out")
    assert done.returncode == 0
    scenarios, verify, report, signed = project.told
    assert scenarios == "pytest scenarios/ --full --evidence out"
    assert verify == "python -m checks verify out"
    assert report.startswith(f"python -m report out --sign {project.key}")
    assert signed.startswith("python -m report verify out --signer signer --allowed ")


def test_a_run_that_failed_is_reported_and_signed_all_the_same(project: Project) -> None:
    done = project.run(
        ".ci/acceptance", "--sign", str(project.key), "scenarios/failover", PYTEST_STATUS="1"
    )
    assert done.returncode == 1
    assert len(project.told) == 4
    assert project.told[0].startswith("pytest scenarios/failover --full --evidence runs/acceptance")


def test_a_report_that_cannot_be_printed_is_signed_all_the_same(
    project: Project, tmp_path: Path
) -> None:
    """A browser that is a snap sees nothing of /tmp."""
    browser = tmp_path / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    path = f"{browser.parent}:{os.environ['PATH']}"
    given = (".ci/acceptance", "--sign", str(project.key), "--evidence", "out")
    done = project.run(*given, PATH=path, UNPRINTED="--pdf")
    assert done.returncode == 0
    signs = [line for line in project.told if "--sign " in line]
    assert [line.endswith("--pdf") for line in signs] == [True, False]


def test_a_run_of_too_many_hours_is_ended_as_by_ctrl_c_and_reported(project: Project) -> None:
    waits = 'trap "kill $!; exit 2" INT; wait\n'
    slow = f'#!/bin/sh\necho "pytest $*" >>told\nsleep 60 >/dev/null 2>&1 &\n{waits}'
    (project.root / ".venv/bin/pytest").write_text(slow)
    given = (".ci/acceptance", "--sign", str(project.key), "--evidence", "out")
    done = project.run(*given, VPNPROOF_RUN_LIMIT="2s")
    assert done.returncode == 124, done.stdout
    assert len(project.told) == 4


def test_a_report_that_cannot_be_made_is_the_status(project: Project) -> None:
    given = (".ci/acceptance", "--sign", str(project.key), "--evidence", "out")
    assert project.run(*given, FAILS="report out").returncode == 3


def test_the_status_is_that_of_the_first_part_that_failed(project: Project) -> None:
    given = (".ci/acceptance", "--sign", str(project.key))
    assert project.run(*given, FAILS="checks verify").returncode == 3


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((), "--sign KEY is missing"),
        (("--sign", "none"), "none.pub cannot be read"),
        (("--sign", "KEY", "--evidence", "lab"), "lab is there already"),
    ],
)
def test_what_can_be_refused_is_refused_before_hours_of_work(
    project: Project, given: tuple[str, ...], why: str
) -> None:
    words = [str(project.key) if word == "KEY" else word for word in given]
    done = project.run(".ci/acceptance", *words)
    assert (done.returncode, project.told) == (2, [])
    assert why in done.stderr


def test_a_key_that_does_not_sign_is_refused_at_once(project: Project) -> None:
    project.key.write_text("no key\n")
    done = project.run(".ci/acceptance", "--sign", str(project.key))
    assert (done.returncode, project.told) == (2, [])
    assert "does not sign" in done.stderr


def test_a_night_keeps_its_evidence_without_secrets_and_makes_a_page(project: Project) -> None:
    given = (".ci/nightly", "--sign", str(project.key))
    done = project.run(*given, "night-1", "scenarios/", "--accel", "kvm", PYTEST_STATUS="1")
    assert done.returncode == 1
    assert project.told[:3] == [
        "setup",
        "setup --browser",
        "pytest scenarios/ --accel kvm --full --evidence night-1/evidence",
    ]
    with tarfile.open(project.root / "night-1" / "evidence.tar.gz") as kept:
        names = ["evidence", "evidence/leaks.json", "evidence/report.json"]
        assert sorted(kept.getnames()) == names
    page = project.root / "night-1" / "public"
    assert "ended with status 1" in (page / "index.html").read_text()
    assert "no night before" in (page / "compared.txt").read_text()


@pytest.mark.parametrize("leaks", ['{"shareable": false}', "none"], ids=["found", "not searched"])
def test_a_night_shows_nothing_of_evidence_that_secrets_may_stand_in(
    project: Project, leaks: str
) -> None:
    done = project.run(".ci/nightly", "--sign", str(project.key), "night-1", LEAKS=leaks)
    assert done.returncode == 1
    night = project.root / "night-1"
    assert sorted(path.name for path in night.iterdir()) == ["evidence", "public"]
    assert sorted(path.name for path in (night / "public").iterdir()) == [
        "compared.txt",
        "index.html",
    ]
    assert "Secrets may stand in its evidence" in (night / "public" / "index.html").read_text()


def test_a_night_also_looks_at_what_needs_a_browser(project: Project) -> None:
    given = (".ci/nightly", "--sign", str(project.key))
    done = project.run(*given, "night-1", TOX_STATUS="4")
    assert done.returncode == 4
    assert "tox -e browser,workflows" in project.told
    assert "status 4" in (project.root / "night-1" / "public" / "index.html").read_text()
    assert project.run(*given, "night-2", PYTEST_STATUS="1", TOX_STATUS="4").returncode == 1


def test_a_night_whose_machine_cannot_be_set_up_says_so_on_its_page(project: Project) -> None:
    done = project.run(".ci/nightly", "--sign", str(project.key), "night-1", SETUP_STATUS="5")
    assert (done.returncode, project.told) == (5, ["setup"])
    page = project.root / "night-1" / "public"
    assert "This machine could not be set up: status 5" in (page / "index.html").read_text()
    assert "no report" in (page / "compared.txt").read_text()


def test_a_page_links_to_what_there_is(project: Project) -> None:
    for night, given in (("night-1", {}), ("night-2", {"SETUP_STATUS": "5"})):
        project.run(".ci/nightly", "--sign", str(project.key), night, **given)
        page = project.root / night / "public"
        links = re.findall(r'href="([^"]+)"', (page / "index.html").read_text())
        assert sorted([*links, "index.html"]) == sorted(path.name for path in page.iterdir())


def test_a_night_is_compared_with_the_last_one(project: Project) -> None:
    for night in ("night-1", "night-2"):
        assert project.run(".ci/nightly", "--sign", str(project.key), night).returncode == 0
    page = project.root / "night-2" / "public"
    assert (page / "compared.txt").read_text() == "no requirement turned\n"
    last = project.root / "nights" / "last.json"
    assert f"python -m report compare {last} night-2/public/report.json" in project.told


def test_a_night_without_any_report_says_so(project: Project) -> None:
    done = project.run(".ci/nightly", "--sign", "none", "night-1")
    assert done.returncode == 2
    compared = (project.root / "night-1" / "public" / "compared.txt").read_text()
    assert compared == "there is no report of this night\n"


def test_what_ci_files_start_is_there_and_may_be_started() -> None:
    for name in (".github/workflows/nightly.yml", ".gitlab-ci.yml"):
        started = set(re.findall(r"\.ci/\w+", (HERE / name).read_text()))
        assert started == {".ci/nightly"}
        assert all(os.access(HERE / one, os.X_OK) for one in started)
