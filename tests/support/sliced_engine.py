"""A cluster in this process: it pickles every part, as a real one does, and returns groups in another order."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from training.evaluation.replay_job import ReplayPlan
from training.evaluation.sliced_replay import Part, SlicedReplay


@dataclass(frozen=True)
class MemoryParts:
    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "MemoryParts":
        return cls(tuple(pickle.dumps(part) for part in parts))

    def flat_map(self, function: Callable[[Part], Iterable[Part]]) -> "MemoryParts":
        return self.of(new for part in self.collect() for new in function(part))

    def flat_map_groups(self, function: Callable[[Sequence[Part]], Iterable[Part]]) -> "MemoryParts":
        groups: dict[int, list[Part]] = {}
        for part in reversed(self.collect()):
            groups.setdefault(part.key, []).append(part)
        return self.of(new for group in groups.values() for new in function(group))

    def union(self, others: "MemoryParts") -> "MemoryParts":
        return MemoryParts(self.parts + others.parts)

    def kept(self) -> "MemoryParts":
        return self

    def collect(self) -> list[Part]:
        return [pickle.loads(part) for part in self.parts]


@dataclass(frozen=True)
class MemoryShared:
    value: Any


@dataclass(frozen=True)
class MemoryCluster:
    parallelism: int

    def distribute(self, parts: Iterator[Part]) -> MemoryParts:
        return MemoryParts.of(parts)

    def share(self, value: Any) -> MemoryShared:
        return MemoryShared(pickle.loads(pickle.dumps(value)))


@dataclass(frozen=True)
class SlicedEngine:
    parallelism: int
    tasks_per_slot: int = 2

    @contextmanager
    def start(self, plan: ReplayPlan) -> Iterator[SlicedReplay]:
        yield SlicedReplay(plan, MemoryCluster(self.parallelism), self.tasks_per_slot)
