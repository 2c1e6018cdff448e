"""A virtual tag as a key everywhere, previews and explanations, over HTTP; the expected figures are added up from the bill
in decimals, a row at a time.
"""
import csv
import datetime
import io
import json
import uuid
from decimal import Decimal

from farthing import FIRST, ROWS, TODAY, browser, check, equal, key, round10, server

RANGE = {"from": str(FIRST), "to": str(TODAY)}
CUT = FIRST + (TODAY - FIRST) // 2


def leaf(key_, type_, op, value=None, cc="Global"):
    f = {"costCenter": cc, "key": key_, "type": type_, "operator": op}
    return f if value is None else {**f, "value": value}


def document(**more):
    """AWS rows with a team carry it; EC2 and Compute Engine are Compute from CUT on; the rest is Untagged."""
    ms = int(datetime.datetime(CUT.year, CUT.month, CUT.day, tzinfo=datetime.timezone.utc).timestamp() * 1000)
    return {"name": "Owner " + uuid.uuid4().hex[:6], "kind": "rules", "defaultValue": "Untagged", "rules": [
        {"to": {"costCenter": "AWS", "key": "team", "type": "tag"}, "filters": leaf("team", "tag", "exists", cc="AWS")},
        {"to": "Compute", "filters": leaf("service", "billing_dimension", "contains", ["ec2", "COMPUTE e"]), "timeframe": {"from": ms}},
        {"to": "Never", "filters": leaf("service", "billing_dimension", "is", "No such service")}], **more}


def matches(r, rule):
    if rule == 0:
        return r["ProviderName"] == "AWS" and bool(json.loads(r["Tags"] or "{}").get("team"))
    if rule == 1:
        return r["ServiceName"] in ("Amazon EC2", "Compute Engine") and r["ChargePeriodStart"][:10] >= str(CUT)
    return False


def winner(r):
    return next((i for i in range(3) if matches(r, i)), -1)


def owner(r):
    w = winner(r)
    return json.loads(r["Tags"])["team"] if w == 0 else "Compute" if w == 1 else "Untagged"


def cost(rows):
    return sum((Decimal(r["EffectiveCost"]) for r in rows), Decimal(0))


def close(got, want, what=""):
    check(abs(Decimal(got) - want) <= Decimal("1e-9"), f"{what}: got {got}, want {want}")


def made():
    d = document()
    return browser().post("/api/tags", d).expect(201).json


def by_owner():
    groups = {}
    for r in ROWS:
        groups.setdefault(owner(r), []).append(r)
    return groups


def test_a_saved_tag_is_a_key():
    tag = made()
    ref = {"costCenter": "virtualTag", "key": tag["id"], "type": "virtual_tag"}
    listed = [k for k in browser().get("/api/keys").expect(200).json["keys"] if k["key"] == tag["id"]]
    equal([(k["costCenter"], k["type"], k["displayName"]) for k in listed], [("Virtual Tags", "virtual_tag", tag["name"])])
    want = {v: cost(rows) for v, rows in by_owner().items()}
    for granularity in ("day", "month", "hour"):
        q = {"date": RANGE, "granularity": granularity, "groupBy": [ref]}
        if granularity == "hour":
            q["date"] = {"from": str(CUT - datetime.timedelta(days=3)), "to": str(CUT + datetime.timedelta(days=3))}
        a = browser().post("/api/query", q).expect(200).json
        rows = [r for r in ROWS if q["date"]["from"] <= r["ChargePeriodStart"][:10] <= q["date"]["to"]]
        equal(Decimal(a["total"]["total"]), round10(cost(rows)), "labels never change the total")
        equal({g["values"][0] for g in a["groups"]}, {owner(r) for r in rows})
        for g in a["groups"]:
            close(g["total"], cost(r for r in rows if owner(r) == g["values"][0]), granularity)
    a = browser().post("/api/query", {"date": RANGE, "filters": {**ref, "operator": "is", "value": "Compute"}}).expect(200).json
    close(a["total"]["total"], want["Compute"], "as a filter")
    a = browser().post("/api/rows", {"date": RANGE, "limit": 500, "filters": {**ref, "operator": "is", "value": "Compute"}}).expect(200).json
    equal(len(a["rows"]), min(500, len(by_owner()["Compute"])))
    v = browser().post("/api/values", {**ref, "date": RANGE, "costType": "netAmortizedCost"}).expect(200).json["values"]
    equal({x["value"] for x in v}, set(want))
    text = browser().post("/api/query.csv", {"date": RANGE, "granularity": "accumulated", "groupBy": [ref]}).expect(200).body
    lines = list(csv.reader(io.StringIO(text if isinstance(text, str) else text.decode())))
    equal(lines[0][0], tag["name"])
    k = key().headers
    keys = server().ask("GET", "/v1/megabill/query-language/keys", headers=k).expect(200).json["keys"]
    check({"costCenter": "Virtual Tags", "key": tag["id"], "displayName": tag["name"]} in keys, "V1 lists it")
    got = server().ask("GET", f"/v1/megabill/query-language/values/Virtual%20Tags/{tag['id']}", headers=k).expect(200).json
    equal(got["values"], sorted(want))


