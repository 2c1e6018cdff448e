"""What a user is promised of connections; expected totals are summed here, in Decimal, from the rows written."""
import calendar
import datetime
import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.request
import uuid
from decimal import Decimal

from farthing import ADMIN, PASSWORD, TMP, Browser, Server, Skip, bill_rows, check, cli, equal, link_of, wait_until, write_bill
from proxy import Proxy

HERE = pathlib.Path(__file__).resolve().parent
CANARIES = ["S3RVER-canary-9f2c", "wrong-canary-77aa"]  # secrets that no log, answer or backup may show
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
LAST = datetime.date(2026, 9, 30)
_peers, _made = [], {}


def stop_peers():
    for p in _peers:
        p.terminate()
    for p in _peers:
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()


def node(script, *words):
    """Starts a peer; gives its port."""
    p = subprocess.Popen(["node", str(HERE / script), *map(str, words)], stdout=subprocess.PIPE, text=True, cwd=HERE)
    _peers.append(p)
    line = p.stdout.readline()
    check(line.startswith("port "), script, words[0], "did not start:", line)
    return int(line.split()[1])


def once(name, make):
    if name not in _made:
        _made[name] = make()
    return _made[name]


def put(what, url, bucket, folder):
    p = subprocess.run(["node", str(HERE / "peers.mjs"), what, url, bucket, str(folder)], capture_output=True, text=True, cwd=HERE, timeout=120)
    check(p.returncode == 0, p.stderr[-800:])
    return json.loads(p.stdout) if p.stdout.strip() else None


# ---- an installation whose server may call the peers ----

class Farm:
    def __init__(self, name, ports):
        self.name = name
        self.data, self.key = TMP / name, TMP / f"{name}.key"
        self.watched = TMP / f"{name}-watched"
        self.watched.mkdir()
        self.link = link_of(cli(self.data, "init", "--admin", ADMIN))
        cli(None, "vault", "key", self.key)
        self.ports = ports
        self.start()

    def start(self, env=None, **more):
        self.server = Server(self.data, env={"FARTHING_RETRY_MS": "20", "FARTHING_ALLOW_HOSTS": ",".join(f"127.0.0.1:{p}" for p in self.ports),
                                             "FARTHING_WATCH_FOLDERS": str(self.watched), **(env or {})}, args=["--vault-key", str(self.key)])
        self.browser = Browser(self.server)
        if self.link:
            self.browser.post("/api/session/link", {"link": self.link, "password": PASSWORD}).expect(200)
            self.link = None
        else:
            self.browser.post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200)

    def connect(self, name, kind, config, secret=None, run=True, schedule=""):
        body = {"name": name, "kind": kind, "config": config, "schedule": schedule, "run": run}
        if secret:
            body["secretKind"], body["secret"] = secret
        a = self.browser.post("/api/connections", body).expect(201).json
        return a["connection"]["id"], a["jobId"]

    def job(self, job):
        return next((j for j in self.browser.get("/api/jobs").expect(200).json["jobs"] if j["id"] == job), None)

    def end(self, job, state="done", seconds=60):
        def ended():
            j = self.job(job)
            return j if j and j["state"] != "running" else None
        j = wait_until(ended, seconds)
        equal(j["state"], state, f"job: {j['message']}")
        return j

    def run(self, connection, state="done"):
        return self.end(self.browser.post(f"/api/connections/{connection}/run", {}).expect(202).json["jobId"], state)

    def connection(self, cid):
        return next(c for c in self.browser.get("/api/connections").expect(200).json["connections"] if c["id"] == cid)

    def total(self, source, cost="unblendedCost"):
        """Over all days, of one source: from the ledger's control totals of its live loads."""
        a = self.browser.get(f"/api/loads?source={urllib.request.quote(source)}")
        loads = a.json["loads"] if a.status == 200 else []  # 404: nothing was ever loaded
        out = Decimal(0)
        for load in loads:
            if not load["live"]:
                continue
            t = self.browser.get(f"/api/loads/{load['id']}").expect(200).json["totals"]
            out += sum(Decimal(x["ledger"]) for x in t if x["column"] == "BilledCost")
        return out

    def test(self, kind, config, secret=None, **more):
        body = {"kind": kind, "config": config, **more}
        if secret:
            body["secretKind"], body["secret"] = secret
        return self.browser.post("/api/connections/test", body).expect(200).json


def s3_port():
    return once("s3", lambda: node("peers.mjs", "s3", TMP / "s3-store"))


def proxy():
    return once("proxy", lambda: Proxy(s3_port(), {"S3RVER": "S3RVER"}))


def azure_port():
    return once("azure", lambda: node("peers.mjs", "azurite", TMP / "azurite"))


