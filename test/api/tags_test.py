"""Virtual tags over HTTP: V1, V2, the internal form and the page's routes to the letter of spec/api.md 7.5, 7.6, 8.3
to 8.5, 9.7; every documented error changes nothing.

An installation and a server of its own, so that other tests' counters and names do not matter.
"""
import datetime
import json
import re
import threading
import uuid
from decimal import Decimal

from farthing import (share_by_default, ADMIN, PASSWORD, ROWS, TMP, TODAY, Browser, Key, Server, check, cli, equal, link_of, meta, millis,
                      round10, wait_until, write_bill)

_made = {}
AWS_TEAM = {"costCenter": "AWS", "key": "team", "type": "tag", "operator": "exists"}
JS_DATE = re.compile(r"(Sun|Mon|Tue|Wed|Thu|Fri|Sat) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d\d \d{4} "
                     r"\d\d:\d\d:\d\d GMT\+0000 \(Greenwich Mean Time\)")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def bed():
    if not _made:
        data = TMP / "tags-data"
        link = link_of(cli(data, "init", "--admin", ADMIN))
        share_by_default(data)
        cli(data, "load", "--source", "bill", write_bill(TMP / "tags-bill.csv", ROWS))
        _made["keys"] = [Key(data) for _ in range(3)]
        _made["reader"] = Key(data, "read-only")
        _made["data"] = data
        # the V2 windows are per minute: tests must not meet each other's
        _made["server"] = Server(data)
        b = Browser(_made["server"])
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _made["browser"] = b
    return _made


def ask(method, path, body=None, key=0, **headers):
    m = bed()
    k = m["keys"][key] if isinstance(key, int) else key
    return m["server"].ask(method, path, body, headers={**k.headers, **headers})


def page():
    return bed()["browser"]


def name():
    return "Tag " + uuid.uuid4().hex[:8]


def v1_body(n=None, **more):
    return {"name": n or name(), "defaultValue": "unallocated",
            "rules": [{"to": "Platform", "filters": {"costCenter": "AWS", "key": "service", "operator": "oneOf",
                                                     "value": ["Amazon EC2", "Amazon S3"]}}], **more}


def v2_body(n=None, **more):
    return {"name": n or name(), "defaultValue": "Untagged",
            "rules": [{"to": "Core", "filters": {"AND": [{**AWS_TEAM, "operator": "notIs", "value": ["data"]},
                                                         {"costCenter": "AWS", "key": "service",
                                                          "type": "billing_dimension", "operator": "exists"}]},
                       "timeframe": {"from": 1767225600000}}], **more}


# ---- V1 ----

def test_v1_round_trip():
    body = v1_body(category="Project")
    made = ask("POST", "/v1/virtual-tags", body).expect(201).json
    equal(set(made), {"id", "accountId", "name", "category", "defaultValue", "rules", "createdBy", "updatedBy",
                      "createdAt", "updatedAt"})
    equal(made["name"], body["name"])
    equal(made["rules"], [{"to": "Platform", "filters": {
        "costCenter": "AWS", "key": "service", "displayName": "Services", "operator": "oneOf",
        "value": ["Amazon EC2", "Amazon S3"]}}])
    check(JS_DATE.fullmatch(made["createdAt"]), made["createdAt"])
    check("@" in made["createdBy"], made["createdBy"])
    path = "/v1/virtual-tags/" + made["id"]
    got = ask("GET", path).expect(200).json
    equal(got, made)
    all_ = ask("GET", "/v1/virtual-tags").expect(200).json
    equal(set(all_), {"accountId", "requestId", "virtualTags"})
    check(got in all_["virtualTags"])
    # a client puts back the whole object with one rule changed, read-only members and all
    got["rules"].append({"to": "Everything", "filters": {}})
    got["rules"][0]["filters"]["displayName"] = "anything"
    got["createdAt"] = "yesterday"
    put = ask("PUT", path, got).expect(200).json
    check(uuid.UUID(put.pop("requestId")))
    equal([r["to"] for r in put["rules"]], ["Platform", "Everything"])
    equal(put["createdAt"], made["createdAt"])
    equal(put["rules"][0]["filters"]["displayName"], "Services")
    equal(ask("GET", path).json, put)
    gone = ask("DELETE", path).expect(204)
    equal(gone.body, b"")
    for method, more in (("GET", None), ("PUT", v1_body()), ("DELETE", None)):
        ask(method, path, more).expect(404, "NOT_FOUND")


def test_v1_spells_its_own_way():
    made = ask("POST", "/v2/virtual-tags", v2_body()).expect(200).json["data"]
    other = ask("POST", "/v2/virtual-tags", {
        "name": name(), "defaultValue": {"costCenter": "Virtual Tags", "key": made["id"], "type": "virtual_tag"},
        "rules": [{"to": {"costCenter": "AWS", "key": "region", "type": "billing_dimension"},
                   "filters": {"costCenter": "Virtual Tags", "key": made["id"], "type": "virtual_tag",
                               "operator": "is", "value": "Core"}}]}).expect(200).json["data"]
    equal(other["defaultValue"], {"costCenter": "Virtual Tags", "key": made["id"], "type": "virtual_tag"})
    equal(other["rules"][0]["to"], {"costCenter": "AWS", "key": "region", "type": "billing_dimension"})
    equal(other["rules"][0]["filters"]["displayName"], made["name"])
    v1 = ask("GET", "/v1/virtual-tags/" + other["id"]).json
    equal(v1["rules"][0]["to"], {"costCenter": "AWS", "key": "region"})
    check("type" not in v1["rules"][0]["filters"], v1)
    one = ask("GET", "/v1/virtual-tags/" + made["id"]).json["rules"][0]["filters"]["AND"][0]
    equal((one["operator"], one["value"]), ("isNot", ["data"]))
    back = ask("PUT", "/v1/virtual-tags/" + other["id"], v1).expect(200).json
    equal(back["rules"], v1["rules"])
    # used by another: refused, and nothing changes
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(400, "BAD_REQUEST")
    ask("DELETE", "/v2/virtual-tags/" + made["id"]).expect(422)
    page().ask("DELETE", "/api/tags/" + made["id"]).expect(409)
    ask("GET", "/v1/virtual-tags/" + made["id"]).expect(200)
    ask("DELETE", "/v2/virtual-tags/" + other["id"]).expect(200)
    ask("DELETE", "/v2/virtual-tags/" + made["id"]).expect(200)


