"""Cost types: discounts that no bill shows (EDP), FairShare as a job, which types are offered, who may; inform.md 3."""
import csv
import datetime
import io
import json
import time
from decimal import Decimal

import alloc_test
from farthing import Browser, Key, check, cli, equal, link_of, round10, wait_until, PASSWORD

Place, day, native, virtual = alloc_test.Place, alloc_test.day, alloc_test.native, alloc_test.virtual
SERVICE, TEAM = native("service"), native("team", "tag")
Place.made = 900  # the other tests have their own count
_places = {}


def rule(to, key, *values, **more):
    return {"to": to, "filters": {**key, "operator": "oneOf", "value": list(values)}, **more}


def place():
    """1 July: EC2 800 of A, Support 200; 2 July: EC2 1,000 of B, Support 1; 3 July: EC2 a fraction of A and a credit."""
    if "p" not in _places:
        rows = [(day(1), "EC2", "a", {"team": "A"}, 800), (day(1), "Support", "s", {}, 200), (day(2), "EC2", "b", {"team": "B"}, 1000), (day(2), "Support", "s", {}, 1),
                (day(3), "EC2", "a", {"team": "A"}, "0.333333333333333335"), (day(3), "EC2", "c", {"team": "A"}, -30)]
        _places["p"] = p = Place(rows)
        p.discount = p.tag("Discounts", rules=[rule("EC2 deal", SERVICE, "EC2")])
    return _places["p"]


def settings(p=None):
    return (p or place()).b.get("/api/cost-types").expect(200).json


def put(p, status=200, **edp):
    body = {"show": True, "tagId": p.discount["id"], "costTypes": ["netAmortizedCost", "netUnblendedCost"], "adjustments": [], **edp}
    return p.b.ask("PUT", "/api/cost-types", {"edp": body}).expect(status).json


def deal(mode, number, first=None, last=None, value="EC2 deal"):
    return {"value": value, "mode": mode, "number": number, "from": first and str(first), "to": last and str(last)}


def total(p, **more):
    return Decimal(p.ask(**more)["total"]["total"])


def amounts(rows):
    return [v["amount"] for r in rows for v in r.values() if isinstance(v, dict)]


def none(p):
    p.b.ask("PUT", "/api/cost-types", {"edp": {"show": False, "tagId": None, "adjustments": []}}).expect(200)


def test_worked_examples():
    p = place()
    try:
        put(p, adjustments=[deal("percentage", "10")])
        equal(p.sums(SERVICE, last=1), {"EC2": "720.00", "Support": "200.00"})
        equal(total(p, last=1), Decimal(920))
        put(p, adjustments=[deal("rate", "0.95")])
        equal(p.sums(SERVICE, first=2, last=2), {"EC2": "950.00", "Support": "1.00"})
        # days: both inclusive, and the day after is as billed
        put(p, adjustments=[deal("percentage", "10", day(1), day(1))])
        j = p.ask([SERVICE], granularity="day", last=2)
        equal({g["values"][0]: [Decimal(c) for c in g["cells"][:2]] for g in j["groups"]}, {"EC2": [720, 1000], "Support": [200, 1]})
        equal(total(p, last=2), Decimal(1921))
        # two adjustments, one after the other, in one bucket
        put(p, adjustments=[deal("percentage", "10", None, day(1)), deal("rate", "0.5", day(2), None)])
        equal(total(p, last=2), Decimal("720") + 200 + 500 + 1)
        # a credit that the tag labels is labelled; the exact product, rounded once
        put(p, adjustments=[deal("percentage", "7.35")])
        equal(total(p, first=3, last=3), round10(Decimal("-29.666666666666666665") * Decimal("0.9265")))
    finally:
        none(p)


def test_off_is_zero_percent_is_rate_one():
    p = place()
    ways = ({"show": False, "adjustments": [deal("percentage", "50")]}, {"adjustments": [deal("percentage", "0")]}, {"adjustments": [deal("rate", "1")]}, {"adjustments": []},
            {"adjustments": [deal("percentage", "50")], "costTypes": []}, {"adjustments": [deal("percentage", "50", day(10), day(20))]},
            {"adjustments": [deal("percentage", "50", value="nobody")]})
    questions = ({"group": [SERVICE]}, {"group": [TEAM, SERVICE], "granularity": "day"}, {"previous": True, "group": [p.discount]}, {"granularity": "hour", "last": 3},
                 {"filters": {**virtual(p.discount), "operator": "is", "value": "EC2 deal"}})
    strip = lambda j: {k: j[k] for k in ("groups", "total", "buckets")}
    plain = [strip(p.ask(**dict(q))) for q in questions]
    try:
        for way in ways:
            put(p, **way)
            equal([strip(p.ask(**dict(q))) for q in questions], plain, str(way))
    finally:
        none(p)


