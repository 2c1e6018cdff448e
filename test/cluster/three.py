#!/usr/bin/env python3
"""The query suite three ways: the scan kernel, DuckDB alone and the cluster at argv[1] give the same bytes.

One installation (bills with odd texts, two currencies and eighteen decimals, virtual tags with time frames and reallocation, groups with
row rules) is copied twice; three servers answer seeded random questions. FARTHING_THREE_CASES: how many (2,000), FARTHING_THREE_SEED.
"""
import os
import pathlib
import random
import re
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "test" / "api")]
import alloc_test as alloc  # noqa: E402
from farthing import FIRST, ROWS, TODAY, TMP, Browser, Server, cli, copy_of, link_of, stop_all, write_bill  # noqa: E402

CASES = int(os.environ.get("FARTHING_THREE_CASES", "2000"))
SEED = int(os.environ.get("FARTHING_THREE_SEED", "20261125"))
WORKERS = 4
ENGINES = ("kernel", "DuckDB", "cluster")
TYPES = ["netAmortizedCost", "amortizedCost", "unblendedCost", "netUnblendedCost", "blendedCost", "listCost"]
KEYS = [alloc.native(k) for k in ("service", "region", "cost_center_type", "sub_account_name")] + [
    alloc.native("resource_id", "resource"), alloc.native("team", "tag"), alloc.native("cluster", "tag"), alloc.native("env", "tag"),
    {"costCenter": "AWS", "key": "service", "type": "billing_dimension"}, {"costCenter": "GCP", "key": "team", "type": "tag"}]
VALUES = ["EC2", "Amazon EC2", "Amazon S3", "Compute Engine", "core", "data", "A", "B", "Shared", "größe", "us-east-1", "AWS", "r1", "no such"]


def make(dice):
    """The installation, its tags, and who asks: [(virtual tags' keys)], cookies of an administrator and of people with row rules."""
    rows = alloc.dice_bill(dice)
    p = alloc.Place([(alloc.day(r["day"]), r["service"], r["resource"], {k: r[k] for k in ("team", "cluster", "env") if r[k]}, r["text"])
                     for r in rows])
    cli(p.data, "load", "--source", "main", write_bill(TMP / "three.csv", ROWS))
    euro = [{**r, "BillingCurrency": "EUR", "ServiceName": "Größe & Söhne", "ResourceId": r["ResourceId"] + "-eu"} for r in ROWS[::7]]
    cli(p.data, "load", "--source", "euro", write_bill(TMP / "three-euro.csv", euro))
    days = [(alloc.day(1), "1.0837"), (alloc.day(9), "1.0912345678"), (FIRST, "1.1"), (FIRST + alloc.datetime.timedelta(days=11), "1.09")]
    p.b.post("/api/currencies/rates", {"rates": [{"currency": "EUR", "target": "USD", "day": str(d), "rate": r} for d, r in days]}).expect(200)
    tags = [key for _ in range(3) for _, key in alloc.dice_tags(dice, p)]
    p.b.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    people = [p.b]
    rules = ({**alloc.SERVICE, "operator": "contains", "value": ["a"]}, {**alloc.TEAM_KEY, "operator": "notExists"},
             {**tags[0], "operator": "oneOf", "value": ["A", "B", "Shared"]})
    for n, rule in enumerate(rules):
        made = p.b.post("/api/admin/users", {"email": f"rows{n}@example.com", "roles": ["basic"]}).expect(201).json
        b = Browser(p.server)
        b.post("/api/session/link", {"link": link_of(made["link"]), "password": "orchid lantern gravel"}).expect(200)
        group = p.b.post("/api/admin/groups", {"name": f"g{n}", "dataAccessEnabled": True, "filters": rule}).expect(201).json
        p.b.post(f"/api/admin/groups/{group['id']}/users", {"add": [made["id"]]}).expect(204)
        people.append(b)
    p.server.stop()
    return p.data, tags, [b.cookie for b in people]


