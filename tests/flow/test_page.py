"""From the command line to the page: a model overfitted on purpose is asked, and a traced span opened."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.flow.conftest import hemicycle
from tests.flow.small import EXAMPLE

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")

DECLARATION = """
[project]
name = "appris"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.textes]
sources = ["textes"]
held_out = 0.0

[tokenizers.fr]
corpus = "textes"
vocab = 400

[models.appris]
corpora = { textes = 1.0 }
tokenizer = "fr"
architecture = { layers = 2, width = 64, heads = 2, context = 128 }
budget = { tokens = "400k" }
batch_tokens = 1024
"""
CARD = """
title = "Extraits de séances inventées"
publisher = "The Hemicycle authors"
reader = "text"
path = "textes"
kind = "debate"
[rights]
licence = "CC0-1.0"
attested_by = "Ada Lemoine"
"""


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A project of eight short texts, read a hundred times over."""
    from hemicycle.project import Card
    from hemicycle.sources.syceron import read

    folder = tmp_path_factory.mktemp("taught")
    (folder / "sources").mkdir()
    (folder / "textes").mkdir()
    (folder / "hemicycle.toml").write_text(DECLARATION, "utf-8")
    (folder / "sources" / "textes.toml").write_text(CARD, "utf-8")
    card = Card(title="x", reader="syceron", path="x")
    for number, sitting in enumerate(read(EXAMPLE / "sittings", card)):
        turn = max((p for p in sitting.parts if p.kind == "turn"), key=lambda p: p.end - p.start)
        text = sitting.text[turn.start : turn.end][:450].rsplit(" ", 1)[0]
        (folder / "textes" / f"extrait-{number}.txt").write_text(text, "utf-8")
    hemicycle("run", folder)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt install chromium")
def test_an_overfitted_model_recites_and_the_page_shows_where_from(taught, tmp_path):
    text = (taught / "textes" / "extrait-0.txt").read_text("utf-8")
    words = text.split()
    prompt, rest = " ".join(words[:8]), " ".join(words[8:20])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "hemicycle", "serve", "--project", str(taught), "--port", str(port)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        with playwright.sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 800}, locale="fr-FR")
            strangers = []
            page.on("request", lambda r: strangers.append(r.url) if f":{port}/" not in r.url else None)
            page.goto(f"http://127.0.0.1:{port}/")
            page.click("text=Réglages")
            page.locator("#temperature").focus()
            page.keyboard.press("Home")
            page.keyboard.press("Escape")
            page.fill("textarea", prompt)
            page.keyboard.press("Enter")
            page.wait_for_selector(".span", timeout=60_000)
            assert rest in " ".join(page.locator(".written").inner_text().split())
            page.click(".span >> nth=0")
            card = page.locator(".card").inner_text()
            for fact in ("extrait-0", "CC0-1.0", "Ada Lemoine"):
                assert fact in card
            assert "ne prouvent pas" in page.locator("#sources").inner_text()
            page.screenshot(path=tmp_path / "page.png")
            browser.close()
        assert strangers == []
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address, server):
    deadline = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            assert server.poll() is None, server.stderr.read().decode()
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.2)
