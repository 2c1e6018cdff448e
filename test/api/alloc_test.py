"""Telemetry: files, pushes, the drop folder, Prometheus; who may; what is answered."""
import datetime
import http.server
import json
import os
import pathlib
import random
import threading
import urllib.parse
from decimal import Decimal
from fractions import Fraction

import naive
from farthing import (Browser, Key, Server, TMP, browser, check, cli, data_dir, equal, key, link_of, meta, server,
                      wait_until)


def make(name, b=None, **more):
    body = {"name": name, "type": "csv", **more}
    return (b or browser()).post("/api/telemetry", body).expect(201).json


def upload(t, name, text, status=200, b=None):
    a = (b or browser()).ask("POST", f"/api/telemetry/{t['id']}/upload?name={name}",
                             text.encode() if isinstance(text, str) else text, {"Content-Type": "application/octet-stream"})
    return a.expect(status).json


def points(t, query="", b=None):
    j = (b or browser()).get(f"/api/telemetry/{t['id']}/points{query}").expect(200).json
    return [(p["date"], *p["fields"].values(), p["value"]) for p in j["points"]]


def test_first_file_says_what_was_left_open():
    t = make("open csv")
    equal((t["field"], t["metricNames"], t["points"], t["lastReceivedAt"]), ("", [], 0, None))
    r = upload(t, "a.csv", '"date","teamname","bytes"\n2026-11-02,Pay,10\n2026-11-01,Ads,2.5\n2026-11-01,Pay,30\n')
    equal((r["rows"], r["rejected"], r["points"], r["days"], r["changedDays"]), (3, 0, 3, 2, 2))
    equal((r["firstDay"], r["lastDay"], r["warnings"]), ("2026-11-01", "2026-11-02", []))
    equal(points(t), [("2026-11-01", "Ads", "2.5"), ("2026-11-01", "Pay", "30"), ("2026-11-02", "Pay", "10")])
    t = browser().get("/api/telemetry/" + t["id"]).expect(200).json
    equal((t["field"], t["additionalFields"], t["metricNames"], t["points"]), ("teamname", [], ["bytes"], 3))
    equal((t["firstDay"], t["lastDay"]), ("2026-11-01", "2026-11-02"))


def test_a_file_replaces_exactly_its_own_days():
    t = make("files", field="team", metricNames=["n"])
    upload(t, "1.csv", "date,team,n\n2026-11-01,A,1\n2026-11-02,A,2\n")
    upload(t, "2.csv", "date,team,n\n2026-11-03,A,3\n")
    again = upload(t, "1.csv", "date,team,n\n2026-11-01,A,1\n2026-11-02,A,2\n")
    check(again["unchanged"] and not again["changedDays"], again)
    r = upload(t, "1.csv", "date,team,n\n2026-11-01,A,1\n2026-11-02,A,5\n2026-11-02,B,1\n")
    equal(r["changedDays"], 1)
    equal(points(t), [("2026-11-01", "A", "1"), ("2026-11-02", "A", "5"), ("2026-11-02", "B", "1"),
                      ("2026-11-03", "A", "3")])
    r = upload(t, "1.csv", "date,team,n\n2026-11-02,A,5\n")
    equal((r["changedDays"], points(t)), (2, [("2026-11-02", "A", "5"), ("2026-11-03", "A", "3")]))
    same = upload(t, "3.csv", "date,team,n\n2026-11-03,A,3\n")
    check("2.csv" in same["warnings"][0], same)
    equal(len(points(t)), 2)


def test_order_of_files_does_not_matter():
    files = {"a.csv": "date,team,n\n2026-11-01,A,1\n", "b.csv": "date,team,n\n2026-11-01,A,2\n2026-11-02,B,4\n",
             "c.csv": "date,team,n\n2026-11-02,B,0.5\n"}
    seen = []
    for i, order in enumerate((["a.csv", "b.csv", "c.csv"], ["c.csv", "a.csv", "b.csv", "a.csv"])):
        t = make(f"order {i}", field="team", metricNames=["n"])
        for f in order:
            upload(t, f, files[f])
        seen.append(points(t))
    equal(seen[0], seen[1])
    equal(seen[0], [("2026-11-01", "A", "3"), ("2026-11-02", "B", "4.5")])


def test_duplicates_negatives_and_bad_rows_are_named():
    t = make("rows", field="team", metricNames=["n"])
    r = upload(t, "a.csv", "date,team,n\n2026-02-28,A,1\n2026-02-28,A,2\n2026-02-29,A,1\n2026-03-01,B,x\n"
                           "2026-03-01,C\n2026-03-02,D,-4\n2026-03-03,E,1e18\n")
    equal((r["rows"], r["rejected"], r["points"]), (7, 4, 2))
    equal([x.split(":")[0] for x in r["rejects"]], ["line 4", "line 5", "line 6", "line 8"])
    check("no date" in r["rejects"][0] and "not a number" in r["rejects"][1] and "cells" in r["rejects"][2], r)
    check("added up" in r["warnings"][0] and "negative" in r["warnings"][1], r["warnings"])
    equal(points(t), [("2026-02-28", "A", "3"), ("2026-03-02", "D", "-4")])
    none = upload(t, "b.csv", "date,team,n\nyesterday,A,1\n", status=422)
    check("line 2" in none["message"], none)
    equal(len(points(t)), 2)


def test_headers():
    t = make("headers", field="team", metricNames=["n"])
    for text, word in (("", "empty"), ("date,team,my metric\n", "space"), ("date,team\n", '"n"'),
                       ("day,team,n\n", '"date"'), ("date,team,team,n\n", "twice"), ("date,,n\n", "name"),
                       ('date,team,n\n2026-01-01,"a,1\n', "quote"), (b"date,team,n\n2026-01-01,\xff,1\n", "UTF-8")):
        check(word in upload(t, "x.csv", text, status=422)["message"], text, word)
    equal(points(t), [])
    wide = "date," + ",".join(f"k{i}" for i in range(11)) + ",n\n"
    check("10" in upload(make("wide"), "x.csv", wide, status=422)["message"])


def test_date_formats():
    rows = {"yyyy-MM-dd": "2024-02-29", "yyyy/MM/dd": "2024/02/29", "yyyy/M/d": "2024/2/29", "MM/d/yyyy": "02/29/2024",
            "yyyy-M-d": "2024-2-29", "yyyy-MM-dd'T'00:00:00'Z'": "2024-02-29T00:00:00Z"}
    for i, (form, text) in enumerate(rows.items()):
        t = make(f"dates {i}", field="k", metricNames=["n"], data={"dateColumn": "Day", "dateFormat": form})
        r = upload(t, "x.csv", f"Day,k,n\n{text},a,1\n2024-13-45,a,1\n")
        equal((points(t), r["rejected"]), ([("2024-02-29", "a", "1")], 1), form)
    browser().post("/api/telemetry", {"name": "dates x", "type": "csv", "data": {"dateFormat": "dd.MM.yyyy"}}) \
        .expect(400)


def test_unicode_quotes_and_many_fields():
    t = make("fields", field="team", additionalFields=["service", "env"], metricNames=["n"])
    upload(t, "x.csv", '\ufeffdate,env,service,team,n\n2026-01-01,prod,"api, ""v2""",Größe,0.000000000000000001\n')
    equal(points(t), [("2026-01-01", "Größe", 'api, "v2"', "prod", "0.000000000000000001")])


