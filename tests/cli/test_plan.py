"""`hemicycle plan` as people call it."""

import json

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.errors import DeclarationError, HemicycleError, UnknownNameError

KEYS = ("flop", "gpu_hours", "days", "energy_mwh", "tco2e", "cost_eur")
SIZE = ("--params", "6.7e9", "--tokens", "1e12")
SITES = """
[sites.lab.pools.a100]
chip = "a100"
gpus = 16
price = "0.74 EUR/GPU-h"
priced_on = 2026-10-01

[sites.lab.pools.h100]
chip = "h100"
gpus = 8

[sites.other.pools.h100]
chip = "h100"
gpus = 64
"""
PROJECT = """
[project]
name = "p"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.c]
sources = ["s"]

[tokenizers.t]
corpus = "c"
vocab = 4096

[models.declared]
corpora = { c = 1.0 }
tokenizer = "t"
architecture = { layers = 4, width = 256, heads = 4, context = 512 }
budget = { tokens = "100M" }
stages = [{ name = "first", share = 3 }, { name = "second", share = 1 }]

[models.open]
corpora = { c = 1.0 }
tokenizer = "t"
budget = { tokens = "100M" }

[models.minutes]
corpora = { c = 1.0 }
tokenizer = "t"
architecture = { layers = 4, width = 256, heads = 4, context = 512 }
budget = { minutes = 3 }
"""
SOURCE = """
title = "S"
reader = "text"
path = "s"

[rights]
licence = "CC0-1.0"
attested_by = "somebody"
"""


def plan(*words):
    """What it prints; errors of ours are raised."""
    done = CliRunner().invoke(cli, ["plan", *words])
    if isinstance(done.exception, HemicycleError):
        raise done.exception
    return done


def told(*words):
    done = plan(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "hemicycle.toml").write_text(PROJECT, "utf-8")
    (tmp_path / "sites.toml").write_text(SITES, "utf-8")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "s.toml").write_text(SOURCE, "utf-8")
    return tmp_path


def test_a_size_on_a_chip_is_six_figures_each_in_order_with_what_they_rest_on():
    found = told(*SIZE, "--chip", "a100", "--gpus", "440")
    for key in KEYS:
        assert found[key]["low"] <= found[key]["expected"] <= found[key]["high"]
    assert found["flop"]["expected"] == pytest.approx(6 * 6.7e9 * 1e12)
    # 4.02e22 at 37.7 % of 312 TFLOP/s.
    assert found["gpu_hours"]["expected"] == pytest.approx(95_000, rel=0.01)
    assert {each["name"] for each in found["assumptions"]} >= {"utilisation", "carbon", "experiments"}
    assert found["project"]["cost_eur"]["expected"] > found["cost_eur"]["expected"]


def test_blooms_hours_give_its_days_energy_carbon_and_money():
    found = told(
        *("--params", "176.2B", "--tokens", "366B", "--gpu-hours", "1082990", "--chip", "a100"),
        *("--gpus", "384", "--availability", "1", "--power", "400 W/GPU", "--pue", "1"),
        *("--carbon", "57 g/kWh", "--price", "0.74 EUR/GPU-h"),
    )
    assert found["days"]["expected"] == pytest.approx(117.5, rel=0.05)
    assert found["energy_mwh"]["expected"] == pytest.approx(433, rel=0.05)
    assert found["tco2e"]["expected"] == pytest.approx(24.7, rel=0.05)
    assert found["cost_eur"]["expected"] == pytest.approx(800_000, rel=0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*SIZE, "--chip", "h1000"), "no chip is known as"),
        ((*SIZE, "--chip", "mi300x"), "no training on a MI300X"),
        ((*SIZE,), "nothing says on which cards"),
        (("--params", "7B", "--chip", "h100"), "a model, or its size and tokens"),
        ((*SIZE, "--chip", "h100", "--save"), "only the plan of a model of the project"),
        ((*SIZE, "--chip", "h100", "--region", "ZZ"), "no carbon factor"),
    ],
)
def test_what_is_missing_or_unknown_is_said(words, said, tmp_path):
    with pytest.raises(DeclarationError, match=said):
        plan(*words, "--project", str(tmp_path))


