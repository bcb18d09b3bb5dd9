"""What scripts/bench prints: a line for each row, ratios for a comparison."""

POINTS = ("p50", "p90", "p99", "p99.9", "max")


def head(out):
    names = " ".join(f"{p:>9}" for p in POINTS)
    print(f"{'':33} {'':>6} {'rate':>10} {'ceiling':>7} {names}", file=out)


def times(hist):
    return " ".join(f"{hist[p]:9.1f}" for p in POINTS)


def row(title, label, row, ceiling, out):
    if "text" in row:
        print(f"{title:33} {row['text']}", file=out, flush=True)
        return
    share = f"{100 * row['rate'] / ceiling:5.0f} %" if ceiling else "      -"
    cpu = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row["cpu"].items())
    print(
        f"{title:33} {label:>6} {row['rate']:10.0f} {share} {times(row['answer_us'])}  cpu {cpu}", file=out, flush=True
    )
    if row.get("receipt_us", {}).get("count"):
        print(f"{'  to the receipt':51}         {times(row['receipt_us'])}", file=out)
    remarks = [row["note"]] if row.get("note") else []
    if row.get("peak"):
        remarks.append("peak " + ", ".join(f"{name} {mib:.0f}" for name, mib in row["peak"].items()))
    if row.get("late_us", {}).get("count"):
        late = row["late_us"]
        remarks.append(f"of it the driver was late {late['p50']:.1f} (p50), {late['p99']:.1f} (p99), {late['max']:.1f}")
    if row.get("driver_bound"):
        remarks.append("THE DRIVER IS THE BOTTLENECK: its core is full, no server's is")
    if row.get("lost") or row.get("errors"):
        remarks.append(f"LOST {row['lost']}, errors {row['errors']}")
    if remarks:
        print(f"{'':51} {'; '.join(remarks)}", file=out, flush=True)
