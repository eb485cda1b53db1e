"""SSH signatures: those of ssh-keygen are taken, and nothing that was touched is."""

import base64
import os
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError, HemicycleError, InputError, IntegrityError
from hemicycle.governance.sshsig import parse_sshsig, sign_with_ssh_keygen
from tests.governance.signing import KEY, MESSAGE, armour, private_key, sign

OTHER = private_key("other")
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed"
)


def write_key(path, key=KEY):
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_name(path.name + ".pub").write_bytes(public + b" claire@laptop\n")
    return public


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_signature_fits_its_message_and_purpose(algorithm):
    read = parse_sshsig(armour(sign(algorithm=algorithm)), "x.sig")
    assert (read.namespace, read.hash_algorithm, len(read.signature)) == ("hemicycle-legal", algorithm, 64)
    assert read.public_key.line == KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    read.check(MESSAGE, "hemicycle-legal", "x.sig")


def test_a_signature_for_one_purpose_is_none_for_another():
    read = parse_sshsig(armour(sign()), "x.sig")
    with pytest.raises(IntegrityError, match="signed for “hemicycle-legal”, not for “hemicycle-governance”"):
        read.check(MESSAGE, "hemicycle-governance", "x.sig")


def test_an_altered_message_is_found():
    read = parse_sshsig(armour(sign()), "x.sig")
    with pytest.raises(IntegrityError, match="the file was changed after it was signed"):
        read.check(MESSAGE + b" ", "hemicycle-legal", "x.sig")


def test_a_signature_cannot_be_passed_off_as_that_of_another_key():
    ours, theirs = (k.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for k in (KEY, OTHER))
    claimed = parse_sshsig(armour(sign().replace(ours, theirs)), "x.sig")
    with pytest.raises(IntegrityError, match="not that of SHA256:"):
        claimed.check(MESSAGE, "hemicycle-legal", "x.sig")


def test_what_stands_in_the_reserved_field_is_covered_by_the_signature():
    read = parse_sshsig(armour(sign(reserved=b"later")), "x.sig")
    assert read.reserved == b"later"
    read.check(MESSAGE, "hemicycle-legal", "x.sig")
    slipped_in = parse_sshsig(armour(sign(reserved=b"later", covered=b"")), "x.sig")
    with pytest.raises(IntegrityError, match="does not fit"):
        slipped_in.check(MESSAGE, "hemicycle-legal", "x.sig")


@pytest.mark.parametrize(("width", "end"), [(76, b"\n"), (64, b"\r\n"), (1_000, b"\n")])
def test_lines_may_be_broken_as_mail_or_version_control_break_them(width, end):
    parse_sshsig(armour(sign(), width, end), "x.sig").check(MESSAGE, "hemicycle-legal", "x.sig")


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (sign(version=2), "of version 2; only 1"),
        (b"SSHSIX" + sign()[6:], "does not begin with SSHSIG"),
        (sign(after=b"\0"), "1 bytes follow"),
        (sign()[:-1], "ends in the middle"),
        (sign()[:8], "of version 0"),
        (sign()[:10], "ends in the middle"),
        (sign(namespace=b""), "names no purpose"),
        (sign(namespace=b"\xff"), "names no purpose"),
        (sign().replace(b"sha512", b"sha1\0\0"), "not one of sha256, sha512"),
        (sign(kind=b"ssh-rsa"), "'ssh-rsa'; only ssh-ed25519"),
        (sign(kind=b"ecdsa-sha2-nistp256"), "'ecdsa-sha2-nistp256'"),
        (sign(kind=b"sk-ssh-ed25519@openssh.com"), "on a security key"),
        (sign(kind=b"ssh-ed25519-cert-v01@openssh.com"), "a certificate"),
        (b"SSHSIG\0\0\0\1" + b"\xff" * 40, "ends in the middle"),
    ],
)
def test_a_malformed_signature_is_refused_with_its_reason(blob, said):
    with pytest.raises(IntegrityError, match=said) as error:
        parse_sshsig(armour(blob), "02-triage.json.sig")
    assert error.value.place == "02-triage.json.sig"


