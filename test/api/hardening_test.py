"""Hardening of security.md that spans the whole program: who may send a secret where, what asks for a proof."""
import fnmatch
import json

from farthing import PASSWORD, TMP, Browser, Server, check, cli, data_dir, equal, link_of, routes, server, shutil

# What security.md SE-6 counts as sensitive; the paths of routes, unsafe methods.
SENSITIVE = ("/api/admin/users", "/api/admin/users/{id}", "/api/admin/users/{id}/reset-mfa", "/api/admin/roles*", "/api/admin/groups*",
             "/api/admin/data-access", "/api/admin/security-policy", "/api/admin/sso*", "/api/admin/scim*", "/api/admin/invite-links",
             "/api/credentials*", "/api/me/mfa*", "/api/me/tokens", "/api/tokens", "/api/tokens/{id}/rotate", "/api/me/tokens/{id}/rotate")
# Unsafe by method, but they only take away or only look.
MILD = {"DELETE /api/admin/invite-links/{id}", "POST /api/admin/data-access/preview"}


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
        link = link_of(cli(data, "init", "--admin", "hard@example.com")) if not (data / "meta.db").exists() else \
            link_of(cli(data, "link", "--email", "ann@example.com"))
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
