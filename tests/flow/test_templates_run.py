"""Both templates, used as their own comments say: with texts of one's own, and with the official archives,
for which a server on this machine stands in."""

import hashlib
import io
import json
import random
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.flow.conftest import hemicycle
from tests.flow.small import EXAMPLE

#: Whole runs, each of some seconds.
pytestmark = pytest.mark.slow

PARAGRAPH = (
    "Le moulin de la rivière tournait encore quand la nuit tomba sur le village, et les enfants, qui ne "
    "dormaient pas, écoutaient l’eau passer sous les planches. Ma grand-mère disait que chaque maison a sa "
    "voix {n} et que celle de la nôtre venait de la cave, où le vin dormait avec les pommes. "
)


def new(folder, *words):
    hemicycle("new", folder, *words)
    return folder


def fill_in(card, **lines):
    """Uncomment keys of a card, as its comments ask, and give them values (written as TOML)."""
    text = card.read_text("utf-8")
    for key, value in lines.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"# {key} = "))
        text = text.replace(line, f"{key} = {value}")
    card.write_text(text, "utf-8")


# ── petit ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def petit(tmp_path):
    folder = new(tmp_path / "Mes Textes")
    for n in range(6):
        # In another order each time: nearly equal texts would go as copies.
        words = [random.Random(8 * n + i).sample(PARAGRAPH.split(), len(PARAGRAPH.split())) for i in range(8)]
        text = "\n\n".join(" ".join(paragraph).capitalize() + "." for paragraph in words)
        (folder / "textes" / f"récit {n}.txt").write_text(text, "utf-8")
    (folder / "textes" / "conte.md").write_text(
        "---\ntitle: Le Conte\nauthor: Jeanne Essai\ndate: 2026-01-31\n---\n\n# Un\n\n" + PARAGRAPH * 4,
        "utf-8",
    )
    return folder


def test_petit_with_texts_and_a_signed_card_becomes_a_corpus(petit):
    fill_in(
        petit / "sources" / "textes.toml",
        licence='"CC-BY-4.0"',
        attested_by='"Jeanne Essai"',
        evidence='["le contrat du 31 janvier 2026"]',
    )
    said = json.loads(hemicycle("curate", "--project", petit, "--json").stdout)
    corpus = said["corpus"]["textes"]["totals"]
    assert (corpus["documents"], corpus["dropped"]) == (7, 0)
    assert corpus["held_out"] >= 1
    cleared = json.loads(hemicycle("clear", "--project", petit, "--json").stdout)
    assert [(s["source"], s["state"]) for s in cleared["sources"]] == [("textes", "cleared")]
    assert hemicycle("verify", petit).returncode == 0


def test_petit_with_the_card_not_filled_in_is_held_back_and_says_what_to_do(petit):
    done = hemicycle("curate", "--project", petit, check=False)
    assert done.returncode == 3
    assert "error: no document of corpus “textes” is cleared\n  `hemicycle clear` says" in done.stderr
    cleared = hemicycle("clear", "--project", petit).stdout
    assert "textes: 7 refused. " in cleared
    assert "No licence is stated" in cleared
    assert "write licence, attested_by and evidence under [rights] of sources/textes.toml." in cleared


def test_petit_with_a_licence_that_nobody_attests_is_held_back(petit):
    fill_in(petit / "sources" / "textes.toml", licence='"CC-BY-4.0"')
    assert hemicycle("curate", "--project", petit, check=False).returncode == 3
    cleared = hemicycle("clear", "--project", petit).stdout
    assert "textes: 7 refused. " in cleared
    assert "Nobody answers for having read the licence" in cleared
    assert "signs with attested_by under [rights] of sources/textes.toml." in cleared


def test_petit_without_texts_says_where_to_put_them(tmp_path):
    folder = new(tmp_path / "vide")
    done = hemicycle("run", folder, check=False)
    assert done.returncode == 1
    assert "error: source textes: no file in " in done.stderr
    assert "/textes matches include = ['**/*.txt', '**/*.md']" in done.stderr
    assert "Put files there, or correct the patterns in the card." in done.stderr


# ── french ───────────────────────────────────────────────────────────────────────────────────────────


