"""`hemicycle tokens`: which documents a step reads, and which steps a document; tokens of other tools."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import click
import numpy as np

from hemicycle.cli.session import Session, json_option, print_json, progress, project_option
from hemicycle.cli.tables import cell, print_table, relative
from hemicycle.errors import DeclarationError, InputError, did_you_mean
from hemicycle.flow import TOKENISED

if TYPE_CHECKING:
    from hemicycle.tokens import Layout, Order

#: Lines shown of documents or steps; --json has them all.
SHOWN = 40


@click.group("tokens")
def command() -> None:
    """Ask a model's order which documents a step reads and which steps a document; read and write token files
    of other tools.

    \b
    Examples:
      hemicycle tokens show petit
      hemicycle tokens where petit --step 12
      hemicycle tokens where petit --document CRSANR5L17S2025O1N011
      hemicycle tokens import shard-*.ds --layout datatrove --vocabulary 32000 --out elsewhere
    """


@command.command()
@click.argument("model", required=False)
@click.option("--step", type=click.IntRange(0), help="A step of the training, counted from 0.")
@click.option("--document", metavar="ID", help="A document's id.")
@project_option
@json_option
def where(model: str | None, step: int | None, document: str | None, folder: Path, as_json: bool) -> None:
    """Say which documents a step of MODEL reads, or which steps read a document.

    It is computed from the plan, which is there before the training begins; nothing is logged. Without MODEL,
    it is the last one declared.
    """
    if (step is None) == (document is None):
        raise DeclarationError("give exactly one of --step and --document")
    name, order = _open(folder, model)
    if step is not None:
        _step(name, order, step, as_json)
    else:
        _document(name, order, str(document), as_json)


def _step(name: str, order: Order, step: int, as_json: bool) -> None:
    if step >= order.steps:
        raise DeclarationError(
            f"model {name} has no step {step}: it has {order.steps}, counted from 0",
            remedy=f"Ask for one from 0 to {order.steps - 1}.",
        )
    read = order.documents_at(step).to_pylist()
    about = {
        "model": name,
        "step": step,
        "steps": order.steps,
        "phase": order.phase(step).name,
        "rows": len(order.rows(step)),
        "documents": len({(r["corpus"], r["document"]) for r in read}),
        "tokens": sum(r["tokens"] for r in read),
        "learnt": order.learnt(step),
        "tokens_before": order.tokens_before(step),
    }
    if as_json:
        print_json({**about, "digest": order.digest(step), "read": read})
        return
    shown = ("row", "document", "source", "first", "tokens")
    print_table(("row", "document", "source", "from token", "tokens"), _cells(read, shown))
    _more(len(read))
    click.echo(
        f"step {cell(step)} of {cell(order.steps)}, phase {about['phase']}: {cell(about['rows'])} rows, "
        f"{cell(about['documents'])} documents, {cell(about['tokens'])} tokens, "
        f"{cell(about['learnt'])} learnt"
    )


def _document(name: str, order: Order, document: str, as_json: bool) -> None:
    from hemicycle.tokens import readings

    numbers = order.catalogue.find(document)
    about = order.catalogue.about(np.array(numbers)).to_pylist()
    read = [
        {**reading, "corpus": one["corpus"], "phase": order.phase(reading["step"]).name}
        for n, one in zip(numbers, about, strict=True)
        for reading in readings(order, n).to_pylist()
    ]
    read.sort(key=lambda r: (r["step"], r["row"]))
    told = {
        "model": name,
        "document": document,
        "source": about[0]["source"],
        "first_step": read[0]["step"] if read else None,
        "last_step": read[-1]["step"] if read else None,
        "rows": len(read),
        "tokens": sum(r["tokens"] for r in read),
    }
    if as_json:
        print_json({**told, "read": read})
        return
    if not read:
        click.echo(f"model {name} does not read {cell(document)} in its {cell(order.steps)} steps")
        return
    shown = ("step", "phase", "row", "first", "tokens")
    print_table(("step", "phase", "row", "from token", "tokens"), _cells(read, shown))
    _more(len(read))
    click.echo(
        f"{cell(document)} [{cell(told['source'])}]: first at step {cell(told['first_step'])}, last at "
        f"{cell(told['last_step'])}, {cell(told['rows'])} rows, {cell(told['tokens'])} tokens"
    )


def _cells(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[list[Any]]:
    return [[row[name] for name in names] for row in rows[:SHOWN]]


def _more(count: int) -> None:
    if count > SHOWN:
        click.echo(f"… and {cell(count - SHOWN)} more: --json has them all")


@command.command()
@click.argument("model", required=False)
@click.option(
    "--leaves",
    multiple=True,
    metavar="SOURCE=PROBABILITY",
    help="How likely a source is to leave; may be given several times.",
)
@project_option
@json_option
def show(model: str | None, leaves: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Show the phases of MODEL's order, how full their rows are, what is read of each stratum, and what must
    be read again where a source leaves."""
    from hemicycle.flow.reading import redone
    from hemicycle.tokens import Order, expected_redo

    name, made, tokens = _built(folder, model)
    plan = Order(made, tokens).plan
    redo = redone(made, tokens)
    shares = {one["source"]: one["share"] for one in redo["sources"]}
    if leaves:
        redo["expected"] = round(expected_redo(shares, _hazards(leaves, shares)), 6)
    if as_json:
        told = ("seed", "steps", "tokens", "epochs", "phases", "cuttings", "blocks")
        print_json({"model": name, **{key: plan[key] for key in told}, "redo": redo})
        return
    head = ("phase", "context", "packing", "reading", "steps", "rows a step", "tokens", "padding", "cut")
    print_table(head, [_phase(plan, number) for number in range(len(plan["phases"]))])
    click.echo()
    print_table(
        ("phase", "corpus", "stratum", "documents", "tokens", "asked", "given", "epochs"),
        [
            [
                phase["name"],
                line["corpus"],
                f"{line['label'] or 'all'}{', revocable' if line['revocable'] else ''}",
                line["documents"],
                line["tokens"],
                f"{line['asked']:.1%}",
                f"{line['share']:.1%}",
                line["epochs"],
            ]
            for phase in plan["phases"]
            for line in phase["strata"]
        ],
    )
    click.echo()
    print_table(
        ("if it leaves", "revocable", "first step", "run redone"),
        [
            [one["source"], one["revocable"], one["first_step"], f"{one['share']:.1%}"]
            for one in redo["sources"][-SHOWN:]
        ],
    )
    _more(len(redo["sources"]))
    if redo["expected"] is not None:
        when = "one of them does, as likely as said" if leaves else "a revocable one does, each as likely"
        click.echo(
            f"expected where {when}: {redo['expected']:.1%} of the run, "
            "and the steps since the last checkpoint"
        )


