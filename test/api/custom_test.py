"""Custom costs over HTTP (inform.md 12, integrations.md 12): what is entered or uploaded becomes ordinary lines.

Expected amounts are the spec's worked examples and python decimals; an installation and a server of its own.
"""
import datetime
from decimal import Decimal

from farthing import (ADMIN, PASSWORD, ROWS, TMP, TODAY, Browser, Key, Server, check, cli, equal, link_of, round10,
                      wait_until, write_bill)

_made = {}
E18 = Decimal("1e-18")


def bed():
    if not _made:
        data = TMP / "custom-data"
        link = link_of(cli(data, "init", "--admin", ADMIN))
        cli(data, "load", "--source", "bill", write_bill(TMP / "custom-bill.csv", ROWS))
        _made.update(data=data, admin=Key(data, "admin"), token=Key(data), server=Server(data))
        b = Browser(_made["server"])
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _made["browser"] = b
    return _made


def page():
    return bed()["browser"]


def total(first, last, *filters, by=None):
    """The net amortized cost of the days as text, exactly."""
    q = {"date": {"from": first, "to": last}, "filters": {"AND": list(filters)}, "granularity": "day"}
    if by:
        q["groupBy"] = [by]
    return page().post("/api/query", q).expect(200).json


CUSTOM = {"costCenter": "Global", "key": "cost_center_type", "type": "billing_dimension", "operator": "is", "value": "Custom Cost"}


def of_service(name):
    return {"costCenter": "Global", "key": "service", "type": "billing_dimension", "operator": "is", "value": name}


def enter(**more):
    return page().post("/api/custom-costs", {"name": "Licence", "amount": "1200", "start": "2026-01-01", **more})


def drop(entry):
    page().ask("DELETE", "/api/custom-costs/" + entry["id"]).expect(204)


def test_amortised_licence():
    """inform.md 12: 1,200 for 1 Jan-31 Dec 2026: 1,200/365 = 3.287671 a day, the sum is exactly 1,200."""
    body = {"end": "2026-12-31", "spread": "amortize", "service": "JetBrains", "dimensions": {"team": "core", "größe": "日本"}}
    preview = page().post("/api/custom-costs/preview", {"name": "Licence", "amount": "1200", "start": "2026-01-01", **body}).expect(200).json
    equal((len(preview["days"]), preview["total"], preview["currency"]), (365, "1200.00", "USD"))
    share = (Decimal(1200) / 365).quantize(E18, rounding="ROUND_FLOOR")
    left = int((Decimal(1200) - share * 365) / E18)
    equal([Decimal(d["cost"]) for d in preview["days"]], [share + (E18 if i < left else 0) for i in range(365)])
    equal(preview["days"][0]["cost"][:8], "3.287671")
    made = enter(**body).expect(201).json
    a = total("2026-01-01", "2026-12-31", CUSTOM, of_service("JetBrains"))
    equal(a["total"]["total"], "1200.00")
    equal(len(a["buckets"]), 365)
    by_team = total("2026-01-01", "2026-12-31", of_service("JetBrains"), by={"costCenter": "Custom Cost", "key": "team", "type": "tag"})
    equal([(g["values"], g["total"]) for g in by_team["groups"]], [(["core"], "1200.00")])
    listed = page().get("/api/custom-costs").json["entries"]
    equal([(e["id"], e["amount"], e["dimensions"]) for e in listed], [(made["id"], "1200", body["dimensions"])])
    equal(listed[0]["createdBy"], ADMIN)
    drop(made)
    equal(total("2026-01-01", "2026-12-31", CUSTOM)["total"]["total"], "0.00")
    cli(bed()["data"], "check")


