"""Actions, in real shells: done once, left alone afterwards, done again when due."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from lab.errors import CommandFailed
from provision.action import Check, Command, Packages, Remember, Service
from provision.apache import ApacheSection, replace_section
from provision.errors import NoteMissing, UnexpectedContent
from provision.files import Unpack, WriteFile
from provision.notes import Notes
from provision.platform import DEBIAN_12


def older(path):
    """Make a file older than everything written now."""
    os.utime(path, (1, 1))


def test_a_command_with_a_product_runs_until_the_product_is_there(session, tmp_path):
    action = Command(f"touch {tmp_path}/made", creates=f"{tmp_path}/made")
    assert not action.applied(session)
    action.apply(session)
    assert action.applied(session)


def test_a_command_that_runs_once_runs_again_when_its_files_change(session, tmp_path, stamps):
    source = tmp_path / "source"
    source.write_text("x")
    older(source)
    action = Command("true", once="this", after=(str(source),))
    action.apply(session)
    assert action.applied(session)
    os.utime(source, (2**31, 2**31))
    assert not action.applied(session)


def test_a_command_of_several_lines_ends_at_the_first_that_fails(session, tmp_path, stamps):
    action = Command(f"false\ntouch {tmp_path}/after", once="this")
    with pytest.raises(CommandFailed):
        action.apply(session)
    assert not (tmp_path / "after").exists()
    assert not action.applied(session)


def test_a_command_reads_its_notes_from_stdin(session, tmp_path):
    session.notes.keep("secret", "s3cr3t", secret=True)
    Command(f"cat > {tmp_path}/got", stdin="{note:secret}\n").apply(session)
    assert (tmp_path / "got").read_text() == "s3cr3t\n"
    assert "s3cr3t" not in session.transcript.path.read_text()


def test_a_check_that_fails_says_what_the_command_said(session):
    with pytest.raises(CommandFailed, match="not here"):
        Check("echo not here; false").apply(session)


def test_a_secret_is_noted_and_not_shown(session):
    action = Remember("secret", "echo s3cr3t")
    assert not action.applied(session)
    action.apply(session)
    assert session.notes["secret"] == "s3cr3t\n"
    assert action.applied(session)
    log = session.transcript.path.read_text()
    assert "not shown: noted as 'secret'" in log
    assert "| s3cr3t" not in log


def test_a_note_that_is_missing_is_named():
    notes = Notes()
    notes.keep("a", "x", secret=False)
    with pytest.raises(NoteMissing, match="'b'") as caught:
        notes.fill("{note:a} {note:b}")
    assert "noted so far: a" in str(caught.value)


def test_a_file_is_written_and_recognised(session, tmp_path):
    owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    action = WriteFile(f"{tmp_path}/f", "it's {\n", mode=0o640, owner=owner, group=group)
    assert not action.applied(session)
    action.apply(session)
    assert action.applied(session)
    (tmp_path / "f").chmod(0o600)
    assert not action.applied(session)


def test_an_archive_is_the_same_whenever_it_is_packed(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "run.sh").write_text("true")
    (source / "run.sh").chmod(0o755)
    first = Unpack(source, "documentation-2", "/root/v2.tar.gz").content
    older(source / "run.sh")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_text("x")
    assert Unpack(source, "documentation-2", "/root/v2.tar.gz").content == first


def test_an_archive_is_unpacked_beside_itself(session, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "run.sh").write_text("true")
    (source / "run.sh").chmod(0o755)
    there = tmp_path / "there"
    (there / "documentation-2").mkdir(parents=True)
    (there / "documentation-2" / "old").write_text("left by an earlier archive")
    Unpack(source, "documentation-2", f"{there}/v2.tar.gz").apply(session)
    assert [path.name for path in (there / "documentation-2").iterdir()] == ["run.sh"]
    assert (there / "documentation-2" / "run.sh").stat().st_mode & 0o111
    assert (there / "v2.tar.gz").exists()


@pytest.fixture
def systemctl(tmp_path, monkeypatch, stamps):
    """Put a systemctl first in PATH that keeps a service's state in a file."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    state = tmp_path / "running"
    program.write_text(
        f"#!/bin/sh\ncase $1 in is-*) [ -e {state} ];; restart) echo x >> {state};; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return state


def test_a_service_is_restarted_when_its_file_changed(session, systemctl, tmp_path):
    conf = tmp_path / "conf"
    conf.write_text("x")
    older(conf)
    action = Service("apache2", after=(str(conf),))
    action.apply(session)
    assert action.applied(session)
    os.utime(conf, (2**31, 2**31))
    assert not action.applied(session)


def test_a_service_that_does_not_start_shows_its_status(session, systemctl):
    program = Path(os.environ["PATH"].split(":")[0]) / "systemctl"
    program.write_text("#!/bin/sh\ncase $1 in status) echo port taken;; *) exit 1;; esac\n")
    with pytest.raises(CommandFailed, match="port taken"):
        Service("apache2").apply(session)


def test_packages_are_asked_for_in_the_platforms_words():
    text = Packages(DEBIAN_12, ("bind9",)).describe()
    assert "apt-get install -y --no-install-recommends bind9" in text


APACHE = (
    "Alias /a /b\n"
    "<Directory /b>\n    <RequireAny>\n        # nodes\n    </RequireAny>\n</Directory>\n"
)


def test_a_section_of_apache_is_replaced_and_nothing_else(session, tmp_path):
    path = tmp_path / "vpn-server-api.conf"
    path.write_text(APACHE)
    action = ApacheSection(str(path), "RequireAny", ("Require local",), "true")
    action.apply(session)
    assert path.read_text() == APACHE.replace("# nodes", "Require local")
    assert action.applied(session)
    assert [file.name for file in tmp_path.glob("vpn-*")] == ["vpn-server-api.conf"]


def test_the_old_file_comes_back_when_apache_refuses_the_new_one(session, tmp_path):
    path = tmp_path / "vpn-server-api.conf"
    path.write_text(APACHE)
    with pytest.raises(CommandFailed):
        ApacheSection(str(path), "RequireAny", ("Nonsense",), "false").apply(session)
    assert path.read_text() == APACHE
    assert [file.name for file in tmp_path.glob("vpn-*")] == ["vpn-server-api.conf"]


@pytest.mark.parametrize("text", ["", APACHE + APACHE, "</RequireAny>\n<RequireAny>\n"])
def test_a_file_without_exactly_one_section_is_refused(text):
    with pytest.raises(UnexpectedContent, match="expected one <RequireAny>"):
        replace_section(text, "RequireAny", ())
