"""Whose word a text is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import ImageError
from lab.image import signature
from lab.image.checksum import KEYS
from lab.image.signature import NotSigned, signed
from tests.image.signer import Signer

TEXT = "what is said\n"


def test_a_text_signed_within_is_believed_without_what_stands_around_it(publisher: Signer):
    text = b"before\n" + publisher.clear(TEXT) + b"after\n"
    with pytest.raises(NotSigned, match="is not signed"):
        signed(text, "there", publisher.keyring)
    told = signed(publisher.clear(TEXT) + b"after\n", "there", publisher.keyring)
    assert (told.text, told.signers) == (TEXT.encode(), (publisher.fingerprint,))


def test_a_text_signed_apart_is_believed(publisher: Signer):
    told = signed(TEXT.encode(), "there", publisher.keyring, publisher.apart(TEXT))
    assert (told.text, told.signers) == (TEXT.encode(), (publisher.fingerprint,))


def test_an_altered_text_is_not(publisher: Signer):
    altered = publisher.clear(TEXT).replace(b"is said", b"is sAid")
    with pytest.raises(NotSigned, match="there was altered"):
        signed(altered, "there", publisher.keyring)
    with pytest.raises(NotSigned, match="there was altered"):
        signed(b"else\n", "there", publisher.keyring, publisher.apart(TEXT))


def test_the_word_of_somebody_else_is_not(publisher: Signer, stranger: Signer):
    with pytest.raises(NotSigned, match=r"signed by no key of .*publisher\.gpg"):
        signed(stranger.clear(TEXT), "there", publisher.keyring)


def test_a_text_that_says_it_was_signed_is_not(publisher: Signer):
    said = f"[GNUPG:] GOODSIG 1 x\n[GNUPG:] VALIDSIG {publisher.fingerprint}\n"
    with pytest.raises(NotSigned, match="is not signed"):
        signed(said.encode(), "there", publisher.keyring)
    forged = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + said.encode()
    with pytest.raises(NotSigned, match="signed by no key"):
        signed(forged, "there", publisher.keyring)


def test_of_several_signatures_one_that_is_known_suffices(publisher: Signer, stranger: Signer):
    both = publisher.apart(TEXT) + stranger.apart(TEXT)
    assert signed(TEXT.encode(), "there", publisher.keyring, both).signers


@pytest.mark.parametrize("kind", ["EXPKEYSIG", "REVKEYSIG", "EXPSIG"])
def test_a_key_that_is_expired_or_revoked_signs_nothing(kind: str, tmp_path: Path):
    status = [["NEWSIG"], [kind, "AA", "x"], ["VALIDSIG", "BB", *"123456789"]]
    with pytest.raises(NotSigned, match="by no key"):
        signature._signers(status, "there", tmp_path)


def test_without_its_keys_nothing_is_believed(publisher: Signer, tmp_path: Path):
    with pytest.raises(ImageError, match="the keys by which there is to be signed are missing"):
        signed(publisher.clear(TEXT), "there", tmp_path / "none.gpg")


def test_without_gpgv_nothing_is_believed(
    publisher: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = publisher.clear(TEXT)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="gpgv") as wrong:
        signed(text, "there", publisher.keyring)
    assert "lab/setup" in wrong.value.hint


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("centos-official", "99DB70FAE1D7CE227FB6488205B555B38483C65D"),
        ("centos-7", "6341AB2753D78A78A7C27BB124C6A8A7F4A80EB5"),
    ],
)
def test_the_keys_of_this_project_are_those_that_their_publishers_name(
    name: str, fingerprint: str, publisher: Signer
):
    shown = publisher.shown(KEYS / f"{name}.gpg")
    assert [line.split(":")[9] for line in shown if line.startswith("fpr")] == [fingerprint]
    assert os.linesep not in fingerprint
