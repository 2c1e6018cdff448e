"""Currencies (inform.md 3.7): the rate table, conversion against exact fractions, refusals, who may, the command line."""
import csv
import datetime
import json
import random
import threading
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from farthing import (ADMIN, PASSWORD, TMP, Browser, Key, Server, check, cli, equal, link_of, meta, millis)

COLUMNS = ("BillingAccountId BillingCurrency BillingPeriodStart BillingPeriodEnd ChargePeriodStart ChargePeriodEnd ChargeCategory "
           "ProviderName ServiceName ResourceId BilledCost EffectiveCost ListCost ContractedCost ConsumedQuantity ConsumedUnit Tags"
           ).split()
FIRST, LAST = datetime.date(2024, 1, 20), datetime.date(2024, 3, 20)  # over a leap day
# (currency, target, day, rate): what of a day holds until the next; 1 USD in JPY is asked for the other way round
DAILY = [("EUR", "USD", "2024-01-20", "1.0837"), ("EUR", "USD", "2024-02-25", "1.0912345678"), ("EUR", "USD", "2024-02-29", "1.1"),
         ("EUR", "USD", "2024-03-05", "1.09"), ("GBP", "USD", "2023-12-01", "1.27"), ("GBP", "USD", "2024-02-10", "1.281"),
         ("USD", "JPY", "2024-01-15", "150.25"), ("USD", "JPY", "2024-03-01", "151.5"), ("CHF", "USD", "2024-01-01", "1.0567")]
INVOICED = [("EUR", "USD", "acc-2", "2024-02", "INV-77", "1.2345")]
KEY = lambda key, center="Global", kind="billing_dimension": {"costCenter": center, "key": key, "type": kind}
_made = {}


def day(text):
    return datetime.date.fromisoformat(text)


def days():
    return [FIRST + datetime.timedelta(days=i) for i in range((LAST - FIRST).days + 1)]


def make_rows(seed=11, count=900):
    r, rows = random.Random(seed), []
    for i in range(count):
        d = r.choice(days())
        start = d.replace(day=1)
        places = r.choice((2, 6, 10, 12))
        amount = Decimal(r.randrange(10 ** (places + 5))) / 10 ** places * r.choice((1, 1, 1, -1))
        if r.random() < 0.05:
            amount = Decimal(0)
        rows.append(dict(zip(COLUMNS, [
            r.choice(("acc-1", "acc-2")), r.choice(("USD", "USD", "EUR", "EUR", "GBP", "JPY", "CHF")), f"{start}T00:00:00Z",
            f"{(start + datetime.timedelta(days=32)).replace(day=1)}T00:00:00Z", f"{d}T{r.randrange(24):02}:00:00Z",
            f"{d}T23:59:59Z", "Usage", "AWS", r.choice(("EC2", "S3", "Größe")), f"r-{r.randrange(40)}", f"{amount:f}",
            f"{amount / 2:f}", f"{amount:f}", f"{amount:f}", "1", "Hrs",
            json.dumps({"team": r.choice(("A", "B", "Shared"))})])))
    return rows


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.DictWriter(f, COLUMNS)
        w.writeheader()
        w.writerows(rows)
    return path


ROWS = make_rows()


def row_day(r):
    return day(r["ChargePeriodStart"][:10])


# ---- the reference: rates looked up row by row, products as fractions ----

def straight(a, b, d):
    """The last row between two currencies on or before the day, either way round."""
    best = None
    for currency, target, since, rate in DAILY:
        if day(since) <= d and {currency, target} == {a, b}:
            this = (day(since), currency == a)
            if best is None or this > best[0]:
                best = (this, Fraction(rate) if currency == a else 1 / Fraction(rate))
    return best and best[1]


def price(r, target):
    currency, d = r["BillingCurrency"], row_day(r)
    if currency == target:
        return Fraction(1)
    for c, t, account, month, _, rate in INVOICED:
        if c == currency and account == r["BillingAccountId"] and month == f"{d:%Y-%m}":
            return Fraction(rate) * (1 if t == target else straight(t, target, d))
    if straight(currency, target, d):
        return straight(currency, target, d)
    for other in ["USD"] + sorted({x for c, t, *_ in DAILY for x in (c, t)}):
        if straight(currency, other, d) and straight(other, target, d):
            return straight(currency, other, d) * straight(other, target, d)
    raise KeyError((currency, target, d))