@pytest.mark.parametrize(
    "words",
    [
        ("--price", "2"),
        ("--price", "8 EUR/node-h"),
        ("--power", "551 W"),
        ("--carbon", "20"),
        ("--pue", "0.5"),
    ],
)
def test_a_quantity_of_another_unit_is_refused(words):
    done = plan(*SIZE, "--chip", "h100", *words)
    assert done.exit_code == 2
    assert words[0] in done.output


def test_a_pool_is_found_by_its_name_its_site_or_its_chip(project):
    where = ("--project", str(project))
    assert told(*SIZE, *where, "--site", "other")["place"] == {
        "name": "other/h100",
        "chip": "H100 SXM",
        "gpus": 64,
    }
    assert told(*SIZE, *where, "--site", "lab/a100")["cost_eur"]["expected"] > 0
    assert told(*SIZE, *where, "--site", "lab", "--chip", "h100")["place"]["name"] == "lab/h100"
    assert told(*SIZE, *where, "--site", "lab/h100")["cost_eur"]["expected"] is None
    with pytest.raises(DeclarationError, match="2 pools are meant"):
        plan(*SIZE, *where, "--site", "lab")
    with pytest.raises(DeclarationError, match="no pool is “laab”") as refused:
        plan(*SIZE, *where, "--site", "laab")
    assert "Did you mean “lab”?" in refused.value.remedy
    with pytest.raises(DeclarationError, match="more than the 8 of lab/h100"):
        plan(*SIZE, *where, "--site", "lab/h100", "--gpus", "9")


def test_a_declared_model_is_planned_before_anything_of_it_is_built(project):
    found = told("declared", "--project", str(project), "--chip", "h100", "--gpus", "8")
    assert found["model"]["tokens"] == 1e8
    assert [(line["name"], line["tokens"]) for line in found["lines"]] == [
        ("first", 7.5e7),
        ("second", 2.5e7),
    ]
    # Four layers of 4 × 256² + 3 × 256 × 704 + 2 × 256, a norm, and one embedding of 4 096 × 256.
    layer = 4 * 256**2 + 3 * 256 * 704 + 2 * 256
    assert found["model"]["parameters"] == 4 * layer + 256 + 4096 * 256


def test_what_a_plan_cannot_know_yet_is_said_with_what_to_do(project):
    with pytest.raises(DeclarationError, match="its shape follows from its budget") as refused:
        plan("open", "--project", str(project), "--chip", "h100")
    assert "hemicycle tokenize" in refused.value.remedy
    with pytest.raises(DeclarationError, match="3 minutes are no number of tokens yet"):
        plan("minutes", "--project", str(project), "--chip", "h100")
    with pytest.raises(UnknownNameError) as unknown:
        plan("declard", "--project", str(project), "--chip", "h100")
    assert "Did you mean “declared”?" in unknown.value.remedy


def test_a_kept_plan_is_a_file_of_the_project(project):
    plan("declared", "--project", str(project), "--site", "other", "--save")
    kept = json.loads((project / "plans" / "declared.json").read_text("utf-8"))
    assert kept["ranks"] == 64
    assert kept["tokens_per_second"]["low"] < kept["tokens_per_second"]["high"]
    assert kept["plan"]["place"]["name"] == "other/h100"


def test_the_page_is_in_two_languages_and_escapes_names(project):
    sites = (project / "sites.toml").read_text("utf-8")
    (project / "sites.toml").write_text(
        sites.replace("gpus = 64", 'gpus = 64\n[sites.other.carbon]\nfactor = "20 g/kWh"\n')
        + 'origin = "<script>alert(1)</script>"\nperiod = "2025"\n',
        "utf-8",
    )
    plan(*SIZE, "--project", str(project), "--site", "other", "--page", str(project / "page"))
    english = (project / "page" / "plan.html").read_text("utf-8")
    french = (project / "page" / "plan.fr.html").read_text("utf-8")
    assert "<script" not in english + french
    assert "&lt;script&gt;" in english
    assert "entraînement final" in french
    assert "final run" in english
    assert json.loads((project / "page" / "plan.json").read_text("utf-8"))["flop"]


