"""Data quality and reconciliation: a bill that is restated, has a gap, comes twice and is invoiced in part."""
from decimal import Decimal

from farthing import Browser, Server, check, cli, equal, link_of, wait_until, TMP, PASSWORD

HEADER = ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingAccountId", "BillingCurrency", "BillingPeriodStart",
          "ChargeCategory", "ChargePeriodStart", "ProviderName", "ServiceName", "InvoiceId"]


def bill(name, rows):
    path = f"{TMP}/{name}.csv"
    with open(path, "w", encoding="utf-8") as f:
        f.write(",".join(HEADER) + "\n")
        for day, cost, category, invoice in rows:
            f.write(f"{cost},{cost},{cost},{cost},b1,EUR,{day[:7]}-01T00:00:00Z,{category},{day}T00:00:00Z,AWS,EC2,{invoice}\n")
    return path


FIRST = [("2026-08-01", "10.00", "Usage", "I-1"), ("2026-08-02", "5.25", "Usage", "I-1"), ("2026-08-05", "1", "Tax", "I-1")]
SECOND = [("2026-08-01", "10.00", "Usage", "I-1"), ("2026-08-02", "6.75", "Usage", "I-1"), ("2026-08-05", "1", "Tax", "I-1"),
          ("2026-08-06", "0.000000000000000005", "Usage", ""), ("2026-08-07", "3", "Usage", "")]
_server = []


def ask():
    if not _server:
        data = f"{TMP}/quality"
        link = link_of(cli(data, "init", "--admin", "ann@example.com"))
        for rows in (FIRST, SECOND):
            cli(data, "load", "--source", "aws", bill("q", rows))
        cli(data, "load", "--source", "aws", bill("q", SECOND))
        with open(bill("bad", [("2026-08-01", "twelve", "Usage", "")])) as f:
            cli(data, "load", "--source", "aws", f.name, code=1)
        s = Server(data)
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _server.append(b)
    return _server[0]


def test_deliveries_gaps_and_restatements():
    q = ask().get("/api/quality").expect(200).json
    s = q["sources"][0]
    equal(s["name"], "aws")
    equal((s["firstDay"], s["knownTo"]), ("2026-08-01", "2026-08-07"))
    equal(s["missingDays"], ["2026-08-03", "2026-08-04"])
    equal((s["missing"], s["duplicates"], s["failed"]), (2, 1, 1))
    check("twelve" in s["lastFailure"])
    check(s["lateDays"] > 10)
    r = s["restatements"]
    equal(len(r), 1)
    equal((r[0]["period"], r[0]["currency"], r[0]["changedDays"]), ("2026-08", "EUR", 3))
    equal((Decimal(r[0]["before"]), Decimal(r[0]["after"]), Decimal(r[0]["change"])), (Decimal("16.25"), Decimal("20.75"), Decimal("4.5")))
    equal([(d["day"], Decimal(d["before"]), Decimal(d["after"])) for d in r[0]["days"]],
          [("2026-08-02", Decimal("5.25"), Decimal("6.75")), ("2026-08-06", 0, 0), ("2026-08-07", 0, 3)])


def month():
    m = ask().get("/api/reconcile").expect(200).json["months"]
    equal(len(m), 1)
    return m[0]


def test_a_month_against_its_invoice():
    m = month()
    equal((m["source"], m["period"], m["currency"], m["rows"]), ("aws", "2026-08", "EUR", 5))
    equal(Decimal(m["billed"]), Decimal("20.75"))
    equal((m["against"], m["state"], Decimal(m["expected"]), Decimal(m["difference"])), ("bill", "differs", Decimal("17.75"), Decimal("3")))
    equal({(c["category"], c["rows"], Decimal(c["amount"])) for c in m["charges"]}, {("Usage", 4, Decimal("19.75")), ("Tax", 1, Decimal(1))})
    equal([(i["number"], i["rows"], Decimal(i["amount"])) for i in m["invoices"]], [("I-1", 3, Decimal("17.75"))])
    equal((m["openRows"], Decimal(m["open"])), (2, Decimal(3)))
    name = {"sourceId": m["sourceId"], "period": "2026-08", "currency": "EUR", "number": "2026/77 é"}
    ask().ask("PUT", "/api/reconcile/invoice", {**name, "amount": "1,020.75", "note": "by post"}).expect(204)
    m = month()
    equal((m["against"], m["state"], Decimal(m["difference"])), ("entered", "differs", Decimal("-1000")))
    ask().ask("PUT", "/api/reconcile/invoice", {**name, "amount": "20.75"}).expect(204)
    m = month()
    equal((m["state"], Decimal(m["difference"]), len(m["entered"]), m["entered"][0]["by"]), ("equal", 0, 1, "ann@example.com"))
    ask().post("/api/reconcile/invoice/delete", name).expect(204)
    ask().post("/api/reconcile/invoice/delete", name).expect(404)
    equal(month()["against"], "bill")


def test_wrong_invoices_change_nothing():
    good = {"sourceId": month()["sourceId"], "period": "2026-08", "currency": "EUR", "number": "1", "amount": "1"}
    for field, value, code in (("period", "2026-13", 400), ("period", "August", 400), ("currency", "EURO", 400), ("number", "", 400), ("amount", "many", 400),
                               ("amount", "0.0000000000000000001", 400), ("note", "x" * 1001, 400), ("sourceId", 99, 404), ("sourceId", "1", 400)):
        r = ask().ask("PUT", "/api/reconcile/invoice", {**good, field: value}).expect(code)
        equal(r.json.get("field"), field, str(value)[:20])
    equal(month()["entered"], [])
