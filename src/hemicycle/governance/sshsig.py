"""SSH signatures: the armoured files that `ssh-keygen -Y sign` writes, checked without the binary.

The format is OpenSSH's PROTOCOL.sshsig: the word SSHSIG, a version, then five strings, each after its length
(public key, namespace, reserved, hash, signature), in base64 between two marker lines. What is signed is not
the file but SSHSIG with the namespace, the reserved string, the hash's name and the file's hash. So a
signature made for one purpose cannot be shown for another, as long as whoever checks names the purpose.

Only Ed25519 keys of the plain kind are taken. A signature says who and what, never when: it carries no time
that could be trusted.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hemicycle.errors import DeclarationError, InputError, IntegrityError
from hemicycle.ledger.signatures import PublicKey

MAGIC, VERSION = b"SSHSIG", 1
KEY_TYPE = b"ssh-ed25519"
HASHES = ("sha256", "sha512")
#: A signature of ssh-keygen's has some 300 bytes; what is longer is none.
LARGEST = 16_384

#: Lines may have any length and either kind of end: mail and version control change them.
_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\r?\n((?:[A-Za-z0-9+/=]+\r?\n)+)-----END SSH SIGNATURE-----(?:\r?\n)?"
)


@dataclass(frozen=True)
class Sshsig:
    """A signature that was read and not yet checked.

    Attributes:
        namespace: the purpose it was made for.
        hash_algorithm: of `HASHES`; how the file was hashed before it was signed.
        signature: the 64 bytes of Ed25519.
        reserved: empty today; whatever stands there is covered by the signature.
    """

    public_key: PublicKey
    namespace: str
    hash_algorithm: str
    signature: bytes
    reserved: bytes = b""

    def check(self, message: bytes, namespace: str, place: str) -> None:
        """Raise IntegrityError unless this key signed this message for this purpose."""
        if self.namespace != namespace:
            raise IntegrityError(f"signed for “{self.namespace}”, not for “{namespace}”", place=place)
        hashed = hashlib.new(self.hash_algorithm, message).digest()
        parts = (self.namespace.encode(), self.reserved, self.hash_algorithm.encode(), hashed)
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public_key.line.split()[1])[-32:])
        try:
            key.verify(self.signature, MAGIC + b"".join(map(_string, parts)))
        except InvalidSignature:
            raise IntegrityError(
                "the signature does not fit: the file was changed after it was signed, or the signature is "
                f"not that of {self.public_key.fingerprint}",
                place=place,
            ) from None


def parse_sshsig(armoured: bytes, place: str) -> Sshsig:
    """Read an armoured signature. Raises IntegrityError on whatever is not exactly one.

    Reading proves nothing yet: `Sshsig.check` does, and whoever calls it decides whose keys count.
    """
    match = _ARMOUR.fullmatch(armoured) if len(armoured) <= LARGEST else None
    if match is None:
        raise IntegrityError("this is not an armoured SSH signature, and nothing else", place=place)
    text = b"".join(match[1].split())
    try:
        blob = base64.b64decode(text, validate=True)
    except ValueError:
        blob = b""
    # Decoding passes over bits at the end that stand for nothing: encoding again shows them.
    if base64.b64encode(blob) != text:
        raise IntegrityError("the base64 of the SSH signature is damaged", place=place)
    if not blob.startswith(MAGIC):
        raise IntegrityError("this is not an SSH signature: it does not begin with SSHSIG", place=place)
    version = blob[len(MAGIC) : len(MAGIC) + 4]
    if version != struct.pack(">I", VERSION):
        raise IntegrityError(
            f"the SSH signature is of version {int.from_bytes(version)}; only {VERSION} is known", place=place
        )
    key, namespace, reserved, hash_name, signature = _strings(blob[len(MAGIC) + 4 :], 5, place)
    public_key = _key(key, place)
    kind, value = _strings(signature, 2, place)
    _refuse_other_kinds(kind, place)
    if len(value) != 64:
        raise IntegrityError(f"an Ed25519 signature has 64 bytes, not {len(value)}", place=place)
    algorithm = hash_name.decode("ascii", "replace")
    if algorithm not in HASHES:
        raise IntegrityError(f"the hash is {algorithm!r}, not one of {', '.join(HASHES)}", place=place)
    try:
        purpose = namespace.decode("utf-8")
    except UnicodeDecodeError:
        purpose = ""
    if not purpose:
        raise IntegrityError(
            "the signature names no purpose (its namespace is empty or no text)", place=place
        )
    return Sshsig(public_key, purpose, algorithm, value, reserved)


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _strings(data: bytes, count: int, place: str) -> list[bytes]:
    """That many strings, each after its length, and nothing behind them."""
    found: list[bytes] = []
    at = 0
    for _ in range(count):
        end = at + 4 + int.from_bytes(data[at : at + 4])
        if at + 4 > len(data) or end > len(data):
            raise IntegrityError("the SSH signature ends in the middle of a field", place=place)
        found.append(data[at + 4 : end])
        at = end
    if at != len(data):
        raise IntegrityError(f"{len(data) - at} bytes follow a field of the SSH signature", place=place)
    return found


def _key(blob: bytes, place: str) -> PublicKey:
    # The kind is looked at before the rest: other kinds have other fields, and deserve their own sentence.
    length = int.from_bytes(blob[:4])
    _refuse_other_kinds(blob[4 : 4 + length], place)
    _, value = _strings(blob, 2, place)
    if len(value) != 32:
        raise IntegrityError(f"an Ed25519 key has 32 bytes, not {len(value)}", place=place)
    return PublicKey.parse(KEY_TYPE + b" " + base64.b64encode(blob), place)


def _refuse_other_kinds(kind: bytes, place: str) -> None:
    problem = other_kind(kind)
    if problem:
        raise IntegrityError(
            problem, place=place, remedy="Sign with an Ed25519 key: `ssh-keygen -t ed25519`."
        )


def other_kind(kind: bytes) -> str | None:
    """Why a kind of SSH key is not taken, as a sentence; None for the one that is."""
    if kind == KEY_TYPE:
        return None
    shown = repr(kind[:64].decode("ascii", "replace"))
    if kind.startswith(b"sk-"):
        return f"the key is of type {shown}, on a security key; these sign something else and are not taken"
    if b"-cert-" in kind:
        return f"the key is of type {shown}, a certificate; only the key itself is taken"
    return f"the key is of type {shown}; only ssh-ed25519 is taken"


def sign_with_ssh_keygen(key: Path, namespace: str, file: Path) -> bytes:
    """Have `ssh-keygen` sign a file, and return the armoured signature; nothing is left on the disk.

    A passphrase is asked for on the terminal by ssh-keygen itself. `key` may be a public key whose private
    half is in the agent. Raises DeclarationError where the key or the program is not there, InputError where
    ssh-keygen does not sign.
    """
    if not key.is_file():
        raise DeclarationError(
            "there is no such key", place=str(key), remedy="Make one with `ssh-keygen -t ed25519`."
        )
    _refuse_key_file(key)
    try:
        message = file.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", place=str(file)) from None
    # A copy is signed: beside the file itself ssh-keygen would ask before it replaced an older signature.
    with tempfile.TemporaryDirectory(prefix="hemicycle-sign-") as folder:
        copy = Path(folder, "message")
        copy.write_bytes(message)
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key.absolute()), "-n", namespace, str(copy)]
        try:
            # Not fed on stdin: ssh-keygen asks for a passphrase only where that is the terminal.
            done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            raise DeclarationError(
                "ssh-keygen, which signs, is not installed", remedy="Install the OpenSSH client."
            ) from None
        signed = Path(folder, "message.sig")
        if done.returncode or not signed.is_file():
            raise _not_signed(key, done.stderr.decode("utf-8", "replace"))
        armoured = signed.read_bytes()
    parse_sshsig(armoured, str(key)).check(message, namespace, str(key))
    return armoured


def _refuse_key_file(key: Path) -> None:
    """Refuse a key of another kind before a person types a passphrase or touches a token for it."""
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if public.is_file():
        with public.open("rb") as f:
            words = f.read(LARGEST).split()
        problem = other_kind(words[0]) if words else None
        if problem:
            raise DeclarationError(
                problem, place=str(public), remedy="Sign with an Ed25519 key: `ssh-keygen -t ed25519`."
            )


def _not_signed(key: Path, said: str) -> InputError:
    said = said.replace("Enter passphrase: ", "")
    words = [line.strip() for line in said.splitlines() if line.strip() and "Signing file" not in line]
    what = words[-1] if words else "it gave no reason"
    remedy = None
    if "passphrase" in said:
        remedy = "Type its passphrase on a terminal, or put the key into an agent with `ssh-add`."
        if not sys.stdin or not sys.stdin.isatty():
            what = f"the key is encrypted, and there is no terminal to ask for its passphrase on ({what})"
    elif key.suffix == ".pub":
        remedy = "Put the private half into an agent with `ssh-add`, or name its file."
    return InputError(f"ssh-keygen did not sign: {what}", place=str(key), remedy=remedy)
