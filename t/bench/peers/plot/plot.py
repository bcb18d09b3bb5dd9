#!/usr/bin/env python3
"""scripts/bench --peers: draws its results, plot.py RESULTS.json FILE.svg."""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "smscd", "font.size": 9})
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = ["#9ecae1", "#4292c6", "#08519c"]
HEADS = {
    "echo": "Answers a second: one session, an SMSC that gives each message an id",
    "gateway": "Messages a second through a gateway, each with its receipt",
}


def panel(axes, kind, rows, windows):
    """One group of bars for each server, one bar for each window."""
    height = 0.8 / len(windows)
    for i, window in enumerate(windows):
        rates = [row["windows"][window]["rate"] for row in rows]
        places = [at + (i - (len(windows) - 1) / 2) * height for at in range(len(rows))]
        bars = axes.barh(places, rates, height, color=COLOURS[i % len(COLOURS)], label=f"window {window}")
        axes.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3, fontsize=7)
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.invert_yaxis()
    axes.set_title(HEADS[kind], loc="left", fontsize=10)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        results = json.load(f)
    windows = [str(w) for w in results["windows"]]
    kinds = {}
    for row in results["rows"]:
        if "windows" in row:
            kinds.setdefault(row["kind"], []).append(row)
    counts = [len(rows) for rows in kinds.values()]
    figure, all_axes = plt.subplots(
        len(kinds), 1, figsize=(9, 1.2 + 0.62 * sum(counts)), height_ratios=counts, squeeze=False, layout="constrained"
    )
    for axes, (kind, rows) in zip(all_axes[:, 0], kinds.items(), strict=True):
        panel(axes, kind, rows, windows)
    all_axes[0, 0].legend(frameon=False, loc="lower right")
    figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
