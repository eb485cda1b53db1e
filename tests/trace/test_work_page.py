"""The page of a traced work: it shows what strangers wrote and lets none of it act."""

import re
from html.parser import HTMLParser

import pytest

from hemicycle.documents import Document, Part
from hemicycle.trace.claims import outcome, words
from hemicycle.trace.work_page import _bars
from hemicycle.trace.works import TracedWork
from tests.trace.signed import Publisher
from tests.trace.test_works import RIVER, WELL

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory, write_corpus):
    folder = tmp_path_factory.mktemp("hostile")
    hostile = Document(
        f"https://example.org/{EVIL}",
        f"{WELL} <b>{RIVER}</b>",
        title=EVIL,
        date=EVIL,
        parts=(Part(0, len(WELL), anchor=EVIL, title=EVIL, speaker=EVIL),),
    )
    corpus = write_corpus(folder / "corpus", {"contes": [hostile, Document("javascript:alert(1)", WELL)]})
    publisher = Publisher(folder, corpus)
    text = f"{EVIL} {WELL.replace(' ', '<script>')} {RIVER}"
    publisher.report(folder / "out.html", text, name=f"{EVIL}$(rm -rf).txt", kind="pdf")
    return (folder / "out.html").read_text("utf-8")


def test_nothing_a_stranger_wrote_becomes_markup(page):
    found = Tags(page)
    assert not set(found.tags) & {"script", "img", "iframe", "object", "link", "form", "i", "b"}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert found.text.count("<script>alert(1)</script>") > 5
    assert "<i>Ada</i>" in found.text


def test_nothing_is_loaded_and_links_lead_to_pages_and_proofs_only(page):
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in page
    links = [value for name, value in Tags(page).attributes if name in ("href", "src", "action")]
    assert all(re.match(r"#d\d+$|out\.proofs/\d{4}\.proof$|https://example\.org/", link) for link in links)
    assert "url(" not in page


def test_what_a_reader_copies_into_a_shell_is_one_word(page):
    command = re.search(r"hemicycle verify.*", Tags(page).text)[0]
    assert command.startswith("hemicycle verify out.signed.json --work '")
    assert command.endswith("$(rm -rf).txt'")


def test_the_page_says_the_same_in_both_languages(page):
    text = " ".join(Tags(page).text.split())
    assert "The other" in text
    assert "autres mots" in text
    assert "Words divided at the end of a line were joined" in text
    assert "Les mots coupés en fin de ligne ont été réunis" in text


def test_a_file_name_moves_nothing_in_the_title(tmp_path, page, write_corpus):
    title = re.search(r"<title>(.*)</title>", page)[1]
    assert "\u202e" not in title
    assert r"\u202e" in title
    publisher = Publisher(tmp_path, write_corpus(tmp_path / "c", {"contes": [Document("puits", WELL)]}))
    publisher.report(tmp_path / "out.html", WELL, name="a\x1b\x07b.txt")
    title = re.search(r"<title>(.*)</title>", (tmp_path / "out.html").read_text("utf-8"))[1]
    assert title.endswith(r"a\x1b\x07b.txt")


@pytest.mark.parametrize(
    ("total", "found", "shortest", "english", "french"),
    [
        (33, 32, 8, "The one other word was found in no", "Le seul autre mot n’a été trouvé"),
        (33, 31, 8, "The other 2 words were found in no", "Les 2 autres mots n’ont été trouvés"),
        (
            33,
            1,
            1,
            "1 of 33 words (3.0%) stands in a passage of 1 word or",
            "1 mot sur 33 (3,0\u202f%) se trouve dans",
        ),
        (1, 1, 1, "The one word of this work stands", "Le seul mot de cette œuvre se trouve"),
        (4, 0, 1, "No passage of 1 word or more", "Aucun passage de 1 mot ou plus"),
    ],
)
def test_one_word_is_no_plural(total, found, shortest, english, french):
    assert english in outcome(total, found, shortest, "en")
    assert french in outcome(total, found, shortest, "fr")


def test_words_have_both_languages_and_the_same_places_to_fill():
    for key, english in words("en").items():
        french = words("fr")[key]
        assert set(re.findall(r"{\w+}", french)) == set(re.findall(r"{\w+}", english)), key
        assert french.strip(), key
        assert not re.search(r" [:;!?»%]|« |'|\.\.\.", french), key


def test_the_least_that_was_found_is_seen_in_the_picture_and_the_least_that_was_not():
    def bars(*stretches):
        return _bars(TracedWork("", 500_000, 8, (), stretches, (), "", 1, None, ""))

    assert bars() == []
    assert bars((0, 500_000)) == [(0, 500, 1.0)]
    assert bars((250_000, 8)) == [(250, 1, 0.2)]
    assert bars((0, 250_500), (250_508, 249_492)) == [(0, 250, 1.0), (250, 1, 0.8), (251, 249, 1.0)]
