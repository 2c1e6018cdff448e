"""Telemetry: files, pushes, the drop folder, Prometheus; who may; what is answered."""
import datetime
import http.server
import json
import os
import pathlib
import threading
import urllib.parse
from decimal import Decimal

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
