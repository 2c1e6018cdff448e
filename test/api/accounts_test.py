"""Several accounts in one installation: nothing of one is seen from another, and who may switch."""
import json
import pathlib
import re
import sqlite3
import threading
from decimal import Decimal

from farthing import (ADMIN, FIRST, PASSWORD, ROWS, TMP, TODAY, Browser, Server, bill_rows, check, cli, equal, link_of, round10,
                      wait_until, write_bill)

RANGE = {"from": str(FIRST), "to": str(TODAY)}
OTHER = bill_rows(scale=3)
_bed = {}


def cost(rows):
    return round10(sum((Decimal(r["EffectiveCost"]) for r in rows), Decimal(0)))


def total(who, **q):
    return Decimal(who.post("/api/query", {"date": RANGE, **q}).expect(200).json["total"]["total"])


class Bed:
    """An installation with a second account, Beta, that Ann administers as well; Ben is of the first only."""

    def __init__(self):
        self.data = TMP / "accounts"
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        cli(self.data, "load", "--source", "bill", write_bill(TMP / "accounts-a.csv", ROWS))
        before = {p.name for p in self.data.iterdir()}
        self.beta = cli(self.data, "account", "create", "Beta").strip()
        equal({p.name for p in self.data.iterdir()} - before, {"accounts"}, "what a second account adds to the folder")
        cli(self.data, "load", "--account", "Beta", "--source", "bill", write_bill(TMP / "accounts-b.csv", OTHER))
        cli(self.data, "account", "add", "Beta", ADMIN, "--role", "admin")
        self.server = Server(self.data, env={"FARTHING_ACCOUNT_IDLE_MS": "700"})
        self.ann = Browser(self.server)
        self.ann.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        self.home = self.ann.get("/api/session").expect(200).json["account"]["id"]
        self.ben = self.person("ben@example.com", "basic")

    def person(self, email, *roles):
        made = self.ann.post("/api/admin/users", {"email": email, "roles": list(roles)}).expect(201).json
        b = Browser(self.server)
        b.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
        b.id = made["id"]
        return b

    def again(self, who=None):
        """Another browser of the same person."""
        b = Browser(self.server)
        b.post("/api/session", {"email": who or ADMIN, "password": PASSWORD if not who else "orchid lantern gravel"}).expect(200)
        return b

    def go(self, who, account, status=204):
        return who.post("/api/session/account", {"id": account}).expect(status)


def bed():
    if "bed" not in _bed:
        _bed["bed"] = Bed()
    return _bed["bed"]


def test_each_account_has_its_own_bills():
    t = bed()
    b = t.again()
    s = b.get("/api/session").expect(200).json
    equal([(a["name"], a["first"]) for a in s["accounts"]], [(s["account"]["name"], True), ("Beta", False)])
    equal(total(b), cost(ROWS))
    t.go(b, t.beta)
    s = b.get("/api/session").expect(200).json
    equal((s["account"]["id"], s["account"]["name"], s["account"]["first"]), (t.beta, "Beta", False))
    equal(total(b), cost(OTHER))
    equal(total(t.ann), cost(ROWS), "another session of the same person is where it was")
    t.go(b, t.home)
    equal(total(b), cost(ROWS))
    equal(json.loads(cli(t.data, "query", "--account", "Beta", "--from", FIRST, "--to", TODAY, "--format", "json"))["total"]["total"],
          str(cost(OTHER)))
    cli(t.data, "check", "--account", t.beta)
    listed = cli(t.data, "account", "list")
    check(t.beta + "  Beta" in listed and "(first)" in listed, listed)
    check("no account" in cli_fails(t.data, "check", "--account", "Gamma"))


