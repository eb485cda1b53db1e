"""A wrong declaration is refused with the file, the line and what was meant."""

import copy
import os
import re
import tomllib

import pytest
import tomli_w
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hemicycle.cli.session import Session
from hemicycle.errors import DeclarationError
from hemicycle.project import Lock, find_project, load_card, load_project

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

GOOD = """
[project]
name = "essai"
jurisdictions = ["FR", "BE"]
license = "Apache-2.0"

[corpora.debats]
sources = ["mine"]

[tokenizers.fr]
corpus = "debats"
vocab = 512

[models.petit]
corpora = { debats = 1.0 }
tokenizer = "fr"
architecture = { kind = "llama", layers = 2, width = 32, heads = 2, context = 64 }
budget = { tokens = "1.5M" }
"""
CARD = """
title = "Mes textes"
reader = "text"
path = "textes"
[rights]
licence = "CC0-1.0"
attested_by = "moi"
"""


def write(folder, declaration=GOOD, card=CARD):
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "hemicycle.toml").write_text(declaration, "utf-8")
    (folder / "sources" / "mine.toml").write_text(card, "utf-8")
    return folder


def refused(folder):
    with pytest.raises(DeclarationError) as caught:
        load_project(folder)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_good_declaration_loads(tmp_path):
    project = load_project(write(tmp_path))
    assert project.declaration.models["petit"].budget.tokens == 1_500_000
    assert project.cards["mine"].rights.licence == "CC0-1.0"


@pytest.mark.parametrize(
    ("before", "after", "line", "meant"),
    [
        ("vocab = 512", "vocabulary = 512", "line 12", "Did you mean “vocab”?"),
        ('license = "Apache-2.0"', 'licence = "Apache-2.0"', "line 5", "Did you mean “license”?"),
        ("layers = 2", "layer = 2", "line 17", "Did you mean “layers”?"),
        ("[tokenizers.fr]", "[tokenizer.fr]", "line 10", "Did you mean “tokenizers”?"),
        ("width = 32", "width = 33", "line 17", "not a multiple of heads"),
        ('tokens = "1.5M"', 'tokens = "lots"', "line 18", "not a number such as"),
        ('tokens = "1.5M"', "minutes = 3, tokens = 5", "line 18", "exactly one of minutes and tokens"),
        ('budget = { tokens = "1.5M" }', "budget = {}", "line 18", "exactly one of minutes and tokens"),
        ('corpus = "debats"', 'corpus = "debat"', "line 11", "Did you mean “debats”?"),
        ('tokenizer = "fr"', 'tokenizer = "fra"', "line 16", "Did you mean “fr”?"),
        ("{ debats = 1.0 }", "{ lettres = 1.0 }", "line 15", "Declared corpora: debats."),
        ('sources = ["mine"]', "sources = []", "line 8", "corpora.debats.sources: needs at least 1"),
        ("{ debats = 1.0 }", "{}", "line 15", "models.petit.corpora: needs at least 1"),
        ("{ debats = 1.0 }", "{ debats = 0 }", "line 15", "must be more than 0 (it is 0)"),
        ("vocab = 512", "vocab = 5.5", "line 12", "must be a whole number (it is 5.5)"),
        ("vocab = 512", "vocab = 'many'", "line 12", "must be a whole number (it is 'many')"),
        ("vocab = 512", "vocab = 999999", "line 12", "must be at most 262144"),
        ('tokens = "1.5M"', "minutes = 'x'", "line 18", "must be a number (it is 'x')"),
        ('license = "Apache-2.0"', "license = 3", "line 5", "must be a text, in quotes (it is 3)"),
        ('sources = ["mine"]', 'sources = "mine"', "line 8", "must be a list, in brackets"),
        ("{ debats = 1.0 }", '["debats"]', "line 15", "models.petit.corpora: must be a table"),
        ('kind = "llama"', 'kind = "gpt"', "line 17", "(it is 'gpt')"),
        ('sources = ["mine"]', 'sources = ["mien"]', "line 8", "Did you mean “mine”?"),
        ('"FR", "BE"', '"France"', "line 4", "must be the code of a country"),
        ('"FR", "BE"', '"FR", "XX"', "line 4", "Known jurisdictions: AT, BE"),
        ('license = "Apache-2.0"', 'license = "Apache"', "line 5", "Apache"),
        ("vocab = 512", "vocab = 12", "line 12", "300"),
        ("[models.petit]", "[models.Petit]", "line 14", "must be a name of lower-case letters"),
        ("vocab = 512", "vocab = ", "line 12", "not TOML"),
    ],
)
def test_mistakes_are_named_with_their_line_and_remedy(tmp_path, before, after, line, meant):
    assert before in GOOD
    said = refused(write(tmp_path, GOOD.replace(before, after, 1)))
    assert "hemicycle.toml" in said
    assert line in said
    assert meant in said


