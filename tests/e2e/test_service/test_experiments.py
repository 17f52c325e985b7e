"""Experiments in running processes: replicas agree, a changed file is read, and what users do is counted."""

from pathlib import Path

import psycopg2
import pytest

from tests.support.service_process import Service, ids, running

EXPERIMENT = """
[[experiment]]
name = "order"
salt = "of the test"
start = 2020-01-01T00:00:00Z
end = 2090-01-01T00:00:00Z
primary_metric = "like"
enabled = true

[[experiment.variant]]
name = "control"
share = 0.5

[[experiment.variant]]
name = "other"
share = 0.5
ranking = { author_repeat_factor = 1.0, exploration_share = 0.2 }
"""


def variants(service: Service, users: int = 40) -> list[str]:
    pages = [
        service.generate(f"user_{number}", limit=1, context={"record": False}) for number in range(users)
    ]
    return [page["metadata"]["variants"].get("order", "none") for page in pages]


@pytest.mark.slow
def test_replicas_and_a_restart_agree_and_the_kill_switch_works_without_one(
    feed_url: str, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(EXPERIMENT)
    settings = {
        "DATABASE_URL": feed_url,
        "MODELS_DIR": str(folder / "models"),
        "KEYS_DIR": str(folder / "keys"),
        "EXPERIMENTS_FILE": str(file),
        "REGISTRY_POLL_SECONDS": "0.1",
    }
    with running(tmp_path, **settings) as first, running(tmp_path, **settings) as second:
        assigned = variants(first)
        assert {"control", "other"} <= set(assigned)  # `none`: users without personalised ranking
        assert variants(second) == assigned

        user = f"user_{assigned.index('other')}"
        page = first.generate(user, limit=5)
        later = second.generate(user, limit=5, cursor=page["metadata"]["next_cursor"])
        assert page["metadata"]["variants"] == later["metadata"]["variants"] == {"order": "other"}
        assert not set(ids(page)) & set(ids(later))
        first.until(lambda: counts(feed_url)["page"] == 2, seconds=10)
        first.track(user, ids(page)[0], "like")
        assert counts(feed_url) == {"page": 2, "post": 10, "like": 1}

        file.write_text("[[experiment]]\n")
        first.until(
            lambda: "ml_experiments_file_failing 1.0" in first.client.get("/metrics").text, seconds=10
        )
        assert variants(first) == assigned
        file.write_text(EXPERIMENT.replace("enabled = true", "enabled = false"))
        for service in (first, second):
            service.until(lambda one=service: set(variants(one, 10)) == {"none"}, seconds=10)
    file.write_text(EXPERIMENT)
    with running(tmp_path, **settings) as again:
        assert variants(again) == assigned


def counts(url: str) -> dict[str, int]:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT metric, sum(count)::int FROM experiment_user_day GROUP BY metric")
        found = dict(cursor.fetchall())
    connection.close()
    return {"page": 0, **found}
