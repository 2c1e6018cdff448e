"""Who may see and do what (spec access.md): every route and role, row rules, access lists, people, tokens, audit."""
import base64
import ctypes.util
import hashlib
import hmac
import json
import os
import re
import shutil
import sqlite3
import struct
import threading
import time
from decimal import Decimal

from farthing import (ADMIN, FIRST, PASSWORD, ROWS, TMP, TODAY, Browser, Server, Skip, check, cli, equal, link_of, millis, round10,
                      routes, sample_path, secret, write_bill)

RANGE = {"from": str(FIRST), "to": str(TODAY)}

# access.md 1.3: A admin, B basic, R read-only, T API token. Written down from the specification, not from the program.
# telemetry.view has T beside it because clients read telemetry centers with a token (api.md 9.6).
MATRIX = """
dashboards.view ABR | dashboards.create AB | dashboards.edit AB | dashboards.delete AB
vtags.view ABRT | vtags.create ABT | vtags.edit ABT | vtags.delete ABT | views.manage AB | views.view ABRT
tokens.account.manage A | anomalies.view ABR | anomalies.feed.view ABR | anomalies.manage.view ABR | anomalies.create AB
anomalies.edit AB | anomalies.delete A | anomalies.clear A | budgets.edit A | budgets.create_delete A
explorers.view ABR | explorers.create AB | explorers.edit AB | explorers.delete AB | plans.view ABR | plans.lines.edit A
plans.lines.edit_own_group AB | plans.create A | plans.delete A | plans.lines.toggle A | plans.settings A | plans.upload A
commitments.view ABR | commitments.log.view ABR | roles.view A | roles.edit A | groups.manage A
cost.query ABRT | cost.export AB | drilldown.view ABR | drilldown.edit AB | realloc.view ABR | realloc.edit AB
costinput.view ABR | costinput.edit A | costguard.view ABRT | costguard.scan.edit A | costguard.recommendation.edit AB
costguard.connect A | reports.view ABR | reports.create AB | reports.edit AB | reports.delete AB | taggov.view ABR
taggov.edit AB | folders.edit AB | costcenters.view ABR | costcenters.create A | costcenters.edit A | costcenters.delete A
telemetry.view ABRT | telemetry.edit A | endpoints.view ABRT | endpoints.create AB | endpoints.edit AB | endpoints.delete AB
endpoints.test AB | endpoints.any_kind A | apps.view AB | apps.connect A | vault.write A | vault.list A | edp.view ABR
edp.edit A | account.view ABR | account.edit A | users.view AB | users.invite A | users.edit_roles A | users.lock A
users.delete A | sso.edit A | scim.edit A | security.edit A | sessions.revoke A | audit.view A | audit.export A | ai.use ABR
ai.optin A | tokens.personal.manage ABR | self ABRT | public ABRT
"""
WHO = dict(x.split() for x in MATRIX.replace("\n", "|").split("|") if x.strip())
_bed = {}


def totp(secret, at=None):
    """RFC 6238 by the book."""
    key = base64.b32decode(secret)
    mac = hmac.new(key, struct.pack(">Q", int((at or time.time()) // 30)), hashlib.sha1).digest()
    o = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[o:o + 4])[0] & 0x7fffffff) % 1000000:06d}"


class Bed:
    """An own installation with an administrator, and people of each role."""

    def __init__(self, name="access"):
        self.data = TMP / name
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        cli(self.data, "load", "--source", "bill", write_bill(TMP / f"{name}.csv", ROWS))
        self.mail = TMP / f"{name}-mail"
        self.server = Server(self.data)
        self.admin = Browser(self.server)
        self.admin.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        self.people = {}
        for role in ("basic", "read-only"):
            self.people[role] = self.person(f"{role}@example.com", role)

    def person(self, email, *roles):
        made = self.admin.post("/api/admin/users", {"email": email, "roles": list(roles)}).expect(201).json
        b = Browser(self.server)
        b.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
        b.id = made["id"]
        return b

    def token(self, role, **more):
        made = self.admin.post("/api/tokens", {"description": "t", "role": role, "allRows": True, **more}).expect(201).json
        return {"x-finout-client-id": made["clientId"], "x-finout-secret-key": made["secretKey"]}, made["id"]


def bed():
    if "bed" not in _bed:
        _bed["bed"] = Bed()
    return _bed["bed"]


def total(b, **q):
    a = b.post("/api/query", {"date": RANGE, **q}).expect(200).json
    return Decimal(a["total"]["total"])


def cost(rows):
    return round10(sum((Decimal(r["EffectiveCost"]) for r in rows), Decimal(0)))


def leaf(key, operator, value, center="AWS", kind="billing_dimension"):
    return {"costCenter": center, "key": key, "type": kind, "operator": operator, "value": value}


def test_every_route_and_every_role():
    """T-ACC-01, T-ACC-02: the gate's verdict is the table's, and no route is without one."""
    t = bed()
    people = {"A": t.admin, "B": t.people["basic"], "R": t.people["read-only"]}
    headers, _ = t.token("api-token")
    empty = t.admin.post("/api/admin/roles", {"name": "nothing", "permissions": []}).expect(201).json["id"]
    one = t.admin.post("/api/admin/roles", {"name": "one", "permissions": ["users.view"]}).expect(201).json["id"]
    custom = {frozenset(): t.person("none@example.com", empty), frozenset(["users.view"]): t.person("one@example.com", one)}
    left = {("DELETE", "/api/session"), ("GET", "/api/events"), ("DELETE", "/api/me/sessions")}
    seen = set()
    for r in routes():
        at, path = (r["method"], r["path"]), sample_path(r["path"])
        check(r["permission"] in WHO, at, "has a permission that the specification does not know:", r["permission"])
        seen.add(r["permission"])
        if r["permission"] == "public" or at in left:
            continue
        body = {} if r["method"] in ("POST", "PUT", "PATCH") else None
        if "upload" in r["flags"]:
            body = b""
        def verdict(a, allowed, who):
            if allowed:
                check(a.status not in (401, 403) or "permission" not in a.json["message"], at, who, a.status, a.body[:200])
                check(a.status != 401, at, who, a.body[:200])
            else:
                equal((a.status, a.json["error"]), (403, "FORBIDDEN"), f"{at} {who}")
                check(r["permission"] in a.json["message"], at, who, a.body)
        anonymous = t.server.ask(r["method"], path, body, {"Content-Type": "application/json"} if body == {} else {})
        equal(anonymous.status, 401, f"{at} anonymous")
        more = {"Content-Type": "application/octet-stream"} if "upload" in r["flags"] else None
        if "session" in r["flags"]:
            for who, b in people.items():
                verdict(b.ask(r["method"], path, body, more), who in WHO[r["permission"]], who)
            for has, b in custom.items():
                verdict(b.ask(r["method"], path, body, more), r["permission"] in has or r["permission"] == "self", has)
        if "token" in r["flags"]:
            a = t.server.ask(r["method"], path, body, headers)
            verdict(a, "T" in WHO[r["permission"]], "T")
        elif "session" in r["flags"]:
            equal(t.server.ask(r["method"], path, body, headers).status, 401, f"{at} with a token")
    check({"cost.query", "groups.manage", "audit.view"} <= seen)