def _hazards(given: tuple[str, ...], known: Collection[str]) -> dict[str, float]:
    """Source → the probability with which it leaves, as `--leaves` says it."""
    hazards = {}
    for text in given:
        source, _, chance = text.partition("=")
        if source not in known:
            raise DeclarationError(
                f"the order of this model reads no source “{source}”",
                place=f"--leaves {text}",
                remedy=did_you_mean(source, known) or "The table of `hemicycle tokens show` lists them.",
            )
        try:
            hazards[source] = float(chance)
        except ValueError:
            raise DeclarationError(
                f"“{chance}” is no probability", place=f"--leaves {text}", remedy=f"Such as {source}=0.15."
            ) from None
    return hazards


def _phase(plan: dict[str, Any], number: int) -> list[Any]:
    """A phase as a line: padding is that of its rows, cut are the documents in more than one of them."""
    phase = plan["phases"][number]
    rows = [block["rows"] for block in plan["blocks"] if block["phase"] == number]
    cuttings = [plan["cuttings"][line["cutting"]] for line in phase["strata"]]
    padding = sum(
        line["read"] * one["padding"] / one["rows"]
        for line, one in zip(phase["strata"], cuttings, strict=True)
    )
    return [
        phase["name"],
        phase["context"],
        phase["packing"],
        phase["reading"],
        phase["steps"],
        str(rows[0]) if len(set(rows)) == 1 else f"{rows[0]}–{rows[-1]}",
        phase["tokens"],
        f"{padding / phase['tokens']:.2%}",
        f"{sum(one['cut'] for one in cuttings) / sum(one['documents'] for one in cuttings):.1%}",
    ]


