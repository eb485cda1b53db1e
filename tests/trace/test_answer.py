import json
import random
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.documents import Document, Part, StatedLicence
from hemicycle.errors import InputError, IntegrityError
from hemicycle.trace import Clearance, Tracer, build_index, open_index, trace
from hemicycle.trace.texts import Texts

PLANTED = (
    "Mes chers collègues, je vous rappelle que l'œuvre législative de cette assemblée "
    "s'est toujours faite dans le respect de l'opposition"
)
NOVEL = (
    "Longtemps le vieux pêcheur regarda la mer sans rien dire, puis il replia son filet "
    "et s'en alla vers le phare éteint"
)
COMMON_WORDS = (
    "la le un une des président ministre séance budget article amendement vote loi pêche navire "
    "maison jardin soir matin chemin forêt rivière village enfant parole silence lettre voyage"
)


def filler(seed: int, words: int = 400) -> str:
    return " ".join(random.Random(seed).choices(COMMON_WORDS.split(), k=words))


def reformatted(text: str) -> str:
    """Capitals, typographic apostrophes, no-break spaces, other line ends, accents apart."""
    return unicodedata.normalize("NFD", re.sub(" ", "\u00a0\n", text.replace("'", "’").upper()))


def sitting() -> Document:
    first, second = filler(1), f"{filler(2, 20)}. {PLANTED}. {filler(3, 20)}"
    text = f"{first}\n\n{second}"
    return Document(
        "sitting.xml",
        text,
        title="Séance du 3 juillet",
        date="2026-07-03",
        licences=(StatedLicence("distributor", "ODbL-1.0"), StatedLicence("origin", "etalab-2.0")),
        parts=(
            Part(0, len(text), anchor="sitting", kind="section", title="Budget"),
            Part(0, len(first), anchor="turn-1", kind="turn", speaker="Mme A", title="Budget"),
            Part(len(first) + 2, len(text), anchor="turn-2", kind="turn", speaker="M. B", title="Budget"),
        ),
    )


@pytest.fixture
def corpus(tmp_path: Path, write_corpus) -> Path:
    debates = [Document(f"other-{i}.xml", filler(10 + i)) for i in range(4)]
    novels = [
        Document("https://example.org/novel.xml", f"{filler(20)} {NOVEL} {filler(21)}", title="Le phare"),
        Document("held-out.xml", f"{filler(22)} Ceci est une phrase que personne ne doit retrouver ici"),
    ]
    sources = {"debates": [*debates, sitting()], "novels": novels}
    return write_corpus(tmp_path / "corpus", sources, held_out=["novels:held-out.xml"])


@pytest.fixture
def index(tmp_path: Path, corpus: Path):
    build_index([corpus], tmp_path / "index", memory=20 * 1500)
    return open_index(tmp_path / "index")


def rights_row(identity: str, jurisdiction: str, use: str, verdict: str, obligations: list[str]) -> dict:
    return {
        "id": identity,
        "jurisdiction": jurisdiction,
        "use": use,
        "verdict": verdict,
        "basis": "licence",
        "licence": f"{verdict}-licence",
        "explanation": f"{verdict} in {jurisdiction}",
        "rules": [f"{jurisdiction}-{use}"],
        "obligations": obligations,
    }


def test_a_planted_sentence_leads_to_its_document_turn_and_words(index, corpus):
    (span,) = trace(PLANTED, index, [corpus]).spans
    (document,) = span.documents
    assert (span.start, span.end, span.text, span.count) == (0, len(PLANTED), PLANTED, 1)
    assert (document.id, document.source, document.origin) == (
        ("debates:sitting.xml", "debates", "sitting.xml")
    )
    assert (document.anchor, document.speaker, document.section) == ("turn-2", "M. B", "Budget")
    assert (document.title, document.date) == ("Séance du 3 juillet", "2026-07-03")
    assert document.licence == "etalab-2.0"
    assert document.excerpt[document.needle_start : document.needle_end] == PLANTED
    assert sitting().text[document.excerpt_start :].startswith(document.excerpt)
    assert len(document.excerpt) > len(PLANTED)


