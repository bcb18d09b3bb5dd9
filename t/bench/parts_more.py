"""Parts of scripts/bench that ask one question each, beside the rate at a window: latency at half the rate, many
sessions, many workers, full tables, a reload under load, the start, idle sessions."""

import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import measure
import parts_rate
from rig import HERE

HALF_WINDOW = 4096  # at an offered rate: more than is ever unanswered, unless the server stops
OFFERED = 100_000
RULES, BINDS = 10_000, 100
PARKED = 1_100_000  # 2**20 is where Redis moves to a larger table: not while messages are counted
SCRIPT_LINES = 10_000


def latency(rig, script="reply.py"):
    """At half of what it does at window 256."""
    with rig.smscd(script, 1, rig.core(1)) as smscd:
        most = rig.load(smscd.port, "--window", 256, "--time", rig.args.seconds / 2)["rate"]
        usage = measure.Usage(smscd.processes())
        options = ["--window", HALF_WINDOW, "--rate", most / 2, "--time", rig.args.seconds]
        row = rig.row(rig.load(smscd.port, *options), usage)
        return {**row, "key": row["answer_us"]["p99"], "note": f"offered {most / 2:.0f}/s"}


def sessions(rig, count, of="worker 0"):
    """The same offered rate over so many sessions; of smppsim for what the sockets alone take."""
    sim = of == "smppsim"
    with rig.sim(cpu=rig.core(1)) if sim else rig.smscd("reply.py", 1, rig.core(1)) as server:
        usage = measure.Usage(server.processes())
        options = ["--connections", count, "--window", max(HALF_WINDOW // count, 16), "--bind-timeout", 60]
        options += ["--rate", OFFERED, "--time", rig.args.seconds]
        row = rig.row(rig.load(server.port, *options), usage)
        return {**row, "key": row["cpu"][of]}


def workers(rig, count):
    """Always 8 sessions, so that the driver does the same whatever the number of workers."""
    with rig.smscd("reply.py", count) as smscd:
        usage = measure.Usage(smscd.processes())
        options = ["--connections", 8, "--window", 128, "--time", rig.args.seconds]
        row = rig.row(rig.load(smscd.port, *options, pin=False), usage)
        cpu = row["cpu"]
        every = sum(cpu.pop(name) for name in list(cpu) if name.startswith("worker"))
        return {**row, "cpu": {**cpu, "workers": every}, "key": every}


def full_conf(rig):
    """gateway.conf with many binds and many routes, none of which is the one that is taken."""
    bind = (
        '    {{ name = "b{0}"; host = "127.0.0.1"; port = "${{BENCH_UPSTREAM_PORT}}"; system_id = "b{0}";'
        ' bind_type = "transmitter"; reconnect_min_ms = 100; }}'
    )
    rule = '    {{ prefix = "{0}"; chain = [ "bind:b{1}" ]; }}'
    numbers = random.Random(1).sample(range(50_000_000, 99_999_999), RULES)  # the messages go to 4479...
    text = (HERE / "gateway.conf").read_text()
    text = text.replace("\n);", ",\n" + ",\n".join(bind.format(i) for i in range(1, BINDS)) + "\n);")
    rules = ",\n".join(rule.format(n, 1 + n % (BINDS - 1)) for n in numbers)
    text = text.replace("routing = {", f"routing = {{\n  rules = (\n{rules}\n  );")
    path = Path(rig.dir) / "full.conf"
    path.write_text(text)
    return path


def park_receipts(smscd):
    """As many values as messages that wait for their receipts, of about their size; then Redis is to be at rest."""
    value = b"x" * 160
    with socket.socket(socket.AF_UNIX) as redis:
        redis.connect(str(Path(smscd.dir) / "run" / "redis.sock"))
        for_each_parked(redis, b"*3\r\n$3\r\nSET\r\n$28\r\n%b\r\n$160\r\n" + value + b"\r\n", b"+OK\r\n")
        wait_until_written_out(redis)
        # While it was, the table of keys did not grow. One more key begins that, and each command moves a little.
        redis.sendall(b"SET siphon:bench:parked x\r\n")
        drain(redis, len(b"+OK\r\n"))
        for_each_parked(redis, b"*2\r\n$6\r\nEXISTS\r\n$28\r\n%b\r\n", b":1\r\n")


def for_each_parked(redis, command, answer):
    answers = threading.Thread(target=lambda: drain(redis, PARKED * len(answer)))
    answers.start()
    for first in range(0, PARKED, 10_000):
        keys = (b"siphon:bench:parked:%08d" % n for n in range(first, first + 10_000))
        redis.sendall(b"".join(command % key for key in keys))
    answers.join()


def wait_until_written_out(redis):
    """Redis writes its file anew after so much, in a process of its own that would take a core during the run."""
    until = time.monotonic() + 60
    answer = redis.makefile("rb")
    while time.monotonic() < until:
        redis.sendall(b"INFO persistence\r\n")
        said = answer.read(int(answer.readline()[1:]) + 2)
        if b"aof_rewrite_in_progress:0" in said and b"aof_rewrite_scheduled:0" in said:
            return
        time.sleep(0.1)
    raise RuntimeError("Redis writes its file for over 60 s")


def drain(sock, octets):
    while octets > 0:
        octets -= len(sock.recv(1 << 20)) or octets


def tables(rig, full):
    if not full:
        return parts_rate.through(rig, 64)
    return parts_rate.through(rig, 64, full_conf(rig), park_receipts)


def big_script(rig):
    """reply.py with functions behind it that nobody calls, in all SCRIPT_LINES lines."""
    function = "def unused_{0}(a, b={0}):\n    if a > b:\n        return [a, b, 'text {0}']\n    return a * b + {0}\n\n"
    head = (HERE / "reply.py").read_text()
    count = (SCRIPT_LINES - head.count("\n")) // function.count("\n")
    path = Path(rig.dir) / "big.py"
    path.write_text(head + "\n\n" + "".join(function.format(i) for i in range(count)))
    return path


def reload(rig, times):
    """The latest answer while the script is loaded anew so many times."""
    with rig.smscd(big_script(rig), 1, rig.core(1)) as smscd:
        usage = measure.Usage(smscd.processes())

        def hang_up():
            for _ in range(times):
                time.sleep(rig.args.seconds / (times + 1))
                smscd.process.send_signal(signal.SIGHUP)

        signaller = threading.Thread(target=hang_up)
        signaller.start()
        options = ["--window", HALF_WINDOW, "--rate", 5000, "--time", rig.args.seconds + 0.5]
        row = rig.row(rig.load(smscd.port, *options), usage)
        signaller.join()
        seen = len(re.findall(r"\bscript .* loaded", smscd.said()))
        return {**row, "key": row["answer_us"]["max"], "note": f"{seen} reloads"}


def bound(port, until):
    """Connects and binds as soon as both are taken; the command_status."""
    body = b"esme1\0s3cret\0\0\x34\0\0\0"
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                s.sendall(struct.pack(">4I", 16 + len(body), 9, 0, 1) + body)
                return struct.unpack(">4I", s.recv(16, socket.MSG_WAITALL))[2]
        except (ConnectionError, struct.error):
            time.sleep(0.001)
    raise RuntimeError("no bind was accepted within 30 s")


def start(rig):
    begun = time.monotonic()
    with rig.smscd("reply.py", 2, wait=False) as smscd:
        status = bound(smscd.port, begun + 30)
        ms = (time.monotonic() - begun) * 1000
    return {"key": ms, "ms": ms, "text": f"{ms:.0f} ms to the first bind accepted (command_status {status})"}


def idle(rig):
    """Memory of idle sessions, and what they cost while nothing comes."""
    count = rig.args.sessions
    with rig.smscd("echo.py", 2) as smscd:
        processes = smscd.processes()
        empty = sum(measure.pss_mib(pid) for pid in processes.values())
        command = [str(rig.args.build / "smppload"), "--idle", "--port", str(smscd.port), "--bind-timeout", "60"]
        command += ["--connections", str(count)]
        with measure.Server(command, lambda line: line.endswith("sessions bound"), timeout=70):
            usage = measure.Usage(processes)
            subprocess.run(["sleep", str(rig.args.seconds)], check=True)
            cpu = usage.cpu()
            pss = {name: measure.pss_mib(pid) for name, pid in processes.items()}
            rss = {name: measure.rss_mib(pid) for name, pid in processes.items()}
    total = sum(pss.values())
    used = ", ".join(f"{name} {100 * s / rig.args.seconds:.1f} %" for name, s in cpu.items())
    sizes = ", ".join(f"{name} {mib:.0f}" for name, mib in rss.items())
    text = (
        f"{count} sessions: {total:.0f} MiB over all processes (PSS; {empty:.0f} without them), RSS {sizes};"
        f" of a core {used}"
    )
    return {"key": total, "sessions": count, "cpu_idle": cpu, "pss": pss, "rss": rss, "text": text}


# name: (title, [(label, run(rig))])
OTHER = {
    "latency": (
        "latency at half the most",
        [("reply", latency), ("echo", lambda rig: latency(rig, "echo.py"))],
    ),
    "sessions": (
        "100,000/s over N sessions",
        [(str(n), lambda rig, n=n: sessions(rig, n)) for n in (1, 10, 100, 1000)]
        + [(f"sim {n}", lambda rig, n=n: sessions(rig, n, "smppsim")) for n in (1, 10, 100)],
    ),
    "workers": ("reply, 8 sessions, N workers", [(str(n), lambda rig, n=n: workers(rig, n)) for n in (1, 2, 4, 8)]),
    "tables": (
        "gateway, tables and Redis",
        [("empty", lambda rig: tables(rig, False)), ("full", lambda rig: tables(rig, True))],
    ),
    "reload": (
        f"5,000/s, {SCRIPT_LINES} lines reloaded",
        [("never", lambda rig: reload(rig, 0)), ("3 x", lambda rig: reload(rig, 3))],
    ),
    "start": ("start, 2 workers", [("", start)]),
    "idle": ("idle sessions", [("", idle)]),
}


def cases(name):
    title, runs = OTHER[name]
    for label, run in runs:
        yield title, label, run
