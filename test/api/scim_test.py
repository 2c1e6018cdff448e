"""SCIM 2.0 over HTTP (RFC 7643, 7644): what Okta and Entra ID send, and what must be refused. T-ACC-16."""
import json
import random
import re
import urllib.parse

from farthing import ADMIN, PASSWORD, TMP, Browser, Server, check, cli, equal, link_of, meta

_bed = {}
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
NOBODY = "00000000-0000-4000-8000-000000000000"


class Bed:
    def __init__(self):
        self.data = TMP / "scim"
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        self.server = Server(self.data)
        self.admin = Browser(self.server)
        self.admin.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        made = self.admin.post("/api/admin/scim", {"name": "Okta"}).expect(201).json
        self.client, self.key = made["id"], made["key"]

    def ask(self, method, path, body=None, key=None, **headers):
        h = {"Authorization": f"Bearer {self.key if key is None else key}", "Content-Type": "application/scim+json", **headers}
        return self.server.ask(method, "/scim/v2" + path, body, h)

    def user(self, name, **more):
        return self.ask("POST", "/Users", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, **more}).expect(201).json

    def patch(self, path, *ops, **headers):
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(ops)}, **headers)

    def find(self, kind, text, **more):
        return self.ask("GET", f"/{kind}?" + urllib.parse.urlencode({"filter": text, **more}))


def bed():
    if "bed" not in _bed:
        _bed["bed"] = Bed()
    return _bed["bed"]


def refused(answer, status, kind=None):
    equal(answer.status, status, answer.body)
    equal(answer.headers["content-type"], "application/scim+json")
    got = answer.json
    equal((got["schemas"], got["status"], got.get("scimType")), ([ERROR], str(status), kind), answer.body)
    check(got["detail"])


def test_keys():
    t = bed()
    for key in ("", "x", "fsk_" + "A" * 49, t.key[:-1] + ("a" if t.key[-1] != "a" else "b")):
        refused(t.ask("GET", "/Users", key=key), 401)
    refused(t.server.ask("GET", "/scim/v2/Users", headers={"Cookie": "__Host-s=" + t.admin.cookie}), 401)
    equal(t.server.ask("GET", "/api/tokens", headers={"Authorization": "Bearer " + t.key}).status, 401, "good for nothing else")
    equal(t.server.ask("POST", "/v1/cost/query-by-view", {}, {"Authorization": "Bearer " + t.key}).status, 401)
    made = t.admin.post("/api/admin/scim", {"name": "Entra"}).expect(201).json
    equal(t.admin.post("/api/admin/scim", {"name": "entra"}).status, 409)
    again = t.admin.post(f"/api/admin/scim/{made['id']}/rotate", {}).expect(200).json
    check(again["key"] != made["key"])
    for key in (made["key"], again["key"]):
        t.ask("GET", "/Users?count=0", key=key).expect(200)
    third = t.admin.post(f"/api/admin/scim/{made['id']}/rotate", {}).expect(200).json
    refused(t.ask("GET", "/Users", key=made["key"]), 401)
    t.ask("GET", "/Users", key=third["key"]).expect(200)
    t.admin.ask("DELETE", f"/api/admin/scim/{made['id']}").expect(204)
    refused(t.ask("GET", "/Users", key=third["key"]), 401)
    listed = t.admin.get("/api/admin/scim").expect(200)
    check(t.key.encode() not in listed.body and [c["name"] for c in listed.json["clients"]] == ["Okta"])
    db = meta(t.data)
    check(t.key not in "\n".join(db.iterdump()), "only a hash is kept")
    db.close()


def test_what_it_can():
    t = bed()
    c = t.ask("GET", "/ServiceProviderConfig").expect(200).json
    equal((c["patch"]["supported"], c["filter"]["supported"], int(c["filter"]["maxResults"]), c["bulk"]["supported"], c["etag"]["supported"]),
          (True, True, 200, False, True))
    equal({x["id"] for x in t.ask("GET", "/ResourceTypes").expect(200).json["Resources"]}, {"User", "Group"})
    equal(t.ask("GET", "/ResourceTypes/User").expect(200).json["endpoint"], "/Users")
    schemas = {x["id"]: x for x in t.ask("GET", "/Schemas").expect(200).json["Resources"]}
    user = schemas["urn:ietf:params:scim:schemas:core:2.0:User"]
    equal(t.ask("GET", "/Schemas/" + user["id"]).expect(200).json, user)
    refused(t.ask("GET", "/Schemas/urn:x"), 404)
    names = {a["name"] for a in user["attributes"]}
    check({"userName", "name", "active", "emails", "groups"} <= names)
    check(set(t.user("shape@example.com")) <= names | {"id", "schemas", "meta", "externalId"}, "every attribute has its schema")