@pytest.mark.parametrize(
    ("before", "after", "meant"),
    [
        ('reader = "text"', 'reader = "txet"', "Did you mean “text”?"),
        ('licence = "CC0-1.0"', 'licence = "CC0-1.O"', "line 6"),
        ('licence = "CC0-1.0"', 'licence = "LO"', "line 6"),
        ('path = "textes"', "", "exactly one of path, urls, packages"),
        ('path = "textes"', 'path = "textes"\nurls = ["https://x.example/y"]', "exactly one of"),
        ('path = "textes"', 'packages = ["../evil"]', "must be the name of a Debian package"),
        ('path = "textes"', 'path = "x"\noptional = "oui"', "must be true or false (it is 'oui')"),
        ("attested_by", "attestedby", "Did you mean “attested_by”?"),
    ],
)
def test_a_wrong_card_is_refused_with_its_file(tmp_path, before, after, meant):
    said = refused(write(tmp_path, card=CARD.replace(before, after, 1)))
    assert "mine.toml" in said
    assert meant in said


def test_a_key_of_a_good_declaration_is_found_for_later_errors(tmp_path):
    project = load_project(write(tmp_path, GOOD.replace('["mine"]', '["mine"]\nrules = ["frensh"]')))
    assert project.place("corpora", "debats", "rules").endswith("hemicycle.toml, line 9")


def test_of_several_tables_with_one_header_the_wrong_one_is_named(tmp_path):
    licences = ('"MIT"', '"MIT"', "3")
    tables = [f'[[rights.generators]]\nname = "x"\nlicence = {licence}\n' for licence in licences]
    card = CARD.rstrip() + "\n" + "".join(tables)
    assert f"mine.toml, line {len(card.splitlines())}: " in refused(write(tmp_path, card=card))


def test_a_file_that_is_not_utf8_or_not_there_is_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "hemicycle.toml").write_bytes("title = 'é'".encode("latin-1"))
    assert "not UTF-8" in refused(tmp_path)
    (tmp_path / "hemicycle.toml").unlink()
    with pytest.raises(DeclarationError, match="does not exist"):
        load_project(tmp_path)


def test_the_project_is_found_from_below_and_its_absence_is_said(tmp_path):
    write(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_project(below) == tmp_path.resolve()
    with pytest.raises(DeclarationError, match="here or above"):
        find_project(tmp_path.parent)


RUN = {
    "of": "x",
    "steps": 12,
    "seed": 1,
    "precision": "fp32",
    "compiled": False,
    "threads": 2,
    "micro_tokens": 64,
}
LOCK = """
[raw.mine]
declared = "x"
digest = "y"

[rights.mine]
of = "x"
as_of = "2026-01-31"

[model.petit]
of = "x"
steps = 12
seed = 1
precision = "fp32"
compiled = false
threads = 2
micro_tokens = 64
"""


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("steps = 12", "steps = -3", 12, "model.petit.steps"),
        ("steps = 12", 'steps = "x"', 12, "model.petit.steps"),
        ("steps = 12", "steps = true", 12, "model.petit.steps"),
        ("steps = 12\n", "", 10, "the key “model.petit.steps” is missing"),
        ('"fp32"', '"fp8"', 14, "model.petit.precision"),
        ('"2026-01-31"', '"2026-02-30"', 8, "rights.mine.as_of: is not a day"),
        ('digest = "y"', "digest = 3", 4, "raw.mine.digest"),
        ("[model.petit]", "[modle.petit]", 10, "unknown key “modle”"),
        ("[raw.mine]", "[raw]", 3, "raw.declared"),
    ],
)
def test_a_value_in_the_lock_that_cannot_be_is_refused_with_its_line(tmp_path, before, after, line, said):
    path = tmp_path / "hemicycle.lock"
    path.write_text(LOCK)
    assert Lock(path).get("model", "petit") == RUN
    path.write_text(LOCK.replace(before, after, 1))
    with pytest.raises(DeclarationError) as caught:
        Lock(path)
    assert caught.value.place == f"{path}, line {line}"
    assert said in caught.value.what
    assert "delete that table" in str(caught.value)