def test_published_runs_are_listed_with_their_flags():
    found = {each["id"]: each for each in told("runs")["runs"]}
    assert [flag["name"] for flag in found["lucie-7b"]["flags"]][:2] == ["MFU_TOO_LOW", "GPU_HOURS_MISMATCH"]
    assert abs(found["olmo3-32b"]["predicted"] - 1) < 0.02
    assert "Lucie-7B" in plan("runs").output


def test_a_training_that_never_began_is_said_to_have_no_log(project):
    with pytest.raises(HemicycleError, match="there is no log"):
        plan("--actual", "declared", "--project", str(project))
    with pytest.raises(UnknownNameError, match="no model and no file"):
        plan("--actual", "declard", "--project", str(project))


LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}


@pytest.fixture
def llama(tmp_path):
    path = tmp_path / "Llama-3.1-8B" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(LLAMA), "utf-8")
    return str(path)


def test_a_configuration_is_counted_exactly_and_judged_by_the_ai_act(llama):
    found = told("--config", llama, "--tokens", "15.6T", "--chip", "h100", "--gpus", "2048")
    # As published: 8 030 261 248 weights.
    assert found["sizes"]["total"] == found["model"]["parameters"] == 8_030_261_248
    assert found["sizes"]["flop_per_token"]["six_n"] == 6 * 8_030_261_248
    verdicts = {each["about"]: each["answer"] for each in found["ai_act"]["verdicts"]}
    assert verdicts == {"general_purpose": "reached", "systemic": "below"}


def test_a_damaged_configuration_is_named(tmp_path):
    path = tmp_path / "config.json"
    no_size = '{"model_type": "llama", "hidden_size": -1}'
    for text in ("{", "[]", no_size, '{"model_type": "lama"}', "[" * 100_000):
        path.write_text(text, "utf-8")
        with pytest.raises(HemicycleError) as refused:
            plan("--config", str(path), "--tokens", "1T", "--chip", "h100")
        assert refused.value.place == str(path)


def test_a_budget_in_euros_leads_to_a_model_written_as_a_verb_or_as_a_flag():
    words = ("--eur", "800k", "--chip", "h100", "--text", "800B", "--served", "10T")
    found = told("--solve", *words)
    assert found == told("solve", *words)
    names = {choice["name"] for choice in found["choices"]}
    assert names == {"compute-optimal", "over-trained", "lifetime"}
    best = found["choices"][0]
    assert best["project"]["cost_eur"]["expected"] == pytest.approx(800_000, rel=0.01)


def test_a_project_that_is_not_tokenised_yet_is_solved_by_a_published_law(project):
    found = told("solve", "declared", "--project", str(project), "--gpu-hours", "1k", "--chip", "h100")
    assert found["law"] == "besiroglu-2024"
    assert found["unique_tokens"] is None
    assert found["choices"][0]["vocabulary"] == 4096


def test_serving_says_memory_speed_and_cost(llama):
    found = told("serving", "--config", llama, "--chip", "h100", "--gpus", "1")
    assert found["weights_gb"] == pytest.approx(16.06, abs=0.01)
    # 32 layers x 8 heads of keys and values x 128 numbers x 2 bytes x 2.
    assert found["kept_mb_per_token"] == pytest.approx(0.131072)
    assert found["eur_per_mtoken"]["low"] < found["eur_per_mtoken"]["high"]
    assert told("serving", "--config", llama, "--chip", "l4", "--gpus", "1", "--bytes", "0.5")["fits"]
    with pytest.raises(DeclarationError, match="serving is of a model of the project"):
        plan("serving", "--chip", "h100")


