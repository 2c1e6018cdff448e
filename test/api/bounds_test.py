"""Bounds of security.md under pressure: many sign-ins at once, two people at once, names that lie, servers nobody should trust."""
import concurrent.futures
import http.server
import os
import pathlib
import re
import ssl
import subprocess
import threading
from decimal import Decimal

from farthing import ADMIN, FIRST, PASSWORD, PROGRAM, ROWS, TMP, TODAY, Browser, Server, check, cli, equal, link_of, round10, write_bill

RANGE = {"from": str(FIRST), "to": str(TODAY)}
_made = {}


def bed():
    if "s" not in _made:
        data, key = TMP / "bounds", TMP / "bounds.key"
        link = link_of(cli(data, "init", "--admin", ADMIN))
        cli(data, "load", "--source", "bill", write_bill(TMP / "bounds.csv", ROWS))
        cli(None, "vault", "key", key)
        s = Server(data, args=("--vault-key", key, "--trusted-proxy", "127.0.0.1"))
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _made.update(s=s, b=b, data=data, key=key)
    return _made


def test_many_sign_ins_at_once_stay_within_their_memory():
    """PW-2: an Argon2 hash takes 64 MiB; 300 at once may not take 300 times that."""
    data = TMP / "bounds-memory"
    cli(data, "init", "--admin", ADMIN)
    # a sanitizer's own memory would be counted
    s = Server(data, args=("--trusted-proxy", "127.0.0.1"), program=os.environ.get("FARTHING_RELEASE") or PROGRAM)
    rss = lambda: int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{s.process.pid}/status").read_text())[1]) // 1024
    before, most, stop = rss(), [0], threading.Event()

    def watch():
        while not stop.wait(0.02):
            most[0] = max(most[0], rss())
    w = threading.Thread(target=watch)
    w.start()

    def one(i):
        return s.ask("POST", "/api/session", {"email": f"load{i}@example.com", "password": "some wrong password"},
                     {"Sec-Fetch-Site": "same-origin", "X-Requested-With": "t", "Content-Type": "application/json", "X-Forwarded-For": f"198.51.{i // 200}.{i % 200 + 1}"})
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(one, range(300)))
    stop.set()
    w.join()
    codes = {a.status for a in answers}
    check(codes <= {401, 503} and 401 in codes, codes)
    check(all("retry-after" in a.headers for a in answers if a.status == 503), "503 says when to come back")
    check(most[0] - before <= 300, f"{before} MiB before, {most[0]} MiB at most")
    equal(s.ask("GET", "/healthz").status, 200)