def test_every_route_in_and_out_of_the_row_rule():
    """Who holds every permission and sees only some rows: exactly the routes that show whole bills refuse, all of them."""
    t = Bed("access-rows")  # its own: what a POST of every route leaves is nobody else's
    limited = t.person("limited@example.com", "admin")
    t.admin.put("/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        g = t.admin.post("/api/admin/groups", {"name": "some rows", "dataAccessEnabled": True,
                                               "filters": leaf("service", "is", ["Amazon S3"])}).expect(201).json
        t.admin.post(f"/api/admin/groups/{g['id']}/users", {"add": [limited.id]}).expect(204)
        equal(total(limited), cost(r for r in ROWS if r["ServiceName"] == "Amazon S3"))
        asked = {True: 0, False: 0}
        for r in routes():
            at, whole = (r["method"], r["path"]), "allRows" in r["flags"]
            if "session" not in r["flags"] or r["permission"] == "public" or at in (("DELETE", "/api/session"), ("DELETE", "/api/me/sessions")):
                continue
            body = b"" if "upload" in r["flags"] else {} if r["method"] in ("POST", "PUT", "PATCH") else None
            if at == ("PUT", "/api/admin/data-access") or (not whole and at == ("GET", "/api/events")):
                continue
            a = limited.ask(r["method"], sample_path(r["path"]), body,
                            {"Content-Type": "application/octet-stream"} if body == b"" else None)
            refused = a.status == 403 and "you see only some rows" in a.json["message"]
            equal(refused, whole, f"{at}: {a.status} {a.body[:200]}")
            asked[whole] += 1
        check(asked[True] > 5 and asked[False] > 100, asked)
    finally:
        t.server.stop()


def test_every_route_with_own_and_with_another_s_object():
    """Another's private object answers as one that is not there, on every route that takes its id; the own one does not."""
    t = Bed("access-own")
    owner, other = t.person("maker@example.com", "basic"), t.person("stranger@example.com", "basic")
    rules = {"kind": "rules", "defaultValue": "none", "rules": [{"to": "x", "filters": leaf("service", "is", "Amazon S3")}]}
    private = {"type": "private", "users": [], "groups": []}
    no, made = "00000000-0000-4000-8000-000000000000", {}
    for kind, path, body in (("view", "/api/views", {"name": "own view", "question": {}}), ("virtual_tag", "/api/tags", {"name": "own tag", **rules})):
        made[kind] = owner.post(path, body).expect(201).json["id"]
        owner.put(f"/api/objects/{kind}/{made[kind]}/acl", {"read": private, "write": private}).expect(200)
    asked = 0
    for last in (False, True):  # what deletes comes last
        for r in routes():
            kind = "view" if r["path"].startswith("/api/views/{") else "virtual_tag" if r["path"].startswith("/api/tags/{") else None
            if not kind or "B" not in WHO[r["permission"]] or (r["method"] == "DELETE") != last:
                continue
            body = {} if r["method"] in ("POST", "PUT", "PATCH") else None
            ask = lambda who, one: who.ask(r["method"], sample_path(r["path"]).replace(no, one, 1), body)
            got, want = ask(other, made[kind]), ask(other, "10000000-0000-4000-8000-000000000001")
            plain = lambda a, one: {**json.loads(a.body.decode().replace(one, "ID")), "requestId": ""}
            if want.status != 400:  # an empty body that is refused first
                equal((got.status, plain(got, made[kind])), (want.status, plain(want, "10000000-0000-4000-8000-000000000001")),
                      f"{r['method']} {r['path']}")
            check(got.status == 404 or got.status == want.status == 403, r["method"], r["path"], "another's", got.body[:200])
            if "{version}" not in r["path"]:
                own = ask(owner, made[kind])
                check(own.status != 404 or "undelete" in r["path"], r["method"], r["path"], "own", own.body[:200])
            asked += 1
    check(asked >= 15, asked)
    t.server.stop()


def test_the_permission_list_is_the_closed_one():
    t = bed()
    got = {p["key"] for p in t.admin.get("/api/admin/permissions").expect(200).json["permissions"]}
    equal(got, set(WHO) - {"self", "public"})
    for role in t.admin.get("/api/admin/roles").expect(200).json["roles"]:
        if role["default"]:
            letter = {"admin": "A", "basic": "B", "read-only": "R", "api-token": "T"}[role["id"]]
            equal(set(role["permissions"]), {k for k, who in WHO.items() if letter in who and k not in ("self", "public")},
                  role["id"])


