"""Signatures made here after the description of their format, without the code under test."""

import base64
import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def private_key(who):
    """The same key for the same name every time."""
    return Ed25519PrivateKey.from_private_bytes(who.encode().ljust(32, b"-"))


def public_line(who):
    return private_key(who).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


KEY = private_key("key")
MESSAGE = b'{"decision":"clear"}'


def string(value):
    return struct.pack(">I", len(value)) + value


def armour(blob, width=70, end=b"\n"):
    text = base64.b64encode(blob)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return end.join([b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""])


def sign(
    message=MESSAGE,
    namespace=b"hemicycle-legal",
    *,
    key=KEY,
    algorithm="sha512",
    reserved=b"",
    covered=None,
    version=1,
    kind=b"ssh-ed25519",
    after=b"",
):
    """A signature after the description of the format, with any part of it wrong on demand."""
    hashed = hashlib.new(algorithm.removeprefix("-"), message).digest()
    parts = [namespace, reserved if covered is None else covered, algorithm.encode(), hashed]
    signature = key.sign(b"SSHSIG" + b"".join(map(string, parts)))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    fields = [
        string(kind) + string(public),
        namespace,
        reserved,
        algorithm.encode(),
        string(kind) + string(signature),
    ]
    return b"SSHSIG" + struct.pack(">I", version) + b"".join(map(string, fields)) + after