def test_a_life_is_told_line_by_line(llama, tmp_path):
    life = tmp_path / "plan.toml"
    life.write_text('[life]\nyears = 3\nstorage = { size = "40 TB", price = "12 EUR/TB/month" }\n', "utf-8")
    words = ("life", "--config", llama, "--tokens", "1T", "--chip", "h100", "--declared", str(life))
    found = told(*words)
    storage = next(line for line in found["lines"] if line["name"] == "storage")
    assert storage["whole"]["cost_eur"]["expected"] == pytest.approx(40 * 12 * 36)
    assert "no_people" in [each["name"] for each in found["absent"]]
    assert "Storage" in plan(*words).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--power", "10 W/GPU"), "of a node, or of a card"),
        (("--carbon", "22 kg/kWh"), "no grid emits"),
        (("--price", "900 EUR/GPU-h"), "of a node, or of a card"),
    ],
)
def test_what_cannot_be_of_a_card_or_a_grid_is_refused_on_the_command_line_too(words, said):
    with pytest.raises(DeclarationError, match=said):
        plan(*SIZE, "--chip", "h100", *words)


def test_a_letter_that_was_forgotten_is_asked_for():
    with pytest.raises(DeclarationError, match="7 parameters are no plan") as refused:
        plan("--params", "7", "--tokens", "2T", "--chip", "h100")
    assert "7B" in refused.value.remedy


def test_the_price_of_a_node_written_as_that_of_a_card_is_flagged():
    found = told(*SIZE, "--chip", "h100", "--price", "11.48 EUR/GPU-h")
    assert [flag["name"] for flag in found["flags"]] == ["PRICE_ABOVE_LIST"]


def test_a_chip_that_a_pool_has_not_is_said(project):
    with pytest.raises(DeclarationError, match="other/h100 has no pool with a100") as refused:
        plan(*SIZE, "--project", str(project), "--site", "other/h100", "--chip", "a100")
    assert "H100 SXM" in refused.value.remedy


def test_the_shell_completes_the_verbs_of_planning():
    from click.shell_completion import ShellComplete

    from hemicycle.cli.plan import command

    completed = ShellComplete(command, {}, "hemicycle-plan", "_X").get_completions([], "")
    assert {"solve", "calendar", "serving", "life", "actual", "runs"} <= {item.value for item in completed}
    some = ShellComplete(command, {}, "hemicycle-plan", "_X").get_completions([], "ca")
    assert [item.value for item in some] == ["calendar"]


def test_a_table_of_runs_with_a_mistake_names_its_line(tmp_path, project):
    from hemicycle.plan.published import COLUMNS

    row = dict.fromkeys(COLUMNS, "") | {"id": "x", "name": "X", "parameters": "7B", "tokens": "1e12"}
    path = tmp_path / "their.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join((row | {"chip": "h100"}).values()) + "\n", "utf-8")
    with pytest.raises(HemicycleError, match="no number") as refused:
        plan("actual", str(path), "--project", str(project))
    assert refused.value.place.endswith("line 2")
    path.write_text("a;b\n1;2\n", "utf-8")
    with pytest.raises(HemicycleError, match="or commas are missing"):
        plan("actual", str(path), "--project", str(project))
    with pytest.raises(HemicycleError, match="no such file"):
        plan("actual", "absent.csv", "--project", str(project))


SLIPS = [
    ((*SIZE, "--chip", "h100", "--price", "2 eur/gpu-h"), "no unit that is known"),
    ((*SIZE, "--chip", "h100", "--region", "FR", "--carbon", "20 g/kWh"), "say one"),
    ((*SIZE, "--chip", "h100", "--carbon", "0 g/kWh"), "no grid emits 0 g/kWh"),
    ((*SIZE, "--chip", "h100", "--modality", "a=1B", "--modality", "a=2B"), "said twice"),
    (("--params", "1e30", "--tokens", "1T", "--chip", "h100"), "too much"),
    (("solve", "--eur", "800k", "--chip", "h100", "--price", "0 EUR/GPU-h"), "a price of zero"),
    (("solve", "--eur", "nan", "--chip", "h100"), "not above zero"),
    (("calender",), "calendar"),
]


@pytest.mark.parametrize(("words", "said"), SLIPS, ids=lambda value: " ".join(value)[-40:])
def test_a_slip_is_refused_in_a_sentence(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["plan", *words])
    assert done.exit_code in (1, 2)
    told = f"{done.output} {done.exception} {getattr(done.exception, 'remedy', '')}"
    assert said in told
    assert isinstance(done.exception, HemicycleError | SystemExit), done.exception


