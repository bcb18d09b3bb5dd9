"""A redis-server of the test's own, on a port and a Unix socket."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import redis as redis_py

from . import proc


def client(**kwargs):
    return redis_py.Redis(decode_responses=True, socket_timeout=5, **kwargs)


class Redis:
    def __init__(self, **options):
        self.dir = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
        self.port, self.socket = proc.free_port(), self.dir / "s"
        self.options = {"maxmemory-policy": "noeviction", **options}
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        args = ["--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket, "--dir", self.dir]
        args += ["--save", "", "--appendonly", "no"]
        for name, value in self.options.items():
            args += ["--" + name, value]
        self.process = subprocess.Popen(["redis-server", *map(str, args)], stdout=subprocess.DEVNULL)
        proc.wait_until(self.answers, what="redis-server's answer")
        return self

    def answers(self):
        try:
            return self.client().ping()
        except redis_py.ConnectionError:
            return False

    def client(self):
        return client(port=self.port, password=self.options.get("requirepass"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def destroy(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
