"""OpenID Connect: a real provider (npm oidc-provider), and one that forges (forge.mjs)."""
import base64
import hashlib
import hmac
import json
import pathlib
import re
import struct
import time
import urllib.parse

from farthing import ADMIN, PASSWORD, TMP, Browser, Server, check, cli, equal, link_of, secret, wait_until
from peers import Peer, Surfer, free_port

SECRET = secret("a client secret that nobody may find 7f3a")
_bed = {}


def totp(secret):
    key = base64.b32decode(secret)
    mac = hmac.new(key, struct.pack(">Q", int(time.time() // 30)), hashlib.sha1).digest()
    o = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[o:o + 4])[0] & 0x7fffffff) % 1000000:06d}"


class Bed:
    """An installation, an administrator, and the provider behind a connection."""

    def __init__(self, name):
        self.data = TMP / name
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        self.mail = TMP / f"mail-{name}"
        self.server = Server(self.data, env={"FARTHING_ALLOW_HOSTS": "127.0.0.1", "FARTHING_MAIL": f"file:{self.mail}"})
        self.base = "http://" + self.server.url
        self.admin = Browser(self.server)
        self.admin.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)

    def connect(self, name, port, **config):
        made = self.admin.post("/api/admin/sso", {
            "kind": "oidc", "name": name, "state": "enabled", "secret": SECRET,
            "config": {"issuer": f"http://127.0.0.1:{port}", "clientId": "farthing", "roles": ["read-only"], **config}}).expect(201).json
        check(SECRET not in json.dumps(made, default=str), "the secret comes back")
        return made["id"]

    def start(self, connection, query=""):
        return f"{self.base}/api/sso/{connection}/start{query}"

    def session(self, surfer):
        page = surfer.go(self.base + "/api/session", headers={"Sec-Fetch-Site": "same-origin"})
        return json.loads(page.body) if page.status == 200 else None

    def failures(self):
        events = self.admin.get("/api/admin/audit?objectType=sso&outcome=failed&limit=200").expect(200).json["events"]
        return [e["after"]["reason"] for e in events if e["action"] == "signin"]

    def user(self, email):
        return next((u for u in self.admin.get("/api/admin/users").expect(200).json["users"] if u["email"] == email), None)


class Real(Bed):
    def __init__(self):
        super().__init__("oidc")
        self.port = free_port()
        self.id = self.connect("Acme login", self.port, scopes="openid email profile groups", endSession=True,
                               roleMap=[{"group": "finops", "roles": ["basic"]}])
        (TMP / "peers").mkdir(exist_ok=True)
        self.file = TMP / "peers" / "oidc.json"
        self.state = {"kid": "first", "accounts": {
            "u-ben": {"email": "ben@example.com", "email_verified": True, "name": "Ben Quay", "groups": ["finops", "Team Blue"]},
            "u-cat": {"email": "cat@example.com", "email_verified": True, "name": "Cat", "groups": []},
            "u-new": {"email": "new@example.com", "email_verified": False, "name": "New", "groups": []},
            "u-ann": {"email": ADMIN, "email_verified": True, "name": "Not Ann", "groups": ["finops"]}},
            "client": {"client_id": "farthing", "client_secret": SECRET, "response_types": ["code"], "grant_types": ["authorization_code"],
                       "redirect_uris": [f"{self.base}/api/sso/{self.id}/callback"], "post_logout_redirect_uris": [f"{self.base}/signin"],
                       "backchannel_logout_uri": f"{self.base}/api/sso/{self.id}/backchannel", "backchannel_logout_session_required": True,
                       "scope": "openid email profile groups"}}
        self.up()

    def up(self):
        self.file.write_text(json.dumps(self.state))
        self.peer = Peer("provider.mjs", self.port, self.file)

    def sign_in(self, user, query="", surfer=None):
        surfer = surfer or Surfer(user)
        surfer.user = user
        here = urllib.parse.urlsplit(self.base).netloc
        page = surfer.follow(self.start(self.id, query), until=lambda p: p.location and urllib.parse.urlsplit(p.location).netloc == here
                             and "/api/sso/" in p.url and "/callback" in p.url)
        return surfer, page


def real():
    if "real" not in _bed:
        _bed["real"] = Real()
    return _bed["real"]