def worth(rows, target="USD", column="EffectiveCost"):
    return sum((Fraction(Decimal(r[column])) * price(r, target) for r in rows), Fraction(0))


def shown(x):
    """Ten decimals, half away from zero."""
    n = abs(x) * 10 ** 10
    whole = n.numerator // n.denominator
    whole += 2 * (n - whole) >= 1
    return Decimal(-whole if x < 0 else whole).scaleb(-10)


def own(currency):
    """In itself."""
    return sum(Fraction(Decimal(r["EffectiveCost"])) for r in ROWS if r["BillingCurrency"] == currency)


def near(got, want, what):
    check(abs(Fraction(Decimal(got)) - want) < Fraction(2, 10 ** 10), what, got, float(want))


# ---- the installation ----

def bed():
    if not _made:
        data = TMP / "currency"
        link = link_of(cli(data, "init", "--admin", ADMIN))
        cli(data, "load", "--source", "bill", write(TMP / "currency.csv", ROWS))
        s = Server(data)
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _made.update(data=data, server=s, browser=b)
    return _made["browser"]


def enter_all(b):
    b.post("/api/currencies/rates", {"rates": [dict(zip(("currency", "target", "day", "rate"), x)) for x in DAILY] + [
        {"currency": c, "target": t, "billingAccount": a, "day": m, "invoice": i, "rate": x} for c, t, a, m, i, x in INVOICED]})\
        .expect(200)


def clear(b):
    while True:
        rates = b.get("/api/currencies/rates?limit=5000").expect(200).json["rates"]
        if not rates:
            return
        for x in rates:
            b.ask("DELETE", f"/api/currencies/rates/{x['id']}").expect(204)


def with_rates():
    b = bed()
    if not _made.get("rates"):
        clear(b)
        enter_all(b)
        _made["rates"] = True
    return b


def question(first=FIRST, last=LAST, **more):
    return {"date": {"from": str(first), "to": str(last)}, "granularity": "accumulated", "costType": "netAmortizedCost", **more}


def ask(status=200, b=None, **more):
    return (b or with_rates()).post("/api/query", question(**more)).expect(status).json


def test_1_without_rates_nothing_is_added_up():
    b = bed()
    a = ask(422, b)
    check("add up CHF and" in a["message"] or "add up" in a["message"], a)
    check("rates" in (a.get("hint") or a["message"]), a)
    j = b.get("/api/currencies").expect(200).json
    equal((j["currency"], j["chosen"], j["pairs"]), ("USD", False, []))
    by = {x["currency"]: x for x in j["bills"]}
    for c in ("CHF", "EUR", "GBP", "JPY", "USD"):
        mine = [row_day(r) for r in ROWS if r["BillingCurrency"] == c]
        paid = [row_day(r) for r in ROWS if r["BillingCurrency"] == c and Decimal(r["EffectiveCost"])]
        equal((by[c]["first"], by[c]["last"]), (str(min(mine)), str(max(mine))), c)
        equal(by[c]["missing"], None if c == "USD" else str(min(paid)), c)
    # one currency alone is answered in itself, as long as nobody has said anything
    one = ask(b=b, filters={**KEY("billing_currency"), "operator": "is", "value": "EUR"})
    equal((one["currency"], one["converted"]), ("EUR", []))
    equal(Decimal(one["total"]["total"]), shown(own("EUR")))


def test_2_original_amounts_by_currency():
    for currency in (None, "original"):
        a = ask(b=bed(), groupBy=[KEY("billing_currency")], granularity="month", previous=True,
                **({"currency": currency} if currency else {}))
        equal((a["currency"], a["total"]["total"]), ("", None))
        equal({g["values"][0]: (g["currency"], Decimal(g["total"])) for g in a["groups"]},
              {c: (c, shown(own(c))) for c in ("CHF", "EUR", "GBP", "JPY", "USD")})
    check("several currencies" in ask(422, bed(), groupBy=[KEY("billing_currency")], top=2)["message"])
    text = bed().post("/api/query.csv", question(groupBy=[KEY("billing_currency")])).expect(200).body.decode()
    equal(text.strip().split("\r\n")[-1].rstrip(), "Total,")


