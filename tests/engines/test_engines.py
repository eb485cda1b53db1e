"""Every engine runs the same tasks to the same results, in the order of the tasks, each once."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.cli.session import How
from hemicycle.engines import Local, Task
from hemicycle.engines.slurm import Slurm, array_script
from hemicycle.errors import DeclarationError, HemicycleError, InputError
from hemicycle.progress import QUIET
from hemicycle.sites import Pool, Site, Training, load_sites, slurm_site
from hemicycle.store import Store

WORK = "tests.engines.work"
HEAVY = 9_000_000


def tasks(log, count=6):
    return [Task(f"part-{n}", {"number": n, "log": str(log)}, HEAVY) for n in range(count)]


def numbers(log):
    return sorted(map(int, log.read_text().split())) if log.exists() else []


def run(engine, function, tmp_path, count=6):
    return engine.map(
        f"{WORK}:{function}",
        tasks(tmp_path / "log", count),
        tmp_path / "results",
        what="test",
        progress=QUIET,
    )


_SBATCH = """\
import os, pathlib, re, shlex, subprocess, sys
script = pathlib.Path(sys.argv[-1])
words = [w for l in script.read_text().splitlines() if l.startswith("#SBATCH")
         for w in shlex.split(l.removeprefix("#SBATCH"), comments=True)]
options = dict(re.fullmatch("--([a-z-]+)=(.+)", word).groups() for word in words)
with open(HERE / "submitted", "a") as f:
    f.write(options["job-name"] + "\\n")
output = options["output"].replace("%%", "\\0")
for n in reversed(range(int(re.match(r"0-(\\d+)%", options["array"])[1]) + 1)):
    with open(output.replace("%a", str(n)).replace("\\0", "%"), "wb") as log:
        subprocess.run(["bash", script], stdout=log, stderr=log,
                       env={**os.environ, "SLURM_ARRAY_TASK_ID": str(n)})
