"""FinBench: runs Farthing and plain DuckDB on the same bill, compares their answers, writes the ratios.

Every measured step is its own process, so that peak memory is the kernel's word for it (ru_maxrss, which is
VmHWM) and "first" is a first run after a start. Both engines get the same memory limit and threads. A
load's time is from exec to exit, with everything on disk.
"""
import argparse
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import threading
import time
import edge
import tagrules

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SIZES = {"S": 1_000_000, "M": 10_000_000, "L": 100_000_000, "XL": 1_000_000_000}
LAST = datetime.date(2026, 11, 22)  # the bill's last day: fixed, so that numbers of two runs compare
TEXT, MONEY, TIME = "VARCHAR", "DECIMAL(38,18)", "TIMESTAMP"
FORMATS = (("Parquet", "all.parquet"), ("CSV.gz", "all.csv.gz"))
FLOATS = "CSV.gz, DuckDB guessing types (money as floats)"
QUERIES = {
    "Q1": "daily cost by service, 90 days",
    "Q2": "top 20 resources, 30 days, with the 30 before",
    "Q3": "a virtual tag of 200 rules by day, 13 months",
    "Q3e": "the same with one rule edited, from the document to the answer",
    "Q3p": "preview of the tag with one rule edited, 13 months",
    "Q6": "13-month totals of five cost types",
    "Q9": "distinct services",
}


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def die(text):
    sys.exit(f"bench: {text}")


def run(args, out=None, **kw):
    """Runs a program to its end: (seconds, peak MB, standard output). Ends the bench when it fails."""
    start = time.monotonic()
    p = subprocess.Popen([str(a) for a in args], stdout=out or subprocess.PIPE, stderr=subprocess.PIPE if out is None else None, **kw)
    # both pipes are small: progress lines and totals
    text, errors = [b""], [b""]
    readers = []
    for pipe, into in ((p.stdout, text), (p.stderr, errors)):
        if pipe:
            t = threading.Thread(target=lambda f=pipe, i=into: i.__setitem__(0, f.read()))
            t.start()
            readers.append(t)
    _, status, usage = os.wait4(p.pid, 0)
    took = time.monotonic() - start
    for t in readers:
        t.join()
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode != 0:
        die(f"{' '.join(map(str, args))} ended with {p.returncode}:\n{errors[0].decode(errors='replace')[-3000:]}")
    return took, usage.ru_maxrss / 1024, text[0].decode()


