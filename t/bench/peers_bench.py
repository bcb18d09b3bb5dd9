"""scripts/bench --peers: what other packages do beside smscd, under the same driver, in one run.

Each is an SMSC that answers every submit_sm with an id of its own, or a gateway between smppload and smppsim that
brings each message's receipt back. Before it is timed it has to answer all of a first load rightly. Nothing is bound
to a core."""

import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent / "peers"
JASMIN = "Python, Twisted, with RabbitMQ and Redis"
CHECKED = {"echo": 20000, "gateway": 1000}
NEEDS = {"jsmpp": "javac mvn", "cloudhopper": "javac mvn", "smpp34": "cargo", "npm_smpp": "node npm"}
NEEDS["jasmin"] = "redis-server epmd"


@dataclass
class Peer:
    name: str
    title: str
    kind: str
    what: str  # for the table
    delay_ms: int = 0  # from the upstream's answer to its receipt


PEERS = [
    Peer("echo", "smscd", "echo", "Python reads both addresses and the body, 1 worker"),
    Peer("jsmpp", "jsmpp 3.0.1", "echo", "Java, pduProcessorDegree 3 (default)"),
    Peer("cloudhopper", "Cloudhopper 5.0.9", "echo", "Java, com.fizzed:ch-smpp, Netty 3"),
    Peer("smpp34", "smpp34 1.5.1", "echo", "Rust, tokio with its default of a thread for each core"),
    Peer("npm_smpp", "npm smpp 0.5.1", "echo", "JavaScript, Node.js"),
    Peer("gateway", "smscd", "gateway", "examples/gateway.py, 2 workers, its own Redis", 200),
    Peer("jasmin", "Jasmin 0.11.0", "gateway", JASMIN, 200),
    Peer("jasmin", "Jasmin 0.11.0, late receipts", "gateway", f"{JASMIN}; receipts after 2 s", 2000),
]


def tree(pid):
    """The process and all below it."""
    return [pid, *(p for child in measure.children(pid) for p in tree(child))]


def cpu_of(pid):
    total = 0
    for process in tree(pid):
        try:
            total += measure.cpu_seconds(process)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


class PeerBench:
    def __init__(self, args, rig):
        self.args = args
        self.rig = rig
        self.built = args.build / "peers"

    def prepare(self, peer):
        """Fetches and builds what is not ours."""
        if peer.name not in NEEDS and peer.name != "plot":
            return
        missing = [c for c in NEEDS.get(peer.name, "").split() if not shutil.which(c)]
        if missing:
            raise RuntimeError(f"{', '.join(missing)} not installed: scripts/bootstrap --peers")
        ran = subprocess.run([HERE / "build", self.built, peer.name], capture_output=True, text=True, timeout=1200)
        if ran.returncode:
            said = (ran.stderr.strip() or ran.stdout.strip() or f"status {ran.returncode}").splitlines()
            raise RuntimeError("not built: " + " ".join(said[-3:]))

    def command(self, peer, port):
        built = self.built / peer.name
        return {
            "jsmpp": ["java", "-cp", f"{built}/classes:{built}/jars/*", "Echo", str(port), "3"],
            "cloudhopper": ["java", "-cp", f"{built}/classes:{built}/jars/*", "Echo", str(port)],
            "smpp34": [str(built / "release" / "bench-smpp34"), str(port)],
            "npm_smpp": ["node", str(built / "echo.js"), str(port)],
        }[peer.name]

    def server(self, peer, upstream):
        if peer.name == "echo":
            return self.rig.smscd("echo.py", 1)
        if peer.name == "gateway":
            script = HERE.parent.parent.parent / "examples" / "gateway.py"
            return self.rig.smscd(script, 2, conf="gateway.conf", upstream=upstream)
        port = measure.free_port()
        if peer.name == "jasmin":
            files = tempfile.mkdtemp(dir=self.rig.dir)
            command = [sys.executable, str(HERE / "jasmin" / "gateway.py"), str(self.built / "jasmin" / "venv"), files]
            command += [str(port), str(upstream)]
        else:
            command = self.command(peer, port)
        command = ["setpriv", "--pdeathsig", "TERM", *command]  # it ends with us, however we end
        env = {"NODE_ENV": "production"}
        server = measure.Server(command, lambda line: line == "listening", env=env, timeout=120)
        server.port = port
        return server

    def load(self, peer, server, *options):
        if peer.kind == "gateway":
            options += ("--receipts", "--receipt-timeout", 30)
        return self.rig.load(server.port, *options, pin=False)

    def check(self, peer, server):
        """Every message of a first load is accepted, with an id that no other has, and has its receipt."""
        count = CHECKED[peer.kind]
        with tempfile.NamedTemporaryFile("r", dir=self.rig.dir) as log:
            result = self.load(peer, server, "--count", count, "--window", 64, "--log", log.name)
            events = [line.rstrip("\n").split("\t") for line in log]
        ids = {e[3] for e in events if e[2] == "submit_resp" and e[6] == "ESME_ROK"}
        right = result["accepted"] == count and len(ids) == count and not result["lost"] and not result["errors"]
        if not right:
            raise RuntimeError(
                f"answers are wrong: of {count} messages {result['accepted']} accepted, {len(ids)} ids,"
                f" {result['lost']} lost, errors {result['errors']}"
            )

    def run(self, peer, server, window):
        before = cpu_of(server.process.pid)
        result = self.load(peer, server, "--window", window, "--time", self.args.seconds)
        if result["lost"] or result["errors"]:
            raise RuntimeError(f"window {window}: {result['lost']} lost, errors {result['errors']}")
        rate = result["rate"]
        if peer.kind == "gateway":
            rate = result["receipts"] / max(result["seconds"] - peer.delay_ms / 1000, 0.001)  # until the last receipt
        cpu = (cpu_of(server.process.pid) - before) * 1e6 / max(result["sent"], 1)
        return {"rate": rate, "cpu_us": cpu, "answer_us": result["answer_us"]}

    def windows(self, peer, server):
        """The run of median rate for each window; the first run is not counted, compilers warm up in it."""
        rows = {}
        for window in self.args.windows:
            runs = [self.run(peer, server, window) for _ in range(self.args.repeat + 1)][1:]
            middle = statistics.median_low([run["rate"] for run in runs])
            rows[window] = next(run for run in runs if run["rate"] == middle)
        return rows

    def measure(self, peer):
        self.prepare(peer)
        if peer.kind == "echo":
            with self.server(peer, 0) as server:
                self.check(peer, server)
                return self.windows(peer, server)
        options = ["--deliver-window", 256, "--window", 10000, "--receipt-delay-ms", peer.delay_ms, "--time", 3600]
        with self.rig.sim(*options) as sim:
            with self.server(peer, sim.port) as server:
                self.check(peer, server)
                return self.windows(peer, server)

    def row(self, peer):
        row = {"name": peer.name, "title": peer.title, "kind": peer.kind, "what": peer.what}
        try:
            row["windows"] = self.measure(peer)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
            row["not_measured"] = str(e)
        return row


