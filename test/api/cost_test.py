"""The public API's numbers and shapes, against sums this side adds up in Decimal."""
import base64
import collections
import datetime
import json
import threading
import time
import urllib.parse
from decimal import Decimal

from farthing import (DAY, FIRST, ROWS, TODAY, Key, Server, browser, check, cli, copy_of, data_dir, equal, key, meta,
                      millis, round10, server, wait_until, TMP, ADMIN)

DAYS7 = TODAY - datetime.timedelta(days=6)


def day_of(row):
    return row["ChargePeriodStart"][:10]


def cost(rows, column="EffectiveCost"):
    return sum((Decimal(r[column]) for r in rows), Decimal(0))


def between(first, last):
    return [r for r in ROWS if str(first) <= day_of(r) <= str(last)]


def group(rows, by):
    out = collections.defaultdict(list)
    for r in rows:
        out[by(r)].append(r)
    return out


def close(got, want, what):
    """Equal once rounded to ten decimals; a group's share of the last unit may lie one off, the total not."""
    check(abs(Decimal(got) - round10(want)) <= Decimal("1e-10"), what, "got", got, "want", want)


def make_view(name, data):
    return key("admin").post(server(), "/view-service/view", {"name": name, "type": "cost", "data": data}
                             ).expect(200).json["id"]


def service_view():
    if "id" not in service_view.__dict__:
        service_view.id = make_view("AWS by service", {
            "query": {"filters": {"AND": []}, "groupBys": [{"costCenter": "amazon-cur", "key": "service", "type": "col"}]},
            "date": {"from": millis(DAYS7), "to": millis(TODAY, 86399), "type": "day"}, "costType": "netAmortizedCost"})
    return service_view.id


def by_view(**body):
    return key().post(server(), "/v1/cost/query-by-view", body)


# ---- V1 ----

def test_views_are_listed():
    service_view()
    a = key().get(server(), "/v1/view").expect(200).json
    equal(set(a), {"data", "requestId"})
    row = next(v for v in a["data"] if v["name"] == "AWS by service")
    equal(set(row), {"name", "id"})
    equal(row["id"], service_view())


def series_of(answer):
    return {s["name"]: s["data"] for s in answer["data"]}


def test_query_by_view_gives_every_digit():
    a = by_view(viewId=service_view()).expect(200).json
    equal(a["request"], {"viewId": service_view()})
    got, want = series_of(a), group(between(DAYS7, TODAY), lambda r: r["ServiceName"])
    equal(a["data"][-1]["name"], "Total")
    days = [millis(DAYS7 + datetime.timedelta(days=i)) for i in range(7)]
    for name, points in got.items():
        equal([int(p["time"]) for p in points], days, name)
    for i, day in enumerate(days):
        rows = [r for r in between(DAYS7, TODAY) if millis(datetime.date.fromisoformat(day_of(r))) == day]
        equal(got["Total"][i]["cost"], round10(cost(rows)), "total")
        equal(sum(p[i]["cost"] for n, p in got.items() if n != "Total"), got["Total"][i]["cost"], "sum")
    for name, rows in want.items():
        if name.startswith("A"):
            close(sum(p["cost"] for p in got[name]), cost(rows), name)
    totals = [sum(p["cost"] for p in s["data"]) for s in a["data"][:-1]]
    equal(totals, sorted(totals, reverse=True), "order")
    check(len({len(s["data"]) for s in a["data"]}) == 1, "every group has every bucket")