def test_v1_keys_round_trip_through_a_rule():
    keys = ask("GET", "/v1/megabill/query-language/keys").json["keys"]
    keys = [k for k in keys if k["costCenter"] in ("AWS", "Global", "GCP")]
    check(len(keys) > 20)
    rules = [{"to": f"v{i}", "filters": {"costCenter": k["costCenter"], "key": k["key"], "operator": "exists"}}
             for i, k in enumerate(keys)]
    made = ask("POST", "/v1/virtual-tags", v1_body() | {"rules": rules}).expect(201).json
    for rule, k in zip(made["rules"], keys):
        equal(rule["filters"], {**k, "operator": "exists"})
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(204)


# ---- V2 ----

def test_v2_round_trip():
    body = v2_body(versionMetadata={"changeDescription": "first"})
    answer = ask("POST", "/v2/virtual-tags", body).expect(200)
    for h in ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"):
        check(h in answer.headers, h)
    equal(answer.headers["ratelimit-limit"], "50")
    equal(set(answer.json), {"requestId", "data"})
    made = answer.json["data"]
    equal(set(made), {"id", "name", "defaultValue", "rules", "acl", "createdBy", "updatedBy", "createdAt", "updatedAt"})
    public = {"type": "public", "users": [], "groups": []}
    equal(made["acl"], {"read": public, "write": public})  # the default of this account, farthing.share_by_default
    check(ISO.fullmatch(made["createdAt"]) and "@" in made["updatedBy"], made)
    equal(made["rules"], [{"to": "Core", "filters": {"AND": [
        {"costCenter": "AWS", "key": "team", "type": "tag", "displayName": "team", "operator": "notIs", "value": ["data"]},
        {"costCenter": "AWS", "key": "service", "type": "billing_dimension", "displayName": "Services",
         "operator": "exists"}]}, "timeframe": {"from": 1767225600000}}])
    path = "/v2/virtual-tags/" + made["id"]
    equal(ask("GET", path).expect(200).json["data"], made)
    check(made in ask("GET", "/v2/virtual-tags").expect(200).json["data"]["virtualTags"])
    # staged: the answer shows it, nobody else sees it
    changed = {**made, "defaultValue": "Other", "name": made["name"] + " 2"}
    staged = ask("PUT", path + "?setAsLive=false", changed).expect(200).json["data"]
    equal((staged["defaultValue"], staged["name"]), ("Other", made["name"] + " 2"))
    equal({**ask("GET", path).json["data"], "updatedAt": 0}, {**made, "updatedAt": 0})
    live = ask("PUT", path, {**made, "versionMetadata": {"changeDescription": "again"}}).expect(200).json["data"]
    equal(live["rules"], made["rules"])
    versions = ask("GET", path + "/versions").expect(200).json
    equal([v["changeDescription"] for v in versions["data"]], ["again", "", "first"])
    equal([v["isLive"] for v in versions["data"]], [True, False, False])
    equal(versions["pagination"], {"nextCursor": None, "hasMore": False})
    equal(set(versions["data"][0]), {"id", "createdBy", "createdAt", "isLive", "changeDescription"})
    one = ask("GET", f"{path}/versions/{versions['data'][1]['id']}").expect(200).json["data"]
    equal(set(one) - set(versions["data"][0]), {"versionData"})
    equal(one["versionData"], {"rules": made["rules"], "defaultValue": "Other"})
    ask("GET", f"{path}/versions/{uuid.uuid4()}").expect(404, "NOT_FOUND")
    equal(ask("DELETE", path).expect(200).json["data"], {"id": made["id"], "name": made["name"]})
    for p in (path, path + "/versions", f"{path}/versions/{one['id']}"):
        ask("GET", p).expect(404, "NOT_FOUND")


def test_v2_staged_tag():
    made = ask("POST", "/v2/virtual-tags?setAsLive=false", v2_body()).expect(200).json["data"]
    equal(ask("GET", "/v2/virtual-tags/" + made["id"]).json["data"]["name"], made["name"])
    equal([v["isLive"] for v in ask("GET", f"/v2/virtual-tags/{made['id']}/versions").json["data"]], [False])
    ask("POST", "/v2/virtual-tags?setAsLive=perhaps", v2_body()).expect(400)
    ask("DELETE", "/v2/virtual-tags/" + made["id"]).expect(200)


def test_v2_versions_are_paged():
    made = ask("POST", "/v2/virtual-tags", v2_body()).json["data"]
    path = f"/v2/virtual-tags/{made['id']}"
    for i in range(6):
        ask("PUT", path, {**v2_body(made["name"]), "versionMetadata": {"changeDescription": str(i)}}).expect(200)
    every = ask("GET", path + "/versions").json["data"]
    equal(len(every), 7)
    seen, cursor = [], None
    while True:
        a = ask("GET", path + "/versions?pageSize=3" + (f"&cursor={cursor}" if cursor else "")).expect(200).json
        seen += a["data"]
        cursor = a["pagination"]["nextCursor"]
        equal(a["pagination"]["hasMore"], cursor is not None)
        if cursor is None:
            break
    equal(seen, every)
    equal(ask("GET", path + "/versions?sortDirection=asc").json["data"], every[::-1])
    first = ask("GET", path + "/versions?pageSize=2").json["pagination"]["nextCursor"]
    equal(len(ask("GET", path + "/versions?cursor=" + first).expect(200).json["data"]), 2)
    for bad in (f"cursor={first}&pageSize=5", "cursor=nonsense", "pageSize=0", "pageSize=101", "sortDirection=up",
                "from=x", "from=5&to=4"):
        ask("GET", path + "/versions?" + bad).expect(400, "BAD_REQUEST")
    at = int(datetime.datetime.fromisoformat(every[3]["createdAt"].replace("Z", "+00:00")).timestamp() * 1000 + 0.5)
    inside = ask("GET", f"{path}/versions?from={at}&to={at}").json["data"]
    check(every[3] in inside and all(v["createdAt"] == every[3]["createdAt"] for v in inside))
    ask("DELETE", path).expect(200)


def test_hundred_and_first_version_drops_the_oldest_not_live():
    # through the page: the API's windows are narrower than this
    made = page().post("/api/tags", v2_body()).expect(201).json
    for i in range(104):
        page().ask("PUT", f"/api/tags/{made['id']}?setAsLive=false", v2_body(made["name"])).expect(200)
    v = page().get(f"/api/tags/{made['id']}/versions").json["versions"]
    equal(len(v), 100)
    equal([x["isLive"] for x in v].count(True), 1)
    check(v[-1]["isLive"] and v[0]["isStaged"])
    page().ask("DELETE", "/api/tags/" + made["id"]).expect(204)


# ---- the errors, each of which changes nothing ----

def tag_state():
    """Everything meta.db knows of tags."""
    db = meta(bed()["data"])
    out = [db.execute(f"SELECT * FROM {t} ORDER BY 1, 2, 3").fetchall() for t in ("tag", "tag_version", "tag_folder")]
    db.close()
    return out


