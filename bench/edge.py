"""What FinBench asks at the HTTP edge: the questions as the page sends them, their SQL for DuckDB, and how both are compared."""
import datetime
import decimal
import http.client
import json
import re
import subprocess
import threading
import time
from fractions import Fraction

import slow
import tagrules

GLOBAL = {"costCenter": "Global"}
TAG = {"env": "env", "team": "team"}


def dim(key, kind="billing_dimension"):
    return {**GLOBAL, "key": key, "type": kind}


def day(last, n):
    return str(last - datetime.timedelta(days=n - 1))


def ask(last, days, keys=(), granularity="accumulated", cost="netAmortizedCost", **more):
    return {"date": {"from": day(last, days), "to": str(last)}, "costType": cost, "granularity": granularity, "groupBy": list(keys), **more}


def where(last, days):
    return f"ChargePeriodStart >= TIMESTAMP '{day(last, days)}'"


COSTS = {"unblendedCost": "BilledCost", "netUnblendedCost": "BilledCost", "amortizedCost": "EffectiveCost", "netAmortizedCost": "EffectiveCost",
         "listCost": "ListCost"}
DAY, MONTH = "strftime(ChargePeriodStart, '%Y-%m-%d')", "strftime(ChargePeriodStart, '%Y-%m')"
NAMED = lambda c: f"coalesce({c}, '')"
SEEN = ["payments", "search", "identity", "fraud", "core-infra", "observability", "maps"]  # Q12: 7 of 60 teams
PASSWORD = "a pass phrase for the bench"


def questions(last):
    """name -> what, path, requests, SQL whose first columns are (period, group values...), then the amount."""
    account, service, region = dim("sub_account_name"), dim("service"), dim("region")
    year = (last - datetime.timedelta(days=394)).replace(day=1)
    whole = (last - year).days + 1
    hour = "strftime(ChargePeriodStart, '%Y-%m-%dT%H')"
    return {
        "Q1": ("daily cost by service, 90 days", "/api/query", [ask(last, 90, [service], "day")],
               f"SELECT {DAY}, {NAMED('ServiceName')}, sum(EffectiveCost) FROM bill WHERE {where(last, 90)} GROUP BY ALL"),
        "Q2": ("top 20 resources, 30 days, with the 30 before", "/api/query",
               [ask(last, 30, [dim("resource_id", "resource")], previous=True, top=20, others=False)], None),
        "Q5": ("month x provider x region x env x team, 13 months", "/api/query",
               [ask(last, whole, [dim("provider"), region, dim("env", "tag"), dim("team", "tag")], "month")],
               f"SELECT {MONTH}, {NAMED('ProviderName')}, {NAMED('RegionId')}, {NAMED('tag_env')}, {NAMED('tag_team')}, sum(EffectiveCost) FROM bill"
               f" WHERE {where(last, whole)} GROUP BY ALL"),
        "Q6": ("13-month totals of five cost types, one request each", "/api/query", [ask(last, 395, cost=c) for c in COSTS],
               "SELECT " + ", ".join(f"sum({c})" for c in COSTS.values()) + f" FROM bill WHERE {where(last, 395)}"),
        "Q7": ("month x account x service, 13 months, CSV of all rows", "/api/query.csv", [ask(last, whole, [account, service], "month")], None),
        "Q8": ("cost of resources whose id contains a text, 13 months", "/api/query",
               [ask(last, 395, filters={**dim("resource_id", "resource"), "operator": "contains", "value": "/payments"})],
               f"SELECT '', sum(EffectiveCost) FROM bill WHERE {where(last, 395)} AND contains(ResourceId, '/payments')"),
        "Q9": ("distinct resources with a text, 50 of them", "/api/values",
               [{**dim("resource_id", "resource"), "search": "arn:aws:rds", "limit": 50}], None),
        "Q11": ("cost by hour and commitment status, 35 days (bill rows)", "/api/query", [ask(last, 35, [dim("commitment_discount_status")], "hour")],
                f"SELECT {hour}, {NAMED('CommitmentDiscountStatus')}, sum(EffectiveCost) FROM bill WHERE {where(last, 35)} GROUP BY ALL"),
    }


def panels(last):
    """Q13: a dashboard of twelve."""
    s, r, a, p = dim("service"), dim("region"), dim("sub_account_name"), dim("provider")
    return [ask(last, 30, previous=True), ask(last, 30, [s], "day", top=8), ask(last, 90, [p], "week"), ask(last, 395, [p], "month"),
            ask(last, 30, [r], top=10), ask(last, 30, [a], "day", top=5), ask(last, 90, [dim("team", "tag")], "day", top=10),
            ask(last, 395, [s], "month", top=10), ask(last, 30, [dim("resource_id", "resource")], top=20), ask(last, 30, cost="listCost"),
            ask(last, 90, [dim("charge_category")], "month"), ask(last, 395, [dim("env", "tag")], "month")]


def q3_sql(last, rules):
    return f"SELECT {DAY}, {tagrules.case(rules)}, sum(EffectiveCost) FROM bill WHERE {where(last, 395)} GROUP BY ALL"


# -- Q4: three pools, two levels deep --