def test_a_user_lives():
    t = bed()
    made = t.ask("POST", "/Users", {"userName": "Ben@Example.com", "externalId": "00u1", "name": {"givenName": "Ben", "familyName": "Quay"},
                                    "active": True, "emails": [{"value": "ben@example.com", "primary": True}], "password": "never taken 1234"})
    made.expect(201)
    u = made.json
    equal(made.headers["location"], u["meta"]["location"])
    equal(made.headers["etag"], u["meta"]["version"])
    equal((u["userName"], u["displayName"], u["name"]["familyName"], u["externalId"], u["active"]), ("Ben@Example.com", "Ben Quay", "Quay", "00u1", True))
    seen = next(x for x in t.admin.get("/api/admin/users").json["users"] if x["id"] == u["id"])
    equal((seen["provider"], seen["state"], seen["roles"]), ("scim2", "active", ["read-only"]))
    equal(Browser(t.server).post("/api/session", {"email": "ben@example.com", "password": "never taken 1234"}).status, 401)
    refused(t.ask("POST", "/Users", {"userName": "ben@example.com"}), 409, "uniqueness")
    for body in ({}, {"userName": 7}, {"userName": "no address"}, {"userName": "a@b.example", "active": "perhaps"}, {"userName": "c@d.example", "externalId": 1}):
        refused(t.ask("POST", "/Users", body), 400, "invalidValue")
    refused(t.ask("POST", "/Users", "[]"), 400, "invalidSyntax")
    refused(t.ask("POST", "/Users", "{"), 400)
    refused(t.ask("GET", "/Users/" + NOBODY), 404)
    refused(t.ask("PUT", "/Users/" + NOBODY, {"userName": "x@example.com"}), 404)
    at = "/Users/" + u["id"]
    got = t.ask("PUT", at, {"userName": "ben.quay@example.com", "externalId": "00u1", "displayName": "Benjamin Quay"}).expect(200).json
    equal((got["userName"], got["displayName"], got["active"]), ("ben.quay@example.com", "Benjamin Quay", True))
    equal(t.ask("GET", at, **{"If-None-Match": got["meta"]["version"]}).status, 304)
    refused(t.ask("PUT", at, {"userName": "x@example.com"}, **{"If-Match": 'W/"old"'}), 412)
    t.patch(at, {"op": "replace", "path": "displayName", "value": "Ben"}, **{"If-Match": got["meta"]["version"]}).expect(200)
    equal(set(t.ask("GET", at + "?attributes=userName").json), {"schemas", "id", "meta", "userName"})
    check("groups" not in t.ask("GET", at + "?excludedAttributes=groups").json)


def test_deactivation_acts_at_once():
    t = bed()
    u = t.user("gone@example.com")
    # as if the person had signed in: a session and a token of his own
    link = link_of(cli(t.data, "link", "--email", "gone@example.com"))
    b = Browser(t.server)
    b.post("/api/session/link", {"link": link, "password": "orchid lantern gravel"}).expect(200)
    token = b.post("/api/me/tokens", {"description": "mine", "role": "read-only"}).expect(201).json
    headers = {"x-finout-client-id": token["clientId"], "x-finout-secret-key": token["secretKey"]}
    equal(t.server.ask("GET", "/v1/view", headers=headers).status, 200)
    got = t.patch("/Users/" + u["id"], {"op": "Replace", "value": {"active": "False"}}).expect(200).json  # as Entra ID writes it
    equal(got["active"], False)
    equal((b.get("/api/session").status, t.server.ask("GET", "/v1/view", headers=headers).status), (401, 401))
    equal(Browser(t.server).post("/api/session", {"email": "gone@example.com", "password": "orchid lantern gravel"}).status, 401)
    equal(t.patch("/Users/" + u["id"], {"op": "replace", "path": "active", "value": True}).expect(200).json["active"], True)
    Browser(t.server).post("/api/session", {"email": "gone@example.com", "password": "orchid lantern gravel"}).expect(200)
    t.ask("PUT", "/Users/" + u["id"], {"userName": "gone@example.com", "active": False}).expect(200)
    equal(t.ask("PUT", "/Users/" + u["id"], {"userName": "gone@example.com"}).expect(200).json["active"], False, "what is not said stays")
    t.ask("DELETE", "/Users/" + u["id"]).expect(204)
    refused(t.ask("GET", "/Users/" + u["id"]), 404)
    refused(t.ask("DELETE", "/Users/" + u["id"]), 404)


