"""The commands of the README and of the pages in docs/, in order, on files and a database of the test's own."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from app.infrastructure.database.embedded import CHECKOUT
from tests.support.service_process import environment, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("adopting", "evaluation-protocol", "extending", "operations")),
)
TEXTS = {name: (CHECKOUT / name).read_text() for name in PAGES}
TABLES = ["alembic", "upgrade", "head"]  # for a reader of the README, run_dev.sh creates the tables
SMALLER = {"2000": "100", "10m": "10s"}  # requests, time
SMALLER |= {"1500": "300", "6000": "1200", "80000": "8000"}  # users, posts and interactions of a feed
HEAVY = {"benchmarks.serving", "benchmarks.worlds", "data.adopt"}  # have tests of their own
ENDLESS = ["training.follow"]
OTHER_NAMES = {"like": "BOOKMARK", "click": "OPEN"}


def python_commands(text: str) -> Iterator[list[str]]:
    """Module and arguments of each command line that runs one of our modules; the training script counts as one."""
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("uv run python -m "):
                yield shlex.split(line, comments=True)[4:]
            if line.startswith("./scripts/train_model.sh"):
                yield ["training.train"]
    for command in re.findall(r"`uv run python -m ([^`]+)`", text):
        yield shlex.split(command)


def queries(text: str) -> list[str]:
    """The SELECTs of a text, without those that have parameters of a driver."""
    blocks = re.findall(r"^```sql\n(SELECT .*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for block in blocks if "$1" not in block]


def body_of(path: str, text: str) -> dict[str, object]:
    """The JSON that the text's `curl` sends to a path."""
    sent = re.search(rf"curl \S* ?http://localhost:8000{path}.*?-d '(.*?)'", text, re.DOTALL)
    assert sent is not None
    body: dict[str, object] = json.loads(sent[1])
    return body


def run(folder: Path, url: str, words: list[str]) -> str:
    """Run a module in `folder`, where the files of the examples are; return what it printed."""
    settings = {"DATABASE_URL": url, "MODELS_DIR": str(folder / "models"), "KEYS_DIR": str(folder / "keys")}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=CHECKOUT if words[0] == "alembic" else folder,
        env=environment(**settings) | {"PYTHONPATH": str(CHECKOUT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def write_files_of_a_feed(folder: Path) -> None:
    """A generated feed as the files of the examples: CSV with other names of events, Parquet with ours."""
    generator = ["data.generate_fake_data", "--users", "60", "--posts", "200", "--interactions", "2000"]
    run(folder, "", [*generator, "--output", "small.json"])
    feed = json.loads((folder / "small.json").read_text())
    interactions, posts = pd.DataFrame(feed["interactions"]), pd.DataFrame(feed["posts"])
    interactions = interactions[["user_id", "post_id", "interaction_type", "created_at"]]
    posts = posts[["id", "author_id", "content", "created_at"]]
    interactions.to_parquet(folder / "interactions.parquet")
    posts.to_parquet(folder / "posts.parquet")
    posts.to_csv(folder / "posts.csv", index=False)
    interactions["interaction_type"] = interactions["interaction_type"].replace(OTHER_NAMES)
    interactions.to_csv(folder / "interactions.csv", index=False)


def test_the_commands_of_the_documents_do_what_they_say(tmp_path: Path, empty_database_url: str) -> None:
    folder, url = tmp_path, empty_database_url
    (folder / "data").mkdir()
    write_files_of_a_feed(folder)
    (folder / "current_order.sql").write_text(queries(TEXTS["docs/adopting.md"])[-1])

    printed = {
        tuple(words): run(folder, url, [SMALLER.get(word, word) for word in words])
        for words in [TABLES, *(words for text in TEXTS.values() for words in python_commands(text))]
        if words[0] not in HEAVY and words != ENDLESS
    }

    assert "v2" in printed["training.registry", "list"]
    assert "verified" in printed["training.registry", "show", "v1"]
    assert (folder / "model.bundle").stat().st_size > 1000
    assert "served" in printed["training.evaluate", "--max-requests", "2000"]
    with running(folder, DATABASE_URL=url) as service:
        asked = body_of("/recommendations/generate", TEXTS["README.md"])
        page = service.client.post("/recommendations/generate", json=asked)
        assert page.json()["metadata"]["source"] == "personalized"
        event = body_of("/interactions/track", (CHECKOUT / "docs/api.md").read_text())
        event["post_id"] = page.json()["recommendations"][0]["post_id"]
        tracked = service.client.post("/interactions/track", json=event)
        assert (tracked.status_code, tracked.json()) == (202, {"status": "tracked"})
