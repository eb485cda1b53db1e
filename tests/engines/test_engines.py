"""Every engine runs the same tasks to the same results, in the order of the tasks, each once."""

import os
import sys

import pytest

from hemicycle.engines import Local, Task
from hemicycle.engines.slurm import Slurm, array_script
from hemicycle.errors import DeclarationError, HemicycleError, InputError
from hemicycle.progress import QUIET
from hemicycle.sites import Site, load_sites, slurm_site

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


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """An `sbatch` and a `squeue` that run the elements of an array at once, last first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "sbatch": """#!/bin/bash
script="${@: -1}"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$script")
for n in $(seq "$last" -1 0); do
  SLURM_ARRAY_TASK_ID=$n bash "$script" >"$(dirname "$script")/$n.log" 2>&1
done
echo "4711;cluster"
""",
        "squeue": "#!/bin/bash\nexit 1\n",
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
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


def test_a_refused_job_says_why(scheduler, tmp_path):
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/bash\necho 'invalid account' >&2\nexit 1\n")
    with pytest.raises(HemicycleError, match="Slurm refused the job: invalid account"):
        run(scheduler, "double", tmp_path)


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
    script = array_script(site, "annotate", 40, tmp_path / "tasks.jsonl", tmp_path).split("\n")
    assert script[:3] == ["#!/bin/bash", "#SBATCH --job-name=hemicycle-annotate", "#SBATCH --array=0-39%12"]
    assert {"#SBATCH --account=abc@cpu", "#SBATCH --time=01:30:00", "module load python/3.11.5"} <= set(
        script
    )
    assert script[-2].startswith(f"apptainer exec --bind {tmp_path} /images/hemicycle.sif ")
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


@pytest.mark.parametrize("value", ["a b", "x\n#SBATCH --uid=0", ""])
def test_an_option_of_a_site_is_one_word(tmp_path, value):
    (tmp_path / "sites.toml").write_text(f"[sites.s]\nscheduler = 'slurm'\naccount = '''{value}'''\n")
    with pytest.raises(DeclarationError, match="account"):
        load_sites(tmp_path)


@pytest.mark.slow
def test_ray_gives_what_processes_give(local, tmp_path):
    pytest.importorskip("ray")
    from hemicycle.engines.on_ray import OnRay

    other = tmp_path / "ray"
    other.mkdir()
    assert run(OnRay(2), "double", other) == run(local, "double", tmp_path)
    with pytest.raises(InputError, match="1 is odd"):
        run(OnRay(2), "refuse_odd", other)