def test_every_door_uses_the_switch():
    p = place()
    key = Key(p.data)
    ms = alloc_test.millis_of
    try:
        for show in (True, False):
            put(p, show=show, adjustments=[deal("percentage", "10")])
            equal(p.b.get("/api/session").expect(200).json["account"]["edp"], show)
            want = {"EC2": Decimal(1800) * (Decimal("0.9") if show else 1), "Support": Decimal(201)}
            equal(p.sums(SERVICE, last=2), {k: alloc_test.cents(v) for k, v in want.items()})
            q = {"date": {"from": ms(day(1)), "to": ms(day(2)), "type": "day"}, "granularity": "accumulated", "groupBy": [SERVICE]}
            lines = list(csv.DictReader(io.StringIO(p.b.post("/api/query.csv", q).expect(200).body.decode())))
            equal({r["Services"] if "Services" in r else r["Service"]: Decimal(r["Total"]) for r in lines if "Total" not in list(r.values())[:1]}, want, "CSV")
            v = p.b.post("/api/views", {"name": f"view {show}", "question": q}).expect(201).json
            a = key.post(p.server, "/v1/cost/query-by-view", {"viewId": v["id"]}).expect(200).json
            equal({s["name"]: sum(Decimal(d["cost"]) for d in s["data"]) for s in a["data"]}, {**want, "Total": sum(want.values())}, "query-by-view")
            a = key.post(p.server, "/cost-service/cost", {"date": {"from": ms(day(1)), "to": ms(day(2)) + 86399000, "type": "day"}, "filters": {}}).expect(200).json
            equal(Decimal(a["total"]), sum(want.values()), "cost-service")
            body = {"date": {"unixTimeMillisecondsStart": ms(day(1)), "unixTimeMillisecondsEnd": ms(day(2))}, "timeInterval": {"interval": "month"},
                    "measurements": [{"type": "netAmortizedCost"}, {"type": "listCost"}]}
            qid = key.post(p.server, "/v2/data/cost-usage/generate-query", body).expect(200).json["data"]["queryId"]
            rows = wait_until(lambda: (lambda a: a.json["data"] if a.status == 200 else None)(key.get(p.server, f"/v2/data/cost-usage/{qid}/results")))
            equal(sorted(amounts(rows)), sorted([sum(want.values()), Decimal(2001)]), "V2")
            out = json.loads(cli(p.data, "query", "--from", day(1), "--to", day(2), "--format", "json"))
            equal(Decimal(out["total"]["total"]), sum(want.values()), "command line")
    finally:
        none(p)


def test_only_the_cost_types_that_carry_it():
    p = place()
    try:
        put(p, costTypes=["unblendedCost", "listCost"], adjustments=[deal("rate", "2")])
        for t in settings(p)["types"]:
            if t["available"]:
                equal(total(p, costType=t["name"], last=1), Decimal(1800 if t["name"] in ("unblendedCost", "listCost") else 1000), t["name"])
        equal(settings(p)["edp"]["costTypes"], ["unblendedCost", "listCost"])
    finally:
        none(p)


def test_averages_and_extremes():
    p = place()
    key = Key(p.data)
    ms = alloc_test.millis_of
    try:
        put(p, adjustments=[deal("percentage", "50", day(1), day(1))])
        body = {"date": {"unixTimeMillisecondsStart": ms(day(1)), "unixTimeMillisecondsEnd": ms(day(2))}, "timeInterval": {"interval": "month"},
                "measurements": [{"type": "netAmortizedCost", "operator": o} for o in ("sum", "avg", "min", "max")]}
        qid = key.post(p.server, "/v2/data/cost-usage/generate-query", body).expect(200).json["data"]["queryId"]
        rows = wait_until(lambda: (lambda a: a.json["data"] if a.status == 200 else None)(key.get(p.server, f"/v2/data/cost-usage/{qid}/results")))
        got = sorted(amounts(rows))
        costs = [Decimal(400), Decimal(200), Decimal(1000), Decimal(1)]
        equal(got, sorted([sum(costs), sum(costs) / 4, min(costs), max(costs)]), str(rows))
    finally:
        none(p)


