"""Bad and hostile sources through the command line: each is named and refused, and the good one beside it
goes on to the corpus.

Most commands run in this process, through the program's own `main`, so that whatever escapes it fails the
test. Those that could take all memory run in a process of their own, whose peak is read from the kernel.
"""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.cli.session import Session
from hemicycle.ledger import check_project
from tests.flow.small import DECLARATION, EXAMPLE, make_project

SITTINGS = sorted((EXAMPLE / "sittings").iterdir())
SITTING = SITTINGS[2].read_bytes()
SECRET = "Le mot de passe est tournesol. " * 20
FRENCH = "La séance est ouverte à quinze heures, et l’ordre du jour appelle la discussion du budget. "

CARD = """
title = "Mauvaise source"
reader = "text"
path = "bad"

[rights]
licence = "CC0-1.0"
attested_by = "Jeanne Essai"
evidence = ["ce test"]
"""


def read_by(reader):
    return CARD.replace('reader = "text"', f'reader = "{reader}"')


def file(name, data):
    """What makes a source of one file."""
    return lambda folder: (folder / name).write_bytes(data)


def zip_of(**members):
    def make(folder):
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    return make


def damaged_parquet(folder):
    rows = pa.table({"text": [f"{i} {FRENCH}" for i in range(2000)]})
    pq.write_table(rows, folder / "a.parquet")
    whole = bytearray((folder / "a.parquet").read_bytes())
    whole[500:540] = b"\xff" * 40
    (folder / "a.parquet").write_bytes(whole)


def cut_parquet(folder):
    damaged_parquet(folder)
    (folder / "a.parquet").write_bytes((folder / "a.parquet").read_bytes()[:-50])


def elsewhere(folder):
    outside = folder.parent / "elsewhere"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET, "utf-8")
    return outside


def link_out(folder):
    (folder / "a.txt").symlink_to(elsewhere(folder) / "secret.txt")


def folder_link_out(folder):
    (folder / "a").symlink_to(elsewhere(folder))


def entity_that_reads(folder):
    secret = elsewhere(folder) / "secret.txt"
    (folder / "a.xml").write_bytes(doctype(f'<!ENTITY e SYSTEM "{secret.as_uri()}">\n', BODY.format("e")))


LAUGHS = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">\n' for n in range(1, 10))


def doctype(entities, body):
    return f'<?xml version="1.0"?>\n<!DOCTYPE compteRendu [\n{entities}]>\n{body}'.encode()


BODY = "<compteRendu><contenu><paragraphe><texte>&{};</texte></paragraphe></contenu></compteRendu>"
LATIN_1 = SITTING.replace(b'encoding="UTF-8"', b'encoding="ISO-8859-1"')
assert LATIN_1 != SITTING