def test_a_connection_is_tested():
    t = real()
    a = t.admin.post(f"/api/admin/sso/{t.id}/test", {}).expect(200).json
    equal(a["ok"], True, a)
    check("Signing keys" in [c["what"] for c in a["checks"]], a)
    surfer = Surfer("u-ben")
    surfer.jar[urllib.parse.urlsplit(t.base).netloc] = {"__Host-s": t.admin.cookie}
    _, page = t.sign_in("u-ben", "?for=test", surfer)
    key = re.search(r"test=([^&]+)", page.location)[1]
    got = t.admin.get(f"/api/admin/sso/tests/{key}").expect(200).json
    equal((got["subject"], got["email"], got["emailVerified"], set(got["groups"]), set(got["roles"]), got["would"]),
          ("u-ben", "ben@example.com", True, {"finops", "Team Blue"}, {"read-only", "basic"}, "get a new account"))
    equal(t.user("ben@example.com"), None, "a test makes nobody")
    equal(Surfer().go(t.start(t.id, "?for=test")).status, 401, "a test without an administrator")


def test_first_sign_in_makes_a_user_with_groups_and_roles():
    t = real()
    team = t.admin.post("/api/admin/groups", {"name": "Blue", "samlGroups": ["Team Blue"]}).expect(201).json["id"]
    equal(t.admin.get("/api/session/providers").json["providers"][0]["name"], "Acme login")
    surfer, page = t.sign_in("u-ben", "?back=/bills")
    equal(page.location, t.base + "/bills", "the way back")
    cookies = " ".join(page.cookies)
    check("__Host-s=" in cookies and "HttpOnly" in cookies and "Secure" in cookies and "SameSite=Lax" in cookies, cookies)
    who = t.session(surfer)
    equal((who["user"]["email"], who["user"]["name"], set(who["user"]["roles"])), ("ben@example.com", "Ben Quay", {"read-only", "basic"}))
    u = t.user("ben@example.com")
    equal((u["provider"], u["state"], set(u["groups"])), ("oidc", "active", {team}))
    # the provider takes a group away: role and membership go, what was given by hand stays
    t.admin.ask("PUT", f"/api/admin/users/{u['id']}", {"roles": ["read-only", "basic", "api-token"]}).expect(204)
    other = t.admin.post("/api/admin/groups", {"name": "By hand"}).expect(201).json["id"]
    t.admin.post(f"/api/admin/groups/{other}/users", {"add": [u["id"]]}).expect(204)
    t.state["accounts"]["u-ben"]["groups"] = []
    t.file.write_text(json.dumps(t.state))
    surfer, _ = t.sign_in("u-ben")
    u = t.user("ben@example.com")
    equal((set(u["roles"]), set(u["groups"])), ({"read-only", "api-token"}, {other}))


def test_the_way_back_is_one_of_ours():
    """OI-4: an open-redirect corpus."""
    t = real()
    for bad in ("https://evil.example", "//evil.example", "/\\evil.example", "/%2f%2fevil.example", "/signin", "/megabill/../admin", "javascript:alert(1)",
                "/nowhere", "/megabill\r\nX: y", "/@evil.example", "///evil", "/megabill//evil.example", " /megabill", "/megabill?x=<b>"):
        _, page = t.sign_in("u-cat", "?back=" + urllib.parse.quote(bad, safe=""))
        equal(page.location, t.base + "/megabill", bad)
    _, page = t.sign_in("u-cat", "?back=" + urllib.parse.quote("/megabill?q=1", safe=""))
    equal(page.location, t.base + "/megabill?q=1")


def test_an_address_alone_leads_to_nobodys_account():
    """OI-2: the same e-mail at a provider never reaches the account; its owner or an administrator connects it."""
    t = real()
    surfer, page = t.sign_in("u-ann")
    equal(page.location, t.base + "/signin?sso=link")
    equal(t.session(surfer), None)
    check(any("not connected yet" in f for f in t.failures()), t.failures())
    waiting = t.admin.get("/api/admin/sso").expect(200).json["waiting"]
    equal([(w["email"], w["subject"]) for w in waiting], [(ADMIN, "u-ann")])
    surfer, page = t.sign_in("u-ann")
    equal(page.location, t.base + "/signin?sso=link", "still")
    # the owner, signed in as before, connects it
    surfer = Surfer("u-ann")
    surfer.jar[urllib.parse.urlsplit(t.base).netloc] = {"__Host-s": t.admin.cookie}
    _, page = t.sign_in("u-ann", "?for=link", surfer)
    equal(page.location, t.base + "/settings?sso=linked")
    equal([i["approved"] for i in t.admin.get("/api/me/identities").expect(200).json["identities"]], [True])
    surfer, page = t.sign_in("u-ann")
    equal(t.session(surfer)["user"]["email"], ADMIN)
    check("admin" in t.session(surfer)["user"]["roles"], "what was given by hand stays")
    equal(t.user(ADMIN)["name"] == "Not Ann", False, "a local user's name is not the provider's")