def test_query_by_view_dates():
    first = FIRST + datetime.timedelta(days=3)
    last = first + datetime.timedelta(days=4)
    want = round10(cost(between(first, last)))
    total = lambda a: sum(p["cost"] for p in series_of(a.expect(200).json)["Total"])
    for start, end in ((millis(first), millis(last)), (millis(first), millis(last, 86399)),
                       (millis(first, 3600), millis(last, 7200)), (millis(first) // 1000, millis(last) // 1000)):
        equal(total(by_view(viewId=service_view(), date={"unixTimeMillSecondsStart": start,
                                                          "unixTimeMillSecondsEnd": end})), want, str(start))


def test_query_by_view_bad_dates_are_400():
    s, e = millis(FIRST), millis(FIRST) + 5 * DAY
    for date in ({}, {"unixTimeMillSecondsStart": s}, {"unixTimeMillSecondsEnd": e},
                 {"unixTimeMillSecondsStart": e, "unixTimeMillSecondsEnd": s},
                 {"unixTimeMillisecondsStart": s, "unixTimeMillisecondsEnd": e},
                 {"unixTimeMillSecondsStart": str(s), "unixTimeMillSecondsEnd": e},
                 {"unixTimeMillSecondsStart": "", "unixTimeMillSecondsEnd": ""},
                 {"unixTimeMillSecondsStart": s, "unixTimeMillSecondsEnd": s + 90 * DAY + 1}, [], "last7Days", 5):
        a = by_view(viewId=service_view(), date=date).expect(400, "BAD_REQUEST")
        check("date" in a.json["message"], date, a.body)
    by_view(viewId=service_view(), date={"unixTimeMillSecondsStart": s, "unixTimeMillSecondsEnd": s + 90 * DAY}).expect(200)


def test_query_by_view_cost_types():
    columns = {"netAmortizedCost": "EffectiveCost", "amortizedCost": "EffectiveCost", "unblendedCost": "BilledCost",
               "netUnblendedCost": "BilledCost", "blendedCost": "BilledCost", "listCost": "ListCost"}
    for name, column in columns.items():
        a = by_view(viewId=service_view(), costType=name).expect(200).json
        equal(sum(p["cost"] for p in series_of(a)["Total"]),
              round10(cost(between(DAYS7, TODAY), column)), name)
    for bad in ("usageAmount", "netamortizedcost", "", 5, "fairShareCost"):
        r = by_view(viewId=service_view(), costType=bad)
        equal(r.status, 200 if bad == "" else 400, bad)


def test_query_by_view_unknown_views_are_400():
    for view in ("00000000-0000-4000-8000-000000000000", "", "x"):
        equal(by_view(viewId=view).expect(400).json["field"], "viewId")
    for body in ({}, {"viewId": 5}, {"viewId": None}):
        by_view(**body).expect(400, "BAD_REQUEST")


def test_query_by_view_without_groups_is_total_alone():
    view = make_view("everything", {"query": {}, "date": {"relativeRange": "last7Days", "type": "day"}})
    a = by_view(viewId=view).expect(200).json
    equal([s["name"] for s in a["data"]], ["Total"])


def test_query_by_view_group_by_of_one_client():
    got = lambda g: {s["name"] for s in by_view(viewId=service_view(), groupBy=g).expect(200).json["data"]}
    check("us-east-1" in got(["region"]))
    check("Amazon EC2" in got(["nonsense"]))
    check("Amazon EC2" in got([]))
    by_view(viewId=service_view(), groupBy="region").expect(400)


def test_query_by_view_granularity():
    view = make_view("monthly", {"query": {"groupBys": []}, "granularity": "month",
                                 "date": {"from": millis(FIRST), "to": millis(TODAY), "type": "day"}})
    points = series_of(by_view(viewId=view).expect(200).json)["Total"]
    want = group(ROWS, lambda r: day_of(r)[:7])
    equal(len(points), len(want))
    for p, month in zip(points, sorted(want)):
        equal(p["cost"], round10(cost(want[month])), month)


def test_v1_keys_round_trip_through_values():
    a = key().get(server(), "/v1/megabill/query-language/keys").expect(200).json
    equal(a["requestId"], a["request_id"])
    check(a["error"] is None and a["request"] == {} and len(a["accountId"]) == 36)
    check(all(set(k) == {"costCenter", "key", "displayName"} for k in a["keys"]))
    pairs = [(k["costCenter"], k["key"]) for k in a["keys"]]
    equal(len(pairs), len(set(pairs)), "a V1 key names one thing")
    for cc, k in pairs:
        path = "/v1/megabill/query-language/values/" + urllib.parse.quote(cc) + "/" + urllib.parse.quote(k, safe="/")
        v = key().get(server(), path).expect(200).json
        equal(v["request"], {"costCenter": cc, "key": k})
        equal(v["values"], sorted(set(v["values"]), key=lambda s: s.encode()), k)
        check("" not in v["values"])


def test_v1_values_are_those_of_the_bill():
    values = lambda cc, k: key().get(server(), f"/v1/megabill/query-language/values/{cc}/{k}").expect(200).json["values"]
    equal(values("AWS", "service"), ["AWS Support", "Amazon EC2", "Amazon S3"])
    equal(values("aws", "team"), ["core", "data"])
    equal(values("AWS", "app.kubernetes.io/name"), ["web"])
    equal(values("Global", "cost_center_type"), ["AWS", "GCP"])
    key().get(server(), "/v1/megabill/query-language/values/AWS/nope").expect(400)
    key().get(server(), "/v1/megabill/query-language/values/Nowhere/service").expect(400)


# ---- V2 ----

def test_v2_keys_and_values():
    a = key().get(server(), "/v2/query-language/keys").expect(200).json
    equal(set(a), {"requestId", "data"})
    keys = {(k["costCenter"], k["key"]): k["types"] for k in a["data"]["keys"]}
    equal(len(keys), len(a["data"]["keys"]))
    equal(keys[("AWS", "service")], ["billing_dimension"])
    equal(keys[("AWS", "team")], ["tag"])
    b = key().get(server(), "/v2/megabill/query-language/keys").expect(200).json
    equal(b["data"], a["data"])
    v = key().get(server(), "/v2/query-language/values/AWS/region?type=billing_dimension").expect(200).json
    equal(v["data"]["values"], ["eu-west-1", "us-east-1"])
    v = key().get(server(), "/v2/megabill/query-language/values/GCP/team").expect(200).json
    equal(v["data"]["values"], ["core"])
    key().get(server(), "/v2/query-language/values/AWS/nope").expect(400, "BAD_REQUEST")
    key().get(server(), "/v2/query-language/values/AWS/region?type=colour").expect(400, "BAD_REQUEST")


# generate-query has fifty a minute: tests that send many have a server of their own.
_minute = [0]


def fresh_server(data=None):
    """A server with its own counters, on its own copy of the data."""
    _minute[0] += 1
    if not (TMP / "frozen").exists():
        cli(data_dir(), "backup", TMP / "frozen")
    to = TMP / f"fresh-{_minute[0]}"
    cli(to, "restore", TMP / "frozen")
    s = Server(to)
    s.key = Key(to)
    return s


def question(**more):
    q = {"date": {"unixTimeMillisecondsStart": millis(FIRST), "unixTimeMillisecondsEnd": millis(TODAY)},
         "timeInterval": {"interval": "day"}, "measurements": [{"type": "netAmortizedCost"}]}
    q.update(more)
    return {k: v for k, v in q.items() if v is not None}


def generate(s, **more):
    while True:
        a = s.key.post(s, "/v2/data/cost-usage/generate-query", question(**more))
        if a.status != 429:
            return a
        time.sleep(int(a.headers["retry-after"]) + 0.2)


def rows_of(s, query, size=10000):
    rows, cursor, pages = [], None, 0
    while True:
        path = f"/v2/data/cost-usage/{query}/results?pageSize={size}" + (f"&cursor={cursor}" if cursor else "")
        a = wait_until(lambda: (lambda a: a if a.status != 202 else None)(s.page(path)), 120, 0.4).expect(200).json
        rows += a["data"]
        pages += 1
        equal(a["pagination"]["totalRows"], Decimal(len(rows)) if not a["pagination"]["hasMore"]
              else a["pagination"]["totalRows"])
        equal("nextCursor" in a["pagination"], a["pagination"]["hasMore"])
        if not a["pagination"]["hasMore"]:
            return rows
        cursor = a["pagination"]["nextCursor"]


def ask(s, **more):
    query = generate(s, **more).expect(200).json["data"]["queryId"]
    return rows_of(s, query)


def v2_server():
    """One server for the tests that only read."""
    if "s" not in v2_server.__dict__:
        v2_server.s = patient(fresh_server())
    return v2_server.s


def patient(s):
    """Waits through rate limits, as a well-behaved client does."""
    def page(path):
        while True:
            a = s.key.get(s, path)
            if a.status != 429:
                return a
            time.sleep(int(a.headers["retry-after"]) + 0.2)
    s.page = page
    return s


DIM = {"costCenter": "AWS", "key": "service", "type": "billing_dimension"}


def test_generate_rows_are_the_sums():
    s = v2_server()
    rows = ask(s, dimensions=[DIM], filters={"costCenter": "Global", "key": "cost_center_type", "operator": "is",
                                             "type": "billing_dimension", "value": ["AWS"]})
    want = group([r for r in ROWS if r["ProviderName"] == "AWS"], lambda r: (day_of(r), r["ServiceName"]))
    equal(len(rows), len(want))
    for r in rows:
        equal(set(r), {"AWS_billing_dimension_service", "day", "netAmortizedCost_sum"})
        close(r["netAmortizedCost_sum"]["amount"], cost(want[(r["day"], r["AWS_billing_dimension_service"])]), str(r))
    amounts = [r["netAmortizedCost_sum"]["amount"] for r in rows]
    equal(amounts, sorted(amounts, reverse=True), "order")


def test_generate_missing_values_and_units():
    s = v2_server()
    rows = ask(s, dimensions=[{"costCenter": "AWS", "key": "team", "type": "tag"}],
               timeInterval={"interval": "month", "sortDirection": "ascending"},
               measurements=[{"type": "netAmortizedCost", "operator": "sum"}, {"type": "usageAmount"}])
    check(all("unit" in r["usageAmount_sum"] and "unit" not in r["netAmortizedCost_sum"] for r in rows))
    equal({r["AWS_tag_team"] for r in rows}, {"", "core", "data"})
    equal([r["month"] for r in rows], sorted(r["month"] for r in rows))
    team = lambda r: json.loads(r["Tags"] or "{}").get("team", "") if r["ProviderName"] == "AWS" else ""
    want = group(ROWS, lambda r: (day_of(r)[:8] + "01", team(r), r["ConsumedUnit"]))
    equal(len(rows), len(want), "one row per unit")
    for r in rows:
        w = want[(r["month"], r["AWS_tag_team"], r["usageAmount_sum"]["unit"])]
        equal(r["usageAmount_sum"]["amount"], cost(w, "ConsumedQuantity"), str(r))
        close(r["netAmortizedCost_sum"]["amount"], cost(w), str(r))


def test_generate_sorts_as_asked():
    s = v2_server()
    rows = ask(s, dimensions=[{**DIM, "sortDirection": "descending"}],
               timeInterval={"interval": "week", "sortDirection": "ascending"})
    got = [(r["week"], r["AWS_billing_dimension_service"]) for r in rows]
    equal(got, sorted(sorted(got, key=lambda t: t[1], reverse=True), key=lambda t: t[0]))
    for w, _ in got:
        equal(datetime.date.fromisoformat(w).weekday(), 0, "weeks start on Monday")


def test_generate_row_limit_cuts_after_sorting():
    s = v2_server()
    every = ask(s, dimensions=[DIM])
    equal(ask(s, dimensions=[DIM], rowLimit=7), every[:7])


def test_generate_aggregates_rows():
    s = v2_server()
    rows = ask(s, timeInterval={"interval": "month"},
               measurements=[{"type": "netAmortizedCost", "operator": o} for o in ("min", "max", "avg")])
    want = group(ROWS, lambda r: day_of(r)[:8] + "01")
    for r in rows:
        c = [Decimal(x["EffectiveCost"]) for x in want[r["month"]]]
        equal(r["netAmortizedCost_min"]["amount"], round10(min(c)), "min")
        equal(r["netAmortizedCost_max"]["amount"], round10(max(c)), "max")
        close(r["netAmortizedCost_avg"]["amount"], sum(c) / len(c), "avg")


def test_paging_gives_each_row_once():
    s = v2_server()
    query = generate(s, dimensions=[DIM]).expect(200).json["data"]["queryId"]
    every = rows_of(s, query, 10000)
    equal(rows_of(s, query, 100), every)
    equal(rows_of(s, query, 17), every)
    few = generate(s, rowLimit=5).expect(200).json["data"]["queryId"]
    equal(rows_of(s, few, 1), rows_of(s, few, 10000))


def test_bad_pages_are_400():
    s = patient(fresh_server())
    query = generate(s).expect(200).json["data"]["queryId"]
    other = generate(s, rowLimit=9).expect(200).json["data"]["queryId"]
    first = wait_until(lambda: (lambda a: a if a.status == 200 else None)(
        s.page(f"/v2/data/cost-usage/{query}/results?pageSize=1")), 60, 0.4).json["pagination"]["nextCursor"]
    wait_until(lambda: s.page(f"/v2/data/cost-usage/{other}/results").status == 200, 60, 0.4)
    for bad in ("pageSize=0", "pageSize=10001", "pageSize=x", "pageSize=-1", "cursor=x", "cursor=", "cursor=AAAA",
                f"cursor={first[:-2]}AA", "cursor=" + base64.b64encode(b'{"o":1}').decode()):
        s.page(f"/v2/data/cost-usage/{query}/results?{bad}").expect(400, "BAD_REQUEST")
    s.page(f"/v2/data/cost-usage/{other}/results?cursor={first}").expect(400)
    for path in ("status", "results"):
        s.page(f"/v2/data/cost-usage/00000000-0000-4000-8000-000000000000/{path}").expect(404, "NOT_FOUND")
    s.stop()


def test_generate_refuses_what_is_malformed_with_400():
    s = fresh_server()
    start = millis(FIRST)
    bad = [dict(date=None), dict(date={}), dict(date={"unixTimeMillisecondsStart": start}),
           dict(date={"unixTimeMillSecondsStart": start, "unixTimeMillSecondsEnd": start + DAY}),
           dict(date={"unixTimeMillisecondsStart": start + DAY, "unixTimeMillisecondsEnd": start}),
           dict(timeInterval=None), dict(timeInterval={}), dict(timeInterval={"interval": "hour"}),
           dict(timeInterval={"interval": "day", "sortDirection": "down"}), dict(measurements=None),
           dict(measurements={}), dict(measurements=[{}]), dict(measurements=[{"type": "euros"}]),
           dict(measurements=[{"type": "netAmortizedCost", "operator": "median"}]), dict(dimensions={}),
           dict(dimensions=[{"costCenter": "AWS"}]), dict(dimensions=[{**DIM, "type": "colour"}]), dict(rowLimit="7"), dict(rowLimit=1.5),
           dict(filters={"and": []}), dict(filters={"AND": [], "OR": []}), dict(filters=[]),
           dict(filters={**DIM, "operator": "like", "value": "x"}), dict(filters={**DIM, "operator": "is"})]
    for q in bad:
        a = generate(s, **q).expect(400, "BAD_REQUEST")
        check(a.json.get("field"), q, a.body)
    a = generate(s, filters={"AND": [{**DIM, "operator": "exists"}, {**DIM, "operator": "exists"},
                                     {**DIM, "operator": "liek", "value": "x"}]}).expect(400)
    equal(a.json["field"], "filters.AND[2].operator")
    s.stop()


def test_generate_refuses_broken_rules_with_422():
    s = fresh_server()
    start = millis(FIRST)
    leaf = {**DIM, "operator": "exists"}
    span = lambda ms: {"unixTimeMillisecondsStart": start, "unixTimeMillisecondsEnd": start + ms}
    dims = [k for k in s.key.get(s, "/v2/query-language/keys").json["data"]["keys"] if k["costCenter"] == "AWS"]
    many = [{"costCenter": k["costCenter"], "key": k["key"], "type": k["types"][0]} for k in dims] * 2
    generate(s, date=span(60 * DAY)).expect(200)
    generate(s, date=span(60 * DAY + 1)).expect(422, "UNPROCESSABLE_ENTITY")
    generate(s, measurements=[]).expect(422)
    generate(s, measurements=[{"type": "netAmortizedCost", "operator": o} for o in ("sum", "avg", "min", "max")]
             + [{"type": "listCost"}]).expect(200)
    generate(s, measurements=[{"type": "netAmortizedCost", "operator": o} for o in ("sum", "avg", "min", "max")]
             + [{"type": "listCost"}, {"type": "blendedCost"}]).expect(422)
    generate(s, dimensions=(many * 21)[:21]).expect(422)
    generate(s, dimensions=[{**DIM, "key": "nope"}]).expect(422)
    generate(s, filters={"AND": [leaf] * 30}).expect(200)
    generate(s, filters={"AND": [leaf] * 31}).expect(422)
    generate(s, filters={**leaf, "key": "nope"}).expect(422)
    generate(s, rowLimit=0).expect(422)
    generate(s, rowLimit=100001).expect(422)
    generate(s, rowLimit=100000).expect(200)
    deep = leaf
    for i in range(5):
        deep = {("AND", "OR")[i % 2]: [deep]}
    generate(s, filters=deep).expect(200)
    s.stop()


def test_results_expire_fail_and_are_forgotten():
    s = patient(fresh_server())
    made = [generate(s).expect(200).json["data"]["queryId"] for _ in range(2)]
    for q in made:
        rows_of(s, q)
    st = s.page(f"/v2/data/cost-usage/{made[0]}/status").expect(200).json["data"]
    equal(st["status"], "completed")
    at = lambda t: datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))
    equal(at(st["expiredAt"]) - at(st["completedAt"]), datetime.timedelta(days=1))
    s.stop()
    db = meta(s.data)
    db.execute("UPDATE cost_query SET state = 'running' WHERE id = ?", (made[1],))
    db.commit()
    db.close()
    later = Server(s.data)  # what ran when the server was killed has failed
    later.key = s.key
    equal(later.key.get(later, f"/v2/data/cost-usage/{made[1]}/status").json["data"], {"status": "failed"})
    later.key.get(later, f"/v2/data/cost-usage/{made[1]}/results").expect(424, "QUERY_FAILED")
    later.key.get(later, f"/v2/data/cost-usage/{made[0]}/results").expect(200)
    later.stop()
    tomorrow = Server(s.data, {"FARTHING_NOW_MS": str(int(time.time() * 1000) + DAY + 60000)})
    equal(s.key.get(tomorrow, f"/v2/data/cost-usage/{made[0]}/status").json["data"], {"status": "expired"})
    s.key.get(tomorrow, f"/v2/data/cost-usage/{made[0]}/results").expect(410, "RESULTS_EXPIRED")
    tomorrow.stop()
    week = Server(s.data, {"FARTHING_NOW_MS": str(int(time.time() * 1000) + 8 * DAY)})
    week.key = s.key
    generate(week).expect(200)  # clears the old ones away
    s.key.get(week, f"/v2/data/cost-usage/{made[0]}/status").expect(404)
    week.stop()


