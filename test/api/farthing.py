"""The program under test: its installations, its server, and a client that counts in Decimal."""
import atexit
import csv
import datetime
import decimal
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse
from decimal import Decimal

decimal.getcontext().prec = 60
ROOT = pathlib.Path(os.environ.get("FARTHING_ROOT") or pathlib.Path(__file__).resolve().parents[2])
sys.path.insert(1, str(ROOT / "test" / "secrets"))
from search import notice, secret  # noqa: E402
PROGRAM = os.environ.get("FARTHING") or str(ROOT / "build" / "farthing")
TMP = pathlib.Path(tempfile.mkdtemp(prefix="api-", dir=os.environ.get("FARTHING_TMP") or None))
DAY = 86400000
ADMIN = "ann@example.com"
PASSWORD = secret("vellum otter quay")
_servers = []


class Skip(Exception):
    pass


def check(condition, *words):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in words) or "not so")


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def cli(data, *words, code=0, **kw):
    """Runs the command line; data None: without --data. Gives standard output."""
    line = [PROGRAM, words[0], *([] if data is None else ["--data", str(data)]), *map(str, words[1:])]
    p = subprocess.run(line, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, **kw)
    if p.returncode != code:
        raise AssertionError(f"{' '.join(line)}: exit {p.returncode}, {p.stderr[-800:]}")
    cluster = os.environ.get("FARTHING_TEST_CLUSTER")
    if cluster and words[0] == "init" and code == 0:  # from here on it answers, from a database of this installation's own
        cli(data, "migrate", "--to", f"{cluster}_{os.getpid()}_{time.monotonic_ns()}")
    return p.stdout


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {k.lower(): v for k, v in headers}
        self.cookies = [v for k, v in headers if k.lower() == "set-cookie"]

    @property
    def json(self):
        return json.loads(self.body, parse_float=Decimal, parse_int=Decimal)

    def expect(self, status, error=None):
        if self.status != status:
            raise AssertionError(f"status {self.status}, want {status}: {self.body[:400]!r}")
        if error:
            equal(self.json.get("error"), error, "error")
        return self


class Server:
    def __init__(self, data, env=None, args=(), program=PROGRAM):
        self.data = pathlib.Path(data)
        self.log = open(TMP / f"server-{len(_servers)}.log", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [program, "serve", "--data", str(data), "--listen", "127.0.0.1:0", *args],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, text=True,
            env={**os.environ, **(env or {})})
        line = self.process.stdout.readline()
        check("http://" in line, "the server did not start:", self.tail())
        self.url = line.split("http://")[1].split()[0]
        self.host, port = self.url.rsplit(":", 1)
        self.port = int(port)
        _servers.append(self)

    def tail(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text(errors="replace")[-1500:]

    def connect(self, timeout=60):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, connection=None):
        own = connection or self.connect()
        if isinstance(body, (dict, list)):
            body = json.dumps(body, default=lambda d: int(d) if d == int(d) else float(d))
        if isinstance(body, str):
            body = body.encode()
        own.request(method, path, body=body, headers=dict(headers or {}))
        r = own.getresponse()
        answer = Answer(r.status, r.getheaders(), r.read())
        if isinstance(body, bytes) and len(body) < 1 << 17:
            notice(path, body)
        if len(answer.body) < 1 << 17 and answer.status < 300 and method != "GET":
            notice(path, answer.body, True)
        for c in answer.cookies:
            secret(c.split(";")[0].split("=", 1)[-1])
        if not connection:
            own.close()
        return answer

    def stop(self, sig=signal.SIGTERM):
        """Gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(90)
        if self in _servers:
            _servers.remove(self)
        return code


def stop_all():
    for s in list(_servers):
        s.process.kill()
        s.process.wait(30)
        _servers.remove(s)
    if not os.environ.get("FARTHING_TMP"):  # else it goes with the run, after the search for secrets
        shutil.rmtree(TMP, ignore_errors=True)


atexit.register(stop_all)


class Key:
    """The two headers of an API token."""

    def __init__(self, data, role="api-token", description="test", days="never"):
        made = json.loads(cli(data, "token", "create", "--description", description, "--role", role,
                              "--expires-days", days))
        self.client, self.secret = made["clientId"], secret(made["secretKey"])

    @property
    def headers(self):
        return {"x-finout-client-id": self.client, "x-finout-secret-key": self.secret}

    def get(self, server, path, **more):
        return server.ask("GET", path, headers={**self.headers, **more.pop("headers", {})}, **more)

    def post(self, server, path, body, **more):
        return server.ask("POST", path, body, headers={**self.headers, **more.pop("headers", {})}, **more)


class Browser:
    """The page's side: cookie, and the headers that unsafe methods need."""

    def __init__(self, server, cookie=None):
        self.server, self.cookie, self.device = server, cookie, None

    def ask(self, method, path, body=None, headers=None):
        h = {"Sec-Fetch-Site": "same-origin"}
        if self.cookie:
            h["Cookie"] = "other=1; __Host-s=" + self.cookie
        if self.device:
            h["Cookie"] = (h["Cookie"] + "; " if "Cookie" in h else "") + "__Host-d=" + self.device
        if method != "GET":
            h["X-Requested-With"] = "farthing"
            if body is not None and not isinstance(body, bytes):
                h["Content-Type"] = "application/json"
        h.update(headers or {})
        answer = self.server.ask(method, path, body, {k: v for k, v in h.items() if v is not None})
        for c in answer.cookies:
            name, value = c.split(";")[0].split("=", 1)
            check(name in ("__Host-s", "__Host-d"), "cookie", name)
            if name == "__Host-s":
                self.cookie = value or None
            else:
                self.device = value or None
        return answer

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body):
        return self.ask("POST", path, body)

    def put(self, path, body):
        return self.ask("PUT", path, body)