def _open(folder: Path, model: str | None) -> tuple[str, Order]:
    """A model's order on its tokens. Raises HemicycleError where they are not built."""
    from hemicycle.tokens import Order

    name, made, tokens = _built(folder, model)
    return name, Order(made, tokens)


def _built(folder: Path, model: str | None) -> tuple[str, Path, dict[str, Path]]:
    """A model, the folder of its plan, and those of its tokens by corpus."""
    from hemicycle.cli.asking import declared_model, needed

    session = Session(folder)
    name = declared_model(session, model)
    plan = session.flow.order(name)
    tokens = {role: step for role, step in plan.inputs.items() if step.stage in TOKENISED}
    pipeline = session.pipeline()
    standing = {o.step: o for o in pipeline.look([plan, *tokens.values()])}
    statement, made = needed(standing[plan], standing.values())
    pipeline.check(made, statement)
    return name, made, {c: needed(standing[s], standing.values())[1] for c, s in tokens.items()}


LAYOUT = click.Choice(["megatron", "datatrove", "olmo"])


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--layout", required=True, type=LAYOUT, help="Of .bin and .idx, of .ds, or of .npy.")
@click.option("--vocabulary", required=True, type=click.IntRange(1), help="How many ids there are.")
@click.option("--end", type=click.IntRange(0), help="Id of the end mark, for .npy without a .csv.gz.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder of tokens.")
@json_option
def import_(
    files: tuple[Path, ...], layout: str, vocabulary: int, end: int | None, out: Path, as_json: bool
) -> None:
    """Read token FILEs of another tool, with the documents they hold, into a folder of tokens.

    Neither text nor rights are known of them: no project trains on the folder. It is for looking, for
    comparing, and for other trainers.
    """
    from hemicycle.tokens import import_tokens

    if out.exists():
        raise InputError("this is there already", place=str(out), remedy="Name a folder that is not.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as aside:
        made = Path(aside) / "tokens"
        made.mkdir()
        figures = import_tokens(
            files, cast("Layout", layout), made, vocabulary=vocabulary, end=end, progress=progress()
        )
        made.rename(out)
    if as_json:
        print_json({"folder": str(out), **figures})
        return
    click.echo(
        f"{relative(out)}: {cell(figures['documents'])} documents, {cell(figures['tokens'])} tokens, "
        f"{cell(figures['shards'])} shards"
    )


@command.command("export")
@click.argument("tokens", metavar="CORPUS.TOKENIZER")
@click.option("--layout", required=True, type=click.Choice(["datatrove", "olmo"]), help="Of .ds, or of .npy.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write to.")
@project_option
@json_option
def export(tokens: str, layout: Literal["datatrove", "olmo"], out: Path, folder: Path, as_json: bool) -> None:
    """Write tokens of a project as another tool's files: `hemicycle tokens export debats.fr4k --layout olmo`.

    Megatron's need no export: the folder of the tokens has them.
    """
    from hemicycle.cli.asking import needed
    from hemicycle.tokens import export_tokens

    session = Session(folder)
    steps = [s for s in session.flow.up_to("tokenize", (tokens,)) if s.stage in TOKENISED]
    if not steps:
        raise DeclarationError(f"“{tokens}” is a tokenizer: name CORPUS.TOKENIZER")
    standing = session.pipeline().look(steps)
    _, made = needed(next(o for o in standing if o.step in steps), standing)
    out.mkdir(parents=True, exist_ok=True)
    written = export_tokens(made, layout, out)
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        click.echo(relative(path))