def test_3_rates_are_checked():
    b = bed()
    for bad, field in (({"currency": "EURO"}, "rates[0].currency"), ({"currency": "eur"}, "rates[0].currency"),
                       ({"target": "EUR"}, "rates[0].target"), ({"target": "U"}, "rates[0].target"),
                       ({"day": "2024-02-30"}, "rates[0].day"), ({"day": ""}, "rates[0].day"), ({"day": 5}, "rates[0].day"),
                       ({"rate": "0"}, "rates[0].rate"), ({"rate": "-1.1"}, "rates[0].rate"), ({"rate": "1,1"}, "rates[0].rate"),
                       ({"rate": "1.12345678901234567890"}, "rates[0].rate"), ({"rate": "1e30"}, "rates[0].rate"),
                       ({"invoice": "I"}, "rates[0].billingAccount"), ({"billingAccount": "x" * 201}, "rates[0].billingAccount")):
        good = {"currency": "EUR", "target": "USD", "day": "2024-02-29", "rate": "1.1"}
        j = b.post("/api/currencies/rates", {"rates": [{**good, **bad}]}).expect(400).json
        check(field in j["message"] or field == j.get("field"), bad, j)
    for body in ({}, {"rates": []}, {"rates": {}}, {"rates": ["x"]}):
        b.post("/api/currencies/rates", body).expect(400)
    equal(b.get("/api/currencies/rates").json["rates"], [])
    b.ask("PUT", "/api/currencies", {"currency": "XXL"}).expect(400)
    b.ask("DELETE", "/api/currencies/rates/99").expect(404)
    b.ask("DELETE", "/api/currencies/rates/x").expect(404)
    b.get("/api/currencies/rates?until=soon").expect(400)
    ask(400, b, currency="usd")


def test_4_the_worked_example():
    """100 EUR on 3 May, table 1 May 1.10, 5 May 1.12 -> 110.00 USD."""
    data = TMP / "example"
    cli(data, "init", "--admin", ADMIN)
    row = dict(ROWS[0], BillingCurrency="EUR", BilledCost="100", EffectiveCost="100", ListCost="100", ContractedCost="100",
               BillingPeriodStart="2026-05-01T00:00:00Z", BillingPeriodEnd="2026-06-01T00:00:00Z",
               ChargePeriodStart="2026-05-03T00:00:00Z", ChargePeriodEnd="2026-05-04T00:00:00Z")
    cli(data, "load", "--source", "x", write(TMP / "example.csv", [row]))
    rates = TMP / "example-rates.csv"
    rates.write_text("day,currency,target,rate\n2026-05-05,EUR,USD,1.12\n2026-05-01,EUR,USD,1.10\n")
    check("2 new" in cli(data, "currency", "load", "--dry-run", rates))
    line = ["query", "--from", "2026-05-01", "--to", "2026-05-31", "--format", "json"]
    j = json.loads(cli(data, *line))
    equal((j["currency"], j["total"]["total"]), ("EUR", "100.00"), "nobody has said anything yet")
    check("2 new" in cli(data, "currency", "load", rates))
    check("2 as they were" in cli(data, "currency", "load", rates))
    j = json.loads(cli(data, *line))
    equal((j["currency"], j["converted"], j["total"]["total"]), ("USD", ["EUR"], "110.00"))
    check("USD converted from EUR" in cli(data, "query", "--from", "2026-05-01", "--to", "2026-05-31"))
    j = json.loads(cli(data, *line, "--currency", "original"))
    equal((j["currency"], j["total"]["total"]), ("EUR", "100.00"))
    cli(data, *line, "--currency", "dollars", code=2)
    cli(data, *line, "--currency", "GBP", code=1)
    cli(data, "currency", "use", "EUR")
    equal(json.loads(cli(data, *line))["total"]["total"], "100.00")
    shown_ = cli(data, "currency", "show")
    check("account currency: EUR\n" in shown_ and "rates EUR to USD: 2, 2026-05-01 to 2026-05-05, last 1.12" in shown_, shown_)
    cli(data, "currency", "use", "EURO", code=2)
    cli(data, "currency", code=2)