# ---- filters ----

def total(filters, **more):
    a = key().post(server(), "/cost-service/cost", {
        "date": {"from": millis(FIRST), "to": millis(TODAY, 86399), "type": "day"}, "filters": filters, **more})
    return a.expect(200).json["total"]


def leaf(op, value=None, key_="service", cc="amazon-cur", type_="col"):
    out = {"costCenter": cc, "key": key_, "type": type_, "path": "x", "operator": op}
    if value is not None:
        out["value"] = value
    return out


def test_operators_mean_what_the_contract_says():
    aws = lambda r: r["ServiceName"] if r["ProviderName"] == "AWS" else None
    team = lambda r: json.loads(r["Tags"] or "{}").get("team") if r["ProviderName"] == "AWS" else None
    tag = lambda op, value=None: leaf(op, value, "team", "amazon-cur", "tag")
    cases = [(leaf("is", "Amazon EC2"), lambda r: aws(r) == "Amazon EC2"),
             (leaf("is", ["Amazon EC2", "Amazon S3"]), lambda r: aws(r) in ("Amazon EC2", "Amazon S3")),
             (leaf("oneOf", ["Amazon S3"]), lambda r: aws(r) == "Amazon S3"),
             (leaf("oneOf", "Amazon S3"), lambda r: aws(r) == "Amazon S3"),
             (leaf("is", "amazon ec2"), lambda r: False),
             (leaf("isNot", "Amazon EC2"), lambda r: aws(r) != "Amazon EC2"),
             (leaf("notIs", "Amazon EC2"), lambda r: aws(r) != "Amazon EC2"),
             (leaf("not", "Amazon EC2"), lambda r: aws(r) != "Amazon EC2"),
             (leaf("notOneOf", ["Amazon EC2"]), lambda r: aws(r) != "Amazon EC2"),
             (leaf("contains", "amazon"), lambda r: "amazon" in (aws(r) or "").lower()),
             (leaf("notContains", "AMAZON"), lambda r: "amazon" not in (aws(r) or "").lower()),
             (tag("exists"), lambda r: bool(team(r))), (tag("notExists"), lambda r: not team(r)),
             (tag("is", "core"), lambda r: team(r) == "core"), (tag("isNot", "core"), lambda r: team(r) != "core"),
             ({"AND": [leaf("exists"), tag("notExists")]}, lambda r: bool(aws(r)) and not team(r)),
             ({"OR": [tag("is", "data"), leaf("is", "GCP", "cost_center_type", "global")]},
              lambda r: team(r) == "data" or r["ProviderName"] == "GCP"),
             ({"AND": []}, lambda r: True), ({"OR": []}, lambda r: False), ({}, lambda r: True), (None, lambda r: True)]
    for filters, keep in cases:
        equal(total(filters), round10(cost([r for r in ROWS if keep(r)])), json.dumps(filters))


