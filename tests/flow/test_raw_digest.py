"""From a document back to the bytes it was read from: the digest of its raw file is in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from hemicycle.digests import sha256_bytes
from hemicycle.ledger.statements import read_statement
from hemicycle.sources.warc import WarcWriter, read_warc
from tests.sources.made_pdf import made_pdf
from tests.sources.test_epub import book

pytest.importorskip("pypdfium2")
pytest.importorskip("trafilatura")

PAGE = b"<html><body><p>Une page assez longue pour en \xc3\xaatre une.</p></body></html>"
FILES = {
    "html": {"pages/a.html": PAGE},
    "pdf": {"deep/down/b.pdf": made_pdf(["Un texte assez long pour en être un."])},
    "epub": {"c.epub": book()},
}


def project(folder: Path) -> Path:
    names = ", ".join(f'"{name}"' for name in [*FILES, "web"])
    (folder / "sources").mkdir()
    (folder / "hemicycle.toml").write_text(
        '[project]\nname = "p"\njurisdictions = ["FR"]\nlicense = "Apache-2.0"\n\n'
        f"[corpora.c]\nsources = [{names}]\n"
    )
    for name in [*FILES, "web"]:
        (folder / "sources" / f"{name}.toml").write_text(
            f'title = "t"\nreader = "{name}"\npath = "files/{name}"\n'
        )
        (folder / "files" / name).mkdir(parents=True)
        for path, data in FILES.get(name, {}).items():
            file = folder / "files" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    with WarcWriter(folder / "files/web", "crawl") as writer:
        head = b"HTTP/1.1 200 X\r\nContent-Type: text/html\r\n\r\n"
        writer.response(
            "https://site.example/a", datetime(2026, 11, 1, tzinfo=UTC), head, PAGE, truncated=False
        )
    return folder


def statements(folder: Path):
    found = [read_statement(p) for p in sorted((folder / "ledger/statements").rglob("*.json"))]
    return {(s.subject.stage, s.subject.name): s for s in found}


def test_a_document_leads_to_the_digest_of_its_raw_file(tmp_path: Path, call) -> None:
    folder = project(tmp_path)
    code, _, err = call("collect", "--project", folder)
    assert code == 0, err
    known = statements(folder)
    for name in [*FILES, "web"]:
        raw = known["raw", name]
        assert known["documents", name].inputs["raw"]["digest"] == raw.digest
        digests = {file.path: file.sha256 for file in raw.files}
        (read,) = (folder / "build/documents").glob(f"{name}-*/documents.parquet")
        row = pl.read_parquet(read).row(0, named=True)
        if name in FILES:
            assert digests[row["origin"]] == sha256_bytes(FILES[name][row["origin"]])
        else:
            (page,) = (r["sha256"] for r in row["reservations"] if r["place"] == f"{row['origin']}, page")
            ((path, digest),) = digests.items()
            (kept,) = (folder / "build/raw").glob(f"web-*/{path}")
            assert sha256_bytes(kept.read_bytes()) == digest
            assert page in [sha256_bytes(r.content()) for r in read_warc(kept, path, lambda r: 1 << 20)]
