"""Secrets: kept beside the evidence, referred to in it, and looked for in all of it."""

import base64
import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from evidence.errors import BadEvidence, Missing
from evidence.leaks import Leak, forms, search
from evidence.secret import FILE_NAME, Known, SecretReference, Secrets, in_profile

VALUE = 's3cr"et/of & thé pair'
KEY = "-----BEGIN PRIVATE KEY-----\n" + "\n".join("MC4CAQAwBQYDK2VwBCIEI" + c * 40 for c in "abc")


def test_a_secret_is_found_again_by_what_evidence_says_of_it(tmp_path: Path) -> None:
    reference = Secrets(tmp_path).refer("ucarp.password", VALUE)
    assert VALUE not in reference.model_dump_json()
    assert Secrets(tmp_path).resolve(reference) == VALUE
    assert Secrets(tmp_path).refer("ucarp.password", VALUE) == reference


@pytest.mark.parametrize("ended_by", ["\n", "\r\n"])
def test_keys_of_a_profile_are_found_however_its_lines_end(ended_by: str) -> None:
    lines = ["client", "<ca>", "public", "</ca>", "<key>", *KEY.split("\n"), "</key>"]
    lines += ["<tls-crypt>", "shared", "</tls-crypt>"]
    assert in_profile("it", ended_by.join(lines)) == {"key of it": KEY, "tls-crypt of it": "shared"}


def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Secrets(tmp_path).refer("a", VALUE)
        Secrets(tmp_path).keep({"b": "another secret"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_secret_that_is_not_here_is_missing_and_the_words_say_where_it_is(tmp_path: Path) -> None:
    reference = Secrets(tmp_path).refer("ucarp.password", VALUE)
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(Missing, match=r"ucarp\.password is not here: secrets\.json"):
        Secrets(tmp_path).resolve(reference)


def test_another_value_in_its_place_is_noticed(tmp_path: Path) -> None:
    reference = Secrets(tmp_path).refer("ucarp.password", VALUE)
    told = (tmp_path / FILE_NAME).read_text()
    (tmp_path / FILE_NAME).write_text(told.replace("pair", "peer"))
    with pytest.raises(BadEvidence, match="not the one that was recorded"):
        Secrets(tmp_path).resolve(reference)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"secrets": [7]}', '{"secrets": [{"of": "a"}]}', "{"]
)
def test_a_file_that_is_none_is_refused_and_shows_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(BadEvidence, match="secrets"):
        Secrets(tmp_path).known()


