"""The policy: what to do where a licence or a fact leaves a choice. Declared, dated, never a code default.

A policy only ever chooses among what the law leaves open. It may forbid more than the default one; it
cannot allow what is contested, unattested or without a licence, because the words it may use there are
`review` and `deny`. The one silence it may read as consent, for texts whose licence allows the use anyway,
is that of opt-out protocols.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.project import read_toml

#: What a document may be used for: train a model on it, pass its text on, publish weights made from it.
Use = Literal["train", "redistribute", "weights"]
USES: tuple[Use, ...] = get_args(Use)

#: Uses that mine a text: these a holder may reserve.
MINING: tuple[Use, ...] = ("train", "weights")

#: Three values. Only `allow` ever passes a gate.
Verdict = Literal["allow", "review", "deny"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

#: How bad a verdict is. `worst` is what a whole made of several layers gets.
SEVERITY: Mapping[Verdict, int] = {verdict: rank for rank, verdict in enumerate(VERDICTS)}


#: Reasons for a `review` that people may settle by a signed decision. Whatever is unknown, unattested or not
#: evidenced is none of them: that takes a fact, not a decision.
LIFTABLE = frozenset(
    "term-contested rule-awaits-counsel licence-awaits-counsel licence-copyleft licence-copyleft-document "
    "licence-share-alike licence-review licence-grant licence-drift terms-of-use".split()
)


def reason_of(reasons: Sequence[str]) -> str:
    """The one reason told for a `review` that has several: what nobody can lift stands before what somebody
    can, and a decision on one of several lifts none of the others."""
    distinct = list(dict.fromkeys(reasons))
    held = [reason for reason in distinct if reason not in LIFTABLE]
    return held[0] if held else distinct[0] if len(distinct) == 1 else "several-reasons"


def worst(*verdicts: Verdict) -> Verdict:
    return max(verdicts, key=SEVERITY.__getitem__)


@dataclass(frozen=True)
class Condition:
    """What the policy makes of the `cond` entries of one class of licences.

    Attributes:
        verdicts: by use; a use that is not named is `review`.
        obligations: added to those of the licence wherever the verdict is `allow`.
    """

    verdicts: Mapping[Use, Verdict]
    obligations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """One version of a policy.

    Attributes:
        unattested: where nobody answers for having read the licence; `review` or `deny`.
        drift: where origin and distributor disagree; `review` or `deny`.
        opt_out_unknown: where no protocol says whether mining is reserved; where that could not be found out,
            at least `review`.
        opt_out_age_days: evidence of opt-outs that is older is fetched anew before anything is trained.
        terms_unread: where nobody read the terms of use of a web source, or quotes the holder who offers a
            download; `review` or `deny`.
        conditional: by class of licence.
        confirmed: ids of rows of the tables that await a lawyer, and that the project's lawyer confirmed.
    """

    name: str
    version: str
    unattested: Verdict
    drift: Verdict
    opt_out_unknown: Verdict
    opt_out_age_days: int
    terms_unread: Verdict
    conditional: Mapping[str, Condition]
    confirmed: frozenset[str] = frozenset()

    @property
    def rule(self) -> str:
        """The id under which a verdict names this policy."""
        return f"policy/{self.name}@{self.version}"

    def resolve(self, licence_class: str, use: Use) -> tuple[Verdict, tuple[str, ...]]:
        """Verdict and added obligations for a `cond` entry."""
        condition = self.conditional.get(licence_class)
        if condition is None:
            return "review", ()
        verdict = condition.verdicts.get(use, "review")
        return verdict, condition.obligations if verdict == "allow" else ()


@functools.cache
def default_policy() -> Policy:
    return load_policy(Path(__file__).with_name("policy.default.toml"))


def policy_path(name: str, project: Path) -> Path:
    """The file of a policy: one of the package's by its name, or a file of the project's own."""
    if name.endswith(".toml"):
        return project / name
    packaged = {path.name.split(".")[1]: path for path in Path(__file__).parent.glob("policy.*.toml")}
    if name not in packaged:
        raise DeclarationError(
            f"there is no policy “{name}”",
            place=str(project / "hemicycle.toml"),
            remedy=did_you_mean(name, packaged)
            or f"Policies: {', '.join(sorted(packaged))}, or a file ending in .toml.",
        )
    return packaged[name]


def find_policy(name: str, project: Path) -> Policy:
    """The policy that a project declares, read and checked."""
    return load_policy(policy_path(name, project))


def load_policy(path: Path) -> Policy:
    """Read and check a policy. Raises DeclarationError on anything unknown, missing or too lenient."""
    data = read_toml(path)
    needed = ("name", "version", "unattested", "drift", "terms_unread", "opt_out", "conditional")
    _check_keys(data, (*needed, "confirmed"), path, "")
    for key in needed:
        if key not in data:
            raise DeclarationError(f"the key “{key}” is missing", place=str(path))
    name, version = data["name"], data["version"]
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise DeclarationError(f"{name!r} cannot name a policy", place=f"{path}, key name")
    if not isinstance(version, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", version):
        raise DeclarationError(f"{version!r} is not a date such as 2026-11-22", place=f"{path}, key version")
    if not isinstance(data["conditional"], dict):
        raise DeclarationError("“conditional” is not a table", place=str(path))
    opt_out = data["opt_out"]
    if not isinstance(opt_out, dict) or set(opt_out) != {"unknown", "age_days"}:
        raise DeclarationError("“opt_out” is not a table of unknown and age_days", place=str(path))
    if type(opt_out["age_days"]) is not int or not 0 < opt_out["age_days"] <= 366:
        raise DeclarationError(
            "age_days is not a number from 1 to 366", place=f"{path}, key opt_out.age_days"
        )
    return Policy(
        name=name,
        version=version,
        unattested=_verdict(data["unattested"], path, "unattested", ("review", "deny")),
        drift=_verdict(data["drift"], path, "drift", ("review", "deny")),
        opt_out_unknown=_verdict(opt_out["unknown"], path, "opt_out.unknown", VERDICTS),
        opt_out_age_days=opt_out["age_days"],
        terms_unread=_verdict(data["terms_unread"], path, "terms_unread", ("review", "deny")),
        conditional={key: _condition(value, path, key) for key, value in sorted(data["conditional"].items())},
        confirmed=frozenset(_words(data.get("confirmed", []), path, "confirmed")),
    )


def _condition(table: Any, path: Path, licence_class: str) -> Condition:
    where = f"conditional.{licence_class}"
    if not isinstance(table, dict):
        raise DeclarationError(f"“{where}” is not a table", place=str(path))
    _check_keys(table, (*USES, "obligations"), path, f"{where}.")
    obligations = _words(table.get("obligations", []), path, f"{where}.obligations")
    return Condition(
        {use: _verdict(table[use], path, f"{where}.{use}", VERDICTS) for use in USES if use in table},
        tuple(sorted(set(obligations))),
    )


def _words(value: Any, path: Path, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise DeclarationError(f"{key} is not a list of words", place=f"{path}, key {key}")
    return value


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], path: Path, prefix: str) -> None:
    for key in table:
        if key not in known:
            raise DeclarationError(
                f"unknown key “{prefix}{key}”",
                place=str(path),
                remedy=did_you_mean(key, known) or f"Known keys here: {', '.join(known)}.",
            )


def _verdict(word: Any, path: Path, key: str, choice: tuple[Verdict, ...]) -> Verdict:
    for verdict in choice:
        if word == verdict:
            return verdict
    raise DeclarationError(f"{word!r} is not one of {', '.join(choice)}", place=f"{path}, key {key}")