def test_row_rules():
    """T-ACC-09, 10 over HTTP: off, no group, one, two, disabled, unrestricted, missing key, negative operator."""
    t = bed()
    a, u = t.admin, t.person("rows@example.com", "basic")
    equal(total(u), cost(ROWS), "row rules are off")
    a.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        equal(total(a), cost(ROWS), "who switched it on is in the Admin Group")
        equal(total(u), 0, "no group, no row")
        equal(u.get("/api/session").json["allRows"], False)
        make = lambda name, **g: a.post("/api/admin/groups", {"name": name, **g}).expect(201).json
        g1 = make("s3", dataAccessEnabled=True, filters=leaf("service", "is", ["Amazon S3"]))
        g2 = make("core", dataAccessEnabled=True, filters=leaf("team", "is", ["core"], kind="tag"))
        off = make("off", dataAccessEnabled=False, filters=leaf("service", "is", ["Amazon EC2"]))
        wide = make("wide", dataAccessEnabled=True, unrestricted=True)
        neg = make("neg", dataAccessEnabled=True, filters=leaf("team", "isNot", ["core"], kind="tag"))
        bare = make("bare", dataAccessEnabled=True, filters={"costCenter": "AWS", "key": "team", "type": "tag",
                                                           "operator": "notExists"})
        def join(g, member=True):
            a.post(f"/api/admin/groups/{g['id']}/users", {"add" if member else "remove": [u.id]}).expect(204)
        def rows(*tests):
            return cost(r for r in ROWS if any(x(r) for x in tests))
        s3 = lambda r: r["ServiceName"] == "Amazon S3"
        core = lambda r: r["ProviderName"] == "AWS" and '"core"' in r["Tags"]
        join(g1)
        equal(total(u), rows(s3), "one group")
        keys = {(k["costCenter"], k["key"]) for k in u.get("/api/keys").expect(200).json["keys"]}
        check(("GCP", "service") not in keys and ("AWS", "service") in keys, "keys of hidden rows are hidden", keys)
        values = u.post("/api/values", {"costCenter": "AWS", "key": "service"}).expect(200).json["values"]
        equal([v["value"] for v in values], ["Amazon S3"], "values of hidden rows are hidden")
        text = u.post("/api/rows", {"date": RANGE, "limit": 500}).expect(200).body + u.post(
            "/api/query.csv", {"date": RANGE, "groupBy": [{"costCenter": "Global", "key": "service"}]}).expect(200).body
        check(b"EC2" not in text and b"Compute Engine" not in text and b"Amazon S3" in text, "rows and exports")
        for path in ("/api/loads", "/api/loads/1", "/api/jobs", "/api/events"):
            equal(u.get(path).status, 403, path)
        join(g2)
        equal(total(u), rows(s3, core), "two groups: the union")
        join(g2, False)
        join(off)
        equal(total(u), rows(s3), "a group without data access gives no row")
        join(g1, False)
        join(neg)
        equal(total(u), rows(lambda r: r["ProviderName"] == "AWS" and '"team"' in r["Tags"] and not core(r)),
              "a missing value never matches a negative rule")
        join(neg, False)
        join(bare)
        equal(total(u), rows(lambda r: not (r["ProviderName"] == "AWS" and '"team"' in r["Tags"])), "unless it says so")
        join(bare, False)
        join(wide)
        equal(total(u), cost(ROWS), "unrestricted")
        join(wide, False)
        equal(total(u), 0)
        # a token bound to a group, and a personal one
        headers, _ = t.token("api-token", groups=[g1["id"]], allRows=False)
        got = t.server.ask("GET", "/v1/megabill/query-language/values/AWS/service", None, headers).expect(200).body
        check(b"EC2" not in got and b"Amazon S3" in got, "token of a group", got[:200])
        a.post("/api/tokens", {"description": "x", "role": "api-token"}).expect(400)
        mine = u.post("/api/me/tokens", {"description": "mine", "role": "read-only"}).expect(201).json
        h = {"x-finout-client-id": mine["clientId"], "x-finout-secret-key": mine["secretKey"]}
        got = t.server.ask("GET", "/v1/megabill/query-language/values/AWS/service", None, h).expect(200).body
        check(b"Amazon" not in got, "a personal token sees what its person sees")
        # the law: the user's answer is the administrator's with the rule added
        join(g2)
        rule = leaf("team", "is", ["core"], kind="tag")
        for extra in (None, leaf("service", "contains", "EC2"), leaf("region", "isNot", ["eu-west-1"])):
            equal(total(u, filters=extra), total(a, filters={"AND": [rule] + ([extra] if extra else [])}), str(extra))
        # view as, read-only
        a.post("/api/admin/view-as", {"userId": u.id}).expect(204)
        equal(total(a), rows(core), "through other eyes")
        check(a.get("/api/session").json["viewingAs"])
        a.post("/api/views", {"name": "not mine", "question": {}}).expect(403)
        a.ask("DELETE", "/api/admin/view-as").expect(204)
        equal(total(a), cost(ROWS))
        # explain
        why = a.get(f"/api/admin/explain?principal={u.id}").expect(200).json
        equal((why["sees"], Decimal(why["sight"]["whole"]) > 0), ("some", True))
        seen = a.post("/api/admin/data-access/preview", {"filters": rule}).expect(200).json
        check(Decimal(seen["cost"]) < Decimal(seen["whole"]) and seen["rows"] > 0)
        # a submitted query is its owner's, and of what he could see then
        body = {"date": {"unixTimeMillisecondsStart": millis(FIRST), "unixTimeMillisecondsEnd": millis(TODAY)},
                "timeInterval": {"interval": "month"}, "measurements": [{"type": "netAmortizedCost"}]}
        qid = t.server.ask("POST", "/v2/data/cost-usage/generate-query", body, h).expect(200).json["data"]["queryId"]
        equal(t.server.ask("GET", f"/v2/data/cost-usage/{qid}/status", None, headers).status, 404, "another's query")
        for _ in range(200):
            if t.server.ask("GET", f"/v2/data/cost-usage/{qid}/status", None, h).json["data"]["status"] == "completed":
                break
            time.sleep(0.05)
        t.server.ask("GET", f"/v2/data/cost-usage/{qid}/results", None, h).expect(200)
        join(g1)
        equal(t.server.ask("GET", f"/v2/data/cost-usage/{qid}/results", None, h).status, 424, "what he may see changed")
        # the command line asks as somebody, too
        out = json.loads(cli(t.data, "query", "--from", FIRST, "--to", TODAY, "--format", "json", "--as", "rows@example.com"))
        equal(Decimal(str(out["total"]["total"])), rows(s3, core), "query --as")
    finally:
        a.ask("PUT", "/api/admin/data-access", {"enabled": False}).expect(200)