@pytest.mark.parametrize(
    "armoured",
    [
        b"",
        armour(b"").replace(b"\n\n", b"\n"),
        b"\n" + armour(sign()),
        armour(sign()) + b"PS: all is well\n",
        armour(sign()) * 2,
        armour(sign()).replace(b"SIGNATURE", b"MESSAGE"),
        armour(sign()).replace(b"\n", b"\r"),
        armour(sign(reserved=b"x" * 20_000)),
    ],
)
def test_what_is_not_one_armoured_signature_is_refused(armoured):
    with pytest.raises(IntegrityError, match="not an armoured SSH signature"):
        parse_sshsig(armoured, "x.sig")


def test_bits_that_stand_for_nothing_are_refused_too():
    blob = next(b for b in (sign(namespace=b"x" * n) for n in range(1, 4)) if len(b) % 3 == 1)
    padded = armour(blob)
    at = padded.index(b"=") - 1
    bumped = padded[:at] + bytes([padded[at] + 1]) + padded[at + 1 :]
    text = b"".join(bumped.splitlines()[1:-1])
    assert base64.b64decode(text, validate=True) == blob
    with pytest.raises(IntegrityError, match="base64 of the SSH signature is damaged"):
        parse_sshsig(bumped, "x.sig")


def test_no_byte_of_a_signature_is_free():
    armoured = armour(sign())
    for at in range(len(armoured)):
        for bit in range(8):
            altered = armoured[:at] + bytes([armoured[at] ^ 1 << bit]) + armoured[at + 1 :]
            with pytest.raises(IntegrityError):
                parse_sshsig(altered, "x.sig").check(MESSAGE, "hemicycle-legal", "x.sig")


@settings(max_examples=FUZZ, deadline=None)
@given(st.data())
def test_a_mutated_blob_never_verifies(data):
    blob = bytearray(sign())
    for _ in range(data.draw(st.integers(1, 3))):
        if not blob:
            break
        at = data.draw(st.integers(0, len(blob) - 1))
        edit = data.draw(st.sampled_from(["flip", "drop", "insert", "cut"]))
        if edit == "flip":
            blob[at] ^= data.draw(st.integers(1, 255))
        elif edit == "drop":
            del blob[at]
        elif edit == "insert":
            blob[at:at] = data.draw(st.binary(min_size=1, max_size=5))
        else:
            del blob[max(at, 1) :]
    if bytes(blob) == sign():
        return
    with pytest.raises(IntegrityError):
        parse_sshsig(armour(bytes(blob)), "x.sig").check(MESSAGE, "hemicycle-legal", "x.sig")


@settings(max_examples=FUZZ, deadline=None)
@given(st.binary(max_size=400))
def test_hostile_bytes_give_an_error_of_ours(data):
    for hostile in (data, armour(data), armour(b"SSHSIG\0\0\0\1" + data)):
        with pytest.raises(HemicycleError):
            parse_sshsig(hostile, "x.sig")


@needs_ssh_keygen
def test_a_signature_of_ssh_keygen_is_taken_and_nothing_is_left_beside_the_file(tmp_path):
    write_key(tmp_path / "key")
    file = tmp_path / "02-triage.json"
    file.write_bytes(MESSAGE)
    (tmp_path / "02-triage.json.sig").write_bytes(b"an older one")
    armoured = sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", file)
    parse_sshsig(armoured, "x").check(MESSAGE, "hemicycle-legal", "x")
    assert armoured == armour(sign())
    assert (tmp_path / "02-triage.json.sig").read_bytes() == b"an older one"


