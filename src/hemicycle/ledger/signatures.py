"""Signatures: Ed25519 keys and DSSE envelopes.

DSSE (github.com/secure-systems-lab/dsse, protocol.md) signs the pre-authentication encoding
``DSSEv1 SP len(type) SP type SP len(payload) SP payload``, so a payload cannot be taken for one of
another type. A key is named by its OpenSSH fingerprint, which people can compare by eye with
``ssh-keygen -l``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from hemicycle.digests import canonical_json
from hemicycle.errors import IntegrityError, unparsed
from hemicycle.store import write_aside


def _encode(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


class PublicKey:
    """A key to check signatures with, in OpenSSH's one-line form."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def parse(cls, line: bytes, place: str) -> PublicKey:
        try:
            key = load_ssh_public_key(line)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise IntegrityError(f"this is not an OpenSSH public key: {error}", place=place) from None
        if not isinstance(key, Ed25519PublicKey):
            raise IntegrityError("the key is not of type ssh-ed25519", place=place)
        return cls(key)

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """The key in a file of ours. OpenSSH passes over what follows a key; here it is an alteration."""
        data = path.read_bytes()
        key = cls.parse(data, str(path))
        if data != key.file:
            raise IntegrityError("the file was altered around its public key", place=str(path))
        return key

    @property
    def file(self) -> bytes:
        """The one content that a file of this key has."""
        return self.line + b" hemicycle solo\n"

    @property
    def line(self) -> bytes:
        return self._key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)

    @property
    def fingerprint(self) -> str:
        blob = base64.b64decode(self.line.split()[1])
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    def open(self, envelope: bytes, payload_type: str, place: str) -> Any:
        """The JSON payload of an envelope. Raises IntegrityError unless this key signed it as this type."""
        try:
            parsed = json.loads(envelope)
            payload = base64.b64decode(parsed["payload"], validate=True)
            signatures = [base64.b64decode(s["sig"], validate=True) for s in parsed["signatures"]]
            kind = parsed["payloadType"]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise IntegrityError(f"this is not a DSSE envelope ({unparsed(error)})", place=place) from None
        if kind != payload_type:
            raise IntegrityError(f"the envelope holds {kind!r}, not {payload_type!r}", place=place)
        for signature in signatures:
            try:
                self._key.verify(signature, _encode(kind, payload))
            except InvalidSignature:
                continue
            # The signature covers the payload; the rest of the file must be the one way we write it.
            if _envelope(payload, kind, signature, self.fingerprint) != envelope:
                raise IntegrityError("the envelope was altered around its signed payload", place=place)
            return json.loads(payload)
        raise IntegrityError(f"the signature is not that of {self.fingerprint}", place=place)


def _envelope(payload: bytes, payload_type: str, signature: bytes, fingerprint: str) -> bytes:
    envelope = {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": fingerprint, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, indent=1, sort_keys=True).encode() + b"\n"


class SigningKey:
    """A private key, kept in a file that only its owner can read."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def load_or_make(cls, path: Path) -> SigningKey:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            key = Ed25519PrivateKey.generate()
            data = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whatever else is forgotten, version control must not take the private key in.
            write_aside(path.parent / ".gitignore", b"*\n")
            write_aside(path, data, private=True)
        try:
            loaded = load_ssh_private_key(data, password=None)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise IntegrityError(
                f"this is not an OpenSSH private key: {error}",
                place=str(path),
                remedy="Restore the file from a backup: another key cannot stand in for it.",
            ) from None
        if not isinstance(loaded, Ed25519PrivateKey):
            raise IntegrityError("the key is not of type ssh-ed25519", place=str(path))
        return cls(loaded)

    def seal(self, payload: Any, payload_type: str) -> bytes:
        """Put a JSON payload into a signed DSSE envelope."""
        data = canonical_json(payload)
        signature = self._key.sign(_encode(payload_type, data))
        return _envelope(data, payload_type, signature, self.public.fingerprint)
