"""Processes as scripts/bench sees them: CPU seconds, peak and proportional memory from /proc, and starting and
stopping those it started itself."""

import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stat(pid):
    """The fields of /proc/PID/stat after the name, from `state` on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid):
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK


def children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(stat(entry.name)[1]) == pid:
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return sorted(found)


def kib(pid, file, name):
    """A line "Name:  123 kB" of a file under /proc/PID."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def peak_mib(pid):
    return kib(pid, "status", "VmHWM") / 1024


def pss_mib(pid):
    return kib(pid, "smaps_rollup", "Pss") / 1024


def rss_mib(pid):
    return kib(pid, "status", "VmRSS") / 1024


def pinned(command, cpu):
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


class Server:
    """A process of ours that serves until stop(); `ready` tells the line that it writes when it does (None: not waited
    for)."""

    def __init__(self, command, ready, cpu=None, env=None, timeout=30):
        self.output = tempfile.TemporaryFile()  # a pipe would fill
        self.process = subprocess.Popen(
            pinned(command, cpu),
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        try:
            self.ready_line = self._wait_for(ready, timeout) if ready else None
        except BaseException:
            self.stop()
            raise

    def said(self):
        size = os.fstat(self.output.fileno()).st_size
        return os.pread(self.output.fileno(), size, 0).decode(errors="replace")

    def _wait_for(self, ready, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            for line in self.said().splitlines():
                if ready(line):
                    return line
            if ended:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.process.args} did not start:\n{self.said()[-2000:]}")

    def processes(self):
        """{name: pid} of it and its children."""
        pid = self.process.pid
        below = children(pid)
        redis = [p for p in below if "redis" in Path(f"/proc/{p}/comm").read_text()]
        named = {"master": pid} if below else {Path(f"/proc/{pid}/comm").read_text().strip(): pid}
        workers = [p for p in below if p not in redis]
        named.update({f"worker {i}": p for i, p in enumerate(workers)})
        if redis:
            named["redis"] = redis[-1]
        return named

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


class Usage:
    """CPU seconds of processes between its making and `cpu()`, and their peak memory."""

    def __init__(self, processes):
        self.processes = processes
        self.before = {name: cpu_seconds(pid) for name, pid in processes.items()}

    def cpu(self):
        return {name: cpu_seconds(pid) - self.before[name] for name, pid in self.processes.items()}

    def peak(self):
        return {name: peak_mib(pid) for name, pid in self.processes.items()}


def run(command, cpu=None, timeout=120):
    """Runs to the end: its output, exit status, CPU seconds and peak MiB."""
    process = subprocess.Popen(
        pinned(command, cpu), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    killer = time.monotonic() + timeout
    out = process.stdout
    text = ""
    while True:
        if time.monotonic() > killer:
            process.kill()
            process.wait()
            raise RuntimeError(f"{command[0]} did not end within {timeout} s")
        if select.select([out], [], [], 0.2)[0]:
            data = os.read(out.fileno(), 65536).decode()
            if not data:
                break
            text += data
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    errors = process.stderr.read()
    out.close()
    process.stderr.close()
    return {
        "out": text,
        "err": errors,
        "status": process.returncode,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
    }