def test_the_lock_keeps_what_was_resolved_and_a_broken_one_is_refused(tmp_path):
    lock = Lock(tmp_path / "hemicycle.lock")
    lock.set("model", "petit", RUN)
    assert Lock(tmp_path / "hemicycle.lock").get("model", "petit") == RUN
    (tmp_path / "hemicycle.lock").write_text("[[[")
    with pytest.raises(DeclarationError, match="not TOML"):
        Lock(tmp_path / "hemicycle.lock")


def test_every_example_card_is_sound():
    from pathlib import Path

    cards = Path(__file__).resolve().parents[1] / "examples" / "petit-hemicycle" / "sources"
    assert [load_card(p).title for p in sorted(cards.glob("*.toml"))]


PLACES = ['"Apache-2.0"', '["FR", "BE"]', '["mine"]', "512", "{ debats = 1.0 }", '"1.5M"', '"llama"', "32"]
VALUES = [
    "[]",
    "{}",
    "''",
    "'é'",
    "0",
    "-1",
    "1.5",
    "1e99",
    "nan",
    "inf",
    "true",
    "2031-01-01",
    "[[]]",
    "[1]",
]
VALUES += ["{ a = 1 }", "9" * 30, "['a', 'a']", "{ a = {} }"]


@pytest.mark.parametrize("place", PLACES)
def test_no_sentence_of_the_library_underneath_is_shown(tmp_path, place):
    said = []
    for value in VALUES:
        try:
            load_project(write(tmp_path, GOOD.replace(place, value, 1)))
        except DeclarationError as error:
            said.append(error.what)
    assert said
    assert not [what for what in said if re.search(r"Input|valid|\^|instance", what)]