def test_an_administrator_approves_a_link():
    t = real()
    made = t.admin.post("/api/admin/users", {"email": "dan@example.com", "roles": ["read-only"]}).expect(201).json
    dan = Browser(t.server)
    link = re.search(r"signin#(\S+)", t.mail.read_text().split("dan@example.com")[1])[1]
    dan.post("/api/session/link", {"link": link, "password": "orchid lantern gravel"}).expect(200)
    t.state["accounts"]["u-dan"] = {"email": "Dan@example.com", "email_verified": True, "name": "Dan", "groups": []}
    t.file.write_text(json.dumps(t.state))
    equal(t.sign_in("u-dan")[1].location, t.base + "/signin?sso=link")
    w = t.admin.get("/api/admin/sso").json["waiting"][0]
    t.admin.post("/api/admin/sso/links", {"connection": w["connection"], "issuer": w["issuer"], "subject": w["subject"], "approve": True}).expect(204)
    surfer, _ = t.sign_in("u-dan")
    equal(t.session(surfer)["user"]["id"], made["id"])


def test_an_invitation_by_single_sign_on():
    t = real()
    t.state["accounts"]["u-fay"] = {"email": "fay@example.com", "email_verified": True, "name": "Fay", "groups": []}
    t.file.write_text(json.dumps(t.state))
    made = t.admin.post("/api/admin/users", {"email": "fay@example.com", "roles": ["basic"]}).expect(201).json
    link = re.search(r"signin#(\S+)", t.mail.read_text().split("fay@example.com")[1])[1]
    ours = {"Content-Type": "application/json", "X-Requested-With": "farthing", "Sec-Fetch-Site": "same-origin"}
    # somebody else's invitation
    other = Surfer("u-cat")
    equal(other.go(t.base + "/api/session/invitation", "POST", json.dumps({"link": link}), ours).status, 204)
    equal(t.sign_in("u-new", "?for=invite", other)[1].location, t.base + "/signin?sso=email")
    surfer = Surfer("u-fay")
    equal(surfer.go(t.base + "/api/session/invitation", "POST", json.dumps({"link": link}), ours).status, 204)
    _, page = t.sign_in("u-fay", "?for=invite", surfer)
    equal(page.location, t.base + "/megabill")
    who = t.session(surfer)
    equal((who["user"]["id"], set(who["user"]["roles"])), (made["id"], {"basic", "read-only"}))
    equal(Browser(t.server).post("/api/session/link", {"link": link, "password": "orchid lantern gravel"}).status, 401, "used up")


def test_disabled_people_stay_out():
    t = real()
    surfer, _ = t.sign_in("u-cat")
    cat = t.user("cat@example.com")
    t.admin.post(f"/api/admin/users/{cat['id']}/disable", {}).expect(204)
    equal(t.session(surfer), None, "at once")
    surfer, page = t.sign_in("u-cat")
    equal((page.location, t.session(surfer)), (t.base + "/signin?sso=disabled", None))
    t.admin.post(f"/api/admin/users/{cat['id']}/enable", {}).expect(204)
    check(t.session(t.sign_in("u-cat")[0]), "enabled again")
    surfer, page = t.sign_in("u-new")
    equal((page.location, t.session(surfer)), (t.base + "/signin?sso=email", None), "an address nobody verified")
    surfer, page = t.sign_in(None)
    equal(page.location, t.base + "/signin?sso=provider", "the provider refused")
    check(any("access_denied" in f for f in t.failures()))


