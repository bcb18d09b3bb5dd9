"""Parts of scripts/bench that are run at each window: how many messages a second, and what each costs."""

import json
import shutil
from pathlib import Path

import measure


def floor(rig, window):
    """The exchange in bare C."""
    cpus = [str(c) for c in rig.cores] if len(rig.cores) > 1 else []
    ran = measure.run([str(rig.args.build / "echo_floor"), str(window), str(rig.args.seconds), "40", *cpus])
    result = json.loads(ran["out"])
    cpu = {"driver": result["driver_cpu"], "server": result["server_cpu"]}
    return {
        "rate": result["rate"],
        "answer_us": result["answer_us"],
        "cpu": {name: s * 1e6 / max(result["sent"], 1) for name, s in cpu.items()},
    }


def ceiling(rig, window):
    """Both tools are those of the build that is measured."""
    with rig.sim("--deliver-window", window, "--window", 1000, cpu=rig.core(1), build=rig.build) as sim:
        usage = measure.Usage(sim.processes())
        options = ["--window", window, "--time", rig.args.seconds]
        row = rig.row(rig.load(sim.port, *options, build=rig.build), usage)
        return {**row, "driver_bound": False}  # the driver is what is measured


def handler(script, workers=1):
    """Messages that the script answers: one worker has a core of its own, several share both with the driver."""

    def run(rig, window):
        connections = min(workers, window)
        one = workers == 1
        with rig.smscd(script, workers, rig.core(1) if one else None) as smscd:
            usage = measure.Usage(smscd.processes())
            options = ["--connections", connections, "--window", window // connections, "--time", rig.args.seconds]
            return rig.row(rig.load(smscd.port, *options, pin=one), usage)

    return run


def calls(rig, window):
    """System calls of the worker for a message, as `perf` counts them where it may."""
    counted = Path(rig.dir) / "calls"
    with rig.smscd("reply.py", 1, rig.core(1)) as smscd:
        worker = str(smscd.processes()["worker 0"])
        perf = ["perf", "stat", "-x", ",", "-o", str(counted), "-e", "raw_syscalls:sys_enter", "-p", worker, "--"]
        options = ["--window", window, "--time", rig.args.seconds]
        result = rig.load(smscd.port, *options, under=perf if shutil.which("perf") else ())
    lines = counted.read_text().splitlines() if counted.exists() else []
    first = next((line.split(",")[0] for line in lines if "sys_enter" in line), "")
    each = int(first) / max(result["sent"], 1) if first.isdigit() else None
    text = f"{each:.3f} a message, {result['rate']:.0f} messages/s" if each is not None else "perf does not count here"
    return {"key": each or 0, "text": f"window {window}: {text}"}


def through(rig, window, conf="gateway.conf", prepare=None):
    """The gateway: a message through the worker to an upstream, its receipt back to the application."""
    connections = min(2, window)
    with rig.sim("--deliver-window", 256, "--window", 10000) as sim:
        with rig.smscd("../../examples/gateway.py", 2, conf=conf, upstream=sim.port) as smscd:
            if prepare:
                prepare(smscd)
            usage, upstream = measure.Usage(smscd.processes()), measure.Usage(sim.processes())
            options = ["--connections", connections, "--window", window // connections]
            options += ["--time", rig.args.seconds, "--receipts", "--receipt-timeout", 10]
            result = rig.load(smscd.port, *options, pin=False)
            row = rig.row(result, usage, [("smppsim", upstream)])
            row["rate"] = result["receipts"] / max(result["seconds"], 0.001)  # until the last receipt
            return row


# name: (title, run(rig, window), windows that are of interest; None: all that are asked for)
WINDOWED = {
    "floor": ("bare C exchange", floor, None),
    "ceiling": ("smppload - smppsim", ceiling, None),
    "reply": ("handler that replies", handler("reply.py"), (1, 64, 256)),
    "calls": ("system calls of the worker", calls, (1, 64, 256)),
    "echo1": ("echo script, 1 worker", handler("echo.py"), None),
    "echo2": ("echo script, 2 workers", handler("echo.py", 2), None),
    "sleep": ("await asyncio.sleep(0)", handler("sleep.py"), (64, 256)),
    "lookup": ("await cache.get()", handler("lookup.py"), (64, 256)),
    "gateway": ("gateway with receipts, 2 workers", through, None),
}


def cases(name, windows):
    title, run, some = WINDOWED[name]
    for window in windows:
        if some is None or window in some:
            yield title, window, lambda rig, w=window: run(rig, w)