def points(last):
    """The usage that Q4's second pool is spread by: {day: [(None, target, amount)]} for forty teams, some of them absent on some days, and a pool."""
    teams = ["payments", "checkout", "search", "catalog", "pricing", "data-platform", "identity", "ml-platform", "ledger", "mobile", "fraud", "web-storefront",
             "core-infra", "build-ci", "recommendations", "routing", "notifications", "logistics", "networking", "warehouse", "storage", "sre", "ads", "billing",
             "observability", "messaging", "marketing-tech", "qa-lab", "risk", "marketplace", "crm", "developer-tools", "security-eng", "bi-reporting",
             "seller-tools", "content", "analytics", "loyalty", "finance-systems", "media"]
    out = {}
    for n in range(395):
        out[day(last, 395 - n)] = [(None, t, Fraction(1 + (n * 7 + j * 13) % 50)) for j, t in enumerate(teams) if (n + j) % 5] + [(None, slow.POOLS[2][0], Fraction(60))]
    return out


def points_csv(last):
    return "date,team,n\n" + "".join(f"{d},{t},{n}\n" for d, rows in points(last).items() for _, t, n in rows)


def pool_document(telemetry):
    team = dim("team", "tag")
    pick = lambda key, op, **v: {**key, "operator": op, **v}
    names = [n for n, _ in slow.POOLS]
    return {"name": "FinBench pools", "kind": "rules", "defaultValue": "Untagged",
            "rules": [*({"to": n, "filters": pick(dim("service_category"), "oneOf", value=[c])} for n, c in slow.POOLS),
                      {"to": team, "filters": pick(team, "exists")}],
            "allocations": [{"name": names[0], "type": "proportional", "active": True, "data": {}},
                            {"name": names[1], "type": "metric", "active": True, "data": {"kpiCenterId": telemetry, "metricName": "n", "carryDays": 0}},
                            {"name": names[2], "type": "fixed", "active": True, "data": {"tags": [{"key": t, "value": p} for t, p in slow.FIXED]}}]}


POOL_CASE = ("CASE " + " ".join(f"WHEN ServiceCategory = '{c}' THEN '{n}'" for n, c in slow.POOLS) + " WHEN tag_team <> '' THEN tag_team ELSE 'Untagged' END")


def q4_direct_sql(last):
    """What each value of each day costs before anything moves, exactly."""
    return f"SELECT {DAY}, {POOL_CASE}, sum(EffectiveCost) FROM bill WHERE {where(last, 395)} GROUP BY ALL"


def q4_sql(last):
    """The whole of it in SQL, in floats, with the usage in a table: what DuckDB is timed by."""
    a, b, c = (f"'{n}'" for n, _ in slow.POOLS)
    shares = ", ".join(f"('{t}', {p / 100})" for t, p in slow.FIXED)
    step = lambda n, source, weights: (
        f"moved{n} AS (SELECT p.day, w.value, p.cost * w.weight / sum(w.weight) OVER (PARTITION BY p.day) AS cost"
        f" FROM (SELECT day, sum(cost) AS cost FROM after{n - 1} WHERE value = {source} GROUP BY day) p JOIN ({weights}) w USING (day)),"
        f" after{n} AS (SELECT day, value, sum(cost) AS cost FROM (SELECT * FROM after{n - 1} WHERE value <> {source} UNION ALL SELECT * FROM moved{n}) GROUP BY ALL)")
    return (f"WITH after0 AS MATERIALIZED (SELECT {DAY} AS day, {POOL_CASE} AS value, sum(EffectiveCost)::DOUBLE AS cost FROM bill WHERE {where(last, 395)} GROUP BY ALL),"
            f" {step(1, a, f'SELECT day, value, cost AS weight FROM after0 WHERE cost > 0 AND value NOT IN ({a}, $UNTAGGED)').replace('$UNTAGGED', chr(39) + 'Untagged' + chr(39))},"
            f" {step(2, b, 'SELECT day::VARCHAR AS day, value, n AS weight FROM usage')},"
            f" {step(3, c, f'SELECT day, value, weight FROM (SELECT DISTINCT day FROM after0), (VALUES {shares}) s(value, weight)')}"
            " SELECT day, value, cost FROM after3")


def q4_expected(last, tsv):
    """Q4 from DuckDB's exact sums before anything moved, split by test/api/naive.py."""
    rows = []
    for line in tsv.splitlines():
        d, value, cost = line.split("\t")
        pool = next((c for n, c in slow.POOLS if n == value), "")
        rows.append({"day": d, "cost": Fraction(cost), "ServiceCategory": pool, "{team}": "" if value == "Untagged" else value})
    return slow.reallocated(rows, points(last))


def q12_sql(last):
    seen = ", ".join(f"'{t}'" for t in SEEN)
    return (f"SELECT {DAY}, {NAMED('ServiceName')}, sum(EffectiveCost) FROM bill WHERE {where(last, 90)} AND tag_team IN ({seen}) GROUP BY ALL")