def test_locked_here_stays_locked():
    t = bed()
    u = t.user("locked@example.com")
    t.admin.post(f"/api/admin/users/{u['id']}/lock", {}).expect(204)
    equal(t.patch("/Users/" + u["id"], {"op": "replace", "path": "active", "value": True}).expect(200).json["active"], False)


def test_whom_no_client_touches():
    t = bed()
    ann = t.find("Users", f'userName eq "{ADMIN}"').expect(200).json["Resources"][0]
    for a in (t.patch("/Users/" + ann["id"], {"op": "replace", "path": "active", "value": False}), t.ask("DELETE", "/Users/" + ann["id"]),
              t.ask("PUT", "/Users/" + ann["id"], {"userName": "evil@example.com"})):
        refused(a, 403, "mutability")
    mine = t.admin.post("/api/admin/groups", {"name": "By hand"}).expect(201).json["id"]
    ben = t.user("climber@example.com")["id"]
    refused(t.patch("/Groups/" + mine, {"op": "add", "path": "members", "value": [{"value": ben}]}), 403, "mutability")
    refused(t.ask("DELETE", "/Groups/" + mine), 403, "mutability")
    refused(t.ask("POST", "/Groups", {"displayName": "by hand"}), 409, "uniqueness")
    # somebody who is here already is taken over with the first change
    made = t.admin.post("/api/admin/users", {"email": "here@example.com", "roles": ["basic"]}).expect(201).json["id"]
    t.patch("/Users/" + made, {"op": "add", "path": "externalId", "value": "e-1"}).expect(200)
    seen = next(x for x in t.admin.get("/api/admin/users").json["users"] if x["id"] == made)
    equal((seen["provider"], seen["roles"], seen["state"]), ("scim2", ["basic"], "active"))


def test_groups():
    t = bed()
    a, b, c = (t.user(f"g{i}@example.com")["id"] for i in range(3))
    g = t.ask("POST", "/Groups", {"displayName": "FinOps", "externalId": "x-1", "members": [{"value": a}]}).expect(201).json
    at = "/Groups/" + g["id"]
    members = lambda: {m["value"] for m in t.ask("GET", at).expect(200).json["members"]}
    equal(members(), {a})
    equal([x["display"] for x in t.ask("GET", "/Users/" + a).json["groups"]], ["FinOps"])
    t.patch(at, {"op": "Add", "path": "members", "value": [{"value": b}, {"value": a}]}).expect(200)
    equal(members(), {a, b})
    t.patch(at, {"op": "add", "value": {"members": [{"value": c}]}}).expect(200)
    equal(members(), {a, b, c})
    t.patch(at, {"op": "remove", "path": f'members[value eq "{a}"]'}).expect(200)
    t.patch(at, {"op": "Remove", "path": "members", "value": [{"value": b}]}).expect(200)  # as Entra ID writes it
    equal(members(), {c})
    t.patch(at, {"op": "replace", "path": "members", "value": [{"value": a}]}).expect(200)
    equal(members(), {a})
    t.patch(at, {"op": "remove", "path": "members"}).expect(200)
    equal(members(), set())
    for body, kind in (({"op": "add", "path": "members", "value": [{"value": NOBODY}]}, "invalidValue"),
                       ({"op": "add", "path": "members", "value": [{"value": g["id"], "type": "Group"}]}, "invalidValue"),
                       ({"op": "remove"}, "noTarget"), ({"op": "jump", "path": "members"}, "invalidSyntax"), ({"op": "replace", "path": "displayName", "value": ""}, "invalidValue"),
                       ({"op": "add", "path": "members[", "value": 1}, "invalidPath"), ({"op": "replace", "path": "members"}, "invalidValue")):
        refused(t.patch(at, body), 400, kind)
    refused(t.ask("PATCH", at, {"Operations": []}), 400, "invalidSyntax")
    equal(members(), set(), "nothing half-done")
    # what the group gives is decided here, its name and members are not
    refused_here = t.admin.ask("PUT", f"/api/admin/groups/{g['id']}", {"name": "Mine"})
    equal(refused_here.status, 409)
    equal(t.admin.post(f"/api/admin/groups/{g['id']}/users", {"add": [a]}).status, 409)
    t.admin.ask("PUT", f"/api/admin/groups/{g['id']}", {"roles": ["basic"]}).expect(200)
    equal(t.patch(at, {"op": "replace", "value": {"displayName": "FinOps EU"}}).expect(200).json["displayName"], "FinOps EU")
    equal(next(x for x in t.admin.get("/api/admin/groups").json["groups"] if x["id"] == g["id"])["roles"], ["basic"])
    t.ask("PUT", at, {"displayName": "FinOps EU", "members": [{"value": b}]}).expect(200)
    equal(members(), {b})
    t.ask("DELETE", at).expect(204)
    refused(t.ask("GET", at), 404)