def cli_fails(data, *words):
    import subprocess
    from farthing import PROGRAM
    p = subprocess.run([PROGRAM, words[0], "--data", str(data), *words[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    check(p.returncode != 0, words, "did not fail")
    return p.stderr


def test_who_is_no_member_sees_no_account():
    """T-ACC-18: an account that is there answers as one that is not."""
    t = bed()
    unknown = t.go(t.ben, "00000000-0000-4000-8000-000000000000", 404).json
    there = t.go(t.ben, t.beta, 404).json
    equal({**there, "requestId": ""}, {**unknown, "requestId": ""})
    equal([a["name"] for a in t.ben.get("/api/accounts").expect(200).json["accounts"]], [t.ann.get("/api/session").json["account"]["name"]])
    t.ben.get("/api/admin/accounts").expect(403)
    t.ben.post("/api/admin/accounts", {"name": "Mine"}).expect(403)
    for header in ("authorized-account-id", "x-account-id", "frontegg-tenant-id"):
        a = t.ben.ask("POST", "/api/query", {"date": RANGE}, headers={header: t.beta}).expect(200).json
        equal(Decimal(a["total"]["total"]), cost(ROWS))


def test_ids_of_one_are_unknown_in_another():
    t = bed()
    a, b = t.again(), t.again()
    t.go(b, t.beta)
    view = a.post("/api/views", {"name": "Home only", "question": {}}).expect(201).json["id"]
    rules = {"defaultValue": "Untagged", "rules": [{"to": "x", "filters": {
        "costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "is", "value": "Amazon EC2"}}]}
    tag = a.post("/api/tags", {"name": "Home tag", "kind": "rules", **rules}).expect(201).json["id"]
    team = a.post("/api/admin/groups", {"name": "Home team"}).expect(201).json["id"]
    no = "00000000-0000-4000-8000-000000000000"
    for method, path, body in (("PUT", "/api/views/{}", {"name": "x"}), ("DELETE", "/api/views/{}", None), ("GET", "/api/tags/{}", None),
                               ("PUT", "/api/tags/{}/name", {"name": "x"}), ("GET", "/api/objects/view/{}/acl", None),
                               ("PUT", "/api/admin/groups/{}", {"name": "x"}), ("DELETE", "/api/admin/users/{}", None)):
        for one in (view, tag, team, t.ben.id):
            got, want = b.ask(method, path.format(one), body), b.ask(method, path.format(no), body)
            equal((got.status, {**got.json, "requestId": ""}), (want.status, {**want.json, "requestId": ""}), path)
    check("Home" not in str(b.get("/api/views").json) + str(b.get("/api/tags").json) + str(b.get("/api/admin/groups").json))
    check("Home" not in str(b.get("/api/admin/audit?q=Home").json["events"]), "the audit logs are apart")
    equal([u["email"] for u in b.get("/api/admin/users").json["users"]], [ADMIN])
    check("Home tag" not in b.get("/api/keys").body.decode())
    a.ask("DELETE", "/api/views/" + view).expect(204)


def test_a_token_is_of_one_account():
    t = bed()
    b = t.again()
    t.go(b, t.beta)
    both = {}
    for who, where in ((t.again(), "home"), (b, "beta")):
        made = who.post("/api/tokens", {"description": where, "role": "api-token", "allRows": True}).expect(201).json
        both[where] = made["id"], {"x-finout-client-id": made["clientId"], "x-finout-secret-key": made["secretKey"]}
        who.post("/api/views", {"name": "of " + where, "question": {}}).expect(201)
    says = lambda h: [w for w in ("of home", "of beta") if w in t.server.ask("GET", "/v1/view", headers=h).expect(200).body.decode()]
    equal((says(both["home"][1]), says(both["beta"][1])), (["of home"], ["of beta"]))
    mixed = {**both["home"][1], "x-finout-client-id": both["beta"][1]["x-finout-client-id"]}
    t.server.ask("GET", "/v1/view", headers=mixed).expect(401)
    t.again().ask("DELETE", "/api/tokens/" + both["beta"][0]).expect(404)
    b.ask("DELETE", "/api/tokens/" + both["beta"][0]).expect(204)
    t.server.ask("GET", "/v1/view", headers=both["beta"][1]).expect(401)


def test_people_sign_in_at_the_first_account():
    t = bed()
    b = t.again()
    t.go(b, t.beta)
    b.post("/api/admin/users", {"email": "nobody@example.com", "roles": ["basic"]}).expect(400)
    cleo = t.person("cleo@example.com", "basic")
    b.post("/api/admin/users", {"email": "cleo@example.com", "roles": ["read-only"]}).expect(201)
    b.post("/api/admin/users", {"email": "cleo@example.com", "roles": ["read-only"]}).expect(409)
    for path in ("/api/admin/invite-links", "/api/admin/mail", "/api/admin/accounts"):
        b.get(path).expect(403)
    b.post(f"/api/admin/users/{cleo.id}/resend", {}).expect(403)
    t.go(cleo, t.beta)
    s = cleo.get("/api/session").expect(200).json
    equal((s["user"]["roles"], s["account"]["name"]), (["read-only"], "Beta"))
    equal(total(cleo), cost(OTHER))
    cleo.post("/api/views", {"name": "no", "question": {}}).expect(403)
    # a personal token of Beta: read there, and gone with the membership or the person
    made = cleo.post("/api/me/tokens", {"description": "mine", "role": "read-only"}).expect(201).json
    h = {"x-finout-client-id": made["clientId"], "x-finout-secret-key": made["secretKey"]}
    t.server.ask("GET", "/v1/view", headers=h).expect(200)
    cleo.put("/api/me/password", {"current": "orchid lantern gravel", "next": "harbour violet stone"}).expect(204)
    equal(cleo.get("/api/session").json["account"]["name"], "Beta", "the password is the person's, the session goes on")
    t.ann.post(f"/api/admin/users/{cleo.id}/disable", {}).expect(204)
    cleo.get("/api/session").expect(401)
    t.server.ask("GET", "/v1/view", headers=h).expect(401)
    t.ann.post(f"/api/admin/users/{cleo.id}/enable", {}).expect(204)
    t.server.ask("GET", "/v1/view", headers=h).expect(200)
    c = Browser(t.server)
    c.post("/api/session", {"email": "cleo@example.com", "password": "harbour violet stone"}).expect(200)
    t.go(c, t.beta)
    equal(total(c), cost(OTHER))
    b.ask("DELETE", f"/api/admin/users/{cleo.id}").expect(204)
    c.post("/api/query", {"date": RANGE}).expect(401)
    equal(total(c), cost(ROWS), "back at the first account")
    t.server.ask("GET", "/v1/view", headers=h).expect(401)
    t.go(c, t.beta, 404)


def test_row_rules_and_policies_are_each_account_s():
    t = bed()
    b = t.again()
    dora = t.person("dora@example.com", "basic")
    t.go(b, t.beta)
    b.post("/api/admin/users", {"email": "dora@example.com", "roles": ["basic"]}).expect(201)
    g = b.post("/api/admin/groups", {"name": "EC2 only", "dataAccessEnabled": True, "filters": {
        "costCenter": "AWS", "key": "service", "type": "billing_dimension", "operator": "is", "value": ["Amazon EC2"]}}).expect(201).json
    b.put("/api/admin/data-access", {"enabled": True}).expect(200)
    b.post(f"/api/admin/groups/{g['id']}/users", {"add": [dora.id]}).expect(204)
    equal(total(dora), cost(ROWS), "row rules of Beta are none of the first account's")
    t.go(dora, t.beta)
    equal(total(dora), cost([r for r in OTHER if r["ServiceName"] == "Amazon EC2"]))
    # through other eyes, in Beta
    b.post("/api/admin/view-as", {"userId": dora.id}).expect(204)
    equal(total(b), cost([r for r in OTHER if r["ServiceName"] == "Amazon EC2"]))
    b.post("/api/views", {"name": "x", "question": {}}).expect(403)
    b.ask("DELETE", "/api/admin/view-as").expect(204)
    equal(total(b), cost(OTHER))
    b.put("/api/admin/data-access", {"enabled": False}).expect(200)
    b.put("/api/admin/security-policy", {"mfa": "Force"}).expect(200)
    dora.post("/api/query", {"date": RANGE}).expect(403)
    check(dora.get("/api/session").expect(200).json["mfaWanted"])
    t.go(dora, t.home)
    equal(total(dora), cost(ROWS))
    with sqlite3.connect(t.data / "accounts" / t.beta / "meta.db", timeout=30) as db:  # Ann has no second factor either
        db.execute("DELETE FROM setting WHERE name = 'security_policy'")


def test_questions_of_two_accounts_at_once_never_mix():
    """T-ACC-12: one process, one set of caches."""
    t = bed()
    a, b = t.again(), t.again()
    t.go(b, t.beta)
    wrong = []

    def ask(who, rows, n):
        for i in range(n):
            service = ("Amazon EC2", "Amazon S3", "Compute Engine")[i % 3]
            q = {"filters": {"costCenter": "GCP" if i % 3 == 2 else "AWS", "key": "service", "type": "billing_dimension",
                             "operator": "is", "value": service}} if i % 4 else {}
            got = total(who, **q)
            want = cost([r for r in rows if not q or r["ServiceName"] == service])
            if got != want:
                wrong.append((service, got, want))
    each = [threading.Thread(target=ask, args=(w, r, 40)) for w, r in ((a, ROWS), (b, OTHER), (a, ROWS), (b, OTHER))]
    for x in each:
        x.start()
    for x in each:
        x.join()
    equal(wrong, [])


def test_idle_accounts_are_closed_and_opened_again():
    t = bed()
    b = t.again()
    t.go(b, t.beta)
    log = pathlib.Path(t.server.log.name)
    closed = lambda: log.read_text(errors="replace").count(f"account_closed id={t.beta}")
    n = closed()
    equal(total(b), cost(OTHER))
    wait_until(lambda: closed() > n)
    equal(total(b), cost(OTHER), "the same session finds it again")
    wait_until(lambda: closed() > n + 1)
    # a load while it is closed, through the server that has the folder
    more = bill_rows(scale=5)
    cli(t.data, "load", "--account", "Beta", "--source", "bill", write_bill(TMP / "accounts-c.csv", more))
    equal(total(b), cost(more))
    equal(total(t.again()), cost(ROWS))
    cli(t.data, "load", "--account", "Beta", "--source", "bill", write_bill(TMP / "accounts-b2.csv", OTHER))
    equal(total(b), cost(OTHER))


def test_making_and_naming_in_the_page():
    t = bed()
    made = t.ann.post("/api/admin/accounts", {"name": "Gamma"}).expect(201).json
    t.ann.post("/api/admin/accounts", {"name": "gamma"}).expect(409)
    t.ann.post("/api/admin/accounts", {"name": ""}).expect(400)
    t.ann.put("/api/admin/accounts/" + made["id"], {"name": "Delta"}).expect(204)
    t.ann.put("/api/admin/accounts/" + made["id"], {"name": "beta"}).expect(409)
    t.ann.put("/api/admin/accounts/00000000-0000-4000-8000-000000000000", {"name": "x"}).expect(404)
    names = [a["name"] for a in t.ann.get("/api/admin/accounts").expect(200).json["accounts"]]
    check("Delta" in names and "Beta" in names and "Gamma" not in names, names)
    b = t.again()
    t.go(b, made["id"])
    s = b.get("/api/session").expect(200).json
    equal((s["account"]["name"], s["user"]["roles"], s["sources"]), ("Delta", ["admin"], 0))
    t.ann.post(f"/api/admin/accounts/{made['id']}/members", {"email": "ben@example.com", "roles": ["read-only"]}).expect(201)
    t.go(t.ben, made["id"])
    t.go(t.ben, t.home)
    cli(t.data, "account", "rename", "Delta", "Epsilon")
    equal(b.get("/api/session").json["account"]["name"], "Epsilon")
    check((t.data / "accounts" / made["id"] / "meta.db").exists())


def test_backup_of_one_account():
    t = bed()
    file, copy = TMP / "beta.backup", TMP / "beta-restored"
    cli(t.data, "backup", "--account", "Beta", file)
    cli(copy, "restore", file)
    cli(copy, "check")
    got = json.loads(cli(copy, "query", "--from", FIRST, "--to", TODAY, "--format", "json"))["total"]["total"]
    equal(Decimal(got), cost(OTHER))


def test_the_audit_logs_hold():
    t = bed()
    t.server.stop()
    cli(t.data, "audit", "verify")
    cli(t.data, "audit", "verify", "--account", "Beta")
    with sqlite3.connect(t.data / "meta.db") as db:
        acts = {a for (a,) in db.execute("SELECT DISTINCT action FROM audit")}
    check({"account.create", "account.rename", "account.switch"} <= acts, acts)
    left = [p.name for p in (t.data / "accounts").iterdir() if not re.fullmatch(r"[0-9a-f-]{36}", p.name)]
    equal(left, [], "drafts left behind")