def test_pushed_points_replace_each_other():
    t = make("pushed", type="push", field="team", metricNames=["n"])
    path = f"/v1/telemetry/{t['id']}/points"
    one = {"points": [{"date": "2026-11-01", "value": "1.50", "fields": {"team": "A"}},
                      {"date": "2026-11-01", "value": 2, "fields": {"team": "B"}},
                      {"date": "2026-11-02", "value": 0.1, "fields": {"team": "A"}}]}
    r = key("admin").post(server(), path, one).expect(200).json
    equal((r["rows"], r["points"], r["changedDays"]), (3, 3, 2))
    r = key("admin").post(server(), path, one).expect(200).json
    equal(r["changedDays"], 0)
    key("admin").post(server(), path, {"points": [{"date": "2026-11-01", "value": None, "fields": {"team": "B"}},
                                           {"date": "2026-11-01", "value": "7", "fields": {"team": "A"}}]}).expect(200)
    equal(points(t), [("2026-11-01", "A", "7"), ("2026-11-02", "A", "0.1")])
    for bad, status, field in (({"points": [{"date": "2026-02-30", "value": 1}]}, 400, "points[0].date"),
                               ({"points": [{"date": "2026-02-03"}]}, 400, "points[0].value"),
                               ({"points": [{"date": "2026-02-03", "value": "x"}]}, 400, "points[0].value"),
                               ({"points": [{"date": "2026-02-03", "value": 1, "fields": {"nope": "x"}}]}, 400, "nope"),
                               ({"points": {}}, 400, "points"), ({"metric": "m", "points": []}, 400, "metric")):
        j = key("admin").post(server(), path, bad).expect(status).json
        check(field in json.dumps(j, default=str), bad, j)
    equal(len(points(t)), 2)
    key().post(server(), path, one).expect(403)
    key("admin").post(server(), "/v1/telemetry/00000000-0000-4000-8000-000000000000/points", one).expect(404)
    check("type" in upload(t, "a.csv", "date,team,n\n2026-01-01,A,1\n", status=422)["message"])


def test_what_does_not_change():
    t = make("fixed", field="team", metricNames=["n"])
    b = browser()
    body = {"name": "fixed 2", "type": "csv", "field": "squad", "metricNames": ["m"], "unit": "GB"}
    equal(b.ask("PUT", "/api/telemetry/" + t["id"], body).expect(200).json["unit"], "GB")
    upload(t, "a.csv", "date,squad,m\n2026-01-01,A,1\n")
    b.ask("PUT", "/api/telemetry/" + t["id"], {**body, "metricNames": ["other"]}).expect(422)
    b.ask("PUT", "/api/telemetry/" + t["id"], {**body, "field": "other"}).expect(422)
    b.ask("PUT", "/api/telemetry/" + t["id"], {**body, "type": "push"}).expect(422)
    b.post("/api/telemetry", {"name": "FIXED 2", "type": "csv"}).expect(409)
    b.ask("PUT", "/api/telemetry/" + t["id"], {**body, "isActive": False}).expect(200)
    upload(t, "b.csv", "date,squad,m\n2026-01-02,A,1\n", status=409)
    equal(len(points(t)), 1)
    b.ask("DELETE", "/api/telemetry/" + t["id"]).expect(204)
    b.get("/api/telemetry/" + t["id"]).expect(404)
    b.ask("DELETE", "/api/telemetry/" + t["id"]).expect(404)


def test_documents_that_are_wrong():
    good = {"name": "wrong", "type": "push", "metricNames": ["n"]}
    for change, field in (({"type": "s3"}, "type"), ({"name": ""}, "name"), ({"metricNames": []}, "metricNames"),
                          ({"metricNames": ["a b"]}, "metricNames"), ({"metricNames": "n"}, "metricNames"),
                          ({"additionalFields": ["x"]}, "field"), ({"isActive": 1}, "isActive"),
                          ({"field": "x", "additionalFields": ["x"]}, "additionalFields"),
                          ({"additionalFields": [str(i) for i in range(10)]}, "additionalFields"),
                          ({"type": "prometheus"}, "data.url"),
                          ({"type": "prometheus", "data": {"url": "file:///etc/passwd", "query": "up"}}, "data.url"),
                          ({"type": "megabill-ratio", "data": {"viewId": "x"}}, "data.viewId")):
        j = browser().post("/api/telemetry", {**good, **change}).expect(400).json
        equal(j.get("field"), field, change)
    check(all(t["name"] != "wrong" for t in browser().get("/api/telemetry").expect(200).json["telemetry"]))


def test_kpi_centers():
    t = make("kpi", field="team", metricNames=["n"], unit="req", data={"dateColumn": "day"})
    got = [c for c in key().get(server(), "/kpi-center-service/kpi-center").expect(200).json if c["id"] == t["id"]][0]
    equal({k: got[k] for k in ("name", "field", "type", "isActive", "metricNames", "unit", "additionalFields",
                               "enrichers", "data", "createdBy")},
          {"name": "kpi", "field": "team", "type": "csv", "isActive": True, "metricNames": ["n"], "unit": "req",
           "additionalFields": [], "enrichers": [], "createdBy": "ann@example.com",
           "data": {"dateColumn": "day", "dateFormat": "yyyy-MM-dd"}})


_own = {}


def own_server():
    """A server of its own: its drop folder is looked at every 100 ms and this machine may be asked."""
    if "b" not in _own:
        data = TMP / "alloc"
        link = link_of(cli(data, "init", "--admin", "ann@example.com"))
        s = Server(data, env={"FARTHING_FEED_MS": "100"},
                   args=OWN_ARGS)
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": "vellum otter quay"}).expect(200)
        _own.update(b=b, data=data)
    return _own["b"], _own["data"]


OWN_ARGS = ("--allow-host", "127.0.0.1")


def test_drop_folder():
    b, data = own_server()
    t = make("dropped", b, field="team", metricNames=["n"])
    folder = pathlib.Path(data) / "drop" / "telemetry" / t["id"]
    wait_until(folder.is_dir)
    (folder / "2026" / "11").mkdir(parents=True)
    (folder / "2026" / "11" / "01.csv").write_text("date,team,n\n2026-11-01,A,1\n")
    (folder / "2026" / "11" / "02.csv").write_text("date,team,n\n2026-11-02,A,2\n")
    os.symlink("/etc/hostname", folder / "link.csv")
    wait_until(lambda: len(points(t, b=b)) == 2)
    (folder / "2026" / "11" / "01.csv").write_text("date,team,n\n2026-11-01,A,9\n")
    wait_until(lambda: points(t, b=b) == [("2026-11-01", "A", "9"), ("2026-11-02", "A", "2")])
    (folder / "bad.csv").write_text("nothing\n")
    r = b.post(f"/api/telemetry/{t['id']}/refresh", {}).expect(200).json
    bad = [f for f in r["files"] if f["file"] == "bad.csv"][0]
    check("date" in bad["rejects"][0], bad)
    equal(len(r["files"]), 3)
    check("bad.csv" in b.get("/api/telemetry/" + t["id"]).expect(200).json["error"])
    equal(len(points(t, b=b)), 2)