def test_a_reformatted_copy_is_found_whole(index, corpus):
    answer = f"{reformatted(PLANTED)}.\n{reformatted(NOVEL)}"
    result = trace(answer, index, [corpus])
    assert result.coverage == 1.0
    assert [s.documents[0].source for s in result.spans] == ["debates", "novels"]
    needle = result.spans[1].documents[0]
    assert needle.excerpt[needle.needle_start : needle.needle_end] == NOVEL
    assert needle.url == "https://example.org/novel.xml"


def test_shuffled_words_are_not_found(index, corpus):
    words = f"{PLANTED} {NOVEL}".split()
    random.Random(3).shuffle(words)
    result = trace(" ".join(words), index, [corpus])
    assert (result.coverage, result.spans, result.spans_found) == (0.0, (), 0)


def test_held_out_documents_are_not_in_the_index(index, corpus):
    assert trace("Ceci est une phrase que personne ne doit retrouver ici", index, [corpus]).coverage == 0.0


def test_coverage_is_the_share_of_words_inside_spans(index, corpus):
    text = f"{PLANTED} zyx zyx zyx zyx zyx"
    result = trace(text, index, [corpus])
    assert result.words == 28
    assert result.coverage == pytest.approx(23 / 28)


def test_a_short_text_is_found_when_shorter_spans_are_asked_for(index, corpus):
    assert trace("le vieux pêcheur regarda la mer", index, [corpus]).spans == ()
    (span,) = trace("le vieux pêcheur regarda la mer", index, [corpus], min_words=4).spans
    assert span.words == 6


def test_a_frequent_span_is_covered_and_not_shown(tmp_path, write_corpus):
    formula = "la séance est ouverte à quinze heures précises"
    documents = [Document(f"{i}", f"{formula} numéro {i}") for i in range(12)]
    corpus = write_corpus(tmp_path / "c", {"s": documents})
    build_index([corpus], tmp_path / "i")
    tracer = Tracer(open_index(tmp_path / "i"), [corpus])
    hidden, shown = tracer.trace(formula), tracer.trace(formula, max_count=None, max_documents=5)
    assert (hidden.spans, hidden.spans_found, hidden.coverage) == ((), 1, 1.0)
    assert (shown.spans[0].count, len(shown.spans[0].documents)) == (12, 5)


def test_the_document_that_resembles_the_prompt_comes_first(tmp_path, write_corpus):
    sentence = "nous avons longuement débattu de cette question en commission"
    documents = [
        Document("a", f"chevaux et avoine. {sentence}. chevaux et écuries"),
        Document("b", f"impôt et budget. {sentence}. budget et dépense"),
    ]
    corpus = write_corpus(tmp_path / "c", {"s": documents})
    build_index([corpus], tmp_path / "i")
    tracer = Tracer(open_index(tmp_path / "i"), [corpus])
    for prompt, first in (("Et le budget ?", "s:b"), ("Que mangent les chevaux, de l'avoine ?", "s:a")):
        (span,) = tracer.trace(sentence, prompt=prompt).spans
        assert span.documents[0].id == first


