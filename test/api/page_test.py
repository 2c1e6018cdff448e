"""The page's own routes (doc/page-api.md) and the command line beside a running server."""
import csv
import datetime
import gzip
import io
import json
import time
import urllib.parse
from decimal import Decimal

from farthing import (ADMIN, FIRST, PASSWORD, ROWS, TODAY, Browser, Key, Server, bill_rows, browser, check, cli, equal,
                      link_of, millis, round10, server, wait_until, write_bill, TMP, key, data_dir)

RANGE = {"from": str(FIRST), "to": str(TODAY)}


def cost(rows, column="EffectiveCost"):
    return sum((Decimal(r[column]) for r in rows), Decimal(0))


def money(text):
    check(isinstance(text, str) and 2 <= len(text.split(".")[1]) <= 10, text)
    return Decimal(text)


def query(**q):
    return browser().post("/api/query", {"date": RANGE, **q}).expect(200).json


def test_the_question_is_answered():
    a = query(groupBy=[{"costCenter": "Global", "key": "service", "type": "billing_dimension"}], granularity="day",
              previous=True)
    equal(a["currency"], "USD")
    equal(len(a["buckets"]), (TODAY - FIRST).days + 1)
    equal(a["buckets"][0], str(FIRST))
    equal(money(a["total"]["total"]), round10(cost(ROWS)))
    equal(sum(money(c) for c in a["total"]["cells"]), money(a["total"]["total"]))
    equal(sum(money(g["total"]) for g in a["groups"]), money(a["total"]["total"]))
    for g in a["groups"]:
        equal(sum(money(c) for c in g["cells"]), money(g["total"]), str(g["values"]))
        check(abs(money(g["total"]) - round10(cost(r for r in ROWS if r["ServiceName"] == g["values"][0])))
              <= Decimal("1e-10"), g["values"])
    equal(a["rows"], len(ROWS))
    equal(a["range"], {"from": str(FIRST), "to": str(TODAY), "days": (TODAY - FIRST).days + 1})
    equal(a["previous"]["to"], str(FIRST - datetime.timedelta(days=1)))
    equal(money(a["total"]["previous"]), 0)
    check(a["unfiltered"] is None and a["groupCount"] == 4 and a["elapsedMs"] > 0)
    equal(a["question"]["costType"], "netAmortizedCost")
    again = browser().post("/api/query", a["question"]).expect(200).json
    equal(again["groups"], a["groups"], "the normalised question asks the same")


def test_filters_top_and_others():
    f = {"AND": [{"costCenter": "AWS", "key": "team", "type": "tag", "operator": "is", "value": "core"}]}
    a = query(filters=f)
    want = round10(cost(r for r in ROWS if r["ProviderName"] == "AWS" and '"core"' in r["Tags"]))
    equal(money(a["total"]["total"]), want)
    equal(money(a["unfiltered"]), round10(cost(ROWS)))
    a = query(groupBy=[{"costCenter": "Global", "key": "service", "type": "billing_dimension"}], top=2, others=True)
    equal([g["isOthers"] for g in a["groups"]], [False, False, True])
    equal(a["groups"][2]["others"], 2)
    equal(sum(money(g["total"]) for g in a["groups"]), money(a["total"]["total"]))


def test_bad_questions_name_the_field():
    for q, field in (({"date": {"from": "2026-10-31", "to": "2026-10-01"}}, "date"), ({"granularity": "minute"}, "granularity"),
                     ({"costType": "euros"}, "costType"), ({"groupBy": [{"costCenter": "AWS", "key": "nope"}]}, "groupBy"),
                     ({"filters": {"AND": [{"costCenter": "AWS", "key": "service", "type": "billing_dimension",
                                            "operator": "like", "value": "x"}]}}, "filters.AND[0].operator")):
        a = browser().post("/api/query", q)
        check(a.status in (400, 422), q, a.status)
        check(a.json["field"].startswith(field), q, a.body)
        check(set(a.json) >= {"requestId", "error", "message"})


def test_csv_is_the_same_table():
    q = {"date": RANGE, "groupBy": [{"costCenter": "Global", "key": "service", "type": "billing_dimension"}], "top": 1}
    a = browser().post("/api/query.csv", q).expect(200)
    check(a.headers["content-type"].startswith("text/csv"))
    check(a.headers["content-disposition"].startswith("attachment; filename="))
    rows = list(csv.reader(io.StringIO(a.body.decode())))
    check({"Amazon EC2", "Amazon S3", "AWS Support", "Compute Engine"} <= {c for r in rows for c in r}, rows[:3])


