"""The policy: a dated file that can be stricter than the default, never more lenient than the law."""

from datetime import date
from pathlib import Path

import pytest

import hemicycle.rights.policy as policy_room
from hemicycle.errors import DeclarationError
from hemicycle.rights.licences import judge_expression, licences
from hemicycle.rights.policy import default_policy, load_policy

DEFAULT = Path(policy_room.__file__).with_name("policy.default.toml").read_text("utf-8")


def written(folder, text):
    path = folder / "policy.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_default_policy_is_dated_and_names_itself():
    policy = default_policy()
    assert policy.rule == f"policy/default@{date.fromisoformat(policy.version)}"
    assert (policy.unattested, policy.drift) == ("review", "review")


def test_the_default_policy_speaks_only_of_classes_that_the_table_has():
    conditional = {lic.licence_class for lic in licences() if "cond" in lic.entries.values()}
    assert set(default_policy().conditional) == conditional


def test_a_class_without_a_line_is_put_up_for_review(tmp_path):
    text = DEFAULT[: DEFAULT.index("[conditional.share-alike]")] + "[conditional]\n"
    silent = load_policy(written(tmp_path, text))
    judged = judge_expression("CC-BY-SA-4.0", silent)
    assert (judged["train"].verdict, judged["train"].reason) == ("review", "licence-share-alike")
    assert judged["redistribute"].verdict == "allow"


def test_a_stricter_policy_refuses_share_alike(tmp_path):
    strict = load_policy(written(tmp_path, DEFAULT.replace('"allow"', '"deny"')))
    assert judge_expression("CC-BY-SA-4.0", strict)["weights"].verdict == "deny"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('unattested = "review"', 'unattested = "allow"', "not one of review, deny"),
        ('drift = "review"', 'drift = "allow"', "not one of review, deny"),
        ('unattested = "review"', 'unatested = "review"', "Did you mean “unattested”?"),
        ('drift = "review"', "", "“drift” is missing"),
        ('version = "2026-11-22"', 'version = "new"', "is not a date"),
        ('name = "default"', 'name = "../x"', "cannot name a policy"),
        ('train = "review"', 'trane = "review"', "Did you mean “train”?"),
        ('train = "review"', 'train = "perhaps"', "not one of allow, review, deny"),
        ('obligations = ["keep-shard-licence"]', "obligations = 3", "list of words"),
        ("name =", "name", "not TOML"),
        ("age_days = 30", "age_days = true", "age_days is not a number from 1 to 366"),
        ("name =", "x = " + "[" * 5000 + "\nname =", "not TOML"),
        ("name =", f"x = {'9' * 5000}\nname =", "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_file_and_what_was_meant(tmp_path, old, new, said):
    path = written(tmp_path, DEFAULT.replace(old, new, 1))
    with pytest.raises(DeclarationError) as refused:
        load_policy(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_policy_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(DeclarationError, match="does not exist"):
        load_policy(tmp_path / "none.toml")
    with pytest.raises(DeclarationError, match="cannot be read"):
        load_policy(tmp_path)
