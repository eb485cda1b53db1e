"""The page in a browser: Debian's chromium, driven by Playwright; nothing leaves the host."""

import shutil
import threading

import pytest

from hemicycle.train.watch import page as page_of
from hemicycle.train.watch import render_run
from hemicycle.train.watch.runs import read_run
from hemicycle.train.watch.server import make_server

from .conftest import HOSTILE

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt install chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open an address. At the end: nothing was asked of another host, the console stayed silent."""
    contexts, asked, complaints = [], [], []

    def open_page(address, *, width=1200, scheme="light", scripts=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: asked.append((address, request.url)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    start = len("http://")
    assert all(url.startswith(("data:", address[: address.find("/", start)])) for address, url in asked)
    assert complaints == []


@pytest.fixture
def served(logs):
    server = make_server(logs, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def test_the_page_is_french_or_english_as_its_address_says(training, visit, tmp_path):
    made = training(groups=[(HOSTILE, "fr"), ("b", "br")]).run(300, skipped=[100])
    made.log.sample(299, "La séance", HOSTILE)
    made.log.close("finished")
    file = tmp_path / "page.html"
    file.write_text(render_run(read_run(made.folder)), "utf-8")
    for width, scheme in [(1200, "light"), (360, "dark")]:
        page = visit(file.as_uri(), width=width, scheme=scheme)
        assert page.locator("h1:visible").count() == 1
        assert "terminé" in page.locator(".state:visible").inner_text()
        page.click("text=English")
        assert "finished" in page.locator(".state:visible").inner_text()
        assert "onerror=alert" in page.locator("td.written:visible").inner_text()
        assert page.locator("figure:visible").count() == 8
        assert overflow(page) == 0


def test_under_the_pointer_stand_the_step_and_each_value(training, served, visit):
    training().run(401, skipped=[])
    page = visit(f"{served}petit#en")
    figure = page.locator("figure:visible").first
    box = figure.locator(".frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    assert figure.locator("output.at").inner_text() == "200"
    assert float(figure.locator("output.value").inner_text()) == pytest.approx(2.11, abs=0.05)
    assert figure.locator(".cursor").evaluate("line => getComputedStyle(line).visibility") == "visible"
    page.mouse.move(5, 5)
    assert figure.locator("output.at").inner_text() == "400"
    assert figure.locator(".cursor").evaluate("line => getComputedStyle(line).visibility") == "hidden"


def test_a_page_that_is_open_follows_the_run_to_its_end(training, served, visit, monkeypatch):
    monkeypatch.setattr(page_of, "REFRESH_SECONDS", 1)
    made = training().run(50)
    page = visit(f"{served}petit#en")
    assert "running" in page.locator(".state:visible").inner_text()
    made.run(60, first=50)
    made.log.close("finished")
    page.wait_for_selector(".state:visible .good >> text=finished")
    assert "60 / 400" in page.locator(".figures:visible").inner_text()
    assert "Step" in page.locator(".figures:visible").inner_text()


def test_from_the_list_of_runs_one_is_opened(training, served, visit):
    training("petit").run(50)
    training("grand-é").run(50)
    page = visit(served)
    assert page.locator("h1:visible").inner_text() == "Trainings"
    page.click("td a:visible >> text=grand-é")
    assert page.locator("h1:visible").inner_text() == "grand-é"
    # The choice of language goes along.
    page.click("text=Français")
    page.click("a:visible >> text=Tous les entraînements")
    assert page.locator("h1:visible").inner_text() == "Entraînements"
    assert page.locator("tbody:visible tr").count() == 2


def test_without_scripts_the_page_is_whole(training, served, visit):
    training().run(50)
    page = visit(f"{served}petit", scripts=False)
    assert page.locator("figure:visible polyline").count() > 8
    assert (
        page.locator("noscript meta[http-equiv=refresh]").count()
        + page.content().count('http-equiv="refresh"')
        > 0
    )