def test_rows_behind_a_number():
    q = {"date": RANGE, "filters": {"costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "is",
                                    "value": "AWS Support"}, "limit": 3}
    a = browser().post("/api/rows", q).expect(200).json
    check("EffectiveCost" in a["columns"] and len(a["rows"]) == 3 and a["more"] is True, a)
    at = a["columns"].index("EffectiveCost")
    known = {Decimal(r["EffectiveCost"]) for r in ROWS if r["ServiceName"] == "AWS Support"}
    for r in a["rows"]:
        check(Decimal(r[at]) in known, r[at])
    for bad in (0, 501, "x", 1.5):
        browser().post("/api/rows", {**q, "limit": bad}).expect(400)


def test_keys_and_values():
    keys = browser().get("/api/keys").expect(200).json["keys"]
    check({"costCenter", "key", "type", "displayName", "path"} <= set(keys[0]))
    ask = lambda **b: browser().post("/api/values", {"costCenter": "Global", "key": "service",
                                                      "type": "billing_dimension", **b}).expect(200).json
    a = ask()
    equal([v["value"] for v in a["values"]], ["AWS Support", "Amazon EC2", "Amazon S3", "Compute Engine"])
    equal({v["cost"] for v in a["values"]}, {None})
    equal([v["value"] for v in ask(search="AMAZON")["values"]], ["Amazon EC2", "Amazon S3"])
    first = ask(limit=2)
    check(first["more"])
    equal([v["value"] for v in ask(limit=2, after=first["values"][-1]["value"])["values"]], ["Amazon S3", "Compute Engine"])
    priced = ask(date=RANGE)["values"]
    costs = [money(v["cost"]) for v in priced]
    equal(costs, sorted(costs, reverse=True))
    for v in priced:
        equal(money(v["cost"]), round10(cost(r for r in ROWS if r["ServiceName"] == v["value"])), v["value"])
    one = ask(date=RANGE, limit=1)
    equal(ask(date=RANGE, limit=3, after=one["values"][0]["value"])["values"], priced[1:])


def test_views_come_and_go():
    b = browser()
    q = {"date": {"relativeRange": "last30Days", "type": "day"}, "costType": "listCost", "groupBy": [], "previous": True}
    v = b.post("/api/views", {"name": "Mine", "question": q, "chart": {"kind": "bar", "hidden": ["x"]}}).expect(201).json
    equal(v["chart"], {"kind": "bar", "hidden": ["x"]})
    equal(v["createdBy"], ADMIN)
    b.post("/api/views", {"name": " mine ", "question": q}).expect(409, "CONFLICT")
    b.post("/api/views", {"name": "", "question": q}).expect(400)
    b.post("/api/views", {"name": "x"}).expect(400)
    b.post("/api/views", {"name": "x", "question": {"granularity": "minute"}}).expect(400)
    w = b.ask("PUT", "/api/views/" + v["id"], {"name": "Ours"}).expect(200).json
    equal((w["name"], w["question"], w["chart"]), ("Ours", v["question"], v["chart"]))
    b.ask("PUT", "/api/views/" + v["id"], {"question": {"costType": "blendedCost"}}).expect(200)
    listed = next(x for x in b.get("/api/views").json["views"] if x["id"] == v["id"])
    equal(listed["question"]["costType"], "blendedCost")
    b.ask("DELETE", "/api/views/" + v["id"]).expect(204)
    b.ask("DELETE", "/api/views/" + v["id"]).expect(404)
    b.ask("PUT", "/api/views/" + v["id"], {"name": "x"}).expect(404)