def test_total_groups_and_buckets():
    a = ask(groupBy=[KEY("service")], granularity="day", previous=True)
    equal((a["currency"], a["converted"]), ("USD", ["CHF", "EUR", "GBP", "JPY"]))
    equal(Decimal(a["total"]["total"]), shown(worth(ROWS)))
    equal(a["buckets"], [str(d) for d in days()])
    for g in a["groups"]:
        mine = [r for r in ROWS if r["ServiceName"] == g["values"][0]]
        near(g["total"], worth(mine), g["values"])
        for d, cell in zip(days(), g["cells"]):
            near(cell, worth([r for r in mine if row_day(r) == d]), (g["values"], d))
        equal(sum(map(Decimal, g["cells"])), Decimal(g["total"]))
    equal(sum(Decimal(g["total"]) for g in a["groups"]), Decimal(a["total"]["total"]))
    for i, _ in enumerate(days()):
        equal(sum(Decimal(g["cells"][i]) for g in a["groups"]), Decimal(a["total"]["cells"][i]))


def test_every_door_and_display_currency():
    for target in ("USD", "EUR", "JPY", "GBP", "CHF"):
        a = ask(currency=target, granularity="month")
        equal((a["currency"], Decimal(a["total"]["total"])), (target, shown(worth(ROWS, target))), target)
        equal(a["question"]["currency"], target)
        near(a["total"]["cells"][1], worth([r for r in ROWS if row_day(r).month == 2], target), target)
    key = Key(_made["data"]) if "key" not in _made else _made["key"]
    got = key.post(_made["server"], "/cost-service/cost", {
        "date": {"from": millis(FIRST), "to": millis(LAST), "type": "month"}, "costType": "netAmortizedCost"}).expect(200)
    equal((got.json["currency"], Decimal(got.json["total"])), ("USD", shown(worth(ROWS))), "the public API")
    line = ["query", "--from", str(FIRST), "--to", str(LAST), "--cost-type", "netAmortizedCost", "--format", "json"]
    equal(Decimal(json.loads(cli(_made["data"], *line, "--currency", "JPY"))["total"]["total"]), shown(worth(ROWS, "JPY")))


def test_random_questions():
    r = random.Random(5)
    keys = {"service": "ServiceName", "resource_id": "ResourceId", "billing_currency": "BillingCurrency",
            "billing_account_id": "BillingAccountId"}
    for i in range(40):
        first = r.choice(days())
        last = r.choice([d for d in days() if d >= first])
        target = r.choice(("USD", "EUR", "GBP", "JPY"))
        names = r.sample(sorted(keys), r.randrange(3))
        column, cost = r.choice((("EffectiveCost", "netAmortizedCost"), ("BilledCost", "netUnblendedCost"), ("ListCost", "listCost")))
        services = r.sample(["EC2", "S3", "Größe"], r.randrange(1, 4))
        rows = [x for x in ROWS if first <= row_day(x) <= last and x["ServiceName"] in services]
        top = r.choice((0, 0, 2))
        a = ask(first=first, last=last, currency=target, costType=cost, groupBy=[KEY(n) for n in names], top=top,
                granularity=r.choice(("accumulated", "day", "week", "month")), previous=True,
                filters={**KEY("service"), "operator": "oneOf", "value": services})
        what = (i, first, last, target, names, cost, services, top)
        equal(Decimal(a["total"]["total"]), shown(worth(rows, target, column)), what)
        n = (last - first).days + 1
        before = [x for x in ROWS if 0 < (first - row_day(x)).days <= n and x["ServiceName"] in services]
        equal(Decimal(a["total"]["previous"]), shown(worth(before, target, column)), what)
        for g in a["groups"]:
            if not g["isOthers"]:
                mine = [x for x in rows if all(x[keys[k]] == v for k, v in zip(names, g["values"]))]
                near(g["total"], worth(mine, target, column), (what, g["values"]))
        equal(sum(Decimal(g["total"]) for g in a["groups"]), Decimal(a["total"]["total"]) if a["groups"] else 0, what)


def test_hours_read_bill_rows():
    first, last = day("2024-02-28"), day("2024-03-01")
    rows = [r for r in ROWS if first <= row_day(r) <= last]
    a = ask(first=first, last=last, granularity="hour", groupBy=[KEY("service")])
    equal(Decimal(a["total"]["total"]), shown(worth(rows)))
    for g in a["groups"]:
        for at, cell in zip(a["buckets"], g["cells"]):
            mine = [r for r in rows if r["ServiceName"] == g["values"][0] and r["ChargePeriodStart"][:13] == at[:13]]
            near(cell, worth(mine), (g["values"], at))


