"""Incomplete days (promise 23): known up to where the slowest source is, and comparisons count complete days in both halves."""
import csv
import datetime
import json
from decimal import Decimal
from fractions import Fraction

from currency_test import COLUMNS, KEY, shown
from farthing import ADMIN, PASSWORD, TMP, TODAY, Browser, Key, Server, check, cli, equal, link_of, millis

_made = {}


def ago(n):
    return TODAY - datetime.timedelta(days=n)


def make(provider, first, last):
    """One row a day and service, amounts of twelve decimals."""
    out = []
    for n in range(first, last - 1, -1):
        d = ago(n)
        start = d.replace(day=1)
        for i, service in enumerate(("Compute", "Storage", "Queue")):
            cost = Decimal(1000 + 37 * n + 211 * i) / 7
            cost = cost.quantize(Decimal("1e-12"))
            out.append(dict(zip(COLUMNS, [
                "acc", "USD", f"{start}T00:00:00Z", f"{(start + datetime.timedelta(days=32)).replace(day=1)}T00:00:00Z",
                f"{d}T05:00:00Z", f"{d}T06:00:00Z", "Usage", provider, service, f"{provider}-{i}", *[f"{cost:f}"] * 4, "1", "Hrs",
                json.dumps({"team": ("A", "B", "Shared")[i]})])))
    return out


ROWS = make("AWS", 40, 1) + make("GCP", 40, 3) + make("Azure", 90, 60)


def bed():
    if not _made:
        data = TMP / "complete"
        link = link_of(cli(data, "init", "--admin", ADMIN))
        for provider in ("AWS", "GCP", "Azure"):
            path = TMP / f"complete-{provider}.csv"
            with open(path, "w", newline="", encoding="utf-8") as f:
                w = csv.DictWriter(f, COLUMNS)
                w.writeheader()
                w.writerows(r for r in ROWS if r["ProviderName"] == provider)
            cli(data, "load", "--source", provider.lower(), path)
        s = Server(data)
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _made.update(data=data, server=s, browser=b)
    return _made["browser"]


def cost(first, last, **want):
    return sum((Fraction(Decimal(r["EffectiveCost"])) for r in ROWS
                if ago(first) <= datetime.date.fromisoformat(r["ChargePeriodStart"][:10]) <= ago(last)
                and all(r[k] == v for k, v in want.items())), Fraction(0))


def ask(first=9, last=0, **more):
    q = {"date": {"from": str(ago(first)), "to": str(ago(last))}, "granularity": "day", "costType": "netAmortizedCost", "previous": True,
         "groupBy": [KEY("service")], **more}
    return bed().post("/api/query", q).expect(200).json


def test_the_comparison_counts_complete_days():
    for more in ({}, {"granularity": "week"}, {"granularity": "accumulated"}, {"granularity": "hour"}, {"top": 1}):
        a = ask(**more)
        equal((a["completeTo"], a["behind"]), (str(ago(3)), "gcp"), more)
        equal(a["compared"], {"from": str(ago(9)), "to": str(ago(3)), "days": 7}, more)
        equal(a["previous"], {"from": str(ago(16)), "to": str(ago(10)), "days": 7}, more)
        equal(Decimal(a["total"]["total"]), shown(cost(9, 0)), more)
        equal(Decimal(a["total"]["compared"]), shown(cost(9, 3)), more)
        equal(Decimal(a["total"]["previous"]), shown(cost(16, 10)), more)
        for g in a["groups"]:
            if not g["isOthers"]:
                for name, (first, last) in {"total": (9, 0), "compared": (9, 3), "previous": (16, 10)}.items():
                    check(abs(Fraction(Decimal(g[name])) - cost(first, last, ServiceName=g["values"][0])) < Fraction(2, 10 ** 10), more, g)
        for name in ("total", "compared", "previous"):
            equal(sum(Decimal(g[name]) for g in a["groups"]), Decimal(a["total"][name]), (more, name))


