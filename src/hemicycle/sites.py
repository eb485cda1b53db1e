"""Sites: the computing centres a project may run on, declared in `sites.toml`, one table a site.

[sites.jean-zay]
scheduler = "slurm"
account = "abc@cpu"
partition = "cpu_p1"
time = "04:00:00"
setup = ["module load python/3.11.5"]

[sites.jean-zay.training]
account = "abc@h100"
partition = "gpu_p6"
nodes = 2
gpus = 4
cpus = 96
time = "20:00:00"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.project import Declared, Name, load_toml

SITES = "sites.toml"

#: A site in one line, since a remedy is one.
_EXAMPLE = '`sites.my-centre = { scheduler = "slurm", account = "abc@cpu", partition = "cpu_p1" }`'

#: What goes into a `#SBATCH` line is one word: a space or a line end would begin another option.
_Word = Annotated[str, StringConstraints(pattern=r"^[\w@.:/,+-]+$")]

_Time = Annotated[str, StringConstraints(pattern=r"^(\d+-)?\d+(:\d\d){1,2}$")]
_Memory = Annotated[str, StringConstraints(pattern=r"^\d+[MG]$")]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Training(Declared):
    """Where and how a site trains; account, partition, qos, constraint, setup and container are the site's
    own where they are left out.

    Attributes:
        nodes: of one training.
        gpus: graphics cards of each node; a process each. Without any, one process a node.
        cpus: cores of each node.
        memory: of each node.
        time: the longest one job may take; a training that takes longer goes on in the next.
        exclude: nodes that are not to be used.
        requeue: whether Slurm may put a job back into its queue. Where a site does not let it, a next job is
            submitted instead.
        save_before: seconds before the end of a job's time at which it saves a checkpoint and leaves.
        environment: variables of each process, such as what NCCL needs to know of the site's network.
    """

    account: _Word | None = None
    partition: _Word | None = None
    qos: _Word | None = None
    constraint: _Word | None = None
    reservation: _Word | None = None
    exclude: list[_Word] = Field(default_factory=list)
    nodes: int = Field(default=1, ge=1, le=100_000)
    gpus: int = Field(default=0, ge=0, le=1_000)
    cpus: int = Field(default=1, ge=1, le=10_000)
    memory: _Memory | None = None
    time: _Time = "02:00:00"
    requeue: bool = True
    save_before: int = Field(default=120, ge=1, le=65_535)
    environment: dict[_Variable, str] = Field(default_factory=dict)
    setup: list[str] | None = None
    container: _Word | None = None


class Site(Declared):
    """One site.

    Attributes:
        time: the longest one task may take, as Slurm writes it.
        at_once: tasks of one array that run at the same time, at most; the store's inode and bandwidth limits
            are met here.
        memory: of one task, as Slurm writes it.
        setup: lines of shell before the work, as the site's manual gives them (modules, an environment).
        container: path of an Apptainer image to run in.
    """

    scheduler: Literal["local", "slurm"] = "local"
    account: _Word | None = None
    partition: _Word | None = None
    qos: _Word | None = None
    constraint: _Word | None = None
    time: _Time = "02:00:00"
    at_once: int = Field(default=64, ge=1)
    memory: _Memory = "4G"
    setup: list[str] = Field(default_factory=list)
    container: _Word | None = None
    training: Training = Training()


class Sites(Declared):
    """The whole of `sites.toml`."""

    sites: dict[Name, Site]


def load_sites(folder: Path) -> dict[str, Site]:
    """The sites of a project, none where it has no `sites.toml`. Raises DeclarationError."""
    path = folder / SITES
    return load_toml(path, Sites).sites if path.is_file() else {}


def slurm_site(folder: Path, name: str | None) -> Site:
    """The named site, or the only one with Slurm. Raises DeclarationError where that is not one."""
    sites = {n: site for n, site in load_sites(folder).items() if site.scheduler == "slurm"}
    if name is None and len(sites) == 1:
        return next(iter(sites.values()))
    if name in sites:
        return sites[name]
    which = f"Say which with --site: {', '.join(sites)}."
    raise DeclarationError(
        f"there is no site “{name}” with Slurm" if name else f"{len(sites) or 'no'} sites have Slurm",
        place=str(folder / SITES),
        remedy=(name and did_you_mean(name, sites))
        or (which if sites else f"Write there {_EXAMPLE}; see docs/run.md."),
    )