def test_access_lists():
    """T-ACC-04, 05, 06 on saved views; inform.md 14."""
    t = bed()
    a, b, c = t.admin, t.person("owner@example.com", "basic"), t.person("other@example.com", "basic")
    reader = t.people["read-only"]
    v = b.post("/api/views", {"name": "mine", "question": {}}).expect(201).json
    ids = lambda who: {x["id"] for x in who.get("/api/views").expect(200).json["views"]}
    acl = f"/api/objects/view/{v['id']}/acl"
    axis = lambda kind, users=(), groups=(): {"type": kind, "users": list(users), "groups": list(groups)}
    check(v["id"] in ids(a) and v["id"] in ids(b) and v["id"] not in ids(c), "private: the owner and administrators")
    c.ask("PUT", f"/api/views/{v['id']}", {"name": "stolen"}).expect(404)
    c.get(acl).expect(404)
    equal(c.ask("DELETE", "/api/views/00000000-0000-4000-8000-000000000000").json["error"],
          c.ask("DELETE", f"/api/views/{v['id']}").json["error"], "as if there were none")
    b.ask("PUT", acl, {"read": axis("private"), "write": axis("public")}).expect(400)
    b.ask("PUT", acl, {"read": axis("public"), "write": axis("private")}).expect(200)
    check(v["id"] in ids(c))
    c.ask("PUT", f"/api/views/{v['id']}", {"name": "stolen"}).expect(403)
    c.ask("PUT", acl, {"read": axis("private"), "write": axis("private")}).expect(403)
    g = a.post("/api/admin/groups", {"name": "sharers"}).expect(201).json
    b.ask("PUT", acl, {"read": axis("shared", groups=[g["id"]]), "write": axis("shared", users=[c.id])}).expect(400)
    a.post(f"/api/admin/groups/{g['id']}/users", {"add": [c.id]}).expect(204)
    b.ask("PUT", acl, {"read": axis("shared", groups=[g["id"]]), "write": axis("shared", users=[c.id])}).expect(200)
    c.ask("PUT", f"/api/views/{v['id']}", {"name": "ours"}).expect(200)
    check(v["id"] not in ids(reader), "not on the list")
    b.ask("PUT", acl, {"read": axis("public"), "write": axis("public")}).expect(200)
    reader.ask("PUT", f"/api/views/{v['id']}", {"name": "x"}).expect(403)  # a list gives nothing without the permission
    # the account's default acts on new objects only; a person who leaves has an heir
    a.ask("PUT", "/api/admin/acl-default", {"read": axis("public"), "write": axis("private")}).expect(200)
    w = b.post("/api/views", {"name": "by default", "question": {}}).expect(201).json
    check(w["id"] in ids(c))
    a.ask("PUT", "/api/admin/acl-default", {"read": axis("private"), "write": axis("private")}).expect(200)
    check(w["id"] in ids(c), "old objects keep theirs")
    p = b.post("/api/views", {"name": "secret", "question": {}}).expect(201).json
    a.ask("DELETE", f"/api/admin/users/{b.id}?heir={c.id}").expect(204)
    check(p["id"] in ids(c), "the heir")
    b.get("/api/session").expect(401)


def test_new_objects_get_the_default_list():
    """T-ACC-06 for every kind that is made: private until the account says otherwise; V2 tags are read by all."""
    t = bed()
    a = t.admin
    c = t.person("peer@example.com", "basic")
    private, public = ({"type": k, "users": [], "groups": []} for k in ("private", "public"))
    rules = {"defaultValue": "Untagged", "rules": [{"to": "x", "filters": leaf("service", "is", "Amazon EC2")}]}
    tag = lambda who, name, **m: who.post("/api/tags", {"name": name, "kind": "rules", **rules, **m}).expect(201).json["id"]
    acl = lambda kind, id: a.get(f"/api/objects/{kind}/{id}/acl").expect(200).json["acl"]
    seen = lambda who: {x["id"] for x in who.get("/api/tags").expect(200).json["tags"]}
    a.put("/api/admin/acl-default", {"read": private, "write": private}).expect(200)
    own = tag(c, "Peer's")
    equal(acl("virtual_tag", own), {"read": private, "write": private, "owner": c.id})
    check(own in seen(c) and own in seen(a), "its owner and administrators see it")
    other = t.person("stranger@example.com", "basic")
    check(own not in seen(other), "a stranger sees a private tag")
    other.get("/api/tags/" + own).expect(404)
    copy = c.post(f"/api/tags/{own}/duplicate", {}).expect(201).json["id"]
    equal(acl("virtual_tag", copy)["read"], private)
    said = tag(c, "Said", acl={"read": public, "write": private})
    check(said in seen(other), "what its maker said counts")
    other.put(f"/api/tags/{said}/name", {"name": "mine"}).expect(403)
    c.post("/api/tags", {"name": "Wide", "kind": "rules", **rules, "acl": {"read": private, "write": public}}).expect(422)
    check("Wide" not in str(a.get("/api/tags").json["tags"]), "a tag with a refused list was made")
    headers, token = t.token("api-token")
    v2 = t.server.ask("POST", "/v2/virtual-tags", {"name": "By V2", **rules}, headers={**headers, "Content-Type": "application/json"})
    made = v2.expect(200).json["data"]["id"]
    equal(acl("virtual_tag", made), {"read": public, "write": private, "owner": token})
    check(made in seen(other))
    series = a.post("/api/telemetry", {"name": "Orders", "type": "csv", "field": "team", "metrics": ["orders"]})
    series = series.expect(201).json["id"]
    equal(acl("telemetry", series)["read"], private)
    listed = lambda who: {x["id"] for x in who.get("/api/telemetry").expect(200).json["telemetry"]}
    check(series in listed(a) and series not in listed(other))
    other.get("/api/telemetry/" + series).expect(404)
    a.ask("DELETE", "/api/telemetry/" + series).expect(204)
    a.get(f"/api/objects/telemetry/{series}/acl").expect(404)
    a.put("/api/admin/acl-default", {"read": public, "write": public}).expect(200)
    equal(acl("virtual_tag", own)["read"], private, "an old object keeps its list")
    check(tag(c, "Open") in seen(other))


def test_a_second_factor_of_administrators():
    """ForceAdmins: an administrator without one may only set one up, after the days of grace; nobody else is asked."""
    data = TMP / "admins-mfa"
    link = link_of(cli(data, "init", "--admin", ADMIN))
    s = Server(data)
    a = Browser(s)
    a.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)

    def person(email, role):
        made = a.post("/api/admin/users", {"email": email, "roles": [role]}).expect(201).json
        p = Browser(s)
        p.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
        return p
    basic, second = person("basic@example.com", "basic"), person("second@example.com", "admin")
    a.put("/api/admin/security-policy", {"mfa": "ForceAdmins", "mfaGraceDays": 31}).expect(400)
    got = a.put("/api/admin/security-policy", {"mfa": "ForceAdmins", "mfaGraceDays": 3}).expect(200).json
    equal((got["mfa"], got["mfaGraceDays"]), ("ForceAdmins", 3))
    second.get("/api/admin/users").expect(200)  # in grace
    check(second.get("/api/session").json["mfaBy"], "the day is said")
    equal(basic.get("/api/session").json["mfaBy"], None)
    db = sqlite3.connect(data / "meta.db", timeout=30)
    with db:  # three days later
        db.execute("UPDATE setting SET value = value - ? WHERE name = 'mfa_since'", (3 * 86400000 + 1000,))
        db.execute("UPDATE user SET joined_ms = joined_ms - ?", (3 * 86400000 + 1000,))
    db.close()
    second.get("/api/admin/users").expect(403)
    second.post("/api/query", {"date": RANGE}).expect(403)
    me = second.get("/api/session").expect(200).json
    equal((me["mfaWanted"], me["permissions"]), (True, []))
    basic.post("/api/query", {"date": RANGE}).expect(200)
    g = lambda: basic.get("/api/session").expect(200).json
    equal(g()["mfaWanted"], False)
    seed = second.post("/api/me/mfa", {}).expect(200).json["secret"]
    second.post("/api/me/mfa/confirm", {"secret": seed, "code": totp(seed)}).expect(200)
    second.get("/api/admin/users").expect(200)
    # an administrator by a group is one
    team = second.post("/api/admin/groups", {"name": "chiefs", "roles": ["admin"]}).expect(201).json
    people = second.get("/api/admin/users").json["users"]
    who = next(u["id"] for u in people if u["email"] == "basic@example.com")
    second.post(f"/api/admin/groups/{team['id']}/users", {"add": [who]}).expect(204)
    equal(g()["mfaWanted"], True)
    s.stop()


