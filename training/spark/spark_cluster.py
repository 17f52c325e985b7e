"""Parts of a sliced replay as rows of a Spark data frame."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.evaluation.sliced_replay import Part
from training.spark.part_rows import (
    ROW_SCHEMA,
    batches_of,
    parts_of,
    rows_of,
    rows_of_batches,
    table_of,
)


@dataclass(frozen=True, slots=True)
class SparkParts:
    """A data frame with the rows of parts (see `part_rows`). All rows of a part are in one partition."""

    frame: DataFrame

    def flat_map(self, function: Callable[[Part], Iterable[Part]]) -> "SparkParts":
        """What `function` returns for each part."""

        def of_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            with threadpool_limits(limits=1):
                for part in parts_of(rows_of_batches(batches)):
                    yield from batches_of(function(part))

        return SparkParts(self.frame.mapInArrow(of_batches, ROW_SCHEMA))

    def flat_map_groups(self, function: Callable[[Sequence[Part]], Iterable[Part]]) -> "SparkParts":
        """What `function` returns for all parts with the same key."""

        def of_group(group: pa.Table) -> pa.Table:
            parts = list(parts_of(rows_of_batches(group.to_batches())))
            with threadpool_limits(limits=1):
                return table_of(function(parts))

        return SparkParts(self.frame.groupBy("key").applyInArrow(of_group, ROW_SCHEMA))

    def union(self, others: "SparkParts") -> "SparkParts":
        """These parts and others."""
        return SparkParts(self.frame.union(others.frame))

    def kept(self) -> "SparkParts":
        """The same parts, which Spark stores on disks. It computes again what a lost executor stored."""
        return SparkParts(self.frame.persist(StorageLevel.DISK_ONLY))

    def collect(self) -> list[Part]:
        """All parts, in the driver."""
        return list(parts_of(self.frame.collect()))


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
        rows = [rows_of(part) for part in parts]
        spread = self.session.sparkContext.parallelize(rows, len(rows)).flatMap(list)  # a part stays together
        return SparkParts(self.session.createDataFrame(spread, ROW_SCHEMA))

    def share(self, value: Any) -> Any:
        """Send a value to every executor that reads it."""
        return self.session.sparkContext.broadcast(value)
