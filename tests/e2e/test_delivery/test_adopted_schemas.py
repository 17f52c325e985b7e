"""The documented commands on the tables of three frameworks, from an empty database to a feed over HTTP."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import psycopg2
import pytest

from app.infrastructure.database.embedded import CHECKOUT
from tests.support import sample_schemas
from tests.support.service_process import environment, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CUID = "clu" + "7".rjust(22, "0")
# schema, a user, and the posts that it hides
SAMPLES = {
    "Prisma, integer keys": (
        sample_schemas.PRISMA_WITH_INTEGER_KEYS,
        "7",
        'SELECT id FROM "Post" WHERE NOT published',
    ),
    "Prisma, cuid keys": (
        sample_schemas.PRISMA_WITH_CUID_KEYS,
        CUID,
        """SELECT id FROM "Post" WHERE status <> 'PUBLISHED'""",
    ),
    "Rails": (
        sample_schemas.RAILS,
        "7",
        "SELECT id FROM posts WHERE discarded_at IS NOT NULL OR published_at IS NULL",
    ),
}


def documented_commands() -> list[list[str]]:
    """The commands of "Use your own tables", and the training."""
    text = (CHECKOUT / "docs/adopting.md").read_text()
    block = re.search(r"## Use your own tables.*?```sh\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return [*(shlex.split(line)[4:] for line in block[1].splitlines()), ["training.train"]]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_documented_commands_lead_to_a_personalised_feed(
    name: str, tmp_path: Path, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sql, user, hidden_query = SAMPLES[name]
    settings = {
        "DATABASE_URL": empty_database_url,
        "MODELS_DIR": str(tmp_path / "models"),
        "KEYS_DIR": str(tmp_path / "keys"),
    }
    started = perf_counter()
    with psycopg2.connect(empty_database_url) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute(hidden_query)
        hidden = {str(post) for (post,) in cursor.fetchall()}

    for words in documented_commands():
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=CHECKOUT if words[0] == "alembic" else tmp_path,
            env=environment(**settings) | {"PYTHONPATH": str(CHECKOUT), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    with running(tmp_path, **settings) as service:
        health = service.health()
        page = service.generate(user, limit=50)
    with capsys.disabled():
        print(f"\n{name}: {perf_counter() - started:.0f} s from an empty database to a personalised feed")

    assert health["warnings"] == []
    assert health["interactions"] > 1000
    assert page["metadata"]["source"] == "personalized"
    shown = {post["external_id"] for post in page["recommendations"]}
    assert len(shown) == 50
    assert not shown & hidden