class Archive(ThreadingHTTPServer):
    """Serves one file, and closes the connection after so many bytes of each answer still to be cut."""

    daemon_threads = True

    def __init__(self, body):
        super().__init__(("127.0.0.1", 0), Answer)
        self.body, self.cuts, self.asked = body, [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/15/syseron.xml.zip"

    def handle_error(self, request, client_address):
        pass


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        rest = self.server.body[start:]
        self.send_response(206 if asked else 200)
        if asked:
            whole = len(self.server.body)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", '"une-version"')
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(rest[:cut])
        self.close_connection = cut is not None

    def log_message(self, format, *args):
        pass


@pytest.fixture
def archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for sitting in sorted((EXAMPLE / "sittings").iterdir()):
            info = zipfile.ZipInfo(f"xml/compteRendu/{sitting.name}")
            file.writestr(info, sitting.read_bytes(), zipfile.ZIP_DEFLATED)
    server = Archive(packed.getvalue())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def french(tmp_path, archive):
    """The template with one of its three archives, which stands on this machine, and no other source."""
    folder = new(tmp_path / "francais", "--template", "french")
    toml, card = folder / "hemicycle.toml", folder / "sources" / "an-15.toml"
    before, rest = toml.read_text("utf-8").split("sources = [", 1)
    toml.write_text(f'{before}sources = ["an-15"]{rest.partition("]")[2]}', "utf-8")
    official = (
        "https://data.assemblee-nationale.fr/static/openData/repository/15/vp/syceronbrut/syseron.xml.zip"
    )
    assert official in card.read_text("utf-8")
    card.write_text(card.read_text("utf-8").replace(official, archive.url), "utf-8")
    return folder


def test_french_collects_the_archive_and_a_signed_card_makes_it_a_corpus(french, archive):
    card = french / "sources" / "an-15.toml"
    assert hemicycle("curate", "--project", french, check=False).returncode == 3, "nobody has signed yet"
    offered = '{ url = "https://data.example/", quote = "Données à télécharger", read_on = 2026-11-20 }'
    fill_in(card, attested_by='"Jeanne Essai"', offered=offered)
    said = json.loads(hemicycle("curate", "--project", french, "--json").stdout)
    assert said["corpus"]["francais"]["sources"]["an-15"]["documents"] == 8
    assert archive.asked == [None], "what was collected is not fetched again"
    (raw,) = (french / "build" / "raw").iterdir()
    assert (raw / "syseron.xml.zip").read_bytes() == archive.body
    cleared = json.loads(hemicycle("clear", "--project", french, "--json").stdout)
    assert [(s["source"], s["state"]) for s in cleared["sources"]] == [("an-15", "cleared")]


def test_a_connection_cut_half_way_is_taken_up_where_it_was_cut(french, archive):
    half = len(archive.body) // 2
    archive.cuts = [half]
    said = json.loads(hemicycle("collect", "--project", french, "--json").stdout)
    assert {s["state"] for s in said["steps"]} == {"built"}
    assert archive.asked == [None, f"bytes={half}-"]
    (raw,) = (french / "build" / "raw").iterdir()
    assert (raw / "syseron.xml.zip").read_bytes() == archive.body


def test_the_archive_that_the_card_pins_is_taken_and_any_other_refused(french, archive):
    card = french / "sources" / "an-15.toml"
    right, wrong = hashlib.sha256(archive.body).hexdigest(), "0" * 64
    fill_in(card, digests=f'{{ "syseron.xml.zip" = "{wrong}" }}')
    done = hemicycle("collect", "--project", french, check=False)
    assert done.returncode == 1
    assert (
        f"error: source an-15, {archive.url}: this is not the file declared: its SHA-256 is {right}"
        in done.stderr
    )
    assert "If the publisher changed it and you accept the change, correct `digests`." in done.stderr
    assert not (french / "build" / "raw").exists()
    card.write_text(card.read_text("utf-8").replace(wrong, right), "utf-8")
    assert hemicycle("collect", "--project", french).returncode == 0


def test_an_archive_that_changed_upstream_is_taken_only_when_told_to(french, archive):
    hemicycle("collect", "--project", french)
    (raw,) = (french / "build" / "raw").iterdir()
    for file in raw.iterdir():
        file.unlink()
    raw.rmdir()
    with zipfile.ZipFile(io.BytesIO(archive.body)) as old:
        name = old.namelist()[0]
        only = io.BytesIO()
        with zipfile.ZipFile(only, "w") as new_archive:
            new_archive.writestr(name, old.read(name))
    archive.body = only.getvalue()
    done = hemicycle("collect", "--project", french, check=False)
    assert done.returncode == 1
    assert "source an-15: the publisher's files are no longer those of hemicycle.lock" in done.stderr
    assert "accept it with `hemicycle collect --update an-15`" in done.stderr
    hemicycle("collect", "--project", french, "--update", "an-15")
    said = json.loads(hemicycle("collect", "--project", french, "--json").stdout)
    assert {s["state"] for s in said["steps"]} == {"fresh"}


def test_without_the_archive_a_source_that_is_not_optional_fails_with_its_address(french, archive):
    url = archive.url.replace("/15/", "/99/")
    card = french / "sources" / "an-15.toml"
    card.write_text(card.read_text("utf-8").replace(archive.url, url), "utf-8")
    archive.RequestHandlerClass = Gone
    done = hemicycle("collect", "--project", french, check=False)
    assert done.returncode == 1
    assert f"error: source an-15, {url}: the server answers 404" in done.stderr
    assert "look up the address at the publisher's and correct the card" in done.stderr


class Gone(Answer):
    def do_GET(self):
        self.send_error(404)