def link_of(text):
    """The one-time secret in what init and link print."""
    return secret(text.strip().split("#", 1)[1].split()[0])


# ---- a small bill whose every sum this file knows ----

TODAY = datetime.datetime.now(datetime.timezone.utc).date()
FIRST = TODAY - datetime.timedelta(days=40)
COLUMNS = ("BillingAccountId BillingAccountName BillingCurrency BillingPeriodStart BillingPeriodEnd "
           "ChargePeriodStart ChargePeriodEnd ChargeCategory ChargeDescription ProviderName PublisherName "
           "InvoiceIssuerName ServiceName ServiceCategory RegionId SubAccountId SubAccountName ResourceId "
           "BilledCost EffectiveCost ListCost ContractedCost ConsumedQuantity ConsumedUnit PricingQuantity "
           "PricingUnit SkuId Tags").split()


def bill_rows(first=FIRST, last=TODAY, scale=1):
    """Two providers, four services, tags with gaps, eighteen decimals here and there."""
    services = [("AWS", "Amazon EC2", "Compute", "us-east-1", "Hrs", {"team": "core", "app.kubernetes.io/name": "web"}),
                ("AWS", "Amazon S3", "Storage", "eu-west-1", "GB-Mo", {"team": "data"}),
                ("AWS", "AWS Support", "Other", "us-east-1", "Hrs", {}),
                ("GCP", "Compute Engine", "Compute", "europe-west3", "Hours", {"team": "core"})]
    rows, day, n = [], first, 0
    while day <= last:
        start = day.replace(day=1)
        end = (start + datetime.timedelta(days=32)).replace(day=1)
        for i, (provider, service, category, region, unit, tags) in enumerate(services):
            if service == "AWS Support" and day.day % 5:
                continue
            n += 1
            list_cost = (Decimal(7 + i * 13) + Decimal(n % 97) / 7).quantize(Decimal("1e-18")) * scale
            effective = (list_cost * Decimal("0.83")).quantize(Decimal("1e-18"))
            billed = Decimal("-1.25") if n % 31 == 0 else (effective + Decimal("0.0000000001") * n)
            rows.append(dict(zip(COLUMNS, [
                "acc-1", "Main", "USD", f"{start}T00:00:00Z", f"{end}T00:00:00Z", f"{day}T00:00:00Z",
                f"{day + datetime.timedelta(days=1)}T00:00:00Z", "Usage", service + " usage", provider, provider,
                provider, service, category, region, "sub-" + str(i % 2), "Team " + str(i % 2), f"res-{i}",
                f"{billed:f}", f"{effective:f}", f"{list_cost:f}", f"{list_cost:f}", str(n % 24 + 1), unit,
                str(n % 24 + 1), unit, f"sku-{i}", json.dumps(tags) if tags else ""])))
        day += datetime.timedelta(days=1)
    return rows


def write_bill(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.DictWriter(f, COLUMNS)
        w.writeheader()
        w.writerows(rows)
    return path


def round10(v):
    return v.quantize(Decimal("1e-10"), rounding=decimal.ROUND_HALF_UP)


def millis(day, seconds=0):
    at = datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.timezone.utc)
    return int(at.timestamp() * 1000) + seconds * 1000


ROWS = bill_rows()
_made = {}


def share_by_default(data):
    """The account's default access list: what one makes, all may see and change."""
    open_to_all = {"type": "public", "users": [], "groups": []}
    db = sqlite3.connect(pathlib.Path(data) / "meta.db")
    with db:
        db.execute("INSERT INTO setting (account, name, value) SELECT id, 'acl_default', ? FROM account",
                   (json.dumps({"read": open_to_all, "write": open_to_all}),))
    db.close()


def data_dir():
    """An installation with ROWS loaded as source "bill"; made once."""
    if "data" not in _made:
        data = TMP / "data"
        _made["link"] = link_of(cli(data, "init", "--admin", ADMIN))
        cli(data, "load", "--source", "bill", write_bill(TMP / "bill.csv", ROWS))
        share_by_default(data)
        _made["data"] = data
    return _made["data"]


def server():
    if "server" not in _made or _made["server"].process.poll() is not None:
        _made["server"] = Server(data_dir())
    return _made["server"]


def key(role="api-token"):
    if role not in _made:
        _made[role] = Key(data_dir(), role)
    return _made[role]


def browser():
    """Signed in as the administrator."""
    if "browser" not in _made:
        b = Browser(server())
        b.post("/api/session/link", {"link": _made["link"], "password": PASSWORD}).expect(200)
        _made["browser"] = b
    return _made["browser"]


def routes():
    if "routes" not in _made:
        _made["routes"] = json.loads(cli(None, "routes"))
    return _made["routes"]


def sample_path(template):
    """A path that the template matches."""
    out = []
    for part in template.split("/"):
        if part.startswith("{"):
            part = {"{costCenter}": "AWS", "{key+}": "service"}.get(part, "00000000-0000-4000-8000-000000000000")
        out.append(urllib.parse.quote(part))
    return "/".join(out)


def copy_of(data, name):
    """A copy of a stopped installation."""
    to = TMP / name
    shutil.copytree(data, to, ignore=shutil.ignore_patterns("lock", "farthing.sock"))
    return to


def meta(data):
    return sqlite3.connect(pathlib.Path(data) / "meta.db")


def wait_until(fn, seconds=30, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        v = fn()
        if v:
            return v
        time.sleep(step)
    raise AssertionError("it did not happen in time")