def test_signing_out_here_there_and_from_there():
    t = real()
    surfer, _ = t.sign_in("u-cat")
    out = surfer.go(t.base + "/api/session", "DELETE", None, {"X-Requested-With": "farthing", "Sec-Fetch-Site": "same-origin"})
    equal(out.status, 200)
    equal(t.session(surfer), None)
    there = json.loads(out.body)["next"]
    check(there.startswith(f"http://127.0.0.1:{t.port}/session/end?") and "id_token_hint=" in there, there)
    page = surfer.follow(there)
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.body.decode()))
    page = surfer.go(f"http://127.0.0.1:{t.port}/session/end/confirm", "POST", urllib.parse.urlencode({**form, "logout": "yes"}),
                     {"Content-Type": "application/x-www-form-urlencoded"})
    check(page.location and page.location.startswith(t.base + "/signin"), page.status, page.location)
    # the back channel: the provider ends the session of one browser, and no other's
    surfer, _ = t.sign_in("u-cat")
    ben, _ = t.sign_in("u-ben")
    check(t.session(surfer) and t.session(ben))
    page = surfer.follow(f"http://127.0.0.1:{t.port}/session/end")
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.body.decode()))
    surfer.go(f"http://127.0.0.1:{t.port}/session/end/confirm", "POST", urllib.parse.urlencode({**form, "logout": "yes"}),
              {"Content-Type": "application/x-www-form-urlencoded"})
    wait_until(lambda: t.session(surfer) is None)
    check(t.session(ben), "another's session goes on")
    check(t.admin.get("/api/admin/audit?action=signout.provider").json["events"], "it is in the log")


def test_once_more_for_a_sensitive_act():
    t = real()
    surfer, _ = t.sign_in("u-ben")
    old = surfer.cookie(t.base, "__Host-s")
    _, page = t.sign_in("u-ben", "?for=prove&back=/tokens", surfer)
    equal(page.location, t.base + "/tokens")
    check(surfer.cookie(t.base, "__Host-s") != old, "a new secret")
    equal(Browser(t.server, old).get("/api/session").status, 401, "the old one is over")
    surfer.jar[f"127.0.0.1:{t.port}"] = {}
    _, page = t.sign_in("u-cat", "?for=prove", surfer)
    equal(page.location, t.base + "/signin?sso=unknown", "somebody else at the provider")
    check(t.session(surfer)["user"]["email"] == "ben@example.com")


def test_keys_turn_over():
    t = real()
    check(t.session(t.sign_in("u-cat")[0]))
    t.peer.stop()
    t.state["kid"] = "second"
    t.up()
    check(t.session(t.sign_in("u-cat")[0]), "the new key is fetched")
    t.peer.stop()
    t.state["kid"] = "third"
    t.up()
    surfer, page = t.sign_in("u-cat")
    equal((page.location, t.session(surfer)), (t.base + "/signin?sso=token", None), "not twice within a minute")
    check(any("does not publish" in f for f in t.failures()))
    t.admin.ask("PUT", f"/api/admin/sso/{t.id}", {"name": "Acme login"}).expect(200)
    check(t.session(t.sign_in("u-cat")[0]), "a saved connection begins anew")


def test_only_single_sign_on():
    t = real()
    policy = lambda **p: t.admin.ask("PUT", "/api/admin/security-policy", p)
    a = policy(ssoOnly=True)
    equal((a.status, a.json["field"]), (409, "ssoExcept"))
    a = policy(ssoOnly=True, ssoExcept=["dan@example.com"])
    equal(a.status, 409, "not an administrator")
    equal(policy(ssoOnly=True, ssoExcept=[ADMIN]).status, 409, "an administrator without a second factor")
    seed = t.admin.post("/api/me/mfa", {}).expect(200).json["secret"]
    t.admin.post("/api/me/mfa/confirm", {"secret": seed, "code": totp(seed)}).expect(200)
    policy(ssoOnly=True, ssoExcept=[ADMIN]).expect(200)
    equal(t.admin.get("/api/session/providers").json["only"], True)
    a = Browser(t.server).post("/api/session", {"email": "dan@example.com", "password": "orchid lantern gravel"})
    equal((a.status, a.json["message"]), (401, "e-mail or password is wrong"), "a right password")
    check(t.session(t.sign_in("u-dan")[0]), "by single sign-on")
    before = t.mail.read_text().count("Break glass") if t.mail.exists() else 0
    a = Browser(t.server).post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200).json
    equal(a["codeNeeded"], True)
    events = t.admin.get("/api/admin/audit?action=signin.break_glass").json["events"]
    equal((len(events), events[0]["severity"]), (1, "critical"))
    equal(t.mail.read_text().count("Break glass"), before + 1, "every administrator is told")
    equal(t.admin.ask("DELETE", f"/api/admin/sso/{t.id}").status, 409, "the last connection")
    equal(t.admin.ask("PUT", f"/api/admin/sso/{t.id}", {"state": "disabled"}).status, 409)
    policy(ssoOnly=False).expect(200)
    Browser(t.server).post("/api/session", {"email": "dan@example.com", "password": "orchid lantern gravel"}).expect(200)


