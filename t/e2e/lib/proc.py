"""Processes under test: ports, /proc, and waiting for what has to come."""

import itertools
import os
import socket
import subprocess
import time
from pathlib import Path

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
# Below the ephemeral ports, so that no outgoing connection takes one; each xdist worker has its own thousand.
_ports = itertools.cycle(range(20000 + 1000 * _worker, 21000 + 1000 * _worker))


def free_port():
    for port in _ports:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition, timeout=10.0, what="the condition"):
    """The first true value of condition(); fails with `what` after the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come about in {timeout} s"
        time.sleep(0.01)


def build_dir():
    return Path(os.environ.get("BUILD_DIR", Path(__file__).resolve().parents[3] / "build")).resolve()


def sanitized(binary):
    """Whether it is built with ASan, whose quarantine keeps what is freed."""
    return "libasan" in subprocess.run(["ldd", binary], capture_output=True, text=True).stdout


def children(pid):
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def alive(pid):
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def descriptors(pid):
    """What the process has open: {fd: target}."""
    found = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(fd.name)] = os.readlink(fd)
        except OSError:
            pass
    return found


def with_environment(marker):
    """Pids of the processes that have this text in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in path.read_bytes() and alive(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def resident_kb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def listens(port):
    """Whether somebody accepts connections on 127.0.0.1:port. Looks it up, for a connection would be counted."""
    wanted = f":{port:04X} "
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(wanted.strip()) and line.split()[3] == "0A" for line in lines)
