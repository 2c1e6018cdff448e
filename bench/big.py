"""The 5 GB load: one CSV.gz of at least --gb gigabytes inside a memory cgroup of 512 MiB, and many small CSV.gz, beside bare DuckDB and zlib.

Every measured step is its own process; "peak in the group" is the cgroup's high-water mark (pages of the page cache that the kernel may
drop count in it), "peak of the process" is VmHWM. Control totals of the load are compared with DuckDB's sums of the same file.
"""
import argparse
import datetime
import decimal
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zlib

import bench
import report

LIMIT = 512 << 20
ROWS_PER_GB = 8_000_000  # a first guess; more is made until the file is large enough


class Group:
    """A memory cgroup, version 1 or 2."""

    def __init__(self):
        v1 = pathlib.Path("/sys/fs/cgroup/memory")
        self.one = (v1 / "memory.limit_in_bytes").exists()
        self.dir = (v1 if self.one else pathlib.Path("/sys/fs/cgroup")) / f"farthing-big-{os.getpid()}-{time.monotonic_ns()}"
        self.dir.mkdir()
        (self.dir / ("memory.limit_in_bytes" if self.one else "memory.max")).write_text(str(LIMIT))

    def enter(self):
        (self.dir / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self):
        f = self.dir / ("memory.max_usage_in_bytes" if self.one else "memory.peak")
        return int(f.read_text()) / 1e6 if f.exists() else 0

    def end(self):
        for _ in range(100):
            try:
                return self.dir.rmdir()
            except OSError:
                time.sleep(0.1)


def measure(args, group=None, env=None):
    """(seconds, peak MB of the process, peak MB in the group, exit code, stdout, stderr)"""
    start = time.monotonic()
    with open("/dev/null", "rb") as none:
        p = subprocess.Popen([str(a) for a in args], stdin=none, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                             preexec_fn=group.enter if group else None)
        out = p.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_maxrss / 1024, group.peak() if group else 0, p.returncode, out


def unpack(path):
    """What zlib takes for the bytes of the file alone: (seconds, bytes)."""
    start, n, z = time.monotonic(), 0, zlib.decompressobj(31)
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            while block:
                n += len(z.decompress(block))
                block = z.unused_data
                if z.eof:
                    z = zlib.decompressobj(31)
    return time.monotonic() - start, n


class Big:
    def __init__(self, o):
        self.o, self.work = o, pathlib.Path(o.work)
        self.b = bench.Bench(argparse.Namespace(work=o.work, build=o.build, memory=2048, threads=o.threads, formats=["Parquet", "CSV.gz"], repeat=1))

    def duck(self, db, memory, name, sql, group=None, answers="-"):
        s = self.b.script(name, [(name, sql)])
        return measure([self.b.build / "bench/bench_duck", db, f"{memory}MiB", self.o.threads, answers, 0, s], group)

    def files(self):
        """One packed file of at least --gb, and the first tenth of its rows in --parts packed files."""
        rows = int(self.o.gb * ROWS_PER_GB)
        while True:
            d = self.b.files(rows)
            if (d / "all.csv.gz").stat().st_size >= self.o.gb * 1e9:
                break
            rows = int(rows * 1.03 * self.o.gb * 1e9 / (d / "all.csv.gz").stat().st_size)
            shutil.rmtree(d)
        many = d / "many"
        if not many.exists():
            bench.say(f"{self.o.parts} small files")
            self.b.duck(":memory:", self.b.script("many", [
                (f"part{i}", f"COPY (FROM read_parquet('{d}/all.parquet') WHERE hash(ResourceId, ChargePeriodStart) % {10 * self.o.parts} = {i})"
                             f" TO '{d}/part{i:03}.csv.gz' (FORMAT csv, HEADER, COMPRESSION gzip, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ')")
                for i in range(self.o.parts)]))
            many.mkdir()
            for f in d.glob("part*.csv.gz"):
                f.rename(many / f.name)
        return rows, d

    def sums(self, d, read):
        """DuckDB's own sums of the file: the control totals are held to them."""
        took, peak, _, code, out = self.duck(":memory:", 2048, "Qsums", f"SELECT count(*), sum(BilledCost), sum(EffectiveCost), sum(ListCost) FROM {read}", answers=d)
        if code:
            bench.die(out)
        return (d / "Qsums.tsv").read_text().strip().split("\t"), took

    def ours(self, sources, memory, group, want):
        data = self.work / "load"
        shutil.rmtree(data, ignore_errors=True)
        self.b.ours("init", "--data", data, "--admin", "bench@example.com")
        took, peak, inside, code, out = measure([self.b.farthing, "load", "--json", "--data", data, "--memory", f"{memory}MiB", "--source", "big", *sources],
                                                group, self.b.env)
        if code:
            bench.die(f"the load ended with {code}: {out[-2000:]}")
        q = subprocess.run([self.b.farthing, "query", "--data", data, "--format", "json", "--from", "2025-10-01", "--to", "2026-11-30",
                            "--cost-type", "unblendedCost", "--granularity", "accumulated"], env=self.b.env, capture_output=True, text=True, check=True)
        got = decimal.Decimal(json.loads(q.stdout)["total"]["total"])
        decimal.getcontext().prec = 60
        if want and got != round(decimal.Decimal(want[1]), 10):
            bench.die(f"the totals differ: {got} and {want[1]}")
        shutil.rmtree(data)
        return took, peak, inside

    def run(self):
        rows, d = self.files()
        path = d / "all.csv.gz"
        columns = ", ".join(f"'{n}': '{t}'" for n, t in self.b.columns(d))
        read = f"read_csv('{path}', header=true, delim=',', quote='\"', escape='\"', auto_detect=false, columns={{{columns}}})"
        result = {"rows": rows, "file_mb": path.stat().st_size / 1e6, "parts": self.o.parts}
        bench.say("zlib alone")
        result["zlib_s"], plain = unpack(path)
        result["plain_mb"] = plain / 1e6
        bench.say("sums by DuckDB")
        want, result["sums_s"] = self.sums(d, f"read_parquet('{d}/all.parquet')")
        bench.say("Farthing in 512 MiB")
        g = Group()
        result["ours"] = self.ours([path], 256, g, want)
        g.end()
        bench.say("DuckDB in 512 MiB")
        flat = d / "flat.duckdb"
        for name, memory, group in (("theirs_small", 256, Group()), ("theirs", 2048, None)):
            flat.unlink(missing_ok=True)
            took, peak, inside, code, out = self.duck(flat, memory, "load", f"CREATE TABLE flat AS SELECT * FROM {read}", group)
            result[name] = {"seconds": took, "peak": peak, "inside": inside, "code": code, "words": out[-300:] if code else ""}
            if group:
                group.end()
            bench.say("DuckDB with 2 GiB")
        flat.unlink(missing_ok=True)
        many = sorted((d / "many").iterdir())
        result["many_mb"] = sum(f.stat().st_size for f in many) / 1e6
        bench.say(f"{len(many)} files")
        glob = read.replace(str(path), f"{d}/many/*.csv.gz")
        want, _ = self.sums(d, glob)
        result["many_rows"] = int(want[0])
        result["many_ours"] = self.ours(many, 2048, None, want)
        took, peak, _, code, out = self.duck(flat, 2048, "load", f"CREATE TABLE flat AS SELECT * FROM {glob}")
        if code:
            bench.die(out)
        result["many_theirs"] = (took, peak)
        flat.unlink(missing_ok=True)
        if not self.o.keep:
            shutil.rmtree(d)
        return result


