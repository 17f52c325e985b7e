"""Kills a writer of the registry before lines that it runs, and prints what is in the folder afterwards.

Run as a program by the test: one process imports everything and forks a writer for each kill.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import Signer
from tests.support.registries import publish, service_keys, training_keys

TRACED = ("file_registry.py", "registry_index.py", "atomic_file.py")
KEYS = training_keys(Signer.generate())


class KillBefore:
    """A trace function that ends the process before the line number `count` of the traced files."""

    def __init__(self, count: int) -> None:
        self._left = count

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def write(folder: Path) -> None:
    """Everything that changes a registry."""
    registry = FileModelRegistry(folder, KEYS)
    publish(registry, "second")
    publish(registry, "third")
    registry.promote("v1")
    registry.rollback()
    registry.prune(0)


def killed_at(count: int, folder: Path) -> bool:
    """Run the writer; whether it was killed, False when it came to its end."""
    child = os.fork()
    if child == 0:
        sys.settrace(KillBefore(count))
        write(folder)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WIFSIGNALED(status)


def state(folder: Path) -> dict[str, Any]:
    """What a service finds, and what the next writer finds and leaves."""
    service = FileModelRegistry(folder, service_keys(KEYS))
    active = service.active()
    found = {
        "versions": [record.version for record in service.records()],
        "active": active and active.version,
        "loads": [service.load(record.version)["name"] for record in service.records()],
    }
    training = FileModelRegistry(folder, KEYS, lock_wait_seconds=5)
    found["next"] = training.load(publish(training, "next").version)["name"]
    training.prune(100)
    left = {path.name for path in folder.iterdir()}
    named = {record.filename for record in training.records()}
    found["stray"] = sorted(left - named - {"registry.json", ".registry.lock"})
    return found


def main(folder: Path, step: int) -> None:
    """Print one line of JSON for each kill, before every `step`-th line; the last one is the unharmed run."""
    base = folder / "base"
    publish(FileModelRegistry(base, KEYS), "first")
    count, killed = 0, True
    while killed:
        copy = folder / "copy"
        shutil.copytree(base, copy)
        killed = killed_at(count, copy)
        print(json.dumps(state(copy)))
        shutil.rmtree(copy)
        count += step


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
