"""One smscd under test: its configuration and script, its process, its log, and what its script recorded."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import textwrap
import uuid
from pathlib import Path

from . import libconfig, proc, smpp_raw
from .logs import Output

# Scripts say `from e2e_record import record`; the test reads it back with `records`.
RECORD_MODULE = """
import json, os
from pathlib import Path

_PATH = str(Path(__file__).with_name("records.jsonl"))

def record(_kind, **values):
    values["kind"], values["pid"] = _kind, os.getpid()
    line = json.dumps(values, default=repr) + "\\n"
    with open(_PATH, "ab", buffering=0) as f:
        f.write(line.encode())
"""

# What most scripts begin with.
OPEN = """
import asyncio, os
from siphon import smpp, cache, log, receipts
from e2e_record import record

@smpp.on_bind
async def on_bind(bind):
    return bind.accept()
"""

SANITIZER = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "UndefinedBehaviorSanitizer")


class Daemon:
    """Made by the fixture `smscd`. Everything lies in a short directory under /tmp: a socket's path has 107 octets."""

    def __init__(self, text=OPEN, binary=None, environ=None, **settings):
        self.dir = Path(tempfile.mkdtemp(prefix="smscd-", dir="/tmp"))
        self.script_path = self.dir / "script.py"
        self.conf_path = self.dir / "smscd.conf"
        self.records_path = self.dir / "records.jsonl"
        (self.dir / "e2e_record.py").write_text(RECORD_MODULE)
        self.marker = f"SMSCD_TEST={uuid.uuid4()}"
        self.binary = binary or proc.build_dir() / "smscd"
        self.environ = environ or {}
        self.port = proc.free_port()
        self.allow_alerts = self.allow_leftovers = False
        self.process = self.log = None
        self.write_script(text)
        self.settings = self._settings(settings)
        self.write_conf()

    def _settings(self, given):
        server = {"bind_address": "127.0.0.1", "port": self.port, **given.pop("server", {})}
        return {"script": "script.py", "workers": 1, "drain_timeout_ms": 1000, **given, "server": server}

    def write_script(self, script, name="script.py"):
        """At once, so that a reload never sees half of it."""
        path = self.dir / name
        path.with_suffix(".new").write_text(textwrap.dedent(script))
        path.with_suffix(".new").replace(path)

    def write_conf(self, text=None):
        self.conf_path.write_text(libconfig.text(self.settings) if text is None else text)

    def environment(self):
        name, value = self.marker.split("=")
        return {**os.environ, name: value, "PYTHONDONTWRITEBYTECODE": "1", **self.environ}

    def run(self, *args, timeout=30):
        """Runs smscd to its end (-t, -V, a start that fails)."""
        return subprocess.run(
            [self.binary, *args], env=self.environment(), capture_output=True, text=True, timeout=timeout
        )

    def start(self, wait=True):
        self.process = subprocess.Popen(
            [self.binary, "-c", self.conf_path],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.log = Output(self.process.stderr)
        if wait:
            self.log.wait(r"\bmaster(: |\", ?\"message\": ?\")ready", timeout=30)
        return self

    @property
    def pid(self):
        return self.process.pid

    def worker_pids(self):
        return [p for p in proc.children(self.pid) if proc.alive(p) and "redis" not in proc.command_line(p)]

    def redis_pids(self):
        return [p for p in proc.children(self.pid) if proc.alive(p) and "redis" in proc.command_line(p)]

    def signal(self, number, pid=None):
        os.kill(pid or self.pid, number)

    def reload(self):
        """SIGHUP, and the master's word about what came of it."""
        mark = self.log.mark()
        self.signal(signal.SIGHUP)
        return self.log.wait("master: reload", since=mark)

    # applications
    def connect(self, **kwargs):
        return smpp_raw.connect(self.port, **kwargs)

    def bind(self, system_id="esme1", **kwargs):
        return smpp_raw.bind(self.port, system_id, **kwargs)

    # what the script said
    def records(self, kind=None):
        if not self.records_path.exists():
            return []
        lines = self.records_path.read_bytes().split(b"\n")[:-1]
        return [r for r in map(json.loads, lines) if kind in (None, r["kind"])]

    def wait_records(self, kind, count=1, timeout=15.0):
        try:
            return proc.wait_until(
                lambda: len(found := self.records(kind)) >= count and found, timeout, f"{count} records {kind!r}"
            )
        except AssertionError as e:
            raise AssertionError(f"{e}; there are {self.records()}; the log:\n{self.log.text()}") from None

    # the end
    def stop(self, timeout=20):
        """SIGTERM, and exit status 0."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"smscd did not stop in {timeout} s:\n{self.log.text()}") from None
        return self.process and self.process.returncode

    def leftovers(self):
        return {p: proc.command_line(p) for p in proc.with_environment(self.marker)}

    def problems(self):
        """What no run may show: alerts, sanitizer reports, processes that stay behind."""
        lines = self.log.lines if self.log else []
        found = [line.raw for line in lines if line.level == "alert" and not self.allow_alerts]
        found += [line.raw for line in lines if any(word in line.raw for word in SANITIZER)]
        if not self.allow_leftovers:
            try:
                proc.wait_until(lambda: not self.leftovers(), 5)
            except AssertionError:
                found.append(f"left behind: {self.leftovers()}")
        return found

    def destroy(self):
        for pid in proc.with_environment(self.marker):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait(10)
            self.process.stderr.close() if self.log.ended else None
        shutil.rmtree(self.dir, ignore_errors=True)