class Prometheus(http.server.BaseHTTPRequestHandler):
    """Answers a range query as Prometheus does: a counter that rises by 2 per step in team A and by 1 in B."""
    asked = []

    def do_GET(self):
        q = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        self.asked.append(q)
        start, end, step = (int(q[k][0]) for k in ("start", "end", "step"))
        times = range(start, end + 1, step)
        series = [({"team": team}, [[t, str(v)] for t in times]) for team, v in (("A", "2"), ("B", "1e0"))]
        series.append(({}, [[times[0], "NaN"]]))
        body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": m, "values": v} for m, v in series]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def test_prometheus():
    b, _ = own_server()
    peer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=peer.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{peer.server_address[1]}/"
        today = datetime.datetime.now(datetime.timezone.utc).date()
        yesterday = str(today - datetime.timedelta(days=1))
        for kind, per_day in (("counter", {"A": "576", "B": "288"}), ("gauge", {"A": "2", "B": "1"})):
            t = make(kind, b, type="prometheus", field="team", metricNames=["requests"],
                     data={"url": url, "query": "http_requests_total", "kind": kind})
            b.post(f"/api/telemetry/{t['id']}/refresh", {}).expect(200)
            got = points(t, b=b)
            equal({team: v for day, team, v in got if day == yesterday}, per_day, kind)
            equal(len(got), 60, kind)
            check(max(got)[0] == yesterday, max(got))
        asked = [q["query"][0] for q in Prometheus.asked]
        check("sum by (team) (increase(http_requests_total[5m]))" in asked and
              "sum by (team) (http_requests_total)" in asked, asked)
    finally:
        peer.shutdown()
    t = b.get("/api/telemetry/" + t["id"]).expect(200).json
    peer.server_close()
    a = b.post(f"/api/telemetry/{t['id']}/refresh", {})
    check(a.status >= 400, a.status)
    check(b.get("/api/telemetry/" + t["id"]).expect(200).json["error"], "the error is kept")
    equal(len(points(t, b=b)), 60)


# ---- reallocation: the worked examples of inform.md 6 and 7 ----

def day(n):
    return datetime.date(2026, 7, n)


COLS = ("BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,"
        "ChargeCategory,ProviderName,ServiceName,ResourceId,BilledCost,EffectiveCost,ListCost,ContractedCost,"
        "ConsumedQuantity,ConsumedUnit,Tags")


def bill_text(rows):
    """rows: (day, service, resource, tags, cost[, quantity])"""
    out = [COLS]
    for d, service, resource, tags, cost, *q in rows:
        start = d.replace(day=1)
        end = (start + datetime.timedelta(days=32)).replace(day=1)
        quoted = json.dumps(tags).replace('"', '""') if tags else ""
        out.append(f"acc,USD,{start}T00:00:00Z,{end}T00:00:00Z,{d}T00:00:00Z,{d + datetime.timedelta(days=1)}T00:00:00Z,"
                   f"Usage,AWS,{service},{resource},{cost},{cost},{cost},{cost},{q[0] if q else ''},"
                   f"{'Hrs' if q else ''},\"{quoted}\"")
    return "\n".join(out) + "\n"


class Place:
    """An installation with one small bill, signed in."""
    made = 0

    def __init__(self, rows):
        Place.made += 1
        self.data = TMP / f"place-{Place.made}"
        link = link_of(cli(self.data, "init", "--admin", "ann@example.com"))
        path = TMP / f"place-{Place.made}.csv"
        path.write_text(bill_text(rows), encoding="utf-8")
        cli(self.data, "load", "--source", "bill", path)
        self.server = Server(self.data)
        self.b = Browser(self.server)
        self.b.post("/api/session/link", {"link": link, "password": "vellum otter quay"}).expect(200)
        self.n = 0

    def tag(self, name=None, rules=None, allocations=(), **more):
        self.n += 1
        body = {"name": name or f"tag {self.n}", "kind": "rules", "defaultValue": "Untagged",
                "rules": TEAM if rules is None else rules, "allocations": list(allocations), **more}
        return self.b.post("/api/tags", body).expect(201).json

    def telemetry(self, fields, rows, name=None):
        """rows: (day, text.., value)"""
        self.n += 1
        t = make(name or f"metric {self.n}", self.b, field=fields[0], additionalFields=list(fields[1:]), metricNames=["n"])
        upload(t, "all.csv", "\n".join([",".join(["date", *fields, "n"]), *(",".join(map(str, r)) for r in rows)]) + "\n",
               b=self.b)
        return t

    def ask(self, group=(), filters=None, first=1, last=31, **more):
        q = {"date": {"from": millis_of(day(first)), "to": millis_of(day(last)), "type": "day"}, "granularity": "accumulated",
             "groupBy": [virtual(g) if isinstance(g, dict) and "key" not in g else g for g in group], **more}
        if filters:
            q["filters"] = filters
        return self.b.post("/api/query", q).expect(200).json

    def sums(self, *group, **more):
        j = self.ask(group, **more)
        return {g["values"][0] if len(g["values"]) == 1 else tuple(g["values"]): cents(g["total"]) for g in j["groups"]}


def millis_of(d):
    return int(datetime.datetime(d.year, d.month, d.day, tzinfo=datetime.timezone.utc).timestamp() * 1000)


def virtual(tag):
    return {"costCenter": "virtualTag", "key": tag["id"], "type": "virtual_tag"}


def cents(v):
    return str(Decimal(v).quantize(Decimal("0.01")))


def native(name, type="billing_dimension"):
    return {"costCenter": "Global", "key": name, "type": type}


TEAM_KEY = native("team", "tag")
SERVICE = native("service")
TEAM = [{"to": TEAM_KEY, "filters": {**TEAM_KEY, "operator": "exists"}}]
_places = {}


def teams():
    """1 July: Shared 100, A 200, B 100, C 0.01 credit and debit; 2 July: Shared 100 alone; see the cases."""
    if "teams" not in _places:
        rows = [(day(1), "EC2", "s", {"team": "Shared"}, 100), (day(1), "EC2", "a", {"team": "A"}, 150),
                (day(1), "S3", "a3", {"team": "A"}, 50), (day(1), "S3", "b", {"team": "B"}, 100),
                (day(1), "S3", "none", {}, 5),
                (day(2), "EC2", "s", {"team": "Shared"}, 100), (day(2), "EC2", "c", {"team": "C"}, 7),
                (day(3), "EC2", "s", {"team": "Shared"}, -10), (day(3), "EC2", "a", {"team": "A"}, -3),
                (day(3), "EC2", "b", {"team": "B"}, 30)]
        _places["teams"] = Place(rows)
    return _places["teams"]


def test_even():
    p = teams()
    t = p.tag(allocations=[{"name": "Shared", "type": "even", "active": True, "data": {"targets": ["A", "B", "C"]}}])
    equal(p.sums(t, last=1), {"A": "233.33", "B": "133.33", "C": "33.33", "Untagged": "5.00"})
    got = p.ask([t], last=1)
    equal([g["total"] for g in got["groups"]], ["233.3333333334", "133.3333333333", "33.3333333333", "5.00"])
    equal(cents(got["total"]["total"]), "405.00")
    # without a list: whoever has cost that day, but the default
    t = p.tag(allocations=[{"name": "Shared", "type": "even", "active": True, "data": {}}])
    equal(p.sums(t, last=1), {"A": "250.00", "B": "150.00", "Untagged": "5.00"})
    equal(p.sums(t, first=2, last=2), {"C": "107.00"})
    equal(p.sums(t, first=3, last=3), {"B": "25.00", "A": "-8.00"})