def test_rights_clearance_and_exposure_are_joined(tmp_path, index, corpus):
    identity = "debates:sitting.xml"
    (tmp_path / "rights").mkdir()
    rows = [
        rights_row(identity, "FR", "train", "allow", ["attribution"]),
        rights_row(identity, "BE", "train", "review", ["attribution"]),
        rights_row(identity, "FR", "redistribute", "deny", ["date-of-update"]),
        rights_row("debates:unknown-here", "FR", "train", "deny", []),
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rights" / "rights.parquet")
    exposure = [
        {"document": identity, "source": "debates", "first_step": 7, "last_step": 90, "rows": 2, "tokens": 9},
        {"document": "gone", "source": "debates", "first_step": 1, "last_step": 2, "rows": 1, "tokens": 1},
    ]
    pq.write_table(pa.Table.from_pylist(exposure), tmp_path / "exposure.parquet")
    tracer = Tracer(
        index,
        [corpus],
        rights={"debates": tmp_path / "rights"},
        exposure={"petit": tmp_path},
        clearance={"debates": Clearance(attribution="Assemblée", attested_by="J. Dupont", licence="MIT")},
    )
    result = tracer.trace(f"{PLANTED}. {NOVEL}").to_json()
    debate, novel = (s["documents"][0] for s in result["spans"])
    assert debate["right"]["verdict"] == "review"
    assert (debate["right"]["basis"], debate["right"]["rule"]) == ("licence", "BE-train")
    assert (debate["right"]["licence"], debate["right"]["explanation"]) == ("review-licence", "review in BE")
    assert list(debate["obligations"]) == ["attribution", "date-of-update"]
    assert (debate["first_step"], debate["last_step"]) == (7, 90)
    assert debate["clearance"]["attested_by"] == "J. Dupont"
    assert (novel["right"]["verdict"], novel["right"]["basis"]) == ("deny", "none")
    assert (novel["first_step"], novel["last_step"], novel["clearance"]) == (None, None, None)


def test_an_unknown_verdict_is_a_denial(tmp_path, index, corpus):
    rows = [rights_row("debates:sitting.xml", "FR", "train", v, []) for v in ("deny", "perhaps", "allow")]
    pq.write_table(pa.Table.from_pylist(rows[1:]), tmp_path / "rights.parquet")
    tracer = Tracer(index, [corpus], rights={"debates": tmp_path / "rights.parquet"})
    assert tracer.trace(PLANTED).spans[0].documents[0].right.verdict == "deny"


def test_a_rights_table_without_its_columns_is_refused(tmp_path, index, corpus):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "rights.parquet")
    with pytest.raises(InputError, match=r"rights\.parquet"):
        Tracer(index, [corpus], rights={"debates": tmp_path})


def test_the_result_is_json_and_says_that_matches_are_no_causes(index, corpus):
    result = json.loads(json.dumps(trace(PLANTED, index, [corpus]).to_json(), allow_nan=False))
    assert "verbatim matches" in result["note"]
    assert "do not show what caused" in result["note"]
    assert result["index"] == index.digest
    assert result["normalisation"] == 1


def test_another_corpus_than_that_of_the_index_is_noticed(tmp_path, write_corpus, index, corpus):
    changed = sitting().text.replace("Mes chers", "Mes  chers")
    other = write_corpus(
        tmp_path / "other",
        {
            "debates": [
                *(Document(f"other-{i}.xml", filler(10 + i)) for i in range(4)),
                Document("sitting.xml", changed),
            ]
        },
    )
    with pytest.raises(IntegrityError, match=r"kept/\w+/00000\.parquet"):
        trace(PLANTED, index, [other])
    with pytest.raises(IntegrityError, match=r"novels/00000\.parquet"):
        trace(NOVEL, index, [other])


def test_a_text_tells_its_digest_as_it_was_collected(index, corpus):
    found = dict(Texts(index, [corpus]).each([1, 0, 1]))
    rows = pq.read_table(corpus / "kept" / "debates" / "00000.parquet").to_pylist()
    assert list(found) == [0, 1]
    assert [text.digest for text in found.values()] == [row["digest"] for row in rows[:2]]


def test_many_threads_get_the_answers_of_one(index, corpus):
    questions = [PLANTED, NOVEL, filler(11)[:200], f"{NOVEL} {PLANTED}"] * 4
    alone = Tracer(index, [corpus])
    expected = [alone.trace(q, min_words=3, max_count=None) for q in questions]
    shared = Tracer(index, [corpus])
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda q: shared.trace(q, min_words=3, max_count=None), questions)) == expected