def test_a_missing_rate_is_named():
    b = bed()
    clear(b)
    _made["rates"] = False
    b.post("/api/currencies/rates", {"rates": [{"currency": "EUR", "target": "USD", "day": "2024-02-10", "rate": "1.1"}]}).expect(200)
    eur = sorted(row_day(r) for r in ROWS if r["BillingCurrency"] == "EUR" and Decimal(r["EffectiveCost"]))
    only = {**KEY("billing_currency"), "operator": "oneOf", "value": ["EUR", "USD"]}
    for more in ({}, {"granularity": "day"}, {"granularity": "hour"}, {"groupBy": [KEY("service")]}):
        a = ask(422, b, filters=only, **more)
        check(f"from EUR to USD for {eur[0]}" in a["message"], more, a)
    a = ask(422, b, first=day("2024-02-01"), filters=only)
    check(f"for {min(d for d in eur if d >= day('2024-02-01'))}" in a["message"], a)
    ask(b=b, first=day("2024-02-10"), filters=only)
    ask(b=b, first=day("2024-02-10"), filters={**KEY("billing_currency"), "operator": "is", "value": "USD"})
    # usage has no currency
    ask(b=b, costType="usageAmount")
    j = b.get("/api/currencies").json
    equal({x["currency"]: x["missing"] for x in j["bills"]}["EUR"], str(eur[0]))
    # the last earlier rate holds, however late
    a = ask(b=b, first=day("2024-03-01"), filters={**KEY("billing_currency"), "operator": "is", "value": "EUR"})
    rows = [r for r in ROWS if r["BillingCurrency"] == "EUR" and row_day(r) >= day("2024-03-01")]
    equal(Decimal(a["total"]["total"]), shown(sum(Fraction(Decimal(r["EffectiveCost"])) for r in rows) * Fraction("1.1")))


def test_changes_act_at_once_and_are_kept():
    b = bed()
    clear(b)
    _made["rates"] = False
    only = {"filters": {**KEY("billing_currency"), "operator": "is", "value": "EUR"}, "b": b}
    plain = sum(Fraction(Decimal(r["EffectiveCost"])) for r in ROWS if r["BillingCurrency"] == "EUR")
    enter = lambda rate: b.post("/api/currencies/rates", {"rates": [
        {"currency": "EUR", "day": "2024-01-01", "rate": rate}]}).expect(200).json
    equal(enter("1.10")["added"], 1)
    equal(Decimal(ask(**only)["total"]["total"]), shown(plain * Fraction("1.1")))
    equal(enter("1.1")["same"], 1)
    equal(enter("2")["changed"], 1)
    equal(Decimal(ask(**only)["total"]["total"]), shown(plain * 2))
    live = b.get("/api/currencies/rates?currency=EUR&target=USD").json
    equal([(x["rate"], x["origin"], x["enteredBy"], x["endedAt"]) for x in live["rates"]], [("2", "form", ADMIN, None)])
    old = b.get("/api/currencies/rates?history=true&limit=3").json["rates"]
    equal([(x["rate"], x["endedBy"]) for x in old[:2]], [("2", ""), ("1.1", ADMIN)])
    check(old[1]["endedAt"], old[1])
    b.ask("PUT", "/api/currencies", {"currency": "EUR"}).expect(204)
    a = ask(**only)
    equal((a["currency"], Decimal(a["total"]["total"])), ("EUR", shown(plain)))
    b.ask("PUT", "/api/currencies", {"currency": "USD"}).expect(204)
    b.ask("DELETE", f"/api/currencies/rates/{live['rates'][0]['id']}").expect(204)
    b.ask("DELETE", f"/api/currencies/rates/{live['rates'][0]['id']}").expect(404)
    check("no rate from EUR to USD" in ask(422, **only)["message"])
    seen = [x[0] for x in meta(_made["data"]).execute("SELECT action FROM audit WHERE action LIKE 'currency.%' ORDER BY seq")]
    check({"currency.rates", "currency.rate.end", "currency.account"} <= set(seen), seen)


def csv_post(b, text, dry=False, status=200):
    return b.ask("POST", "/api/currencies/csv" + ("?dryRun=true" if dry else ""), text.encode() if isinstance(text, str) else text,
                 {"Content-Type": "application/octet-stream"}).expect(status).json