def test_proportional():
    p = teams()
    t = p.tag(allocations=[{"name": "Shared", "type": "proportional", "active": True, "data": {}}])
    equal(p.sums(t, last=1), {"A": "266.67", "B": "133.33", "Untagged": "5.00"})
    # a negative direct cost weighs nothing
    equal(p.sums(t, first=3, last=3), {"B": "20.00", "A": "-3.00"})
    t = p.tag(allocations=[{"name": "Shared", "type": "proportional", "active": True,
                            "data": {"filters": {**SERVICE, "operator": "oneOf", "value": ["S3"]}}}])
    equal(p.sums(t, last=1), {"A": "233.33", "B": "166.67", "Untagged": "5.00"})
    # nothing to weigh by: it stays, and is said to
    equal(p.sums(t, first=2, last=2), {"Shared": "100.00", "C": "7.00"})
    t = p.tag(allocations=[{"name": "Shared", "type": "proportional", "active": True, "data": {"targets": ["B", "C"]}}])
    equal(p.sums(t, last=1), {"A": "200.00", "B": "200.00", "Untagged": "5.00"})


def test_fixed():
    p = teams()
    t = p.tag(allocations=[{"name": "Shared", "type": "fixed", "active": True,
                            "data": {"tags": [{"key": "A", "value": 60}, {"key": "B", "value": 30}]}}])
    equal(p.sums(t, last=1), {"A": "260.00", "B": "130.00", "Shared": "10.00", "Untagged": "5.00"})
    t = p.tag(allocations=[{"name": "Shared", "type": "fixed", "active": True, "data": {"tags": [
        {"key": "A", "value": 100, "to": "2026-07-01"}, {"key": "A", "value": 50, "from": "2026-07-02", "to": "2026-07-02"},
        {"key": "B", "value": 50, "from": "2026-07-02", "to": "2026-07-02"}]}}])
    equal(p.sums(t, last=1)["A"], "300.00")
    equal(p.sums(t, first=2, last=2), {"A": "50.00", "B": "50.00", "C": "7.00"})
    equal(p.sums(t, first=3, last=3), {"B": "30.00", "A": "-3.00", "Shared": "-10.00"})
    bad = {"name": "over", "kind": "rules", "rules": TEAM, "allocations": [
        {"name": "Shared", "type": "fixed", "active": True, "data": {"tags": [{"key": "A", "value": 60}, {"key": "B", "value": 41}]}}]}
    p.b.post("/api/tags", bad).expect(422)


def test_telemetry_based():
    p = teams()
    m = p.telemetry(["team"], [(day(1), "A", 30), (day(1), "B", 50), (day(1), "New", 20)])
    data = {"kpiCenterId": m["id"], "metricName": "n"}
    t = p.tag(allocations=[{"name": "Shared", "type": "metric", "active": True, "data": data}])
    equal(p.sums(t, last=1), {"A": "230.00", "B": "150.00", "New": "20.00", "Untagged": "5.00"})
    # no row on the next day: the last ratio is carried forward; switched off it stays
    equal(p.sums(t, first=2, last=2), {"A": "30.00", "B": "50.00", "New": "20.00", "C": "7.00"})
    t = p.tag(allocations=[{"name": "Shared", "type": "metric", "active": True, "data": {**data, "carryDays": 0}}])
    equal(p.sums(t, first=2, last=2), {"Shared": "100.00", "C": "7.00"})
    t = p.tag(allocations=[{"name": "Shared", "type": "metric", "active": True, "data": {**data, "carryDays": 1}}])
    equal(p.sums(t, first=3, last=3)["Shared"], "-10.00")
    # a telemetry in use stays
    a = p.b.ask("DELETE", "/api/telemetry/" + m["id"]).expect(409).json
    check(t["name"] in a["message"], a)
    check(t["id"] in [u["id"] for u in p.b.get("/api/telemetry/" + m["id"]).json["usedBy"]])
    # a corrected point moves its own day and those that carry it
    before = p.sums(t, first=3, last=3)
    upload(m, "fix.csv", f"date,team,n\n{day(1)},C,100\n", b=p.b)
    equal(p.sums(t, last=1), {"A": "215.00", "B": "125.00", "New": "10.00", "C": "50.00", "Untagged": "5.00"})
    equal(p.sums(t, first=3, last=3), before)


def test_telemetry_with_a_join():
    rows = [(day(1), "EKS", "ns1", {"team": "Namespaces", "cluster": "c1"}, 40),
            (day(1), "EKS", "ns2", {"team": "Namespaces", "cluster": "c2"}, 10),
            (day(1), "EKS", "ns3", {"team": "Namespaces"}, 3)]
    p = Place(rows)
    m = p.telemetry(["team", "cluster"], [(day(1), "A", "c1", 3), (day(1), "B", "c1", 1), (day(1), "B", "c2", 5)])
    t = p.tag(allocations=[{"name": "Namespaces", "type": "metric", "active": True, "data": {
        "kpiCenterId": m["id"], "metricName": "n", "joinField": "cluster", "joinKey": native("cluster", "tag")}}])
    equal(p.sums(t), {"A": "30.00", "B": "20.00", "Namespaces": "3.00"})
    j = preview(p, t)
    e = j["entries"][0]
    equal((cents(e["moved"]), cents(e["notReallocated"])), ("50.00", "3.00"))


def preview(p, t, status=200, **more):
    return p.b.post("/api/tags/reallocation", {"document": t, "date": {"from": millis_of(day(1)), "to": millis_of(day(31)),
                                                                         "type": "day"}, **more}).expect(status).json


def test_chain():
    rows = [(day(1), "X", "s", {"team": "Support"}, 100), (day(1), "X", "p", {"team": "Platform"}, 60),
            (day(1), "X", "a", {"team": "A"}, 200), (day(1), "Y", "b", {"team": "B"}, 100)]
    p = Place(rows)
    t = p.tag(allocations=[
        {"name": "Support", "type": "proportional", "active": True, "data": {}},
        {"name": "Platform", "type": "even", "active": True, "data": {}}])
    equal(p.sums(t), {"A": "293.89", "B": "166.11"})
    one = p.tag(allocations=[{"name": "Support", "type": "proportional", "active": True, "data": {}},
                             {"name": "Platform", "type": "even", "active": False, "data": {}}])
    equal(p.sums(one), {"A": "255.56", "B": "127.78", "Platform": "76.67"})
    equal(p.sums(SERVICE, filters={**virtual(t), "operator": "oneOf", "value": ["A"]}), {"X": "293.89"})
    equal(p.sums(SERVICE), {"X": "360.00", "Y": "100.00"})
    equal(p.sums(t, SERVICE), {("A", "X"): "293.89", ("B", "X"): "66.11", ("B", "Y"): "100.00"})
    j = preview(p, t)
    equal((cents(j["total"]["before"]), cents(j["total"]["after"]), cents(j["total"]["difference"])), ("460.00", "460.00", "0.00"))
    values = {v["value"]: tuple(cents(v[k]) for k in ("before", "after", "direct", "shared")) for v in j["values"]}
    equal(values, {"A": ("200.00", "293.89", "200.00", "93.89"), "B": ("100.00", "166.11", "100.00", "66.11"),
                   "Support": ("100.00", "0.00", "0.00", "0.00"), "Platform": ("60.00", "0.00", "0.00", "0.00")})
    equal([(e["name"], e["type"], e["active"], cents(e["moved"])) for e in j["entries"]],
          [("Support", "proportional", True, "100.00"), ("Platform", "even", True, "76.67")])
    equal({(x["source"], x["target"]): cents(x["cost"]) for x in j["links"]},
          {("Support", "A"): "55.56", ("Support", "B"): "27.78", ("Support", "Platform"): "16.67",
           ("Platform", "A"): "38.33", ("Platform", "B"): "38.33"})
    j = preview(p, one)
    equal([(e["name"], e["active"], cents(e["moved"])) for e in j["entries"]],
          [("Support", True, "100.00"), ("Platform", False, "0.00")])
    groups = {g["values"][0]: (cents(g["direct"]), cents(g["shared"])) for g in p.ask([t], shared=True)["groups"]}
    equal(groups, {"A": ("200.00", "93.89"), "B": ("100.00", "66.11")})
    total = p.ask([t], shared=True)["total"]
    equal((cents(total["direct"]), cents(total["shared"])), ("300.00", "160.00"))