def test_five_deep_groups_and_lower_case():
    f = leaf("is", "Amazon EC2")
    for name in ("AND", "OR") * 3:
        f = {name: [f]}
    equal(total(f), total(leaf("is", "Amazon EC2")))
    for bad in ({"and": [f]}, {"AND": f}, {"AND": [f], "OR": [f]}, {"AND": [f], "key": "x"}, {"NOT": [f]}):
        key().post(server(), "/cost-service/cost", {"filters": bad}).expect(400, "BAD_REQUEST")
    deep = leaf("exists")
    for _ in range(40):
        deep = {"AND": [deep]}
    key().post(server(), "/cost-service/cost", {"filters": deep}).expect(400)


# ---- the internal routes ----

def test_cost_service_cost():
    a = key().post(server(), "/cost-service/cost", {
        "date": {"from": millis(FIRST), "to": millis(TODAY), "type": "day"}, "costType": "unblendedCost",
        "groupBys": [{"costCenter": "global", "key": "cost_center_type", "type": "col"}], "xAxisGroupBy": "monthly"})
    j = a.expect(200).json
    equal(j["total"], round10(cost(ROWS, "BilledCost")))
    equal(sum(b["cost"] for b in j["breakdown"]), j["total"])
    equal(j["currency"], "USD")
    for b in j["breakdown"]:
        equal(sum(p["cost"] for p in b["data"]), b["cost"])
    for bad in ({"xAxisGroupBy": "hourly"}, {"groupBys": {}}, {"groupBys": [5]}, {"costType": "euros"},
                {"date": {"relativeRange": "sometime", "type": "day"}}, {"groupBys": [{"costCenter": "x", "key": "y"}]}):
        key().post(server(), "/cost-service/cost", bad).expect(400, "BAD_REQUEST")


