"""FinBench: runs Farthing and plain DuckDB on the same bill, compares their answers, writes the ratios.

Every measured step is its own process, so that peak memory is the kernel's word for it (ru_maxrss, which is
VmHWM) and "first" is a first run after a start. Both engines get the same memory limit and threads. A
load's time is from exec to exit, with everything on disk.
"""
import argparse
import datetime
import decimal
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
import report
import slow
import tagrules

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SIZES = {"S": 1_000_000, "M": 10_000_000, "L": 100_000_000, "XL": 1_000_000_000}
LAST = datetime.date(2026, 11, 22)  # the bill's last day: fixed, so that numbers of two runs compare
ADMIN = "bench@example.com"
TEXT, MONEY, TIME = "VARCHAR", "DECIMAL(38,18)", "TIMESTAMP"
FORMATS = (("Parquet", "all.parquet"), ("CSV.gz", "all.csv.gz"))
FLOATS = "CSV.gz, DuckDB guessing types (money as floats)"
QUERIES = report.QUERIES
# what the steps of a size take about: seconds, and seconds per million rows, on two cores
STEPS = {"bill": (1, 6.5), "floor": (1, 0.3), "load Parquet": (2, 9.5), "load CSV.gz": (2, 22), "DuckDB": (2, 9), "in process": (2, 0.9), "row by row": (2, 60),
         "edge": (60, 0.5), "cold": (20, 0.6), "I2": (1, 0.3), "I3": (1, 3), "I4": (2, 12), "Q14": (15, 1)}
# the columns that the questions read: a table of them alone is no slower, and is made in a fraction of the time
READ = ("ChargePeriodStart", "ServiceName", "ServiceCategory", "ResourceId", "RegionId", "SubAccountName", "ProviderName", "ChargeCategory", "CommitmentDiscountStatus",
        "BilledCost", "EffectiveCost", "ListCost")


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