class Server:
    """`farthing serve` on a free port, with a signed-in session."""

    def __init__(self, program, data, env, log, memory, link=None, cookie=None):
        self.log = open(log, "ab")
        self.p = subprocess.Popen([program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--memory", f"{memory}MiB"],
                                  stdout=subprocess.PIPE, stderr=self.log, env=env, text=True)
        line = self.p.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise SystemExit(f"bench: the server did not start: {line!r}, see {log}")
        self.port = int(found[1])
        self.local = threading.local()
        self.cookie = cookie or ""
        if link:
            self.cookie = self.join(link)

    def join(self, link):
        """The cookie of a session begun by a one-time link."""
        head, _ = self.post("/api/session/link", {"link": re.search(r"#([\w-]+)", link)[1], "password": PASSWORD})
        return head["Set-Cookie"].split(";")[0]

    def sign_in(self, email):
        head, _ = self.post("/api/session", {"email": email, "password": PASSWORD})
        self.cookie = head["Set-Cookie"].split(";")[0]

    def headers(self, cookie=None):
        return {"Content-Type": "application/json", "X-Requested-With": "farthing", "Sec-Fetch-Site": "same-origin", "Cookie": cookie or self.cookie}

    def get(self, path):
        return json.loads(self.post(path, None, "GET")[1])

    def upload(self, path, text):
        return self.post(path, text.encode())

    def post(self, path, body, method="POST", cookie=None):
        headers = self.headers(cookie)
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        elif body is not None:
            body = json.dumps(body)
        for turn in range(2):
            c = getattr(self.local, "c", None)
            if c is None:
                c = self.local.c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
            try:
                c.request(method, path, body, headers)
                r = c.getresponse()
                text = r.read()
                break
            except (http.client.HTTPException, ConnectionError):  # the server ends a connection after so many requests
                self.local.c = None
                if turn:
                    raise
        if r.status not in (200, 201, 204):
            raise SystemExit(f"bench: {method} {path}: {r.status} {text[:500]!r}")
        return r.headers, text

    def timed(self, path, bodies):
        start = time.monotonic()
        for b in bodies:
            self.post(path, b)
        return (time.monotonic() - start) * 1e3

    def peak_mb(self):
        """VmHWM, and of it what is not mapped from files (which the page cache may take back)."""
        text = open(f"/proc/{self.p.pid}/status").read()
        get = lambda k: int(re.search(rf"{k}:\s+(\d+)", text)[1]) / 1024
        return get("VmHWM"), get("RssAnon")

    def bytes_read(self):
        """What the process has had read from the disk so far, mapped files and all."""
        return int(re.search(r"^read_bytes: (\d+)", open(f"/proc/{self.p.pid}/io").read(), re.M)[1])

    def end(self):
        self.p.terminate()
        self.p.wait(120)
        self.log.close()


def amount(text):
    return decimal.Decimal(text)


def cells(name, answers):
    """Answers of /api/query as {(period, values...): amount}, zeros left out."""
    if name == "Q6":
        return {i: amount(a["total"]["total"]) for i, a in enumerate(answers)}
    a, out = answers[0], {}
    for g in a["groups"]:
        for b, v in zip(a["buckets"], g["cells"]):
            period = b[:7] if name == "Q5" else b[:13] if name == "Q11" else "" if name == "Q8" else b
            key = (period, *g["values"])
            out[key] = out.get(key, 0) + amount(v)
    return {k: v for k, v in out.items() if v}


def rounded(x):
    return x.quantize(decimal.Decimal("1e-10"), decimal.ROUND_HALF_UP)


def expected(name, tsv):
    """The same from DuckDB's answer."""
    rows = [line.split("\t") for line in tsv.splitlines()]
    if name == "Q6":
        return {i: rounded(amount(v)) for i, v in enumerate(rows[0])}
    out = {tuple(r[:-1]): amount(r[-1] or "0") for r in rows}
    return {k: v for k, v in out.items() if v}


def differ(ours, theirs, total=True, near=decimal.Decimal("1.0000000001e-10")):
    """What differs, or None. Cells are rounded so that they add up: each may be one 1e-10 off its own exact value, the total may not."""
    near, exact = Fraction(near), lambda x: Fraction(x)
    for k in ours.keys() | theirs.keys():
        if abs(exact(ours.get(k, 0)) - exact(theirs.get(k, 0))) > near:
            return f"{k}: {ours.get(k)} and {theirs.get(k)}"
    whole = sum(map(exact, theirs.values()))
    whole = Fraction(rounded(decimal.Decimal(whole.numerator) / whole.denominator))
    if total and sum(map(exact, ours.values())) != whole:
        return f"the totals: {sum(ours.values())} and {whole}"
    return None


def margins(cells):
    """The sums of each part of the keys: of a day over its values, of a value over its days."""
    out = {}
    for key, v in cells.items():
        for i, part in enumerate(key):
            out[i, part] = out.get((i, part), 0) + Fraction(v)
    return out


def differ_split(ours, theirs):
    """As differ for amounts that were split, whose sums end nowhere: every day and every value is right to 1e-10 and the total to the last digit, while
    cells, which have to fill both, may be some units of 1e-10 off."""
    return differ(ours, theirs, near=decimal.Decimal("1e-7")) or differ(margins(ours), margins(theirs), total=False)