def test_tags_that_row_rules_read():
    """4.5, T-ACC-13: who may not manage groups cannot change a tag a rule reads, nor one that such a tag reads."""
    t = bed()
    a, b = t.admin, t.people["basic"]
    public = {"type": "public", "users": [], "groups": []}
    a.put("/api/admin/acl-default", {"read": public, "write": public}).expect(200)
    rule = lambda key, value, to: {"to": to, "filters": {"costCenter": "AWS", "key": key, "type": "tag", "operator": "is", "value": value}}
    inner = a.post("/api/tags", {"name": "Inner", "kind": "rules", "defaultValue": "Untagged", "rules": [rule("team", "core", "x")]}).expect(201).json
    outer = a.post("/api/tags", {"name": "Outer", "kind": "rules", "defaultValue": "Untagged", "rules": [
        {"to": "y", "filters": {"costCenter": "Virtual Tags", "key": inner["id"], "type": "virtual_tag", "operator": "is", "value": "x"}}]}).expect(201).json
    free = a.post("/api/tags", {"name": "Free", "kind": "rules", "defaultValue": "Untagged", "rules": [rule("team", "data", "z")]}).expect(201).json
    name = lambda tag, to: b.ask("PUT", f"/api/tags/{tag['id']}/name", {"name": to}).status
    equal(name(inner, "Inner 2"), 200 if name(free, "Free 2") == 200 else 204)
    g = a.post("/api/admin/groups", {"name": "by tag", "dataAccessEnabled": True, "filters": {
        "costCenter": "Virtual Tags", "key": outer["id"], "type": "virtual_tag", "operator": "is", "value": ["y"]}}).expect(201).json
    equal((name(outer, "Outer 3"), name(inner, "Inner 3")), (403, 403))
    check(name(free, "Free 3") in (200, 204))
    # a tag's access list
    acl = f"/api/objects/virtual_tag/{free['id']}/acl"
    closed = {"read": {"type": "private", "users": [], "groups": []}, "write": {"type": "private", "users": [], "groups": []}}
    a.ask("PUT", acl, closed).expect(200)
    b.get(f"/api/tags/{free['id']}").expect(404)
    check(free["id"] not in {x["id"] for x in b.get("/api/tags").expect(200).json["tags"]})
    a.ask("PUT", acl, {**closed, "read": {"type": "public", "users": [], "groups": []}}).expect(200)
    b.get(f"/api/tags/{free['id']}").expect(200)
    equal(name(free, "Free 4"), 403)
    # the rule acts: evaluated on the whole account, then the rows
    u = t.person("bytag@example.com", "basic")
    a.post(f"/api/admin/groups/{g['id']}/users", {"add": [u.id]}).expect(204)
    a.ask("PUT", "/api/admin/data-access", {"enabled": True}).expect(200)
    try:
        equal(total(u), cost(r for r in ROWS if r["ProviderName"] == "AWS" and '"core"' in r["Tags"]))
    finally:
        a.ask("PUT", "/api/admin/data-access", {"enabled": False}).expect(200)
    a.ask("DELETE", f"/api/admin/groups/{g['id']}").expect(204)