class State:
    """What is measured of one size so far, in a file: a run that is taken up again goes on where it ended."""

    def __init__(self, path, stamp, fresh):
        self.path = path
        self.done = {}
        if path.exists() and not fresh:
            kept = json.loads(path.read_text())
            if kept["stamp"] == stamp:
                self.done = kept["done"]
            else:
                say(f"{path.name} is of another program or other options: measured again")
        self.stamp = stamp

    def keep(self, name, value):
        self.done[name] = value
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"stamp": self.stamp, "done": self.done}, default=str))
        new.replace(self.path)


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
        self.duck(":memory:", self.script("merge", [
            ("parquet", f"COPY (FROM read_parquet('{d}/months/*.parquet')) TO '{d}/all.parquet' (FORMAT parquet, COMPRESSION zstd)")]))
        shutil.rmtree(d / "months")
        stamp.write_text(self.stamp())
        return d

    def packed(self, d):
        """all.csv.gz of the same rows, made when it is asked for."""
        path = d / "all.csv.gz"
        if not path.exists():
            self.duck(":memory:", self.script("csv", [
                ("csv", f"COPY (FROM read_parquet('{d}/all.parquet')) TO '{d}/new.csv.gz'"
                        " (FORMAT csv, HEADER, COMPRESSION gzip, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ')")]))
            (d / "new.csv.gz").rename(path)

    def stamp(self):
        return f"{LAST} {hash_of(ROOT / 'src/ledger/demo.sql')}"

    def columns(self, d):
        s = self.script("columns", [("Qcolumns", "SELECT lpad(row_number() OVER ()::VARCHAR, 4, '0'), column_name, column_type"
                                                 f" FROM (DESCRIBE FROM read_parquet('{d}/all.parquet'))")])
        self.duck(":memory:", s, answers=d)
        rows = [line.split("\t")[1:] for line in (d / "Qcolumns.tsv").read_text().splitlines()]
        return [(n, MONEY if t.startswith("DECIMAL") else TIME if t.startswith("TIMESTAMP") else TEXT) for n, t in rows]

    # -- loads --

    def load(self, rows, d, name):
        """I1: both engines in turn; the installation and the table of the Parquet file are asked afterwards."""
        file = dict(FORMATS)[name]
        read = {"Parquet": f"read_parquet('{d}/all.parquet')"}
        if name == "CSV.gz":
            self.packed(d)
            columns = ", ".join(f"'{n}': '{t}'" for n, t in self.columns(d))
            read = {"CSV.gz": f"read_csv('{d}/all.csv.gz', header=true, delim=',', quote='\"', escape='\"', auto_detect=false, columns={{{columns}}})"}
            if rows <= SIZES["S"]:
                read[FLOATS] = f"read_csv('{d}/all.csv.gz')"
        result = {n: {"ours": [], "theirs": [], "peak": 0, "peak_theirs": 0} for n in read}
        for turn in range(self.o.repeat):
            r, keep = result[name], name == "Parquet" and turn + 1 == self.o.repeat
            warm(d / file)
            data, link = self.our_load(r, d / ("data" if keep else "loaded"), d / file)
            r.update(file=(d / file).stat().st_size / 1e6, ledger=tree_mb(data / "ledger.duckdb"), bills=tree_mb(data / "bills"), segments=tree_mb(data / "segments"),
                     other=sum(tree_mb(f) for f in data.iterdir() if f.name not in ("ledger.duckdb", "bills", "segments")), link=link)
            for theirs in read:
                self.their_load(result[theirs], d, read[theirs], keep=keep)
            if not keep:
                shutil.rmtree(data)
        if FLOATS in result:
            result[FLOATS].update({k: v for k, v in result["CSV.gz"].items() if k in ("ours", "peak", "file")})
        return result

    def again(self, d):
        """I2: the same file again."""
        warm(d / "all.parquet")
        return {"seconds": self.reload(d, d / "all.parquet")[0]}

    def reload(self, d, file):
        return self.ours("load", "--data", d / "data", "--memory", f"{self.o.memory}MiB", "--source", "bench", file)

    def month(self, d):
        """I3: its last month with 0.3 % of the rows changed."""
        month = f"BillingPeriodStart = TIMESTAMP '{LAST.replace(day=1)}'"
        self.duck(":memory:", self.script("month", [
            ("month", f"COPY (SELECT * REPLACE ((CASE WHEN hash(ResourceId, ChargePeriodStart) % 1000 < 3 THEN BilledCost + 1 ELSE BilledCost END)::DECIMAL(38,18)"
                      f" AS BilledCost) FROM read_parquet('{d}/all.parquet') WHERE {month}) TO '{d}/month.parquet' (FORMAT parquet, COMPRESSION zstd)"),
            ("Qmonth", f"SELECT count(*) FROM read_parquet('{d}/month.parquet')")]), answers=d)
        took, peak, _ = self.reload(d, d / "month.parquet")
        return {"seconds": took, "peak": peak, "rows": int((d / "Qmonth.tsv").read_text())}

    def small(self, d):
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
            shutil.rmtree(self.our_load(r, d / "small", source, memory=256, enter=group)[0])
            return {"seconds": r["ours"][0], "peak": r["peak"], "file": source.stat().st_size / 1e6, "name": source.name}
        finally:
            for _ in range(50):
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(0.1)

    def our_load(self, r, data, file, memory=None, enter=None):
        shutil.rmtree(data, ignore_errors=True)
        link = self.ours("init", "--data", data, "--admin", ADMIN)[2]
        took, peak, _ = self.ours("load", "--data", data, "--memory", f"{memory or self.o.memory}MiB", "--source", "bench", file,
                                  preexec_fn=(lambda: (enter / "cgroup.procs").write_text(str(os.getpid()))) if enter else None)
        r["ours"].append(took)
        r["peak"] = max(r["peak"], peak)
        return data, link

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

    def their_queries(self, rows, d):
        """DuckDB's answers to everything, with its times."""
        day = lambda n: f"TIMESTAMP '{LAST - datetime.timedelta(days=n - 1)}'"
        flat, rules, theirs = d / "query.duckdb", tagrules.read(ROOT / "bench/rules.txt"), d / "theirs"
        (d / "usage.csv").write_text(edge.points_csv(LAST))
        # the tags the questions ask for as columns of their own: parsing JSON in each row would flatter us
        self.duck(flat, self.script("flat", [
            ("wide", f"CREATE OR REPLACE TABLE bill AS SELECT {', '.join(READ)}, Tags->>'$.team' AS tag_team, Tags->>'$.env' AS tag_env, Tags->>'$.app' AS tag_app FROM flat"),
            ("usage", f"CREATE OR REPLACE TABLE usage AS SELECT \"date\"::VARCHAR AS day, team AS value, n::DOUBLE AS n FROM read_csv('{d}/usage.csv')"),
            ("checkpoint", "CHECKPOINT")]))
        script = self.script("queries", [
            ("Q1", f"SELECT ChargePeriodStart::DATE AS day, ServiceName, sum(EffectiveCost) FROM bill"
                   f" WHERE ChargePeriodStart >= {day(90)} GROUP BY ALL"),
            ("Q2", f"SELECT ResourceId, coalesce(sum(EffectiveCost) FILTER (ChargePeriodStart >= {day(30)}), 0) AS cost,"
                   f" coalesce(sum(EffectiveCost) FILTER (ChargePeriodStart < {day(30)}), 0) AS before"
                   f" FROM bill WHERE ChargePeriodStart >= {day(60)} GROUP BY ALL ORDER BY cost DESC, ResourceId LIMIT 20"),
            ("Q3", f"SELECT ChargePeriodStart::DATE AS day, {tagrules.case(rules)} AS tag, sum(EffectiveCost) FROM bill GROUP BY ALL"),
            ("Q6", "SELECT sum(BilledCost), sum(BilledCost), sum(EffectiveCost), sum(EffectiveCost), sum(ListCost) FROM bill"),
            ("Q9", "SELECT DISTINCT ServiceName FROM bill WHERE ServiceName IS NOT NULL ORDER BY 1 LIMIT 50"),
            ("Qrows", f"SELECT count(*) FILTER (ChargePeriodStart >= {day(90)}) FROM bill"),
            *([] if self.o.in_process else [*[("Qedge" + n, sql) for n, (_, _, _, sql) in edge.questions(LAST).items() if sql],
                                            ("Qedgedirect", edge.q4_direct_sql(LAST)), ("QedgeQ4", edge.q4_sql(LAST)), ("QedgeQ12", edge.q12_sql(LAST))])])
        shutil.rmtree(theirs, ignore_errors=True)
        theirs.mkdir()
        _, peak, a = self.duck(flat, script, answers=theirs, runs=self.o.runs)
        if rows <= SIZES["S"]:  # for the evaluator that reads row by row
            self.duck(flat, self.script("rows", [("rows", "COPY (SELECT " + ", ".join(f"coalesce(({sql})::VARCHAR, '') AS \"{n}\"" for n, sql in slow.COLUMNS.items())
                                                  + f" FROM bill) TO '{d}/rows.csv' (FORMAT csv, HEADER)")]))
        flat.unlink()
        # an edited CASE is another CASE and the edit changes no line's value; the preview's sums are Q3's over all days
        a["Q3e"] = a["Q3p"] = a["QedgeQ3"] = a["Q3"]
        shutil.copy(theirs / "Q3.tsv", theirs / "Q3e.tsv")
        shutil.copy(theirs / "Q3.tsv", theirs / "QedgeQ3.tsv")
        (theirs / "Q3p.tsv").write_text(over_days((theirs / "Q3.tsv").read_text()))
        return {"queries": a, "peak": peak, "q1_rows": int((theirs / "Qrows.tsv").read_text())}

    def our_queries(self, d):
        """The same in process."""
        theirs, ours = d / "theirs", d / "ours"
        shutil.rmtree(ours, ignore_errors=True)
        ours.mkdir()
        (d / "tag.json").write_text(tagrules.document(tagrules.read(ROOT / "bench/rules.txt")))
        _, peak, text = run([self.build / "bench/bench_query", d / "data", self.o.memory, self.o.threads, ours, self.o.runs, d / "tag.json", LAST], env=self.env)
        b = {r["name"]: r for r in map(json.loads, text.splitlines())}
        for q in QUERIES:
            compare(q, ours / f"{q}.tsv", theirs / f"{q}.tsv")
        return {"queries": b, "peak": peak, "rows": {q: len((ours / f"{q}.tsv").read_bytes().splitlines()) for q in QUERIES}}

    def row_by_row(self, rows, d):
        """DuckDB's answers held to the evaluator that knows neither engine (Farthing's are compared with DuckDB's at the edge, Q4's with this one's method)."""
        every = 1 if rows < SIZES["S"] else 7
        want = slow.answers(d / "rows.csv", tagrules.read(ROOT / "bench/rules.txt"), edge.points(LAST), edge.SEEN, edge.day(LAST, 90), every)
        theirs = {q: edge.expected(q, (d / "theirs" / f"{n}.tsv").read_text()) for q, n in (("Q1", "QedgeQ1"), ("Q3", "Q3"), ("Q6", "QedgeQ6"), ("Q12", "QedgeQ12"))}
        q4 = edge.q4_expected(LAST, (d / "theirs/Qedgedirect.tsv").read_text())
        theirs["Q4"] = {k: v for k, v in q4.items() if int(k[0][-2:]) % every == 0}
        for q, cells in theirs.items():
            exact = {k: v for k, v in want[q].items() if v}
            if q == "Q6":
                exact = {k: edge.rounded(v) for k, v in exact.items()}
            wrong = "the answer is empty" if not exact else edge.differ(cells, exact, total=False, near=0)
            if wrong:
                die(f"{q}: DuckDB's answer is not the row by row evaluator's: {wrong}")
        (d / "rows.csv").unlink()
        return {q: len(c) for q, c in theirs.items()}

    # -- HTTP: what a page waits for --

    def server(self, d):
        s = edge.Server(self.farthing, d / "data", self.env, self.work / "serve.log", self.o.memory)
        try:
            if (d / "joined").exists():
                s.sign_in(ADMIN)
            else:
                s.cookie = s.join(self.link)
                (d / "joined").touch()
        except BaseException:
            s.end()
            raise
        return s

    def clients(self, s, what, body="", connections=1, cookie=None, rounds=None):
        """bench_http on one question, or on a file of them: name -> its times."""
        headers = self.work / "headers"
        headers.touch(mode=0o600)
        headers.write_text("".join(f"{k}: {v}\n" for k, v in s.headers(cookie).items() if k != "Content-Type"))
        try:
            text = run([self.build / "bench/bench_http", s.port, what, body, headers, connections,
                        f"x{rounds}" if rounds else self.o.seconds])[2]
            return {r["name"]: r for r in map(json.loads, text.splitlines())}
        finally:
            headers.unlink()

    def questions_file(self, questions):
        """(name, path, request) as bench_http reads them from a file."""
        path = self.work / "questions"
        path.write_text("".join(f"{n}\t{p}\t{json.dumps(q)}\n" for n, p, q in questions))
        return f"@{path}"

    def hot(self, s, path, body, connections=1, cookie=None):
        return self.clients(s, path, json.dumps(body), connections, cookie)[""]

    def at_the_edge(self, d):
        """Hot, each question by itself; the answers compared before they are timed."""
        result = {"hot": {}, "answers": {}}
        questions = edge.questions(LAST)
        s = self.server(d)
        try:
            self.row_rules(s, d, result)
            for name, (what, path, bodies, sql) in questions.items():
                say(f"over HTTP: {name}")
                if sql:
                    ours = edge.cells(name, [json.loads(s.post(path, b)[1]) for b in bodies])
                    self.same(name, ours, edge.expected(name, (d / "theirs" / f"Qedge{name}.tsv").read_text()), result)
                if len(bodies) == 1:
                    result["hot"][name] = self.hot(s, path, bodies[0])
                else:
                    result["hot"][name] = percentiles([s.timed(path, bodies) for _ in range(self.o.hot)])
            result["asked"] = {"Q4": self.pools(s, d, result), "Q3": self.virtual_tag(s, d, result)}
            say("over HTTP: Q13")
            panels = edge.panels(LAST)
            lines = self.questions_file((f"panel {i}", "/api/query", q) for i, q in enumerate(panels))
            result["hot"]["Q13"] = self.clients(s, lines, connections=len(panels), rounds=self.o.hot)[""]
            result["slowest_panel"] = max(self.clients(s, "/api/query", json.dumps(q), rounds=min(self.o.hot, 10))[""]["p50_ms"] for q in panels)
            result["throughput"] = self.hot(s, *questions["Q1"][1:2], questions["Q1"][2][0], connections=4)
            result["peak"], result["anonymous"] = s.peak_mb()
        finally:
            s.end()
        return result

    def same(self, name, ours, theirs, result, differ=edge.differ):
        wrong = "the answer is empty" if not ours else differ(ours, theirs)
        if wrong:
            die(f"{name} over HTTP: {wrong}")
        result["answers"][name] = len(ours)

    def row_rules(self, s, d, result):
        """Q12: Q1 by somebody who sees 7 of 60 teams."""
        say("over HTTP: Q12")
        n = time.time_ns()
        team = {**edge.dim("team", "tag"), "operator": "oneOf", "value": edge.SEEN}
        made = json.loads(s.post("/api/admin/users", {"email": f"team-{n}@example.com", "roles": ["basic"]})[1])
        group = json.loads(s.post("/api/admin/groups", {"name": f"seven teams {n}", "dataAccessEnabled": True, "filters": team})[1])
        s.post(f"/api/admin/groups/{group['id']}/users", {"add": [made["id"]]})
        cookie = s.join(made["link"])
        _, path, (body,), _ = edge.questions(LAST)["Q1"]
        s.post("/api/admin/data-access", {"enabled": True}, "PUT")
        try:
            ours = edge.cells("Q12", [json.loads(s.post(path, body, cookie=cookie)[1])])
            self.same("Q12", ours, edge.expected("Q12", (d / "theirs/QedgeQ12.tsv").read_text()), result)
            result["hot"]["Q12"] = self.hot(s, path, body, cookie=cookie)
        finally:
            s.post("/api/admin/data-access", {"enabled": False}, "PUT")

    def live_tag(self, s, document):
        """Saves a tag as live: (its id, the question by day over 13 months)."""
        made = json.loads(s.post("/api/tags?setAsLive=true", document)[1])
        key = next(k for k in s.get("/api/keys")["keys"] if k["key"] == made["id"])
        return made["id"], edge.ask(LAST, 395, [{k: key[k] for k in ("costCenter", "key", "type")}], "day")

    def pools(self, s, d, result):
        """Q4: three shared pools by cost, by usage and by fixed shares, the first falling on the other two as well."""
        say("over HTTP: Q4")
        n = time.time_ns()
        usage = json.loads(s.post("/api/telemetry", {"name": f"FinBench usage {n}", "type": "csv", "field": "team", "metricNames": ["n"]})[1])
        s.upload(f"/api/telemetry/{usage['id']}/upload?name=usage.csv", edge.points_csv(LAST))
        _, q = self.live_tag(s, {**edge.pool_document(usage["id"]), "name": f"FinBench pools {n}"})
        ours = edge.cells("Q4", [json.loads(s.post("/api/query", q)[1])])
        exact = edge.q4_expected(LAST, (d / "theirs/Qedgedirect.tsv").read_text())
        self.same("Q4", ours, exact, result, edge.differ_split)
        floats = edge.expected("Q4", (d / "theirs/QedgeQ4.tsv").read_text())
        wrong = edge.differ(floats, exact, total=False, near=decimal.Decimal("1e-6"))
        if wrong:
            die(f"Q4: DuckDB's floats are far from the exact answer: {wrong}")
        result["hot"]["Q4"] = self.hot(s, "/api/query", q)
        return q

    def virtual_tag(self, s, d, result):
        """Q3: the rules as a live virtual tag, by day over 13 months. Q3e: one rule is edited and saved, and the question asked again."""
        say("over HTTP: Q3")
        document = {**json.loads(tagrules.document(tagrules.read(ROOT / "bench/rules.txt"))), "name": f"FinBench {time.time_ns()}"}
        document.pop("id", None)
        tag, q = self.live_tag(s, document)
        ours = edge.cells("Q3", [json.loads(s.post("/api/query", q)[1])])
        self.same("Q3", ours, edge.expected("Q3", (d / "theirs/QedgeQ3.tsv").read_text()), result)
        result["hot"]["Q3"] = self.hot(s, "/api/query", q)
        took = []
        for i in range(min(self.o.hot, 10)):
            document["rules"][100]["to"] = f"edited {i}"
            start = time.monotonic()
            s.post(f"/api/tags/{tag}?setAsLive=true", document, "PUT")
            s.post("/api/query", q)
            took.append((time.monotonic() - start) * 1e3)
        result["hot"]["Q3e"] = percentiles(took)
        return q

    def asked(self, edge_result):
        """name -> (path, requests) of every question that a server can be asked again."""
        out = {n: (path, bodies) for n, (_, path, bodies, _) in edge.questions(LAST).items()}
        return {**out, **{n: ("/api/query", [q]) for n, q in edge_result["asked"].items()}}

    def cold(self, d, edge_result):
        """A fresh process, the folder's pages dropped from the cache, one question: its time, and what was read from the disk for it."""
        asked, out = self.asked(edge_result), {}
        for name in ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q8", "Q9"):
            took, read = [], []
            for _ in range(self.o.cold):
                for f in (d / "data").rglob("*"):
                    if f.is_file():
                        with open(f, "rb") as x:
                            os.posix_fadvise(x.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                s = self.server(d)
                try:
                    before = s.bytes_read()
                    took.append(s.timed(*asked[name]))
                    read.append(s.bytes_read() - before)
                finally:
                    s.end()
            out[name] = {**percentiles(took), "read_mb": sorted(read)[len(read) // 2] / 1e6}
        return out

    def under_load(self, d, edge_result):
        """Q14: sixteen clients go through Q1 to Q6, idle and while the whole bill is loaded as another source in the same server."""
        asked = self.asked(edge_result)
        lines = self.questions_file((n, asked[n][0], asked[n][1][0]) for n in ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6"))
        s = self.server(d)
        try:
            for n in ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6"):
                s.post(asked[n][0], asked[n][1][0])
            idle = self.clients(s, lines, connections=16)
            load = subprocess.Popen([str(x) for x in (self.farthing, "load", "--data", d / "data", "--source", "second", d / "all.parquet")],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.env)
            try:
                time.sleep(0.3)
                busy = self.clients(s, lines, connections=16)
                running = load.poll() is None
            finally:
                load.terminate()
                load.wait(600)
            peak, anonymous = s.peak_mb()
            return {"idle": idle, "busy": busy, "load_ran_throughout": running, "peak": peak, "anonymous": anonymous}
        finally:
            s.end()

    # -- all of one size --

    def floor(self, rows):
        out = run([self.build / "bench/bench_floor", rows, 3])[2]
        return {r["name"]: r for r in map(json.loads, out.splitlines())}

    def steps(self, rows):
        """The names of a size's steps in their order: what changes the installation comes last."""
        return [*(["load CSV.gz"] if "CSV.gz" in self.o.formats else []), "load Parquet", "DuckDB", *([] if self.o.in_process else ["floor"]), "in process",
                *([] if self.o.in_process else [*(["row by row"] if rows <= SIZES["S"] else []), "edge", "cold", "I2", "I3", *(["I4"] if self.o.small else []), "Q14"])]

    def size(self, rows):
        fresh = self.o.short or self.o.fresh
        state = State(self.work / f"state-{rows}.json", {"program": hash_of(self.farthing), "bill": self.stamp(), **{
            k: getattr(self.o, k) for k in ("memory", "threads", "repeat", "hot", "cold", "runs", "seconds")}}, fresh)
        done, d = state.done, self.work / str(rows)
        todo = [n for n in self.steps(rows) if n not in done]
        if not todo:
            say(f"{rows:,} rows: measured before")
            return done
        if "load Parquet" in done and not (d / "data").exists():
            todo, done = self.steps(rows), state.done
            done.clear()
        if "DuckDB" in todo and "load Parquet" not in todo and not (d / "query.duckdb").exists():
            todo = ["load Parquet", *todo]
        cost = lambda n: STEPS[n][0] + STEPS[n][1] * rows / 1e6
        made = (d / "made").exists() and (d / "made").read_text() == self.stamp()
        left = sum(map(cost, todo)) + (0 if made else cost("bill"))
        started = time.monotonic()
        say(f"{rows:,} rows: {len(todo)} steps, about {minutes(left)}")
        self.files(rows)
        if not made:
            left -= cost("bill")
        for i, name in enumerate(todo):
            say(f"{rows:,} rows, step {i + 1} of {len(todo)}: {name}, about {minutes(cost(name))}; about {minutes(left)} to the end of this size")
            begin = time.monotonic()
            state.keep(name, self.step(name, rows, d, done))
            done["took"] = done.get("took", 0) + time.monotonic() - begin
            left -= cost(name)
        state.keep("rows", rows)
        say(f"{rows:,} rows: done in {minutes(time.monotonic() - started)}")
        if not self.o.keep:
            shutil.rmtree(d)
        return done

    def step(self, name, rows, d, done):
        self.link = done.get("load Parquet", {}).get("Parquet", {}).get("link")
        if name == "load Parquet":
            (d / "joined").unlink(missing_ok=True)
        if name.startswith("load "):
            return self.load(rows, d, name[5:])
        return {"DuckDB": lambda: self.their_queries(rows, d),
                "floor": lambda: {"all": self.floor(rows), "Q1": self.floor(done["DuckDB"]["q1_rows"])},
                "in process": lambda: self.our_queries(d), "row by row": lambda: self.row_by_row(rows, d), "edge": lambda: self.at_the_edge(d),
                "cold": lambda: self.cold(d, done["edge"]), "I2": lambda: self.again(d), "I3": lambda: self.month(d), "I4": lambda: self.small(d),
                "Q14": lambda: self.under_load(d, done["edge"])}[name]()


def minutes(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(seconds, 1):.0f} s"


def over_days(tsv):
    """Rows day, value, amount added up over the days, written as DuckDB writes decimals."""
    sums = {}
    for line in tsv.splitlines():
        _, value, amount = line.split("\t")
        sums[value] = sums.get(value, 0) + decimal.Decimal(amount)
    plain = lambda x: (f"{x:f}".rstrip("0").rstrip(".") if "." in f"{x:f}" else f"{x:f}")
    return "".join(sorted(f"{v}\t{plain(x)}\n" for v, x in sums.items()))


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


def main():
    p = argparse.ArgumentParser(prog="script/bench", description="FinBench on the demo bill against plain DuckDB.")
    p.add_argument("--short", action="store_true", help="20,000 rows and short runs; the report goes to the work folder")
    p.add_argument("--size", action="append", metavar="S,M,L,XL", help="S 1, M 10, L 100 million, XL 1 billion rows; a list, or repeated (default S and M)")
    p.add_argument("--work", default=str(ROOT / "build-bench-work"), help="folder for files (default build-bench-work; L needs 50 GB)")
    p.add_argument("--keep", action="store_true", help="keep the bill files, and what was measured, for the next run")
    p.add_argument("--fresh", action="store_true", help="measure everything again, even what an earlier run ended with")
    p.add_argument("--memory", type=int, default=2048, metavar="MIB", help="limit of both engines (default 2048)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of both engines (default all)")
    p.add_argument("--formats", default="", help="what is loaded: Parquet,CSV.gz or Parquet alone (default both up to M, Parquet at L and XL)")
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
    sizes = [s for many in o.size or ["S,M"] for s in many.split(",")]
    formats = o.formats.split(",") if o.formats else []
    if set(sizes) - set(SIZES):
        die(f"--size is one of {', '.join(SIZES)}, or several with commas between")
    if formats and ("Parquet" not in formats or set(formats) - {f[0] for f in FORMATS}):
        die("--formats is Parquet,CSV.gz or Parquet")
    if o.short:
        o.repeat, o.runs, o.seconds, o.hot, o.cold = 1, 2, 0.5, 3, 1
    o.formats = formats
    bench = Bench(o)
    where = machine(bench.work)
    results = []
    for rows in [20_000] if o.short else [SIZES[s] for s in sizes]:
        o.formats = formats or (["Parquet", "CSV.gz"] if rows <= SIZES["M"] else ["Parquet"])
        results.append(bench.size(rows))
    try:  # a bare machine has no git
        version = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    except OSError:
        version = ""
    version = version or "unknown"
    out = pathlib.Path(o.out) if o.out else bench.work / "RESULTS.md" if o.short else ROOT / "bench/RESULTS.md"
    for r in results:
        r["load Parquet"]["Parquet"].pop("link", None)  # used up, but nobody's business
    (out.parent / "results.json").write_text(json.dumps({"machine": where, "commit": version, "sizes": results}, indent=1, default=str) + "\n")
    big = report.other_sections(out, big=True)
    out.write_text(report.text(o, results, where, " ".join(["script/bench", *sys.argv[1:]]), version) + ("\n" + big if big else ""))
    if not o.keep:
        for r in results:
            (bench.work / f"state-{r['rows']}.json").unlink(missing_ok=True)
    say(f"wrote {out}")
    print(out.read_text())


if __name__ == "__main__":
    main()
