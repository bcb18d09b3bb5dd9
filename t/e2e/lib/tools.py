"""smppsim and smppload as processes."""

import subprocess

from . import proc
from .logs import Output


class Sim:
    """An upstream simulator that runs until stop()."""

    def __init__(self, *args, port=None):
        self.port = port or proc.free_port()
        self.process = subprocess.Popen(
            [proc.build_dir() / "smppsim", "--port", str(self.port), *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.output = Output(self.process.stderr)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def load(port, *args, timeout=120):
    """smppload to its end."""
    return subprocess.run(
        [proc.build_dir() / "smppload", "--port", str(port), *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