def test_people():
    """2.2, T-ACC-07, 08, 14: invite, lock, escalation, the last administrator."""
    t = bed()
    a, u = t.admin, t.person("person@example.com", "basic")
    me = a.get("/api/session").json["user"]["id"]
    a.post("/api/admin/users", {"email": "person@example.com", "roles": ["basic"]}).expect(409)
    a.post("/api/admin/users", {"email": "nobody", "roles": ["basic"]}).expect(400)
    a.post("/api/admin/users", {"email": "x@example.com", "roles": ["emperor"]}).expect(400)
    for verb in ("lock", "disable"):
        u.get("/api/session").expect(200)
        a.post(f"/api/admin/users/{u.id}/{verb}", {}).expect(204)
        u.get("/api/session").expect(401)
        u.post("/api/session", {"email": "person@example.com", "password": "orchid lantern gravel"}).expect(401)
        a.post(f"/api/admin/users/{u.id}/{'unlock' if verb == 'lock' else 'enable'}", {}).expect(204)
        u.post("/api/session", {"email": "person@example.com", "password": "orchid lantern gravel"}).expect(200)
    for path in (f"/api/admin/users/{me}/lock", f"/api/admin/users/{me}/disable"):
        a.post(path, {}).expect(409)
    a.ask("DELETE", f"/api/admin/users/{me}").expect(409)
    a.ask("PUT", f"/api/admin/users/{me}", {"roles": ["basic"]}).expect(409)
    # roles act on the next request, without signing in again
    u.get("/api/admin/audit").expect(403)
    a.ask("PUT", f"/api/admin/users/{u.id}", {"roles": ["admin"]}).expect(204)
    u.get("/api/admin/audit").expect(200)
    a.ask("PUT", f"/api/admin/users/{u.id}", {"roles": ["basic"]}).expect(204)
    u.get("/api/admin/audit").expect(403)
    # nobody gives what he has not
    half = a.post("/api/admin/roles", {"name": "half", "permissions": [
        "users.view", "users.edit_roles", "users.invite", "groups.manage", "roles.view", "roles.edit", "users.lock",
        "tokens.account.manage", "users.delete"]}).expect(201).json["id"]
    h = t.person("half@example.com", half)
    for answer in (h.post("/api/admin/users", {"email": "y@example.com", "roles": ["admin"]}),
                   h.ask("PUT", f"/api/admin/users/{h.id}", {"roles": ["admin"]}),
                   h.post("/api/admin/roles", {"name": "more", "permissions": ["audit.view"]}),
                   h.ask("PUT", f"/api/admin/roles/{half}", {"permissions": ["audit.view"]}),
                   h.post("/api/tokens", {"description": "x", "role": "admin", "allRows": True}),
                   h.post("/api/admin/groups", {"name": "up", "roles": ["admin"]}),
                   h.post(f"/api/admin/users/{me}/lock", {}), h.ask("DELETE", f"/api/admin/users/{me}")):
        equal(answer.status, 403, str(answer.body[:200]))
    a.ask("DELETE", f"/api/admin/roles/{half}").expect(409)
    a.ask("DELETE", "/api/admin/roles/basic").expect(409)
    a.ask("DELETE", f"/api/admin/roles/{half}?instead=read-only").expect(204)
    equal(h.get("/api/session").json["user"]["roles"], ["read-only"])
    # an invitation is good once; a join link asks for its domain
    made = a.post("/api/admin/users", {"email": "late@example.com", "roles": ["basic"]}).expect(201).json
    again = a.post(f"/api/admin/users/{made['id']}/resend", {}).expect(200).json
    old, new = (Browser(t.server) for _ in range(2))
    old.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(401)
    equal(new.post("/api/session/about", {"link": again["link"].split("#")[1]}).expect(200).json["email"], "late@example.com")
    new.post("/api/session/link", {"link": again["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
    link = a.post("/api/admin/invite-links", {"domains": ["example.org"], "most": 1}).expect(201).json["link"].split("#")[1]
    j = Browser(t.server)
    who = {"link": link, "name": "Jo", "password": "orchid lantern gravel"}
    j.post("/api/session/join", {**who, "email": "jo@example.com"}).expect(400)
    equal(j.post("/api/session/join", {**who, "email": "jo@example.org"}).expect(200).json["user"]["roles"], ["read-only"])
    Browser(t.server).post("/api/session/join", {**who, "email": "al@example.org"}).expect(401)


def test_second_factor():
    """2.4, RL-6: enrolment, a code is good once, recovery codes, five tries, the device that is remembered."""
    t = bed()
    u = t.person("mfa@example.com", "basic")
    seed = u.post("/api/me/mfa", {}).expect(200).json
    check(seed["url"].startswith("otpauth://totp/") and len(base64.b32decode(seed["secret"])) == 20)
    u.post("/api/me/mfa/confirm", {"secret": seed["secret"], "code": "000000" if totp(seed["secret"]) != "000000" else "000001"}).expect(422)
    first = totp(seed["secret"])
    codes = u.post("/api/me/mfa/confirm", {"secret": seed["secret"], "code": first}).expect(200).json["recoveryCodes"]
    equal(len(set(codes)), 10)
    login = {"email": "mfa@example.com", "password": "orchid lantern gravel"}
    b = Browser(t.server)
    asked = b.post("/api/session", login).expect(200).json
    check(asked["codeNeeded"] and b.cookie is None)
    b.get("/api/session").expect(401)
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": first}).expect(401)  # seen before
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": codes[3].lower()}).expect(200)
    b.get("/api/session").expect(200)
    asked = b.post("/api/session", login).expect(200).json
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": codes[3]}).expect(401)  # used
    for _ in range(4):
        b.post("/api/session/code", {"challenge": asked["challenge"], "code": "123456"}).expect(401)
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": codes[4]}).expect(401)  # five tries are over
    asked = b.post("/api/session", login).expect(200).json
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": codes[4], "remember": True}).expect(200)
    check("user" in b.post("/api/session", login).expect(200).json, "a remembered browser")
    check("codeNeeded" in Browser(t.server).post("/api/session", login).expect(200).json, "another one")
    me = u.get("/api/me").json
    equal((me["mfa"], me["recoveryCodesLeft"]), (True, 8))
    # the seed is sealed, and the key is not in the data folder
    with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
        kept = db.execute("SELECT totp FROM user WHERE email = 'mfa@example.com'").fetchone()[0]
    db.close()
    check(seed["secret"] not in kept and kept)
    check(not any(seed["secret"].encode() in p.read_bytes() for p in t.data.glob("meta.db*")))
    check(kept.startswith("vault:") and (TMP / "access.vault-key").stat().st_mode & 0o777 == 0o400)
    fe = t.server.ask("POST", "/frontegg/identity/resources/auth/v1/user", {**login, "invitationToken": ""}).expect(200).json
    check(fe["mfaRequired"] and fe["mfaToken"] and fe["mfaDevices"]["authenticators"])
    done = t.server.ask("POST", "/frontegg/identity/resources/auth/v1/user/mfa/verify",
                        {"mfaToken": fe["mfaToken"], "value": codes[5], "rememberDevice": False}).expect(200).json
    check(done["accessToken"] and done["expiresIn"] == 86400 and not done["mfaRequired"])
    t.admin.post(f"/api/admin/users/{u.id}/reset-mfa", {}).expect(204)
    check("user" in Browser(t.server).post("/api/session", login).expect(200).json)


def test_a_seed_sealed_by_an_earlier_version():
    """Its key was a file of its own, DIR.key: it opens, and is the vault's from then on. Sealed here by libsodium itself."""
    name = ctypes.util.find_library("sodium")
    if not name:
        raise Skip("libsodium is not found")
    sodium, t = ctypes.CDLL(name), bed()
    u = t.person("older@example.com", "basic")
    seed = u.post("/api/me/mfa", {}).expect(200).json["secret"]
    u.post("/api/me/mfa/confirm", {"secret": seed, "code": totp(seed)}).expect(200)
    key, nonce = os.urandom(32), os.urandom(24)
    (TMP / "access.key").write_text(secret(key.hex()))
    (TMP / "access.key").chmod(0o400)
    with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
        account = db.execute("SELECT id FROM account").fetchone()[0]
        about = f"{account}|{u.id}".encode()
        box = ctypes.create_string_buffer(len(seed) + 16)
        sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(box, None, seed.encode(), ctypes.c_ulonglong(len(seed)), about,
                                                          ctypes.c_ulonglong(len(about)), None, nonce, key)
        db.execute("UPDATE user SET totp = ?, totp_step = -1 WHERE id = ?", (base64.b64encode(nonce + box.raw).decode(), u.id))
    db.close()
    b = Browser(t.server)
    login = {"email": "older@example.com", "password": "orchid lantern gravel"}
    for wrong in ("000000" if totp(seed) != "000000" else "000001",):
        asked = b.post("/api/session", login).expect(200).json
        b.post("/api/session/code", {"challenge": asked["challenge"], "code": wrong}).expect(401)
    code = totp(seed)
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": code}).expect(200)
    with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
        kept = db.execute("SELECT totp FROM user WHERE id = ?", (u.id,)).fetchone()[0]
    db.close()
    check(kept.startswith("vault:"), kept[:10])
    asked = Browser(t.server).post("/api/session", login).expect(200).json
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": code}).expect(401)  # used, in the new seal too
    (TMP / "access.key").unlink()
    later = totp(seed, time.time() + 30)
    b.post("/api/session/code", {"challenge": asked["challenge"], "code": later}).expect(200)


def test_groups_as_clients_know_them():
    """api.md 9.6, 9.8."""
    t = bed()
    login = t.server.ask("POST", "/frontegg/identity/resources/auth/v1/user",
                         {"email": ADMIN, "password": PASSWORD, "invitationToken": ""}).expect(200).json
    h = {"Authorization": "Bearer " + login["accessToken"]}
    ask = lambda m, p, body=None: t.server.ask(m, p, body, h)
    g = ask("POST", "/identity/resources/groups/v1", {"name": "fe", "description": "d", "metadata": "{}"}).expect(200).json
    equal(ask("PATCH", f"/identity/resources/groups/v1/{g['id']}", {"description": "e"}).expect(200).json["description"], "e")
    u = t.people["basic"].get("/api/session").json["user"]["id"]
    equal([x["id"] for x in ask("POST", f"/identity/resources/groups/v1/{g['id']}/users", {"userIds": [u]}).expect(200).json["users"]], [u])
    equal(ask("POST", f"/identity/resources/groups/v1/{g['id']}/roles", {"roleIds": ["read-only"]}).expect(200).json["roles"][0]["id"],
          "read-only")
    all_ = ask("GET", "/identity/resources/groups/v1?_groupsRelations=rolesAndUsers").expect(200).json["groups"]
    check(any(x["id"] == g["id"] and set(x) >= {"color", "metadata", "managedBy", "roles", "users"} for x in all_))
    account = ask("GET", "/account-service/account").expect(200).json[0]["accountId"]
    config = {g["id"]: {"dataAccessEnabled": True, "filters": {"costCenter": "amazon-cur", "key": "service", "operator": "oneOf",
                                                             "value": ["Amazon S3"], "type": "col"}}}
    got = ask("POST", f"/account-service/account/{account}", {"groupsConfig": config}).expect(200).json
    equal(got["groupsConfig"][g["id"]]["dataAccessEnabled"], True)
    ask("DELETE", f"/identity/resources/groups/v1/{g['id']}").expect(200)


def test_tokens_turn_over_and_end_at_once():
    """6, T-ACC-14, T-ACC-17: two users and one token at once, revoked while queries run."""
    t = bed()
    made = t.admin.post("/api/tokens", {"description": "turn", "role": "api-token", "allRows": True}).expect(201).json
    h = lambda secret: {"x-finout-client-id": made["clientId"], "x-finout-secret-key": secret}
    two = t.admin.post(f"/api/tokens/{made['id']}/rotate", {}).expect(200).json["secretKey"]
    for secret in (made["secretKey"], two):
        t.server.ask("GET", "/v1/view", None, h(secret)).expect(200)
    t.server.ask("GET", "/v1/view", None, {"Authorization": f"Bearer {made['clientId']}.{two}"}).expect(200)
    seen, stop = [], threading.Event()
    def loop():
        while not stop.is_set():
            at = time.monotonic()
            seen.append((at, t.server.ask("POST", "/cost-service/cost", {"date": {"relativeRange": "last30Days", "type": "day"}}, h(two)).status))
    threads = [threading.Thread(target=loop) for _ in range(2)]
    for x in threads:
        x.start()
    time.sleep(0.5)
    t.admin.ask("DELETE", f"/api/tokens/{made['id']}").expect(204)
    revoked = time.monotonic()
    time.sleep(0.5)
    stop.set()
    for x in threads:
        x.join()
    check({s for at, s in seen if at < revoked} <= {200, 401} and any(s == 200 for _, s in seen))
    equal({s for at, s in seen if at > revoked}, {401}, "after the revocation")
    # only from an address, and never more than its person
    near = t.admin.post("/api/tokens", {"description": "ip", "role": "api-token", "allRows": True, "ipAllow": ["10.0.0.0/8"]}).expect(201).json
    t.server.ask("GET", "/v1/view", None, {"x-finout-client-id": near["clientId"], "x-finout-secret-key": near["secretKey"]}).expect(401)
    u = t.person("tok@example.com", "basic")
    u.post("/api/me/tokens", {"description": "x", "role": "admin"}).expect(403)
    mine = u.post("/api/me/tokens", {"description": "x", "role": "basic"}).expect(201).json
    hh = {"x-finout-client-id": mine["clientId"], "x-finout-secret-key": mine["secretKey"]}
    t.server.ask("GET", "/v1/view", None, hh).expect(200)
    t.admin.post(f"/api/admin/users/{u.id}/lock", {}).expect(204)
    t.server.ask("GET", "/v1/view", None, hh).expect(401)


def test_policy():
    """2.5: bounds, addresses, a second factor for all."""
    t = bed()
    a = t.admin
    path = "/api/admin/security-policy"
    equal(a.get(path).expect(200).json["minLength"], 15)
    for body, field in (({"minLength": 8}, "minLength"), ({"nope": 1}, "nope"), ({"ipAllow": ["300.1.1.1"]}, "ipAllow"),
                        ({"idleMinutes": 2}, "idleMinutes"), ({"mfa": "Sometimes"}, "mfa")):
        equal(a.ask("PUT", path, body).expect(400).json["field"], field)
    a.ask("PUT", path, {"ipAllow": ["10.0.0.0/8"]}).expect(409)
    a.ask("PUT", path, {"tokensNever": False}).expect(200)
    a.post("/api/tokens", {"description": "x", "role": "api-token", "allRows": True}).expect(400)
    a.ask("PUT", path, {"tokensNever": True}).expect(200)
    u = t.person("forced@example.com", "basic")
    a.ask("PUT", path, {"mfa": "Force"}).expect(200)
    try:
        u.post("/api/query", {}).expect(403)
        seed = u.post("/api/me/mfa", {}).expect(200).json["secret"]
        u.post("/api/me/mfa/confirm", {"secret": seed, "code": totp(seed)}).expect(200)
        u.post("/api/query", {}).expect(200)
    finally:
        with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
            db.execute("DELETE FROM setting WHERE name = 'security_policy'")
        db.close()


def test_sensitive_acts_want_a_fresh_proof():
    """SE-6: the password was given longer ago than ten minutes."""
    t = bed()
    u = t.person("stale@example.com", "admin")
    with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
        db.execute("UPDATE session SET proved_ms = proved_ms - 601000 WHERE user_id = ?", (u.id,))
    db.close()
    ask = lambda: u.post("/api/tokens", {"description": "x", "role": "api-token", "allRows": True})
    ask().expect(403, "PROOF_NEEDED")
    u.post("/api/session/prove", {"password": "wrong"}).expect(422)
    u.post("/api/session/prove", {"password": "orchid lantern gravel"}).expect(204)
    ask().expect(201)


def test_sessions_turn_over():
    """SE-4: a new secret every ten minutes; the old one is good until the new was used, and 30 s; then it ends all."""
    t = bed()
    u = t.person("turn@example.com", "basic")
    def set_(sql):
        with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
            db.execute(f"UPDATE session SET {sql} WHERE user_id = ?", (u.id,))
        db.close()
    old = u.cookie
    set_("turned_ms = turned_ms - 600000")
    u.get("/api/session").expect(200)
    check(u.cookie != old, "a new secret")
    parallel = Browser(t.server, old)
    parallel.get("/api/session").expect(200)
    equal(parallel.cookie, old, "not turned twice at once")
    u.get("/api/session").expect(200)
    Browser(t.server, old).get("/api/session").expect(200)
    set_("old_until_ms = 1")
    Browser(t.server, old).get("/api/session").expect(401)
    u.get("/api/session").expect(401)  # somebody had a copy: over for both
    events = t.admin.get("/api/admin/audit?action=session.reused").expect(200).json["events"]
    equal((events[0]["objectId"], events[0]["severity"]), (u.id, "critical"))


def test_an_owner_is_not_locked_out():
    """RL-1, RL-3: who fails on purpose delays others, not the browser that was in before."""
    t = bed()
    u = t.person("victim@example.com", "basic")
    login = {"email": "victim@example.com", "password": "orchid lantern gravel"}
    for _ in range(6):
        Browser(t.server).post("/api/session", {**login, "password": "wrong"})
    Browser(t.server).post("/api/session", login).expect(429)
    check(u.device)
    u.post("/api/session", login).expect(200)


def test_forgotten_password():
    t = bed()
    known = Browser(t.server).post("/api/session/forgotten", {"email": "basic@example.com"}).expect(200)
    unknown = Browser(t.server).post("/api/session/forgotten", {"email": "nobody@example.com"}).expect(200)
    equal(known.json, unknown.json)


def test_audit():
    """3.12: every change leaves a line, nobody changes one, reading leaves one, verify finds what was touched."""
    t = bed()
    a = t.admin
    v = a.post("/api/views", {"name": "audited", "question": {}}).expect(201).json
    a.ask("PUT", f"/api/views/{v['id']}", {"name": "audited twice"}).expect(200)
    a.ask("DELETE", f"/api/views/{v['id']}").expect(204)
    events = a.get(f"/api/admin/audit?objectId={v['id']}").expect(200).json["events"]
    equal([e["action"] for e in events], ["view.delete", "view.change", "view.create"])
    equal(events[1]["actor"], ADMIN)
    check(events[1]["before"] and events[1]["after"] and events[1]["ip"] == "127.0.0.1" and events[1]["requestId"])
    t.people["read-only"].post("/api/views", {"name": "x", "question": {}}).expect(403)
    check(a.get("/api/admin/audit?outcome=denied").json["events"], "a refusal is in it")
    check(a.get("/api/admin/audit?action=audit.read").json["events"], "reading is in it")
    u = Browser(t.server)
    u.post("/api/session", {"email": "basic@example.com", "password": "wrong"}).expect(401)
    check(a.get("/api/admin/audit?action=signin&outcome=failed").json["events"])
    check(a.get("/api/admin/audit.csv").expect(200).body.startswith(b"seq,time,"))
    everything = json.dumps([str(e) for e in a.get("/api/admin/audit?limit=200").json["events"]])
    check(PASSWORD not in everything and "fsk_" not in everything)
    check("the chain holds" in cli(t.data, "audit", "verify"))
    with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
        for sql in ("UPDATE audit SET actor_name = 'x' WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"):
            try:
                db.execute(sql)
                check(False, sql, "went through")
            except sqlite3.IntegrityError:
                pass
    db.close()


def test_audit_verify_finds_every_change():
    """AU-3: edit, deletion, reordering, by somebody who got past the triggers."""
    t = bed()
    n = int(re.search(r"(\d+) records", cli(t.data, "audit", "verify")).group(1))
    check(n > 9, n)
    for i, sql in enumerate(("UPDATE audit SET actor_name = 'x' WHERE seq = 5", "DELETE FROM audit WHERE seq = 7",
                             "UPDATE audit SET seq = -1 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = -1",
                             f"UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'z') WHERE seq = 9")):
        copy = TMP / f"audit-{i}"
        t.server.ask("GET", "/healthz").expect(200)
        with sqlite3.connect(t.data / "meta.db", timeout=30) as db:
            copy.mkdir()
            to = sqlite3.connect(copy / "meta.db")
            db.backup(to)
        db.close()
        to.executescript("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;" + sql)
        to.commit()
        to.close()
        shutil.copytree(t.data / "bills", copy / "bills")
        out = cli(copy, "audit", "verify", code=1)
        check("record" in out, out)


def test_headers_and_forged_requests():
    """SE-7 and the headers of 3.3, on answers and on errors."""
    t = bed()
    for path in ("/", "/api/session", "/v1/view", "/nowhere", "/api/admin/users"):
        h = t.server.ask("GET", path).headers
        for name in ("content-security-policy", "strict-transport-security", "x-content-type-options", "referrer-policy",
                     "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy"):
            check(name in h, path, name)
    body = {"enabled": True}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": None},
                    {"Sec-Fetch-Site": None, "Origin": "http://evil.example"}, {"X-Requested-With": None},
                    {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        t.admin.ask("PUT", "/api/admin/data-access", body, headers).expect(403)
    equal(t.admin.get("/api/admin/data-access").json["enabled"], False)
    for header in ("authorized-account-id", "authorized-user-roles", "x-user-id", "frontegg-user-id"):
        t.server.ask("GET", "/v1/view", None, {header: "sysAdmin"}).expect(401)
