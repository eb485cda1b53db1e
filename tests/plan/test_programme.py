"""`plan.toml`: what is declared of runs, teams and a life, and what cannot be."""

import pytest

from hemicycle.errors import DeclarationError
from hemicycle.plan.programme import load_life, load_programme

WHOLE = """
[programme]
from = 2027-01-01
until = 2028-01-01

[teams.openllm]
share = 2

[teams.lighton]

[runs.base]
team = "openllm"
parameters = "8B"
tokens = "5T"
gpus = [256, 512]
deadline = 2027-09-01
must = true

[runs.tuned]
team = "lighton"
parameters = "8B"
tokens = "100B"
after = ["base"]

[life]
years = 3
"""


def write(tmp_path, text=WHOLE):
    path = tmp_path / "plan.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_programme_is_read_with_its_runs_and_teams(tmp_path):
    found = load_programme(write(tmp_path))
    assert found.runs["base"].parameters == 8_000_000_000
    assert found.runs["tuned"].after == ["base"]
    assert found.teams["lighton"].share == 1
    assert load_life(tmp_path / "plan.toml").years == 3


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('team = "openllm"', 'team = "openlm"', "names the team “openlm”"),
        ('after = ["base"]', 'after = ["bas"]', "names the run “bas”"),
        ('tokens = "5T"\n', "", "needs a model of the project, or parameters and tokens"),
        ("deadline = 2027-09-01\n", "", "must is of a deadline"),
        ('tokens = "5T"', 'tokens = "five"', "is not a number such as"),
        ("until = 2028-01-01", "until = 2026-01-01", "no later than it begins"),
        ("share = 2", "share = 0", "must be more than 0"),
        ("gpus = [256, 512]", "gpu = [256, 512]", "Did you mean “gpus”"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path, right, wrong, said):
    assert right in WHOLE
    with pytest.raises(DeclarationError) as refused:
        load_programme(write(tmp_path, WHOLE.replace(right, wrong, 1)))
    assert said in str(refused.value)
    assert "plan.toml" in refused.value.place


def test_a_file_without_a_programme_or_a_life_says_what_to_add(tmp_path):
    life = write(tmp_path, "[life]\nyears = 2\n")
    with pytest.raises(DeclarationError, match="no programme is declared"):
        load_programme(life)
    runs = write(tmp_path, WHOLE.partition("[life]")[0])
    with pytest.raises(DeclarationError, match="no life after training is declared"):
        load_life(runs)