@needs_ssh_keygen
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_ssh_keygen_takes_what_we_take(tmp_path, algorithm):
    public = write_key(tmp_path / "key")
    (tmp_path / "allowed").write_bytes(b'claire namespaces="hemicycle-legal" ' + public + b"\n")
    (tmp_path / "sig").write_bytes(armour(sign(algorithm=algorithm)))

    def verified(message, namespace):
        command = [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            "allowed",
            "-I",
            "claire",
            "-n",
            namespace,
            "-s",
            "sig",
        ]
        return subprocess.run(command, cwd=tmp_path, input=message, capture_output=True).returncode == 0

    assert verified(MESSAGE, "hemicycle-legal")
    assert not verified(MESSAGE + b" ", "hemicycle-legal")
    assert not verified(MESSAGE, "hemicycle-governance")


@needs_ssh_keygen
@settings(max_examples=min(FUZZ, 25), deadline=None)
@given(
    message=st.binary(max_size=200),
    namespace=st.from_regex(r"[a-z]{1,20}", fullmatch=True),
    at=st.integers(0),
)
def test_ssh_keygen_and_we_agree_on_flipped_bytes(tmp_path_factory, message, namespace, at):
    blob = bytearray(sign(message, namespace.encode()))
    blob[at % len(blob)] ^= 1
    (folder := tmp_path_factory.mktemp("agree")).joinpath("sig").write_bytes(armour(bytes(blob)))
    command = ["ssh-keygen", "-Y", "check-novalidate", "-n", namespace, "-s", "sig"]
    done = subprocess.run(command, cwd=folder, input=message, capture_output=True)
    # The last byte of the version: ssh-keygen takes a version 0 for one it knows, we do not.
    assert done.returncode != 0 or at % len(blob) == 9
    with pytest.raises(IntegrityError):
        parse_sshsig(armour(bytes(blob)), "x").check(message, namespace, "x")


@needs_ssh_keygen
def test_an_encrypted_key_without_a_terminal_is_a_sentence(tmp_path, monkeypatch):
    for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "key"]
    subprocess.run(make, check=True)
    (tmp_path / "file").write_bytes(MESSAGE)
    with open(os.devnull) as nothing:
        stdin = os.dup(0)
        os.dup2(nothing.fileno(), 0)
        try:
            with pytest.raises(InputError, match="the key is encrypted, and there is no terminal") as error:
                sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", tmp_path / "file")
        finally:
            os.dup2(stdin, 0)
            os.close(stdin)
    assert "ssh-add" in error.value.remedy
    assert "Enter passphrase" not in str(error.value)


@needs_ssh_keygen
def test_a_key_of_another_kind_is_refused_before_it_signs(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "key"], check=True)
    (tmp_path / "file").write_bytes(MESSAGE)
    with pytest.raises(DeclarationError, match="ecdsa-sha2-nistp256"):
        sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", tmp_path / "file")
    (tmp_path / "key.pub").unlink()
    with pytest.raises(IntegrityError, match="ecdsa-sha2-nistp256"):
        sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", tmp_path / "file")


@needs_ssh_keygen
def test_a_public_key_without_its_private_half_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    write_key(tmp_path / "key")
    (tmp_path / "key").unlink()
    with pytest.raises(InputError, match="No private key found") as error:
        sign_with_ssh_keygen(tmp_path / "key.pub", "hemicycle-legal", tmp_path / "key.pub")
    assert "agent" in error.value.remedy


def test_a_missing_key_a_missing_file_and_a_missing_program_are_sentences(tmp_path, monkeypatch):
    with pytest.raises(DeclarationError, match="no such key"):
        sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", tmp_path / "file")
    write_key(tmp_path / "key")
    with pytest.raises(InputError, match="cannot be read"):
        sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", tmp_path / "file")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeclarationError, match="ssh-keygen, which signs, is not installed"):
        sign_with_ssh_keygen(tmp_path / "key", "hemicycle-legal", tmp_path / "key.pub")
