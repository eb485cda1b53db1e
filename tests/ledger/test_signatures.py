"""Keys and envelopes."""

import shutil
import stat
import subprocess

import pytest

from hemicycle.errors import IntegrityError
from hemicycle.ledger.signatures import PublicKey, SigningKey

TYPE = "application/vnd.test+json"


def test_what_is_sealed_opens_with_its_key_only(tmp_path):
    ours, other = (SigningKey.load_or_make(tmp_path / n) for n in ("a", "b"))
    envelope = ours.seal({"head": "é"}, TYPE)
    assert ours.public.open(envelope, TYPE, "x") == {"head": "é"}
    with pytest.raises(IntegrityError, match="not that of"):
        other.public.open(envelope, TYPE, "x")


def test_a_payload_cannot_be_taken_for_one_of_another_type(tmp_path):
    key = SigningKey.load_or_make(tmp_path / "a")
    envelope = key.seal({"n": 1}, TYPE)
    with pytest.raises(IntegrityError, match="holds"):
        key.public.open(envelope, "application/other", "x")
    with pytest.raises(IntegrityError, match="not that of"):
        key.public.open(envelope.replace(b"vnd.test", b"vnd.tesu"), "application/vnd.tesu+json", "x")


def test_the_private_key_is_readable_by_its_owner_only_and_is_kept(tmp_path):
    first = SigningKey.load_or_make(tmp_path / "k" / "solo.key")
    assert stat.S_IMODE((tmp_path / "k" / "solo.key").stat().st_mode) == 0o600
    assert SigningKey.load_or_make(tmp_path / "k" / "solo.key").public.line == first.public.line


@pytest.mark.parametrize(
    "garbage", [b"", b"{}", b'{"payload": 3}', b"\xff", b'{"payload":"!","signatures":[]}']
)
def test_garbage_is_refused_as_no_envelope(tmp_path, garbage):
    with pytest.raises(IntegrityError):
        SigningKey.load_or_make(tmp_path / "a").public.open(garbage, TYPE, "x")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_the_fingerprint_is_the_one_ssh_keygen_prints(tmp_path):
    key = SigningKey.load_or_make(tmp_path / "a")
    (tmp_path / "a.pub").write_bytes(key.public.line + b"\n")
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "a.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert key.public.fingerprint in said


def test_no_byte_of_a_key_file_is_free(tmp_path):
    key = SigningKey.load_or_make(tmp_path / "a").public
    path = tmp_path / "a.pub"
    for at in range(len(key.file)):
        path.write_bytes(key.file[:at] + bytes([key.file[at] ^ 1]) + key.file[at + 1 :])
        try:
            assert PublicKey.read(path).fingerprint != key.fingerprint
        except IntegrityError:
            continue


def test_a_line_that_is_no_key_is_refused():
    with pytest.raises(IntegrityError, match="not an OpenSSH public key"):
        PublicKey.parse(b"ssh-ed25519 AAAA", "x")