def test_named_ranges_and_complete_ones():
    a = bed().post("/api/query", {"date": {"relativeRange": "last7Days"}, "previous": True, "costType": "netAmortizedCost"}).expect(200).json
    equal((a["range"]["from"], a["compared"]["to"], a["previous"]["to"]), (str(ago(6)), str(ago(3)), str(ago(7))))
    equal(a["previous"]["days"], a["compared"]["days"])
    a = ask(first=20, last=3)
    check("compared" not in a and "compared" not in a["total"], "all of it is complete", a["total"])
    equal(Decimal(a["total"]["previous"]), shown(cost(38, 21)))
    a = ask(first=1, last=0)
    equal((a["previous"], a["total"]["previous"]), (None, None), "nothing is complete: there is no comparison")


def test_what_moves():
    of = {"costCenter": "Global", "key": "team", "type": "tag"}
    tag = bed().post("/api/tags", {"name": "complete shared", "kind": "rules", "defaultValue": "Untagged",
                                   "rules": [{"to": of, "filters": {**of, "operator": "exists"}}],
                                   "allocations": [{"name": "Shared", "type": "even", "active": True, "data": {}}]}).expect(201).json["id"]
    a = ask(groupBy=[KEY(tag, "virtualTag", "virtual_tag")])
    equal((Decimal(a["total"]["compared"]), Decimal(a["total"]["previous"])), (shown(cost(9, 3)), shown(cost(16, 10))))
    for g in a["groups"]:
        own = {"A": "Compute", "B": "Storage"}[g["values"][0]]
        want = cost(9, 3, ServiceName=own) + cost(9, 3, ServiceName="Queue") / 2
        check(abs(Fraction(Decimal(g["compared"])) - want) < Fraction(2, 10 ** 10), g)
    bed().ask("DELETE", f"/api/tags/{tag}")


def test_csv_says_it_and_the_public_api_keeps_its_shape():
    q = {"date": {"from": str(ago(9)), "to": str(ago(0))}, "granularity": "accumulated", "costType": "netAmortizedCost", "previous": True,
         "groupBy": [KEY("service")]}
    rows = list(csv.reader(bed().post("/api/query.csv", q).expect(200).body.decode().splitlines()))
    equal(rows[0][1:], ["Total", "Total of complete days", "Previous"])
    equal([Decimal(x) for x in rows[-1][1:]], [shown(cost(9, 0)), shown(cost(9, 3)), shown(cost(16, 10))])
    k = Key(_made["data"])
    a = k.post(_made["server"], "/cost-service/cost", {"date": {"from": millis(ago(9)), "to": millis(ago(0)), "type": "day"},
                                                       "costType": "netAmortizedCost"}).expect(200).json
    check(not {"compared", "completeTo", "behind", "converted"} & set(a), a.keys())
    equal(Decimal(a["total"]), shown(cost(9, 0)))


def test_a_source_that_ended_holds_nobody_up_and_names_are_for_who_sees_all():
    b = bed()
    made = b.post("/api/admin/users", {"email": "reader@example.com", "roles": ["read-only"]}).expect(201).json
    who = Browser(_made["server"])
    who.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
    b.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        g = b.post("/api/admin/groups", {"name": "aws only", "dataAccessEnabled": True, "filters": {
            "costCenter": "Global", "key": "service", "type": "billing_dimension", "operator": "is", "value": ["Compute"]}}).expect(201).json
        b.post(f"/api/admin/groups/{g['id']}/users", {"add": [made["id"]]}).expect(204)
        a = who.post("/api/query", {"date": {"from": str(ago(9)), "to": str(ago(0))}, "previous": True}).expect(200).json
        equal((a["completeTo"], a["behind"]), (str(ago(3)), None))
        equal(Decimal(a["total"]["compared"]), shown(cost(9, 3, ServiceName="Compute")))
    finally:
        b.ask("PUT", "/api/admin/data-access", {"enabled": False}).expect(200)
