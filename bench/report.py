"""What FinBench measured, as a page of tables: the bounds first, with met or not met, then each size."""
import datetime

import edge

BIG = "## A file of 5 GB in 512 MiB"
QUERIES = {
    "Q1": "daily cost by service, 90 days",
    "Q2": "top 20 resources, 30 days, with the 30 before",
    "Q3": "a virtual tag of 200 rules by day, 13 months",
    "Q3e": "the same with one rule edited, from the document to the answer",
    "Q3p": "preview of the tag with one rule edited, 13 months",
    "Q6": "13-month totals of five cost types",
    "Q9": "distinct services",
}
EDGE = {"Q3": "virtual tag of 200 rules by day, 13 months", "Q3e": "one of its rules edited and saved, then Q3",
        "Q4": "three shared pools spread by cost, usage and fixed shares, by day, 13 months", "Q12": "Q1 by somebody who sees 7 of 60 teams",
        "Q13": "dashboard of 12 panels at once"}
# finbench.md section 3: p95 at the edge in ms: S, M and L hot, L cold
TARGETS = {"Q1": (4, 8, 60, 400), "Q2": (6, 25, 200, 800), "Q3": (8, 40, 250, 1200), "Q3e": (50, 250, 1000, None), "Q4": (15, 80, 500, 1500), "Q5": (60, 500, 4000, 6000),
           "Q6": (3, 20, 200, 1500), "Q8": (8, 50, 400, 1000), "Q9": (2, 3, 5, 50), "Q13": (30, 150, 1000, None)}
DISK_MB, RSS_MB = (30, 280, 2800), (300, 600, 2048)
LOADS = {"Parquet": None, "CSV.gz": (3, 25, 270)}
SIZES = {1_000_000: 0, 10_000_000: 1, 100_000_000: 2}


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "|".join(" --- " for _ in head) + "|"]
    return "\n".join(out + ["| " + " | ".join(r) + " |" for r in rows])


def other_sections(path, big):
    """The report's text: the section that `script/bench big` wrote, or all but that."""
    page = path.read_text() if path.exists() else "# Results of FinBench\n"
    rest, mark, section = page.partition(BIG)
    return (mark + section) if big else rest


def name_of(rows):
    return f"{rows // 1_000_000}M rows" if rows >= 1_000_000 else f"{rows // 1000}k rows"


def ms(x):
    return f"{x:,.0f} ms" if x >= 100 else f"{x:.1f} ms" if x >= 1 else f"{x:.2f} ms"


def bound(value, most, form="{:.2f}"):
    """A figure and whether it keeps under its bound."""
    return f"{form.format(value)}, " + ("met" if value <= most else "**not met**")


def loads(r):
    return {k: v for n in ("load Parquet", "load CSV.gz") for k, v in r.get(n, {}).items()}


def disk(r):
    p = r["load Parquet"]["Parquet"]
    return p["bills"] + p["ledger"] + p["segments"] + p["other"]


def by_number(name):
    return int("".join(c for c in name if c.isdigit())), name


def floors(r):
    """The plain loop over the rows that a question is about: name -> (ms, what)."""
    f = r["floor"]
    return {"Q1": (f["Q1"]["day-service"]["all_ms"], "by day and service over the rows of 90 days"),
            "Q3": (f["all"]["day-tag"]["all_ms"], "by day and tag through a table, all rows"),
            "Q6": (5 * f["all"]["sum"]["all_ms"], "five sums of all rows")}


def worst_q14(r):
    q = r["Q14"]
    return max(q["busy"][n]["p95_ms"] / q["idle"][n]["p95_ms"] for n in q["idle"])


def bounds_table(results):
    """Issue 6, "Must show"."""
    e, theirs = (lambda r: r["edge"]["hot"]), (lambda r: r["DuckDB"]["queries"])
    ratio = lambda q: (lambda r: bound(e(r)[q]["p95_ms"] / floors(r)[q][0], 4))
    faster = lambda q, n: (lambda r: (lambda x: f"{x:,.1f}" + (", met" if x >= n else ", **not met**"))(theirs(r)["Qedge" + q]["hot_ms"] / e(r)[q]["p50_ms"]))
    share = lambda r: r["I3"]["rows"] / r["rows"]
    i1 = lambda r, n="Parquet": min(loads(r)[n]["ours"])
    rows = [
        *((f"{q} at the edge, p95: times the raw floor (at most 4)", ratio(q)) for q in ("Q1", "Q3", "Q6")),
        ("Q1 at the edge, p50: times faster than DuckDB (at least 2)", faster("Q1", 2)),
        ("Q3 at the edge, p50: times faster than DuckDB (at least 100)", faster("Q3", 100)),
        ("Q3e, p50: times Q3 (at most 5)", lambda r: bound(e(r)["Q3e"]["p50_ms"] / e(r)["Q3"]["p50_ms"], 5)),
        ("Q9, p50 (constant)", lambda r: ms(e(r)["Q9"]["p50_ms"])),
        ("Q13, p50: times its slowest panel alone (at most 4)", lambda r: bound(e(r)["Q13"]["p50_ms"] / r["edge"]["slowest_panel"], 4)),
        ("Q14, worst p95: times the idle p95 (at most 3)", lambda r: bound(worst_q14(r), 3)),
        *((f"I1 {n}: times DuckDB's time (at most 1)", lambda r, n=n: bound(i1(r, n) / min(loads(r)[n]["theirs"]), 1) if n in loads(r) else "") for n in LOADS),
        ("I2: part of I1 (at most 0.1)", lambda r: bound(r["I2"]["seconds"] / i1(r), 0.1, "{:.3f}")),
        ("I3: part of I1, beside its part of the rows", lambda r: f"{r['I3']['seconds'] / i1(r):.2f} beside {share(r):.2f}"),
        ("peak of the server at questions (at most 2,048 MB)", lambda r: bound(r["edge"]["peak"], 2048, "{:,.0f} MB")),
        ("peak of a load (at most --memory)", lambda r: bound(max(v["peak"] for v in loads(r).values()), r["memory"], "{:,.0f} MB")),
        ("on disk: part of DuckDB's flat table (at most 1)", lambda r: bound(disk(r) / r["load Parquet"]["Parquet"]["flat"], 1)),
    ]
    return table(["", *(name_of(r["rows"]) for r in results)], [[what, *(f(r) for r in results)] for what, f in rows])