def test_who_may_set_it_up_and_what_is_wrong():
    t = real()
    ben = Browser(t.server, t.sign_in("u-ben")[0].cookie(t.base, "__Host-s"))
    equal(ben.get("/api/admin/sso").status, 403)
    good = {"kind": "oidc", "name": "Other", "config": {"issuer": "https://id.example.com", "clientId": "x", "roles": ["basic"]}}
    for field, change in (("config.issuer", {"issuer": "ftp://x"}), ("config.issuer", {"issuer": ""}), ("config.clientId", {"clientId": 7}),
                          ("config.roles", {"roles": []}), ("config.roles", {"roles": ["nobody"]}), ("config.extra", {"extra": 1}),
                          ("config.issuer", {"issuer": "https://user@id.example.com"}), ("config.createUsers", {"createUsers": "yes"}),
                          ("config.roleMap", {"roleMap": [{"group": "", "roles": ["basic"]}]})):
        a = t.admin.post("/api/admin/sso", {**good, "config": {**good["config"], **change}})
        equal((a.status, a.json.get("field")), (400, field), a.body)
    equal(t.admin.post("/api/admin/sso", {**good, "kind": "ldap"}).json["field"], "kind")
    equal(t.admin.post("/api/admin/sso", {**good, "name": "Acme login"}).status, 409)
    made = t.admin.post("/api/admin/sso", good).expect(201).json
    equal(made["state"], "draft")
    equal(Surfer().go(t.start(made["id"])).status, 404, "a draft signs nobody in")
    t.admin.ask("DELETE", f"/api/admin/sso/{made['id']}").expect(204)


def test_people_that_scim_made_sign_in():
    """A connection that says so takes people of the provisioning client by their address; no other does."""
    t = real()
    key = t.admin.post("/api/admin/scim", {"name": "Acme"}).expect(201).json["key"]
    headers = {"Authorization": "Bearer " + secret(key), "Content-Type": "application/scim+json"}
    made = t.server.ask("POST", "/scim/v2/Users", {"userName": "gus@example.com", "displayName": "Gus"}, headers).expect(201).json["id"]
    t.state["accounts"]["u-gus"] = {"email": "gus@example.com", "email_verified": True, "name": "Gus", "groups": []}
    t.file.write_text(json.dumps(t.state))
    equal(t.sign_in("u-gus")[1].location, t.base + "/signin?sso=link")
    w = next(w for w in t.admin.get("/api/admin/sso").json["waiting"] if w["subject"] == "u-gus")
    t.admin.post("/api/admin/sso/links", {"connection": w["connection"], "issuer": w["issuer"], "subject": w["subject"], "approve": False}).expect(204)
    t.admin.ask("PUT", f"/api/admin/sso/{t.id}", {"config": {"linkProvisioned": True}}).expect(200)
    surfer, _ = t.sign_in("u-gus")
    equal(t.session(surfer)["user"]["id"], made)
    t.server.ask("PATCH", f"/scim/v2/Users/{made}", {"Operations": [{"op": "replace", "path": "active", "value": False}]}, headers).expect(200)
    equal((t.session(surfer), t.sign_in("u-gus")[1].location), (None, t.base + "/signin?sso=disabled"), "at once")
    t.admin.ask("PUT", f"/api/admin/sso/{t.id}", {"config": {"linkProvisioned": False}}).expect(200)


# ---- the forger ----

