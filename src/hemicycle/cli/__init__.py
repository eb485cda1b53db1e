"""The command line: one file a verb. Each parses its words, calls the room, and prints.

A verb's module is imported only when the verb is called, so that `hemicycle --help` and shell completion
stay quick. Results go to stdout, talk to stderr.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import NoReturn

import click

from hemicycle import __version__
from hemicycle.cli.tables import lines
from hemicycle.errors import DeclarationError, HemicycleError, InputError, did_you_mean

#: Verb → one line of help, in the order of the flow. Each has a module of its name with a command `command`.
VERBS = {
    "new": "Start a project from a template, or a source from a ready card.",
    "run": "Build everything the project declares, resuming where it stopped.",
    "status": "Show what is built, stale or blocked, and why.",
    "gc": "Delete artefacts that the declaration no longer leads to.",
    "collect": "Bring the sources' files in and read them as documents.",
    "clear": "Compute rights, show what they hold back; sign and revoke decisions on sources.",
    "rights": "Explain a term of protection, a document, a table of licences, a page's opt-outs.",
    "review": "Review somebody else's data set: rights, quality, copies; a verdict a subset.",
    "govern": "Say who may decide what; check decisions; take complaints to their end.",
    "curate": "Clean, filter, split and deduplicate the admitted documents.",
    "tokenize": "Train the tokenizers and tokenise the corpora.",
    "tokens": "Say which documents a step reads, and which steps a document; import and export.",
    "plan": "Plan a model: hours, days, energy, carbon, money; where, when, and whether it keeps to it.",
    "train": "Train the models.",
    "tune": "Tune models on conversations or a trade's text; compare before and after.",
    "watch": "Show how trainings go: a page of curves; TensorBoard and MLflow.",
    "evaluate": "Measure models on held-out documents; contamination; regurgitation.",
    "trace": "Find a text's matches in what a model was trained on, with their rights.",
    "withdraw": "Say what was made of a source or a work, and take it out of all of that.",
    "serve": "Serve a model with an OpenAI-compatible API and a page that shows sources.",
    "release": "Make the release folders: model, cards, attribution, ledger, signature.",
    "verify": "Check a project or a release against its ledger, offline.",
    "ledger": "Show the ledger; follow a lineage; merge journals; prove what a corpus holds.",
}


class _Verbs(click.Group):
    """A group that knows its verbs without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"hemicycle.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], VERBS) or "`hemicycle --help` lists the verbs."
            raise click.UsageError(f"there is no verb “{args[0]}”. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs, in the order of the flow"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Shell completion: eval "$(_HEMICYCLE_COMPLETE=bash_source hemicycle)"; also zsh and fish.',
)
@click.version_option(__version__, prog_name="hemicycle")
def cli() -> None:
    """From declared sources to a served, documented, verifiable open language model.

    \b
    Begin with:
      hemicycle new my-project
      hemicycle run my-project

    Exit codes: 0 done; 1 the work failed; 2 the declaration or the call is wrong; 3 blocked by rights or
    governance; 130 interrupted.
    """


def main() -> None:
    """Entry point: turns errors that a person can mend into a sentence and an exit code."""
    try:
        # Outside standalone mode click hands the code of an early exit back instead of leaving.
        code = cli.main(prog_name="hemicycle", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
            click.echo(f"Try `{error.ctx.command_path} --help`.\n", err=True)
        _fail(DeclarationError(error.format_message()), lines(error.format_message()))
    except HemicycleError as error:
        _fail(error, str(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run again to resume", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        place = str(error.filename or "input/output")
        failed = InputError(str(error.strerror or error), place=place)
        _fail(failed, str(failed))


def _fail(error: HemicycleError, said: str) -> NoReturn:
    """Say what went wrong, on stdout too where JSON is asked for, and leave with its exit code."""
    click.echo(f"error: {said}", err=True)
    if "--json" in sys.argv[1:]:
        told = {"what": error.what, "place": error.place, "remedy": error.remedy}
        click.echo(json.dumps({"error": {**told, "exit_code": error.exit_code}}, ensure_ascii=False))
    sys.exit(error.exit_code)
