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
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SIZES = {"S": 1_000_000, "M": 10_000_000, "L": 100_000_000}
LAST = datetime.date(2026, 11, 22)  # the bill's last day: fixed, so that numbers of two runs compare
TEXT, MONEY, TIME = "VARCHAR", "DECIMAL(38,18)", "TIMESTAMP"
FORMATS = (("Parquet", "all.parquet"), ("CSV.gz", "all.csv.gz"))
FLOATS = "CSV.gz, DuckDB guessing types (money as floats)"
QUERIES = {
    "Q1": "daily cost by service, 90 days",
    "Q2": "top 20 resources, 30 days, with the 30 before",
    "Q3": "200 rules by day, 13 months, rules read each time",
    "Q3k": "the same with the rules' groups kept",
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
                "CSV.gz": f"read_csv({csv}, auto_detect=false, columns={{{columns}}})",
                FLOATS: f"read_csv('{d}/all.csv.gz')"}
        result = {name: {"ours": [], "theirs": [], "peak": 0, "peak_theirs": 0} for name in read}
        for turn in range(self.o.repeat):
            for name, file in FORMATS:
                say(f"{rows:,} rows from {name}: load {turn + 1} of {self.o.repeat}")
                r = result[name]
                warm(d / file)
                data = self.our_load(r, d / file)
                r.update(file=(d / file).stat().st_size / 1e6, ledger=tree_mb(data / "ledger.duckdb"), bills=tree_mb(data / "bills"))
                shutil.rmtree(data)
                for theirs in (n for n in read if n.startswith(name)):
                    self.their_load(result[theirs], d, read[theirs], keep=name == "Parquet" and turn + 1 == self.o.repeat)
        result[FLOATS].update({k: v for k, v in result["CSV.gz"].items() if k in ("ours", "peak", "file")})
        return result

    def our_load(self, r, file):
        data = self.work / "load"
        shutil.rmtree(data, ignore_errors=True)
        self.ours("init", "--data", data, "--admin", "bench@example.com")
        took, peak, _ = self.ours("load", "--data", data, "--memory", f"{self.o.memory}MiB", "--source", "bench", file)
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

    def rules(self):
        case = ["CASE"]
        rules = [r for r in (ROOT / "bench/rules.txt").read_text().splitlines() if r]
        for i, rule in enumerate(rules):
            for tag in ("team", "env", "app"):
                rule = rule.replace("{%s}" % tag, f"tag_{tag}")
            case.append(f"WHEN {rule} THEN {i}")
        return " ".join(case) + " END"

    def queries(self, rows, d, data):
        day = lambda n: f"TIMESTAMP '{LAST - datetime.timedelta(days=n - 1)}'"
        flat = d / "query.duckdb"
        # the tags Q3 asks for as columns of their own: parsing JSON in each row would flatter us
        self.duck(flat, self.script("flat", [
            ("wide", "CREATE TABLE bill AS SELECT *, Tags->>'$.team' AS tag_team, Tags->>'$.env' AS tag_env, Tags->>'$.app' AS tag_app FROM flat"),
            ("drop", "DROP TABLE flat"), ("checkpoint", "CHECKPOINT")]))
        q3 = f"SELECT ChargePeriodStart::DATE AS day, {self.rules()} AS rule, sum(EffectiveCost) FROM bill GROUP BY ALL"
        script = self.script("queries", [
            ("Q1", f"SELECT ChargePeriodStart::DATE AS day, ServiceName, sum(EffectiveCost) FROM bill"
                   f" WHERE ChargePeriodStart >= {day(90)} GROUP BY ALL"),
            ("Q2", f"SELECT ResourceId, coalesce(sum(EffectiveCost) FILTER (ChargePeriodStart >= {day(30)}), 0) AS cost,"
                   f" coalesce(sum(EffectiveCost) FILTER (ChargePeriodStart < {day(30)}), 0) AS before"
                   f" FROM bill WHERE ChargePeriodStart >= {day(60)} GROUP BY ALL ORDER BY cost DESC, ResourceId LIMIT 20"),
            ("Q3", q3),
            ("Q6", "SELECT sum(BilledCost), sum(BilledCost), sum(EffectiveCost), sum(EffectiveCost), sum(ListCost) FROM bill"),
            ("Q9", "SELECT DISTINCT ServiceName FROM bill WHERE ServiceName IS NOT NULL ORDER BY 1 LIMIT 50")])
        theirs, ours = d / "theirs", d / "ours"
        for folder in (theirs, ours):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        say(f"{rows:,} rows: queries")
        _, _, a = self.duck(flat, script, answers=theirs, runs=self.o.runs)
        a["Q3k"] = a["Q3"]  # there is nothing to keep
        shutil.copy(theirs / "Q3.tsv", theirs / "Q3k.tsv")
        _, _, text = run([self.build / "bench/bench_query", data, self.o.memory, self.o.threads, ours, self.o.runs, ROOT / "bench/rules.txt", LAST],
                         env=dict(self.env, FARTHING_BENCH_ROWS=str(rows)))
        b = {r["name"]: r for r in map(json.loads, text.splitlines())}
        for q in QUERIES:
            compare(q, ours / f"{q}.tsv", theirs / f"{q}.tsv")
        flat.unlink()
        return {"ours": b, "theirs": a, "rows": {q: len((ours / f"{q}.tsv").read_bytes().splitlines()) for q in QUERIES}}

    # -- HTTP --

    def http(self, rows, data):
        say(f"{rows:,} rows: query-by-view over HTTP")
        token = json.loads(self.ours("token", "create", "--data", data, "--role", "read-only", "--description", "bench")[2])
        headers = self.work / "headers"
        headers.touch(mode=0o600)
        headers.write_text(f"x-finout-client-id: {token['clientId']}\nx-finout-secret-key: {token['secretKey']}\n")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        log = open(self.work / "serve.log", "wb")
        server = subprocess.Popen([self.farthing, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"], stdout=log, stderr=log, env=self.env)
        try:
            views = self.wait_for_views(server, port, token)
            result = {}
            for n in (1, 4):
                body = json.dumps({"viewId": views["Cost by service"]})
                out = run([self.build / "bench/bench_http", port, "/v1/cost/query-by-view", body, headers, n, self.o.seconds])[2]
                result[n] = json.loads(out)
            result["peak"] = int(next(l.split()[1] for l in open(f"/proc/{server.pid}/status") if l.startswith("VmHWM"))) / 1024
            return result
        finally:
            server.terminate()
            server.wait(60)
            headers.unlink()

    def wait_for_views(self, server, port, token):
        ask = urllib.request.Request(f"http://127.0.0.1:{port}/v1/view", headers={
            "x-finout-client-id": token["clientId"], "x-finout-secret-key": token["secretKey"]})
        for _ in range(600):
            if server.poll() is not None:
                die(f"the server ended; see {self.work / 'serve.log'}")
            try:
                with urllib.request.urlopen(ask, timeout=30) as r:
                    found = json.load(r)
                    return {v["name"]: v["id"] for v in found["data"]}
            except (ConnectionError, urllib.error.URLError) as e:
                if isinstance(e, urllib.error.HTTPError):
                    die(f"GET /v1/view: {e.code} {e.read()[:500]}")
                time.sleep(0.1)
        die("the server does not answer")

    # -- all of one size --

    def size(self, rows):
        d = self.files(rows)
        result = {"rows": rows, "loads": self.loads(rows, d)}
        data = self.work / "demo"
        shutil.rmtree(data, ignore_errors=True)
        say(f"{rows:,} rows: the demo account")
        self.ours("init", "--data", data, "--admin", "bench@example.com")
        result["demo"] = self.ours("demo", "--data", data, "--memory", f"{self.o.memory}MiB", "--rows", rows)[:2]
        result["queries"] = self.queries(rows, d, data)
        result["http"] = self.http(rows, data)
        shutil.rmtree(data)
        if not self.o.keep:
            shutil.rmtree(d)
        return result


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


def name_of(rows):
    return f"{rows // 1_000_000}M rows" if rows >= 1_000_000 else f"{rows // 1000}k rows"


def ms(x):
    return f"{x:.0f} ms" if x >= 100 else f"{x:.1f} ms" if x >= 1 else f"{x:.2f} ms"


def side(rows, took, peak):
    return f"{min(took):.2f} s", f"{rows / min(took):,.0f}", f"{peak:.0f} MB"


def report(o, results, where, command, version):
    sizes = [name_of(r["rows"]) for r in results]
    times = lambda a, b: f"{a / b:.2f}"
    ratios = []
    for name in results[0]["loads"]:
        ratios.append([f"load {name}"] + [f"**{times(min(r['loads'][name]['ours']), min(r['loads'][name]['theirs']))}**" for r in results])
    for q, what in QUERIES.items():
        for kind in ("hot", "first"):
            ratios.append([f"{q} {what}, {kind}"] + [
                f"**{times(r['queries']['ours'][q][kind + '_ms'], r['queries']['theirs'][q][kind + '_ms'])}**" for r in results])
    text = ["# Results of FinBench\n",
            f"Made by `{command}` on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {version}.\n",
            f"Machine: {where}. Both engines: {o.threads} threads, {o.memory} MiB; files in the page cache. What is measured and how: `doc/bench.md`.\n",
            "## Farthing's time divided by plain DuckDB's\n",
            "Below 1 Farthing is faster. Every answer was compared with DuckDB's and is the same to the last digit.\n",
            table(["", *sizes], ratios)]
    for r in results:
        loads, q, h = r["loads"], r["queries"], r["http"]
        text += [f"\n## {name_of(r['rows'])}\n",
                 table(["load", "file", "Farthing", "rows/s", "peak memory", "DuckDB", "rows/s", "peak memory", "all runs (s)"], [
                     [n, f"{v['file']:.0f} MB", *side(r["rows"], v["ours"], v["peak"]), *side(r["rows"], v["theirs"], v["peak_theirs"]),
                      " ".join(f"{t:.2f}" for t in v["ours"]) + " / " + " ".join(f"{t:.2f}" for t in v["theirs"])] for n, v in loads.items()]),
                 f"\nOn disk: archive {loads['Parquet']['bills']:.0f} MB and ledger {loads['Parquet']['ledger']:.0f} MB"
                 f" ({(loads['Parquet']['bills'] + loads['Parquet']['ledger']) * 1e6 / r['rows']:.0f} bytes a row); DuckDB's flat table {loads['Parquet']['flat']:.0f} MB."
                 f" Demo account made and loaded in {r['demo'][0]:.1f} s, peak {r['demo'][1]:.0f} MB.\n",
                 table(["query", "rows in the answer", "Farthing first", "hot", "DuckDB first", "hot"], [
                     [f"{n} {what}", str(q["rows"][n]), ms(q["ours"][n]["first_ms"]), ms(q["ours"][n]["hot_ms"]), ms(q["theirs"][n]["first_ms"]),
                      ms(q["theirs"][n]["hot_ms"])] for n, what in QUERIES.items()]),
                 f"\nFloor, one thread, {r['rows']:,} values in memory: sum {ms(q['ours']['floor-sum']['hot_ms'])},"
                 f" sum by day and service {ms(q['ours']['floor-day-service']['hot_ms'])}."
                 f" Peak memory of the process that asked: {max(x['peak_kb'] for n, x in q['ours'].items() if n in QUERIES) / 1024:.0f} MB.\n",
                 table(["POST /v1/cost/query-by-view", "requests/s", "p50", "p99", "max", "answer"], [
                     [f"{n} connection{'s' if n > 1 else ''}", f"{h[n]['per_second']:,.0f}", ms(h[n]["p50_ms"]), ms(h[n]["p99_ms"]), ms(h[n]["max_ms"]),
                      f"{h[n]['answer_bytes']:,} bytes"] for n in (1, 4)]),
                 f"\nPeak memory of the server: {h['peak']:.0f} MB."]
    return "\n".join(text) + "\n"


def main():
    p = argparse.ArgumentParser(prog="script/bench", description="FinBench on the demo bill against plain DuckDB.")
    p.add_argument("--short", action="store_true", help="20,000 rows and short runs; the report goes to the work folder")
    p.add_argument("--size", action="append", choices=SIZES, help="S 1, M 10, L 100 million rows; may be repeated (default S and M)")
    p.add_argument("--work", default=str(ROOT / "build-bench-work"), help="folder for files (default build-bench-work; L needs 60 GB)")
    p.add_argument("--keep", action="store_true", help="keep the bill files for the next run")
    p.add_argument("--memory", type=int, default=2048, metavar="MIB", help="limit of both engines (default 2048)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of both engines (default all)")
    p.add_argument("--repeat", type=int, default=2, help="loads of each kind; the best counts (default 2)")
    p.add_argument("--runs", type=int, default=10, help="hot runs of a query, fewer when they take over 20 s; the best counts (default 10)")
    p.add_argument("--seconds", type=float, default=10, help="of HTTP requests (default 10)")
    p.add_argument("--build", default=str(BUILD), help="folder of the build (default build)")
    p.add_argument("--out", help="where the report goes (default bench/RESULTS.md)")
    o = p.parse_args()
    if o.short:
        o.repeat, o.runs, o.seconds = 1, 2, 1
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
    out.write_text(report(o, results, where, " ".join(["script/bench", *sys.argv[1:]]), version))
    say(f"wrote {out}")
    print(out.read_text())


main()
