"""Hardening of security.md that spans the whole program: who may send a secret where, what asks for a proof."""
import fnmatch
import json
import pathlib
import time

from farthing import PASSWORD, TMP, Browser, Server, check, cli, data_dir, equal, link_of, routes, server, shutil, wait_until

# What security.md SE-6 counts as sensitive; the paths of routes, unsafe methods.
SENSITIVE = ("/api/admin/users", "/api/admin/users/{id}", "/api/admin/users/{id}/reset-mfa", "/api/admin/roles*", "/api/admin/groups*",
             "/api/admin/data-access", "/api/admin/security-policy", "/api/admin/sso*", "/api/admin/scim*", "/api/admin/invite-links",
             "/api/credentials*", "/api/me/mfa*", "/api/me/tokens", "/api/tokens", "/api/tokens/{id}/rotate", "/api/me/tokens/{id}/rotate")
# Unsafe by method, but they only take away or only look.
MILD = {"DELETE /api/admin/invite-links/{id}", "POST /api/admin/data-access/preview", "POST /api/admin/sso/{id}/test"}


def test_every_sensitive_route_wants_a_proof():
    """SE-6 as a matrix over the route table."""
    seen, bad = set(), []
    for r in routes():
        name = f"{r['method']} {r['path']}"
        at = [p for p in SENSITIVE if fnmatch.fnmatch(r["path"], p)]
        if r["method"] == "GET" or not at or name in MILD:
            continue
        seen.update(at)
        if "proved" not in r["flags"]:
            bad.append(name)
    check(not bad, "no proof is asked for:", *bad)
    unused = [p for p in SENSITIVE if p not in seen and "sso" not in p and "scim" not in p]
    check(not unused, "no such route:", *unused)
    audit = next(r for r in routes() if r["path"] == "/api/admin/audit.csv")
    check("proved" in audit["flags"], "the export of the audit log")


_made = {}


def vault():
    """A copy with a vault key, its server, and the administrator's browser."""
    if "b" not in _made:
        server()
        data = TMP / "hard-data"
        shutil.copytree(data_dir(), data, ignore=shutil.ignore_patterns("lock", "farthing.sock"))
        key = TMP / "hard.key"
        cli(None, "vault", "key", key)
        link = link_of(cli(data, "link", "--email", "ann@example.com"))
        s = Server(data, args=("--vault-key", key))
        b = Browser(s)
        b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        _made.update(b=b, data=data, s=s)
    return _made["b"]


def test_a_stored_secret_is_sent_to_its_vendor_only():
    """7, SS-4: who may make connections cannot have a SAS token, a client secret or a bearer sent to a host of his own."""
    b = vault()
    put = lambda kind, value: b.post("/api/credentials", {"name": kind, "kind": kind, "value": value}).expect(201).json["id"]
    sas = put("api_key", {"key": "sv=2024&sig=c2FzLWNhbmFyeQ=="})
    app = put("oauth_client", {"tenantId": "t", "clientId": "c", "clientSecret": "app-canary"})
    azure = {"account": "acc", "container": "con", "endpoint": "https://evil.example"}
    for config, credential, field in (({**azure, "auth": "sas"}, sas, "evil.example"),
                                      ({**azure, "auth": "identity"}, None, "evil.example"),
                                      ({**azure, "auth": "application"}, app, "evil.example"),
                                      ({"account": "acc", "container": "con", "auth": "application", "loginEndpoint": "https://login.evil.example"},
                                       app, "login.evil.example")):
        body = {"kind": "azure", "config": config}
        if credential:
            body["credentialId"] = credential
        t = b.post("/api/connections/test", body).expect(200).json
        last = t["checks"][-1]
        check(not t["ok"] and field in last["message"] and "not the provider's" in last["message"], config, json.dumps(t["checks"]))
        check("--allow-host" in last["hint"], last)
    for c in b.get("/api/credentials").json["credentials"]:
        check("value" not in c and "canary" not in json.dumps(c, default=str), c)
        check(c["lastUsedAt"] is not None or c["id"] == app, "used")
        b.ask("DELETE", f"/api/credentials/{c['id']}").expect(204)
    equal(b.get("/api/credentials").json["credentials"], [])


def test_forwarded_addresses_count_from_our_proxies_only():
    """HT-4, HT-6: the right-most hop that is no proxy of ours; nothing when the operator named none."""
    vault()
    def seen(s, *lines):
        """The address that the server's log has for a request with these X-Forwarded-For lines."""
        c = s.connect()
        c.putrequest("GET", "/healthz")
        for v in lines:
            c.putheader("X-Forwarded-For", v)
        rid = "%08x-0000-4000-8000-000000000000" % len(cases_seen)
        cases_seen.append(lines)
        c.putheader("X-Request-Id", rid)
        c.endheaders()
        c.getresponse().read()
        c.close()
        log = lambda: [x for x in pathlib.Path(s.log.name).read_text(errors="replace").splitlines() if rid in x]
        s.log.flush()
        return wait_until(log)[0].split(" ip=")[1].split()[0]
    cases_seen = []
    plain = _made["s"]
    for lines in (("203.0.113.9",), ("1.1.1.1, 2.2.2.2",)):
        equal(seen(plain, *lines), "127.0.0.1", "no proxy is trusted")
    plain.ask("GET", "/metrics").expect(200)
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        plain.ask("GET", "/metrics", headers={header: "127.0.0.1"}).expect(404)
    _made["s"].stop()
    cli(_made["data"], "serve", "--trusted-proxy", "nonsense", code=2)
    # the clock stands still, so that a slow machine counts in one minute, too
    s = _made["s"] = Server(_made["data"], {"FARTHING_NOW_MS": str(int(time.time() * 1000))}, args=("--vault-key", TMP / "hard.key", "--trusted-proxy", "127.0.0.1, 10.0.0.0/8,2001:db8::/32"))
    _made.pop("b")
    for lines, want in ((("203.0.113.9",), "203.0.113.9"),
                        (("6.6.6.6, 203.0.113.9",), "203.0.113.9"),              # what the client wrote does not count
                        (("6.6.6.6, 203.0.113.9, 10.1.2.3",), "203.0.113.9"),    # two proxies of ours
                        (("6.6.6.6", "203.0.113.9", "10.1.2.3"), "203.0.113.9"),  # as three lines
                        (("10.0.0.1, 10.0.0.2",), "10.0.0.1"),                   # all ours: the farthest
                        (("203.0.113.9:4711",), "203.0.113.9"),
                        (("[2001:db9::5]:4711",), "2001:db9::5"),
                        (("2001:db9::5, 2001:db8::1",), "2001:db9::5"),
                        (("evil<script>",), "127.0.0.1"),
                        (("203.0.113.9, unknown",), "127.0.0.1"),
                        (("203.0.113.9,",), "127.0.0.1"),
                        (("0.0.0.0/0",), "127.0.0.1"),
                        (("1.2.3.4 5.6.7.8",), "127.0.0.1"),
                        ((",".join(["10.0.0.1"] * 400),), "10.0.0.1")):          # and it ends
        equal(seen(s, *lines), want, lines)
    # each client has its own count of wrong passwords: one cannot lock the others out
    guess = lambda ip: s.ask("POST", "/api/session", {"email": f"x{time.monotonic_ns()}@example.com", "password": "wrong words here"},
                             {"X-Forwarded-For": ip, "Sec-Fetch-Site": "same-origin", "X-Requested-With": "t", "Content-Type": "application/json"}).status
    codes = [guess("198.51.100.7") for _ in range(24)]
    equal((codes[0], codes[-1]), (401, 429))
    equal(guess("198.51.100.8"), 401, "another client")
