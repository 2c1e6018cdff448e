"""The cost of all accounts one may see, each and together: sums by python decimal over the bills that were loaded."""
import sqlite3
import threading
from collections import defaultdict
from decimal import Decimal

from farthing import ADMIN, FIRST, PASSWORD, ROWS, TMP, TODAY, Browser, Server, bill_rows, check, cli, equal, link_of, round10, write_bill

RANGE = {"from": str(FIRST), "to": str(TODAY)}
BETA = bill_rows(scale=3)
EURO = [{**r, "BillingCurrency": "EUR"} for r in bill_rows(scale=7)]
GOOGLE = [r for r in bill_rows(scale=2) if r["ServiceName"] == "Compute Engine"]
SERVICE = {"costCenter": "Global", "key": "service", "type": "billing_dimension"}
_bed = {}


def cost(rows):
    return round10(sum((Decimal(r["EffectiveCost"]) for r in rows), Decimal(0)))


def by(rows, of):
    out = defaultdict(list)
    for r in rows:
        out[of(r)].append(r)
    return {k: cost(v) for k, v in out.items()}


def day(r):
    return str(r["ChargePeriodStart"])[:10]


class Bed:
    """Four accounts: the first and Beta in dollars, Euro in euros, Empty without a bill. Ann administers all."""

    def __init__(self):
        self.data = TMP / "together"
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        cli(self.data, "load", "--source", "bill", write_bill(TMP / "together-a.csv", ROWS))
        self.id = {}
        for name, rows in (("Beta", BETA), ("Euro", EURO), ("Empty", None)):
            self.id[name] = cli(self.data, "account", "create", name).strip()
            if rows:
                cli(self.data, "load", "--account", name, "--source", "bill", write_bill(TMP / f"together-{name}.csv", rows))
            cli(self.data, "account", "add", name, ADMIN, "--role", "admin")
        self.server = Server(self.data)
        self.ann = Browser(self.server)
        self.ann.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        self.home = self.ann.get("/api/session").expect(200).json["account"]

    def person(self, email, role, **elsewhere):
        made = self.ann.post("/api/admin/users", {"email": email, "roles": [role]}).expect(201).json
        for name, there in elsewhere.items():
            self.ann.post(f"/api/admin/accounts/{self.id[name]}/members", {"email": email, "roles": [there]}).expect(201)
        b = Browser(self.server)
        b.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
        b.id = made["id"]
        return b

    def inside(self, name):
        """Ann, in another account."""
        b = Browser(self.server)
        b.post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200)
        b.post("/api/session/account", {"id": self.id[name]}).expect(204)
        return b


def bed():
    if "bed" not in _bed:
        _bed["bed"] = Bed()
    return _bed["bed"]


def ask(who, **q):
    return who.post("/api/accounts/query", {"date": RANGE, "granularity": "day", **q}).expect(200).json


def totals(a):
    return {x["currency"]: Decimal(x["total"]) for x in a["totals"]}


def account(a, name):
    return next(x for x in a["accounts"] if x["name"] == name)


def adds_up(a):
    """Accounts, groups and days add up to the totals, to the last digit."""
    for t in a["totals"]:
        of = [x for s in a["accounts"] for x in s["amounts"] if x["currency"] == t["currency"]]
        equal(sum(Decimal(x["total"]) for x in of), Decimal(t["total"]))
        equal([sum(Decimal(x["cells"][i]) for x in of) for i in range(len(a["buckets"]))], [Decimal(c) for c in t["cells"]])
        equal(sum(Decimal(c) for c in t["cells"]), Decimal(t["total"]))
        if a["groups"]:
            equal(sum(Decimal(g["total"]) for g in a["groups"] if g["currency"] == t["currency"]), Decimal(t["total"]))


def test_the_sum_is_that_of_the_bills():
    t = bed()
    a = ask(t.ann)
    equal(totals(a), {"USD": cost(ROWS) + cost(BETA), "EUR": cost(EURO)}, "currencies are apart")
    equal([(x["name"], x["state"]) for x in a["accounts"]],
          [(t.home["name"], "counted"), ("Beta", "counted"), ("Empty", "counted"), ("Euro", "counted")])
    equal((account(a, "Empty")["amounts"], account(a, "Empty")["rows"], a["complete"]), ([], 0, True))
    days = by(ROWS, day)
    for d, v in by(BETA, day).items():
        days[d] = days.get(d, 0) + v
    dollars = next(x for x in a["totals"] if x["currency"] == "USD")
    equal({d: Decimal(c) for d, c in zip(a["buckets"], dollars["cells"]) if Decimal(c)}, {d: v for d, v in days.items() if v})
    adds_up(a)
    adds_up(ask(t.ann, granularity="month"))


