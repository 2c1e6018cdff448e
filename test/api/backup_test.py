"""Backups as security.md 3.14 wants them: sealed, proved, kept by a rule, refused when anything is wrong with them."""
import datetime
import os
import random
import re
import shutil
import subprocess

from farthing import ADMIN, PASSWORD, PROGRAM, ROWS, TMP, Browser, Server, check, cli, equal, link_of, secret, write_bill

_made = {}


def bed():
    if "data" not in _made:
        data, key, other = TMP / "kept", TMP / "kept-master.key", TMP / "kept-other.key"
        link = link_of(cli(data, "init", "--admin", ADMIN))
        cli(data, "load", "--source", "bill", write_bill(TMP / "kept.csv", ROWS[:120]))
        for k in (key, other):
            cli(None, "vault", "key", k)
            secret(k.read_text().strip())
        s = Server(data, args=("--vault-key", key))
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        b.post("/api/credentials", {"name": "c", "kind": "api_key", "value": {"key": "c4nary-of-the-backup-77"}}).expect(201)
        sealed = TMP / "sealed.backup"
        out = cli(data, "backup", sealed)  # inside the server, with its key
        check("sealed with the vault" in out, out)
        s.stop()
        _made.update(data=data, key=key, other=other, sealed=sealed, cookie=b.cookie)
    return _made


def restore(file, to, key=None):
    return cli(to, "restore", *(("--vault-key", key) if key else ()), file)


def test_a_sealed_backup_shows_nothing_and_comes_back_whole():
    """BK-2, BK-3, BK-7."""
    t = bed()
    raw = t["sealed"].read_bytes()
    equal(t["sealed"].stat().st_mode & 0o777, 0o600)
    for word in (b"SQLite format", b"PAR1", b"meta.db", b"Amazon EC2", ADMIN.encode(), b"MANIFEST"):
        check(word not in raw, word, "is readable in the backup")
    to = TMP / "back"
    check("signs in again" in restore(t["sealed"], to, t["key"]))
    cli(to, "check")
    question = ("--from", "2020-01-01", "--to", "2099-12-31", "--format", "json")
    equal(cli(to, "query", *question), cli(t["data"], "query", *question))
    s = Server(to, args=("--vault-key", t["key"]))
    Browser(s, t["cookie"]).get("/api/session").expect(401)
    b = Browser(s)
    b.post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200)
    equal(len(b.get("/api/credentials").json["credentials"]), 1)
    s.stop()
    check("1 credentials, all open" in cli(to, "vault", "check", "--vault-key", t["key"]))