ROWS = [
    ("x,X,7B,1e12,h100,256,1e5,published,,,,,,,", "parameters “7B” is no number"),
    ("x,X,7e9,1e12,h100,0.5,1e5,published,,,,,,,", "0.5 cards are no whole number"),
    ("x,X,7e9,-1,h100,256,1e5,published,,,,,,,", "tokens -1 is not above zero"),
    ("x,X,7e9,1e300,h100,256,1e5,published,,,,,,,", "too much"),
    ("x,X,7e9", "it says no tokens"),
]


@pytest.mark.parametrize(("row", "said"), ROWS)
def test_a_row_of_runs_that_cannot_be_says_which_figure(row, said, tmp_path):
    from hemicycle.plan.published import COLUMNS

    path = tmp_path / "runs.csv"
    # As spreadsheets write it, with a mark before the first column.
    path.write_text("\ufeff" + ",".join(COLUMNS) + f"\n{row}\n", "utf-8")
    with pytest.raises(HemicycleError) as refused:
        plan("actual", str(path))
    assert said in refused.value.what
    assert refused.value.place.endswith("line 2")


def test_a_run_of_few_columns_is_looked_at_as_far_as_it_goes(tmp_path):
    from hemicycle.plan.published import COLUMNS

    path = tmp_path / "runs.csv"
    path.write_text(",".join(COLUMNS) + "\nx,X,7e9,2e12,h100,256,80000,published\n", "utf-8")
    (found,) = json.loads(plan("actual", str(path), "--json").stdout)["runs"]
    assert found["utilisation"] == pytest.approx(8.4e22 / (80_000 * 3600 * 989e12), rel=1e-3)


PROGRAMME = """
[programme]
from = 2027-01-01
until = 2027-04-01

[teams.a]

[runs.one]
team = "a"
parameters = "1B"
tokens = "100B"
gpus = [8]
sites = ["lab"]

[runs.two]
team = "a"
parameters = "1B"
tokens = "100B"
gpus = [8]
sites = ["lab/a100"]
deadline = 2027-01-02
must = true
"""


def test_a_calendar_is_written_and_planned_anew(project, tmp_path):
    (project / "plan.toml").write_text(PROGRAMME, "utf-8")
    (project / "sites.toml").write_text(SITES + '\n[sites.lab]\nscheduler = "slurm"\n', "utf-8")
    out = tmp_path / "out"
    words = ("calendar", "--project", str(project), "--seconds", "5", "--out", str(out))
    found = json.loads(plan(*words, "--json").stdout)
    assert [entry["task"] for entry in found["entries"]] == ["one"]
    (unplaced,) = found["unplaced"]
    # The deadline's own day is named, as it was declared.
    assert "its deadline at 2 January 2027" in unplaced["reasons"][0]
    assert (out / "calendar.ics").read_bytes().count(b"BEGIN:VEVENT") == 1
    assert (out / "calendar.png").stat().st_size > 1_000
    assert "échéance, 2 janvier 2027" in (out / "plan.fr.html").read_text("utf-8")
    scripts = {path.name for path in (out / "slurm").glob("*")}
    assert scripts == {f"one.{entry.replace('/', '.')}.sbatch" for entry in found["entries"][0]["pools"]}
    (project / "plan.toml").write_text(PROGRAMME.replace("runs.one", "runs.other"), "utf-8")
    plan(*words)
    assert {path.name for path in (out / "slurm").glob("*")} == {n.replace("one.", "other.") for n in scripts}


def test_a_mistake_in_a_programme_names_the_file_that_was_given(project, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(PROGRAMME.replace("[8]", "[100000]"), "utf-8")
    with pytest.raises(DeclarationError, match="in whole nodes") as refused:
        plan("calendar", "--project", str(project), "--declared", str(path))
    assert refused.value.place == f"{path}, [runs.one]"


def test_the_sites_of_a_project_are_found_from_a_folder_inside(project, monkeypatch):
    (project / "inside").mkdir()
    monkeypatch.chdir(project / "inside")
    assert told(*SIZE, "--site", "lab/h100")["place"]["name"] == "lab/h100"