def test_before_reallocation():
    """Discounts come before anything moves: what moves is the discounted cost, and so are the weights."""
    p = place()
    t = p.tag("Owner", rules=[rule("Shared", SERVICE, "Support"), {"to": TEAM, "filters": {**TEAM, "operator": "exists"}}],
              allocations=[{"name": "Shared", "type": "proportional", "active": True, "data": {}}])
    both = p.tag("Deal of both", rules=[rule("all", SERVICE, "EC2", "Support")])
    keep = p.discount
    try:
        put(p, adjustments=[deal("percentage", "10")])
        equal(p.sums(t, last=1), {"A": "920.00"})
        equal(p.sums(t, first=2, last=2), {"B": "901.00"})
        p.discount = both
        put(p, adjustments=[deal("rate", "0.5", value="all")])
        equal(p.sums(t, last=2), {"A": "500.00", "B": "500.50"})
        equal(total(p, last=2), Decimal("1000.5"))
        equal(sum(Decimal(g["total"]) for g in p.ask([t, SERVICE], granularity="day", last=3)["groups"]), total(p, last=3))
        q = {"date": {"from": alloc_test.millis_of(day(1)), "to": alloc_test.millis_of(day(2)), "type": "day"}}
        doc = p.b.get(f"/api/tags/{t['id']}").expect(200).json
        seen = p.b.post("/api/tags/preview", {"document": doc, **q}).expect(200).json
        equal(Decimal(seen["total"]), Decimal("1000.5"), "preview")
        equal(sum(Decimal(v["cost"]) for v in seen["values"]), Decimal("1000.5"), "its values")
        moved = p.b.post("/api/tags/reallocation", {"document": doc, **q}).expect(200).json
        equal(sum(Decimal(v["after"]) for v in moved["values"]), Decimal("1000.5"), "reallocation preview")
    finally:
        p.discount = keep
        none(p)
        for x in (t, both):
            p.b.ask("DELETE", f"/api/tags/{x['id']}")


def test_with_row_rules():
    p = place()
    b = Browser(p.server)
    link = p.b.post("/api/admin/users", {"email": "rows@example.com", "name": "Rows", "roles": ["basic"]}).expect(201).json
    secret = (link.get("link") or link.get("url")).split("#", 1)[1]
    b.post("/api/session/link", {"link": secret, "password": PASSWORD + " 2"}).expect(200)
    me = b.get("/api/session").expect(200).json["user"]["id"]
    g = p.b.post("/api/admin/groups", {"name": "Only A", "roles": [], "dataAccessEnabled": True, "filters": {**TEAM, "operator": "is", "value": "A"}}).expect(201).json
    p.b.post(f"/api/admin/groups/{g['id']}/users", {"add": [me]}).expect(204)
    p.b.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        put(p, adjustments=[deal("percentage", "10")])
        q = {"date": {"from": alloc_test.millis_of(day(1)), "to": alloc_test.millis_of(day(2)), "type": "day"}, "granularity": "accumulated"}
        equal(Decimal(b.post("/api/query", q).expect(200).json["total"]["total"]), Decimal(720))
        equal(total(p, last=2), Decimal(1821))
        # a basic user sees what is offered, and no more
        b.get("/api/cost-types").expect(200)
        b.ask("PUT", "/api/cost-types", {"edp": {"show": False}}).expect(403)
        b.post("/api/cost-types/fairshare", {"width": "sku"}).expect(403)
        # nor what the discounts hang on, were it written by himself
        doc = p.b.get(f"/api/tags/{p.discount['id']}").expect(200).json
        everybody = {"type": "public", "users": [], "groups": []}
        p.b.ask("PUT", f"/api/objects/virtual_tag/{p.discount['id']}/acl", {"read": everybody, "write": everybody}).expect(200)
        a = b.ask("PUT", f"/api/tags/{p.discount['id']}", {**doc, "rules": []}).expect(403)
        check(b"edp.edit" in a.body, a.body)
        p.b.ask("PUT", f"/api/tags/{p.discount['id']}", doc).expect(200)
    finally:
        p.b.ask("PUT", "/api/admin/data-access", {"enabled": False}).expect(200)
        none(p)