def leaf(dice, keys):
    op = dice.choice(["is", "isNot", "oneOf", "notOneOf", "contains", "notContains", "exists", "notExists", "greaterThan"])
    f = {**dice.choice(keys), "operator": op}
    if "xists" not in op:
        f["value"] = "3" if op == "greaterThan" else dice.sample(VALUES, dice.randrange(1, 4)) if "OneOf" in op or "oneOf" in op else dice.choice(VALUES)
    return f


def filters(dice, keys, depth=2):
    if depth == 0 or dice.random() < 0.4:
        return leaf(dice, keys)
    return {dice.choice(["AND", "OR"]): [filters(dice, keys, depth - 1) for _ in range(dice.randrange(1, 4))]}


def question(dice, tags):
    """A path and its body. Days lie in the bills of July 2026 and of the last weeks, around them and beside them."""
    keys = KEYS + tags
    start = alloc.day(1) if dice.random() < 0.5 else FIRST
    span = 31 if start != FIRST else (TODAY - FIRST).days
    first = start + alloc.datetime.timedelta(days=dice.randrange(-3, span))
    last = first + alloc.datetime.timedelta(days=dice.choice([0, 0, 1, 6, 13, 30, 200, 400]))
    q = {"date": {"from": str(first), "to": str(last)}, "costType": dice.choice(TYPES),
         "granularity": dice.choice(["day", "week", "month", "quarter", "year", "accumulated"]),
         "groupBy": dice.sample(keys, dice.choice([0, 1, 1, 1, 2, 3]))}
    if dice.random() < 0.6:
        q["filters"] = filters(dice, keys)
    for name, chance, value in (("previous", 0.3, True), ("shared", 0.2, True), ("top", 0.3, dice.randrange(1, 7)), ("others", 0.3, True)):
        if dice.random() < chance:
            q[name] = value
    if dice.random() < 0.7:
        q["currency"] = dice.choice(["USD", "EUR"])
    if dice.random() < 0.06:
        return "/api/values", {**dice.choice(keys), "date": q["date"]}
    return "/api/query", q


def text_of(a):
    return a.status, re.sub(rb'"(elapsedMs|requestId)":("[^"]*"|[0-9.]+)', b"", a.body)


def main():
    dice = random.Random(SEED)
    data, tags, cookies = make(dice)
    folders = [data, copy_of(data, "three-duckdb"), copy_of(data, "three-cluster")]
    out = cli(folders[2], "migrate", "--to", sys.argv[1])
    assert "the cluster answers" in out, out
    servers = [Server(f, {"FARTHING_ENGINE": "duckdb"} if i == 1 else {}) for i, f in enumerate(folders)]
    cases = [(*question(dice, tags), cookies[max(0, dice.randrange(-2, len(cookies)))]) for _ in range(CASES)]
    bad, good, refused, lock = [], [0], {}, threading.Lock()

    def work(mine):
        for path, q, cookie in mine:
            got = [text_of(Browser(s, cookie).post(path, q)) for s in servers]
            with lock:
                good[0] += got[0][0] == 200
                if got[0][0] != 200:
                    refused[got[0][1][60:200]] = q
                for i in (1, 2):
                    if got[i] != got[0]:
                        bad.append(f"{ENGINES[i]}, seed {SEED}: {path} {q}: {got[i][0]} {got[i][1][:400]} instead of {got[0][0]} {got[0][1][:400]}")

    threads = [threading.Thread(target=work, args=(cases[i::WORKERS],)) for i in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    name = f"{CASES} random questions: kernel, DuckDB and two shards give the same bytes"
    problem = f"{len(bad)} differ: {bad[0]}" if bad else f"only {good[0]} have an answer: {refused}" if good[0] < CASES * 0.6 else None
    print(f"not ok {name} - {problem[:1800]}" if problem else f"ok {name}", flush=True)
    stop_all()
    return 1 if problem else 0


sys.exit(main())
