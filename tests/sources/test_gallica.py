"""Gallica: broken words joined once, notices told from works, and the scan's rights apart from the text's."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import InputError
from hemicycle.project import Card, CardRights
from hemicycle.rights.cases import Case
from hemicycle.rights.finding import find
from hemicycle.rights.layers import relevant, term_of, with_scanner
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import default_policy
from hemicycle.rights.term_rules import term_rules
from hemicycle.sources.gallica import person, read

from .damage import spoilt

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="gallica", path=".")
ARK = "bpt6k1234567x"
ALTO = "http://bibnum.bnf.fr/ns/alto_prod"
NOTICE = (
    "Rappel de votre demande:\nFormat de téléchargement: : Texte\nNotice complète:\nTitre : Le moulin bleu\n"
    "Auteur : Forest, Aline (1801-1880). Auteur du texte\nDate d'édition : 1871\nLangue : Français\n"
    "Droits : Domaine public\n"
    "Le texte affiché peut comporter un certain nombre d'erreurs. Le taux de reconnaissance estimé pour ce "
    "document est de 98%.\nEn savoir plus sur l'OCR\n"
)


def block(*lines: str) -> str:
    return "<TextBlock>" + "".join(f"<TextLine>{line}</TextLine>" for line in lines) + "</TextBlock>"


def words(text: str) -> str:
    return "<SP/>".join(f"<String CONTENT={quoteattr(w)}/>" for w in text.split())


def half(content: str, whole: str | None, number: int) -> str:
    subs = f" SUBS_CONTENT={quoteattr(whole)}" if whole else ""
    return f'<String CONTENT={quoteattr(content)} SUBS_TYPE="HypPart{number}"{subs}/>'


def alto(*blocks: str, namespace=ALTO) -> str:
    inner = "".join(blocks)
    return f'<alto xmlns="{namespace}"><Layout><Page><PrintSpace>{inner}</PrintSpace></Page></Layout></alto>'


def record(
    *extra: str,
    creators=("Forest, Aline (1801-1880). Auteur du texte",),
    rights=("domaine public", "public domain"),
) -> str:
    dc = "".join(f"<dc:creator>{c}</dc:creator>" for c in creators)
    dc += "".join(f"<dc:rights>{r}</dc:rights>" for r in rights) + "".join(extra)
    return (
        "<results><notice><record><metadata>"
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier>https://gallica.bnf.fr/ark:/12148/{ARK}'
        "</dc:identifier><dc:title>Le moulin bleu</dc:title>"
        "<dc:date>1871</dc:date><dc:language>fre</dc:language>"
        f"{dc}</oai_dc:dc></metadata></record></notice></results>"
    )


def documents(folder: Path, **files: str | bytes) -> list[Document]:
    names = {"text": f"{ARK}.texteBrut", "oai": f"{ARK}.oai.xml"}
    for key, content in files.items():
        path = folder / names.get(key, f"{ARK}/{key}.xml")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(folder, CARD))


def document(folder: Path, **files: str | bytes) -> Document:
    (found,) = documents(folder, **files)
    return found


def refusal(folder: Path, **files: str | bytes) -> InputError:
    with pytest.raises(InputError) as error:
        documents(folder, **files)
    return error.value


# ALTO


def test_pages_read_in_the_order_of_their_numbers_and_blocks_are_parts(tmp_path):
    found = document(
        tmp_path,
        f10=alto(block(words("Le soir vint."))),
        f2=alto(block(words("LE MOULIN")), block(words("Il pleuvait sur"), words("l'étang."))),
        oai=record(),
    )
    assert found.text == "LE MOULIN\n\nIl pleuvait sur l'étang.\n\nLe soir vint."
    assert [(p.anchor, p.kind, found.text[p.start : p.end]) for p in found.parts] == [
        ("f2", "paragraph", "LE MOULIN"),
        ("f2", "paragraph", "Il pleuvait sur l'étang."),
        ("f10", "paragraph", "Le soir vint."),
    ]
    assert (found.id, found.origin) == (f"ark:/12148/{ARK}", f"https://gallica.bnf.fr/ark:/12148/{ARK}")
    assert (found.title, found.date, found.language) == ("Le moulin bleu", "1871", "fr")


HYP = '<HYP CONTENT="-"/>'


SP = "<SP/>"
FIRST = half("atten", "attendit", 1) + HYP
SECOND = half("dit", "attendit", 2) + SP + words("là")
ON = words("on") + SP


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        ([block(ON + FIRST, SECOND)], "on attendit là"),
        (
            [block(half("peut-", "peut-être", 1), half("être", "peut-être", 2) + SP + words("b"))],
            "peut-être b",
        ),
        ([block(ON + FIRST), block(SECOND)], "on attendit là"),
        ([block(FIRST, half("tion", "attention", 2) + SP + words("x"))], "attention x"),
        ([block(half("atten-", None, 1) + HYP, half("dit", None, 2) + SP + words("x"))], "attendit x"),
        ([block(FIRST, words("puis rien"))], "atten- puis rien"),
        ([block(words("a b") + SP + FIRST)], "a b atten-"),
        ([block(SECOND)], "dit là"),
        ([block(words("on atten") + HYP, words("dit là"))], "on attendit là"),
        ([block(words("on atten") + HYP), block(words("dit là"))], "on attendit là"),
        ([block(words("on atten") + HYP)], "on atten-"),
        (
            [block('<String CONTENT="sans"/><String CONTENT="un"/>', '<String CONTENT="blanc"/>')],
            "sans un blanc",
        ),
        (
            [block('<String CONTENT="l\'"/><String CONTENT="eau"/><SP/><String CONTENT="vive"/>')],
            "l'eau vive",
        ),
        ([f"<ComposedBlock>{block(words('a'))}<a>{block(words('b'))}</a></ComposedBlock>"], "a\n\nb"),
        ([block('<String CONTENT="mot"><Glyph CONTENT="m"/><ALTERNATIVE>mut</ALTERNATIVE></String>')], "mot"),
    ],
)
def test_how_words_come_together(tmp_path, blocks, text):
    assert document(tmp_path, f1=alto(*blocks), oai=record()).text == text


@pytest.mark.parametrize(
    "space", ["http://www.loc.gov/standards/alto/ns-v2#", "http://www.loc.gov/standards/alto/ns-v4#", ""]
)
def test_all_versions_are_read(tmp_path, space):
    assert document(tmp_path, f1=alto(block(words("a b")), namespace=space)).text == "a b"


def test_a_word_broken_over_two_pages_is_joined(tmp_path):
    found = document(
        tmp_path,
        f1=alto(block(words("on") + "<SP/>" + half("atten", "attendit", 1) + HYP)),
        f2=alto(block(half("dit", "attendit", 2) + "<SP/>" + words("là"))),
    )
    assert found.text == "on attendit là"
    assert found.parts[1].anchor == "f2"


def test_the_mean_confidence_of_the_words_is_kept(tmp_path):
    line = '<String CONTENT="a" WC="0.5"/><SP/><String CONTENT="b" WC="1.0"/>'
    found = document(tmp_path, f1=alto(block(line)), oai=record())
    assert found.confidence == 0.75
    assert "no confidence" in refusal(tmp_path, f1=alto(block('<String CONTENT="a" WC="nan"/>'))).what


def test_every_word_is_there_once(tmp_path):
    """Counted on the attributes in the file, with expressions alone."""
    lines = [words(f"mot{n} mot{n + 1} mot{n + 2}") for n in range(0, 300, 3)]
    page = alto(*[block(*lines[n : n + 5]) for n in range(0, 100, 5)])
    assert document(tmp_path, f1=page).text.split() == re.findall(r'CONTENT="([^"]*)"', page)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"f1": alto(block(words("a"))), "p1": alto(block(words("b")))}, "a second time"),
        ({"page": alto(block(words("a")))}, "has no number"),
        ({"f1": alto('<String CONTENT="perdu"/>')}, "outside of the lines"),
        ({"f1": alto(block(words("a")))[:-30]}, "not well-formed"),
        ({"f1": alto(block(words("a"))).encode() + b"\0"}, "NUL"),
        (
            {"f1": '<?xml version="1.0" encoding="ISO-8859-1"?>' + alto(block(words("é")))},
            "its bytes are UTF-8",
        ),
        ({"f1": '<!DOCTYPE alto [<!ENTITY a "b">]>' + alto(block('<String CONTENT="&a;"/>'))}, "entities"),
        ({"f1": alto("<ComposedBlock>" * 400 + "</ComposedBlock>" * 400)}, "not well-formed"),
        ({"f1": "<a/>"}, "neither an ALTO page nor"),
        ({"oai": record()}, "has a record and no text"),
        ({"oai": record(), "other": record(), "text": "x"}, "has 2 records"),
        ({"oai": record().replace(ARK, "bpt6k7654321z"), "text": "x"}, "that of bpt6k7654321z"),
        ({"text": NOTICE.split("Le texte")[0] + "Il pleuvait."}, "has no end"),
        ({"text": "Il pleuvait sur l'étang.".encode("latin-1")}, "UTF-8"),
        ({"text": "a\0b"}, "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, files, what):
    error = refusal(tmp_path, **files)
    assert what in error.what
    assert error.place.startswith(ARK)


def test_a_path_without_an_ark_is_refused(tmp_path):
    (tmp_path / "moulin.txt").write_text("x")
    assert "holds no ark" in refusal(tmp_path).what


def test_issues_of_a_periodical_are_works_of_their_own(tmp_path):
    (tmp_path / "cb32750680m").mkdir()
    for ark in ("bpt6k2993902", "bpt6k2993903"):
        (tmp_path / "cb32750680m" / f"{ark}.texteBrut").write_text(f"Numéro {ark}")
    assert [d.id for d in documents(tmp_path)] == ["ark:/12148/bpt6k2993902", "ark:/12148/bpt6k2993903"]


# Raw text


def test_the_notice_is_no_part_of_the_work_and_serves_as_its_record(tmp_path):
    found = document(tmp_path, text=NOTICE + "\nLE MOULIN\n\nIl pleuvait.\n")
    assert found.text == "LE MOULIN\n\nIl pleuvait."
    assert (found.title, found.date, found.language) == ("Le moulin bleu", "1871", "fr")
    assert found.authors == (Author("Forest, Aline", "author", 1801, 1880),)
    assert [(x.stated_by, x.expression) for x in found.licences] == [("scan", "LicenseRef-public-domain")]


def test_html_is_read_as_a_page(tmp_path):
    notice = "".join(f"<p>{line}</p>" for line in NOTICE.splitlines())
    html = (
        f"<html><head><title>x</title></head><body>{notice}<hr/><p>Il pleuvait.</p><p>Fin.</p></body></html>"
    )
    found = document(tmp_path, text=html)
    assert (found.text, found.title) == ("Il pleuvait.\n\nFin.", "Le moulin bleu")


def test_pages_and_raw_text_are_one_text(tmp_path):
    found = document(tmp_path, f1=alto(block(words("Il pleuvait."))), text=NOTICE + "\nIl pleuvait.")
    assert (found.text, found.title) == ("Il pleuvait.", "Le moulin bleu")


def test_a_text_without_a_notice_is_whole(tmp_path):
    assert document(tmp_path, text="Il pleuvait.\nFin.\n").text == "Il pleuvait.\nFin."


# Rights


@pytest.mark.parametrize(
    ("stated", "author"),
    [
        ("Forest, Aline (1801-1880). Auteur du texte", Author("Forest, Aline", "author", 1801, 1880)),
        ("Forest, Aline (1801-1880)", Author("Forest, Aline", "author", 1801, 1880)),
        ("Forest, Aline (1801?-1880). Traducteur", Author("Forest, Aline", "translator", None, 1880)),
        ("Forest, Aline (1801-18..). Préfacier", Author("Forest, Aline", "preface", 1801)),
        ("Forest, Aline (1972-....). Illustrateur", Author("Forest, Aline", "illustrator", 1972)),
        ("Forest, Aline (17..-1880?). Éditeur scientifique", Author("Forest, Aline", "editor")),
        ("Parti des eaux. Auteur du texte", Author("Parti des eaux")),
        ("St. Martin, L.", Author("St. Martin, L.")),
        ("Dupont frères. Imprimeur", Author("Dupont frères", "publisher")),
        ("Forest (comtesse)", Author("Forest (comtesse)")),
        ("Forest, Aline (1801-1880). Éditeur intellectuel", Author("Forest, Aline", "editor", 1801, 1880)),
        ("Forest, Aline (1801-1880). Dédicataire", Author("Forest, Aline", "dédicataire", 1801, 1880)),
        ("Anonyme. Auteur du texte", Author("Anonyme", flags=("anonymous",))),
    ],
)
def test_persons_as_the_library_writes_them(stated, author):
    assert person(stated, "author") == author


def verdict(found: Document, rights: CardRights | None = None) -> str:
    policy = default_policy()
    stated = tuple((x.stated_by, x.expression) for x in found.licences)
    case = Case(stated, relevant(with_scanner(found.authors, stated)))
    rows = frozenset(rule.id for rules in term_rules().values() for rule in rules)
    term = term_of(case.authors, "FR", date(2026, 11, 22), confirmed=rows)
    card = rights or CardRights(attested_by="A. B.")
    return find(case, card, policy, lambda e: judge_expression(e, policy), term)["train"].verdict


def test_a_public_domain_scan_licenses_no_text(tmp_path):
    late = document(tmp_path, text="x", oai=record(creators=("Forest, Aline (1901-1980). Auteur du texte",)))
    assert verdict(late) == "deny"
    assert verdict(document(tmp_path, text="x", oai=record(creators=()))) in ("review", "deny")
    assert verdict(document(tmp_path, text="x", oai=record())) == "review", "nobody read the library's terms"


def terms(verdict: str) -> CardRights:
    read = {"url": "https://example.org/", "read_on": date(2026, 11, 22), "verdict": verdict, "by": "A. B."}
    return CardRights.model_validate({"attested_by": "A. B.", "covers": "edition", "terms": read})


def test_a_scan_of_a_free_work_is_used_as_a_person_read_the_librarys_terms(tmp_path):
    free = document(tmp_path, text="x", oai=record())
    assert [verdict(free, terms(read)) for read in ("allow", "review", "deny")] == ["allow", "review", "deny"]
    late = document(tmp_path, text="x", oai=record(creators=("Forest, Aline (1901-1980). Auteur du texte",)))
    assert verdict(late, terms("allow")) == "deny"


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("Domaine public", "LicenseRef-public-domain"),
        ("droits réservés", "LicenseRef-all-rights-reserved"),
        ("restricted use", "LicenseRef-all-rights-reserved"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("conditions spécifiques", "conditions spécifiques"),
    ],
)
def test_statements_of_rights_are_the_scan_s(tmp_path, words, expression):
    found = document(tmp_path, text="x", oai=record(rights=(words,)))
    assert [(x.stated_by, x.expression) for x in found.licences] == [("scan", expression)]
    assert verdict(found) != "allow" or expression == "CC-PDM-1.0"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_damage_gives_a_document_or_a_refusal(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("gallica")
    files = {"f1": alto(block(words("a b"), half("c", "cd", 1))), "oai": record(), "text": NOTICE + "a b"}
    for name, text in list(files.items()):
        damaged = bytearray(text.encode())
        for _ in range(data.draw(st.integers(0, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        files[name] = bytes(damaged)
    try:
        for found in documents(folder, **files):
            found.row("s")
    except InputError:
        pass


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_no_damage_frees_a_protected_work(tmp_path_factory, data):
    """Figures aside: another year would be another statement. The terms are read, and every row confirmed."""
    late = record(creators=("Forest, Aline (1901-1980). Auteur du texte",))
    notice = NOTICE.replace("1801-1880", "1901-1980")
    files = {"oai": spoilt(data, late), "text": spoilt(data, notice + "a b")}
    try:
        for found in documents(tmp_path_factory.mktemp("gallica"), **files):
            assert verdict(found, terms("allow")) != "allow"
    except InputError:
        pass


PIECES = st.lists(
    st.one_of(
        st.sampled_from(["<SP/>", HYP, '<String CONTENT="x-"/>', "<String/>"]),
        st.builds(
            half, st.sampled_from(["ab", "c-", ""]), st.sampled_from(["abc", None, "zz"]), st.integers(1, 2)
        ),
    ),
    max_size=8,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=3), max_size=4))
def test_any_order_of_halves_gives_a_text(tmp_path_factory, blocks):
    page = alto(*[block(*["".join(line) for line in lines]) for lines in blocks])
    found = document(tmp_path_factory.mktemp("g"), f1=page)
    found.row("s")
    assert found.text.count("x") == page.count('CONTENT="x')
