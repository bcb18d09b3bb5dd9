"""Two revisions of smscd alternately under the same driver, scripts and settings (those of this tree), as ratios."""

import contextlib
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

from rig import TOP, Rig

RUNS_MIN = 3


@contextlib.contextmanager
def worktree(rev, directory):
    """REV checked out and built like the build folder of this tree."""
    path = Path(directory) / "rev"
    subprocess.run(["git", "-C", TOP, "worktree", "add", "--quiet", "--detach", path, rev], check=True)
    try:
        yield path
    finally:
        subprocess.run(["git", "-C", TOP, "worktree", "remove", "--force", path], check=True)


def build_as(path, build):
    """Configured with the same arguments: the same flags, the same Python."""
    asked = subprocess.run([build / "config.status", "--config"], check=True, capture_output=True, text=True).stdout
    command = [path / "scripts" / "build", path / "build", *shlex.split(asked)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return path / "build"


def smscd_cpu(row):
    """CPU for a message of all that belongs to smscd, Redis too; without smscd, of both tools."""
    ours = [seconds for name, seconds in row["cpu"].items() if name not in ("smppload", "smppsim")]
    return sum(ours or row["cpu"].values())


def ratios(pairs, of):
    """ "median (lowest - highest)" of the pairs' ratios, new to old."""
    found = [of(new) / of(old) for old, new in pairs if of(old)]
    if not found:
        return "-"
    return f"{statistics.median(found):.3f} ({min(found):.3f} - {max(found):.3f})"


def measure_pairs(run, old, new, count):
    """Old, new, new, old, ...: a drift of the machine hits both alike."""
    pairs = []
    for i in range(count):
        rigs = (old, new) if i % 2 == 0 else (new, old)
        rows = [run(rig) for rig in rigs]
        pairs.append(tuple(rows if i % 2 == 0 else reversed(rows)))
    return pairs


def show(title, label, pairs, out):
    if "rate" in pairs[0][0]:
        columns = [ratios(pairs, lambda r: r["rate"]), ratios(pairs, smscd_cpu)]
        columns.append(ratios(pairs, lambda r: r.get("key", r["answer_us"]["p99"])))
    else:
        columns = ["-", "-", ratios(pairs, lambda r: r["key"])]
    print(f"{title:33} {label!s:>6} " + " ".join(f"{c:>23}" for c in columns), file=out, flush=True)


def run(rev, rig, cases, out):
    count = max(rig.args.repeat, RUNS_MIN)
    subprocess.run([TOP / "scripts" / "build", rig.build], check=True, stdout=sys.stderr)
    results = {"compared_with": rev, "runs": count}
    with worktree(rev, rig.dir) as path:
        old = Rig(rig.args, rig.dir, build_as(path, rig.build))
        print(f"{'this tree to ' + rev:40} {'rate':>23} {'CPU a message':>23} {'p99 (or the figure)':>23}", file=out)
        for part, title, label, run_case in cases:
            if part == "floor":
                continue
            try:
                pairs = measure_pairs(run_case, old, rig, count)
            except (RuntimeError, OSError) as e:
                results["failed"] = True
                print(f"{title} {label}: {e}", file=out)
                continue
            results.setdefault(part, {})[label] = [{"old": a, "new": b} for a, b in pairs]
            show(title, label, pairs, out)
    return results