def rsa():
    def make():
        script = ("const c=require('crypto');const k=c.generateKeyPairSync('rsa',{modulusLength:2048,publicKeyEncoding:{type:'spki',format:'pem'},"
                  "privateKeyEncoding:{type:'pkcs8',format:'pem'}});console.log(JSON.stringify(k))")
        return json.loads(subprocess.check_output(["node", "-e", script], text=True))
    return once("rsa", make)


def stand(kind, config):
    path = TMP / "peers" / f"{kind}-{uuid.uuid4()}.json"  # what the other side knows: secrets are at home there
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    return node("stand.mjs", kind, path)


def ctl(port, **state):
    r = urllib.request.Request(f"http://127.0.0.1:{port}/__ctl", json.dumps(state).encode(), method="POST")
    return json.load(urllib.request.urlopen(r))


def farm():
    return once("farm", lambda: Farm("farm", [proxy().port, azure_port(), google()["port"], oracle()["port"], sts_port()]))


KEYS = ("key_pair", {"accessKeyId": "S3RVER", "secretAccessKey": "S3RVER"})


def s3_config(port, prefix, **more):
    return {"endpoint": f"http://127.0.0.1:{port}", "bucket": "bills", "prefix": prefix, **more}


# ---- bills as an AWS Data Export lays them out ----

def month_rows(year, month, scale=1):
    last = datetime.date(year, month, calendar.monthrange(year, month)[1])
    return bill_rows(datetime.date(year, month, 1), last, scale)


def billed(rows):
    return sum(Decimal(r["BilledCost"]) for r in rows)