def test_changes_of_names_and_paths():
    t = bed()
    at = "/Users/" + t.user("names@example.com", displayName="Ann Quay")["id"]
    name = lambda *ops: (lambda u: (u["displayName"], u["name"]["givenName"], u["name"]["familyName"]))(t.patch(at, *ops).expect(200).json)
    equal(name({"op": "replace", "path": "name.givenName", "value": "Anna"}), ("Anna Quay", "Anna", "Quay"))
    equal(name({"op": "replace", "path": "name", "value": {"givenName": "Bo", "familyName": "Lee"}}), ("Bo Lee", "Bo", "Lee"))
    equal(name({"op": "replace", "path": "NAME.FamilyName", "value": "Ray"}), ("Bo Ray", "Bo", "Ray"))
    equal(name({"op": "replace", "value": {"name.formatted": "Cy Oh"}}), ("Cy Oh", "Cy", "Oh"))
    equal(name({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayName", "value": "Di Zé"}), ("Di Zé", "Di", "Zé"))
    equal(name({"op": "add", "path": 'emails[type eq "home"].value', "value": "other@example.com"}, {"op": "add", "path": "title", "value": "x"},
               {"op": "add", "value": {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "y"}}), ("Di Zé", "Di", "Zé"))
    got = t.patch(at, {"op": "add", "path": 'phoneNumbers[type eq "work"].value', "value": "+49 1"}).expect(200).json
    equal(got["phoneNumbers"][0]["value"], "+49 1")
    check("phoneNumbers" not in t.patch(at, {"op": "remove", "path": "phoneNumbers"}).expect(200).json)
    check("externalId" in t.patch(at, {"op": "add", "path": "externalId", "value": "e"}).json)
    check("externalId" not in t.patch(at, {"op": "remove", "path": "externalId"}).json)
    refused(t.patch(at, {"op": "remove", "path": "userName"}), 400, "invalidValue")


def test_filters():
    """Random filters, judged by python over what the list says."""
    t = bed()
    for i in range(12):
        t.user(f"f{i}@{'example.com' if i % 2 else 'example.org'}", displayName=f"Person {i:02d}", externalId=f"Ext-{i}", active=i % 3 != 0)
    everybody = t.ask("GET", "/Users?count=200").expect(200).json["Resources"]
    def value(u, attr):
        if attr == "active":
            return u["active"]
        if attr == "emails.value":
            return u["emails"][0]["value"]
        return u["name"].get("familyName") if attr == "name.familyName" else u.get(attr)
    exact = {"externalId", "id"}
    def holds(u, attr, o, want):
        have = value(u, attr)
        if o == "pr":
            return have not in (None, "")
        if o == "ne":
            return not holds(u, attr, "eq", want)
        if have is None or type(have) is not type(want):
            return False
        if isinstance(have, bool):
            return o == "eq" and have == want
        h, w = (have, want) if attr in exact and o in ("eq", "gt", "lt", "ge", "le") else (have.lower(), want.lower())
        return {"eq": h == w, "co": w in h, "sw": h.startswith(w), "ew": h.endswith(w), "gt": h > w, "ge": h >= w, "lt": h < w, "le": h <= w}[o]
    rng = random.Random(7)
    def make(depth):
        if depth and rng.random() < 0.6:
            (lt, lf), (rt, rf) = make(depth - 1), make(depth - 1)
            kind = rng.choice(("and", "or", "not"))
            if kind == "not":
                return f"not ({lt})", lambda u: not lf(u)
            return f"({lt}) {kind} ({rt})", (lambda u: lf(u) and rf(u)) if kind == "and" else (lambda u: lf(u) or rf(u))
        attr = rng.choice(("userName", "USERNAME", "displayName", "externalId", "active", "emails.value", "name.familyName"))
        o = rng.choice(("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "pr", "EQ"))
        own = {"USERNAME": "userName"}.get(attr, attr)
        want = rng.choice((True, False)) if attr == "active" else rng.choice((value(rng.choice(everybody), own) or "x", "EXAMPLE.com", "person 0", "ext-3", "Ext-3", "Ext", ""))
        text = f"{attr} {o}" + ("" if o == "pr" else " " + json.dumps(want))
        return text, lambda u: holds(u, own, o.lower(), want)
    for _ in range(300):
        text, fn = make(3)
        got = t.find("Users", text, count=200).expect(200).json
        equal({u["id"] for u in got["Resources"]}, {u["id"] for u in everybody if fn(u)}, text)
    for bad in ("userName", "userName eq", "userName eq x", "eq \"x\"", "userName xx \"a\"", "(userName pr", "userName pr)", "not userName pr", "userName eq \"a\" and",
                "userName eq {}", "emails[type eq \"work\"", "a..b pr", "(" * 17 + "active pr" + ")" * 17, " or ".join(["active pr"] * 129), "userName eq \"" + "x" * 4096 + "\"", "userName eq \"\\ud800\""):
        refused(t.find("Users", bad), 400, "invalidFilter")
    equal(len(t.find("Users", 'emails[type eq "work" and value co "f1@"]').expect(200).json["Resources"]), 1)
    equal(t.find("Users", 'userName eq "F3@EXAMPLE.COM"').json["Resources"][0]["externalId"], "Ext-3")
    equal(int(t.find("Users", 'userName eq "nobody@example.com"').json["totalResults"]), 0)


def test_pages():
    t = bed()
    whole = t.ask("GET", "/Users?count=200").json
    n = int(whole["totalResults"])
    equal(len(whole["Resources"]), n)
    ids, at = [], 1
    while at <= n:
        page = t.ask("GET", f"/Users?startIndex={at}&count=3").expect(200).json
        equal((int(page["totalResults"]), int(page["startIndex"])), (n, at))
        ids += [u["id"] for u in page["Resources"]]
        at += 3
    equal(ids, [u["id"] for u in whole["Resources"]])
    equal((t.ask("GET", "/Users?count=0").json["Resources"], int(t.ask("GET", "/Users?count=0").json["totalResults"])), ([], n))
    equal(t.ask("GET", "/Users?startIndex=100000").json["Resources"], [])
    equal(int(t.ask("GET", "/Users?startIndex=0&count=1").json["startIndex"]), 1)
    refused(t.ask("GET", "/Users?count=x"), 400, "invalidValue")
    filtered = t.find("Users", 'displayName sw "Person"', startIndex=3, count=4).json
    equal((len(filtered["Resources"]), int(filtered["totalResults"])), (4, 12))


def test_it_is_in_the_audit_log():
    t = bed()
    u = t.user("audited@example.com")
    t.patch("/Users/" + u["id"], {"op": "replace", "path": "active", "value": False}).expect(200)
    t.ask("DELETE", "/Users/" + u["id"]).expect(204)
    events = t.admin.get(f"/api/admin/audit?objectId={u['id']}").expect(200).json["events"]
    equal([(e["action"], e["source"], e["actor"]) for e in events], [(a, "scim", "Okta") for a in ("user.delete", "user.disable", "user.create")])
    check(t.key.encode() not in t.admin.get("/api/admin/audit?limit=200").body)
