"""A PostgreSQL of the test's own: Debian's, on a Unix socket, without a password."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from . import proc


def programs():
    """Where Debian puts them: a folder for each version, none of them in PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "apt-get install postgresql"
    return found[-1]


class Postgres:
    """It refuses to run as root: then it runs as the user that Debian's package makes."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.dir, account.pw_uid, account.pw_gid)
        self.process = None

    def _as_user(self):
        group = pwd.getpwnam(self.user).pw_gid if self.user else None
        return {"user": self.user, "group": group, "extra_groups": [] if self.user else None, "cwd": self.dir}

    def start(self):
        if not (self.dir / "data").exists():
            args = ["-D", self.dir / "data", "-U", "postgres", "-A", "trust", "-N", "--no-instructions"]
            subprocess.run(
                [programs() / "initdb", *args], check=True, stdout=subprocess.DEVNULL, timeout=60, **self._as_user()
            )
        args = ["-D", self.dir / "data", "-k", self.dir, "-c", "listen_addresses=", "-c", "fsync=off"]
        self.process = subprocess.Popen(
            [programs() / "postgres", *args], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as_user()
        )
        ready = [programs() / "pg_isready", "-q", "-h", self.dir]
        proc.wait_until(lambda: subprocess.run(ready, timeout=10).returncode == 0, 30, "PostgreSQL's answer")
        return self

    def stop(self):
        """At once: its sessions are ended. start() brings it back with what was committed."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" stop
            self.process.wait(30)

    def destroy(self):
        try:
            self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait(10)
            shutil.rmtree(self.dir, ignore_errors=True)
