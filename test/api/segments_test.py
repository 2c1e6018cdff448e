"""Segments flipped, cut and removed under a running server that is asked by several at once: the same answers, the file named, and made anew."""
import pathlib
import subprocess
import threading

from farthing import ADMIN, FIRST, PASSWORD, PROGRAM, ROWS, TMP, TODAY, Browser, Server, check, cli, equal, link_of, wait_until, write_bill

WAYS = ("flip", "cut", "empty", "gone")


def files(data):
    return sorted((pathlib.Path(data) / "segments").glob("*.seg"))


def installation(name):
    data = TMP / name
    link = link_of(cli(data, "init", "--admin", ADMIN))
    cli(data, "load", "--source", "bill", write_bill(TMP / f"{name}.csv", ROWS))
    cli(data, "check")
    s = Server(data)
    b = Browser(s)
    b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
    return data, s, b


def spoil(path, way):
    if way == "gone":
        path.unlink(missing_ok=True)
    elif way in ("cut", "empty"):
        with open(path, "r+b") as f:
            f.truncate(0 if way == "empty" else path.stat().st_size // 2)
    else:
        with open(path, "r+b") as f:  # in every page, past the first: data, not only padding
            for at in range(64, path.stat().st_size, 256):
                f.seek(at)
                c = f.read(1)[0]
                f.seek(at)
                f.write(bytes([c ^ 16]))


def questions(b):
    out = []
    for group in ([], [{"costCenter": "Global", "key": "service", "type": "billing_dimension"}], [{"costCenter": "Global", "key": "team", "type": "tag"}]):
        for cost in ("netAmortizedCost", "unblendedCost", "listCost"):
            a = b.post("/api/query", {"date": {"from": str(FIRST), "to": str(TODAY)}, "granularity": "day", "costType": cost, "groupBy": group})
            body = a.expect(200).json
            body.pop("elapsedMs")
            out.append(body)
    return out


def test_damaged_segments_under_two_readers():
    data, s, b = installation("segments")
    try:
        names = [f.name for f in files(data)]
        check(names, "there are segments")
        want, bad, stop = questions(b), [], threading.Event()

        def asking():
            while not stop.is_set():
                got = questions(b)
                if got != want:
                    bad.append(got)

        readers = [threading.Thread(target=asking) for _ in range(2)]
        for t in readers:
            t.start()
        try:
            for way in WAYS:
                for name in names:
                    spoil(pathlib.Path(data) / "segments" / name, way)
                questions(b)
                if way == "gone":  # who has it open reads on; a check finds it, unless the maker was quicker
                    p = subprocess.run([PROGRAM, "check", "--data", data], capture_output=True, text=True, timeout=120)
                    check(p.returncode == 0 or p.returncode == 1 and "missing" in p.stderr and ".seg" in p.stderr, p.returncode, p.stderr)
                wait_until(lambda: [f.name for f in files(data) if f.stat().st_size] == names)
        finally:
            stop.set()
            for t in readers:
                t.join()
        equal(bad, [], "another answer")
        equal(questions(b), want, "afterwards")
        log = pathlib.Path(s.log.name).read_text()
        check("segment_damaged" in log and any(n in log for n in names), "the log names the file:", log[-800:])
    finally:
        equal(s.stop(), 0)
    cli(data, "check")


def test_damaged_segments_and_ledger_are_made_from_the_archive():
    data, s, b = installation("segments-2")
    want = questions(b)
    equal(s.stop(), 0)
    for path in files(data):
        spoil(path, "flip")
    with open(pathlib.Path(data) / "ledger.duckdb", "r+b") as f:
        f.write(b"\0" * 65536)
    s = Server(data)
    b = Browser(s, b.cookie)
    equal(questions(b), want, "from the archive")
    equal(s.stop(), 0)
    cli(data, "check")