def export(folder, prefix, period, run, rows, parts=2, pad=0):
    """Data files, then their manifest. pad: bytes of noise in a column, so that a file is large."""
    data = folder / prefix / "data" / f"BILLING_PERIOD={period}" / run
    meta = folder / prefix / "metadata" / f"BILLING_PERIOD={period}" / run
    data.mkdir(parents=True, exist_ok=True)
    meta.mkdir(parents=True, exist_ok=True)
    names = []
    for i in range(parts):
        path = data / f"focus-{i + 1:05}.csv.gz"
        some = [dict(r) for r in rows[i::parts]]
        for k, r in enumerate(some):
            if pad:
                r["ChargeDescription"] = os.urandom(pad // 2).hex()
        plain = write_bill(TMP / "part.csv", some)
        path.write_bytes(gzip.compress(plain.read_bytes(), 1, mtime=0))
        names.append(f"s3://billing-bucket/{path.relative_to(folder)}")
    (meta / "focus-Manifest.json").write_text(json.dumps({"executionId": run, "dataFiles": names, "columns": []}))


def upload(folder, url=None):
    """Debian's awscli writes the folder's files under their names."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(TMP), "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER", "AWS_DEFAULT_REGION": "us-east-1",
           "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    p = subprocess.run(["/usr/bin/aws", "--endpoint-url", url or f"http://127.0.0.1:{s3_port()}", "s3", "cp", "--recursive", "--only-show-errors",
                        str(folder), "s3://bills/"], capture_output=True, text=True, env=env, timeout=120)
    check(p.returncode == 0, p.stdout[-800:], p.stderr[-800:])


def fresh(name):
    d = TMP / f"{name}-{uuid.uuid4().hex[:6]}"
    d.mkdir()
    return d


# ---- S3 ----

def test_an_export_in_s3_is_tested_fetched_and_kept_up_to_date():
    f, out, prefix = farm(), fresh("aws"), "fin ops/focus+1"
    aug, sep1, sep2 = month_rows(2026, 8), month_rows(2026, 9)[:50], month_rows(2026, 9, 2)
    export(out, prefix, "2026-08", "2026-09-02T03-00-00Z-exec-1", aug)
    export(out, prefix, "2026-09", "2026-09-10T03-00-00Z-exec-2", sep1)
    upload(out)
    config = s3_config(proxy().port, prefix)
    t = f.test("s3-compatible", config, KEYS)
    check(t["ok"], t["checks"])
    equal([c["what"] for c in t["checks"]], ["Sign in", "List", "Find bills", "Read"])
    equal(len(t["rows"]), 3)
    equal(t["deliveries"], 2)
    at = t["columns"].index("BilledCost")
    equal([r[at] for r in t["rows"]], [r["BilledCost"] for r in sep1[0::2][:3]], "sample rows")
    check(t["format"].startswith("focus-1."), t["format"])
    cid, job = f.connect("Our AWS", "s3-compatible", config, KEYS)
    j = f.end(job)
    equal(j["kind"], "fetch")
    equal(f.total("Our AWS"), billed(aug) + billed(sep1), "first load")
    equal(f.connection(cid)["state"], "connected")
    equal(f.run(cid)["message"], "nothing new")
    export(out, prefix, "2026-09", "2026-10-02T03-00-00Z-exec-3", sep2, parts=3)
    upload(out)
    f.run(cid)
    equal(f.total("Our AWS"), billed(aug) + billed(sep2), "restated month")
    late = fresh("late")  # an older run that arrives after a newer one changes nothing
    export(late, prefix, "2026-09", "2026-09-12T03-00-00Z-exec-9", sep1)
    upload(late)
    equal(f.run(cid)["message"], "nothing new")
    equal(f.total("Our AWS"), billed(aug) + billed(sep2), "after the late one")
    runs = f.browser.get(f"/api/connections/{cid}/runs").expect(200).json
    equal([r["state"] for r in runs["runs"]], ["done"] * 4)
    equal(runs["deliveryCount"], 3)


def test_a_delivery_that_is_not_whole_is_held_back():
    f, out, prefix = farm(), fresh("held"), "held/x"
    rows = month_rows(2026, 7)
    export(out, prefix, "2026-07", "2026-08-02T03-00-00Z-exec-1", rows)
    part = next((out / prefix / "data").rglob("focus-00002.csv.gz"))
    part.rename(out / "kept")
    send = fresh("send")
    shutil.copytree(out / "held", send / "held")
    upload(send)
    config = s3_config(proxy().port, prefix)
    t = f.test("s3-compatible", config, KEYS)
    check(not t["ok"] and "focus-00002.csv.gz" in t["checks"][-1]["message"], t["checks"])
    cid, job = f.connect("Held", "s3-compatible", config, KEYS)
    check("held back" in f.end(job)["message"], f.job(job))
    equal(f.total("Held"), 0)
    (out / "kept").rename(part)
    send = fresh("send")
    shutil.copytree(out / "held", send / "held")
    upload(send)
    f.run(cid)
    equal(f.total("Held"), billed(rows))


def test_faults_on_the_way_change_nothing_but_time():
    f, out, prefix = farm(), fresh("faults"), "faults/x"
    p = proxy()
    rows = month_rows(2026, 6)
    export(out, prefix, "2026-06", "2026-07-02T03-00-00Z-exec-1", rows, parts=5, pad=8000)
    upload(out)
    part = [f"focus-0000{i}.csv.gz" for i in range(1, 6)]
    p.fault(match="list-type", do="answer", status=503)
    p.fault(match="Manifest", do="answer", status=429, headers={"Retry-After": "1"})
    p.fault(match=part[0], do="truncate", bytes=70000)
    p.fault(match=part[0], do="reset")
    p.fault(match=part[1], do="short", times=2)
    p.fault(match=part[2], do="answer", status=500)
    p.fault(match=part[2], do="latency", seconds=1.2)
    p.fault(match=part[3], do="flip")
    p.fault(match=part[4], do="answer", status=503, headers={"Retry-After": "0"}, times=3)
    p.requests("", clear=True)
    cid, job = f.connect("Faults", "s3-compatible", s3_config(p.port, prefix), KEYS)
    f.end(job, seconds=90)
    equal(f.total("Faults"), billed(rows))
    equal([x for x in p.faults if x["times"]], [], "faults that did not happen")
    ranges = [r for _, _, r in p.requests(part[0]) if r]
    equal(set(ranges), {"bytes=70000-"}, "the first part went on where it was cut")
    flipped = [r for _, _, r in p.requests(part[3])]
    equal(flipped, [None, None], "a damaged part is fetched again whole")


def test_an_object_replaced_in_mid_download_is_never_mixed():
    f, out, prefix = farm(), fresh("swap"), "swap/x"
    p = proxy()
    old, new = month_rows(2026, 5), month_rows(2026, 5, 3)
    export(out, prefix, "2026-05", "2026-06-02T03-00-00Z-exec-1", old, parts=1, pad=8000)
    upload(out)
    newer = fresh("swap2")
    export(newer, prefix, "2026-05", "2026-06-02T03-00-00Z-exec-1", new, parts=1, pad=8000)
    p.fault(match="focus-00001.csv.gz", do="then", fn=lambda: upload(newer), bytes=50000)
    cid, job = f.connect("Swap", "s3-compatible", s3_config(p.port, prefix), KEYS)
    f.end(job, seconds=90)
    equal(f.total("Swap"), billed(new))
    p.fault(match="focus-00001.csv.gz", do="etag", etag='"00000000000000000000000000000000"', times=9)
    third = fresh("swap3")
    export(third, prefix, "2026-05", "2026-06-03T03-00-00Z-exec-2", old, parts=1)
    upload(third)
    check("replaced" in f.run(cid, "failed")["message"])
    equal(f.total("Swap"), billed(new), "the old bill stays")
    p.faults.clear()


def test_refusals_name_what_is_missing():
    f = farm()
    p = proxy()
    expired = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>'
    denied = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    ok = s3_config(proxy().port, "fin ops/focus+1")
    rows = [
        ("no bucket", ok | {"bucket": "nothere"}, KEYS, None, "there is no bucket nothere", ""),
        ("wrong secret", ok, ("key_pair", {"accessKeyId": "S3RVER", "secretAccessKey": CANARIES[1]}), None, "SignatureDoesNotMatch", ""),
        ("unknown key", ok, ("key_pair", {"accessKeyId": "NOBODY", "secretAccessKey": "x"}), None, "InvalidAccessKeyId", ""),
        ("wrong path", ok | {"prefix": "no/such"}, KEYS, None, "nothing under \"no/such/\"", "24 hours"),
        ("expired", s3_config(p.port, "x"), KEYS, {"status": 400, "body": expired, "match": "list-type"}, "session token has expired", ""),
        ("no list", s3_config(p.port, "x"), KEYS, {"status": 403, "body": denied, "match": "list-type"}, "may not list", "s3:ListBucket on arn:aws:s3:::bills"),
        ("no read", s3_config(p.port, "fin ops/focus+1"), KEYS, {"status": 403, "body": denied, "match": "Manifest"}, "may not read", "s3:GetObject on arn:aws:s3:::bills/"),
        ("region", s3_config(p.port, "x"), KEYS, {"status": 301, "body": "<Error><Code>PermanentRedirect</Code></Error>", "match": "list-type",
                                                  "headers": {"x-amz-bucket-region": "eu-west-1"}}, "not in the region us-east-1", "eu-west-1"),
        ("not allowed", ok | {"endpoint": "http://127.0.0.1:1"}, KEYS, None, "not an address Farthing may call", "--allow-host 127.0.0.1:1"),
        ("metadata", ok | {"endpoint": "http://169.254.169.254"}, KEYS, None, "not an address Farthing may call", ""),
    ]
    for name, config, secret, fault, message, hint in rows:
        if fault:
            p.fault(do="answer", times=2, **fault)
        t = f.test("s3-compatible", config, secret)
        last = t["checks"][-1]
        check(not t["ok"] and not last["ok"] and message in last["message"] and hint in last["hint"], name, last)
        p.faults.clear()


def test_columns_that_are_missing_are_named():
    f, out = farm(), fresh("cols")
    rows = month_rows(2026, 9)[:9]
    path = write_bill(TMP / "cols.csv", rows)
    text = path.read_text().replace("BilledCost", "Cost", 1)
    (out / "cols").mkdir()
    (out / "cols" / "bill.csv").write_text(text)
    upload(out)
    t = f.test("s3-compatible", s3_config(proxy().port, "cols"), KEYS)
    check(not t["ok"] and "BilledCost" in t["checks"][-1]["message"], t["checks"])


def sts_port():
    return once("sts", lambda: stand("sts", {"accessKeyId": "AKIABASE", "secretAccessKey": CANARIES[0], "given": "S3RVER",
                                             "roleArn": "arn:aws:iam::111122223333:role/Farthing", "externalId": "ext-42"}))


def test_a_role_is_assumed_with_its_external_id():
    f, out = farm(), fresh("role")
    rows = month_rows(2026, 4)
    export(out, "role/x", "2026-04", "2026-05-02T03-00-00Z-exec-1", rows)
    upload(out)
    config = s3_config(proxy().port, "role/x", stsEndpoint=f"http://127.0.0.1:{sts_port()}")
    role = {"roleArn": "arn:aws:iam::111122223333:role/Farthing", "externalId": "ext-42", "accessKeyId": "AKIABASE", "secretAccessKey": CANARIES[0]}
    base = ("key_pair", {"accessKeyId": "AKIABASE", "secretAccessKey": CANARIES[0]})
    t = f.test("s3-compatible", config | {"roleArn": role["roleArn"]}, base)  # our own external id: refused
    check("may not assume the role" in t["checks"][-1]["message"] and "sts:AssumeRole" in t["checks"][-1]["hint"], t["checks"])
    t = f.test("s3-compatible", config | {"roleArn": role["roleArn"]}, ("key_pair", {"accessKeyId": "AKIABASE", "secretAccessKey": "no"}))
    check("its secret is wrong" in t["checks"][-1]["message"], t["checks"])
    made = f.browser.post("/api/credentials", {"name": "role", "kind": "aws_role", "value": role}).expect(201).json
    refused = f.browser.post("/api/connections", {"name": "R", "kind": "s3-compatible", "config": config, "credentialId": made["id"]})
    check(refused.status in (201, 400), refused.body)


# ---- jobs ----

def test_a_killed_server_goes_on_where_it_was():
    p = proxy()
    f, out = Farm("killed", [p.port]), fresh("kill")
    rows = month_rows(2026, 3)
    export(out, "kill/x", "2026-03", "2026-04-02T03-00-00Z-exec-1", rows, parts=3, pad=8000)
    upload(out)
    p.fault(match="kill/x/data", do="truncate", bytes=60000, times=2)
    p.fault(match="kill/x/data", do="latency", seconds=20, times=8)
    p.requests("", clear=True)
    cid, job = f.connect("Kill", "s3-compatible", s3_config(p.port, "kill/x"), KEYS)
    wait_until(lambda: len(p.requests("kill/x/data")) >= 4)
    f.server.stop(signal.SIGKILL)
    p.faults.clear()
    before = len(p.requests("kill/x/data"))
    f.start()
    j = f.end(job, seconds=90)
    equal(f.total("Kill"), billed(rows))
    check(any(r for _, _, r in p.requests("kill/x/data")[before:]), "nothing was resumed", p.requests("kill/x/data"))
    runs = f.browser.get(f"/api/connections/{cid}/runs").json["runs"]
    equal([(r["state"], r["attempts"]) for r in runs], [("done", 2)])
    check(not list((f.data / "fetch").rglob("*.gz*")), "downloads are left")
    f.server.stop()


def test_a_run_can_be_cancelled_and_a_stopped_server_resumes():
    p = proxy()
    f, out = Farm("stopped", [p.port]), fresh("stop")
    rows = month_rows(2026, 2)
    export(out, "stop/x", "2026-02", "2026-03-02T03-00-00Z-exec-1", rows, parts=2, pad=2000)
    upload(out)
    p.fault(match="stop/x/data", do="latency", seconds=15, times=4)
    cid, job = f.connect("Stop", "s3-compatible", s3_config(p.port, "stop/x"), KEYS)
    wait_until(lambda: len(p.requests("stop/x/data")) >= 2)
    again = f.browser.post(f"/api/connections/{cid}/run", {})
    equal(again.status, 409, "a second run at once")
    f.browser.post(f"/api/jobs/{job}/cancel", {}).expect(204)
    f.end(job, "cancelled", 20)
    equal(f.total("Stop"), 0)
    p.requests("", clear=True)
    job = f.browser.post(f"/api/connections/{cid}/run", {}).expect(202).json["jobId"]
    wait_until(lambda: len(p.requests("stop/x/data")) >= 1)
    equal(f.server.stop(), 0, "exit code")
    p.faults.clear()
    f.start()
    f.end(job)
    equal(f.total("Stop"), billed(rows))
    f.server.stop()


def test_a_schedule_runs_by_itself_and_a_missed_run_once():
    f = Farm("schedule", [proxy().port])
    out = fresh("sched")
    rows = month_rows(2026, 1)
    export(out, "sched/x", "2026-01", "2026-02-02T03-00-00Z-exec-1", rows)
    upload(out)
    bad = f.browser.post("/api/connections", {"name": "x", "kind": "s3-compatible", "config": s3_config(proxy().port, "sched/x"), "schedule": "61 * * * *",
                                              "secretKind": KEYS[0], "secret": KEYS[1]})
    bad.expect(400)
    equal(bad.json["field"], "schedule")
    cid, job = f.connect("Sched", "s3-compatible", s3_config(proxy().port, "sched/x"), KEYS, run=False, schedule="*/5 * * * *")
    equal(job, None)
    nxt = f.connection(cid)["nextRunAt"]
    check(nxt, "no next run")
    f.server.stop()
    import sqlite3
    db = sqlite3.connect(f.data / "meta.db")
    db.execute("UPDATE connection SET next_run_ms = 1000")  # as if the machine had been off for years
    db.commit()
    db.close()
    f.start()
    wait_until(lambda: f.connection(cid)["lastOkAt"], 30)
    equal(f.total("Sched"), billed(rows))
    runs = f.browser.get(f"/api/connections/{cid}/runs").json["runs"]
    equal([r["by"] for r in runs], ["schedule"], "it is caught up once")
    check(f.connection(cid)["nextRunAt"] > f.connection(cid)["lastRunAt"], f.connection(cid))
    paused = f.browser.ask("PUT", f"/api/connections/{cid}", {"paused": True}).expect(200).json["connection"]
    equal((paused["state"], paused["nextRunAt"]), ("inactive", None))
    f.server.stop()


# ---- folder ----

def test_a_watched_folder():
    f = farm()
    rows = month_rows(2026, 8)
    export(f.watched, "exp", "2026-08", "2026-09-02T03-00-00Z-exec-1", rows)
    config = {"path": str(f.watched / "exp"), "settleSeconds": "0"}
    t = f.test("folder", config)
    check(t["ok"], t["checks"])
    cid, job = f.connect("Folder", "folder", config)
    f.end(job)
    equal(f.total("Folder"), billed(rows))
    for path in ("/etc", str(f.watched / ".."), "relative"):
        t = f.test("folder", {"path": path})
        check(not t["ok"] and "--watch-folders" in t["checks"][-1]["hint"] or "absolute" in t["checks"][-1]["message"], path, t["checks"])
    (f.watched / "link").symlink_to("/etc")
    t = f.test("folder", {"path": str(f.watched / "link")})
    check(not t["ok"], "a link leads out")
    plain = f.watched / "plain"
    plain.mkdir()
    a, b = month_rows(2026, 6), month_rows(2026, 7)
    write_bill(plain / "a.csv", a)
    write_bill(plain / "b.csv", b[:40])
    cid, job = f.connect("Plain", "folder", {"path": str(plain), "settleSeconds": "0"})
    f.end(job)
    write_bill(plain / "c.csv", b[40:])  # of the same month as b: neither may wipe the other
    f.run(cid)
    equal(f.total("Plain"), billed(a) + billed(b))


# ---- Azure ----

def azure_export(folder, name, period, run, guid, rows, kind="FocusCost"):
    year, month = map(int, period.split("-"))
    span = f"{year}{month:02}01-{year}{month:02}{calendar.monthrange(year, month)[1]}"
    base = folder / "cost" / name / span / run / guid
    base.mkdir(parents=True)
    blobs = []
    for i in range(2):
        path = write_bill(base / f"part_{i}_0001.csv", rows[i::2])
        blobs.append({"blobName": str(path.relative_to(folder)), "byteCount": path.stat().st_size, "dataRowCount": len(rows[i::2])})
    (base / "manifest.json").write_text(json.dumps({"manifestVersion": "2024-04-01", "exportConfig": {"exportName": name, "type": kind},
                                                    "runInfo": {"submittedTime": f"{run[:4]}-{run[4:6]}-{run[6:8]}T03:00:00Z"}, "blobs": blobs}))


def test_azure_blob_by_key_and_by_sas():
    f, out = farm(), fresh("azure")
    old, new = month_rows(2026, 9)[:30], month_rows(2026, 9)
    azure_export(out, "focus", "2026-09", "202609150300", str(uuid.uuid4()), old)
    azure_export(out, "focus", "2026-09", "202610010300", str(uuid.uuid4()), new)
    url = f"http://127.0.0.1:{azure_port()}/devstoreaccount1"
    sas = put("put-azure", url, "exports", out)
    config = {"account": "devstoreaccount1", "container": "exports", "prefix": "cost/focus", "endpoint": url}
    key = ("api_key", {"key": AZURE_KEY})
    t = f.test("azure", config | {"auth": "key"}, key)
    check(t["ok"] and t["deliveries"] == 1, t)
    cid, job = f.connect("Azure", "azure", config | {"auth": "key"}, key)
    f.end(job)
    equal(f.total("Azure"), billed(new), "the newest run counts, once")
    cid, job = f.connect("Azure SAS", "azure", config | {"auth": "sas"}, ("api_key", {"key": "?" + sas["sas"]}))
    f.end(job)
    equal(f.total("Azure SAS"), billed(new))
    for name, more, secret, message in [
            ("expired SAS", {"auth": "sas"}, ("api_key", {"key": sas["expired"]}), "does not accept the credential"),
            ("wrong key", {"auth": "key"}, ("api_key", {"key": "d3JvbmctY2FuYXJ5LTc3YWE="}), "does not accept the credential"),
            ("no container", {"auth": "key", "container": "nothere"}, key, "no container nothere"),
            ("not base64", {"auth": "key"}, ("api_key", {"key": "not base64 at all"}), "not base64")]:
        t = f.test("azure", config | more, secret)
        check(not t["ok"] and message in t["checks"][-1]["message"], name, t["checks"])


# ---- Google ----

def google():
    def make():
        folder = fresh("gcs")
        rows = month_rows(2026, 9)
        objects = {}
        for i in range(5):
            objects[f"export/part {i}.csv"] = str(write_bill(folder / f"p{i}.csv", rows[i::5]))
        port = stand("google", {"publicKey": rsa()["publicKey"], "email": "farthing@project.iam.gserviceaccount.com", "objects": objects, "tables": {}})
        key = {"type": "service_account", "client_email": "farthing@project.iam.gserviceaccount.com", "private_key": rsa()["privateKey"],
               "token_uri": f"http://127.0.0.1:{port}/token"}
        return {"port": port, "rows": rows, "objects": objects, "key": ("json_key", {"json": json.dumps(key)}), "account": key}
    return once("google", make)


def test_google_cloud_storage():
    f, g = farm(), google()
    ctl(g["port"], pageSize=2)
    config = {"bucket": "billing-export", "prefix": "export", "endpoint": f"http://127.0.0.1:{g['port']}"}
    t = f.test("gcs", config, g["key"])
    check(t["ok"], t["checks"])
    ctl(g["port"], fail={"status": 429, "times": 2, "match": "alt=media", "retryAfter": "0"})
    cid, job = f.connect("GCS", "gcs", config, g["key"])
    f.end(job)
    equal(f.total("GCS"), billed(g["rows"]))
    other = json.loads(subprocess.check_output(["node", "-e", "console.log(JSON.stringify(require('crypto').generateKeyPairSync('rsa',{modulusLength:2048,"
                                                "publicKeyEncoding:{type:'spki',format:'pem'},privateKeyEncoding:{type:'pkcs8',format:'pem'}}).privateKey))"], text=True))
    wrong = ("json_key", {"json": json.dumps(g["account"] | {"private_key": other})})
    t = f.test("gcs", config, wrong)
    check("gives no token" in t["checks"][-1]["message"], t["checks"])
    t = f.test("gcs", config | {"bucket": "other"}, g["key"])
    check("there is no bucket other" in t["checks"][-1]["message"], t["checks"])
    for verb in ("list", "get"):
        ctl(g["port"], deny=f"storage.objects.{verb}")
        t = f.test("gcs", config, g["key"])
        check(f"storage.objects.{verb}" in t["checks"][-1]["message"] and "Storage Object Viewer" in t["checks"][-1]["hint"], t["checks"])
    ctl(g["port"], deny="")


def test_bigquery_gives_the_rows_that_are_new():
    """The synthetic detailed export in its two batches; totals of its SOURCE.md (net = cost + credits)."""
    shared = pathlib.Path(os.environ.get("SHARED") or "/nowhere") / "data" / "synthetic-gcp-detailed"
    if not shared.exists():
        raise Skip("the shared sample is not there")
    f, g, grown = farm(), google(), fresh("bq") / "table.jsonl"
    parts = [shared / f"gcp_billing_export_resource_v1_part{i}.jsonl" for i in (1, 2)]
    name = "billing-proj.export.gcp_billing_export_resource_v1_01AAAA"
    grown.write_bytes(parts[0].read_bytes())
    ctl(g["port"], pageSize=17, tables={name: str(grown)})
    config = {"project": "billing-proj", "dataset": "export", "table": name.split(".")[2], "endpoint": f"http://127.0.0.1:{g['port']}"}
    t = f.test("bigquery", config, g["key"])
    check(t["ok"] and "billing_account_id" in t["columns"] and len(t["rows"]) == 3, t["checks"])
    cid, job = f.connect("BigQuery", "bigquery", config, g["key"])
    f.end(job)
    equal(f.total("BigQuery"), Decimal("147.750000"), "the first batch")
    equal(f.run(cid)["message"], "nothing new")
    grown.write_bytes(parts[0].read_bytes() + parts[1].read_bytes())
    f.run(cid)
    equal(f.total("BigQuery"), Decimal("300.515679"), "both batches")
    asked = ctl(g["port"])["seen"]
    equal(sum(1 for s in asked if s["path"].endswith("/queries")), 2 + 2 + 1 + 2, "queries asked: test, first batch, no news, second batch")
    t = f.test("bigquery", config | {"table": "nothere"}, g["key"])
    check("Table billing-proj:export.nothere was not found" in t["checks"][-1]["message"], t["checks"])
    ctl(g["port"], deny="bigquery.jobs.create")
    t = f.test("bigquery", config, g["key"])
    check("bigquery.jobs.create" in t["checks"][-1]["message"] and "BigQuery Job User" in t["checks"][-1]["hint"], t["checks"])
    ctl(g["port"], deny="", pageSize=1000)


# ---- Oracle ----

def oracle():
    def make():
        folder, rows, objects = fresh("oci"), month_rows(2026, 9), {}
        for i in range(4):
            path = write_bill(folder / f"{i}.csv", rows[i::4])
            gz = folder / f"{i}.csv.gz"
            gz.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            objects[f"FOCUS Reports/2026/09/0{i + 1}/000{i}.csv.gz"] = str(gz)
        secret = {"tenancy": "ocid1.tenancy.oc1..aaaa", "user": "ocid1.user.oc1..bbbb", "fingerprint": "12:34:56", "privateKey": rsa()["privateKey"]}
        port = stand("oracle", {"publicKey": rsa()["publicKey"], "keyId": f"{secret['tenancy']}/{secret['user']}/{secret['fingerprint']}",
                                "tenancy": secret["tenancy"], "objects": objects})
        return {"port": port, "rows": rows, "objects": objects, "secret": secret, "folder": folder}
    return once("oracle", make)


def test_oracle_reports_are_signed_for_and_refusals_named():
    f, o = farm(), oracle()
    config = {"region": "eu-frankfurt-1", "prefix": "FOCUS Reports", "endpoint": f"http://127.0.0.1:{o['port']}"}
    ctl(o["port"], pageSize=3)
    t = f.test("oracle", config, ("signing_key", o["secret"]))
    check(t["ok"], t["checks"])
    t = f.test("oracle", config, ("signing_key", o["secret"] | {"fingerprint": "99:99"}))
    check("does not accept the signing key" in t["checks"][-1]["message"], t["checks"])
    t = f.test("oracle", config, ("signing_key", o["secret"] | {"privateKey": "-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----"}))
    check("not an RSA key" in t["checks"][-1]["message"], t["checks"])
    ctl(o["port"], deny="all")
    t = f.test("oracle", config, ("signing_key", o["secret"]))
    check("endorse group" in t["checks"][-1]["hint"], t["checks"])
    ctl(o["port"], deny="")
    cid, job = f.connect("Oracle", "oracle", config, ("signing_key", o["secret"]))
    f.end(job)
    equal(f.total("Oracle"), billed(o["rows"]))
    equal(f.run(cid)["message"], "nothing new", "names that were read are skipped")
    more = month_rows(2026, 9, 2)[:5]  # a report of the same month adds to it
    gz = o["folder"] / "more.csv.gz"
    gz.write_bytes(gzip.compress(write_bill(o["folder"] / "more.csv", more).read_bytes(), mtime=0))
    ctl(o["port"], objects=o["objects"] | {"FOCUS Reports/2026/09/09/0009.csv.gz": str(gz)})
    f.run(cid)
    equal(f.total("Oracle"), billed(o["rows"]) + billed(more))
    shutil.rmtree(f.data / "fetch" / cid)  # as after a restored backup: all is fetched again, nothing is lost
    last = month_rows(2026, 9, 3)[:3]
    gz = o["folder"] / "last.csv.gz"
    gz.write_bytes(gzip.compress(write_bill(o["folder"] / "last.csv", last).read_bytes(), mtime=0))
    all_of = o["objects"] | {"FOCUS Reports/2026/09/09/0009.csv.gz": str(o["folder"] / "more.csv.gz"), "FOCUS Reports/2026/09/10/0010.csv.gz": str(gz)}
    ctl(o["port"], objects=all_of)
    f.run(cid)
    equal(f.total("Oracle"), billed(o["rows"]) + billed(more) + billed(last))
    del all_of["FOCUS Reports/2026/09/09/0009.csv.gz"]  # Oracle keeps reports for a year only: ours stay
    ctl(o["port"], objects=all_of)
    equal(f.run(cid)["message"], "nothing new")
    shutil.rmtree(f.data / "fetch" / cid)
    check("the store has removed it" in f.run(cid, "failed")["message"])
    equal(f.total("Oracle"), billed(o["rows"]) + billed(more) + billed(last), "and what is loaded stays")


# ---- secrets ----

def test_no_secret_is_in_a_log_an_answer_or_a_backup():
    f = farm()
    backup = TMP / "canary.backup"
    cli(f.data, "backup", backup)
    secrets = [c.encode() for c in CANARIES + [AZURE_KEY]] + [rsa()["privateKey"].splitlines()[3].encode()]
    places = [backup, pathlib.Path(f.server.log.name), f.data / "meta.db", f.data / "meta.db-wal"]
    f.server.tail()
    for place in places:
        data = place.read_bytes()
        for s in secrets:
            check(s not in data, place, "holds a secret")
    for path in ("/api/credentials", "/api/connections"):
        body = f.browser.get(path).expect(200).body
        for s in secrets:
            check(s not in body and json.dumps(s.decode()).encode()[1:-1] not in body, path)


def test_a_credential_in_use_stays_and_a_rotated_vault_still_fetches():
    f = farm()
    used = next(c for c in f.browser.get("/api/credentials").json["credentials"] if c["usedBy"])
    a = f.browser.ask("DELETE", f"/api/credentials/{used['id']}")
    a.expect(409)
    check(used["usedBy"][0]["name"] in a.json["message"], a.json)
    fresh_key = TMP / "rotated.key"
    cli(None, "vault", "key", fresh_key)
    out = cli(f.data, "vault", "rotate", "--new-key", fresh_key)  # runs in the server
    check("credentials open" in out, out)
    cid = next(c["id"] for c in f.browser.get("/api/connections").json["connections"] if c["name"] == "Our AWS")
    f.run(cid)
    f.server.stop()
    f.key = fresh_key
    f.start()
    f.run(cid)
    f.browser.ask("DELETE", f"/api/connections/{cid}").expect(204)
    own = next((c for c in f.browser.get("/api/credentials").json["credentials"] if not c["usedBy"]), None)
    check(own, "its credential is free now")
    f.browser.ask("DELETE", f"/api/credentials/{own['id']}").expect(204)