def row(name, rows, took, peak, inside):
    return [name, f"{took:.1f} s", f"{rows / took:,.0f}", f"{peak:.0f} MB", f"{inside:.0f} MB" if inside else ""]


def section(r, where, command):
    small = r["theirs_small"]
    return "\n".join([
        report.BIG + ", and many files\n",
        f"Made by `{command}` on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC. Machine: {where}.\n",
        f"One CSV.gz of {r['file_mb']:,.0f} MB ({r['rows']:,} rows, {r['plain_mb']:,.0f} MB unpacked). The group is a memory cgroup of 512 MiB;"
        " what it counts holds pages of the page cache, which the kernel drops as needed, so its own peak is its limit. Farthing's total after"
        " the load is DuckDB's sum of the same rows to the last digit.\n",
        report.table(["", "time", "rows/s", "peak of the process", "peak in the group"], [
            row("Farthing, `--memory 256MiB`, in the group", r["rows"], *r["ours"]),
            row("DuckDB into one flat table, `memory_limit` 256 MiB, in the group", r["rows"], small["seconds"], small["peak"], small["inside"]) if not small["code"]
            else ["DuckDB into one flat table, `memory_limit` 256 MiB, in the group", f"ended with {small['code']} after {small['seconds']:.1f} s", "",
                  f"{small['peak']:.0f} MB", f"{small['inside']:.0f} MB"],
            row("DuckDB into one flat table, 2 GiB, no group", r["rows"], r["theirs"]["seconds"], r["theirs"]["peak"], 0),
            ["zlib alone (unpacks, looks at nothing)", f"{r['zlib_s']:.1f} s", f"{r['rows'] / r['zlib_s']:,.0f}", "", ""]]),
        f"\nFarthing / DuckDB with 2 GiB: **{r['ours'][0] / r['theirs']['seconds']:.2f}**; / zlib: **{r['ours'][0] / r['zlib_s']:.2f}**.\n",
        f"{r['parts']} CSV.gz of {r['many_mb']:,.0f} MB together ({r['many_rows']:,} rows), both with 2 GiB: Farthing {r['many_ours'][0]:.1f} s"
        f" (peak {r['many_ours'][1]:.0f} MB), DuckDB {r['many_theirs'][0]:.1f} s (peak {r['many_theirs'][1]:.0f} MB):"
        f" **{r['many_ours'][0] / r['many_theirs'][0]:.2f}**.\n"])


def main():
    p = argparse.ArgumentParser(prog="script/bench big", description="A 5 GB CSV.gz in a memory cgroup of 512 MiB, and many small files.")
    p.add_argument("--gb", type=float, default=5, help="size of the packed file (default 5)")
    p.add_argument("--parts", type=int, default=40, help="small files, a tenth of the rows together (default 40)")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--work", default=str(bench.ROOT / "build-bench-work"))
    p.add_argument("--build", default=str(bench.BUILD))
    p.add_argument("--keep", action="store_true", help="keep the files for the next run")
    p.add_argument("--out", default=str(bench.ROOT / "bench/RESULTS.md"), help="its section of this file is replaced")
    o = p.parse_args()
    r = Big(o).run()
    where = bench.machine(pathlib.Path(o.work))
    text = section(r, where, " ".join(["script/bench big", *sys.argv[1:]]))
    out = pathlib.Path(o.out)
    kept = report.other_sections(out, big=False)
    out.write_text(kept.rstrip("\n") + "\n\n" + text)
    (out.parent / "big.json").write_text(json.dumps({"machine": where, **r}, indent=1, default=str) + "\n")
    print(text)


if __name__ == "__main__":
    main()