def test_tokens_are_shown_once():
    b = browser()
    t = b.post("/api/tokens", {"description": "ci", "role": "api-token", "expiresInDays": 30}).expect(201).json
    equal(set(t), {"id", "clientId", "secretKey"})
    check(t["secretKey"].startswith("fsk_"))
    headers = {"x-finout-client-id": t["clientId"], "x-finout-secret-key": t["secretKey"]}
    server().ask("GET", "/v1/view", headers=headers).expect(200)
    text = b.get("/api/tokens").expect(200)
    check(t["secretKey"] not in text.body.decode())
    row = next(x for x in text.json["tokens"] if x["id"] == t["id"])
    equal((row["state"], row["role"], row["revokedAt"]), ("active", "api-token", None))
    check(row["lastUsedAt"] and row["expiresAt"])
    b.ask("DELETE", "/api/tokens/" + t["id"]).expect(204)
    server().ask("GET", "/v1/view", headers=headers).expect(401)
    row = next(x for x in b.get("/api/tokens").json["tokens"] if x["id"] == t["id"])
    equal(row["state"], "revoked")
    for bad in ({}, {"description": "x"}, {"description": "x", "role": "king"}, {"description": "", "role": "admin"},
                {"description": "x", "role": "admin", "expiresInDays": 6},
                {"description": "x", "role": "admin", "expiresInDays": 3651},
                {"description": "x", "role": "admin", "expiresInDays": "7"}):
        b.post("/api/tokens", bad).expect(400)
    b.post("/api/tokens", {"description": "x", "role": "basic", "expiresInDays": None}).expect(201)
    equal([r["key"] for r in b.get("/api/roles").json["roles"]], ["admin", "basic", "read-only", "api-token"])


def fresh():
    """An installation of its own with a signed-in administrator."""
    fresh.n = getattr(fresh, "n", 0) + 1
    data = TMP / f"page-{fresh.n}"
    link = link_of(cli(data, "init", "--admin", ADMIN))
    s = Server(data)
    b = Browser(s)
    b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
    return data, s, b


def upload(b, source, name, body):
    return b.ask("POST", "/api/upload?" + urllib.parse.urlencode({"source": source, "name": name}), body,
                 {"Content-Type": "application/octet-stream"})


def job_done(b, job):
    def look():
        t = next(j for j in b.get("/api/jobs").expect(200).json["jobs"] if j["id"] == job)
        return t if t["state"] != "running" else None
    return wait_until(look, 60)


def test_upload_loads_a_bill_and_says_so():
    data, s, b = fresh()
    equal(b.get("/api/session").json["knownTo"], None)
    equal(b.get("/api/loads").json["loads"], [])
    c = s.connect()
    c.request("GET", "/api/events", headers={"Cookie": "__Host-s=" + b.cookie})
    stream = c.getresponse()
    rows = bill_rows(TODAY - datetime.timedelta(days=10), TODAY)
    body = gzip.compress(write_bill(TMP / "up.csv", rows).read_bytes())
    job = upload(b, "AWS bills", "../../bill ä.csv.gz", body).expect(202).json["jobId"]
    done = job_done(b, job)
    equal((done["state"], done["source"], done["rows"]), ("done", "AWS bills", len(rows)), str(done))
    equal(done["file"], "bill ä.csv.gz")
    events, seen = [], b""
    while b"event: loads" not in seen:
        line = stream.readline()
        check(line, "the stream ended")
        seen += line
        if line.startswith(b"data: {\"id\""):
            events.append(json.loads(line[6:]))
    check(events and all(e["id"] == job for e in events))
    equal(events[-1]["state"], "done")
    c.close()
    load = b.get("/api/loads").json["loads"][0]
    equal((load["state"], load["live"], load["rows"], load["source"]), ("live", True, len(rows), "AWS bills"))
    equal(load["files"][0]["name"].split("/")[-1], "bill ä.csv.gz")
    one = b.get(f"/api/loads/{load['id']}").expect(200).json
    t = next(t for t in one["totals"] if t["column"] == "EffectiveCost")
    equal((Decimal(t["file"]), Decimal(t["archive"]), t["equal"]), (cost(rows), cost(rows), True))
    equal(sum(d["rows"] for d in one["days"]), len(rows))
    check(str(data) not in json.dumps(b.get(f"/api/loads/{load['id']}").body.decode()), "a path of the machine")
    source = b.get("/api/sources").json["sources"][0]
    equal((source["name"], source["rows"], source["lastDay"]), ("AWS bills", len(rows), str(TODAY)))
    # the same file again changes nothing and says so
    again = job_done(b, upload(b, "AWS bills", "bill.csv.gz", body).expect(202).json["jobId"])
    equal(again["state"], "done")
    check("nothing changed" in again["message"], again)
    # another one replaces it, and can be undone
    more = write_bill(TMP / "up2.csv", bill_rows(TODAY - datetime.timedelta(days=10), TODAY, scale=2)).read_bytes()
    equal(job_done(b, upload(b, "AWS bills", "bill2.csv", more).expect(202).json["jobId"])["state"], "done")
    total = lambda: Decimal(b.post("/api/query", {"date": {"relativeRange": "last30Days", "type": "day"}}).json["total"]["total"])
    check(total() != round10(cost(rows)))
    equal(job_done(b, b.post(f"/api/loads/{load['id']}/reload", {}).expect(202).json["jobId"])["state"], "done")
    equal(total(), round10(cost(rows)))
    b.post("/api/loads/99999/reload", {}).expect(404)
    b.get("/api/loads/99999").expect(404)
    b.get("/api/loads/x").expect(404)
    b.get(f"/api/loads/{load['id']}/rejects").expect(404)
    b.get("/api/loads?source=nobody").expect(404)
    equal(list((data / "staging").iterdir()), [], "staging is empty again")
    equal(s.stop(), 0)
    cli(data, "check")


