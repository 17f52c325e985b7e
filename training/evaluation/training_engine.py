"""The port of what executes a replay: processes of this machine, or a cluster."""

from contextlib import AbstractContextManager
from typing import Protocol

from training.evaluation.replay_job import FittedRanking, Progress, ReplayPlan, Result


class ReplayExecutor(Protocol):
    """Executes one plan. The results depend on the plan and the models only, not on how the work is shared."""

    def process_until(self, stop: float, fitted: FittedRanking, progress: Progress) -> list[Result]:
        """Process the remaining requests before the time `stop` (seconds), and return the results in any order.

        Raises ChildProcessError if the work cannot be completed.
        """


class TrainingEngine(Protocol):
    """Starts executors. An executor ends when its context does."""

    def start(self, plan: ReplayPlan) -> AbstractContextManager[ReplayExecutor]:
        """An executor of a plan, whose replay has not started."""