def test_csv():
    b = bed()
    clear(b)
    _made["rates"] = False
    good = "\ufeffDate,From,To,Rate,Billing account,Invoice\r\n2024-02-29,EUR,USD,1.1,,\r\n2024-02,GBP,,1.3,acc-9,I-1\r\n"
    j = csv_post(b, good, dry=True)
    equal((j["rows"], j["added"], j["errors"]), (2, 2, []))
    equal(b.get("/api/currencies/rates").json["count"], 0, "trying saves nothing")
    equal(csv_post(b, good)["added"], 2)
    equal(csv_post(b, good)["same"], 2)
    kept = {(x["currency"], x["target"], x["day"], x["rate"], x["billingAccount"], x["invoice"], x["origin"])
            for x in b.get("/api/currencies/rates").json["rates"]}
    equal(kept, {("EUR", "USD", "2024-02-29", "1.1", "", "", "csv"), ("GBP", "USD", "2024-02-01", "1.3", "acc-9", "I-1", "csv")})
    bad = 'day,currency,rate\n2023-02-29,EUR,1\n2024-02-29,EUR,"1,1"\n2024-03-01,EUR,1.2\n2024-03-01,EUR,1.3\n2024-03-02,XX,1\n"x\ny",EUR,1\n'
    j = csv_post(b, bad, dry=True)
    equal(sorted((x["line"], x["message"].split()[0]) for x in j["errors"]),
          [(2, "day"), (3, "rate"), (5, "rate"), (6, "currency"), (7, "day")])
    check("line 4" in next(x["message"] for x in j["errors"] if x["line"] == 5), j)
    equal(csv_post(b, bad, dry=True)["errorCount"], 5)
    j = csv_post(b, bad, status=422)
    check("line " in j["message"] and "4 more" in j["message"], j)
    equal(b.get("/api/currencies/rates").json["count"], 2, "all or nothing")
    for text, word in (("", "column"), ("day,currency\n", "rate"), ("day;currency;rate\n", "commas"), ("day,day,currency,rate\n", "two"),
                       ("day,currency,rate\n", "no rates"), (b"day,currency,rate\n\xff", "UTF-8"), ('day,currency,rate\n"a', "quote")):
        check(word in csv_post(b, text, status=422)["message"], text, word)
    many = "day,currency,rate\n" + "".join(f"{datetime.date(2000, 1, 1) + datetime.timedelta(days=i)},NOK,0.{i + 1:05}\n" for i in range(9000))
    equal(csv_post(b, many)["added"], 9000)
    page = b.get("/api/currencies/rates?currency=NOK&until=2000-01-03&limit=2").json
    equal(([x["day"] for x in page["rates"]], page["count"]), (["2000-01-03", "2000-01-02"], 3))
    equal([(x["currency"], x["rates"]) for x in b.get("/api/currencies").json["pairs"]], [("EUR", 1), ("GBP", 1), ("NOK", 9000)])


def person(b, role):
    made = b.post("/api/admin/users", {"email": f"{role}@example.com", "roles": [role]}).expect(201).json
    who = Browser(_made["server"])
    who.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
    who.id = made["id"]
    return who


def test_who_may_and_row_rules():
    b = with_rates()
    reader = person(b, "read-only")
    reader.get("/api/currencies").expect(200)
    reader.get("/api/currencies/rates").expect(200)
    for method, path, body in (("PUT", "/api/currencies", {"currency": "EUR"}), ("POST", "/api/currencies/rates", {"rates": []}),
                               ("POST", "/api/currencies/csv", b"x"), ("DELETE", "/api/currencies/rates/1", None)):
        more = {"Content-Type": "application/octet-stream"} if body == b"x" else None
        check("account.edit" in reader.ask(method, path, body, more).expect(403).json["message"], path)
    _made["server"].ask("GET", "/api/currencies").expect(401)
    b.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        g = b.post("/api/admin/groups", {"name": "acc-2", "dataAccessEnabled": True, "filters": {
            **KEY("billing_account_id"), "operator": "is", "value": ["acc-2"]}}).expect(201).json
        b.post(f"/api/admin/groups/{g['id']}/users", {"add": [reader.id]}).expect(204)
        mine = [r for r in ROWS if r["BillingAccountId"] == "acc-2"]
        equal(Decimal(ask(b=reader)["total"]["total"]), shown(worth(mine)))
        a = ask(b=reader, groupBy=[KEY("billing_currency")], currency="EUR")
        equal(Decimal(a["total"]["total"]), shown(worth(mine, "EUR")))
        for x in reader.get("/api/currencies").json["bills"]:
            seen = [row_day(r) for r in mine if r["BillingCurrency"] == x["currency"]]
            equal((x["first"], x["last"]), (str(min(seen)), str(max(seen))), "other people's days are not told")
    finally:
        b.ask("PUT", "/api/admin/data-access", {"enabled": False}).expect(200)


