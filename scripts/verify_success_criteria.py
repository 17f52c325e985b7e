"""The eight success criteria of the design, each checked on a real run. See verify_success_criteria.sh."""

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from app.infrastructure.database.embedded import EmbeddedPostgres  # noqa: E402
from app.infrastructure.database.embedded.locks import free_port, wait_until  # noqa: E402

INTERACTIONS = 5000
TYPES = {"view", "click", "like", "comment", "share"}
START_SECONDS = 90
FALLBACK_SECONDS = 3.5


class Unmet(Exception):
    """A criterion does not hold; the message says what was found instead."""


def require(holds: bool, found: object) -> None:
    if not holds:
        raise Unmet(str(found)[:2000])


class Visitor:
    """A browser as far as HTTP goes: it keeps its cookies."""

    def __init__(self) -> None:
        policy = DefaultCookiePolicy(
            secure_protocols=("https", "http")
        )  # browsers trust loopback addresses, too
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar(policy)))

    def get(self, url: str, seconds: float = 10) -> str:
        with self._opener.open(url, timeout=seconds) as response:
            return str(response.read().decode())

    def json(self, url: str, body: object = None, seconds: float = 10) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(url, data, headers)  # noqa: S310  a service that this program started
        with self._opener.open(request, timeout=seconds) as response:
            return dict(json.load(response))


def responds(url: str) -> bool:
    try:
        Visitor().get(url, 2)
    except OSError:
        return False
    return True


def made_once(make: Callable[["System"], Any]) -> Any:
    """A property that is made when it is first asked for; what could not be made is not tried again."""

    def found(self: "System") -> Any:
        if make not in self.made:
            try:
                self.made[make] = make(self)
            except (Unmet, OSError, KeyError, ValueError) as error:
                self.made[make] = error
        if isinstance(made := self.made[make], Exception):
            raise Unmet(str(made))
        return made

    return property(found)