def test_a_bad_upload_fails_with_words():
    data, s, b = fresh()
    for body in (b"hello, world\n1,2\n", b"\x00\x01\x02", b"\x1f\x8b\x08\x00broken"):
        done = job_done(b, upload(b, "x", "x.csv", body).expect(202).json["jobId"])
        equal(done["state"], "failed")
        check(done["message"] and str(data) not in done["message"], done["message"])
    upload(b, "", "x.csv", b"x").expect(400)
    upload(b, "x" * 201, "x.csv", b"x").expect(400)
    upload(b, "x", "", b"x").expect(400)
    b.post("/api/jobs/00000000-0000-4000-8000-000000000000/cancel", {}).expect(404)
    b.post(f"/api/jobs/{done['id']}/cancel", {}).expect(204)
    equal(list((data / "staging").iterdir()), [])
    equal(s.stop(), 0)
    cli(data, "check")


def test_an_upload_that_breaks_off_leaves_nothing():
    data, s, b = fresh()
    c = s.connect()
    c.putrequest("POST", "/api/upload?source=x&name=x.csv")
    for k, v in (("Content-Length", "1000000"), ("Content-Type", "application/octet-stream"), ("X-Requested-With", "f"),
                 ("Sec-Fetch-Site", "same-origin"), ("Cookie", "__Host-s=" + b.cookie)):
        c.putheader(k, v)
    c.endheaders(b"x" * 1000)
    wait_until(lambda: list((data / "staging").iterdir()))
    c.close()
    wait_until(lambda: not list((data / "staging").iterdir()))
    equal(b.get("/api/jobs").json["jobs"], [])
    equal(s.stop(), 0)


def test_who_may_only_look_may_not_change():
    import sqlite3
    data, s, b = fresh()
    with sqlite3.connect(data / "meta.db", timeout=30) as db:
        db.execute("UPDATE user_role SET role = 'read-only'")
    db.close()
    check("cost.query" in b.get("/api/session").json["permissions"])
    b.post("/api/query", {}).expect(200)
    b.get("/api/loads").expect(200)
    b.post("/api/query.csv", {}).expect(403, "FORBIDDEN")
    b.post("/api/views", {"name": "x", "question": {}}).expect(403)
    b.get("/api/tokens").expect(403)
    b.post("/api/tokens", {"description": "x", "role": "read-only"}).expect(403)
    upload(b, "x", "x.csv", b"x").expect(403)
    equal(s.stop(), 0)


def test_the_command_line_works_beside_the_server():
    data = data_dir()
    server()
    k = Key(data)
    k.get(server(), "/v1/view").expect(200)
    check(k.client in cli(data, "token", "list"))
    out = json.loads(cli(data, "query", "--from", FIRST, "--to", TODAY, "--format", "json"))
    check(out)
    cli(data, "token", "revoke", k.client)
    k.get(server(), "/v1/view").expect(401)


def test_serve_refuses_what_it_must():
    data = TMP / "none"
    cli(data, "init", "--admin", ADMIN)
    cli(data, "serve", "--listen", "nonsense", code=2)
    cli(data, "serve", "--listen", "0.0.0.0:0", code=2)
    cli(data, "serve", "--listen", "127.0.0.1:" + str(server().port), code=3)