def targets_table(results):
    """finbench.md section 3."""
    rows = []
    for q, targets in TARGETS.items():
        cells = []
        for r in results:
            at, v = SIZES.get(r["rows"]), r["edge"]["hot"][q]
            cells.append(bound(v["p95_ms"], targets[at], "{:,.1f} ms of " + f"{targets[at]:,}") if at is not None else ms(v["p95_ms"]))
        rows.append([f"{q}, p95 hot", *cells])
    large = [r for r in results if r["rows"] == 100_000_000]
    for q, targets in TARGETS.items():
        if large and targets[3]:
            rows.append([f"{q}, p95 cold", *(bound(r["cold"][q]["p95_ms"], targets[3], "{:,.1f} ms of " + f"{targets[3]:,}") if r in large and q in r["cold"] else "" for r in results)])
    of = lambda r, value, targets, unit: (bound(value, targets[SIZES[r["rows"]]], "{:,.1f} " + unit + " of " + f"{targets[SIZES[r['rows']]]:,}")
                                          if r["rows"] in SIZES else f"{value:,.1f} {unit}")
    rows.append(["I1 CSV.gz", *(of(r, min(loads(r)["CSV.gz"]["ours"]), LOADS["CSV.gz"], "s") if "CSV.gz" in loads(r) else "" for r in results)])
    rows.append(["peak of the server", *(of(r, r["edge"]["peak"], RSS_MB, "MB") for r in results)])
    rows.append(["size on disk", *(of(r, disk(r), DISK_MB, "MB") for r in results)])
    return table(["", *(name_of(r["rows"]) for r in results)], rows)


def side(rows, took, peak):
    return f"{min(took):.2f} s", f"{rows / min(took):,.0f}", f"{peak:,.0f} MB"


def loads_table(r):
    return table(["load", "file", "Farthing", "rows/s", "peak memory", "DuckDB", "rows/s", "peak memory", "Farthing / DuckDB", "all runs (s)"], [
        [n, f"{v['file']:,.0f} MB", *side(r["rows"], v["ours"], v["peak"]), *side(r["rows"], v["theirs"], v["peak_theirs"]), f"{min(v['ours']) / min(v['theirs']):.2f}",
         " ".join(f"{t:.2f}" for t in v["ours"]) + " / " + " ".join(f"{t:.2f}" for t in v["theirs"])] for n, v in loads(r).items()])


def disk_text(r):
    p = r["load Parquet"]["Parquet"]
    return (f"\nOn disk: archive {p['bills']:,.0f} MB, ledger {p['ledger']:,.0f} MB, segments {p['segments']:,.0f} MB, the rest {p['other']:,.0f} MB"
            f" ({disk(r) * 1e6 / r['rows']:.0f} bytes a row); DuckDB's flat table {p['flat']:,.0f} MB.\n")


def again_text(r):
    first = min(r["load Parquet"]["Parquet"]["ours"])
    out = (f"\nI2, the same file again: {r['I2']['seconds']:.2f} s ({r['I2']['seconds'] / first:.3f} of I1). I3, the last month with 0.3 % of its rows changed"
           f" ({r['I3']['rows']:,} rows, {r['I3']['rows'] / r['rows']:.2f} of all): {r['I3']['seconds']:.2f} s ({r['I3']['seconds'] / first:.2f} of I1).")
    if r.get("I4"):
        out += (f" I4, {r['I4']['name']} ({r['I4']['file']:,.0f} MB) with --memory 256MiB in a cgroup of 512 MiB: {r['I4']['seconds']:.1f} s,"
                f" peak {r['I4']['peak']:,.0f} MB.")
    return out