def test_only_what_evidence_refers_to_is_kept_in_the_end(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.keep({"key": KEY})
    secrets.refer("ucarp.password", VALUE)
    secrets.forget()
    assert [one.of for one in secrets.known()] == ["ucarp.password"]


def test_a_file_of_which_nothing_is_needed_goes(tmp_path: Path) -> None:
    Secrets(tmp_path).keep({"key": KEY})
    Secrets(tmp_path).forget()
    Secrets(tmp_path).forget()
    assert not (tmp_path / FILE_NAME).exists()


def keep(directory: Path, number: int) -> None:
    for n in range(5):
        Secrets(directory).keep({f"{number}-{n}": f"value of {number}-{n}"})


def test_workers_side_by_side_lose_none(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as workers:
        list(workers.map(keep, [tmp_path] * 4, range(4)))
    assert len(Secrets(tmp_path).known()) == 20


def test_a_text_is_masked(tmp_path: Path) -> None:
    Secrets(tmp_path).keep({"password of bob": VALUE, "short": "ab"})
    assert Secrets(tmp_path).mask(f"typed {VALUE}, ab") == "typed (password of bob), ab"


ENCODED = {
    "plain": VALUE,
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 of a pair": base64.b64encode(f"openvpn:{VALUE}\n".encode()).decode(),
    "base64 of another pair": base64.b64encode(f"openvpn1:{VALUE}\n".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"ü?{VALUE}?".encode()).decode(),
    "hexadecimal": VALUE.encode().hex(),
    "HEXADECIMAL": VALUE.encode().hex().upper(),
    "URL-encoded": quote(VALUE, safe=""),
    "URL-encoded as a form": "a=1&password=" + quote(VALUE, safe="").replace("%20", "+"),
    "JSON": json.dumps({"password": VALUE}),
    "JSON in UTF-8": json.dumps({"password": VALUE}, ensure_ascii=False),
    "JSON of PHP": json.dumps({"password": VALUE}).replace("/", "\\/"),
}
FILES = [
    *("history.jsonl", "run.json", "verdicts.json", "timings.json", "errata-failover.json"),
    *("trouble.log", "transcripts/lab/primary.log", "consoles/lab/primary.log", "wire/lab.pcapng"),
]


@pytest.mark.parametrize("how", ENCODED)
def test_a_planted_secret_is_found_in_whatever_form(tmp_path: Path, how: str) -> None:
    (tmp_path / "file").write_text(f"a\0b\xff {ENCODED[how]} c\n")
    (leak, *_) = search(tmp_path, [Known(of="password", value=VALUE + "\n")]).leaks
    assert (leak.secret, leak.file) == ("password", "file")
    assert leak.form[:4].lower() in how.lower() or "JSON" in how


@pytest.mark.parametrize("file", FILES)
def test_a_planted_secret_is_found_in_each_kind_of_file(tmp_path: Path, file: str) -> None:
    for one in FILES:
        (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one).write_bytes(b"nothing here\n" + bytes(300))
    with (tmp_path / file).open("ab") as planted:
        planted.write(b"xx" + VALUE.encode())
    found = search(tmp_path, [Known(of="password", value=VALUE), Known(of="key", value=KEY)])
    assert found.leaks == (Leak("password", file, "plain", 315),)
    assert (found.files, found.unread, found.clean) == (len(FILES), (), False)


def test_a_line_of_a_key_is_enough_and_its_heading_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(KEY.splitlines()[0])
    (tmp_path / "b").write_text("  " + KEY.splitlines()[2] + "\r\n")
    found = search(tmp_path, [Known(of="key", value=KEY)])
    assert [(one.file, one.form) for one in found.leaks] == [("b", "plain")]


def test_what_was_searched_is_kept_and_holds_no_secret(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(VALUE)
    known = [Known(of="password", value=VALUE), Known(of="pin", value="1234")]
    search(tmp_path, known).write(tmp_path)
    told = json.loads((tmp_path / "leaks.json").read_text())
    assert VALUE not in str(told)
    assert told["shareable"] is False
    assert (told["secrets"], told["too_short"]) == (["password"], ["pin"])
    assert told["leaks"][0]["file"] == "file"


def test_the_file_of_secrets_and_the_search_itself_are_not_searched(tmp_path: Path) -> None:
    Secrets(tmp_path).keep({"password": VALUE})
    found = search(tmp_path, Secrets(tmp_path).known())
    found.write(tmp_path)
    assert (found.leaks, found.clean) == ((), True)


def test_nothing_that_is_no_regular_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert search(tmp_path, [Known(of="password", value=VALUE)]).clean


def test_a_search_that_fails_is_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("nothing")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = search(tmp_path, [Known(of="password", value=VALUE)])
    assert not found.clean
    assert found.unread[0].startswith("file: ")


def test_random_octets_hold_no_form_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "random").write_bytes(os.urandom(1 << 20))
    assert search(tmp_path, [Known(of="password", value="abcdef")]).clean
    assert min(len(octets) for _, octets in forms("abcdef")) >= 6


def test_a_reference_is_refused_whose_digest_is_none() -> None:
    with pytest.raises(ValueError, match="digest"):
        SecretReference(of="ucarp.password", digest="the password itself")


def test_the_keys_of_a_profile_are_told_apart() -> None:
    profile = "client\n<ca>\nC\n</ca>\n<key>\nK\nL\n</key>\n<tls-crypt>\nT\n</tls-crypt>\n"
    assert in_profile("a", profile) == {"key of a": "K\nL", "tls-crypt of a": "T"}


def test_a_profile_that_opens_a_key_again_and_again_is_read_at_once() -> None:
    flood = "<key>\n" * 500_000
    assert in_profile("a", flood + "<tls-auth>\nT\n</tls-auth>\n") == {"tls-auth of a": "T"}