def test_grouped_by_a_key_that_all_have():
    t = bed()
    keys = t.ann.get("/api/accounts/keys").expect(200).json["keys"]
    check(any(k["costCenter"] == "Global" and k["key"] == "service" for k in keys), keys[:3])
    a = ask(t.ann, groupBy=[SERVICE])
    want = {("USD", s): v for s, v in by(ROWS + BETA, lambda r: r["ServiceName"]).items()}
    want |= {("EUR", s): v for s, v in by(EURO, lambda r: r["ServiceName"]).items()}
    equal({(g["currency"], g["values"][0]): Decimal(g["total"]) for g in a["groups"]}, want)
    adds_up(a)
    # a virtual tag of one account: the others have no value for it
    tag = t.ann.post("/api/tags", {"name": "Mine", "kind": "rules", "defaultValue": "Untagged", "rules": [{"to": "x", "filters": {
        "costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "is", "value": "Amazon EC2"}}]}).expect(201).json["id"]
    a = ask(t.ann, groupBy=[{"costCenter": "Virtual Tags", "key": tag, "type": "virtual_tag"}])
    ec2 = cost([r for r in ROWS if r["ServiceName"] == "Amazon EC2"])
    equal({(g["currency"], g["values"][0]): Decimal(g["total"]) for g in a["groups"]},
          {("USD", "x"): ec2, ("USD", "Untagged"): cost(ROWS) - ec2, ("USD", ""): cost(BETA), ("EUR", ""): cost(EURO)})
    equal([x["ungrouped"] for x in a["accounts"]], [False, True, True, True])
    check(tag not in str(t.ann.get("/api/accounts/keys").json))
    adds_up(a)
    one = ask(t.ann, filters={"costCenter": "Global", "key": "service", "type": "billing_dimension", "operator": "is", "value": "Amazon EC2"})
    ec2 = lambda rows: cost([r for r in rows if r["ServiceName"] == "Amazon EC2"])
    equal(totals(one), {"USD": ec2(ROWS) + ec2(BETA), "EUR": ec2(EURO)})


def test_each_account_s_rules_and_roles_hold_in_the_sum():
    t = bed()
    b, e = t.inside("Beta"), t.inside("Euro")
    none = e.post("/api/admin/roles", {"name": "no cost", "permissions": ["users.view"]}).expect(201).json["id"]
    dora = t.person("dora@example.com", "basic", Beta="basic")
    e.post("/api/admin/users", {"email": "dora@example.com", "roles": [none]}).expect(201)
    g = b.post("/api/admin/groups", {"name": "EC2 only", "dataAccessEnabled": True, "filters": {
        "costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "is", "value": ["Amazon EC2"]}}).expect(201).json
    b.put("/api/admin/data-access", {"enabled": True}).expect(200)
    b.post(f"/api/admin/groups/{g['id']}/users", {"add": [dora.id]}).expect(204)
    limited = cost([r for r in BETA if r["ServiceName"] == "Amazon EC2"])
    try:
        a = ask(dora, groupBy=[SERVICE])
        equal(totals(a), {"USD": cost(ROWS) + limited})
        equal({g["values"][0] for g in a["groups"]}, {r["ServiceName"] for r in ROWS})
        equal((account(a, "Beta")["limited"], account(a, t.home["name"])["limited"]), (True, False))
        euro = account(a, "Euro")
        equal((euro["state"], euro["amounts"], a["complete"]), ("noPermission", [], False))
        check("ask for costs" in euro["message"])
        equal([x["name"] for x in a["accounts"]], [t.home["name"], "Beta", "Euro"], "an account one is no member of is not named")
        # whichever account the session is in
        dora.post("/api/session/account", {"id": t.id["Beta"]}).expect(204)
        equal(totals(ask(dora)), {"USD": cost(ROWS) + limited})
        # the membership is disabled, and there again
        b.post(f"/api/admin/users/{dora.id}/disable", {}).expect(204)
        a = ask(dora)
        equal((totals(a), account(a, "Beta")["state"]), ({"USD": cost(ROWS)}, "noAccess"))
        b.post(f"/api/admin/users/{dora.id}/enable", {}).expect(204)
        b.post(f"/api/admin/users/{dora.id}/lock", {}).expect(204)
        equal(account(ask(dora), "Beta")["state"], "noAccess")
        # not a member any more: not named any more
        b.ask("DELETE", f"/api/admin/users/{dora.id}").expect(204)
        equal([x["name"] for x in ask(dora)["accounts"]], [t.home["name"], "Euro"])
    finally:
        b.put("/api/admin/data-access", {"enabled": False}).expect(200)


def test_converted_by_the_rates_each_account_has():
    t = bed()
    a = ask(t.ann, currency="USD")
    euro = account(a, "Euro")
    equal((euro["state"], euro["amounts"], a["complete"]), ("noAnswer", [], False), "without a rate it is not counted, and that is said")
    check("EUR" in euro["message"], euro["message"])
    t.inside("Euro").post("/api/currencies/rates", {"rates": [
        {"currency": "EUR", "target": "USD", "day": str(FIRST), "rate": "1.25"}]}).expect(200)
    a = ask(t.ann, currency="USD")
    equal(totals(a), {"USD": cost(ROWS) + cost(BETA) + round10(sum(Decimal(r["EffectiveCost"]) for r in EURO) * Decimal("1.25"))})
    adds_up(a)


def test_what_is_refused():
    t = bed()
    t.ann.post("/api/accounts/query", {"date": {"from": "x", "to": "y"}}).expect(400)
    t.ann.post("/api/accounts/query", {"date": RANGE, "costType": "usageAmount"}).expect(400)
    t.ann.post("/api/accounts/query", {"date": RANGE, "groupBy": [SERVICE] * 21}).expect(400)
    t.ann.post("/api/accounts/query", {"date": RANGE, "filters": {
        "costCenter": "Global", "key": "nowhere", "type": "billing_dimension", "operator": "is", "value": "x"}}).expect(400)
    Browser(t.server).post("/api/accounts/query", {"date": RANGE}).expect(401)
    ben = t.person("ben@example.com", "basic")
    equal(totals(ask(ben)), {"USD": cost(ROWS)})
    t.ann.post("/api/admin/view-as", {"userId": ben.id}).expect(204)
    t.ann.post("/api/accounts/query", {"date": RANGE}).expect(409)
    t.ann.get("/api/accounts/keys").expect(409)
    t.ann.ask("DELETE", "/api/admin/view-as").expect(204)


def test_an_account_that_goes_away_while_asked():
    """Its answer is whole or it is not counted; the others' sums are as they were."""
    t = bed()
    gone = cli(t.data, "account", "create", "Gone").strip()
    t.ann.post(f"/api/admin/accounts/{gone}/members", {"email": ADMIN, "roles": ["admin"]}).expect(201)
    cli(t.data, "load", "--account", gone, "--source", "bill", write_bill(TMP / "together-gone.csv", GOOGLE))
    a = ask(t.ann, currency="original", groupBy=[{"costCenter": "AWS", "key": "service", "type": "billing_dimension"}])
    adds_up(a)
    google = cost([r for r in ROWS + BETA if r["ProviderName"] != "AWS"]) + cost(GOOGLE)
    equal(sum(Decimal(g["total"]) for g in a["groups"] if g["values"] == [""] and g["currency"] == "USD"), google)
    seen, wrong = set(), []
    def loop():
        for _ in range(12):
            a = ask(t.ann, currency="original")
            there = [x for x in a["accounts"] if x["name"] == "Gone" and x["state"] == "counted"]
            seen.add(bool(there))
            if totals(a)["USD"] != cost(ROWS) + cost(BETA) + (cost(GOOGLE) if there else 0):
                wrong.append(a["totals"])
    threads = [threading.Thread(target=loop) for _ in range(2)]
    for x in threads:
        x.start()
    with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
        for table, column in (("account_member", "place"), ("account_place", "id")):
            db.execute(f"DELETE FROM {table} WHERE {column} = ?", (gone,))
    db.close()
    for x in threads:
        x.join()
    equal(wrong, [])
    check("Gone" not in [x["name"] for x in ask(t.ann)["accounts"]])