def line(row, windows, ours):
    """A line of the table: rates, CPU at the widest window, and how many times as much smscd does at each window."""
    title = row["title"]
    if "windows" not in row:
        return f"| {title} | not measured: {row['not_measured']} |" + " |" * (len(windows) + 1)
    cells = [f"{row['windows'][w]['rate']:,.0f}" for w in windows]
    widest = row["windows"][windows[-1]]
    times = [f"{ours['windows'][w]['rate'] / row['windows'][w]['rate']:.1f}" for w in windows if ours]
    share = "" if row is ours else " / ".join(times)
    return f"| **{title}**: {row['what']} | " + " | ".join([*cells, f"{widest['cpu_us']:.1f}", share]) + " |"


def table(results, kind):
    windows = results["windows"]
    rows = [row for row in results["rows"] if row["kind"] == kind]
    ours = next((row for row in rows if row["title"] == "smscd" and "windows" in row), None)
    what = "answers" if kind == "echo" else "messages with their receipts"
    heads = [f"{what} a second at window", *map(str, windows), f"CPU µs each at {windows[-1]}"]
    heads.append("smscd does, times, at " + " / ".join(map(str, windows)))
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(windows) + 2) + "|"]
    return "\n".join(lines + [line(row, windows, ours) for row in rows])


def when(args):
    cores = len(os.sched_getaffinity(0))
    runs = "one run" if args.repeat == 1 else f"the median of {args.repeat} runs"
    day = datetime.date.today().isoformat()
    return f"{day}, {cores} cores, Linux {platform.machine()}, {runs} of {args.seconds:g} s each."


def report(bench, results, directory):
    """Writes peers.md and peers.svg."""
    bench.prepare(Peer("plot", "", "", ""))
    python = bench.built / "plot" / "venv" / "bin" / "python"
    with tempfile.NamedTemporaryFile("w", dir=bench.rig.dir, suffix=".json") as f:
        json.dump(results, f)
        f.flush()
        subprocess.run([python, HERE / "plot" / "plot.py", f.name, directory / "peers.svg"], check=True)
    text = (HERE / "about.md").read_text(encoding="utf-8")
    for name in ("echo", "gateway"):
        text = text.replace(f"@{name}@", table(results, name))
    (directory / "peers.md").write_text(text.replace("@when@", results["when"]), encoding="utf-8")


def run(args, rig, out):
    if args.report:
        args.report.mkdir(parents=True, exist_ok=True)
    bench = PeerBench(args, rig)
    results = {"windows": args.windows, "when": when(args), "rows": []}
    for peer in PEERS:
        row = bench.row(peer)
        results["rows"].append(row)
        print(line(row, args.windows, None), file=out, flush=True)
        results["failed"] = results.get("failed", False) or "not_measured" in row
    for kind in ("echo", "gateway"):
        print("\n" + table(results, kind), file=out)
    if args.report:
        report(bench, results, args.report)
    return results