class Forged(Bed):
    def __init__(self):
        super().__init__("forged")
        self.port = free_port()
        self.peer = Peer("forge.mjs", self.port)
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.id = self.connect("Forger", self.port)

    def tell(self, **how):
        Surfer().go(self.issuer + "/next", "POST", json.dumps(how))

    def begin(self, surfer):
        page = surfer.go(self.start(self.id))
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.location).query))
        equal((q["code_challenge_method"], q["response_type"], "openid" in q["scope"].split()), ("S256", "code", True))
        return q

    def come_back(self, surfer, q, more="", **how):
        self.tell(client="farthing", secret=SECRET, nonce=q["nonce"], challenge=q["code_challenge"], redirect=q["redirect_uri"], **how)
        return surfer.go(f"{q['redirect_uri']}?code=c-1&state={q['state']}{more}")

    def attempt(self, more="", **how):
        surfer = Surfer()
        page = self.come_back(surfer, self.begin(surfer), more, **how)
        return surfer, page


def forged():
    if "forged" not in _bed:
        _bed["forged"] = Forged()
    return _bed["forged"]


def test_tokens_that_are_good():
    t = forged()
    for i, (name, how) in enumerate({
            "RS256": {}, "ES256": {"key": "ec"}, "EdDSA": {"key": "ed"}, "several audiences": {"claims": {"aud": ["farthing", "x"], "azp": "farthing"}},
            "a clock 50 s ahead": {"relative": {"iat": 50, "nbf": 50, "exp": 300}}, "a clock 50 s behind": {"relative": {"iat": -350, "exp": -50}},
            "no at_hash": {"drop": ["at_hash"]}, "the issuer's own parameter": {}}.items()):
        more = "&iss=" + urllib.parse.quote(t.issuer, safe="") if "parameter" in name else ""
        surfer, page = t.attempt(more, **{**how, "claims": {"sub": f"good-{i}", "email": f"good{i}@example.com", **how.get("claims", {})}})
        equal(page.location, t.base + "/megabill", name)
        equal(t.session(surfer)["user"]["email"], f"good{i}@example.com", name)


