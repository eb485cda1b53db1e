"""What a text is told by: the digests of its bytes and of its words, as roots and proofs take them."""

from __future__ import annotations

from hemicycle.digests import sha256_text


def words_digest(text: str) -> str | None:
    """SHA-256 of the normalised words of a cleaned text, one a line; None where it has none."""
    from hemicycle.trace.words import split_words

    words = split_words(text).words
    return sha256_text("\n".join(words)) if words else None


def normalisation() -> str:
    """What makes the words of a text, in the versions that count."""
    from hemicycle.curate.clean import CLEANING
    from hemicycle.trace.folds import NORMALISATION

    return f"cleaning {CLEANING}, words {NORMALISATION}"


def fingerprints(text: str) -> dict[str, str]:
    """What a root would hold of a text: the digest of its bytes, and that of its words if it has any."""
    from hemicycle.curate.clean import clean

    words = words_digest(clean(text).text)
    return {"text": sha256_text(text)} | ({"words": words} if words else {})