def test_wrong_settings_change_nothing():
    p = place()
    put(p, adjustments=[deal("percentage", "10")])
    before = settings(p)
    t = p.tag("Plain", rules=[rule("x", SERVICE, "EC2")])
    cases = (("adjustments[0].number", deal("percentage", "100.1")), ("adjustments[0].number", deal("percentage", "-1")), ("adjustments[0].number", deal("rate", "-0.1")),
             ("adjustments[0].number", deal("rate", "100.5")), ("adjustments[0].number", deal("rate", "0.12345678901")), ("adjustments[0].number", {**deal("rate", ""), "number": 1}),
             ("adjustments[0].number", deal("rate", "one")), ("adjustments[0].mode", deal("discount", "1")), ("adjustments[0].value", deal("rate", "1", value=" ")),
             ("adjustments[0].value", deal("rate", "1", value="Untagged")), ("adjustments[0].from", {**deal("rate", "1"), "from": "July"}),
             ("adjustments[0].to", deal("rate", "1", day(2), day(1))))
    try:
        for field, bad in cases:
            equal(put(p, 400, adjustments=[bad])["field"], "edp." + field, str(bad))
        equal(put(p, 400, adjustments=[deal("rate", "1"), deal("rate", "0.9", day(1))])["field"], "edp.adjustments[1]", "overlap")
        equal(put(p, 400, tagId="00000000-0000-4000-8000-000000000000")["field"], "edp.tagId")
        equal(put(p, 400, tagId=None, adjustments=[deal("rate", "1")])["field"], "edp.tagId")
        equal(put(p, 400, costTypes=["usageAmount"])["field"], "edp.costTypes[0]")
        for body, field in (({"defaultCostType": "usageAmount"}, "defaultCostType"), ({"defaultCostType": "best"}, "defaultCostType"), ({"offered": []}, "offered"),
                            ({"offered": ["listCost"]}, "offered"), ({"offered": ["netAmortizedCost", 5]}, "offered[1]")):
            equal(p.b.ask("PUT", "/api/cost-types", body).expect(400).json["field"], field)
        p.b.ask("PUT", "/api/cost-types", {"defaultCostType": "fairShareCost"}).expect(422)
        equal(settings(p), before)
        # the EDP tag is in use, and what became of it is known
        a = p.b.ask("DELETE", f"/api/tags/{p.discount['id']}").expect(409)
        check(b"EDP" in a.body, a.body)
        equal(total(p, last=1), Decimal(920))
    finally:
        none(p)
        p.b.ask("DELETE", f"/api/tags/{t['id']}")


def test_changes_are_in_the_audit_log():
    p = place()
    put(p, adjustments=[deal("percentage", "12.5")])
    none(p)
    seen = p.b.get("/api/admin/audit?action=cost_types.change&limit=2").expect(200).json["events"]
    equal((seen[0]["before"]["edp"]["show"], seen[0]["after"]["edp"]["show"]), (True, False))
    equal(seen[1]["after"]["edp"]["adjustments"][0]["number"], "12.5")
    equal(seen[0]["actor"], "ann@example.com")


def test_offered_and_default():
    p = place()
    b = p.b
    names = [t["name"] for t in settings(p)["types"] if t["offered"]]
    check("fairShareCost" not in names and "netAmortizedCost" in names, names)
    try:
        j = b.ask("PUT", "/api/cost-types", {"defaultCostType": "listCost", "offered": ["listCost", "amortizedCost"]}).expect(200).json
        equal((j["defaultCostType"], [t["name"] for t in j["types"] if t["offered"]]), ("listCost", ["amortizedCost", "listCost"]))
        account = b.get("/api/session").expect(200).json["account"]
        equal((account["defaultCostType"], account["costTypes"]), ("listCost", ["amortizedCost", "listCost"]))
        equal(Key(p.data).get(p.server, "/account-service/account").expect(200).json[0]["generalConfig"]["defaultCostType"], "listCost")
        equal(p.ask()["question"]["costType"], "listCost")
        total(p, costType="unblendedCost")  # not offered, and still answered to who asks
    finally:
        b.ask("PUT", "/api/cost-types", {"defaultCostType": "netAmortizedCost", "offered": names}).expect(200)


def job(p, width, status=202):
    a = p.b.post("/api/cost-types/fairshare", {"width": width}).expect(status)
    if status == 202:
        wait_until(lambda: all(j["state"] != "running" for j in p.b.get("/api/jobs").expect(200).json["jobs"] if j["id"] == a.json["jobId"]))
        return next(j for j in p.b.get("/api/jobs").json["jobs"] if j["id"] == a.json["jobId"])
    return a.json