def test_preview_adds_up_and_writes_nothing():
    tag = made()
    before = browser().get(f"/api/tags/{tag['id']}/versions").expect(200).json
    draft = document(id=tag["id"], name=tag["name"])
    draft["rules"] = [draft["rules"][1], draft["rules"][0], draft["rules"][2]]
    a = browser().post("/api/tags/preview", {"document": draft, "date": RANGE}).expect(200).json
    total = cost(ROWS)
    equal(Decimal(a["total"]), round10(total))
    equal(sum(Decimal(v["cost"]) for v in a["values"]), Decimal(a["total"]), "values add up")
    equal(sum(Decimal(v["liveCost"]) for v in a["values"]), Decimal(a["total"]), "live values add up")
    equal(sum(Decimal(x["matched"]) for x in a["rules"]) + Decimal(a["unmatched"]), Decimal(a["total"]))
    both = [r for r in ROWS if matches(r, 0) and matches(r, 1)]
    close(a["rules"][0]["matched"], cost(r for r in ROWS if matches(r, 1)))
    close(a["rules"][0]["shadowed"], Decimal(0))
    close(a["rules"][1]["matched"], cost(r for r in ROWS if matches(r, 0) and not matches(r, 1)))
    close(a["rules"][1]["shadowed"], cost(both))
    equal([x["dead"] for x in a["rules"]], [False, False, True])
    close(sum(Decimal(m["cost"]) for m in a["moves"]), cost(both), "what moves is what both match")
    check(all(m["to"] == "Compute" for m in a["moves"]), a["moves"])
    for v in a["values"]:
        close(v["liveCost"], cost(r for r in ROWS if owner(r) == v["value"]), v["value"])
    check(a["sample"] and all(s["rule"] in (-1, 0, 1) and Decimal(s["cost"]) for s in a["sample"]), a["sample"])
    equal(browser().get(f"/api/tags/{tag['id']}/versions").expect(200).json, before, "nothing is written")
    equal({k: v for k, v in browser().get(f"/api/tags/{tag['id']}").expect(200).json.items() if k == "rules"}["rules"][1]["to"],
          "Compute")


def test_preview_names_the_field():
    for change, status, field in (
            ({"rules": [{"to": "x", "filters": leaf("service", "billing_dimension", "like", "x")}]}, 400,
             "document.rules[0].filters.operator"),
            ({"rules": [{"to": "x", "filters": leaf("nope", "billing_dimension", "is", "x")}]}, 400, "document.rules[0].filters.key"),
            ({"rules": [{"to": "x", "filters": {}, "timeframe": {"from": 5, "to": 4}}]}, None, "document.rules[0].timeframe")):
        r = browser().post("/api/tags/preview", {"document": document(**change), "date": RANGE})
        check(r.status == status if status else r.status in (400, 422), r.status, r.body)
        check(r.json["field"].startswith(field), r.json)
    equal(browser().post("/api/tags/preview", {"date": RANGE}).expect(400).json["field"], "document")
    equal(browser().post("/api/tags/preview", {"document": document(), "costType": "usageAmount"}).expect(400).json["field"], "costType")


def test_explain_says_which_rule():
    tag = made()
    ref = {"costCenter": "virtualTag", "key": tag["id"], "type": "virtual_tag"}
    question = {"date": RANGE, "granularity": "month", "groupBy": [ref]}
    a = browser().post("/api/tags/explain", {"tagId": tag["id"], "question": question}).expect(200).json
    equal([x["rule"] for x in a["rules"]],
          sorted({winner(r) for r in ROWS}, key=lambda w: -cost(r for r in ROWS if winner(r) == w)))
    for x in a["rules"]:
        close(x["cost"], cost(r for r in ROWS if winner(r) == x["rule"]), str(x["rule"]))
        equal(x["lines"], sum(winner(r) == x["rule"] for r in ROWS))
    month = str(TODAY)[:7]
    a = browser().post("/api/tags/explain", {"tagId": tag["id"], "question": question,
                                             "cell": {"values": ["Compute"], "bucket": month + "-01"}}).expect(200).json
    rows = [r for r in by_owner()["Compute"] if r["ChargePeriodStart"][:7] == month]
    equal([(x["rule"], x["to"], x["lines"]) for x in a["rules"]], [(1, "Compute", len(rows))] if rows else [])
    browser().post("/api/tags/explain", {"tagId": str(uuid.uuid4()), "question": question}).expect(404)
    equal(browser().post("/api/tags/explain", {"tagId": tag["id"], "question": question, "cell": {"values": []}}).expect(400)
          .json["field"], "cell.values")


def test_deleting_takes_the_key_away():
    tag = made()
    ref = {"costCenter": "virtualTag", "key": tag["id"], "type": "virtual_tag"}
    browser().post("/api/query", {"date": RANGE, "groupBy": [ref]}).expect(200)
    browser().ask("DELETE", f"/api/tags/{tag['id']}").expect(204)
    browser().post("/api/query", {"date": RANGE, "groupBy": [ref]}).expect(400)