def test_recurring_and_month_ends():
    def days(**body):
        a = page().post("/api/custom-costs/preview", {"name": "x", "amount": "10", **body}).expect(200).json
        return [d["day"] for d in a["days"]]
    equal(days(recurrence="monthly", start="2026-01-31", end="2026-05-31"),
          ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"])
    equal(days(recurrence="monthly", start="2028-01-30", end="2028-03-29"), ["2028-01-30", "2028-02-29"])
    equal(days(recurrence="yearly", start="2024-02-29", end="2028-12-31"),
          ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"])
    equal(days(recurrence="weekly", start="2026-01-01", end="2026-01-15"), ["2026-01-01", "2026-01-08", "2026-01-15"])
    equal(days(recurrence="daily", start="2026-02-27", end="2026-03-01"), ["2026-02-27", "2026-02-28", "2026-03-01"])
    equal(days(start="2026-02-27"), ["2026-02-27"])
    # no end: up to today
    equal(days(recurrence="daily", start=str(TODAY - datetime.timedelta(days=3)))[-1], str(TODAY))
    # each month's amount over its days
    a = page().post("/api/custom-costs/preview", {"name": "x", "amount": "31", "recurrence": "monthly", "spread": "amortize",
                                                  "start": "2026-01-01", "end": "2026-02-28"}).expect(200).json
    equal((len(a["days"]), a["total"], a["days"][0]["cost"]), (59, "62.00", "1.00"))
    # negative: split on its absolute value
    a = page().post("/api/custom-costs/preview", {"name": "x", "amount": "-1", "spread": "amortize", "start": "2026-01-01",
                                                  "end": "2026-01-03"}).expect(200).json
    third = Decimal("0.333333333333333333")
    equal([Decimal(d["cost"]) for d in a["days"]], [-third - E18, -third, -third])


def test_negative_entry_is_a_credit():
    enter(name="Refund", amount="-12.3456789012345678912", start="2026-03-05").expect(400)  # 19 decimals
    made = enter(name="Refund", amount="-12.34567890123456789", start="2026-03-05", service="Refunds").expect(201).json
    a = total("2026-03-01", "2026-03-31", of_service("Refunds"))
    equal(a["total"]["total"], str(round10(Decimal("-12.34567890123456789"))))
    rows = page().post("/api/rows", {"date": {"from": "2026-03-01", "to": "2026-03-31"}, "filters": of_service("Refunds")}).json
    check("Credit" in rows["rows"][0])
    drop(made)


def test_percentages():
    """5 % of 200 is 10; never of themselves or of each other."""
    base = enter(name="Base", amount="200", start="2026-04-10", service="Base").expect(201).json
    pct = {"name": "Markup", "amount": None, "percent": "5", "start": "2026-04-01", "end": "2026-04-30", "service": "Markup",
           "filters": of_service("Base")}
    equal(page().post("/api/custom-costs/preview", pct).expect(200).json["total"], "10.00")
    markup = enter(**pct).expect(201).json
    everything = enter(**{**pct, "name": "All", "percent": 10, "service": "All", "filters": {}}).expect(201).json
    equal(total("2026-04-01", "2026-04-30", of_service("Markup"))["total"]["total"], "10.00")
    equal(total("2026-04-01", "2026-04-30", of_service("All"))["total"]["total"], "20.00")
    # again and again gives the same
    page().ask("PUT", "/api/custom-costs/" + everything["id"], {**everything, "note": "again"}).expect(200)
    equal(total("2026-04-01", "2026-04-30", CUSTOM)["total"]["total"], "230.00")
    # what they are of changes: they follow
    page().ask("PUT", "/api/custom-costs/" + base["id"], {**base, "amount": "-300"}).expect(200)
    equal(total("2026-04-01", "2026-04-30", of_service("Markup"))["total"]["total"], "-15.00")
    for e in (everything, markup, base):
        drop(e)
    equal(total("2026-04-01", "2026-04-30", CUSTOM)["total"]["total"], "0.00")


def test_edit_undo_versions():
    made = enter(name="Undo", amount="5", start="2026-05-05", service="Undo").expect(201).json
    page().ask("PUT", "/api/custom-costs/" + made["id"], {**made, "amount": "7", "start": "2026-06-06"}).expect(200)
    equal([total(f"2026-0{m}-01", f"2026-0{m}-28", of_service("Undo"))["total"]["total"] for m in (5, 6)], ["0.00", "7.00"])
    back = page().post(f"/api/custom-costs/{made['id']}/undo", {}).expect(200).json["entry"]
    equal(back["amount"], "5")
    equal([total(f"2026-0{m}-01", f"2026-0{m}-28", of_service("Undo"))["total"]["total"] for m in (5, 6)], ["5.00", "0.00"])
    drop(made)
    equal(page().post(f"/api/custom-costs/{made['id']}/undo", {}).expect(200).json["entry"]["amount"], "5")
    v = page().get(f"/api/custom-costs/{made['id']}/versions").expect(200).json["versions"]
    equal([x["entry"] and x["entry"]["amount"] for x in v], ["5", None, "5", "7", "5"])
    drop(made)
    page().ask("DELETE", "/api/custom-costs/" + made["id"]).expect(404)
    page().ask("PUT", "/api/custom-costs/nope", made).expect(404)
    cli(bed()["data"], "check")


def test_bad_entries_change_nothing():
    before = page().get("/api/custom-costs").json
    for bad, status, field in (
            ({"amount": "abc"}, 400, "amount"), ({"amount": None}, 400, "amount"), ({"name": ""}, 400, "name"),
            ({"start": "2026-02-30"}, 400, "start"), ({"start": None}, 400, "start"), ({"end": "2025-01-01"}, 422, "end"),
            ({"spread": "amortize"}, 422, "end"), ({"recurrence": "hourly"}, 400, "recurrence"), ({"spread": "x"}, 400, "spread"),
            ({"currency": "dollars"}, 400, "currency"), ({"currency": "u$d"}, 400, "currency"),
            ({"dimensions": {"a": 5}}, 400, "dimensions"), ({"dimensions": []}, 400, "dimensions"),
            ({"percent": "5"}, 400, "amount"), ({"percent": "x", "amount": None}, 400, "percent"),
            ({"percent": "5", "amount": None, "filters": {"costCenter": "AWS", "key": "nope", "operator": "exists"}}, 400, "filters.key"),
            ({"percent": "5", "amount": None, "costType": "usageAmount"}, 400, "costType"),
            ({"recurrence": "daily", "start": "2000-01-01", "end": "2100-12-31", "amount": "1e30"}, 400, "amount")):
        a = enter(**bad).expect(status)
        equal(a.json["field"], field, bad)
    equal(page().get("/api/custom-costs").json, before)


def upload(center, name, text, query=""):
    return page().ask("POST", f"/api/custom-centers/{center}/files?name={name}{query}", text if isinstance(text, bytes) else text.encode(),
                      headers={"Content-Type": "application/octet-stream"})


def test_custom_cost_center():
    c = page().post("/api/custom-centers", {"name": "Salaries", "mapping": {"amount": "Cost", "region": "RegionId", "junk": "ignore"}}).expect(201).json
    page().post("/api/custom-centers", {"name": "SALARIES"}).expect(409)
    csv = ("\ufeffUsageDate;amount;team;region;junk\n2026-07-01;10.5;core;eu-west-1;x\n2026-07-02;-0,5;data;;\n").replace("-0,5", "-0.5")
    dry = upload(c["id"], "july.csv", csv, "&dryRun=true").expect(200).json
    equal(dry["days"], [{"day": "2026-07-01", "currency": "USD", "cost": "10.50"}, {"day": "2026-07-02", "currency": "USD", "cost": "-0.50"}])
    equal((dry["rows"], dry["loadId"]), (2, None))
    equal(total("2026-07-01", "2026-07-31", CUSTOM)["total"]["total"], "0.00")
    upload(c["id"], "july.csv", csv).expect(200)
    equal(upload(c["id"], "july.csv", csv).expect(200).json["unchanged"], True)
    equal(total("2026-07-01", "2026-07-31", CUSTOM)["total"]["total"], "10.00")
    # files add up; a changed file replaces itself, also where it has no days any more
    upload(c["id"], "more.csv", "Cost,usagedate,team\n1,2026-07-01,core\n2,2026-08-01,core\n").expect(200)
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "13.00")
    upload(c["id"], "more.csv", "Cost,usagedate,team\n1,2026-07-01,core\n").expect(200)
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "11.00")
    page().post(f"/api/custom-centers/{c['id']}/files/more.csv/undo", {}).expect(204)
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "13.00")
    by = total("2026-07-01", "2026-08-31", CUSTOM, by={"costCenter": "Custom Cost", "key": "team", "type": "tag"})
    equal({g["values"][0]: g["total"] for g in by["groups"]}, {"core": "13.50", "data": "-0.50"})
    files = page().get(f"/api/custom-centers/{c['id']}/files").json["files"]
    equal([(f["name"], int(f["rows"]), f["firstDay"], f["lastDay"]) for f in files],
          [("july.csv", 2, "2026-07-01", "2026-07-02"), ("more.csv", 2, "2026-07-01", "2026-08-01")])
    # the sample of the vendor's documentation with its broken quote, and others: refused with line and column
    for text, words in (('UsageDate,Cost,service,region\n2026-07-01,1,"X,"US"\n', ("line 2", "column 3")),
                        ("UsageDate,Cost\n2026-07-01,abc\n", ("line 2, column 2 (Cost)",)),
                        ("UsageDate,Cost\n2026-07-32,1\n", ("line 2, column 1 (UsageDate)",)),
                        ("UsageDate,Cost,a\n2026-07-01,1\n", ("line 2, column 3",)),
                        ("UsageDate,Price\n2026-07-01,1\n", ("column Cost is missing",)), ("", ("empty",)),
                        ("UsageDate,Cost\n", ("no rows",))):
        a = upload(c["id"], "july.csv", text).expect(422)
        for w in words:
            check(w in a.json["message"], a.json["message"])
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "13.00")
    page().ask("DELETE", f"/api/custom-centers/{c['id']}/files/july.csv").expect(204)
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "3.00")
    page().post(f"/api/custom-centers/{c['id']}/files/july.csv/undo", {}).expect(204)
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "13.00")
    cli(bed()["data"], "check")
    page().ask("DELETE", "/api/custom-centers/" + c["id"]).expect(204)
    equal(total("2026-07-01", "2026-08-31", CUSTOM)["total"]["total"], "0.00")
    for bad in ({"name": "a/b"}, {"name": ""}, {"name": "x", "kind": "pdf"}, {"name": "x", "mapping": {"a": "Nothing"}}, {"name": "x", "mapping": []}):
        page().post("/api/custom-centers", bad).expect(400)