# Every one of them is refused, leaves no session, and a line in the audit log that says why.
BAD = {
    "alg none": ({"alg": "none", "how": "none"}, "no signed token"),
    "alg none with a signature": ({"alg": "none"}, "way that is not accepted"),
    "alg nOnE": ({"alg": "nOnE"}, "way that is not accepted"),
    "HS256 with the public key": ({"alg": "HS256", "how": "hs-public"}, "way that is not accepted"),
    "HS256 with the client's secret": ({"alg": "HS256", "how": "hs-secret"}, "way that is not accepted"),
    "RS384": ({"alg": "RS384"}, "way that is not accepted"),
    "an RSA key's name under ES256": ({"alg": "ES256", "kid": "rsa"}, "does not publish"),
    "a key in the token": ({"embed": True, "signKey": "other", "kid": "other"}, "does not publish"),
    "another key under a known name": ({"signKey": "other"}, "signature is wrong"),
    "an RSA key of 1,024 bits": ({"key": "small"}, "signature is wrong"),
    "an unknown key": ({"key": "other"}, "does not publish"),
    "no key's name where several fit": ({"kid": None, "header": {"kid": None}}, "which of several keys"),
    "a flipped bit": ({"how": "flip"}, "signature is wrong"),
    "content changed after signing": ({"how": "swap"}, "signature is wrong"),
    "critical extension": ({"header": {"crit": ["x"], "x": 1}}, "not known here"),
    "wrong issuer": ({"claims": {"iss": "https://elsewhere.example"}}, "another issuer"),
    "issuer with a slash more": ({"claims": {"iss": "SLASH"}}, "another issuer"),
    "wrong audience": ({"claims": {"aud": "somebody-else"}}, "another client"),
    "audience as part of a word": ({"claims": {"aud": "farthing2"}}, "another client"),
    "several audiences without azp": ({"claims": {"aud": ["farthing", "x"]}}, "issued to another client"),
    "wrong azp": ({"claims": {"azp": "x"}}, "issued to another client"),
    "expired": ({"relative": {"exp": -61, "iat": -400}}, "has expired"),
    "no end": ({"drop": ["exp"]}, "when it ends"),
    "the end as a text": ({"claims": {"exp": "9999999999"}}, "when it ends"),
    "issued in the future": ({"relative": {"iat": 120, "exp": 400}}, "in the future"),
    "not valid yet": ({"relative": {"nbf": 120}}, "not valid yet"),
    "issued long ago": ({"relative": {"iat": -3600, "exp": 300}}, "too old"),
    "no time of issue": ({"drop": ["iat"]}, "when it was issued"),
    "wrong nonce": ({"claims": {"nonce": "n"}}, "nonce"),
    "no nonce": ({"drop": ["nonce"]}, "nonce"),
    "no subject": ({"drop": ["sub"]}, "who it is about"),
    "an empty subject": ({"claims": {"sub": ""}}, "who it is about"),
    "a subject that is no text": ({"claims": {"sub": 7}}, "who it is about"),
    "wrong at_hash": ({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "at_hash"),
    "the access token of another": ({"hashOf": "at-2"}, "at_hash"),
    "content that is no base64url": ({"how": "pad"}, "cannot be read"),
    "a signature that is no base64url": ({"how": "stray"}, "cannot be read"),
    "members twice": ({"raw": '{"iss":"a","iss":"b"}'}, "cannot be read"),
    "no object": ({"raw": "[]"}, "cannot be read"),
    "unverified e-mail": ({"claims": {"email_verified": False}}, "verified"),
    "e-mail without a word about it": ({"drop": ["email_verified"]}, "verified"),
    "no e-mail": ({"claims": {"email": ""}}, "no e-mail address"),
    "an e-mail with a line break": ({"claims": {"email": "a\n@example.com"}}, "no e-mail address"),
    "no ID token": ({"answer": {"status": 200, "body": {"access_token": "x"}}}, "no ID token"),
    "the code is refused": ({"answer": {"status": 400, "body": {"error": "invalid_grant"}}}, "invalid_grant"),
    "user information of another": ({"drop": ["name"], "userinfo": {"sub": "s-2", "name": "X"}}, "somebody else"),
}


def test_tokens_that_are_forged_or_stale():
    t = forged()
    users = len(t.admin.get("/api/admin/users").json["users"])
    for name, (how, why) in BAD.items():
        if how.get("claims", {}).get("iss") == "SLASH":
            how = {"claims": {"iss": t.issuer + "/"}}
        before = len(t.failures())
        surfer, page = t.attempt(**{**how, "claims": {"sub": "bad", "email": "bad@example.com", **how.get("claims", {})}})
        check(page.status == 303 and page.location.startswith(t.base + "/signin?sso="), name, page.status, page.location)
        check(not any(c.startswith("__Host-s=") for c in page.cookies), name, "gives a session")
        equal(t.session(surfer), None, name)
        after = t.failures()
        equal(len(after), before + 1, f"{name}: lines in the audit log")
        check(why in after[0], f"{name}: says {after[0]!r}")
    equal(len(t.admin.get("/api/admin/users").json["users"]), users, "nobody was made")


def test_states_that_are_forged_or_stale():
    t = forged()
    def refused(page, surfer, name):
        equal(page.location, t.base + "/signin?sso=state", name)
        equal(t.session(surfer), None, name)
    surfer = Surfer()
    q = t.begin(surfer)
    equal(t.come_back(surfer, q, claims={"sub": "good-0"}).location, t.base + "/megabill")
    again = Surfer()
    again.jar = {urllib.parse.urlsplit(t.base).netloc: {}}
    refused(t.come_back(again, q, claims={"sub": "good-0"}), again, "code and state once more")
    victim, thief = Surfer(), Surfer()
    q = t.begin(thief)
    t.begin(victim)
    refused(t.come_back(victim, q, claims={"sub": "good-0"}), victim, "a state of another browser")
    refused(t.come_back(thief, q, claims={"sub": "good-0"}), thief, "and it is used up")
    nobody = Surfer()
    q = t.begin(nobody)
    refused(t.come_back(nobody, {**q, "state": "A" * 43}, claims={"sub": "good-0"}), nobody, "a made-up state")
    refused(t.come_back(nobody, {**q, "state": ""}, claims={"sub": "good-0"}), nobody, "no state")
    # another connection's address, another provider's answer, two codes
    second = t.connect("Second", t.port)
    surfer = Surfer()
    q = t.begin(surfer)
    refused(t.come_back(surfer, {**q, "redirect_uri": q["redirect_uri"].replace(t.id, second)}, claims={"sub": "good-0"}), surfer, "mixed up")
    surfer, page = t.attempt("&iss=https%3A%2F%2Felsewhere.example", claims={"sub": "good-0"})
    equal((page.location, t.session(surfer)), (t.base + "/signin?sso=token", None), "the issuer's own parameter")
    surfer, page = t.attempt("&code=c-2", claims={"sub": "good-0"})
    equal((page.location, t.session(surfer)), (t.base + "/signin?sso=provider", None), "two codes")
    for f in ("not begun in this browser", "another connection's address", "another issuer"):
        check(any(f in x for x in t.failures()), f)
    t.admin.ask("DELETE", f"/api/admin/sso/{second}").expect(204)


def test_the_same_subject_elsewhere_is_somebody_else():
    """OI-2: a second provider that uses the first one's subject and address reaches nobody's account."""
    t = forged()
    port = free_port()
    peer = Peer("forge.mjs", port)
    first = t.issuer, t.id
    mine = t.user("good0@example.com")
    try:
        t.issuer, t.id = f"http://127.0.0.1:{port}", t.connect("Impostor", port)
        surfer, page = t.attempt(claims={"sub": "good-0", "email": "good0@example.com"})
        equal((page.location, t.session(surfer)), (t.base + "/signin?sso=link", None))
        equal(t.user("good0@example.com"), mine)
    finally:
        t.admin.ask("DELETE", f"/api/admin/sso/{t.id}").expect(204)
        t.issuer, t.id = first
        peer.stop()


def test_an_unknown_key_is_looked_for_once_a_minute():
    """OI-3"""
    t = forged()
    t.admin.ask("PUT", f"/api/admin/sso/{t.id}", {"name": "Forger"}).expect(200)
    fetched = lambda: json.loads(Surfer().go(t.issuer + "/counts").body)["fetched"]
    t.attempt(claims={"sub": "good-0"})
    before = fetched()
    for _ in range(5):
        equal(t.attempt(key="late")[1].location, t.base + "/signin?sso=token")
    equal(fetched(), before + 1)


def test_logout_tokens_that_are_forged():
    t = forged()
    event = {"http://schemas.openid.net/event/backchannel-logout": {}}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    def leave(**how):
        o = {"client": "farthing", "secret": SECRET, "claims": {"sub": "good-1", "events": event, "jti": "j-1"}, **how}
        token = json.loads(Surfer().go(t.issuer + "/logout-token", "POST", json.dumps(o)).body)["token"]
        return Surfer().go(f"{t.base}/api/sso/{t.id}/backchannel", "POST", "logout_token=" + token, form).status
    surfer, _ = t.attempt(claims={"sub": "good-1", "email": "good1@example.com"})
    check(t.session(surfer))
    good = {"sub": "good-1", "events": event}
    for name, how in {"alg none": {"alg": "none", "how": "none"}, "HS256": {"alg": "HS256", "how": "hs-public"}, "another key": {"signKey": "other"},
                      "no event": {"claims": {"sub": "good-1", "jti": "j-2"}}, "no id": {"claims": good},
                      "nobody": {"claims": {"events": event, "jti": "j-3"}, "drop": ["sub"]},
                      "an ID token": {"claims": {**good, "jti": "j-4"}, "nonce": "n", "keep": ["nonce"]},
                      "another client": {"claims": {**good, "jti": "j-5", "aud": "x"}}, "old": {"claims": {**good, "jti": "j-6"}, "relative": {"iat": -3600}}}.items():
        equal(leave(**how), 400, name)
        check(t.session(surfer), name)
    equal(leave(claims={**good, "jti": "j-9"}), 200)
    equal(t.session(surfer), None)
    surfer, _ = t.attempt(claims={"sub": "good-1", "email": "good1@example.com"})
    equal(leave(claims={**good, "jti": "j-9"}), 400, "the same token once more")
    check(t.session(surfer))


def test_the_secret_is_nowhere():
    """SK-3, SK-8: neither in the database, nor in the log, nor in the audit log."""
    for t in _bed.values():
        for f in [*t.data.rglob("*"), pathlib.Path(t.server.log.name)]:
            if f.is_file():
                check(SECRET.encode() not in f.read_bytes(), "the secret is in", f)