def test_the_default_has_no_share_beside_many_values():
    """More values than fit where their texts began: 600 equal teams share 600, the default keeps its own 250."""
    names = [f"team of a long name, number {i}" for i in range(600)]
    p = Place([(day(1), "X", f"r{i}", {"team": n}, 2) for i, n in enumerate(names)] +
              [(day(1), "X", "s", {"team": "Shared"}, 600), (day(1), "X", "none", {}, 250)])
    for kind in ("proportional", "even"):
        t = p.tag(allocations=[{"name": "Shared", "type": kind, "active": True, "data": {}}])
        got = p.sums(t)
        equal((got.pop("Untagged"), set(got.values()), set(got)), ("250.00", {"3.00"}, set(names)), kind)


def test_unit_preview():
    p = teams()
    m = p.telemetry(["team"], [(day(1), "A", 30), (day(1), "B", 50), (day(1), "D", 20)])
    t = p.tag(allocations=[{"name": "Shared", "type": "metric", "active": True,
                            "data": {"kpiCenterId": m["id"], "metricName": "n", "carryDays": 0}}])
    doc = p.b.get("/api/tags/" + t["id"]).expect(200).json
    j = preview(p, doc, date={"from": millis_of(day(1)), "to": millis_of(day(1)), "type": "day"})
    equal({r["value"]: (Decimal(r["weight"]), Decimal(r["percent"]), cents(r["cost"]), cents(r["unitCost"]))
           for r in j["entries"][0]["rows"]},
          {"A": (30, 30, "30.00", "1.00"), "B": (50, 50, "50.00", "1.00"), "D": (20, 20, "20.00", "1.00")})


def test_sliding_window_of_a_view():
    cost = {"A": [10, 20, 30], "B": [10, 10, 20]}
    rows = [(day(i + 1), "EC2", f"{team}{i}", {"team": team}, c) for team, cs in cost.items() for i, c in enumerate(cs)]
    rows += [(day(4), "Support", "sup", {}, 50), (day(4), "EC2", "a", {"team": "A"}, 1), (day(4), "EC2", "b", {"team": "B"}, 3),
             (datetime.date(2026, 8, 3), "Support", "sup", {}, 164)]
    p = Place(rows)
    view = p.b.post("/api/views", {"name": "teams", "question": {
        "groupBy": [TEAM_KEY], "filters": {**SERVICE, "operator": "oneOf", "value": ["EC2"]}}}).expect(201).json
    rules = [*TEAM, {"to": "Support", "filters": {**SERVICE, "operator": "oneOf", "value": ["Support"]}}]
    want = {"last::3::day": {"A": "31.00", "B": "23.00"}, "same-day": {"A": "13.50", "B": "40.50"}}
    for frame, sums in want.items():
        m = make("ratio " + frame, p.b, type="megabill-ratio", metricNames=["r"], data={"viewId": view["id"], "timeFrameType": frame})
        equal(m["field"], "team")
        t = p.tag(rules=rules, allocations=[{"name": "Support", "type": "metric", "active": True,
                                             "data": {"kpiCenterId": m["id"], "metricName": "r", "carryDays": 0}}])
        equal(p.sums(t, first=4, last=4), sums, frame)
    m = make("ratio month", p.b, type="megabill-ratio", metricNames=["r"],
             data={"viewId": view["id"], "timeFrameType": "previousMonth"})
    t = p.tag(rules=rules, allocations=[{"name": "Support", "type": "metric", "active": True,
                                         "data": {"kpiCenterId": m["id"], "metricName": "r"}}])
    j = p.ask([t], date={"from": millis_of(datetime.date(2026, 8, 1)), "to": millis_of(datetime.date(2026, 8, 5)), "type": "day"})
    total = 61 + 43  # July: A 10+20+30+1, B 10+10+20+3
    equal({g["values"][0]: g["total"] for g in j["groups"]},
          {"A": str((Decimal(164) * 61 / total).quantize(Decimal("1e-10"))), "B": str((Decimal(164) * 43 / total).quantize(Decimal("1e-10")))})
    # a view that reads the tag it feeds has no answer
    loop = p.b.post("/api/views", {"name": "loop", "question": {"groupBy": [virtual(t)]}}).expect(201).json
    m = make("ratio loop", p.b, type="megabill-ratio", metricNames=["r"], data={"viewId": loop["id"]})
    doc = p.b.get("/api/tags/" + t["id"]).expect(200).json
    doc["allocations"][0]["data"] = {"kpiCenterId": m["id"], "metricName": "r"}
    check("view" in preview(p, doc, status=422)["message"])
    a = p.b.ask("PUT", "/api/tags/" + t["id"], doc)
    equal(a.status, 422, a.body)
    # nor may a view that feeds one come to read it
    a = p.b.ask("PUT", "/api/views/" + view["id"], {"question": {"groupBy": [virtual(t)]}})
    equal((a.status, a.json["field"]), (422, "question"), a.body)
    check("feeds the telemetry" in a.json["message"], a.body)
    kept = next(v for v in p.b.get("/api/views").json["views"] if v["id"] == view["id"])
    equal(kept["question"]["groupBy"], [TEAM_KEY], "nothing changed")