def test_push_and_permissions():
    m = bed()
    c = page().post("/api/custom-centers", {"name": "Push me"}).expect(201).json
    path = "/v1/custom-costs/Push%20me/files/2026-09-01.csv"
    text = b"UsageDate,Cost,Currency,app\n2026-09-01,3,EUR,a\n"
    m["server"].ask("PUT", path, text).expect(401)
    m["server"].ask("PUT", path, text, headers=m["token"].headers).expect(403)
    got = m["server"].ask("PUT", path, text, headers=m["admin"].headers).expect(200).json
    equal(got["days"], [{"day": "2026-09-01", "currency": "EUR", "cost": "3.00"}])
    m["server"].ask("PUT", path.replace("Push", "Pull"), text, headers=m["admin"].headers).expect(404)
    import gzip
    got = m["server"].ask("PUT", path, gzip.compress(text.replace(b",3,", b",4,")), headers=m["admin"].headers).expect(200).json
    equal(got["days"][0]["cost"], "4.00")
    m["server"].ask("PUT", path, gzip.compress(text)[:-9], headers=m["admin"].headers).expect(400)
    page().ask("DELETE", "/api/custom-centers/" + c["id"]).expect(204)


def test_focus_file():
    c = page().post("/api/custom-centers", {"name": "Focus", "kind": "focus"}).expect(201).json
    rows = [dict(r, ProviderName="Acme Cloud", ServiceName="Acme", ChargePeriodStart="2026-02-01T00:00:00Z", ChargePeriodEnd="2026-02-02T00:00:00Z",
                 BillingPeriodStart="2026-02-01T00:00:00Z", BillingPeriodEnd="2026-03-01T00:00:00Z") for r in ROWS[:3]]
    data = write_bill(TMP / "focus.csv", rows)
    got = upload(c["id"], "acme.csv", open(data, "rb").read()).expect(200).json
    equal(got["rows"], 3)
    equal(total("2026-02-01", "2026-02-28", of_service("Acme"))["total"]["total"],
          f"{round10(sum(Decimal(r['EffectiveCost']) for r in rows)).normalize():f}")
    page().ask("DELETE", "/api/custom-centers/" + c["id"]).expect(204)