def test_cost_service_filters():
    ask_ = lambda **b: key().post(server(), "/cost-service/filters",
                                  {"date": {"relativeRange": "last30Days", "type": "day"}, **b}).expect(200).json
    every = ask_(includeValues=False)
    check(isinstance(every, list) and len(every) > 10)
    check(all("values" not in f for f in every))
    one = ask_(includeValues=True, filterKey="service", costCenter="amazon-cur", filterType="col")
    equal(len(one), 1)
    equal(one[0]["path"], "AWS/Services")
    equal(set(one[0]["values"]), {"AWS Support", "Amazon EC2", "Amazon S3"})
    check(all(v == {} for v in one[0]["values"].values()))
    account = key().get(server(), "/account-service/account").json[0]["accountId"]
    check(all(f["accountId"] == account for f in every))


def test_cost_service_units():
    a = key().post(server(), "/cost-service/usage-unit-types", {
        "date": {"relativeRange": "last30Days", "type": "day"}, "groupBy": {}}).expect(200).json
    equal(sorted((u["costCenter"], u["units"]) for u in a),
          [("GCP", "Hours"), ("amazon-cur", "GB-Mo"), ("amazon-cur", "Hrs")])


def test_account_service():
    a = key().get(server(), "/account-service/account?isActive=true").expect(200).json
    equal(len(a), 1)
    one = key().get(server(), f"/account-service/account/{a[0]['accountId']}?fields=name&fields=generalConfig").expect(200).json
    equal(set(one), {"accountId", "name", "generalConfig"})
    equal(one["generalConfig"]["defaultCostType"], "netAmortizedCost")
    same = key().get(server(), f"/account-service/account/{a[0]['accountId']}?fields=name,generalConfig,nonsense").json
    equal(same, one)
    key().get(server(), "/account-service/account/00000000-0000-4000-8000-000000000000").expect(404)