class System:
    """What the criteria stand on, made when it is first needed and taken away at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="criteria-")))
        self.visitor = Visitor()
        self.made: dict[Callable[[System], Any], Any] = {}

    def run(self, *command: str, **environment: str) -> str:
        """A command that must succeed; what it printed."""
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        require(
            done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-1800:]}"
        )
        return done.stdout

    def python(self, module: str, *options: str) -> str:
        return self.run(sys.executable, "-m", module, *options, **self.environment)

    def serve(
        self, url: str, command: Sequence[str], folder: Path, **environment: str
    ) -> subprocess.Popen[str]:
        """A server in the background, once it responds at `url`."""
        log = self._stack.enter_context((self._work / f"{time.monotonic_ns()}.log").open("w+"))
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log, text=True
        )
        self._stack.callback(end, server)
        up = wait_until(lambda: server.poll() is not None or responds(url), START_SECONDS)
        log.seek(0)
        require(up and server.poll() is None, f"{url} does not respond:\n{log.read()[-1800:]}")
        return server

    @made_once
    def environment(self) -> dict[str, str]:
        url = self._stack.enter_context(EmbeddedPostgres(self._work, durable=False))
        environment = {
            "DATABASE_URL": url,
            "MODELS_DIR": str(self._work / "models"),
            "KEYS_DIR": str(self._work / "keys"),
            "SNAPSHOT_DIR": str(self._work / "snapshots"),
        }
        self.run(sys.executable, "-m", "alembic", "upgrade", "head", **environment)
        return environment

    @made_once
    def feed_file(self) -> Path:
        path = self._work / "feed.json"
        size = ["--users", "100", "--posts", "500", "--interactions", str(INTERACTIONS)]
        self.run(sys.executable, "-m", "data.generate_fake_data", *size, "--output", str(path))
        return path

    @made_once
    def model(self) -> dict[str, Any]:
        """The registry after the whole pipeline, over the demo feed: the smallest that a model is learned from."""
        self.python("data.seed_database")
        self.python("training.train")
        return dict(json.loads(self.python("training.registry", "list", "--json")))

    @made_once
    def service(self) -> tuple[str, subprocess.Popen[str]]:
        require(bool(self.model), "no model")
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "app.main:app",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        return url, self.serve(f"{url}/readyz", command, CHECKOUT, **self.environment)

    @made_once
    def web(self) -> str:
        require(shutil.which("node") is not None, "Node.js is not installed")
        if not (CHECKOUT / "node_modules" / "next").is_dir():
            self.run("npm", "ci", "--no-audit", "--no-fund")
        self.run("npm", "run", "--workspace", "@feed/web", "build")
        url = f"http://127.0.0.1:{(port := free_port())}"
        program = str(CHECKOUT / "node_modules" / "next" / "dist" / "bin" / "next")
        self.serve(
            f"{url}/api/health",
            ["node", program, "start", "--hostname", "127.0.0.1", "--port", str(port)],
            CHECKOUT / "web",
            **self.environment,
            ML_SERVICE_URL=self.service[0],
            SESSION_SECRET=secrets.token_hex(32),
        )
        self.visitor.get(url)  # the page starts the visitor's session
        return url

    @made_once
    def first_page(self) -> dict[str, Any]:
        return self.visitor.json(f"{self.web}/api/feeds")


def end(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()


def health(system: System) -> None:
    """ML service responds to health checks"""
    said = system.visitor.json(f"{system.service[0]}/health")

    require(said["status"] == "healthy" and said["model_loaded"] is True, said)


def realistic_data(system: System) -> None:
    """Fake data generation creates realistic interactions"""
    rows = json.loads(system.feed_file.read_text())["interactions"]
    times = [datetime.fromisoformat(row["created_at"]) for row in rows]
    by_user = Counter(row["user_id"] for row in rows)
    busiest = sum(count for _, count in by_user.most_common(10)) / len(rows)

    require(len(rows) == INTERACTIONS, f"{len(rows)} interactions")
    require({row["interaction_type"] for row in rows} == TYPES, "not all types occur")
    require(max(times) - min(times) <= timedelta(days=30), "more than 30 days")
    require(busiest > 0.2, f"the busiest tenth of the users has only {busiest:.0%} of the interactions")


def pipeline(system: System) -> None:
    """Model training pipeline runs end-to-end"""
    require(system.model.get("active") is not None, system.model)
    system.python("training.evaluate", "--max-requests", "50")
    system.python("training.validate_model")


def scored_posts(system: System) -> None:
    """Recommendations API returns scored posts"""
    response = system.visitor.json(
        f"{system.service[0]}/recommendations/generate", {"user_id": "user_1", "limit": 50}
    )
    scores = [one["score"] for one in response["recommendations"]]

    require(len(scores) == 50, response)
    require(all(0 <= score <= 1 for score in scores), scores)
    require(scores == sorted(scores, reverse=True), scores)


def recommended_feed(system: System) -> None:
    """Next.js feed shows source: ml_recommendations"""
    require(system.first_page["source"] == "ml_recommendations", system.first_page)
    require(len(system.first_page["posts"]) > 0, system.first_page)


def fallback(system: System) -> None:
    """Fallback to random works when ML service unavailable"""
    shown = {post["id"] for post in system.first_page["posts"]}
    system.service[1].kill()
    system.service[1].wait()

    cursor = urllib.parse.quote(system.first_page["nextCursor"])
    page = system.visitor.json(f"{system.web}/api/feeds?cursor={cursor}", seconds=FALLBACK_SECONDS)

    require(page["source"] == "random_fallback" and len(page["posts"]) > 0, page)
    require(not shown & {post["id"] for post in page["posts"]}, "a post came twice")


def tests(system: System) -> None:
    """All tests pass in CI"""
    system.run("bash", ".ci/run", CI="true")


def composed(system: System) -> None:
    """Docker Compose runs complete stack locally"""
    require(shutil.which("docker") is not None, "there is no docker command")
    names = ("WEB_PORT", "ML_SERVICE_PORT", "POSTGRES_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
    ports = {name: str(free_port()) for name in names}
    compose = ["docker", "compose", "--project-name", f"criteria{os.getpid()}"]
    compose += ["--file", "docker-compose.dev.yml"]
    web, visitor = f"http://127.0.0.1:{ports['WEB_PORT']}", Visitor()
    try:
        system.run(*compose, "up", "--detach", "--build", "--wait", "--wait-timeout", "900", **ports)
        visitor.get(web, 60)
        page = visitor.json(f"{web}/api/feeds", seconds=60)
        require(page["source"] == "ml_recommendations" and len(page["posts"]) > 0, page)
        ready = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}/-/ready"
        require(responds(ready), f"{ready} does not respond")
    finally:
        system.run(*compose, "down", "--volumes", "--remove-orphans", **ports)


CRITERIA: Sequence[Callable[[System], None]] = (
    health, realistic_data, pipeline, scored_posts, recommended_feed, fallback, tests, composed,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 when every criterion that was asked for holds."""
    parser = argparse.ArgumentParser(
        prog="verify_success_criteria.sh",
        description="The eight success criteria of the design, from a real run",
    )
    parser.add_argument("numbers", nargs="*", type=int, metavar="N", help="only these, 1 to 8 (default: all)")
    numbers = parser.parse_args(argv).numbers or list(range(1, len(CRITERIA) + 1))
    if wrong := [number for number in numbers if not 1 <= number <= len(CRITERIA)]:
        parser.error(f"there are criteria 1 to {len(CRITERIA)}, not {wrong[0]}")
    for name in (
        "DATABASE_URL",
        "DB_SCHEMA",
        "MODELS_DIR",
        "KEYS_DIR",
        "SNAPSHOT_DIR",
        "API_KEYS",
        "FEED_NOW",
        "FEED_PERCENT",
    ):
        os.environ.pop(name, None)

    passed = 0
    with ExitStack() as stack:
        system = System(stack)
        for number in numbers:
            criterion = CRITERIA[number - 1]
            try:
                criterion(system)
            except (Unmet, OSError, KeyError, ValueError) as error:
                print(
                    f"FAIL  {number}  {criterion.__doc__}\n      {type(error).__name__}: {error}", flush=True
                )
            else:
                passed += 1
                print(f"pass  {number}  {criterion.__doc__}", flush=True)
    print(f"{passed} of {len(numbers)} criteria pass")
    return 0 if passed == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
