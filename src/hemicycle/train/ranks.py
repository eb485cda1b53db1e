"""Ranks: the processes that train one model together, each with a share of the rows and of the weights.

They are told by the environment that `torchrun` sets; without it there is one. Weights, gradients and the
optimiser's state are sharded by layer (FSDP2); across nodes they are sharded inside a node and repeated
between nodes, as links between nodes are the slow ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from hemicycle.train.learner import Learner
from hemicycle.train.model import layers_of

#: A rank that answers nothing for so long is taken for dead.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run.

    Attributes:
        device: ``cpu``, or ``cuda:N``.
        saving: a group of its own for checkpoints, which are written beside the training.
    """

    rank: int
    count: int
    device: str
    saving: Any = None

    @staticmethod
    def join(device: str) -> Ranks:
        """Meet the others. `device` is ``cpu`` or ``cuda``."""
        rank, count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if device == "cuda":
            place = int(os.environ.get("LOCAL_RANK", 0))
            torch.cuda.set_device(place)
            device = f"cuda:{place}"
        if count == 1 and device == "cpu":
            return Ranks(0, 1, device)
        backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
        if count == 1:
            alone = dist.HashStore()  # type: ignore[attr-defined]
            dist.init_process_group(backend, store=alone, rank=0, world_size=1)
        else:
            dist.init_process_group(backend, timeout=PATIENCE)
        return Ranks(rank, count, device, dist.new_group(backend="gloo", timeout=PATIENCE))

    def leave(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each value summed over all ranks."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        # Not in the group of checkpoints: a group's messages have one order, and those come from a thread.
        dist.all_reduce(total)
        return [float(value) for value in total]

    def shard(self, learner: Learner, *, bf16: bool) -> None:
        """Spread a learner over the ranks; rank 0 has its weights, the others get their part of those."""
        whole = learner.model.state_dict() if self.leads else {}
        if self.device != "cpu":
            learner.to(self.device)
        if not dist.is_initialized():
            return
        policy = MixedPrecisionPolicy()
        if bf16 and self.device != "cpu":
            policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        mesh = self._mesh()
        again = self.count > 1
        for layer in layers_of(learner.model):
            fully_shard(layer, mesh=mesh, mp_policy=policy, reshard_after_forward=again)
        fully_shard(learner, mesh=mesh, mp_policy=policy, reshard_after_forward=again)
        if self.count > 1:
            options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
            set_model_state_dict(learner.model, whole, options=options)

    def _mesh(self) -> Any:
        inside = int(os.environ.get("LOCAL_WORLD_SIZE", self.count))
        kind = "cpu" if self.device == "cpu" else "cuda"
        if 1 < inside < self.count and self.count % inside == 0:
            sizes = (self.count // inside, inside)
            return init_device_mesh(kind, sizes, mesh_dim_names=("replicate", "shard"))
        return init_device_mesh(kind, (self.count,))