def test_view_service_round_trip():
    make_view("round trip", {"query": {"filters": leaf("oneOf", ["Amazon S3"]),
                                       "groupBys": [{"costCenter": "amazon-cur", "key": "team", "type": "tag"}]},
                             "date": {"relativeRange": "last30Days", "type": "day"}, "costType": "listCost"})
    v = next(v for v in key().get(server(), "/view-service/view").expect(200).json if v["name"] == "round trip")
    equal(v["type"], "cost")
    equal(v["data"]["costType"], "listCost")
    equal(v["data"]["date"]["relativeRange"], "last30Days")
    equal(v["data"]["query"]["groupBys"][0]["costCenter"], "amazon-cur")
    equal(v["data"]["query"]["groupBys"][0]["type"], "tag")
    check("Amazon S3" in json.dumps(v["data"]["query"]["filters"]))
    again = make_view("round trip 2", v["data"])
    a, b = by_view(viewId=v["id"]).expect(200).json, by_view(viewId=again).expect(200).json
    equal(a["data"], b["data"])
    key("admin").post(server(), "/view-service/view", {"name": "ROUND trip", "type": "cost", "data": {}}).expect(409)


def test_two_currencies_are_not_added_up():
    data = TMP / "two"
    cli(data, "init", "--admin", ADMIN)
    from farthing import bill_rows, write_bill
    rows = bill_rows(TODAY - datetime.timedelta(days=3), TODAY)
    for r in rows[::2]:
        r["BillingCurrency"] = "EUR"
    cli(data, "load", "--source", "x", write_bill(TMP / "two.csv", rows))
    s, k = Server(data), Key(data)
    a = k.post(s, "/cost-service/cost", {"date": {"relativeRange": "last7Days", "type": "day"}}).expect(400)
    check("EUR" in a.json["message"] and "USD" in a.json["message"], a.body)
    s.stop()