def test_two_people_asking_at_once_get_their_own_rows():
    """T-ACC-12: the same question, in any order and at the same time; what is kept for one is never given to the other."""
    t = bed()
    a = t["b"]
    people = {}
    for name, service in (("ec2", "Amazon EC2"), ("s3", "Amazon S3")):
        made = a.post("/api/admin/users", {"email": f"{name}@example.com", "roles": ["basic"]}).expect(201).json
        b = Browser(t["s"])
        b.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
        rule = {"costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "oneOf", "value": [service]}
        g = a.post("/api/admin/groups", {"name": name, "dataAccessEnabled": True, "filters": rule}).expect(201).json
        a.post(f"/api/admin/groups/{g['id']}/users", {"add": [made["id"]]}).expect(204)
        want = round10(sum((Decimal(r["EffectiveCost"]) for r in ROWS if r["ServiceName"] == service), Decimal(0)))
        people[name] = (b, want)
    a.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        def ask(i):
            b, want = people["ec2" if i % 2 else "s3"]
            got = Decimal(b.post("/api/query", {"date": RANGE}).expect(200).json["total"]["total"])
            return got == want or (i, got, want)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            wrong = [r for r in pool.map(ask, range(600)) if r is not True]
        check(not wrong, len(wrong), wrong[:2])
    finally:
        a.ask("PUT", "/api/admin/data-access", {"enabled": False}).expect(200)


def test_names_of_files_lead_nowhere():
    """AZ-4: what a browser calls a file decides nothing about where it lies."""
    t = bed()
    outside = {p for p in TMP.iterdir()}
    for name in ("../../evil.csv", "..%2f..%2fevil.csv", "/etc/evil.csv", "a/../../evil.csv", "..", ".", "evil\\..\\x.csv", "%00evil.csv", "-rf *.csv"):
        r = t["b"].ask("POST", "/api/upload?source=names&name=" + name.replace(" ", "%20").replace("\\", "%5C"), b"x,y\n1,2\n", {"Content-Type": "application/octet-stream"})
        check(r.status in (202, 400, 409, 429), name, r.status, r.body)
    equal({p for p in TMP.iterdir()} - outside, set(), "files outside")
    check(not pathlib.Path("/etc/evil.csv").exists())
    for p in (t["data"] / "staging").rglob("*"):
        check(".." not in p.name and not p.is_symlink(), p)


def test_no_text_breaks_a_line_of_the_log():
    """AU-6: line ends and control characters in what people send stay inside their line and their record."""
    t = bed()
    evil = "x\ntime=2026-01-01T00:00:00.000Z level=error event=forged\r\n\x1b[31mred \"quoted\""
    Browser(t["s"]).post("/api/session", {"email": evil, "password": "some wrong password"})
    t["b"].post("/api/views", {"name": evil, "question": {}})
    t["s"].ask("GET", "/nope%0atime=forged", headers={"User-Agent": "a\tb\x7f"})
    t["b"].ask("GET", "/api/session", headers={"User-Agent": "agent event=forged"})
    t["s"].tail()
    for line in pathlib.Path(t["s"].log.name).read_text(errors="replace").splitlines():
        check(re.match(r"time=\S+ level=\w+ event=\w+", line) or line.startswith("farthing:"), repr(line))
        check("\x1b" not in line and not line.startswith("time=2026-01-01T00:00:00.000Z"), repr(line))
    check("the chain holds" in cli(t["data"], "audit", "verify"))


def test_certificates_nobody_should_trust():
    """SS-7: self-signed, of another host, expired; the operator's own authority is a file, and there is no way around."""
    folder = TMP / "tls"
    folder.mkdir()

    def openssl(*words):
        p = subprocess.run(["openssl", *words], capture_output=True, text=True, cwd=folder, timeout=60)
        check(p.returncode == 0, p.stderr)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.pem", "-out", "ca.crt", "-days", "30", "-subj", "/CN=Test authority")

    def leaf(name, san, days):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.pem", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName={san}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.pem", "-CAcreateserial", "-out", f"{name}.crt", "-days", str(days), "-extfile", f"{name}.ext")
    leaf("good", "IP:127.0.0.1", 30)
    leaf("other", "DNS:elsewhere.example", 30)
    leaf("late", "IP:127.0.0.1", -1)
    servers, ports = [], {}
    for name in ("good", "other", "late"):
        h = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("H", (http.server.BaseHTTPRequestHandler,), {
            "do_GET": lambda self: (self.send_response(404), self.send_header("Content-Length", "0"), self.end_headers()), "log_message": lambda *a: None}))
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.pem")
        h.socket = c.wrap_socket(h.socket, server_side=True)
        threading.Thread(target=h.serve_forever, daemon=True).start()
        servers.append(h)
        ports[name] = h.server_address[1]
    t = bed()
    t["s"].stop()
    allow = ",".join(f"127.0.0.1:{p}" for p in ports.values())
    try:
        for ca, fine in (((), ()), (("--ca-file", folder / "ca.crt"), ("good",))):
            s = Server(t["data"], {"FARTHING_RETRY_MS": "5"}, ("--vault-key", t["key"], "--allow-host", allow, *ca))
            b = Browser(s)
            b.post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200)
            for name, port in ports.items():
                r = b.post("/api/connections/test", {"kind": "s3-compatible", "config": {"bucket": "b", "endpoint": f"https://127.0.0.1:{port}"},
                                                     "secretKind": "key_pair", "secret": {"accessKeyId": "AKIDTLSTEST0000001", "secretAccessKey": "tls-canary-00112233"}}).expect(200).json
                words = r["checks"][-1]["message"]
                equal("certificate" in words and "not trusted" in words, name not in fine, f"{name}: {words}")
            s.stop()
    finally:
        for h in servers:
            h.shutdown()
            h.server_close()