def test_fairshare_is_a_job():
    rows = [(day(1), "Amazon EC2", "a", {}, "2", "1"), (day(1), "Amazon EC2", "b", {}, "4", "1"), (day(1), "Amazon S3", "c", {}, "1", "1")]
    p = Place(rows)
    q = lambda t: {g["values"][0]: Decimal(g["total"]) for g in p.ask([native("resource_id", "resource")], costType=t, last=1)["groups"]}
    a = p.b.post("/api/query", {"date": {"relativeRange": "last7Days", "type": "day"}, "costType": "fairShareCost"}).expect(422)
    check(b"switched on" in a.body, a.body)
    equal(settings(p)["fairShare"], {"width": "off", "jobId": None})
    equal(job(p, "wide", 400)["field"], "width")
    done = job(p, "sku")
    equal((done["kind"], done["state"]), ("fairshare", "done"))
    equal(settings(p)["fairShare"]["width"], "sku")
    check({"fairShareCost", "netFairShareCost"} <= {t["name"] for t in settings(p)["types"] if t["offered"]}, "offered")
    equal(q("fairShareCost"), {"b": Decimal(4), "a": Decimal(2), "c": Decimal(1)})  # list cost is 2 and 4 as well
    p.b.ask("PUT", "/api/cost-types", {"defaultCostType": "fairShareCost"}).expect(200)
    check(job(p, "off", 409)["message"].startswith("FairShare Cost is the account's default"), "default")
    p.b.ask("PUT", "/api/cost-types", {"defaultCostType": "netAmortizedCost"}).expect(200)
    equal(job(p, "off")["state"], "done")
    p.b.post("/api/query", {"date": {"relativeRange": "last7Days", "type": "day"}, "costType": "fairShareCost"}).expect(422)
    seen = p.b.get("/api/admin/audit?action=fairshare.change").expect(200).json["events"]
    equal([(e["before"]["width"], e["after"]["width"]) for e in seen], [("sku", "off"), ("off", "sku")])
    p.server.stop()
    check("ok" in cli(p.data, "check"), "check")


def test_after_the_currency():
    """Cost type, currency, discount: 100 at 1.10 with 10 % off is 99.00, also of what moves."""
    p = Place([(day(1), "EC2", "a", {"team": "A"}, 100), (day(1), "Support", "s", {}, 50), (day(2), "EC2", "b", {"team": "B"}, "0.333333333333333333")])
    p.discount = p.tag("Discounts", rules=[rule("EC2 deal", SERVICE, "EC2")])
    t = p.tag("Owner", rules=[rule("Shared", SERVICE, "Support"), {"to": TEAM, "filters": {**TEAM, "operator": "exists"}}],
              allocations=[{"name": "Shared", "type": "even", "active": True, "data": {}}])
    p.b.post("/api/currencies/rates", {"rates": [{"currency": "USD", "target": "CHF", "day": "2026-07-01", "rate": "1.10"}, {"currency": "USD", "target": "CHF", "day": "2026-07-02", "rate": "3"}]}).expect(200)
    put(p, adjustments=[deal("percentage", "10")])
    ask = lambda **more: p.ask(currency="CHF", **more)
    j = ask(group=[SERVICE], granularity="day", last=2)
    equal(j["currency"], "CHF")
    equal({g["values"][0]: [Decimal(c) for c in g["cells"][:2]] for g in j["groups"]}, {"EC2": [99, round10(Decimal("0.333333333333333333") * 3 * Decimal("0.9"))], "Support": [55, 0]})
    equal({g["values"][0]: Decimal(g["total"]) for g in ask(group=[t], last=1)["groups"]}, {"A": Decimal(154)})
    equal(Decimal(ask(last=2)["total"]["total"]), round10(Decimal(154) + Decimal("0.333333333333333333") * Decimal("2.7")))
    doc = p.b.get(f"/api/tags/{t['id']}").expect(200).json
    equal(Decimal(p.b.post("/api/query", {"date": {"from": alloc_test.millis_of(day(1)), "to": alloc_test.millis_of(day(1)), "type": "day"}, "granularity": "hour", "currency": "CHF"}).expect(200).json["total"]["total"]), Decimal(154), "hours")
    check(doc["id"] == t["id"])