def edge_table(r):
    h, theirs = r["edge"], r["DuckDB"]["queries"]
    what = {**{n: q[0] for n, q in edge.questions(datetime.date(2026, 11, 22)).items()}, **EDGE}
    rows = []
    for n, v in sorted(h["hot"].items(), key=lambda x: by_number(x[0])):
        c, t = r["cold"].get(n), theirs.get("Qedge" + n)
        rows.append([f"{n} {what[n]}", f"{v['requests']}", ms(v["p50_ms"]), ms(v["p95_ms"]), ms(v["max_ms"]),
                     *((ms(c["p50_ms"]), ms(c["p95_ms"]), ms(c["max_ms"]), f"{c['read_mb']:,.1f} MB") if c else ("", "", "", "")),
                     ms(t["hot_ms"]) if t else "", f"{v['p50_ms'] / t['hot_ms']:.3g}" if t else "", f"{h['answers'][n]:,} cells" if n in h["answers"] else ""])
    return table(["at the HTTP edge", "hot runs", "p50", "p95", "max", "cold p50", "cold p95", "cold max", "read from disk", "DuckDB hot", "p50 / DuckDB", "compared"], rows)


def q14_table(r):
    q = r["Q14"]
    return table(["Q14, 16 clients", "idle runs", "p50", "p95", "runs under a load", "p50", "p95", "max", "ratio of p95"], [
        [n, f"{a['requests']}", ms(a["p50_ms"]), ms(a["p95_ms"]), f"{b['requests']}", ms(b["p50_ms"]), ms(b["p95_ms"]), ms(b["max_ms"]), f"{b['p95_ms'] / a['p95_ms']:.1f}"]
        for n, a, b in ((n, q["idle"][n], q["busy"][n]) for n in q["idle"])])


def floor_table(r):
    hot, inner = r["edge"]["hot"], r["in process"]["queries"]
    loops = table(["raw loop over as many rows", "1 thread", "all threads"], [[n, ms(v["one_ms"]), ms(v["all_ms"])] for n, v in r["floor"]["all"].items()])
    return loops + "\n\n" + table(["question", "its floor", "", "edge p50", "times the floor", "edge p95", "times the floor", "in process, hot", "times the floor"], [
        [q, ms(f), what, ms(hot[q]["p50_ms"]), f"{hot[q]['p50_ms'] / f:.2f}", ms(hot[q]["p95_ms"]), f"{hot[q]['p95_ms'] / f:.2f}", ms(inner[q]["hot_ms"]), f"{inner[q]['hot_ms'] / f:.2f}"]
        for q, (f, what) in floors(r).items()])


def in_process_table(r):
    ours, theirs = r["in process"], r["DuckDB"]["queries"]
    return table(["in process", "rows in the answer", "Farthing first", "hot", "DuckDB first", "hot", "hot / hot"], [
        [f"{n} {what}", f"{ours['rows'][n]:,}", ms(ours["queries"][n]["first_ms"]), ms(ours["queries"][n]["hot_ms"]), ms(theirs[n]["first_ms"]), ms(theirs[n]["hot_ms"]),
         f"{ours['queries'][n]['hot_ms'] / theirs[n]['hot_ms']:.3g}"] for n, what in QUERIES.items()])


def size_text(r):
    out = [f"\n## {name_of(r['rows'])}\n", loads_table(r), disk_text(r), in_process_table(r),
           f"\nPeak memory of these: {r['in process']['peak']:,.0f} MB, DuckDB {r['DuckDB']['peak']:,.0f} MB."]
    if "edge" in r:
        h = r["edge"]
        out += [again_text(r), "", edge_table(r),
                f"\nThe slowest of Q13's panels alone: {ms(h['slowest_panel'])}. Q1 from 4 connections: {h['throughput']['per_second']:,.0f} requests/s,"
                f" {h['throughput']['answer_bytes']:,} bytes each. Peak memory of the server: {h['peak']:,.0f} MB, {h['anonymous']:,.0f} MB of it not mapped files;"
                f" under Q14 {r['Q14']['peak']:,.0f} MB.\n",
                q14_table(r), "" if r["Q14"]["load_ran_throughout"] else "\n(The load ended before the clients did.)", "", floor_table(r)]
        if "row by row" in r:
            out.append("\nCells that the evaluator of single rows gave as well: " + ", ".join(f"{q} {n:,}" for q, n in r["row by row"].items()) + ".")
    return out + [f"\nThe steps of this size took {r['took'] / 60:.0f} minutes."]


def text(o, results, where, command, version):
    for r in results:
        r["memory"] = o.memory
    full = [r for r in results if "edge" in r]
    out = ["# Results of FinBench\n",
           f"Made by `{command}` on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {version}. The same as JSON: `results.json`.\n",
           f"Machine: {where}. Both engines: {o.threads} threads, {o.memory} MiB; files in the page cache unless \"cold\". What is measured and how: `doc/bench.md`."
           " Every answer was compared with DuckDB's and is the same to the last digit.\n"]
    if full:
        out += ["## Bounds\n", bounds_table(full), "\n## Targets\n", "p95 at the HTTP edge, for the machine of the specification (2 vCPU, NVMe).\n", targets_table(full)]
    for r in results:
        out += size_text(r)
    return "\n".join(out) + "\n"
