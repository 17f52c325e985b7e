"""Batches take turns, and rest between their slices."""

import asyncio
from time import perf_counter

import pytest

from app.presentation.api.batch_turns import MAX_WAITING, SLICE_SECONDS, BatchTurns
from app.presentation.api.problems import OVERLOADED, ProblemError


def test_batches_run_one_after_the_other_and_other_work_in_between() -> None:
    async def scenario() -> None:
        turns, log = BatchTurns(), list[str]()

        async def batch(name: str) -> None:
            async with turns.turn():
                began = perf_counter()
                for _ in range(4):
                    log.append(name)
                    began = await turns.rest_if_due(began - SLICE_SECONDS / 2)

        async def single() -> None:
            log.append("single")

        await asyncio.gather(batch("first"), batch("second"), single())

        assert log == ["first"] * 2 + ["single"] + ["first"] * 2 + ["second"] * 4

    asyncio.run(scenario())


def test_a_batch_is_rejected_while_many_wait_and_accepted_afterwards() -> None:
    async def scenario() -> None:
        turns, release = BatchTurns(), asyncio.Event()

        async def batch() -> None:
            async with turns.turn():
                await release.wait()

        waiting = [asyncio.create_task(batch()) for _ in range(1 + MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(ProblemError) as raised:
            await batch()
        release.set()
        await asyncio.gather(*waiting)
        await batch()

        assert raised.value.problem is OVERLOADED

    asyncio.run(scenario())


def test_a_cancelled_batch_and_a_failed_one_let_the_next_one_run() -> None:
    async def scenario() -> None:
        turns = BatchTurns()

        async def failing() -> None:
            async with turns.turn():
                raise RuntimeError("a ranking failed")

        async with turns.turn():
            waiting = asyncio.create_task(failing())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(RuntimeError):
            await failing()

        async with turns.turn():
            pass

    asyncio.run(scenario())