print("4711;cluster")
"""

GONE = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


def command(folder, name, text):
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """An `sbatch` that reads options as Slurm does and runs the elements of an array at once, last first; a
    `squeue` that knows no job."""
    folder = tmp_path / "bin"
    folder.mkdir()
    python = f"import pathlib\nHERE = pathlib.Path({str(folder)!r})\n"
    (folder / "sbatch").write_text(f"#!{sys.executable}\n{python}{_SBATCH}")
    (folder / "sbatch").chmod(0o755)
    command(folder, "squeue", GONE)
    command(folder, "scancel", f"echo $1 >> {folder}/cancelled")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setattr("hemicycle.engines.sbatch._PATIENCE", (0.01, 0.01))
    return Slurm(Site(scheduler="slurm", account="abc@cpu"))


@pytest.fixture
def local():
    return Local(2)


@pytest.fixture(params=["local", "scheduler"])
def engine(request):
    return request.getfixturevalue(request.param)


def test_results_come_in_the_order_of_the_tasks(engine, tmp_path):
    assert [r["double"] for r in run(engine, "double", tmp_path)] == [0, 2, 4, 6, 8, 10]
    assert numbers(tmp_path / "log") == [0, 1, 2, 3, 4, 5]


def test_a_task_that_is_done_does_not_run_again(engine, tmp_path):
    run(engine, "double", tmp_path, 3)
    run(engine, "double", tmp_path, 6)
    assert numbers(tmp_path / "log") == [0, 1, 2, 3, 4, 5]


def test_other_arguments_are_another_task(local, tmp_path):
    first = local.map(
        f"{WORK}:double", [Task("a", {"number": 1, "log": str(tmp_path / "log")})], tmp_path, what="test"
    )
    second = local.map(
        f"{WORK}:double", [Task("a", {"number": 2, "log": str(tmp_path / "log")})], tmp_path, what="test"
    )
    assert (first[0]["number"], second[0]["number"]) == (1, 2)


def test_an_error_of_a_task_is_told_as_it_was_raised_and_the_others_are_kept(engine, tmp_path):
    with pytest.raises(InputError, match="1 is odd") as caught:
        run(engine, "refuse_odd", tmp_path)
    assert (caught.value.place, caught.value.remedy) == ("number 1", "Give an even one.")
    assert numbers(tmp_path / "log") == [0, 2, 4]


def test_a_worker_that_is_killed_costs_only_what_it_was_at(local, tmp_path):
    with pytest.raises(HemicycleError, match="ended without a result"):
        run(local, "die_once", tmp_path)
    before = numbers(tmp_path / "log")
    assert [r["double"] for r in run(local, "die_once", tmp_path)] == [0, 2, 4, 6, 8, 10]
    assert set(before) <= set(numbers(tmp_path / "log"))


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("divide", "part-0 failed: ZeroDivisionError"),
        ("fill", "part-0 could not go on: No space left on device"),
    ],
)
def test_an_error_that_nobody_foresaw_is_a_sentence_too(engine, tmp_path, function, sentence):
    with pytest.raises(HemicycleError, match=sentence) as caught:
        run(engine, function, tmp_path, 1)
    assert "Traceback" in Path(caught.value.place).read_text()


@pytest.mark.parametrize("function", ["interrupted", "leave"])
def test_what_ends_a_process_is_no_error_of_a_task(tmp_path, function):
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(Local(1), function, tmp_path, 1)
    assert not list((tmp_path / "results").glob("*.error"))


def test_a_name_or_a_folder_of_several_words_is_one_to_slurm(scheduler, tmp_path):
    folder = tmp_path / "the work #1, 100%a"
    scheduler.map(f"{WORK}:double", tasks(tmp_path / "log", 2), folder, what="count lines")
    assert (tmp_path / "bin" / "submitted").read_text() == "hemicycle-count-lines\n"
    assert len(list(folder.glob("array-*.1.log"))) == 1


@pytest.mark.parametrize("name", ["l'assemblée", 'a"b', "a\\b", "a\nb"])
def test_a_folder_that_slurm_cannot_be_told_is_refused(scheduler, tmp_path, name):
    with pytest.raises(DeclarationError, match="Slurm cannot be told a path"):
        scheduler.map(f"{WORK}:double", tasks(tmp_path / "log", 1), tmp_path / name, what="test")
    assert not (tmp_path / "bin" / "submitted").exists()


def test_a_queue_that_does_not_answer_once_is_asked_again(scheduler, tmp_path):
    folder = tmp_path / "bin"
    command(folder, "sbatch", "echo 4711")
    command(folder, "squeue", f"echo >> {folder}/asked; (($(wc -l < {folder}/asked) < 4)) && exit 1; {GONE}")
    with pytest.raises(HemicycleError, match="ended without a result"):
        run(scheduler, "double", tmp_path)
    assert len((folder / "asked").read_text().splitlines()) == 4


def test_a_queue_that_never_answers_is_given_up_and_the_job_is_kept(scheduler, tmp_path):
    command(tmp_path / "bin", "sbatch", "echo 4711")
    command(tmp_path / "bin", "squeue", "exit 1")
    with pytest.raises(HemicycleError, match="no longer says whether the job 4711") as caught:
        run(scheduler, "double", tmp_path)
    assert Path(caught.value.place).read_text() == "4711"


def test_an_array_that_is_still_queued_is_waited_for_and_not_submitted_again(scheduler, tmp_path):
    folder, results = tmp_path / "bin", tmp_path / "results"
    run(Local(1), "double", tmp_path, 6)
    done = {path: path.read_bytes() for path in results.glob("part-*.json")}
    for path in done:
        path.rename(folder / path.name)
    (results / "array-0123456789ab.job").write_text("4710")
    command(
        folder,
        "squeue",
        f"[[ $3 == 4710 ]] && mv {folder}/part-*.json {results} && echo 4710 && exit; exit 1",
    )
    assert [r["double"] for r in run(scheduler, "double", tmp_path)] == [0, 2, 4, 6, 8, 10]
    assert not (folder / "submitted").exists()
    assert not list(results.glob("*.job"))


def test_what_a_queued_array_left_undone_is_submitted(scheduler, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "array-0123456789ab.job").write_text("4710")
    run(scheduler, "double", tmp_path)
    assert numbers(tmp_path / "log") == [0, 1, 2, 3, 4, 5]


def test_an_interrupt_cancels_the_array_and_keeps_its_number(scheduler, tmp_path, monkeypatch):
    command(tmp_path / "bin", "sbatch", "echo 4711")
    command(tmp_path / "bin", "squeue", "echo 4711")

    def interrupt(seconds):
        raise KeyboardInterrupt

    # Not `time.sleep` itself: a subprocess that is waited for sleeps too.
    monkeypatch.setattr("hemicycle.engines.sbatch.time", SimpleNamespace(sleep=interrupt))
    with pytest.raises(KeyboardInterrupt):
        run(scheduler, "double", tmp_path)
    assert (tmp_path / "bin" / "cancelled").read_text() == "4711\n"
    assert [p.read_text() for p in (tmp_path / "results").glob("array-*.job")] == ["4711"]


def test_arrays_of_other_tasks_have_other_lists(scheduler, tmp_path):
    run(scheduler, "double", tmp_path, 2)
    run(scheduler, "double", tmp_path, 4)
    assert len(list((tmp_path / "results").glob("array-*.jsonl"))) == 2


def test_a_refused_job_says_why(scheduler, tmp_path):
    said = "sbatch: lua: no partition\\nsbatch: error: Batch job submission failed: invalid account"
    command(tmp_path / "bin", "sbatch", f"printf '{said}\\n' >&2; exit 1")
    with pytest.raises(DeclarationError) as caught:
        run(scheduler, "double", tmp_path)
    error = caught.value
    assert error.sentence == "sites.toml: Slurm refused the job: Batch job submission failed: invalid account"
    for key in ("partition", "account", "qos", "constraint", "time", "memory"):
        assert key in error.remedy


def test_without_sbatch_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeclarationError, match="`sbatch` is not on this machine"):
        run(Slurm(Site(scheduler="slurm")), "double", tmp_path)


def test_the_script_is_what_a_person_would_write(tmp_path):
    site = Site(
        scheduler="slurm",
        account="abc@cpu",
        partition="cpu_p1",
        time="01:30:00",
        at_once=12,
        setup=["module load python/3.11.5"],
        container="/images/hemicycle.sif",
    )
    (tmp_path / "scratch").mkdir()
    (tmp_path / "store").mkdir()
    parts = [Task(str(n), {"files": [f"{tmp_path}/store/{n}"]}) for n in range(40)]
    listing = tmp_path / "scratch" / "tasks.jsonl"
    script = array_script(site, "annotate", parts, listing).split("\n")
    assert script[:3] == ["#!/bin/bash", "#SBATCH --job-name=hemicycle-annotate", "#SBATCH --array=0-39%12"]
    assert {"#SBATCH --account=abc@cpu", "#SBATCH --time=01:30:00", "module load python/3.11.5"} <= set(
        script
    )
    assert script[-2].startswith(
        f"apptainer exec --bind {tmp_path}/scratch --bind {tmp_path}/store /images/hemicycle.sif python -m "
    )
    assert script[-2].endswith("$SLURM_ARRAY_TASK_ID")


def test_a_site_is_named_or_the_only_one(tmp_path):
    (tmp_path / "sites.toml").write_text(
        '[sites.jean-zay]\nscheduler = "slurm"\n[sites.here]\nscheduler = "local"\n'
    )
    assert set(load_sites(tmp_path)) == {"jean-zay", "here"}
    assert slurm_site(tmp_path, None) == slurm_site(tmp_path, "jean-zay")
    with pytest.raises(DeclarationError, match="jean-zai") as caught:
        slurm_site(tmp_path, "jean-zai")
    assert caught.value.remedy == "Did you mean “jean-zay”?"


@pytest.mark.parametrize("name", [None, "jean-zay"])
def test_without_a_site_the_remedy_is_a_table_that_can_be_written(tmp_path, name):
    with pytest.raises(DeclarationError, match="Slurm") as caught:
        slurm_site(tmp_path, name)
    assert "docs/run.md" in caught.value.remedy
    (tmp_path / "sites.toml").write_text(caught.value.remedy.split("`")[1])
    assert slurm_site(tmp_path, None).account == "abc@cpu"


@pytest.mark.parametrize("on", ["local", "ray"])
def test_a_site_without_slurm_is_refused(tmp_path, on):
    with pytest.raises(DeclarationError, match="--site jean-zay"):
        How(on=on, site="jean-zay").engine(tmp_path)


def test_nodes_without_slurm_are_refused(tmp_path):
    with pytest.raises(DeclarationError, match="--nodes 4"):
        How(nodes=4).launcher(tmp_path, Store(tmp_path, tmp_path))


@pytest.mark.parametrize("value", ["a b", "x\n#SBATCH --uid=0", ""])
def test_an_option_of_a_site_is_one_word(tmp_path, value):
    (tmp_path / "sites.toml").write_text(f"[sites.s]\nscheduler = 'slurm'\naccount = '''{value}'''\n")
    with pytest.raises(DeclarationError, match="account"):
        load_sites(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "wrong", "meant"),
    [
        ('[sites.s]\nscheduler = "slurm"\nacount = "a"\n', 3, "sites.s.acount", "account"),
        ("[sites.s]\nat-once = 3\n", 2, "sites.s.at-once", "at_once"),
        ('[site.s]\nscheduler = "slurm"\n', 1, "site", "sites"),
        ("[sites.s.training]\ngpu = 4\n", 2, "sites.s.training.gpu", "gpus"),
    ],
)
def test_a_slip_in_a_key_of_a_site_is_refused_with_its_line_and_what_was_meant(
    tmp_path, text, line, wrong, meant
):
    (tmp_path / "sites.toml").write_text(text)
    with pytest.raises(DeclarationError, match=f"unknown key “{wrong}”") as caught:
        How(on="slurm").engine(tmp_path)
    assert caught.value.place == f"{tmp_path / 'sites.toml'}, line {line}"
    assert caught.value.remedy == f"Did you mean “{meant}”?"


def test_the_page_and_the_help_of_run_name_every_key_of_a_site():
    docs = Path(__file__).parents[2] / "docs"

    def keys(table):
        rows = [row.split("|")[1] for row in table.splitlines() if row[:3] == "| `"]
        return {key.strip(" `") for row in rows for key in row.split(",")}

    page = (docs / "run.md").read_text("utf-8").split("### `sites.toml`")[1]
    own, training = page.split("The keys of `[sites.NAME.training]`")
    planning = (docs / "plan.md").read_text("utf-8").split("### Keys of `sites.toml`")[1].split("### ")[0]
    site, pool = planning.split("Of a pool:")
    assert keys(own) | keys(site) == set(Site.model_fields)
    assert keys(training) >= set(Training.model_fields)
    # The day of a price stands in the row of the price.
    assert keys(pool) | {"priced_on"} == set(Pool.model_fields)
    text = CliRunner().invoke(cli, ["run", "--help"]).output
    assert not [key for key in keys(own) if not re.search(rf"\b{key}\b", text)]
    assert "docs/run.md" in text


@pytest.mark.slow
def test_ray_gives_what_processes_give(local, tmp_path):
    pytest.importorskip("ray")
    from hemicycle.engines.on_ray import OnRay

    other = tmp_path / "ray"
    other.mkdir()
    assert run(OnRay(2), "double", other) == run(local, "double", tmp_path)
    with pytest.raises(InputError, match="1 is odd"):
        run(OnRay(2), "refuse_odd", other)


def written(tmp_path, count=2):
    outputs = [str(tmp_path / f"out-{n}") for n in range(count)]
    return [Task(f"part-{n}", {"out": out}, HEAVY, (out,)) for n, out in enumerate(outputs)]


@pytest.mark.parametrize("left", ["half a file", None])
def test_a_task_whose_output_is_gone_is_not_done_though_its_second_attempt_fails(tmp_path, left):
    """The old result must not vouch for what the failed attempt leaves."""
    parts, folder = written(tmp_path), tmp_path / "results"
    Local(1).map(f"{WORK}:write", parts, folder, what="test")
    Path(parts[1].outputs[0]).unlink()
    (tmp_path / "fails").write_text(left or "")
    for _ in range(2):
        with pytest.raises(HemicycleError, match="the task part-1 could not go on: No space left"):
            Local(1).map(f"{WORK}:write", parts, folder, what="test")
    (tmp_path / "fails").unlink()
    assert len(Local(1).map(f"{WORK}:write", parts, folder, what="test")) == 2
    assert [Path(part.outputs[0]).read_text() for part in parts] == ["whole", "whole"]


def test_a_job_array_vouches_for_what_its_elements_write(tmp_path, scheduler):
    parts, folder = written(tmp_path), tmp_path / "results"
    assert len(scheduler.map(f"{WORK}:write", parts, folder, what="test")) == 2
    Path(parts[1].outputs[0]).unlink()
    (tmp_path / "fails").touch()
    with pytest.raises(HemicycleError, match="No space left"):
        scheduler.map(f"{WORK}:write", parts, folder, what="test")


_PARENT = """
import sys
from pathlib import Path
from hemicycle.engines import Local, Task
if __name__ == "__main__":
    folder = sys.argv[1]
    parts = [Task(str(n), {"pids": folder}, 9e6) for n in range(2)]
    Local(2).map("tests.engines.work:endless", parts, Path(folder, "results"), what="test")
"""


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def patiently(condition):
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_command_whichever_way_it_ends_and_say_nothing(tmp_path, ending):
    script, pids = tmp_path / "parent.py", tmp_path / "pids"
    script.write_text(_PARENT)
    pids.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen(
        [sys.executable, script, pids],
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=environment,
        text=True,
    )
    workers = []

    def begun():
        workers[:] = [int(p.name) for p in pids.iterdir() if p.name.isdecimal()]
        return len(workers) == 2

    assert patiently(begun)
    if ending == signal.SIGINT:
        os.killpg(parent.pid, ending)  # as a terminal does
    else:
        parent.kill()
    said = parent.communicate()[1]
    assert patiently(lambda: not any(map(alive, workers)))
    assert said.count("Traceback") == (ending == signal.SIGINT), said
    assert "SpawnProcess" not in said