def test_relational_keeps_the_relation():
    rows = [(day(1), "RDS", "db7", {"db": "db7"}, 100), (day(1), "RDS", "db8", {"db": "db8"}, 9), (day(1), "S3", "b", {"team": "Own"}, 1)]
    p = Place(rows)
    m = p.telemetry(["team", "service", "db"], [(day(1), "Pay", "api", "db7", 60), (day(1), "Pay", "batch", "db7", 20),
                                                (day(1), "Ads", "api", "db7", 20)])
    doc = {"name": "Shared databases", "kind": "relational", "rules": TEAM, "defaultValue": "Untagged",
           "relation": {"kpiCenterId": m["id"], "metricName": "n", "joinField": "db", "joinKey": native("db", "tag"),
                        "scope": {**SERVICE, "operator": "oneOf", "value": ["RDS"]},
                        "outputs": [{"name": "DB team", "field": "team"}, {"name": "DB service", "field": "service"}]}}
    made = p.b.post("/api/tags", doc).expect(201).json
    team, service = ({"id": o["id"]} for o in made["relation"]["outputs"])
    equal(p.sums(team), {"Pay": "80.00", "Ads": "20.00", "Untagged": "9.00", "Own": "1.00"})
    equal(p.sums(service), {"api": "80.00", "batch": "20.00", "Untagged": "9.00", "Own": "1.00"})
    equal(p.sums(team, service), {("Pay", "api"): "60.00", ("Pay", "batch"): "20.00", ("Ads", "api"): "20.00",
                                  ("Untagged", "Untagged"): "9.00", ("Own", "Own"): "1.00"})
    both = {"AND": [{**virtual(team), "operator": "oneOf", "value": ["Pay"]}, {**virtual(service), "operator": "oneOf", "value": ["api"]}]}
    equal(cents(p.ask(filters=both)["total"]["total"]), "60.00")
    # a tag that reads it sees the parts
    t = p.tag(rules=[{"to": "yes", "filters": {**virtual(team), "operator": "oneOf", "value": ["Pay"]}}], defaultValue="no")
    equal(p.sums(t), {"yes": "80.00", "no": "30.00"})


def test_mapping_of_a_moved_value():
    rows = [(day(1), "X", "a", {"team": "Squad A"}, 60), (day(1), "X", "b", {"team": "Squad B"}, 20), (day(1), "X", "s", {"team": "S"}, 20)]
    p = Place(rows)
    t = p.tag(allocations=[{"name": "S", "type": "even", "active": True, "data": {"targets": ["Squad A", "Squad B"]}}])
    h = p.b.post("/api/tags", {"name": "Organisation", "kind": "hierarchy", "hierarchy": {
        "base": virtual(t), "levels": [{"name": "Department"}, {"name": "VP"}],
        "rows": [["Squad A", "Payments", "VP1", None, None]]}, "defaultValue": "Untagged"})
    if h.status == 201:
        made = h.json
    else:
        h.expect(201)
    levels = made["hierarchy"]["levels"]
    body = "base,Department,VP\nSquad A,Payments,VP1\n".encode()
    p.b.ask("PUT", f"/api/tags/{made['id']}/dictionary", body, {"Content-Type": "application/octet-stream"}).expect(200)
    equal(p.sums({"id": levels[0]["id"]}), {"Payments": "70.00", "Untagged": "30.00"})
    equal(p.sums({"id": levels[1]["id"]}), {"VP1": "70.00", "Untagged": "30.00"})


def test_two_tags_at_once():
    rows = [(day(1), "X", "a", {"team": "S", "env": "all"}, 100), (day(1), "X", "b", {"team": "A", "env": "prod"}, 10)]
    p = Place(rows)
    env = native("env", "tag")
    t = p.tag(allocations=[{"name": "S", "type": "fixed", "active": True, "data": {"tags": [{"key": "A", "value": 75}, {"key": "B", "value": 25}]}}])
    u = p.tag(rules=[{"to": env, "filters": {**env, "operator": "exists"}}],
              allocations=[{"name": "all", "type": "fixed", "active": True, "data": {"tags": [{"key": "prod", "value": 40}, {"key": "dev", "value": 60}]}}])
    equal(p.sums(t, u), {("A", "dev"): "45.00", ("A", "prod"): "40.00", ("B", "dev"): "15.00", ("B", "prod"): "10.00"})
    equal(p.sums(t), {"A": "85.00", "B": "25.00"})
    equal(p.sums(u, filters={**virtual(t), "operator": "oneOf", "value": ["B"]}), {"dev": "15.00", "prod": "10.00"})


# ---- random tags, telemetry and questions against naive.py ----

DAYS = 9


def dice_bill(dice):
    """Rows as naive.py wants them."""
    rows = []
    for i in range(dice.randrange(30, 70)):
        cost = Decimal(dice.randrange(-2000, 9000)).scaleb(-dice.randrange(0, 5))
        rows.append({"day": dice.randrange(1, DAYS + 1), "service": dice.choice(["EC2", "S3", "RDS", "EKS"]),
                     "resource": f"r{dice.randrange(20)}", "cost": Fraction(cost), "text": f"{cost:f}",
                     "team": dice.choice(["Shared", "Shared", "Plat", "A", "B", "größe", None]),
                     "cluster": dice.choice(["c1", "c2", None]), "env": dice.choice(["all", "prod", "dev", None])})
    return rows


def dice_points(dice, p, fields, joined):
    """A telemetry on the server, and {day: [(join, target, amount)]}."""
    points, csv_rows, seen = {}, [], set()
    for d in range(1, DAYS + 1):
        for _ in range(dice.choice([0, 0, 2, 4])):
            texts = tuple(dice.choice(["A", "B", "C", "Plat", "", "neu"]) for _ in range(fields))
            join = dice.choice(["c1", "c2"]) if joined else None
            if (d, texts, join) in seen:
                continue
            seen.add((d, texts, join))
            amount = dice.choice([Decimal("-3"), Decimal(0), Decimal(dice.randrange(1, 99)), Decimal(dice.randrange(1, 99999)).scaleb(-3)])
            points.setdefault(d, []).append((join, texts if fields > 1 else texts[0], Fraction(amount)))
            csv_rows.append((day(d), *texts, *([join] if joined else []), amount))
    if not csv_rows:
        csv_rows = [(day(DAYS), *["A"] * fields, *(["c1"] if joined else []), 1)]
        points = {DAYS: [("c1" if joined else None, ("A",) * fields if fields > 1 else "A", Fraction(1))]}
    names = [f"k{i}" for i in range(fields)] + (["join"] if joined else [])
    return p.telemetry(names, csv_rows), points


COLUMN_KEYS = {"service": SERVICE, "team": TEAM_KEY, "cluster": native("cluster", "tag"), "env": native("env", "tag"),
               "resource": native("resource_id", "resource")}


def dice_entry(dice, p, source):
    """(for naive.py, for the document)"""
    kind = dice.choice(["even", "even", "proportional", "metric", "metric", "fixed"])
    active = dice.random() < 0.85
    e = {"kind": kind, "source": source, "active": active, "targets": [], "basis": None, "join": None}
    doc = {"name": source, "type": kind, "active": active, "data": {}}
    others = [v for v in ("A", "B", "C", "größe") if v != source]
    if kind in ("even", "proportional") and dice.random() < 0.5:
        e["targets"] = doc["data"]["targets"] = dice.sample(others, dice.randrange(1, 3))
    if kind == "proportional" and dice.random() < 0.4:
        e["basis"] = naive.Leaf("service", "oneOf", ["EC2", "S3"])
        doc["data"]["filters"] = {**SERVICE, "operator": "oneOf", "value": ["EC2", "S3"]}
    if kind == "metric":
        joined = dice.random() < 0.5
        m, e["points"] = dice_points(dice, p, 1, joined)
        e["carry"] = dice.choice([0, 1, 7])
        doc["data"] = {"kpiCenterId": m["id"], "metricName": "n", "carryDays": e["carry"]}
        if joined:
            e["join"] = "cluster"
            doc["data"].update(joinField="join", joinKey=COLUMN_KEYS["cluster"])
    if kind == "fixed":
        e["shares"], doc["data"]["tags"] = [], []
        for target in dice.sample(others, 2):
            percent, first, last = dice.choice([10, Decimal("33.5"), 50]), 1, DAYS
            share = {"key": target, "value": percent}
            if dice.random() < 0.4:
                first, last = sorted(dice.sample(range(1, DAYS + 1), 2))
                share.update({"from": str(day(first)), "to": str(day(last))})
            e["shares"].append((target, Fraction(percent), first, last))
            doc["data"]["tags"].append(share)
    return e, doc


