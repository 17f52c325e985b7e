"""Parts of a sliced replay as rows of a Spark data frame, each with its value as bytes."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.evaluation.sliced_replay import Part

_SCHEMA: Final = "kind string, key bigint, slice bigint, value binary"
_ARROW_SCHEMA: Final = pa.schema(
    [("kind", pa.large_string()), ("key", pa.int64()), ("slice", pa.int64()), ("value", pa.large_binary())]
)


@dataclass(frozen=True, slots=True)
class SparkParts:
    """A data frame with one row for each part."""

    frame: DataFrame

    def flat_map(self, function: Callable[[Part], Iterable[Part]]) -> "SparkParts":
        """What `function` returns for each part."""

        def of_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            with threadpool_limits(limits=1):
                for batch in batches:
                    for part in _parts(batch):
                        yield from map(_batch, function(part))

        return SparkParts(self.frame.mapInArrow(of_batches, _SCHEMA))

    def flat_map_groups(self, function: Callable[[Sequence[Part]], Iterable[Part]]) -> "SparkParts":
        """What `function` returns for all parts with the same key."""

        def of_group(group: pa.Table) -> pa.Table:
            parts = [part for batch in group.to_batches() for part in _parts(batch)]
            with threadpool_limits(limits=1):
                return pa.Table.from_batches([_batch(part) for part in function(parts)], _ARROW_SCHEMA)

        return SparkParts(self.frame.groupBy("key").applyInArrow(of_group, _SCHEMA))

    def union(self, others: "SparkParts") -> "SparkParts":
        """These parts and others."""
        return SparkParts(self.frame.union(others.frame))

    def kept(self) -> "SparkParts":
        """The same parts, which Spark stores on disks. It computes again what a lost executor stored."""
        return SparkParts(self.frame.persist(StorageLevel.DISK_ONLY))

    def collect(self) -> list[Part]:
        """All parts, in the driver."""
        return [
            Part(row.kind, row.key, row.slice, pickle.loads(row.value))  # noqa: S301  (an executor of ours made it)
            for row in self.frame.collect()
        ]


@dataclass(frozen=True, slots=True)
class SparkCluster:
    """The executors of a session."""

    session: SparkSession

    @property
    def parallelism(self) -> int:
        """The cores of all executors."""
        return int(self.session.sparkContext.defaultParallelism)

    def distribute(self, parts: Iterator[Part]) -> SparkParts:
        """Parts that come from the driver."""
        rows = [(part.kind, part.key, part.slice, _bytes(part)) for part in parts]
        spread = self.session.sparkContext.parallelize(rows, len(rows))
        return SparkParts(self.session.createDataFrame(spread, _SCHEMA))

    def share(self, value: Any) -> Any:
        """Send a value to every executor that reads it."""
        return self.session.sparkContext.broadcast(value)


def _parts(batch: pa.RecordBatch) -> Iterator[Part]:
    columns = [batch.column(name) for name in _ARROW_SCHEMA.names]
    for kind, key, of_slice, value in zip(*columns, strict=True):
        loaded = pickle.loads(value.as_buffer())  # noqa: S301  (this program made it)
        yield Part(kind.as_py(), key.as_py(), of_slice.as_py(), loaded)


def _batch(part: Part) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            pa.array([value], column.type)
            for value, column in zip(
                (part.kind, part.key, part.slice, _bytes(part)), _ARROW_SCHEMA, strict=True
            )
        ],
        schema=_ARROW_SCHEMA,
    )


def _bytes(part: Part) -> bytes:
    return pickle.dumps(part.value, pickle.HIGHEST_PROTOCOL)