def make_tag(b, name, allocations=()):
    of = {"costCenter": "Global", "key": "team", "type": "tag"}
    return b.post("/api/tags", {"name": name, "kind": "rules", "defaultValue": "Untagged", "allocations": list(allocations),
                                "rules": [{"to": of, "filters": {**of, "operator": "exists"}}]}).expect(201).json["id"]


def team(r):
    return json.loads(r["Tags"])["team"]


def test_virtual_tags():
    b = with_rates()
    tag = make_tag(b, "money teams")
    a = ask(groupBy=[KEY(tag, "virtualTag", "virtual_tag")], granularity="week", currency="GBP")
    equal(Decimal(a["total"]["total"]), shown(worth(ROWS, "GBP")))
    for g in a["groups"]:
        near(g["total"], worth([r for r in ROWS if team(r) == g["values"][0]], "GBP"), g["values"])
    rule = {"to": "x", "filters": {"costCenter": "AWS", "key": "team", "type": "tag", "operator": "is", "value": ["A"]}}
    p = b.post("/api/tags/preview", {"document": {"name": "t", "kind": "rules", "default": "rest", "rules": [rule]},
                                     "date": {"from": str(FIRST), "to": str(LAST)}, "costType": "netAmortizedCost"}).expect(200).json
    equal((p["currency"], Decimal(p["total"])), ("USD", shown(worth(ROWS))))
    near(next(v["cost"] for v in p["values"] if v["value"] == "x"), worth([r for r in ROWS if team(r) == "A"]), "preview")


def shares(target):
    """Shared by what A and B cost on the day, in the target's currency; a value below nothing weighs nothing."""
    out = {"A": Fraction(0), "B": Fraction(0), "Shared": Fraction(0)}
    for d in days():
        own = {v: worth([r for r in ROWS if row_day(r) == d and team(r) == v], target) for v in out}
        w = {v: max(own[v], Fraction(0)) for v in "AB"}
        for v in "AB":
            out[v] += own[v] + (own["Shared"] * w[v] / sum(w.values()) if sum(w.values()) else 0)
        out["Shared"] += 0 if sum(w.values()) else own["Shared"]
    return out


def test_reallocation():
    b = with_rates()
    tag = make_tag(b, "money shared", [{"name": "Shared", "type": "proportional", "active": True, "data": {}}])
    for target in ("USD", "EUR"):
        a = ask(groupBy=[KEY(tag, "virtualTag", "virtual_tag")], granularity="month", currency=target, shared=True)
        equal((a["currency"], Decimal(a["total"]["total"])), (target, shown(worth(ROWS, target))))
        want = shares(target)
        for g in a["groups"]:
            near(g["total"], want[g["values"][0]], (target, g["values"]))
        equal(sum(Decimal(g["total"]) for g in a["groups"]), Decimal(a["total"]["total"]))
    m = b.post("/api/tags/reallocation", {"document": b.get(f"/api/tags/{tag}").expect(200).json, "date": {"from": str(FIRST), "to": str(LAST)},
                                   "costType": "netAmortizedCost"}).expect(200).json
    equal((m["currency"], Decimal(m["total"]["before"]), Decimal(m["total"]["after"])), ("USD", shown(worth(ROWS)), shown(worth(ROWS))))
    _made["browser"].ask("DELETE", f"/api/tags/{tag}")


