"""The processes that scripts/bench measures, and one run of the driver against them as a row of figures."""

import json
import os
import re
import tempfile
from pathlib import Path

import measure

TOP = Path(__file__).resolve().parent.parent.parent
HERE = TOP / "t" / "bench"
BUSY = 0.9  # of a core: from there on a process sets the pace


class Rig:
    """Runs the servers of one build folder, with the driver of another (by default the same)."""

    def __init__(self, args, directory, build=None):
        self.args = args
        self.dir = directory
        self.build = build or args.build
        self.cores = sorted(os.sched_getaffinity(0))[:2]

    def core(self, i):
        return self.cores[i] if len(self.cores) > i else None

    def load(self, port, *more, pin=True, build=None, under=()):
        """smppload's result, with what it used. under: a command that runs it."""
        command = [*under, str((build or self.args.build) / "smppload"), "--quiet", "--json", "--port", str(port)]
        command += map(str, more)
        ran = measure.run(command, self.core(0) if pin else None, timeout=self.args.seconds + 90)
        if not ran["out"]:
            raise RuntimeError(f"smppload ended with {ran['status']}:\n{ran['err']}")
        return {**json.loads(ran["out"]), "load_cpu": ran["cpu"], "load_peak": ran["peak"], "err": ran["err"]}

    def sim(self, *more, cpu=None, build=None):
        command = [str((build or self.args.build) / "smppsim"), "--port", "0", "--quiet", *map(str, more)]
        server = measure.Server(command, lambda line: line.startswith("listening on"), cpu)
        server.port = int(server.ready_line.rpartition(":")[2])
        return server

    def smscd(self, script, workers, cpu=None, conf="esme.conf", upstream=0, wait=True):
        """smscd with a script of t/bench (or a path)."""
        directory = tempfile.mkdtemp(dir=self.dir)
        port = measure.free_port()
        env = {
            "BENCH_DIR": directory,
            "BENCH_PORT": str(port),
            "BENCH_SCRIPT": str(HERE / script),
            "BENCH_WORKERS": str(workers),
            "BENCH_UPSTREAM_PORT": str(upstream),
        }
        command = [str(self.build / "smscd"), "-c", str(HERE / conf)]
        ready = (lambda line: re.search(r"\bready(:|$)", line)) if wait else None
        server = measure.Server(command, ready, cpu, env)
        server.port, server.dir = port, directory
        return server

    def row(self, result, usage, others=()):
        """One run of smppload: rate, times, and what each process used for a million messages."""
        count = max(result["sent"], 1)
        cpu = {"smppload": result["load_cpu"], **usage.cpu()}
        peak = {"smppload": result["load_peak"], **usage.peak()}
        for name, other in others:
            cpu[name], peak[name] = other.cpu()[name], other.peak()[name]
        return {
            "rate": result["rate"],
            "answer_us": result["answer_us"],
            "receipt_us": result["receipt_us"],
            "late_us": result.get("late_us", {}),
            "lost": result["lost"],
            "errors": result["errors"],
            "cpu": {name: seconds * 1e6 / count for name, seconds in cpu.items()},
            "peak": peak,
            "driver_bound": driver_bound(cpu, result["seconds"]),
        }


def driver_bound(cpu, seconds):
    """Whether smppload filled its core while no server filled one."""
    if cpu["smppload"] < BUSY * seconds:
        return False
    return all(used < BUSY * seconds for name, used in cpu.items() if name != "smppload")
