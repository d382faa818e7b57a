"""PHP configuration files are changed as data, by way of PHP."""

import copy

import pytest

from lab.errors import CommandFailed
from provision.errors import UnexpectedContent
from provision.php import config_file
from provision.php_config import Append, Copy, PhpConfig, Rename, Set

CONFIG = {"vpnProfiles": {"internet": {"hostName": "vpn.example", "dns": []}}, "rules": [1]}


@pytest.fixture
def file(tmp_path, php):
    path = tmp_path / "config.php"
    path.write_text(config_file(CONFIG))
    return path


def made(edit):
    config = copy.deepcopy(CONFIG)
    edit.make(config)
    return config


def test_a_changed_file_passes_php_and_keeps_its_mode(session, file):
    file.chmod(0o640)
    action = PhpConfig(str(file), (Set(("useVpnDaemon",), True),))
    action.apply(session)
    assert "'useVpnDaemon' => true" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    assert action.applied(session)
    assert not file.with_name("config.php.new").exists()


def test_what_is_set_already_is_left_alone(session, file):
    action = PhpConfig(str(file), (Set(("vpnProfiles", "internet", "hostName"), "vpn.example"),))
    assert action.applied(session)


def test_a_file_that_php_refuses_stays_as_it_was(session, file, monkeypatch):
    monkeypatch.setattr("provision.php_config.config_file", lambda _: "<?php return array(")
    before = file.read_text()
    with pytest.raises(CommandFailed, match="Parse error"):
        PhpConfig(str(file), (Set(("a",), 1),)).apply(session)
    assert file.read_text() == before
    assert not file.with_name("config.php.new").exists()


def test_a_file_with_more_than_data_is_refused(session, tmp_path, php):
    path = tmp_path / "config.php"
    path.write_text("<?php return array('a' => function () {});")
    with pytest.raises(CommandFailed, match="status 3"):
        PhpConfig(str(path), (Set(("b",), 1),)).applied(session)


def test_a_file_that_returns_no_array_is_refused(session, tmp_path, php):
    path = tmp_path / "config.php"
    path.write_text("<?php return 5;")
    with pytest.raises((UnexpectedContent, CommandFailed)):
        PhpConfig(str(path), (Set(("b",), 1),)).applied(session)


def test_an_empty_file_of_rules_can_be_filled(session, tmp_path, php):
    path = tmp_path / "config.php"
    path.write_text("<?php return array();")
    PhpConfig(str(path), (Append(("inputRules",), {"dst_port": [41194]}),)).apply(session)
    assert "41194" in path.read_text()


def test_the_transcript_does_not_show_a_configuration(session, file):
    PhpConfig(str(file), (Set(("secret",), "hush"), Set(("password",), "hush"))).applied(session)
    assert "vpn.example" not in session.transcript.path.read_text()


def test_a_renamed_section_keeps_its_place():
    config = made(Rename((), "vpnProfiles", "profiles"))
    assert list(config) == ["profiles", "rules"]


def test_renaming_twice_is_renaming_once():
    edit = Rename(("vpnProfiles",), "internet", "node-a")
    config = made(edit)
    edit.make(config)
    assert list(config["vpnProfiles"]) == ["node-a"]


def test_renaming_what_is_not_there_says_what_is():
    with pytest.raises(UnexpectedContent, match=r"no 'x'.*internet"):
        made(Rename(("vpnProfiles",), "x", "y"))


def test_a_copy_is_made_once_and_lives_on_its_own():
    edit = Copy(("vpnProfiles",), "internet", "node-b")
    config = made(edit)
    config["vpnProfiles"]["node-b"]["hostName"] = "other"
    edit.make(config)
    assert config["vpnProfiles"]["node-b"]["hostName"] == "other"
    assert config["vpnProfiles"]["internet"]["hostName"] == "vpn.example"


def test_an_item_is_appended_once():
    edit = Append(("rules",), 2)
    config = made(edit)
    edit.make(config)
    assert config["rules"] == [1, 2]


def test_a_value_of_a_later_section_stays():
    edit = Set(("vpnProfiles", "internet", "hostName"), "early", later=("vpn.example",))
    assert made(edit) == CONFIG


def test_a_missing_section_is_named():
    with pytest.raises(UnexpectedContent, match=r"'vpnProfiles' > 'node-z'"):
        made(Set(("vpnProfiles", "node-z", "hostName"), "x"))