def test_rebuild_keeps_them():
    made = enter(name="Keep", amount="3.33", start="2026-10-10", service="Keep").expect(201).json
    m = bed()
    cli(m["data"], "rebuild")
    equal(total("2026-10-01", "2026-10-31", of_service("Keep"))["total"]["total"], "3.33")
    cli(m["data"], "check")
    drop(made)


def test_drop_folder_and_a_bill_that_changes():
    data = TMP / "custom-drop"
    link = link_of(cli(data, "init", "--admin", ADMIN))
    s = Server(data, env={"FARTHING_FEED_MS": "300"})
    b = Browser(s)
    b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
    b.post("/api/custom-centers", {"name": "Dropped"}).expect(201)
    b.post("/api/custom-costs", {"name": "Markup", "percent": "10", "start": "2026-01-01", "service": "Markup"}).expect(201)

    def sums():
        q = {"date": {"from": "2026-01-01", "to": "2026-12-31"}, "groupBy": [{"costCenter": "Global", "key": "service", "type": "billing_dimension"}]}
        return {g["values"][0]: g["total"] for g in b.post("/api/query", q).expect(200).json["groups"]}

    folder = data / "drop" / "custom-costs" / "Dropped"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.csv").write_text("UsageDate,Cost\n2026-01-05,40\n")
    wait_until(lambda: sums() == {"Dropped": "40.00", "Markup": "4.00"})
    (folder / "a.csv").write_text("UsageDate,Cost\n2026-01-05,oops\n")
    center = lambda: b.get("/api/custom-costs").json["centers"][0]
    wait_until(lambda: center()["error"])
    check("a.csv: line 2, column 2 (Cost)" in center()["error"], center())
    equal(sums(), {"Dropped": "40.00", "Markup": "4.00"})
    (folder / "a.csv").write_text("UsageDate,Cost\n2026-02-05,-50\n")
    wait_until(lambda: sums() == {"Dropped": "-50.00", "Markup": "-5.00"} and not center()["error"])
    s.stop()
    cli(data, "check")