def test_what_is_wrong_with_a_backup_is_said_and_nothing_is_restored():
    """Truncated, bit-flipped, longer, wrong key, no key: each refused, and no folder is left."""
    t = bed()
    raw, to, bad = t["sealed"].read_bytes(), TMP / "never", TMP / "bad.backup"
    rng = random.Random(20261125)
    cases = [raw[:n] for n in (0, 3, 16, 30, 56, 57, 1000, 65536 + 100, len(raw) // 2, len(raw) - 1)]
    for _ in range(25):
        at = rng.randrange(16, len(raw))
        cases.append(raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1:])
    head, chunk = 16 + 16 + 24, 65536 + 17
    cases.append(raw + b"\0")
    cases.append(raw + raw[-40:])
    if len(raw) > head + 2 * chunk:  # chunks that changed places, one that is missing
        a, b = raw[head:head + chunk], raw[head + chunk:head + 2 * chunk]
        cases += [raw[:head] + b + a + raw[head + 2 * chunk:], raw[:head] + b + raw[head + 2 * chunk:], raw[:head] + a + a + raw[head + chunk:]]
    for i, text in enumerate(cases):
        bad.write_bytes(text)
        p = restore_fails(bad, to, t["key"])
        check("damaged" in p or "not at hand" in p, i, p)
        check(not to.exists() and not list(TMP.glob("never.*")), i, "left something")
    check("master key" in restore_fails(t["sealed"], to, t["other"]))
    check("master key" in restore_fails(t["sealed"], to, None))


def restore_fails(file, to, key):
    """What it says; the exit code is 1 or 3."""
    line = [PROGRAM, "restore", "--data", str(to), *(("--vault-key", str(key)) if key else ()), str(file)]
    p = subprocess.run(line, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    check(p.returncode in (1, 3), file, "exit", p.returncode, p.stderr)
    return p.stderr


def test_verify_proves_a_backup_and_leaves_nothing():
    """BK-4: control totals, tags, the audit chain; from the file alone."""
    t = bed()
    folder = TMP / "verify"
    folder.mkdir()
    file = folder / "a.backup"
    shutil.copy(t["sealed"], file)
    out = cli(None, "backup", "verify", "--vault-key", t["key"], file)
    m = re.search(r"ok: (\d+) live loads meet their control totals, (\d+) audit records hold, last hash ([0-9a-f]{64})", out)
    check(m and m[1] == "1" and int(m[2]) >= 2, out)
    check(m[3] in cli(t["data"], "audit", "verify"), "the same chain as the original's")
    equal([p.name for p in folder.iterdir()], ["a.backup"])
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 4
    file.write_bytes(raw)
    try:
        cli(None, "backup", "verify", "--vault-key", t["key"], file)
        raise RuntimeError("a damaged backup was proved")
    except AssertionError as e:
        check("damaged" in str(e), e)
    equal([p.name for p in folder.iterdir()], ["a.backup"])


def keep(names):
    """BK-6 said again: the newest of each of the last 7 days, 4 weeks (from Monday) and 12 months that have one."""
    by = sorted(names, reverse=True)
    out = set()
    for key, most in ((lambda d: d, 7), (lambda d: d.isocalendar()[:2], 4), (lambda d: (d.year, d.month), 12)):
        seen = []
        for n in by:
            k = key(datetime.datetime.strptime(n[9:17], "%Y%m%d").date())
            if k not in seen and len(seen) < most:
                seen.append(k)
                out.add(n)
    return out


def test_a_folder_keeps_seven_days_four_weeks_twelve_months():
    t = bed()
    folder = TMP / "many"
    folder.mkdir()
    now = datetime.datetime.now(datetime.timezone.utc)
    rng = random.Random(7)
    names = set()
    for days in range(1, 500):
        for _ in range(rng.choice((0, 1, 1, 2))):
            at = now - datetime.timedelta(days=days, seconds=rng.randrange(3600))
            names.add(f"farthing-{at:%Y%m%d-%H%M%S}.backup")
    for n in names:
        (folder / n).touch()
    theirs = ["notes.txt", "farthing-20240101-000000.backup.old", "farthing-20241301-000000.backup", "farthing-2024010-000000.backup"]
    for n in theirs:
        (folder / n).touch()
    out = cli(t["data"], "backup", "--into", folder, "--vault-key", t["key"])
    new = {p.name for p in folder.iterdir()} - names - set(theirs)
    equal(len(new), 1)
    check("older backups removed" in out and next(iter(new)) in out, out)
    equal({p.name for p in folder.iterdir()} - set(theirs), keep(names | new))
    check(all((folder / n).exists() for n in theirs), "files that are not ours stay")
    check("ok: 1 live loads" in cli(None, "backup", "verify", folder / next(iter(new)), env={**os.environ, "FARTHING_VAULT_KEY_FILE": str(t["key"])}))


def test_without_a_key_it_says_that_it_is_not_encrypted():
    """And what earlier versions wrote comes back."""
    data, file = TMP / "plainly", TMP / "plain.backup"
    cli(data, "init", "--admin", ADMIN)
    out = cli(data, "backup", file)
    check("sealed" not in out, out)
    check(b"SQLite format" in file.read_bytes())
    restore(file, TMP / "plainly-back")
    cli(None, "backup", "verify", file)