def dice_tags(dice, p):
    """Up to five tags that hang on each other: [(naive, key of the question)]."""
    made = []

    def add(tag, doc):
        saved = p.tag(**doc)
        made.append((tag, virtual(saved)))

    def rules(column, more=()):
        first = [(naive.Leaf(column, "exists"), ("key", column), 0, 99)]
        doc = [{"to": COLUMN_KEYS[column], "filters": {**COLUMN_KEYS[column], "operator": "exists"}}]
        for n, (leaf, filters, to, frame) in enumerate(more):
            first.insert(n, (leaf, to, *frame))
            one = {"to": to, "filters": filters}
            if frame != (0, 99):
                one["timeframe"] = {"from": millis_of(day(frame[0])), "to": millis_of(day(frame[1] + 1))}
            doc.insert(n, one)
        return first, doc

    def entries(sources):
        pairs = [dice_entry(dice, p, s) for s in sources[:dice.randrange(1, len(sources) + 1)]]
        return [a for a, _ in pairs], [b for _, b in pairs]

    special = [(naive.Leaf("service", "oneOf", ["RDS"]), {**SERVICE, "operator": "oneOf", "value": ["RDS"]}, "Shared",
                dice.choice([(0, 99), (3, 6)]))] if dice.random() < 0.5 else []
    r, doc = rules("team", special)
    es, ds = entries(["Shared", "Plat"])
    team = naive.Tag("team", r, entries=es)
    add(team, {"rules": doc, "allocations": ds})
    r, doc = rules("env")
    es, ds = entries(["all"])
    env = naive.Tag("env", r, entries=es)
    add(env, {"rules": doc, "allocations": ds})
    # a tag that reads the moved team, and moves again
    key = made[0][1]
    leaf = naive.Group("AND", [naive.Leaf(team, "oneOf", ["A", "C"]), naive.Leaf("service", "notOneOf", ["S3"])])
    filters = {"AND": [{**key, "operator": "oneOf", "value": ["A", "C"]}, {**SERVICE, "operator": "notOneOf", "value": ["S3"]}]}
    r = [(leaf, "Shared", 0, 99), (naive.Leaf(team, "contains", ["RÖ"]), "big", 2, 7), (naive.Leaf(team, "exists"), team, 0, 99)]
    doc = [{"to": "Shared", "filters": filters},
           {"to": "big", "filters": {**key, "operator": "contains", "value": ["RÖ"]},
            "timeframe": {"from": millis_of(day(2)), "to": millis_of(day(8))}},
           {"to": key, "filters": {**key, "operator": "exists"}}]
    es, ds = entries(["Shared"]) if dice.random() < 0.5 else ([], [])
    add(naive.Tag("squad", r, entries=es), {"rules": doc, "allocations": ds})
    if dice.random() < 0.6:
        joined = dice.random() < 0.5
        m, points = dice_points(dice, p, 2, joined)
        relation = {"scope": naive.Leaf("service", "oneOf", ["EKS", "RDS"]), "points": points, "join": "cluster" if joined else None}
        r, doc = rules("team")
        saved = p.b.post("/api/tags", {"name": f"relation {p.n}", "kind": "relational", "rules": doc, "relation": {
            "kpiCenterId": m["id"], "metricName": "n", **({"joinField": "join", "joinKey": COLUMN_KEYS["cluster"]} if joined else {}),
            "scope": {**SERVICE, "operator": "oneOf", "value": ["EKS", "RDS"]},
            "outputs": [{"name": f"one {p.n}", "field": "k0"}, {"name": f"two {p.n}", "field": "k1"}]}}).expect(201).json
        for i, o in enumerate(saved["relation"]["outputs"]):
            made.append((naive.Tag(o["name"], r, relation=relation, component=i), virtual(o)))
    return made


def dice_filter(dice, tags):
    def leaf():
        what, key = dice.choice(tags + [(c, k) for c, k in COLUMN_KEYS.items()] if tags else list(COLUMN_KEYS.items()))
        op = dice.choice(["oneOf", "notOneOf", "contains", "notContains", "exists", "notExists"])
        values = [] if "xists" in op else dice.sample(["A", "B", "Shared", "C", "EC2", "prod", "ö", "Untagged", "c1"], 2)
        return naive.Leaf(what, op, values), {**key, "operator": op, **({"value": values} if values else {})}

    if dice.random() < 0.4:
        return leaf()
    word, kids = dice.choice(["AND", "OR"]), [leaf() for _ in range(dice.randrange(1, 4))]
    return naive.Group(word, [k for k, _ in kids]), {word: [d for _, d in kids]}


def close(got, want, what):
    check(abs(Fraction(Decimal(got)) - want) <= Fraction(3, 10 ** 10), what, got, float(want))


def one_question(dice, p, rows, tags):
    picks = dice.sample(tags, dice.randrange(0, min(3, len(tags)) + 1)) + \
        dice.sample([(c, k) for c, k in COLUMN_KEYS.items()], dice.randrange(0, 2))
    condition, filters = dice_filter(dice, tags) if dice.random() < 0.6 else (None, None)
    first, last = sorted((dice.randrange(1, DAYS + 1), dice.randrange(1, DAYS + 1)))
    daily = dice.random() < 0.3
    got = p.ask([k for _, k in picks], filters, first, last, shared=True, granularity="day" if daily else "accumulated")
    ref = naive.Naive(rows)
    want = ref.ask([g for g, _ in picks], condition, range(first, last + 1))
    seen = {tuple(g["values"]): g for g in got["groups"]}
    what = (p.data, picks, filters, first, last)
    for values, (total, shared) in want.items():
        if values not in seen:
            check(total == 0, "missing", values, what)
            continue
        close(seen[values]["total"], total, (values, what))
        close(seen[values]["shared"], shared, ("shared", values, what))
    for values, g in seen.items():
        check(values in want or Decimal(g["total"]) == 0, "too many", values, what)
        equal(sum(Decimal(c) for c in g["cells"]), Decimal(g["total"]), ("cells", what))
        equal(Decimal(g["direct"]) + Decimal(g["shared"]), Decimal(g["total"]), ("parts", what))
    equal(sum((Decimal(g["total"]) for g in got["groups"]), Decimal(0)), Decimal(got["total"]["total"]), what)
    reads_tag = condition is not None and any(isinstance(k.what, naive.Tag) for k in
                                              (condition.kids if isinstance(condition, naive.Group) else [condition]))
    if not reads_tag:  # conservation: the total is what it is without any tag
        kept = [r for r in rows if first <= r["day"] <= last and (condition is None or condition.holds(naive.Part(r, 0)))]
        equal(Fraction(Decimal(got["total"]["total"])), sum((r["cost"] for r in kept), Fraction(0)), ("conserved", what))
    if daily and picks:
        d = dice.randrange(first, last + 1)
        per_day = ref.ask([g for g, _ in picks], condition, [d])
        for values, g in seen.items():
            close(g["cells"][d - first], per_day.get(values, (0, 0))[0], ("day", d, values, what))