#: What is bad → the reader, how the source is made, what the message says of it: file, place and fault.
BAD = {
    "XML cut short": (
        "syceron",
        file("a.xml", SITTING[: len(SITTING) // 2]),
        r"source bad, a\.xml, line \d+: this is not well-formed XML",
    ),
    "UTF-8 declared as Latin-1": (
        "syceron",
        file("a.xml", LATIN_1),
        r"source bad, a\.xml, line \d+: the file says that it is in ISO-8859-1, but its bytes are UTF-8",
    ),
    "Latin-1 declared as UTF-8": (
        "syceron",
        file("a.xml", SITTING.decode("utf-8").encode("latin-1", "replace")),
        r"source bad, a\.xml, line \d+: this is not well-formed XML: Invalid bytes",
    ),
    "unheard-of encoding": (
        "syceron",
        file("a.xml", SITTING.replace(b'encoding="UTF-8"', b'encoding="martien"')),
        r"source bad, a\.xml, line 1: .*martien",
    ),
    "NUL in XML": (
        "syceron",
        file("a.xml", SITTING[:5000] + b"\0" + SITTING[5000:]),
        rf"source bad, a\.xml, line {SITTING[:5000].count(10) + 1}: a NUL byte",
    ),
    "NUL in text": (
        "text",
        file("a.txt", b"Bonjour\n\xc3\xa0 tous\0\n"),
        r"source bad, a\.txt, line 2: byte 15 is NUL",
    ),
    "a billion laughs": (
        "syceron",
        file("a.xml", doctype('<!ENTITY e0 "ha">\n' + LAUGHS, BODY.format("e9"))),
        r"source bad, a\.xml, line 3: the file declares entities",
    ),
    "entity that reads a file": (
        "syceron",
        entity_that_reads,
        r"source bad, a\.xml, line 3: the file declares entities",
    ),
    "DTD on the network": (
        "syceron",
        file("a.xml", b'<!DOCTYPE c SYSTEM "http://127.0.0.1:9/c.dtd">\n' + BODY.format("e").encode()),
        r"source bad, a\.xml, line 2: the entity &e; is defined nowhere",
    ),
    "zip that climbs out": (
        "syceron",
        zip_of(**{"a.xml": SITTING, "../evil.xml": SITTING}),
        r"source bad, a\.zip#\.\./evil\.xml: .*climbs out",
    ),
    "zip bomb": (
        "syceron",
        zip_of(**{"a.xml": SITTING, "b.xml": b" " * 20_000_000}),
        r"source bad, a\.zip#b\.xml: the member inflates to more than 200 times its size",
    ),
    "zip that is none": (
        "syceron",
        file("a.zip", b"PK\3\4 and then nothing"),
        r"source bad, a\.zip: the zip file is damaged",
    ),
    "damaged Parquet": (
        "parquet",
        damaged_parquet,
        r"source bad, a\.parquet: the Parquet file cannot be read",
    ),
    "Parquet cut short": (
        "parquet",
        cut_parquet,
        r"source bad, a\.parquet: the Parquet file cannot be read",
    ),
    "bad line of JSON": (
        "jsonl",
        file("a.jsonl", b'{"text": "bonjour"}\n{"text": "bon\n'),
        r"source bad, a\.jsonl, line 2: this is not JSON: .* column 10",
    ),
    "row without text": (
        "jsonl",
        file("a.jsonl", b'{"text": "bonjour"}\n{"texte": "bonjour"}\n'),
        r"source bad, a\.jsonl, line 2: there is no field “text” for the text; fields here: texte",
    ),
    "Latin-1 text": (
        "text",
        file("a.txt", "Première ligne\nde Genève\n".encode("latin-1")),
        r"source bad, a\.txt, line 1: byte 5 \(0xe8\) is not UTF-8",
    ),
    "file of another kind": (
        "text",
        file("a.pdf", b"%PDF-1.7"),
        r"source bad, a\.pdf: this is not a text file by its name",
    ),
    "empty folder": ("text", lambda folder: None, r"source bad: no file in .*/bad matches"),
    "missing path": ("text", os.rmdir, r"source bad: .*/bad does not exist"),
    "link out": ("text", link_out, r"source bad, a\.txt: the link leads out of the folder"),
    "linked folder": ("text", folder_link_out, r"source bad, a: the link leads out"),
}


def make_bad_project(folder, make, card=CARD):
    """A project of a good source, two sittings, and a bad one."""
    project = make_project(folder, DECLARATION.replace('["sittings"]', '["sittings", "bad"]'))
    for path in sorted((project / "sittings").iterdir())[2:]:
        path.unlink()
    (project / "bad").mkdir()
    make(project / "bad")
    (project / "sources" / "bad.toml").write_text(card, "utf-8")
    return project


def assert_sound(project, sources):
    """All that stands under a final name is stated and sound; the corpus, if any, is of these sources."""
    session = Session(project)
    assert check_project(session.ledger, session.store) == []
    stated = {str(s.subject) for s in session.ledger.current().values()}
    standing = {f"{path.parent.name}/{path.name}" for path in session.store.artefacts()}
    assert standing == stated
    kept = {path.name for path in (project / "build").glob("corpus/*/kept/*")}
    assert kept == set(sources)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_source_is_named_and_refused_and_the_good_one_goes_on(what, call, tmp_path):
    reader, make, said = BAD[what]
    project = make_bad_project(tmp_path / "essai", make, read_by(reader))

    code, _, err = call("curate", "--project", project)
    assert code == 1
    assert re.search(rf"^error: {said}", err, re.MULTILINE), err
    assert_sound(project, [])

    code, out, err = call("curate", "--project", project, "--keep-going", "--json")
    assert code == 1
    assert re.search(rf"^✗ (raw|documents) bad  {said}", err, re.MULTILINE), err
    states = {f"{s['stage']} {s['name']}": s["state"] for s in json.loads(out)["steps"]}
    assert states["rights bad"] == "blocked"
    assert states["corpus debats"] == "built"
    assert list(json.loads(out)["corpus"]["debats"]["sources"]) == ["sittings"]
    assert_sound(project, ["sittings"])


def test_nothing_from_outside_the_folder_is_let_in_and_nothing_is_let_out(call, tmp_path):
    for what in ("link out", "linked folder", "entity that reads a file", "zip that climbs out"):
        reader, make, _ = BAD[what]
        project = make_bad_project(tmp_path / what.replace(" ", "-") / "essai", make, read_by(reader))
        call("curate", "--project", project, "--keep-going")
        for path in (project / "build").rglob("*"):
            assert not path.is_file() or b"tournesol" not in path.read_bytes(), path
        assert not list(tmp_path.rglob("evil*"))


def test_once_mended_the_source_joins_the_corpus(call, tmp_path):
    project = make_bad_project(tmp_path / "essai", file("a.txt", b"\xe0 Paris"))
    assert call("curate", "--project", project, "--keep-going")[0] == 1
    (project / "bad" / "a.txt").write_text("\n".join(f"{n}. {FRENCH}" for n in range(20)), "utf-8")
    assert call("curate", "--project", project)[0] == 0
    documents = [
        row["source"]
        for path in (project / "build").glob("corpus/*/kept/bad/*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    assert documents == ["bad"]
    assert call("verify", project)[0] == 0


#: What is wrong in the card → what is written instead of what, and what is said of it.
WRONG = {
    "unknown licence": ('"CC0-1.0"', '"LO-2"', r"line 7: licence “LO-2” is not an SPDX identifier"),
    "unknown reader": ('"text"', '"texte"', r"line 3: there is no reader “texte”\n  Did you mean “text”\?"),
    "unknown key": ("licence", "license", r"line 7: unknown key “rights\.license”\n  Did you mean “licence”"),
    "unknown table": ("[rights]", "[droits]", r"line 6: unknown key “droits”\n  Did you mean “rights”\?"),
    "no place": ('path = "bad"', "", r"bad\.toml: needs exactly one of path, urls, packages"),
    "no TOML": ("title =", "title :", r"bad\.toml: this is not TOML: .*line 2"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_card_is_refused_before_anything_is_built(what, call, tmp_path):
    before, after, said = WRONG[what]
    assert before in CARD
    card = CARD.replace(before, after, 1)
    project = make_bad_project(tmp_path / "essai", file("a.txt", FRENCH.encode()), card)
    code, out, err = call("curate", "--project", project)
    assert (code, out) == (2, "")
    assert re.search(said, err), err
    assert err.startswith("error: ")
    assert call("curate", "--project", project, "--keep-going")[0] == 2
    assert not (project / "build").exists()


def test_a_pattern_that_climbs_out_of_the_folder_is_a_wrong_card(call, tmp_path):
    card = CARD.replace("[rights]", 'include = ["../**"]\n[rights]')
    project = make_bad_project(tmp_path / "essai", file("a.txt", FRENCH.encode()), card)
    code, _, err = call("curate", "--project", project, "--keep-going")
    assert code == 2
    assert "source bad: the pattern “../**” does not stay inside the folder" in err
    assert_sound(project, ["sittings"])


@pytest.mark.parametrize("licence", ["LicenseRef-maison", "CC-BY-NC-4.0"])
def test_a_licence_that_does_not_allow_it_holds_the_source_back_and_is_told(licence, call, tmp_path):
    card = CARD.replace("CC0-1.0", licence)
    project = make_bad_project(tmp_path / "essai", file("a.txt", FRENCH.encode() * 20), card)
    code, out, err = call("curate", "--project", project, "--json")
    assert code == 0
    assert "refused by rights: 1 of bad (`hemicycle clear` says why)" in err
    sources = json.loads(out)["corpus"]["debats"]["sources"]
    assert sources["bad"]["documents"] == 0
    assert sources["sittings"]["documents"] == 2

    toml = project / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8").replace('"sittings", ', ""), "utf-8")
    code, _, err = call("curate", "--project", project)
    assert code == 3
    assert "no document of corpus “debats” is cleared; made of its sources so far: corpus debats\n" in err
    assert "`hemicycle clear` says for each source" in err


def test_a_file_name_cannot_move_the_cursor(call, tmp_path):
    project = make_bad_project(tmp_path / "essai", file("a\x1b[2J.txt", b"\xff"))
    for words in (("curate",), ("curate", "--keep-going")):
        code, out, err = call(*words, "--project", project)
        assert code == 1
        assert "\x1b" not in out + err
        assert "source bad, a\\x1b[2J.txt, line 1: byte 0 (0xff) is not UTF-8" in err


def test_a_full_disk_is_never_taken_for_an_optional_source_that_cannot_be_had(call, monkeypatch, tmp_path):
    card = CARD.replace("[rights]", "optional = true\n[rights]")
    project = make_bad_project(tmp_path / "essai", file("a.txt", FRENCH.encode()), card)
    copy = shutil.copyfile

    def copyfile(source, target, **options):
        if "bad" in str(source):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return copy(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    code, _, err = call("curate", "--project", project)
    assert code == 1
    assert re.search(r"^error: .*raw bad: No space left on device\n  Nothing half-written", err, re.MULTILINE)
    monkeypatch.undo()
    assert_sound(project, [])


def test_a_project_that_may_only_be_read_can_be_looked_at(call, monkeypatch, tmp_path):
    project = make_bad_project(tmp_path / "essai", file("a.txt", FRENCH.encode() * 20))
    assert call("curate", "--project", project)[0] == 0
    for path in project.glob("build/.cache/*"):
        path.unlink()
    os.utime(project / "bad" / "a.txt", (0, 0))

    def refuse(path, data):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("hemicycle.sources.local.write_aside", refuse)
    monkeypatch.setattr("hemicycle.stamps.COARSEST_STEP_NS", 0)
    code, out, _ = call("status", project)
    assert code == 0
    assert "up to date  corpus debats" in out


def test_a_folder_that_is_not_there_is_not_looked_for_further_up(call, monkeypatch, tmp_path):
    project = make_bad_project(tmp_path / "essai", file("a.txt", FRENCH.encode()))
    monkeypatch.chdir(project)
    for words in (("status", "esai"), ("curate", "--project", "esai")):
        code, _, err = call(*words)
        assert code == 2
        assert "'esai' does not exist" in err


MEASURED = """
import atexit, re, sys
from pathlib import Path
from hemicycle.cli import main
peak = lambda: re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
atexit.register(lambda: print("peak", peak(), "kB", file=sys.stderr))
main()
"""


def curate_measured(project):
    """`curate --keep-going` in a process of its own: its exit code, stderr, and peak of memory in bytes.

    The kernel's `ru_maxrss` of a child begins at that of its parent, and would measure this process.
    """
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "curate", "--keep-going", "--project", str(project)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    err, _, peak = done.stderr.rpartition("peak ")
    return done.returncode, err, int(peak.split()[0]) * 1024


def two_hundred_megabytes(name, begin=b"", end=b""):
    def make(folder):
        piece = FRENCH.encode() * 12_000
        with (folder / name).open("wb") as out:
            out.write(begin)
            for _ in range(200_000_000 // len(piece)):
                out.write(piece)
            out.write(end)

    return make


@pytest.mark.parametrize(
    ("reader", "make", "said"),
    [
        ("text", two_hundred_megabytes("a.txt"), r"a\.txt: the file is larger than 64 MiB"),
        (
            "jsonl",
            two_hundred_megabytes("a.jsonl", b'{"text": "bonjour"}\n{"text": "', b'"}\n'),
            r"a\.jsonl, line 2: the line is longer than 64 MiB",
        ),
        (
            "syceron",
            zip_of(**{"a.xml": b"<compteRendu>" + b" " * 300_000_000}),
            r"a\.zip#a\.xml: the file is bigger than",
        ),
        BAD["a billion laughs"],
    ],
    ids=["text", "jsonl", "zip bomb", "billion laughs"],
)
@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the kernel tells no peak of memory here")
def test_what_is_too_big_is_refused_in_bounded_memory(reader, make, said, tmp_path):
    project = make_bad_project(tmp_path / "essai", make, read_by(reader))
    code, err, peak = curate_measured(project)
    assert code == 1, err
    assert re.search(said, err), err
    assert "Traceback" not in err
    assert peak < 1.5e9
    assert_sound(project, ["sittings"])