class Bench:
    def __init__(self, o):
        self.o = o
        self.work = pathlib.Path(o.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.build = pathlib.Path(o.build)
        self.farthing = self.build / "farthing"
        now = datetime.datetime.combine(LAST + datetime.timedelta(days=1), datetime.time(12), datetime.timezone.utc)
        self.env = dict(os.environ, FARTHING_NOW_MS=str(int(now.timestamp() * 1000)))

    # -- the two engines --

    def ours(self, *args, **kw):
        return run([self.farthing, *args], env=self.env, **kw)

    def duck(self, db, script, answers="-", runs=0, **names):
        took, peak, out = run([self.build / "bench/bench_duck", db, f"{self.o.memory}MiB", self.o.threads, answers, runs, script,
                               *[f"{k}={v}" for k, v in names.items()]])
        return took, peak, {r["name"]: r for r in map(json.loads, out.splitlines())}

    def script(self, name, statements):
        path = self.work / f"{name}.sql"
        path.write_text("".join(f"-- @{n}\n{sql}\n" for n, sql in statements))
        return path

    # -- files --

    def files(self, rows):
        """all.parquet and all.csv.gz of the demo bill, kept between runs."""
        d = self.work / str(rows)
        stamp = d / "made"
        if stamp.exists() and stamp.read_text() == self.stamp():
            return d
        shutil.rmtree(d, ignore_errors=True)
        d.mkdir(parents=True)
        say(f"{rows:,} rows: making the bill")
        self.ours("demo", "--data", d, "--rows", rows, "--out", d / "months", "--format", "parquet")
        s = self.script("merge", [
            ("parquet", f"COPY (FROM read_parquet('{d}/months/*.parquet')) TO '{d}/all.parquet' (FORMAT parquet, COMPRESSION zstd)"),
            ("csv", f"COPY (FROM read_parquet('{d}/all.parquet')) TO '{d}/all.csv.gz'"
                    " (FORMAT csv, HEADER, COMPRESSION gzip, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ')")])
        self.duck(":memory:", s)
        if "CSV.gz" not in self.o.formats:
            (d / "all.csv.gz").unlink(missing_ok=True)
        shutil.rmtree(d / "months")
        stamp.write_text(self.stamp())
        return d

    def stamp(self):
        return f"{LAST} {hash_of(ROOT / 'src/ledger/demo.sql')}"

    def columns(self, d):
        s = self.script("columns", [("Qcolumns", f"SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet('{d}/all.parquet'))")])
        self.duck(":memory:", s, answers=d)
        rows = [line.split("\t") for line in (d / "Qcolumns.tsv").read_text().splitlines()]
        kind = dict(rows)
        # in the order of the file
        with gzip.open(d / "all.csv.gz", "rt") as f:
            names = f.readline().strip().split(",")
        return [(n, MONEY if kind[n].startswith("DECIMAL") else TIME if kind[n].startswith("TIMESTAMP") else TEXT) for n in names]

    # -- loads --

    def loads(self, rows, d):
        columns = ", ".join(f"'{n}': '{t}'" for n, t in self.columns(d))
        csv = f"'{d}/all.csv.gz', header=true, delim=',', quote='\"', escape='\"'"
        read = {"Parquet": f"read_parquet('{d}/all.parquet')",
                "CSV.gz": f"read_csv({csv}, auto_detect=false, columns={{{columns}}})"}
        if rows <= SIZES["S"]:
            read[FLOATS] = f"read_csv('{d}/all.csv.gz')"
        formats = [f for f in FORMATS if f[0] in self.o.formats]
        read = {n: r for n, r in read.items() if n.split(",")[0] in [f[0] for f in formats]}
        result = {name: {"ours": [], "theirs": [], "peak": 0, "peak_theirs": 0} for name in read}
        for turn in range(self.o.repeat):
            for name, file in reversed(formats):  # Parquet last: its installation and table are asked afterwards
                say(f"{rows:,} rows from {name}: load {turn + 1} of {self.o.repeat}")
                r = result[name]
                warm(d / file)
                data = self.our_load(r, d / file)
                r.update(file=(d / file).stat().st_size / 1e6, ledger=tree_mb(data / "ledger.duckdb"), bills=tree_mb(data / "bills"),
                         segments=tree_mb(data / "segments"))
                keep = name == "Parquet" and turn + 1 == self.o.repeat
                for theirs in (n for n in read if n.startswith(name)):
                    self.their_load(result[theirs], d, read[theirs], keep=keep)
                if not keep:
                    shutil.rmtree(data)
        if FLOATS in result:
            result[FLOATS].update({k: v for k, v in result["CSV.gz"].items() if k in ("ours", "peak", "file")})
        return result, data

    def again(self, rows, d, data, first):
        """I2: the same file again. I3: its last month with 0.3 % of the rows changed. I4: the packed file under a cgroup."""
        say(f"{rows:,} rows: the same again, a changed month, a small cgroup")
        load = lambda file, **kw: self.ours("load", "--data", data, "--memory", f"{self.o.memory}MiB", "--source", "bench", file, **kw)
        result = {"I2": {"seconds": load(d / "all.parquet")[0], "of": first}}
        month = f"BillingPeriodStart = TIMESTAMP '{LAST.replace(day=1)}'"
        self.duck(":memory:", self.script("month", [
            ("month", f"COPY (SELECT * REPLACE ((CASE WHEN hash(ResourceId, ChargePeriodStart) % 1000 < 3 THEN BilledCost + 1 ELSE BilledCost END)::DECIMAL(38,18)"
                      f" AS BilledCost) FROM read_parquet('{d}/all.parquet') WHERE {month}) TO '{d}/month.parquet' (FORMAT parquet, COMPRESSION zstd)"),
            ("Qmonth", f"SELECT count(*) FROM read_parquet('{d}/month.parquet')")]), answers=d)
        took, peak, _ = load(d / "month.parquet")
        result["I3"] = {"seconds": took, "peak": peak, "rows": int((d / "Qmonth.tsv").read_text())}
        load(d / "all.parquet")  # every month is the first one's again: the questions are asked of that
        return result

    def small(self, rows, d):
        """I4: a load in a memory cgroup of 512 MiB; None where we may not make one."""
        v1 = pathlib.Path("/sys/fs/cgroup/memory")
        root, file = (v1, "memory.limit_in_bytes") if (v1 / "memory.limit_in_bytes").exists() else (pathlib.Path("/sys/fs/cgroup"), "memory.max")
        group = root / f"farthing-bench-{os.getpid()}"
        try:
            group.mkdir()
            (group / file).write_text(str(512 << 20))
        except OSError as e:
            say(f"no memory cgroup: {e}")
            return None
        r = {"ours": [], "peak": 0}
        try:
            source = d / ("all.csv.gz" if (d / "all.csv.gz").exists() else "all.parquet")
            shutil.rmtree(self.our_load(r, source, memory=256, enter=group))
            return {"seconds": r["ours"][0], "peak": r["peak"], "file": source.stat().st_size / 1e6, "name": source.name}
        finally:
            for _ in range(50):
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(0.1)

    def our_load(self, r, file, memory=None, enter=None):
        data = self.work / "load"
        shutil.rmtree(data, ignore_errors=True)
        self.link = self.ours("init", "--data", data, "--admin", "bench@example.com")[2]
        took, peak, _ = self.ours("load", "--data", data, "--memory", f"{memory or self.o.memory}MiB", "--source", "bench", file,
                                  preexec_fn=(lambda: (enter / "cgroup.procs").write_text(str(os.getpid()))) if enter else None)
        r["ours"].append(took)
        r["peak"] = max(r["peak"], peak)
        return data

    def their_load(self, r, d, read, keep):
        db = d / ("query.duckdb" if keep else "flat.duckdb")
        db.unlink(missing_ok=True)
        took, peak, _ = self.duck(db, self.script("load", [("load", f"CREATE TABLE flat AS SELECT * FROM {read}")]))
        r["theirs"].append(took)
        r["peak_theirs"] = max(r["peak_theirs"], peak)
        r["flat"] = tree_mb(db)
        if not keep:
            db.unlink()

    # -- queries --

    def queries(self, rows, d, data):
        day = lambda n: f"TIMESTAMP '{LAST - datetime.timedelta(days=n - 1)}'"
        flat = d / "query.duckdb"
        # the tags Q3 asks for as columns of their own: parsing JSON in each row would flatter us
        self.duck(flat, self.script("flat", [
            ("wide", "CREATE TABLE bill AS SELECT *, Tags->>'$.team' AS tag_team, Tags->>'$.env' AS tag_env, Tags->>'$.app' AS tag_app FROM flat"),
            ("drop", "DROP TABLE flat"), ("checkpoint", "CHECKPOINT")]))
        rules = tagrules.read(ROOT / "bench/rules.txt")
        (d / "tag.json").write_text(tagrules.document(rules))
        script = self.script("queries", [
            ("Q1", f"SELECT ChargePeriodStart::DATE AS day, ServiceName, sum(EffectiveCost) FROM bill"
                   f" WHERE ChargePeriodStart >= {day(90)} GROUP BY ALL"),
            ("Q2", f"SELECT ResourceId, coalesce(sum(EffectiveCost) FILTER (ChargePeriodStart >= {day(30)}), 0) AS cost,"
                   f" coalesce(sum(EffectiveCost) FILTER (ChargePeriodStart < {day(30)}), 0) AS before"
                   f" FROM bill WHERE ChargePeriodStart >= {day(60)} GROUP BY ALL ORDER BY cost DESC, ResourceId LIMIT 20"),
            ("Q3", f"SELECT ChargePeriodStart::DATE AS day, {tagrules.case(rules)} AS tag, sum(EffectiveCost) FROM bill GROUP BY ALL"),
            ("Q3p", f"SELECT {tagrules.case(rules)} AS tag, sum(EffectiveCost) FROM bill GROUP BY ALL"),
            ("Q6", "SELECT sum(BilledCost), sum(BilledCost), sum(EffectiveCost), sum(EffectiveCost), sum(ListCost) FROM bill"),
            ("Q9", "SELECT DISTINCT ServiceName FROM bill WHERE ServiceName IS NOT NULL ORDER BY 1 LIMIT 50"),
            *([] if self.o.in_process else [*[("Qedge" + n, sql) for n, (_, _, _, sql) in edge.questions(LAST).items() if sql],
                                            ("QedgeQ3", edge.q3_sql(LAST, rules))])])
        theirs, ours = d / "theirs", d / "ours"
        for folder in (theirs, ours):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        say(f"{rows:,} rows: queries")
        _, _, a = self.duck(flat, script, answers=theirs, runs=self.o.runs)
        a["Q3e"] = a["Q3"]  # an edited CASE is another CASE; the edit changes no line's value
        shutil.copy(theirs / "Q3.tsv", theirs / "Q3e.tsv")
        _, _, text = run([self.build / "bench/bench_query", data, self.o.memory, self.o.threads, ours, self.o.runs, d / "tag.json", LAST], env=self.env)
        b = {r["name"]: r for r in map(json.loads, text.splitlines())}
        for q in QUERIES:
            compare(q, ours / f"{q}.tsv", theirs / f"{q}.tsv")
        self.theirs = theirs
        flat.unlink()
        return {"ours": b, "theirs": a, "rows": {q: len((ours / f"{q}.tsv").read_bytes().splitlines()) for q in QUERIES}}

    # -- HTTP: what a page waits for --

    def server(self, data):
        s = edge.Server(self.farthing, data, self.env, self.work / "serve.log", self.o.memory, None if self.cookie else self.link, self.cookie)
        self.cookie = s.cookie
        return s

    def hot(self, s, path, body, connections=1):
        headers = self.work / "headers"
        headers.touch(mode=0o600)
        headers.write_text("".join(f"{k}: {v}\n" for k, v in s.headers().items() if k != "Content-Type"))
        try:
            return json.loads(run([self.build / "bench/bench_http", s.port, path, json.dumps(body), headers, connections, self.o.seconds])[2])
        finally:
            headers.unlink()

    def http(self, rows, data):
        self.cookie = None
        result = {"hot": {}, "cold": {}, "answers": {}}
        questions = edge.questions(LAST)
        s = self.server(data)
        try:
            for name, (what, path, bodies, sql) in questions.items():
                say(f"{rows:,} rows over HTTP: {name}")
                if sql:
                    ours = edge.cells(name, [json.loads(s.post(path, b)[1]) for b in bodies])
                    theirs = edge.expected(name, (self.theirs / f"Qedge{name}.tsv").read_text())
                    wrong = "the answer is empty" if not ours else edge.differ(ours, theirs)
                    if wrong:
                        die(f"{name} over HTTP: {wrong}")
                    result["answers"][name] = len(ours)
                if len(bodies) == 1:
                    result["hot"][name] = self.hot(s, path, bodies[0])
                else:
                    result["hot"][name] = percentiles([s.timed(path, bodies) for _ in range(self.o.hot)])
            self.virtual_tag(s, result)
            result["hot"]["Q13"] = percentiles([s.at_once("/api/query", edge.panels(LAST)) for _ in range(self.o.hot)])
            result["slowest_panel"] = max(min(s.timed("/api/query", [p]) for _ in range(3)) for p in edge.panels(LAST))
            result["throughput"] = self.hot(s, *questions["Q1"][1:2], questions["Q1"][2][0], connections=4)
            result["peak"], result["anonymous"] = s.peak_mb()
        finally:
            s.end()
        for name in ("Q1", "Q2", "Q5", "Q6", "Q8", "Q9"):
            result["cold"][name] = percentiles([self.cold(data, *questions[name][1:3]) for _ in range(self.o.cold)])
        result["Q14"] = self.under_load(rows, data, questions)
        return result

    def virtual_tag(self, s, result):
        """Q3: the rules as a live virtual tag, by day over 13 months. Q3e: one rule is edited and saved, and the question asked again."""
        document = {**json.loads(tagrules.document(tagrules.read(ROOT / "bench/rules.txt"))), "name": "FinBench"}
        document.pop("id", None)
        made = json.loads(s.post("/api/tags?setAsLive=true", document)[1])
        key = next(k for k in s.get("/api/keys")["keys"] if k["key"] == made["id"])
        q = edge.ask(LAST, 395, [{k: key[k] for k in ("costCenter", "key", "type")}], "day")
        ours = edge.cells("Q3", [json.loads(s.post("/api/query", q)[1])])
        wrong = edge.differ(ours, edge.expected("Q3", (self.theirs / "QedgeQ3.tsv").read_text())) if ours else "the answer is empty"
        if wrong:
            die(f"Q3 over HTTP: {wrong}")
        result["answers"]["Q3"] = len(ours)
        result["hot"]["Q3"] = self.hot(s, "/api/query", q)
        took = []
        for i in range(min(self.o.hot, 10)):
            document["rules"][100]["to"] = f"edited {i}"
            start = time.monotonic()
            s.post(f"/api/tags/{made['id']}?setAsLive=true", document, "PUT")
            s.post("/api/query", q)
            took.append((time.monotonic() - start) * 1e3)
        result["hot"]["Q3e"] = percentiles(took)

    def cold(self, data, path, bodies):
        """A fresh process, the folder's pages dropped from the cache."""
        for f in data.rglob("*"):
            if f.is_file():
                with open(f, "rb") as x:
                    os.posix_fadvise(x.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        s = self.server(data)
        try:
            return s.timed(path, bodies)
        finally:
            s.end()

    def under_load(self, rows, data, questions):
        """Q14: sixteen clients at Q1, Q2, Q6 and Q9, idle and while the whole bill is loaded again as another source."""
        say(f"{rows:,} rows over HTTP: 16 clients while a delivery is loaded")
        names = ("Q1", "Q2", "Q6", "Q9")
        s = self.server(data)
        def clients():
            out = {}
            def one(n):
                path, bodies = questions[n][1:3]
                out[n] = self.hot4(s, path, bodies[0], n)
            threads = [threading.Thread(target=one, args=(n,)) for n in names]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            return out
        try:
            idle = clients()
            load = subprocess.Popen([str(x) for x in (self.farthing, "load", "--data", data, "--source", "second", self.work / str(rows) / "all.parquet")],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.env)
            time.sleep(0.3)
            busy = clients()
            running = load.poll() is None
            load.terminate()
            load.wait(600)
            return {"idle": idle, "busy": busy, "load_ran_throughout": running}
        finally:
            s.end()

    def hot4(self, s, path, body, name):
        headers = self.work / f"headers-{name}"
        headers.touch(mode=0o600)
        headers.write_text("".join(f"{k}: {v}\n" for k, v in s.headers().items() if k != "Content-Type"))
        try:
            return json.loads(run([self.build / "bench/bench_http", s.port, path, json.dumps(body), headers, 4, self.o.seconds])[2])
        finally:
            headers.unlink()

    # -- all of one size --

    def floor(self, rows):
        say(f"{rows:,} rows: the raw floor")
        out = run([self.build / "bench/bench_floor", rows, 3])[2]
        return {r["name"]: r for r in map(json.loads, out.splitlines())}

    def size(self, rows):
        started = time.monotonic()
        d = self.files(rows)
        result = {"rows": rows, "floor": None if self.o.in_process else self.floor(rows)}
        result["loads"], data = self.loads(rows, d)
        small = self.small(rows, d) if self.o.small else None
        if small:  # it took the folder
            data = self.our_load({"ours": [], "peak": 0}, d / "all.parquet")
        result["queries"] = self.queries(rows, d, data)
        if self.o.in_process:
            result["took"] = time.monotonic() - started
            shutil.rmtree(data)
            if not self.o.keep:
                shutil.rmtree(d)
            return result
        result["http"] = self.http(rows, data)
        result["again"] = {**self.again(rows, d, data, min(result["loads"]["Parquet"]["ours"])), "I4": small}
        result["took"] = time.monotonic() - started
        shutil.rmtree(data)
        if not self.o.keep:
            shutil.rmtree(d)
        return result


def percentiles(ms):
    x = sorted(ms)
    return {"requests": len(x), "p50_ms": x[len(x) // 2], "p95_ms": x[min(len(x) - 1, len(x) * 95 // 100)], "max_ms": x[-1]}


def hash_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def warm(path):
    """Both sides read from the page cache."""
    with open(path, "rb", buffering=0) as f:
        while f.read(16 << 20):
            pass


def tree_mb(path):
    if path.is_file():
        return path.stat().st_size / 1e6
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 1e6


def compare(name, ours, theirs):
    a, b = ours.read_bytes().splitlines(), theirs.read_bytes().splitlines()
    if a == b:
        if not a:
            die(f"{name}: the answer is empty")
        return
    mine, other = sorted(set(a) - set(b)), sorted(set(b) - set(a))
    die(f"{name}: answers differ ({len(a)} and {len(b)} rows), e.g. Farthing {mine[:2]}, DuckDB {other[:2]}")


# -- the report --

def machine(work):
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    ram = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) / (1 << 20)
    disk = subprocess.run(["findmnt", "-no", "SOURCE,FSTYPE", "-T", str(work)], capture_output=True, text=True).stdout.split()
    path, block = work / "disk", os.urandom(8 << 20)
    start = time.monotonic()
    with open(path, "wb", buffering=0) as f:
        for _ in range(64):
            f.write(block)
        os.fsync(f.fileno())
    rate = 512 / (time.monotonic() - start) * 1.048576
    path.unlink()
    return f"{cpu}, {os.cpu_count()} cores, {ram:.0f} GiB RAM, disk {' '.join(disk) or 'unknown'} (writes {rate:.0f} MB/s), {platform.system()} {platform.release()}"


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "|".join(" --- " for _ in head) + "|"]
    return "\n".join(out + ["| " + " | ".join(r) + " |" for r in rows])


BIG = "## A file of 5 GB in 512 MiB"


def other_sections(path, big):
    """The report's text: the section that `script/bench big` wrote, or all but that."""
    text = path.read_text() if path.exists() else "# Results of FinBench\n"
    rest, mark, section = text.partition(BIG)
    return (mark + section) if big else rest


def name_of(rows):
    return f"{rows // 1_000_000}M rows" if rows >= 1_000_000 else f"{rows // 1000}k rows"


def ms(x):
    return f"{x:.0f} ms" if x >= 100 else f"{x:.1f} ms" if x >= 1 else f"{x:.2f} ms"


def side(rows, took, peak):
    return f"{min(took):.2f} s", f"{rows / min(took):,.0f}", f"{peak:.0f} MB"


def loads_table(r):
    return table(["load", "file", "Farthing", "rows/s", "peak memory", "DuckDB", "rows/s", "peak memory", "all runs (s)"], [
        [n, f"{v['file']:.0f} MB", *side(r["rows"], v["ours"], v["peak"]), *side(r["rows"], v["theirs"], v["peak_theirs"]),
         " ".join(f"{t:.2f}" for t in v["ours"]) + " / " + " ".join(f"{t:.2f}" for t in v["theirs"])] for n, v in r["loads"].items()])


def again_text(r):
    a, p = r["again"], r["loads"]["Parquet"]
    text = (f"\nI2, the same file again: {a['I2']['seconds']:.2f} s ({a['I2']['seconds'] / a['I2']['of']:.3f} of I1). I3, the last month with 0.3 % of its rows changed"
            f" ({a['I3']['rows']:,} rows, {a['I3']['rows'] / r['rows']:.2f} of all): {a['I3']['seconds']:.2f} s ({a['I3']['seconds'] / a['I2']['of']:.2f} of I1).")
    if a["I4"]:
        text += (f" I4, {a['I4']['name']} ({a['I4']['file']:.0f} MB) with --memory 256MiB in a cgroup of 512 MiB: {a['I4']['seconds']:.1f} s,"
                 f" peak {a['I4']['peak']:.0f} MB.")
    total = p["bills"] + p["ledger"] + p["segments"]
    return text + (f"\n\nOn disk: archive {p['bills']:.0f} MB, ledger {p['ledger']:.0f} MB, segments {p['segments']:.0f} MB"
                   f" ({total * 1e6 / r['rows']:.0f} bytes a row); DuckDB's flat table {p['flat']:.0f} MB.\n")


def edge_table(r):
    h, theirs, what = r["http"], r["queries"]["theirs"], {n: q[0] for n, q in edge.questions(LAST).items()}
    what["Q3"], what["Q3e"] = "virtual tag of 200 rules by day, 13 months", "one of its rules edited and saved, then Q3"
    what["Q13"] = "dashboard of 12 panels at once"
    rows = []
    for n, v in sorted(h["hot"].items(), key=lambda x: (int("".join(c for c in x[0] if c.isdigit())), x[0])):
        c, t = h["cold"].get(n), theirs.get("Qedge" + n)
        rows.append([f"{n} {what[n]}", f"{v['requests']}", ms(v["p50_ms"]), ms(v["p95_ms"]), ms(v["max_ms"]), ms(c["p50_ms"]) if c else "", ms(c["max_ms"]) if c else "",
                     ms(t["hot_ms"]) if t else "", "yes" if n in h["answers"] else ""])
    return table(["at the HTTP edge", "hot runs", "p50", "p95", "max", "cold p50", "cold max", "DuckDB hot", "answer compared"], rows)


def q14_table(r):
    q = r["http"]["Q14"]
    return table(["Q14, 4 clients each", "idle p50", "idle p95", "under a load p50", "p95", "ratio of p95"], [
        [n, ms(q["idle"][n]["p50_ms"]), ms(q["idle"][n]["p95_ms"]), ms(q["busy"][n]["p50_ms"]), ms(q["busy"][n]["p95_ms"]),
         f"{q['busy'][n]['p95_ms'] / q['idle'][n]['p95_ms']:.1f}"] for n in q["idle"]])


def floor_table(r):
    f, hot, inner = r["floor"], r["http"]["hot"], r["queries"]["ours"]
    beside = {"sum": ("Q6 in process", inner["Q6"]["hot_ms"] / 5), "day-service": ("Q1 at the edge", hot["Q1"]["p50_ms"]), "day-tag": ("Q3 at the edge", hot["Q3"]["p50_ms"])}
    part = {"day-service": 90 / 395}
    rows = []
    for n, v in f.items():
        name, took = beside.get(n, ("", 0))
        share = part.get(n, 1)
        rows.append([n, ms(v["one_ms"]), ms(v["all_ms"]), name, ms(took) if name else "", f"{took / (v['all_ms'] * share):.2f}" if name else ""])
    return table(["raw loop over as many rows", "1 thread", "all threads", "question", "took", "times the floor"], rows)


def in_process_table(q):
    return table(["in process", "rows in the answer", "Farthing first", "hot", "DuckDB first", "hot"], [
        [f"{n} {what}", str(q["rows"][n]), ms(q["ours"][n]["first_ms"]), ms(q["ours"][n]["hot_ms"]), ms(q["theirs"][n]["first_ms"]),
         ms(q["theirs"][n]["hot_ms"])] for n, what in QUERIES.items()])


def report(o, results, where, command, version):
    sizes = [name_of(r["rows"]) for r in results]
    times = lambda a, b: f"**{a / b:.3g}**"
    ratios = [[f"load {name}"] + [times(min(r["loads"][name]["ours"]), min(r["loads"][name]["theirs"])) if name in r["loads"] else "" for r in results]
              for name in results[0]["loads"]]
    for q, what in QUERIES.items():
        for kind in ("hot", "first"):
            ratios.append([f"{q} {what}, {kind}"] + [times(r["queries"]["ours"][q][kind + "_ms"], r["queries"]["theirs"][q][kind + "_ms"]) for r in results])
    text = ["# Results of FinBench\n",
            f"Made by `{command}` on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {version}. The same as JSON: `results.json`.\n",
            f"Machine: {where}. Both engines: {o.threads} threads, {o.memory} MiB; files in the page cache unless \"cold\". What is measured and how: `doc/bench.md`.\n",
            "## Farthing's time divided by plain DuckDB's\n",
            "In process, below 1 Farthing is faster. Every answer was compared with DuckDB's and is the same to the last digit.\n",
            table(["", *sizes], ratios)]
    for r in results:
        q, h = r["queries"], r.get("http")
        if not h:
            text += [f"\n## {name_of(r['rows'])}\n", loads_table(r), "", in_process_table(q),
                     f"\nWithout the HTTP edge (`--in-process`). This size took {r['took'] / 60:.0f} minutes."]
            continue
        text += [f"\n## {name_of(r['rows'])}\n", loads_table(r), again_text(r), edge_table(r),
                 f"\nThe slowest of Q13's panels alone: {ms(h['slowest_panel'])}. Q1 from 4 connections: {h['throughput']['per_second']:,.0f} requests/s,"
                 f" {h['throughput']['answer_bytes']:,} bytes each. Peak memory of the server: {h['peak']:.0f} MB, {h['anonymous']:.0f} MB of it not mapped files.\n",
                 q14_table(r), "" if h["Q14"]["load_ran_throughout"] else "\n(The load ended before the clients did.)", "",
                 in_process_table(q), "", floor_table(r),
                 f"\nQ1 reads 90 of 395 days and is compared with that part of the floor; Q6 is five sums and compared with one fifth of its time."
                 f" The bench of this size took {r['took'] / 60:.0f} minutes."]
    return "\n".join(text) + "\n"


def main():
    p = argparse.ArgumentParser(prog="script/bench", description="FinBench on the demo bill against plain DuckDB.")
    p.add_argument("--short", action="store_true", help="20,000 rows and short runs; the report goes to the work folder")
    p.add_argument("--size", action="append", choices=SIZES, help="S 1, M 10, L 100 million, XL 1 billion rows; may be repeated (default S and M)")
    p.add_argument("--work", default=str(ROOT / "build-bench-work"), help="folder for files (default build-bench-work; L needs 60 GB)")
    p.add_argument("--keep", action="store_true", help="keep the bill files for the next run")
    p.add_argument("--memory", type=int, default=2048, metavar="MIB", help="limit of both engines (default 2048)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of both engines (default all)")
    p.add_argument("--formats", default="Parquet,CSV.gz", help="what is loaded: Parquet,CSV.gz or Parquet alone (default both)")
    p.add_argument("--repeat", type=int, default=1, help="loads of each kind; the best counts (default 1)")
    p.add_argument("--hot", type=int, default=30, help="hot runs of what is more than one request (default 30)")
    p.add_argument("--cold", type=int, default=5, help="cold runs (default 5)")
    p.add_argument("--in-process", action="store_true", help="loads and questions in process alone, without the HTTP edge and the floor")
    p.add_argument("--small", action="store_true", help="I4 as well: a load in a cgroup of 512 MiB (one more load of the packed file)")
    p.add_argument("--runs", type=int, default=5, help="hot runs of a query in process, fewer when they take over 20 s; the best counts (default 5)")
    p.add_argument("--seconds", type=float, default=3, help="of HTTP requests, each question (default 3)")
    p.add_argument("--build", default=str(BUILD), help="folder of the build (default build)")
    p.add_argument("--out", help="where the report goes (default bench/RESULTS.md)")
    o = p.parse_args()
    o.formats = o.formats.split(",")
    if "Parquet" not in o.formats or set(o.formats) - {f[0] for f in FORMATS}:
        die("--formats is Parquet,CSV.gz or Parquet")
    if o.short:
        o.repeat, o.runs, o.seconds, o.hot, o.cold = 1, 2, 0.5, 3, 1
    rows = [20_000] if o.short else [SIZES[s] for s in (o.size or ["S", "M"])]
    bench = Bench(o)
    where = machine(bench.work)
    results = [bench.size(n) for n in rows]
    try:  # a bare machine has no git
        version = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    except OSError:
        version = ""
    version = version or "unknown"
    out = pathlib.Path(o.out) if o.out else bench.work / "RESULTS.md" if o.short else ROOT / "bench/RESULTS.md"
    (out.parent / "results.json").write_text(json.dumps({"machine": where, "commit": version, "sizes": results}, indent=1, default=str) + "\n")
    big = other_sections(out, big=True)
    out.write_text(report(o, results, where, " ".join(["script/bench", *sys.argv[1:]]), version) + ("\n" + big if big else ""))
    say(f"wrote {out}")
    print(out.read_text())


if __name__ == "__main__":
    main()