def test_random_questions():
    """Several hundred questions over random bills, tags and telemetry; the seed is in the message."""
    cases = int(os.environ.get("FARTHING_ALLOC_CASES", "400"))
    seed = int(os.environ.get("FARTHING_ALLOC_SEED", "20261124"))
    dice, p, done = random.Random(seed), None, 0
    while done < cases:
        if done % 100 == 0:
            if p:
                p.server.stop()
            rows = dice_bill(dice)
            p = Place([(day(r["day"]), r["service"], r["resource"], {k: r[k] for k in ("team", "cluster", "env") if r[k]}, r["text"])
                       for r in rows])
        tags = dice_tags(dice, p)
        for _ in range(20):
            one_question(dice, p, rows, tags)
            done += 1
    p.server.stop()


# ---- every other way to ask ----

def doors():
    """Two days: S 100 with 20 hours of usage, A 30 with 10, B 10; S falls to A 75 %, New 25 %. A week before: S 8."""
    if "doors" not in _places:
        rows = [(day(8), "EC2", "s1", {"team": "S"}, 60, 12), (day(8), "EC2", "s2", {"team": "S"}, 40, 8),
                (day(8), "EC2", "a", {"team": "A"}, 30, 10), (day(8), "S3", "b", {"team": "B"}, 10),
                (day(9), "S3", "s1", {"team": "S"}, 20, 4), (day(6), "EC2", "s1", {"team": "S"}, 8, 4)]
        p = Place(rows)
        p.t = p.tag("Doors", allocations=[{"name": "S", "type": "fixed", "active": True, "data": {
            "tags": [{"key": "A", "value": 75}, {"key": "New", "value": 25}]}}])
        p.key = Key(p.data)
        _places["doors"] = p
    return _places["doors"]


def test_previous_period_top_and_others():
    p = doors()
    j = p.ask([p.t], first=8, last=9, previous=True)
    equal({g["values"][0]: (cents(g["total"]), cents(g["previous"])) for g in j["groups"]},
          {"A": ("120.00", "6.00"), "New": ("30.00", "2.00"), "B": ("10.00", "0.00")})
    equal((cents(j["total"]["total"]), cents(j["total"]["previous"]), int(j["rows"])), ("160.00", "8.00", 5))
    j = p.ask([p.t], first=8, last=9, top=1, shared=True)
    equal([(g["values"][0], cents(g["total"]), cents(g["shared"])) for g in j["groups"]],
          [("A", "120.00", "90.00"), ("Others", "40.00", "30.00")])
    j = p.ask([p.t], first=8, last=9, granularity="day")
    equal({g["values"][0]: [cents(c) for c in g["cells"]] for g in j["groups"]},
          {"A": ["105.00", "15.00"], "New": ["25.00", "5.00"], "B": ["10.00", "0.00"]})
    j = p.ask([p.t], first=8, last=8, granularity="hour")
    equal({g["values"][0]: cents(g["total"]) for g in j["groups"]}, {"A": "105.00", "New": "25.00", "B": "10.00"})
    equal([cents(g["cells"][0]) for g in j["groups"]], ["105.00", "25.00", "10.00"])


def test_usage_is_split_by_the_same_ratio():
    p = doors()
    filters = {**native("consumed_unit"), "operator": "exists"}
    j = p.ask([p.t], filters, first=8, last=9, costType="usageAmount")
    equal({g["values"][0]: cents(g["total"]) for g in j["groups"]}, {"A": "28.00", "New": "6.00"})
    # proportional: usage weighs by the account's default cost type
    t = p.tag(allocations=[{"name": "S", "type": "proportional", "active": True, "data": {}}])
    j = p.ask([t], filters, first=8, last=8, costType="usageAmount")
    equal({g["values"][0]: cents(g["total"]) for g in j["groups"]}, {"A": "25.00", "B": "5.00"})


def test_values_rows_and_csv():
    p = doors()
    a = p.b.post("/api/values", {**virtual(p.t), "limit": 10}).expect(200).json
    equal(sorted(v["value"] for v in a["values"]), ["A", "B", "New"])
    a = p.b.post("/api/values", {**virtual(p.t), "limit": 10, "date": {"from": millis_of(day(8)), "to": millis_of(day(9)), "type": "day"}})
    equal([(v["value"], cents(v["cost"])) for v in a.expect(200).json["values"]], [("A", "120.00"), ("New", "30.00"), ("B", "10.00")])
    for value, resources in (("New", ["s1", "s1", "s2"]), ("A", ["a", "s1", "s1", "s2"]), ("B", ["b"]), ("S", [])):
        j = p.b.post("/api/rows", {"date": {"from": millis_of(day(8)), "to": millis_of(day(9)), "type": "day"},
                                   "filters": {**virtual(p.t), "operator": "oneOf", "value": [value]}, "limit": 50}).expect(200).json
        at = j["columns"].index("ResourceId") if j["rows"] else 0
        equal(sorted(r[at] for r in j["rows"]), resources, value)
    text = p.b.post("/api/query.csv", {"date": {"from": millis_of(day(8)), "to": millis_of(day(9)), "type": "day"}, "granularity": "accumulated",
                                       "groupBy": [virtual(p.t)], "shared": True}).expect(200).body.decode("utf-8-sig")
    equal(text.split("\r\n")[:5], ["Doors,Total,Direct,Shared", "A,120.00,30.00,90.00", "New,30.00,0.00,30.00",
                                   "B,10.00,10.00,0.00", "Total,160.00,40.00,120.00"])


def test_version_one_and_two():
    p = doors()
    view = p.b.post("/api/views", {"name": "by doors", "question": {"groupBy": [virtual(p.t)]}}).expect(201).json
    a = p.key.post(p.server, "/v1/cost/query-by-view", {"viewId": view["id"], "date": {
        "unixTimeMillSecondsStart": millis_of(day(8)), "unixTimeMillSecondsEnd": millis_of(day(9))}}).expect(200).json
    sums = {}
    for series in a["data"]:
        for point in series["data"]:
            sums[series["name"]] = sums.get(series["name"], 0) + point["cost"]
    equal({k: cents(v) for k, v in sums.items() if k not in ("Total",)}, {"A": "120.00", "New": "30.00", "B": "10.00"})
    q = {"date": {"unixTimeMillisecondsStart": millis_of(day(8)), "unixTimeMillisecondsEnd": millis_of(day(9))},
         "timeInterval": {"interval": "day"}, "measurements": [{"type": "netAmortizedCost"}],
         "dimensions": [{"costCenter": "Virtual Tags", "key": p.t["id"], "type": "virtual_tag"}]}
    made = p.key.post(p.server, "/v2/data/cost-usage/generate-query", q).expect(200).json["data"]["queryId"]
    path = f"/v2/data/cost-usage/{made}/results?pageSize=100"
    rows = wait_until(lambda: (lambda a: a if a.status != 202 else None)(p.key.get(p.server, path)), 30, 0.3).expect(200).json["data"]
    total = {}
    for r in rows:
        value = [v for v in (r.get("dimensions") or r).values() if v in ("A", "B", "New")] if not isinstance(r.get("dimensions"), list) \
            else [d["value"] for d in r["dimensions"]]
        cost = [m["value"] for m in r["measurements"]] if isinstance(r.get("measurements"), list) else [r]
        total.setdefault(value[0], []).append(cost[0])
    equal(set(total), {"A", "B", "New"})