PIECES = ["title = ", '"x"', "[rights]\n", "licence = ", "\n", "[" * 40, "1" * 5000, "a." * 300, "reader = "]
PIECES += ['"text"', "path = ", "{", "}", "=", "[[", "]]", "\x00", "urls = ", "terms = ", "generators = "]
HOSTILE = st.one_of(st.text(max_size=400), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


@settings(max_examples=FUZZ, deadline=None)
@given(HOSTILE)
def test_no_text_makes_a_card_anything_but_a_card_or_an_error_with_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "card.toml"
    path.write_text(text, "utf-8", errors="replace")
    try:
        card = load_card(path)
    except DeclarationError as error:
        told = f"{error.place}: {error.what}"
    else:
        told = f"{path}: a card"
        assert card.rights.attested_by is None or "attested_by" in text
    assert re.match(r".*card\.toml.*: .+", told, re.DOTALL)


@pytest.mark.parametrize(
    ("before", "after", "line", "meant"),
    [
        ("{ debats = 1.0 }", "{ debats = inf }", "line 15", "petit.corpora.debats: must be a finite number"),
        ("{ debats = 1.0 }", "{ debats = nan }", "line 15", "petit.corpora.debats: must be a finite number"),
        ("{ debats = 1.0 }", "{ debats = true }", "line 15", "corpora.debats: must be a number (it is true)"),
        ("{ debats = 1.0 }", '{ debats = "1" }', "line 15", "must be a number (it is '1')"),
        ("layers = 2", "layers = true", "line 17", "layers: must be a whole number (it is true)"),
        ("layers = 2", 'layers = "2"', "line 17", "must be a whole number (it is '2')"),
        ("layers = 2", "layers = 2.0", "line 17", "must be a whole number (it is 2.0)"),
        ('tokens = "1.5M"', "tokens = true", "line 18", "must be a whole number (it is true)"),
        ('tokens = "1.5M"', f'tokens = "{"9" * 400}"', "line 18", "is not a number such as"),
        ('tokens = "1.5M"', "tokens = 3.0", "line 18", "must be a whole number (it is 3.0)"),
        ('tokens = "1.5M"', "minutes = inf", "line 18", "must be a finite number"),
        ("vocab = 512", "vocab = 512\n[models.petit.seed]", "line 13", "must be a whole number"),
        ('sources = ["mine"]', 'sources = ["mine"]\nheld_out = false', "line 9", "must be a number"),
        ('sources = ["mine"]', 'sources = ["mine"]\nheld_out = nan', "line 9", "must be a finite number"),
        ('license = "Apache-2.0"', 'license = "Apache-2.0"\nstore = "a\\u0000b"', "line 6", "project.store"),
        (
            'license = "Apache-2.0"',
            'license = "Apache-2.0"\nstore = "~nobody-such/x"',
            "line 6",
            "nobody-such",
        ),
        ('license = "Apache-2.0"', 'license = "Apache-2.0"\npolicy = "a\\u0000.toml"', "line 6", "policy"),
    ],
)
def test_a_value_of_another_type_is_refused_with_file_place_and_what_it_must_be(
    tmp_path, before, after, line, meant
):
    assert before in GOOD
    said = refused(write(tmp_path, GOOD.replace(before, after, 1)))
    assert "hemicycle.toml" in said
    assert line in said
    assert meant in said


LEAVES = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "~", "~x/y", "/", "..", "a\nb", "1e400", "9" * 400, "mine", "debats", "FR"]),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FULL = tomllib.loads(
    GOOD.replace(
        'license = "Apache-2.0"',
        'license = "Apache-2.0"\npolicy = "default"\nstore = "s"\ngovernance = "solo"',
    )
    + """
seed = 1
batch_tokens = 512
[evaluations.base]
models = ["petit"]
compare = []
[releases.v0]
model = "petit"
title = "t"
"""
)
FULL_CARD = tomllib.loads(
    CARD
    + """
covers = "text"
evidence = ["read"]
[rights.terms]
url = "u"
read_on = 2026-01-31
verdict = "allow"
by = "moi"
[[rights.generators]]
name = "m"
licence = "CC0-1.0"
[digests]
a = "b"
"""
)


def places(table, above=()):
    """The keys of everything in nested tables and lists."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from places(value, (*above, key))


@pytest.mark.parametrize("of", ["declaration", "card"])
@settings(max_examples=FUZZ, deadline=None)
@given(data=st.data())
def test_any_value_at_any_key_gives_a_project_or_an_error_with_its_place(tmp_path_factory, of, data):
    tables = {"declaration": copy.deepcopy(FULL), "card": copy.deepcopy(FULL_CARD)}
    *above, last = data.draw(st.sampled_from(sorted(places(tables[of]), key=str)))
    table = tables[of]
    for key in above:
        table = table[key]
    table[last] = data.draw(ANYTHING)
    folder = tmp_path_factory.getbasetemp()
    try:
        written = {name: tomli_w.dumps(t) for name, t in tables.items()}
        [text.encode("utf-8") for text in written.values()]
    except (UnicodeEncodeError, ValueError, TypeError):
        assume(False)
    refusal = None
    try:
        Session(write(folder, **written)).flow.all_steps()
    except DeclarationError as error:
        refusal = error
    assert refusal is None or str(folder) in str(refusal.place)


TOKENIZER = """
[project]
name = "p"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.c]
sources = ["a"]

"""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "needs vocab, or extends and add"),
        ('vocab = 300\nextends = "b"\nadd = 5', "needs vocab, or extends and add"),
        ('extends = "b"', "needs vocab, or extends and add"),
        ("vocab = 300\nadd = 5", "needs vocab, or extends and add"),
        ('extends = "hf:bigscience/bloom"\nadd = 5', "hf download"),
        ('vocab = 300\nsources = ["b"]', "names sources “b”, which is not declared"),
        ("vocab = 300\nsources = []", "needs at least 1"),
    ],
)
def test_a_tokenizer_is_made_or_extended_from_sources_of_its_corpus(tmp_path, lines, said):
    (tmp_path / "hemicycle.toml").write_text(f'{TOKENIZER}[tokenizers.t]\ncorpus = "c"\n{lines}\n')
    with pytest.raises(DeclarationError, match=re.escape(said)):
        load_project(tmp_path)
