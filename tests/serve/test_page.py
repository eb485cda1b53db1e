"""The page in a browser: Debian's chromium, driven by Playwright; nothing leaves the host."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hemicycle.serve import Engine

from .conftest import PARAGRAPH, Served
from .engines import Scripted
from .tracing import ABOUT, SITTING, Source, TextTracer

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt install chromium")

ServeFixture = Callable[..., Served]
Visit = Callable[..., Any]
QUOTE = "L’ordre du jour appelle la discussion du projet de loi relatif à la ressource en eau"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Open the page. At the end: no request left the host, the console stayed silent."""
    contexts, requests, complaints = [], [], []

    def open_page(
        served: Served, *, size: tuple[int, int] = (1200, 800), locale: str = "fr-FR", complains: bool = False
    ) -> Any:
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: requests.append((served.url, request.url)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if not complains:
            page.on("console", lambda message: complaints.append(message.text))
        page.goto(served.url)
        page.wait_for_selector("textarea[placeholder], #gate:not([hidden])", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert requests
    assert [url for host, url in requests if not url.startswith(host)] == []
    assert complaints == []


def say(page: Any, text: str) -> None:
    page.fill("textarea", text)
    page.keyboard.press("Enter")


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_an_answer_is_streamed_and_its_words_lead_to_their_document(
    serve: ServeFixture, taught_engine: Engine, visit: Visit, tmp_path: Path
) -> None:
    page = visit(serve(taught_engine, tracer=TextTracer(), about=ABOUT))
    assert page.title() == "Petit hémicycle"
    assert page.locator("html").get_attribute("lang") == "fr"
    page.click("text=Réglages")
    page.locator("#temperature").focus()
    page.keyboard.press("Home")
    assert page.locator("#temperature-value").inner_text() == "0"
    page.locator("#length").focus()
    page.keyboard.press("End")
    page.keyboard.press("Escape")

    say(page, "La séance")
    page.wait_for_selector(".span")
    assert page.locator(".written").inner_text() == PARAGRAPH
    assert page.locator(".span").count() == 3
    assert (
        "93" in page.locator(".share text").text_content()
        or "94" in page.locator(".share text").text_content()
    )

    page.click(".span >> nth=0")
    card = page.locator(".card")
    assert card.locator("h3").inner_text() == SITTING.title
    assert "L'ordre du jour appelle" in card.locator("mark").inner_text()
    text = card.inner_text()
    for fact in (
        "Comptes rendus des séances",
        "7 octobre 2031",
        "CRSINV1L1S2031O1N001.xml#9301007",
        "etalab-2.0",
        "autorisé",
        "open-licence-1",
        "Ada Lemoine",
        "de l’étape 1 à l’étape 240",
    ):
        assert fact in text
    assert "ne prouvent pas" in page.locator("#sources").inner_text()

    page.click(".span >> nth=2")
    assert "à examiner" in card.inner_text()
    assert "personne n’a signé" in card.inner_text()
    page.screenshot(path=tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_a_model_without_template_is_given_the_text_as_it_stands_on_the_page(
    serve: ServeFixture, visit: Visit
) -> None:
    engine = Scripted("et la suite", chat=False)
    page = visit(serve(engine, about=ABOUT))
    say(page, "Un début")
    page.wait_for_selector("#send:not([hidden])")
    say(page, "Un autre")
    page.wait_for_selector(".turn >> nth=1")
    page.wait_for_selector("#send:not([hidden])")
    assert [m.content for m in engine.asked[-1]] == ["Un débutet la suite \n\nUn autre"]


def test_a_conversation_is_given_turn_by_turn(serve: ServeFixture, visit: Visit) -> None:
    engine = Scripted("Bonjour à vous")
    page = visit(serve(engine, about=ABOUT))
    say(page, "Bonjour")
    page.wait_for_selector("#send:not([hidden])")
    say(page, "Encore")
    page.wait_for_selector(".turn >> nth=1")
    page.wait_for_selector("#send:not([hidden])")
    assert [m.role for m in engine.asked[-1]] == ["user", "assistant", "user"]
    page.click("text=Réglages")
    page.click("text=Nouvelle conversation")
    assert page.locator(".turn").count() == 0
    say(page, "Autre chose")
    page.wait_for_selector(".turn")
    page.wait_for_selector("#send:not([hidden])")
    assert [m.content for m in engine.asked[-1]] == ["Autre chose"]


def test_the_keyboard_opens_a_passage_and_escape_comes_back(serve: ServeFixture, visit: Visit) -> None:
    page = visit(serve(Scripted(f"😀 {QUOTE}."), tracer=TextTracer(), about=ABOUT))
    say(page, "Bonjour")
    page.locator(".span").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    assert page.evaluate("document.activeElement.closest('.passage') !== null")
    assert page.locator(".span").get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className.includes('span')")


def test_offsets_count_characters_even_after_an_emoji(serve: ServeFixture, visit: Visit) -> None:
    page = visit(serve(Scripted(f"😀😀 𝒜 Oui : {QUOTE}."), tracer=TextTracer(), about=ABOUT))
    say(page, "Bonjour")
    page.wait_for_selector(".span")
    assert page.locator(".span").inner_text() == QUOTE


def test_on_a_phone_the_sources_are_a_sheet(serve: ServeFixture, visit: Visit, tmp_path: Path) -> None:
    page = visit(
        serve(Scripted(f"Yes: {QUOTE}."), tracer=TextTracer(), about=ABOUT), size=(390, 844), locale="en-GB"
    )
    assert page.locator("html").get_attribute("lang") == "en"
    assert overflow(page) == 0
    say(page, "Hello")
    page.wait_for_selector(".span")
    assert not page.locator("#sources").is_visible()
    page.click(".span")
    page.wait_for_selector(".card")
    assert page.locator("#sources").is_visible()
    assert "Right to train" in page.locator(".card").inner_text()
    assert overflow(page) == 0
    page.screenshot(path=tmp_path / "phone.png")
    page.click("#sources-close")
    page.wait_for_selector("#sources", state="hidden")
    page.click(".found")
    page.wait_for_selector("#sources", state="visible")


def test_hostile_text_stays_text(serve: ServeFixture, visit: Visit) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    words = f"{evil} un deux trois quatre cinq six sept huit {evil}"
    document = Source(
        id=evil,
        source=evil,
        origin=evil,
        text=f"avant {words} après",
        title=evil,
        date=evil,
        anchor=evil,
        section=evil,
        speaker=evil,
        licence=evil,
        url="javascript:alert(3)",
    )
    about = {"title": evil, "governance": evil, "licence": evil, "sources": [{"name": evil, "title": evil}]}
    page = visit(serve(Scripted(words), tracer=TextTracer(document), about=about))
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    say(page, evil)
    page.wait_for_selector(".span")
    page.click(".span >> nth=0")
    page.wait_for_selector(".card")
    page.click("#about-open")
    assert page.locator("img, main script, dialog script, a[href^='javascript']").count() == 0
    assert page.locator(".card h3").inner_text() == evil
    assert evil in page.locator(".written").inner_text()
    assert page.locator("#project-title").inner_text() == evil


def test_stop_keeps_what_was_written_and_looks_up_its_sources(serve: ServeFixture, visit: Visit) -> None:
    tracer = TextTracer()
    page = visit(serve(Scripted("mot " * 400, seconds=0.02), tracer=tracer, about=ABOUT))
    say(page, "Bonjour")
    page.wait_for_selector(".written >> text=/(mot ){5}/")
    page.click("#stop")
    page.wait_for_selector("text=Réponse interrompue.")
    page.wait_for_selector("#send:not([hidden])")
    page.wait_for_selector("text=Aucun passage de 8 mots")
    assert len(tracer.asked) == 1
    assert 20 < len(page.locator(".written").inner_text()) < 1200


def test_a_search_that_fails_can_be_tried_again(serve: ServeFixture, visit: Visit) -> None:
    class Once(TextTracer):
        def trace(self, text: str, *, prompt: str, min_words: int) -> Any:
            found = super().trace(text, prompt=prompt, min_words=min_words)
            if len(self.asked) == 1:
                raise RuntimeError
            return found

    page = visit(serve(Scripted(QUOTE), tracer=Once(), about=ABOUT), complains=True)
    say(page, "Bonjour")
    page.click("text=Réessayer")
    page.wait_for_selector(".span")


def test_without_an_index_the_page_says_so_and_errors_are_shown(serve: ServeFixture, visit: Visit) -> None:
    class Failing(Scripted):
        def generate(self, prompt: Any, params: Any) -> Any:
            raise RuntimeError

    page = visit(serve(Failing("a"), about=ABOUT), complains=True)
    assert "pas d’index" in page.locator("#sources-status").inner_text()
    say(page, "Bonjour")
    page.wait_for_selector(".problem[role=alert]")
    assert "n’a pas pu être obtenue" in page.locator(".after .problem").inner_text()


def test_a_token_is_asked_for_and_opens_the_page(serve: ServeFixture, visit: Visit) -> None:
    page = visit(serve(Scripted("oui"), about=ABOUT, token="sesame"), complains=True)
    assert not page.locator("textarea").is_visible()
    page.fill("#token", "non")
    page.click("text=Entrer")
    page.wait_for_selector("text=Ce jeton n’est pas le bon.")
    page.fill("#token", "sesame")
    page.keyboard.press("Enter")
    page.wait_for_selector("textarea:visible")
    say(page, "Bonjour")
    page.wait_for_selector(".written >> text=oui")


def test_the_language_changes_in_place(serve: ServeFixture, visit: Visit) -> None:
    page = visit(serve(Scripted(QUOTE), tracer=TextTracer(), about=ABOUT))
    say(page, "Bonjour")
    page.click(".span")
    page.wait_for_selector(".card")
    page.click("nav a[lang=en]")
    assert "Right to train" in page.locator(".card").inner_text()
    assert page.locator(".turn .found").inner_text() == "1 passage found"
    assert page.locator("html").get_attribute("lang") == "en"
    left = page.evaluate("document.body.innerText")
    assert not re.search(r"Réglages|Envoyer|Vous\b|Droit", left)


def test_everything_that_can_be_used_has_a_name(serve: ServeFixture, visit: Visit) -> None:
    page = visit(serve(Scripted(QUOTE), tracer=TextTracer(), about=ABOUT))
    say(page, "Bonjour")
    page.click(".span")
    page.wait_for_selector(".card")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
            'button, a, input, textarea, summary, aside, nav, section, blockquote, [role]')]
          .filter((node) => !(node.getAttribute('aria-label') || node.textContent.trim()
            || node.labels?.[0]?.textContent.trim()))
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("h1").count() == 1


def test_a_model_begun_from_an_unknown_text_says_so_beside_its_sources(
    serve: ServeFixture, visit: Visit
) -> None:
    page = visit(serve(Scripted(QUOTE), tracer=TextTracer(), about={**ABOUT, "upstream": "bloom"}))
    assert "parti de «\u00a0bloom\u00a0»" in page.locator("#upstream").inner_text()
    page = visit(serve(Scripted(QUOTE), tracer=TextTracer(), about=ABOUT))
    assert not page.locator("#upstream").is_visible()