def leaf(**more):
    return {"costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "is", "value": "x", **more}


def bad_bodies():
    """(what, body, V1 status, V2 status)"""
    good, rule = v2_body(), {"to": "a", "filters": leaf()}
    no_key = {k: v for k, v in leaf().items() if k != "key"}
    return [
        ("no name", {k: v for k, v in good.items() if k != "name"}, 400, 400),
        ("blank name", {**good, "name": "  "}, 400, 400),
        ("long name", {**good, "name": "x" * 201}, 400, 400),
        ("no rules", {k: v for k, v in good.items() if k != "rules"}, 400, 400),
        ("no default", {k: v for k, v in good.items() if k != "defaultValue"}, 400, 400),
        ("rules text", {**good, "rules": "x"}, 400, 400),
        ("a 1,001st rule", {**good, "rules": [rule] * 1001}, 400, 422),
        ("unknown operator", {**good, "rules": [{"to": "a", "filters": leaf(operator="like")}]}, 400, 400),
        ("unknown key", {**good, "rules": [{"to": "a", "filters": leaf(key="nope", type="billing_dimension")}]}, 400, 422),
        ("missing key", {**good, "rules": [{"to": "a", "filters": no_key}]}, 400, 400),
        ("unknown cost center", {**good, "rules": [{"to": "a", "filters": leaf(costCenter="Nowhere")}]}, 400, 422),
        ("unknown type", {**good, "rules": [{"to": "a", "filters": leaf(type="colour")}]}, 400, 400),
        ("lower-case and", {**good, "rules": [{"to": "a", "filters": {"and": [leaf()]}}]}, 400, 400),
        ("AND and OR", {**good, "rules": [{"to": "a", "filters": {"AND": [], "OR": []}}]}, 400, 400),
        ("no value", {**good, "rules": [{"to": "a", "filters": {k: v for k, v in leaf().items() if k != "value"}}]}, 400, 400),
        ("no to", {**good, "rules": [{"filters": leaf()}]}, 400, 400),
        ("to a number", {**good, "rules": [{"to": 5, "filters": leaf()}]}, 400, 400),
        ("to an unknown key", {**good, "rules": [{"to": {"costCenter": "AWS", "key": "nope"}, "filters": {}}]}, 400, 422),
        ("no filters", {**good, "rules": [{"to": "a"}]}, 400, 400),
        ("time frame text", {**good, "rules": [{**rule, "timeframe": {"from": "2026-01-01"}}]}, 400, 400),
        ("time frame without from", {**good, "rules": [{**rule, "timeframe": {"to": 5}}]}, 400, 400),
        ("time frame backward", {**good, "rules": [{**rule, "timeframe": {"from": 10, "to": 5}}]}, 400, 422),
        ("missing tag", {**good, "rules": [{"to": "a", "filters": {"costCenter": "Virtual Tags", "key": str(uuid.uuid4()),
                                                                    "type": "virtual_tag", "operator": "exists"}}]}, 400, 422),
        ("missing tag as default", {**good, "defaultValue": {"costCenter": "Virtual Tags", "key": str(uuid.uuid4())}}, 400, 422),
        ("a list", [], 400, 400),
    ]


def test_every_error_changes_nothing():
    made = ask("POST", "/v1/virtual-tags", v1_body()).expect(201).json
    before = tag_state()
    for i, (what, body, v1, v2) in enumerate(bad_bodies()):
        for path, want in (("/v1/virtual-tags", v1), ("/virtual-tags-service/virtual-tag?dataFormat=UI", v1)):
            b = dict(body) if isinstance(body, dict) else body
            if "service" in path and isinstance(b, dict) and "defaultValue" in b:
                b["default"] = {"type": "string", "value": b.pop("defaultValue")}
            a = ask("POST", path, b, key=i % 3)
            check(a.status == want, what, path, a.status, a.body[:300])
            check(a.json["message"] and uuid.UUID(a.json["requestId"]), what)
        a = ask("PUT", "/v2/virtual-tags/" + made["id"], body)
        check(a.status == v2, what, "V2", a.status, a.body[:300])
        equal(a.json["error"], {400: "BAD_REQUEST", 422: "UNPROCESSABLE_ENTITY"}[v2], what)
    ask("POST", "/v1/virtual-tags", "{not json").expect(400)
    ask("POST", "/v1/virtual-tags", v1_body(made["name"].upper())).expect(400, "BAD_REQUEST")
    ask("POST", "/v2/virtual-tags", v2_body(made["name"].lower())).expect(422, "UNPROCESSABLE_ENTITY")
    page().post("/api/tags", v2_body(made["name"])).expect(409)
    equal(tag_state(), before)
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(204)


def test_a_cycle_is_printed():
    a = ask("POST", "/v1/virtual-tags", v1_body("Cycle A")).expect(201).json
    b = ask("POST", "/v1/virtual-tags", v1_body("Cycle B", rules=[{"to": "x", "filters": {
        "costCenter": "Virtual Tags", "key": a["id"], "operator": "is", "value": "Platform"}}])).expect(201).json
    before = tag_state()
    closing = v1_body("Cycle A") | {"defaultValue": {"costCenter": "Virtual Tags", "key": b["id"]}}
    for path, status in (("/v1/virtual-tags/", 400), ("/v2/virtual-tags/", 422)):
        answer = ask("PUT", path + a["id"], closing).expect(status)
        check("Cycle A -> Cycle B -> Cycle A" in answer.json["message"], answer.json["message"])
    itself = v1_body("Cycle A") | {"defaultValue": {"costCenter": "Virtual Tags", "key": a["id"]}}
    check("Cycle A -> Cycle A" in ask("PUT", "/v1/virtual-tags/" + a["id"], itself).expect(400).json["message"])
    equal(tag_state(), before)
    graph = page().get("/api/tags/graph").json
    check({"from": b["id"], "to": a["id"]} in graph["edges"])
    where = {n["id"]: n["position"] for n in graph["nodes"]}
    equal((where[a["id"]], where[b["id"]]), ("source", "output"))
    equal([u["name"] for u in page().get(f"/api/tags/{a['id']}/usage").json["uses"]], ["Cycle B"])
    for t in (b, a):
        ask("DELETE", "/v1/virtual-tags/" + t["id"]).expect(204)


def test_two_writers_cannot_close_a_cycle_together():
    a, b = (ask("POST", "/v1/virtual-tags", v1_body()).expect(201).json for _ in "ab")
    for turn in range(4):
        answers = {}

        def write(me, other, key):
            body = v1_body(me["name"]) | {"defaultValue": {"costCenter": "Virtual Tags", "key": other["id"]}}
            answers[me["id"]] = ask("PUT", "/v1/virtual-tags/" + me["id"], body, key=key).status

        threads = [threading.Thread(target=write, args=x) for x in ((a, b, 0), (b, a, 1))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(sorted(answers.values()), [200, 400], f"turn {turn}")
        for t in (a, b):
            ask("PUT", "/v1/virtual-tags/" + t["id"], v1_body(t["name"])).expect(200)
    for t in (a, b):
        ask("DELETE", "/v1/virtual-tags/" + t["id"]).expect(204)


def test_permissions_and_limits():
    m = bed()
    made = ask("POST", "/v1/virtual-tags", v1_body()).json
    reader = m["reader"]
    ask("GET", "/v1/virtual-tags/" + made["id"], key=reader).expect(200)
    for method, path in (("POST", "/v1/virtual-tags"), ("PUT", "/v1/virtual-tags/" + made["id"]),
                         ("DELETE", "/v1/virtual-tags/" + made["id"]), ("POST", "/v2/virtual-tags"),
                         ("PUT", "/v2/virtual-tags/" + made["id"]), ("DELETE", "/v2/virtual-tags/" + made["id"]),
                         ("PUT", f"/v2/virtual-tags/{made['id']}/metadata"),
                         ("POST", "/virtual-tags-service/virtual-tag?dataFormat=UI")):
        ask(method, path, v2_body(), key=reader).expect(403)
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(204)
    m["server"].ask("GET", "/v1/virtual-tags").expect(401)
    m["server"].ask("GET", "/v2/virtual-tags", headers={"x-finout-client-id": m["keys"][0].client}).expect(401)
    for _ in range(130):  # a window may end within
        a = ask("GET", "/v2/virtual-tags")
        if a.status == 429:
            break
    equal(a.json["error"], "RATE_LIMIT_EXCEEDED")
    check("retry-after" in a.headers)
    ask("GET", "/v2/virtual-tags/" + str(uuid.uuid4())).expect(404)  # its own counter


def test_unicode_names_and_values():
    n = "Équipe 日本 \U0001f680 " + uuid.uuid4().hex[:4]
    body = {"name": n, "defaultValue": "Übrige", "rules": [{"to": "日本", "filters": leaf(value=["Größe", "\U0001f680"])}]}
    made = ask("POST", "/v1/virtual-tags", body).expect(201).json
    got = ask("GET", "/v1/virtual-tags/" + made["id"]).json
    equal((got["name"], got["defaultValue"], got["rules"][0]["to"]), (n, "Übrige", "日本"))
    equal(got["rules"][0]["filters"]["value"], ["Größe", "\U0001f680"])
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(204)


# ---- metadata ----

def test_metadata():
    made = ask("POST", "/v1/virtual-tags", v1_body()).json
    v1, v2 = f"/v1/virtual-tags/{made['id']}/metadata", f"/v2/virtual-tags/{made['id']}/metadata"
    equal(ask("GET", v1).expect(200).json["metadata"], {})
    group, end, other = (str(uuid.uuid4()) for _ in range(3))
    whole = {"App Team": {"groups": [group], "customMetadata": {"owner": "Dave"}, "endpoints": [end]}, "B": {}}
    put = ask("PUT", v1, whole).expect(200).json
    equal(set(put), {"requestId", "metadata", "request"})
    equal((put["metadata"], put["request"]), (whole, {"virtualTagId": made["id"]}))
    equal(set(ask("GET", v1).json), {"requestId", "metadata"})
    merged = ask("PUT", v2, {"App Team": {"groups": [other, group], "customMetadata": {"owner": "Eve", "mail": "e@x.y"},
                                          "mergeValuesAndMetadata": True}}).expect(200).json["data"]
    equal(merged["virtualTagId"], made["id"])
    equal(merged["metadata"], {"App Team": {"groups": [group, other], "customMetadata": {"owner": "Eve", "mail": "e@x.y"},
                                            "endpoints": [end]}, "B": {}})
    replaced = ask("PUT", v2, {"App Team": {"customMetadata": {"a": "b"}}}).expect(200).json["data"]["metadata"]
    equal(replaced, {"App Team": {"customMetadata": {"a": "b"}}, "B": {}})
    for bad in ({"a.b": {}}, {"x": {"groups": ["no uuid"]}}, {"x": {"customMetadata": {"a": 5}}}, {"x": []}, [],
                {"x": {"unknown": 1}}, {"ok": {}, "x": {"endpoints": "e"}}):
        ask("PUT", v1, bad).expect(400, "BAD_REQUEST")
        ask("PUT", v2, bad).expect(400, "BAD_REQUEST")
    equal(ask("GET", v2).json["data"], {"metadata": replaced})
    ask("GET", f"/v2/virtual-tags/{uuid.uuid4()}/metadata").expect(400, "BAD_REQUEST")
    ask("GET", f"/v1/virtual-tags/{uuid.uuid4()}/metadata").expect(404, "NOT_FOUND")
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(204)


# ---- the internal form ----

def test_internal_form():
    body = {"name": name(), "default": {"type": "string", "value": "Untagged"}, "endpoints": [],
            "createdBy": "me", "updatedBy": "me",
            "rules": [{"to": "EC2", "disableRename": True,
                       "filters": {"costCenter": "amazon-cur", "key": "service", "type": "col", "path": "AWS/Services",
                                   "operator": "oneOf", "value": ["Amazon EC2"]}}]}
    made = ask("POST", "/virtual-tags-service/virtual-tag?dataFormat=UI", body).expect(200).json
    for m in ("accountId", "category", "endpoints", "anomalyId", "createdAt", "updatedAt", "id", "type", "allocations"):
        check(m in made, m)
    equal((made["type"], made["allocations"], made["default"]), ("default", [], body["default"]))
    equal(made["rules"], [{"to": "EC2", "filters": {
        "costCenter": "amazon-cur", "key": "service", "type": "col", "path": "AWS/Services", "displayName": "Services",
        "operator": "oneOf", "value": ["Amazon EC2"]}, "disableRename": True}])
    path = "/virtual-tags-service/virtual-tag/" + made["id"]
    put = ask("PUT", path + "?dataFormat=UI", made).expect(200).json
    equal({**put, "updatedAt": 0}, {**made, "updatedAt": 0})
    some = ask("GET", "/virtual-tags-service/virtual-tag?fields=id,name,createdBy,createdAt,updatedAt").expect(200).json
    check(isinstance(some, list) and all(set(t) == {"id", "name", "createdBy", "createdAt", "updatedAt"} for t in some))
    check(made["id"] in [t["id"] for t in some])
    some = ask("GET", "/virtual-tags-service/virtual-tag?fields=id&fields=name").json
    equal(set(some[0]), {"id", "name"})
    whole = ask("GET", "/virtual-tags-service/virtual-tag?accountId=" + made["accountId"]).expect(200).json
    check(put in whole)
    by_key = {**body, "name": name(), "default": {"type": "key", "value": {"key": made["id"]}}}
    other = ask("POST", "/virtual-tags-service/virtual-tag?dataFormat=UI", by_key).expect(200).json
    equal(other["default"]["value"]["key"], made["id"])
    ask("DELETE", "/v1/virtual-tags/" + other["id"]).expect(204)
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(204)


# ---- the page ----

def test_page_documents():
    b, n = page(), name()
    made = b.post("/api/tags?setAsLive=false", {"name": n, "rules": []}).expect(201).json
    equal((made["liveVersion"], made["kind"], made["defaultValue"]), (None, "rules", "Untagged"))
    listed = {t["name"]: t for t in b.get("/api/tags").json["tags"]}
    equal((listed[n]["hasLive"], listed[n]["hasStaged"]), (False, True))
    check(listed["FOCUS/Sub Account ID"]["predefined"] and listed["AI/Model Brand"]["ruleCount"] == 7)
    path = "/api/tags/" + made["id"]
    live = b.post(f"{path}/versions/{made['stagedVersion']}/publish", {}).expect(200).json
    equal((live["liveVersion"], live["stagedVersion"]), (made["stagedVersion"], None))
    saved = b.ask("PUT", path, {**live, "defaultValue": "Rest", "changeDescription": "rest",
                                "basedOn": live["liveVersion"]}).expect(200).json
    b.ask("PUT", path, {**live, "basedOn": str(uuid.uuid4())}).expect(409)
    equal(saved["defaultValue"], "Rest")
    versions = b.get(path + "/versions").json["versions"]
    equal([v["changeDescription"] for v in versions], ["rest", ""])
    equal(b.get(f"{path}/versions/{versions[1]['id']}").json["document"]["defaultValue"], "Untagged")
    restored = b.post(f"{path}/versions/{versions[1]['id']}/publish", {}).expect(200).json
    equal(restored["defaultValue"], "Untagged")
    equal(len(b.get(path + "/versions").json["versions"]), 3)
    # folders
    folder = b.post("/api/tag-folders", {"name": n + " folder"}).expect(201).json
    b.post("/api/tag-folders", {"name": (n + " folder").upper()}).expect(409)
    b.ask("PUT", path + "/folder", {"folderId": folder["id"]}).expect(204)
    b.ask("PUT", path + "/folder", {"folderId": str(uuid.uuid4())}).expect(422)
    equal(b.get(path).json["folderId"], folder["id"])
    equal(b.ask("PUT", "/api/tag-folders/" + folder["id"], {"name": n + " box"}).expect(200).json["name"], n + " box")
    b.ask("DELETE", "/api/tag-folders/" + folder["id"]).expect(204)
    equal(b.get(path).json["folderId"], None)
    # names, copies, deleting and bringing back
    b.ask("PUT", path + "/name", {"name": n + " renamed"}).expect(204)
    copy = b.post(path + "/duplicate", {}).expect(201).json
    equal(copy["name"], n + " renamed (copy)")
    equal(b.post(path + "/duplicate", {}).expect(201).json["name"], n + " renamed (copy 2)")
    clone = b.post("/api/tags/a1000000-0000-4000-8000-000000000001/duplicate", {"name": n + " AI"}).expect(201).json
    equal((clone["predefined"], len(clone["rules"])), (False, 7))
    b.ask("PUT", "/api/tags/f0c05000-0000-4000-8000-000000000001", clone).expect(403)
    b.ask("DELETE", path).expect(204)
    b.get(path).expect(404)
    check(n + " renamed" not in [t["name"] for t in b.get("/api/tags").json["tags"]])
    equal(b.post(path + "/undelete", {}).expect(200).json["name"], n + " renamed")
    b.post(f"/api/tags/{uuid.uuid4()}/undelete", {}).expect(404)


def test_page_where_used_and_blockers():
    b = page()
    made = b.post("/api/tags", v2_body()).expect(201).json
    key = {"costCenter": "virtualTag", "key": made["id"], "type": "virtual_tag"}
    view = b.post("/api/views", {"name": name(), "question": {"groupBy": [key]}}).expect(201).json
    equal(b.get(f"/api/tags/{made['id']}/usage").json["uses"],
          [{"type": "view", "id": view["id"], "name": view["name"], "blocks": True}])
    answer = b.ask("DELETE", "/api/tags/" + made["id"]).expect(409).json
    equal(answer["blockers"], [{"type": "view", "id": view["id"], "name": view["name"]}])
    equal([t["usedBy"] for t in b.get("/api/tags").json["tags"] if t["id"] == made["id"]], [1])
    ask("DELETE", "/v1/virtual-tags/" + made["id"]).expect(400)
    b.ask("DELETE", "/api/views/" + view["id"]).expect(204)
    b.ask("DELETE", "/api/tags/" + made["id"]).expect(204)


def upload(method, path, text):
    return page().ask(method, path, text.encode(), headers={"Content-Type": "application/octet-stream"})


def test_page_dictionary():
    b = page()
    doc = {"name": name(), "kind": "dictionary",
           "dictionary": {"source": {"costCenter": "AWS", "key": "service", "type": "billing_dimension"}}}
    made = b.post("/api/tags", doc).expect(201).json
    path = f"/api/tags/{made['id']}/dictionary"
    first = upload("PUT", path, "source,destination,from,to\napp-1,Pay,,2026-06-30\napp-1,Ads,2026-07-01,\n").expect(200).json
    equal((first["rows"], first["unchanged"]), (2, False))
    csv = b.get(path + ".csv")
    equal(csv.body.decode(), "source,destination,from,to\r\napp-1,Pay,,2026-06-30\r\napp-1,Ads,2026-07-01,\r\n")
    again = upload("PUT", path, csv.body.decode()).expect(200).json
    equal((again["unchanged"], again["version"]), (True, first["version"]))
    bad = upload("PUT", path, "source,destination,from,to\na,x,2026-02-30,\nb,\nc,y\nc,z\n").expect(422).json
    equal([int(e["line"]) for e in bad["errors"]], [2, 3, 5])
    equal(b.get(path + ".csv").body, csv.body)
    equal(b.get("/api/tags/" + made["id"]).json["liveVersion"], first["version"])
    upload("PUT", path, "").expect(422)
    tree = b.post("/api/tags", {"name": name(), "kind": "hierarchy", "hierarchy": {
        "base": {"costCenter": "Virtual Tags", "key": made["id"]}, "levels": [{"name": name()}, {"name": name()}]}}).expect(201).json
    check(all(uuid.UUID(x["id"]) for x in tree["hierarchy"]["levels"]))
    listed = [t for t in b.get("/api/tags").json["tags"] if t["id"] == tree["id"]][0]
    equal([k["id"] for k in listed["keys"]], [x["id"] for x in tree["hierarchy"]["levels"]])
    equal(listed["dependsOn"], [made["id"]])
    upload("PUT", f"/api/tags/{tree['id']}/dictionary", "b,l1,l2\nPay,D1,V1\nAds,D1,V2\n").expect(422)
    equal(upload("PUT", f"/api/tags/{tree['id']}/dictionary", "b,l1,l2\nPay,D1,V1\nAds,D2,V1\n").expect(200).json["rows"], 2)
    twin = b.post(f"/api/tags/{tree['id']}/duplicate", {}).expect(201).json
    check({x["id"] for x in twin["hierarchy"]["levels"]}.isdisjoint(x["id"] for x in tree["hierarchy"]["levels"]))
    equal(b.get(f"/api/tags/{twin['id']}/dictionary.csv").body, b.get(f"/api/tags/{tree['id']}/dictionary.csv").body)
    for t in (twin, tree, made):
        b.ask("DELETE", "/api/tags/" + t["id"]).expect(204)
    # over V1 a dictionary is listed and left alone
    b.post(f"/api/tags/{made['id']}/undelete", {}).expect(200)
    equal(ask("GET", "/v1/virtual-tags/" + made["id"]).json["rules"], [])
    ask("PUT", "/v1/virtual-tags/" + made["id"], v1_body()).expect(400)
    ask("PUT", "/v2/virtual-tags/" + made["id"], v2_body()).expect(422)
    b.ask("DELETE", "/api/tags/" + made["id"]).expect(204)


def test_page_rules_csv_round_trip():
    b = page()
    rules = [
        {"to": "=1+1", "filters": leaf(operator="oneOf", value=["a|b", "c\\d", "", "ü,\"q\""])},
        {"to": {"costCenter": "AWS", "key": "region", "type": "billing_dimension"}, "filters": {}},
        {"to": "x", "disableRename": True, "timeframe": {"from": 1767225600000, "to": 1769904000000},
         "filters": {"OR": [leaf(operator="exists", value="ignored"), {"AND": [leaf(), {"OR": []}, leaf(operator="isNot", value=[5, True])]}]}},
        {"to": "y", "filters": leaf(), "timeframe": {"from": 1767225600001}},
    ]
    made = b.post("/api/tags", {"name": name(), "rules": rules}).expect(201).json
    path = f"/api/tags/{made['id']}/rules.csv"
    csv = b.get(path).expect(200).body.decode()
    check(csv.startswith("rank,value,costCenter,keyPath,operator,values,logic,from,to"), csv)
    back = upload("POST", path, csv).expect(200).json
    equal(back["diff"], {"rules": [], "added": 0, "removed": 0, "changed": 0})
    equal(back["document"]["rules"], made["rules"])
    equal(b.get("/api/tags/" + made["id"]).json["stagedVersion"], back["version"])
    b.post(f"/api/tags/{made['id']}/versions/{back['version']}/publish", {}).expect(200)
    equal(b.get(path).body.decode(), csv)
    diff = upload("POST", path, csv.replace("\ny", "\nz").replace("y,AWS", "z,AWS")).expect(200).json["diff"]
    equal((diff["changed"], [int(r["rule"]) for r in diff["rules"]]), (1, [3]))
    bad = upload("POST", path, csv.splitlines()[0] + "\n1,a,AWS,tag:team,like,x,,,\n").expect(400)
    check("operator" in bad.json["message"], bad.json)
    lines = upload("POST", path, csv.splitlines()[0] + "\nx,a,AWS,tag:team,is,x,,,\n1,a,AWS,,is,x,,,\n").expect(422).json["errors"]
    equal([int(e["line"]) for e in lines], [2, 3])
    b.ask("DELETE", "/api/tags/" + made["id"]).expect(204)


def test_page_metadata_and_drilldowns():
    b = page()
    made = b.post("/api/tags", v2_body()).expect(201).json
    path = f"/api/tags/{made['id']}/metadata"
    equal(b.ask("PUT", path, {"metadata": {"a.b": {"customMetadata": {"owner": "x"}}, "c": {}}}).expect(200).json["metadata"],
          {"a.b": {"customMetadata": {"owner": "x"}}, "c": {}})
    equal(b.ask("PUT", path, {"metadata": {"c": None}}).expect(200).json["metadata"], {"a.b": {"customMetadata": {"owner": "x"}}})
    paths = {p["costCenter"]: p for p in b.get("/api/drilldowns").json["paths"]}
    check(paths["AWS"]["isDefault"] and paths["AWS"]["keys"][0]["key"] == "service")
    equal(paths["AWS"]["keys"][-1]["key"], "resource_id")
    mine = [{"costCenter": "AWS", "key": "region", "type": "billing_dimension"},
            {"costCenter": "virtualTag", "key": made["id"], "type": "virtual_tag"}]
    after = b.ask("PUT", "/api/drilldowns", {"paths": [{"costCenter": "AWS", "keys": mine}]}).expect(200).json
    got = {p["costCenter"]: p for p in after["paths"]}["AWS"]
    equal((got["isDefault"], [k["key"] for k in got["keys"]]), (False, ["region", made["id"]]))
    equal(got["keys"][1]["displayName"], made["name"])
    for bad, status in (({}, 400), ({"paths": [{"costCenter": "AWS", "keys": [{"key": "nope", "costCenter": "AWS"}]}]}, 422),
                        ({"paths": [{"keys": []}]}, 400), ({"paths": [{"costCenter": "AWS", "keys": [mine[0]] * 2}]}, 422)):
        b.ask("PUT", "/api/drilldowns", bad).expect(status)
    equal(b.get("/api/drilldowns").json, after)
    b.ask("PUT", "/api/drilldowns", {"paths": [{"costCenter": "AWS", "keys": []}]}).expect(200)
    equal({p["costCenter"]: p for p in b.get("/api/drilldowns").json["paths"]}, paths)
    b.ask("DELETE", "/api/tags/" + made["id"]).expect(204)


def test_a_thousand_rules_and_two_hundred_tags():
    b = page()
    rules = [{"to": f"v{i}", "filters": leaf(value=[f"s{i}"])} for i in range(1000)]
    made = b.post("/api/tags", {"name": name(), "rules": rules}).expect(201).json
    equal(len(b.get("/api/tags/" + made["id"]).json["rules"]), 1000)
    many = b.post("/api/tags", {"name": name(), "rules": [{"to": "x", "filters": leaf(operator="oneOf", value=[f"v{i}" for i in range(10000)])}]}).expect(201).json
    b.post("/api/tags", {"name": name(), "rules": [{"to": "x", "filters": leaf(operator="oneOf", value=[f"v{i}" for i in range(10001)])}]}).expect(422)
    chain = [made["id"]]
    for i in range(200):
        chain.append(b.post("/api/tags", {"name": f"chain {i} " + name(), "defaultValue": {
            "costCenter": "virtualTag", "key": chain[-1], "type": "virtual_tag"}}).expect(201).json["id"])
    equal(int(b.get("/api/tags/graph").json["depth"]) >= 200, True)
    for i in reversed(chain + [many["id"]]):
        b.ask("DELETE", "/api/tags/" + i).expect(204) if i != many["id"] else None
    b.ask("DELETE", "/api/tags/" + many["id"]).expect(204)


def test_check_and_backup_know_them():
    m = bed()
    made = ask("POST", "/v1/virtual-tags", v1_body()).expect(201).json
    cli(m["data"], "backup", TMP / "tags.backup")
    cli(None, "restore", "--data", TMP / "tags-restored", TMP / "tags.backup")
    cli(TMP / "tags-restored", "check")
    s = Server(TMP / "tags-restored")
    got = s.ask("GET", "/v1/virtual-tags/" + made["id"], headers=m["keys"][0].headers).expect(200).json
    equal(got, ask("GET", "/v1/virtual-tags/" + made["id"]).json)
    s.stop()


# ---- as a key over the cost routes ----

def expected(value_of, first, last):
    sums = {}
    for r in ROWS:
        day = r["ChargePeriodStart"][:10]
        if str(first) <= day <= str(last):
            v = value_of(r)
            sums[v] = sums.get(v, Decimal(0)) + Decimal(r["EffectiveCost"])
    return {k: round10(v) for k, v in sums.items()}


def near(got, want, what):
    """Groups are rounded so that they add up: each is within one last digit, all together are exact."""
    equal(set(got), set(want), what)
    for k, v in want.items():
        check(abs(got[k] - v) <= Decimal("1e-10"), what, k, got[k], v)


def done(query):
    """Waits for a submitted query."""
    path = f"/v2/data/cost-usage/{query}/status"
    wait_until(lambda: ask("GET", path).expect(200).json["data"]["status"] == "completed", step=1.2)


def test_grouping_by_a_tag_over_v1_and_v2():
    first, last = TODAY - datetime.timedelta(days=20), TODAY - datetime.timedelta(days=1)
    half = TODAY - datetime.timedelta(days=10)
    body = {"name": name(), "defaultValue": {"costCenter": "Global", "key": "service", "type": "billing_dimension"}, "rules": [
        {"to": "Core", "filters": {"OR": [{**AWS_TEAM, "operator": "is", "value": "core"},
                                          {"costCenter": "GCP", "key": "team", "type": "tag", "operator": "exists"}]}},
        {"to": "Storage late", "filters": leaf(value="Amazon S3"), "timeframe": {"from": millis(half)}}]}
    made = ask("POST", "/v2/virtual-tags", body, key=1).expect(200).json["data"]

    def value_of(r):
        tags = json.loads(r["Tags"]) if r["Tags"] else {}
        if tags.get("team") == "core":
            return "Core"
        if r["ServiceName"] == "Amazon S3" and r["ChargePeriodStart"][:10] >= str(half):
            return "Storage late"
        return r["ServiceName"]

    want = expected(value_of, first, last)
    key = {"costCenter": "Virtual Tags", "key": made["id"], "type": "virtual_tag"}
    q = {"date": {"unixTimeMillisecondsStart": millis(first), "unixTimeMillisecondsEnd": millis(last)},
         "timeInterval": {"interval": "month"}, "measurements": [{"type": "netAmortizedCost"}], "dimensions": [key]}
    query = ask("POST", "/v2/data/cost-usage/generate-query", q).expect(200).json["data"]["queryId"]
    done(query)
    rows = ask("GET", f"/v2/data/cost-usage/{query}/results?pageSize=100").expect(200).json["data"]
    got = {}
    for r in rows:
        v = r["Virtual Tags_virtual_tag_" + made["id"]]
        got[v] = got.get(v, Decimal(0)) + r["netAmortizedCost_sum"]["amount"]
    near(got, want, "V2")
    view = page().post("/view-service/view", {"name": name(), "type": "cost", "data": {
        "query": {"filters": {}, "groupBys": [{"costCenter": "virtualTag", "key": made["id"], "type": "virtual_tag"}]},
        "date": {"relativeRange": "last30Days", "type": "day"}, "costType": "netAmortizedCost"}}).expect(200).json
    answer = ask("POST", "/v1/cost/query-by-view", {"viewId": view["id"], "date": {
        "unixTimeMillSecondsStart": millis(first), "unixTimeMillSecondsEnd": millis(last)}}).expect(200).json["data"]
    got = {s["name"]: sum(p["cost"] for p in s["data"]) for s in answer}
    all_ = got.pop("Total")
    near(got, want, "V1")
    equal(all_, sum(got.values()), "a tag never changes the total")
    # it is listed as a key, and its values are
    listed = ask("GET", "/v1/megabill/query-language/keys").json["keys"]
    check({"costCenter": "Virtual Tags", "key": made["id"], "displayName": made["name"]} in listed)
    values = ask("GET", "/v1/megabill/query-language/values/Virtual%20Tags/" + made["id"]).expect(200).json["values"]
    check(set(want) <= set(values), values)
    only = {**q, "dimensions": [], "filters": {**key, "operator": "is", "value": "Core"}}
    query = ask("POST", "/v2/data/cost-usage/generate-query", only).expect(200).json["data"]["queryId"]
    done(query)
    rows = ask("GET", f"/v2/data/cost-usage/{query}/results").json["data"]
    equal(sum(r["netAmortizedCost_sum"]["amount"] for r in rows), want["Core"])
    # staged: nothing moves; live: it does, also for what happened long ago
    changed = {**body, "rules": [{**body["rules"][0], "to": "Kern"}]}
    ask("PUT", f"/v2/virtual-tags/{made['id']}?setAsLive=false", changed).expect(200)
    names = lambda: {s["name"] for s in ask("POST", "/v1/cost/query-by-view", {"viewId": view["id"]}).expect(200).json["data"]}
    check("Core" in names() and "Kern" not in names())
    ask("PUT", f"/v2/virtual-tags/{made['id']}", changed).expect(200)
    check("Core" not in names() and "Kern" in names())
    ask("DELETE", "/v2/virtual-tags/" + made["id"]).expect(422)  # the view uses it
    page().ask("DELETE", "/api/views/" + view["id"]).expect(204)
    ask("DELETE", "/v2/virtual-tags/" + made["id"]).expect(200)


def test_four_tags_in_a_query_are_too_many():
    made = [page().post("/api/tags", v2_body()).expect(201).json["id"] for _ in range(4)]
    dims = [{"costCenter": "Virtual Tags", "key": i, "type": "virtual_tag"} for i in made]
    q = {"date": {"unixTimeMillisecondsStart": millis(TODAY), "unixTimeMillisecondsEnd": millis(TODAY)},
         "timeInterval": {"interval": "day"}, "measurements": [{"type": "netAmortizedCost"}]}
    ask("POST", "/v2/data/cost-usage/generate-query", {**q, "dimensions": dims[:3]}).expect(200)
    ask("POST", "/v2/data/cost-usage/generate-query", {**q, "dimensions": dims}).expect(422)
    for i in made:
        page().ask("DELETE", "/api/tags/" + i).expect(204)


def test_dictionary_feeds():
    """A file of the drop folder is read when it changes; a bad one keeps the rows and says so. An address is read as well."""
    import http.server
    data = TMP / "feed-data"
    link = link_of(cli(data, "init", "--admin", ADMIN))
    answers = {"/good.csv": (200, b"source,destination\nx,Y\n"), "/bad.csv": (200, b"source,destination\nx,Y\nx,Z\n"), "/none.csv": (404, b"")}

    class Web(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    at = f"127.0.0.1:{web.server_address[1]}"
    s = Server(data, env={"FARTHING_FEED_MS": "300", "FARTHING_ALLOW_HOSTS": at})
    b = Browser(s)
    b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
    source = {"costCenter": "Global", "key": "service", "type": "billing_dimension"}

    def make(**feed):
        return b.post("/api/tags", {"name": name(), "kind": "dictionary", "dictionary": {"source": source, "feed": feed}})

    file = make(type="file", file="teams.csv").expect(201).json["id"]
    ok, bad, none = (make(type="url", url=f"http://{at}/{p}.csv").expect(201).json["id"] for p in ("good", "bad", "none"))
    for feed in ({"type": "ftp"}, {"type": "file", "file": "../x"}, {"type": "file"}, {"type": "url", "url": "file:///etc/passwd"}):
        make(**feed).expect(400)

    def entry(i):
        return [t for t in b.get("/api/tags").json["tags"] if t["id"] == i][0]

    wait_until(lambda: entry(ok)["rows"] == 1 and entry(bad)["error"] and entry(none)["error"])
    check("line 3" in entry(bad)["error"] and "404" in entry(none)["error"], entry(bad), entry(none))
    drop = data / "drop" / "dictionaries"
    drop.mkdir(parents=True, exist_ok=True)
    (drop / "teams.csv").write_text("source,destination\na,A\nb,B\n")
    wait_until(lambda: entry(file)["rows"] == 2)
    (drop / "teams.csv").write_text("source,destination\na,A\na,B\nc,C\n")
    wait_until(lambda: entry(file)["error"])
    equal(entry(file)["rows"], 2)
    (drop / "teams.csv").write_text("source,destination\na,A\n")
    wait_until(lambda: entry(file)["rows"] == 1 and not entry(file)["error"])
    s.stop()
    web.shutdown()


def test_access_lists():
    """A private tag is changed by its owner and administrators only; the account's own tokens may read all of it."""
    m, b = bed(), page()
    basic = Key(m["data"], "basic")
    private, public = ({"type": t, "users": [], "groups": []} for t in ("private", "public"))
    made = b.post("/api/tags", {**v2_body(), "acl": {"read": private, "write": private}}).expect(201).json
    equal(made["acl"], {"read": private, "write": private})
    path = "/v2/virtual-tags/" + made["id"]
    equal(ask("GET", path, key=basic).expect(200).json["data"]["acl"], made["acl"])
    before = tag_state()
    for method, p in (("PUT", path), ("DELETE", path), ("PUT", path + "/metadata")):
        ask(method, p, v2_body() if method == "PUT" else None, key=basic).expect(403, "FORBIDDEN")
        ask(method, p.replace("v2", "v1"), v2_body() if method == "PUT" else None, key=basic).expect(403)
    equal(tag_state(), before)
    got = b.ask("PUT", "/api/tags/" + made["id"], {**made, "acl": {"read": public, "write": public}}).expect(200).json
    equal(got["acl"], {"read": public, "write": public})
    ask("PUT", path, v2_body(made["name"]), key=basic).expect(200)
    b.ask("PUT", "/api/tags/" + made["id"], {**made, "acl": {"read": private, "write": public}}).expect(400)
    b.ask("DELETE", "/api/tags/" + made["id"]).expect(204)


def test_what_a_row_rule_reads_needs_groups_manage():
    """access.md 4.5: whoever can edit the tag of a row rule, or a tag that one reads, could see other people's rows."""
    m, b = bed(), page()
    basic = Key(m["data"], "basic")
    a, other = (ask("POST", "/v2/virtual-tags", v2_body()).expect(200).json["data"] for _ in "ab")
    reader = ask("POST", "/v2/virtual-tags", {**v2_body(), "defaultValue": {
        "costCenter": "Virtual Tags", "key": a["id"], "type": "virtual_tag"}}).expect(200).json["data"]
    group = b.post("/api/admin/groups", {"name": name(), "dataAccessEnabled": True, "filters": {
        "costCenter": "Virtual Tags", "key": reader["id"], "type": "virtual_tag", "operator": "is", "value": "Core"}}).expect(201).json
    before = tag_state()
    for t in (a, reader):
        for method, path in (("PUT", "/v2/virtual-tags/"), ("PUT", "/v1/virtual-tags/"), ("DELETE", "/v1/virtual-tags/")):
            ask(method, path + t["id"], v2_body(t["name"]) if method == "PUT" else None, key=basic).expect(403)
    equal(tag_state(), before)
    ask("PUT", "/v2/virtual-tags/" + other["id"], v2_body(other["name"]), key=basic).expect(200)
    b.ask("PUT", "/api/tags/" + a["id"], v2_body(a["name"])).expect(200)  # an administrator may
    b.ask("DELETE", "/api/admin/groups/" + group["id"]).expect(204)
    ask("PUT", "/v2/virtual-tags/" + a["id"], v2_body(a["name"]), key=basic).expect(200)
    for t in (reader, a, other):
        ask("DELETE", "/v2/virtual-tags/" + t["id"]).expect(200)