def test_values_are_ranked_by_converted_cost():
    b = with_rates()
    j = b.post("/api/values", {"costCenter": "Global", "key": "billing_currency", "date": {"from": str(FIRST), "to": str(LAST)},
                               "costType": "netAmortizedCost"}).expect(200).json
    want = {c: shown(worth([r for r in ROWS if r["BillingCurrency"] == c])) for c in ("CHF", "EUR", "GBP", "JPY", "USD")}
    for v in j["values"]:
        near(v["cost"], Fraction(want[v["value"]]), v)
    equal([v["value"] for v in j["values"]], sorted(want, key=lambda c: -want[c]))


def test_a_custom_cost_in_another_currency():
    b = with_rates()
    made = b.post("/api/custom-costs", {"name": "Licence", "amount": "120", "currency": "EUR", "start": "2024-02-29"}).expect(201).json
    try:
        a = ask(filters={**KEY("service"), "operator": "is", "value": "EC2"})
        extra = Fraction(120) * Fraction("1.1")
        equal(Decimal(a["unfiltered"]), shown(worth(ROWS) + extra))
        equal(Decimal(ask()["total"]["total"]), shown(worth(ROWS) + extra))
    finally:
        b.ask("DELETE", f"/api/custom-costs/{made['id']}").expect(204)


def test_more_groups_than_one_scan_holds():
    """2,920 resources on 731 days: the cells of the shown groups are scanned again, a few days at a time."""
    data, r = TMP / "many", random.Random(3)
    cli(data, "init", "--admin", ADMIN)
    first, rows = day("2023-01-01"), []
    for i in range(5840):
        d = first + datetime.timedelta(days=(i * 7) % 731)
        rows.append(dict(ROWS[0], ResourceId=f"r-{i % 2920}", BillingCurrency=("EUR", "USD", "GBP")[i % 3], BillingAccountId="acc-1",
                         BilledCost=f"{i}.25", EffectiveCost=f"{i}.25", ListCost=f"{i}.25", ContractedCost=f"{i}.25",
                         BillingPeriodStart=f"{d:%Y-%m}-01T00:00:00Z", ChargePeriodStart=f"{d}T00:00:00Z",
                         BillingPeriodEnd=f"{(d.replace(day=1) + datetime.timedelta(days=32)):%Y-%m}-01T00:00:00Z",
                         ChargePeriodEnd=f"{d + datetime.timedelta(days=1)}T00:00:00Z"))
    cli(data, "load", "--source", "x", write(TMP / "many.csv", rows))
    table = TMP / "many-rates.csv"
    rate = {c: [(first + datetime.timedelta(days=90 * i), Fraction(r.randrange(900000, 1500000), 1000000)) for i in range(9)] for c in ("EUR", "GBP")}
    table.write_text("day,currency,target,rate\n" + "".join(f"{d},{c},USD,{float(x):.6f}\n" for c, l in rate.items() for d, x in l))
    cli(data, "currency", "load", table)

    def own(x):
        held = [v for d, v in rate.get(x["BillingCurrency"], []) if d <= row_day(x)]
        return Fraction(Decimal(x["EffectiveCost"])) * (held[-1] if held else 1)

    j = json.loads(cli(data, "query", "--from", str(first), "--to", "2024-12-31", "--group-by", "ResourceId", "--granularity", "daily",
                       "--top", "3", "--format", "json"), parse_float=Decimal)
    equal((j["currency"], j["groupCount"], len(j["buckets"])), ("USD", 2920, 731))
    equal(Decimal(j["total"]["total"]), shown(sum(map(own, rows))))
    for g in j["groups"]:
        mine = [x for x in rows if x["ResourceId"] == g["values"][0]] if not g["isOthers"] else None
        if mine:
            near(g["total"], sum(map(own, mine)), g["values"])
            at = {str(row_day(x)) for x in mine}
            equal({b for b, c in zip(j["buckets"], g["cells"]) if Decimal(c)}, at, g["values"])
    equal(sum(Decimal(g["total"]) for g in j["groups"]), Decimal(j["total"]["total"]))


def test_two_at_once():
    b = with_rates()
    want, wrong = {t: shown(worth(ROWS, t)) for t in ("USD", "EUR", "GBP")}, []

    def run(target):
        for _ in range(5):
            got = Decimal(ask(currency=target, b=Browser(_made["server"], b.cookie))["total"]["total"])
            if got != want[target]:
                wrong.append((target, got))

    threads = [threading.Thread(target=run, args=(t,)) for t in want]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(wrong, [])
