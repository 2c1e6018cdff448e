"""SAML 2.0 (security.md SA-1 to SA-7): npm's saml-idp as the provider, and forged or stale messages signed by xmlsec1."""
import base64
import html
import http.cookiejar
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import forge
from connect_test import HERE, _peers
from farthing import ADMIN, PASSWORD, TMP, Browser, Server, check, cli, equal, link_of

_made = {}
CANARIES = []  # secrets that no log may show


class Bed:
    """An installation, an administrator, the provider's two keys."""

    def __init__(self):
        self.dir = TMP / "saml-keys"
        self.dir.mkdir()
        self.idp_key, self.idp_cert = forge.key_pair(self.dir, "idp")
        self.new_key, self.new_cert = forge.key_pair(self.dir, "idp-new")
        self.evil_key, self.evil_cert = forge.key_pair(self.dir, "evil")
        self.data, self.key = TMP / "saml", TMP / "saml.key"
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        cli(None, "vault", "key", self.key)
        self.allow = []
        self.start()
        self.admin.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)

    def start(self):
        self.server = Server(self.data, env={"FARTHING_ALLOW_HOSTS": ",".join(self.allow), "FARTHING_RETRY_MS": "20",
                                             "FARTHING_URL": "https://farthing.example/"},
                             args=["--vault-key", str(self.key)])
        self.admin = Browser(self.server, getattr(self, "admin", None) and self.admin.cookie)

    def again(self, *allow):
        """Once more, with hosts allowed; the count of failures that are written down begins anew."""
        self.allow += allow
        equal(self.server.stop(), 0, "the server's end")
        self.start()

    def connect(self, name, state="enabled", **config):
        made = self.admin.post("/api/admin/sso", {"kind": "saml", "name": name, "state": state, "config": {
            "entityId": "urn:example:idp", "ssoUrl": "https://idp.example/sso", "certificates": self.idp_cert, "trustEmail": True,
            "roles": ["read-only"], **config}}).expect(201).json
        return made

    def change(self, made, **config):
        return self.admin.ask("PUT", f"/api/admin/sso/{made['id']}", {"config": config}).expect(200).json

    def events(self, **q):
        return self.admin.get("/api/admin/audit?" + urllib.parse.urlencode({"limit": 5, **q})).expect(200).json["events"]


def bed():
    if "bed" not in _made:
        _made["bed"] = Bed()
    return _made["bed"]


class Visit:
    """One browser on its way to the provider and back, with the cookies Farthing gave it."""

    def __init__(self, t, made, query=""):
        self.t, self.made, self.cookies = t, made, {}
        a = self.keep(t.server.ask("GET", f"/api/sso/{made['id']}/start{query}", headers={"Sec-Fetch-Site": "none"}))
        equal(a.status, 303, a.body[:300])
        self.url = a.headers["location"]
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query))
        self.relay = q["RelayState"]
        self.request_xml = forge.inflated(q["SAMLRequest"])
        self.request = re.search(r' ID="([^"]+)"', self.request_xml).group(1)

    def keep(self, a):
        for c in a.cookies:
            name, value = c.split(";")[0].split("=", 1)
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return a

    def post(self, message, relay=None, cookies=None, path="acs", raw=False):
        text = message if raw else base64.b64encode(message.encode() if isinstance(message, str) else message).decode()
        body = urllib.parse.urlencode({"SAMLResponse": text, "RelayState": self.relay if relay is None else relay})
        jar = self.cookies if cookies is None else cookies
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site", "Origin": "https://idp.example"}
        if jar:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in jar.items())
        return self.keep(self.t.server.ask("POST", f"/api/sso/{self.made['id']}/{path}", body, headers))

    def session(self):
        b = Browser(self.t.server, self.cookies.get("__Host-s"))
        return b.get("/api/session").expect(200).json


def forger(t, made, key="idp"):
    at = made["addresses"]
    return forge.Forger(t.dir, "urn:example:idp", t.dir / f"{key}.key", at["Assertion consumer service (reply URL)"], at["Entity ID (audience)"])


def refused(t, visit, answer, word, where="token"):
    """Sent back with a word that says nothing, no session, and the reason in the audit log."""
    equal(answer.status, 303, answer.body[:300])
    check(answer.headers["location"].endswith(f"/signin?sso={where}"), word, answer.headers["location"])
    check("__Host-s" not in visit.cookies, word, "a session was opened")
    event = t.events(action="signin", outcome="failed")[0]
    check(event["objectId"] == visit.made["id"], word, "is not in the audit log")
    check(word in event["after"]["reason"], "the reason is not", word, "but", event["after"]["reason"])


# ---- a real provider ----

def idp_server(t, made_entity, acs, slo, **more):
    """npm's saml-idp; gives its base address."""
    user = {"userName": "u-77", "nameIdFormat": forge.PERSISTENT, "firstName": "Saml", "lastName": "Jackson", "displayName": "Saml Jackson",
            "email": "saml.jackson@example.com", "mobilePhone": "1", "groups": "finance,cloud"}
    attribute = lambda name, multi=False: {"id": name, "optional": True, "displayName": name, "multiValue": multi}  # noqa: E731
    options = {"host": "127.0.0.1", "issuer": "urn:example:idp", "acsUrl": acs, "sloUrl": slo, "audience": made_entity,
               "cert": t.idp_cert, "key": t.idp_key, "config": {"user": user, "metadata": [
                   attribute("email"), attribute("displayName"), attribute("groups", True)]}, **more}
    path = t.dir / f"idp-{len(_peers)}.json"
    path.write_text(json.dumps(options))
    p = subprocess.Popen(["node", str(HERE / "peers.mjs"), "saml", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         cwd=HERE)
    _peers.append(p)
    line = p.stdout.readline()
    check(line.startswith("port "), "saml-idp did not start:", line)
    port = int(line.split()[1])
    return f"http://127.0.0.1:{port}"


class Idp:
    """A browser at the provider: its cookies, and what its forms hold."""

    def __init__(self):
        self.open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())).open

    def form(self, url, data=None):
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        try:
            page = self.open(url, body, timeout=30).read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise AssertionError(f"{url}: {error.code} {' '.join(re.sub('<[^>]*>', ' ', text.split('<h2>')[-1]).split())[:300]}") from error
        fields = {}
        for tag in re.findall(r"<input[^>]*>", page):
            name, value = re.search(r'name=["\']([^"\']*)', tag), re.search(r'value=["\']([^"\']*)', tag)
            if name:
                fields[html.unescape(name.group(1))] = html.unescape(value.group(1)) if value else ""
        action = re.search(r'<form[^>]*method="post"[^>]*action="([^"]*)"|<form[^>]*action="([^"]*)"', page)
        return html.unescape((action.group(1) or action.group(2)) if action else ""), fields, page

    def sign_in(self, url, **person):
        """From the address Farthing sent the browser to, to the form that goes back."""
        base = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
        _, fields, page = self.form(url)
        check("_authnRequest" in fields, "no sign-in form:", page[:400])
        person = {"userName": "u-77", "nameIdFormat": forge.PERSISTENT, "email": "saml.jackson@example.com", "displayName": "Saml Jackson",
                  "groups": "finance,cloud", **person}
        return self.form(base + "/signin", {"_authnRequest": fields["_authnRequest"], **person})


def real(t):
    """A connection made from saml-idp's own metadata, fetched by address; one for all tests."""
    if "real" in _made:
        return _made["real"]
    made = t.connect("Corporate", roleMap=[{"group": "finance", "roles": ["basic"]}], endSession=True)
    base = made["addresses"]
    idp = idp_server(t, base["Entity ID (audience)"], base["Assertion consumer service (reply URL)"], base["Single logout service"])
    t.again(idp.split("//")[1])
    seen = t.admin.post("/api/admin/sso/metadata", {"url": idp + "/metadata"}).expect(200).json
    equal(seen["config"]["entityId"], "urn:example:idp")
    equal(len(seen["certificates"]), 1)
    text = urllib.request.urlopen(idp + "/metadata", timeout=30).read().decode()
    equal(t.admin.post("/api/admin/sso/metadata", {"xml": text}).expect(200).json, seen, "metadata by file")
    made = t.change(made, **seen["config"])
    _made["real"] = made, idp
    return _made["real"]


def test_sign_in_by_saml():
    """saml-idp: metadata, a signed request, sign-in, an account made on the way, roles of groups."""
    t = bed()
    made, idp = real(t)
    team = t.admin.post("/api/admin/groups", {"name": "Finance", "samlGroups": ["finance"]}).expect(201).json
    metadata = t.server.ask("GET", f"/api/sso/{made['id']}/metadata")
    equal(metadata.status, 200)
    cert = re.search(rb"<ds:X509Certificate>([^<]+)<", metadata.body).group(1).decode()
    (t.dir / "sp.crt").write_text("-----BEGIN CERTIFICATE-----\n" + "\n".join(re.findall(".{1,64}", cert)) + "\n-----END CERTIFICATE-----\n")
    v = Visit(t, made, "?back=/virtual-tags")
    check(v.url.startswith(idp + "/saml/sso?"), v.url)
    check(forge.query_signature_ok(t.dir / "sp.crt", urllib.parse.urlsplit(v.url).query), "the request's signature does not hold")
    check("rsa-sha256" in v.url, "the request is not signed with SHA-256")
    action, fields, page = Idp().sign_in(v.url)
    check(action.endswith(f"/api/sso/{made['id']}/acs"), action, page[:300])
    equal(fields["RelayState"], v.relay)
    a = v.post(fields["SAMLResponse"], relay=fields["RelayState"], raw=True)
    equal(a.status, 303, a.body[:300])
    check(a.headers["location"].endswith("/virtual-tags"), a.headers["location"], t.events(action="signin", outcome="failed")[:1])
    s = v.session()
    equal((s["user"]["email"], s["user"]["name"]), ("saml.jackson@example.com", "Saml Jackson"))
    equal(set(s["user"]["roles"]), {"read-only", "basic"})
    groups = t.admin.get("/api/admin/groups").json["groups"]
    members = next(g for g in groups if g["id"] == team["id"])["users"]
    equal(members, [s["user"]["id"]], "members by the provider's group")
    # a second time: the same person; the provider's group is gone, and with it the role
    v = Visit(t, made)
    _, fields, _ = Idp().sign_in(v.url, groups="cloud", email="other@example.com")
    equal(v.post(fields["SAMLResponse"], raw=True).status, 303)
    s = v.session()
    equal((s["user"]["email"], s["user"]["roles"]), ("saml.jackson@example.com", ["read-only"]), "the second sign-in")
    return v


def test_sign_out_by_saml():
    """Our sign-out goes to the provider and comes back; the provider's own ends our session."""
    t = bed()
    made, idp = real(t)
    v, person = Visit(t, made), Idp()
    _, fields, _ = person.sign_in(v.url)
    v.post(fields["SAMLResponse"], raw=True)
    b = Browser(t.server, v.cookies["__Host-s"])
    out = b.ask("DELETE", "/api/session").expect(200).json
    check(out["next"].startswith(idp + "/saml/slo?SAMLRequest="), out)
    check(forge.query_signature_ok(t.dir / "sp.crt", urllib.parse.urlsplit(out["next"]).query), "the sign-out's signature does not hold")
    b.cookie = v.cookies["__Host-s"]
    b.get("/api/session").expect(401)
    action, fields, page = person.form(out["next"])
    check(action.endswith(f"/api/sso/{made['id']}/slo") and "SAMLResponse" in fields, "the provider did not answer:", page[:600])
    a = v.post(fields["SAMLResponse"], raw=True, path="slo", relay="")
    equal(a.status, 303)
    check(a.headers["location"].endswith("/signin"), a.headers["location"])
    # the provider ends it: a signed query of the browser, and a signed answer for the provider
    v = Visit(t, made)
    _, fields, _ = Idp().sign_in(v.url)
    index = re.search(r'SessionIndex="([^"]+)"', base64.b64decode(fields["SAMLResponse"]).decode()).group(1)
    v.post(fields["SAMLResponse"], raw=True)
    v.session()
    slo = made["addresses"]["Single logout service"]

    def request(**more):
        x = {"to": slo, "issued": forge.at(), "index": index, "name": "u-77", "issuer": "urn:example:idp", **more}
        return (f'<samlp:LogoutRequest xmlns:samlp="{forge.SAMLP}" xmlns:saml="{forge.SAML}" ID="{forge.new_id()}" Version="2.0" '
                f'IssueInstant="{x["issued"]}" Destination="{x["to"]}"><saml:Issuer>{x["issuer"]}</saml:Issuer><saml:NameID Format="'
                f'{forge.PERSISTENT}">{x["name"]}</saml:NameID><samlp:SessionIndex>{x["index"]}</samlp:SessionIndex></samlp:LogoutRequest>')

    def ask(query):
        return t.server.ask("GET", f"/api/sso/{made['id']}/slo?{query}", headers={"Sec-Fetch-Site": "cross-site"})

    for what, query in {
        "another key": forge.signed_query(t.dir / "evil.key", "SAMLRequest", request()),
        "SHA-1": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request(), algorithm=forge.DSIG + "rsa-sha1", digest="sha1"),
        "another destination": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request(to="https://else.example/slo")),
        "an old one": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request(issued=forge.at(-600))),
        "another issuer": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request(issuer="urn:else")),
        "a bomb": forge.signed_query(t.dir / "idp.key", "SAMLRequest", "", packed=forge.deflated("<a>" + " " * 2_000_000 + "</a>")),
        "not signed": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request()).split("&SigAlg")[0],
        "a changed relay": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request(), relay="a").replace("RelayState=a", "RelayState=b"),
        "twice": forge.signed_query(t.dir / "idp.key", "SAMLRequest", request()) + "&SAMLRequest=" + urllib.parse.quote_plus(forge.deflated("<a/>")),
    }.items():
        a = ask(query)
        equal((a.status, a.headers.get("location", "").split("/")[-1]), (303, "signin?sso=token"), what)
        v.session()
    good = forge.signed_query(t.dir / "idp.key", "SAMLRequest", request(), relay="there and back")
    a = ask(good)
    equal(a.status, 303)
    check(a.headers["location"].startswith(idp + "/saml/slo?SAMLResponse="), a.headers["location"])
    query = urllib.parse.urlsplit(a.headers["location"]).query
    check(forge.query_signature_ok(t.dir / "sp.crt", query), "the answer's signature does not hold")
    equal(dict(urllib.parse.parse_qsl(query))["RelayState"], "there and back")
    check(forge.SUCCESS in forge.inflated(dict(urllib.parse.parse_qsl(query))["SAMLResponse"]), "the answer does not say success")
    Browser(t.server, v.cookies["__Host-s"]).get("/api/session").expect(401)
    a = ask(good)
    check(a.headers["location"].endswith("/signin?sso=token"), "a sign-out was taken twice", a.headers["location"])


def test_keys_turn_over():
    """Two certificates of the provider while it changes its key; a new key pair of ours."""
    t = bed()
    made = t.connect("Rotation")
    f, new = forger(t, made), forger(t, made, "idp-new")
    v = Visit(t, made)
    refused(t, v, v.post(new.good(v.request, name="r-1")), "signature")
    made = t.change(made, certificates=t.idp_cert + t.new_cert)
    equal([k for k in made["addresses"] if k.startswith("Provider's certificate")], ["Provider's certificate 1", "Provider's certificate 2"])
    check("good until" in made["addresses"]["Provider's certificate 2"], made["addresses"])
    for who in (f, new):
        v = Visit(t, made)
        v.post(who.good(v.request, name="r-1", attributes={"email": ["rotation@example.com"]}))
        equal(v.session()["user"]["email"], "rotation@example.com")
    made = t.change(made, certificates=t.new_cert)
    v = Visit(t, made)
    refused(t, v, v.post(f.good(v.request, name="r-1")), "signature")
    v = Visit(t, made)
    v.post(new.good(v.request, name="r-1"))
    equal(v.session()["user"]["email"], "rotation@example.com")
    # a key of an elliptic curve, beside the other
    curve, cert = forge.curve_pair(t.dir, "curve")
    stranger, _ = forge.curve_pair(t.dir, "curve-else")
    made = t.change(made, certificates=t.new_cert + cert)
    for key, word in ((curve, None), (stranger, "signature")):
        v, a = Visit(t, made), forge.new_id()
        x = f.response(v.request, f.assertion(v.request, id=a, name="r-1", signed=forge.signature(a, method=forge.MORE + "ecdsa-sha256")))
        answer = v.post(f.sign(x, a, key=str(key)))
        if word:
            refused(t, v, answer, word)
        else:
            equal(v.session()["user"]["email"], "rotation@example.com")
    # what cannot be pinned
    weak = forge.key_pair(t.dir, "weak", 1024)[1]
    for text, word in ((weak, "1024 bits"), ("rubbish", "certificate"), (t.idp_cert + t.new_cert + t.evil_cert + forge.key_pair(t.dir, "x")[1], "more than 3")):
        a = t.admin.ask("PUT", f"/api/admin/sso/{made['id']}", {"config": {"certificates": text}}).expect(422)
        check(word in a.json["message"] and a.json["field"] == "config.certificates", a.body)
    path = f"/api/sso/{made['id']}/metadata"
    before = t.server.ask("GET", path).body
    t.admin.ask("POST", f"/api/admin/sso/{made['id']}/key").expect(204)
    check(t.server.ask("GET", path).body != before, "the key pair is the old one")
    equal(t.events(action="sso.key")[0]["objectId"], made["id"])


def test_encrypted_assertions():
    """Encrypted with our certificate by npm's xml-encryption, read by the verifier; another's key is refused."""
    t = bed()
    made = t.connect("Encrypted")
    f = forger(t, made)
    ours = re.search(rb"<ds:X509Certificate>([^<]+)<", t.server.ask("GET", f"/api/sso/{made['id']}/metadata").body).group(1).decode()
    pem = "-----BEGIN CERTIFICATE-----\n" + "\n".join(re.findall(".{1,64}", ours)) + "\n-----END CERTIFICATE-----\n"

    def seal(message, cert, cipher="http://www.w3.org/2009/xmlenc11#aes256-gcm", transport="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"):
        a = re.search(r"<saml:Assertion .*?</saml:Assertion>", message, re.S).group(0)
        p = subprocess.run(["node", str(HERE / "peers.mjs"), "encrypt"], input=json.dumps(
            {"text": a, "cert": cert, "cipher": cipher, "transport": transport}), capture_output=True, text=True, cwd=HERE, timeout=60)
        check(p.returncode == 0, p.stderr[-500:])
        return message.replace(a, f'<saml:EncryptedAssertion>{p.stdout}</saml:EncryptedAssertion>')

    v = Visit(t, made)
    v.post(seal(f.good(v.request, name="e-1", attributes={"email": ["secret@example.com"]}), pem))
    equal(v.session()["user"]["email"], "secret@example.com")
    v = Visit(t, made)
    refused(t, v, v.post(seal(f.good(v.request, name="e-1"), t.evil_cert)), "encryption")
    v = Visit(t, made)
    refused(t, v, v.post(seal(f.good(v.request, name="e-1"), pem, transport="http://www.w3.org/2001/04/xmlenc#rsa-1_5")), "algorithm")
    v = Visit(t, made)
    refused(t, v, v.post(seal(f.response(v.request, f.assertion(v.request, name="e-1", signed="")), pem)), "unsigned")
    v = Visit(t, made)
    twice = f.good(v.request, name="e-1")
    refused(t, v, v.post(seal(twice, pem).replace("</samlp:Response>", f.assertion(v.request, name="e-1", signed="") + "</samlp:Response>")), "form")


# ---- forged and stale: one row a case ----

def cases(t, f, made):
    """name -> (word in the audit log, what makes the message from the request's id)."""
    evil = str(t.dir / "evil.key")
    other = lambda **m: (lambda r: f.good(r, **m))  # noqa: E731

    def signed_with(**how):
        def make(r):
            a = forge.new_id()
            return f.sign(f.response(r, f.assertion(r, id=a, signed=forge.signature(a, **how))), a)
        return make

    def only_response(r):
        i = forge.new_id()
        return f.sign(f.response(r, f.assertion(r, signed=""), id=i, signed=forge.signature(i)), i)

    def replaced(old, new, **m):
        return lambda r: f.good(r, **m).replace(old, new, 1)

    def two_references(r):
        a, b = forge.new_id(), forge.new_id()
        ref = re.search(r"<ds:Reference.*</ds:Reference>", forge.signature(b)).group(0)
        return f.sign(f.response(r, f.assertion(r, id=a, signed=forge.signature(a, extra=ref)), id=b), a)

    def hmac(r):
        (t.dir / "cert.hmac").write_bytes(t.idp_cert.encode())
        a = forge.new_id()
        return f.sign(f.response(r, f.assertion(r, id=a, signed=forge.signature(a, method=forge.MORE + "hmac-sha256"))), a,
                      hmac=t.dir / "cert.hmac")

    def signed_error_as_wrapper(r):
        i = forge.new_id()
        return f.sign(f.response(r, "", id=i, status="urn:oasis:names:tc:SAML:2.0:status:Responder", signed=forge.signature(i)), i).replace(
            "</samlp:Response>", f.assertion(r, signed="") + "</samlp:Response>")

    bomb = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    return {
        "not signed": ("unsigned", lambda r: f.response(r, f.assertion(r, signed=""))),
        "only the response signed": ("unsigned", only_response),
        "another provider's key": ("signature", other(sign={"key": evil})),
        "its key in KeyInfo": ("signature", lambda r: f.good(r, sign={"key": evil}).replace(
            "</ds:SignatureValue>", "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>"
            + "".join(t.evil_cert.splitlines()[1:-1]) + "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>", 1)),
        "the name changed": ("signature", replaced("u-1001", "u-1002")),
        "RSA with SHA-1": ("algorithm", signed_with(method=forge.DSIG + "rsa-sha1")),
        "a digest of SHA-1": ("algorithm", signed_with(digest=forge.DSIG + "sha1")),
        "HMAC with the certificate": ("algorithm", hmac),
        "canonical form with comments": ("algorithm", signed_with(c14n=forge.EXC + "WithComments")),
        "a transform with comments": ("algorithm", signed_with(second=forge.EXC + "WithComments")),
        "three transforms": ("signature_form", signed_with(more_transforms=f'<ds:Transform Algorithm="{forge.EXC}"/>')),
        "two references": ("signature_form", two_references),
        "an Object in the signature": ("signature_form", signed_with(inside='<ds:Object Id="o">x</ds:Object>')),
        "another audience": ("audience", other(audience="https://else.example")),
        "no audience": ("audience", other(audience="")),
        "another recipient": ("recipient", other(recipient="https://else.example/acs")),
        "another destination": ("destination", lambda r: (lambda a: f.sign(f.response(
            r, f.assertion(r, id=a), destination="https://else.example/acs"), a))(forge.new_id())),
        "another issuer": ("issuer", other(issuer="urn:else")),
        "another issuer of the response": ("issuer", lambda r: (lambda a: f.sign(f.response(
            r, f.assertion(r, id=a), issuer="urn:else"), a))(forge.new_id())),
        "over": ("expired", other(conditions=(-600, -300))),
        "the confirmation is over": ("expired", other(confirm=(None, -300))),
        "the session there is over": ("expired", other(session_ends=-300)),
        "not yet valid": ("not_yet", other(conditions=(300, 600))),
        "made in the future": ("not_yet", other(issued=300)),
        "over by more than the skew": ("expired", other(conditions=(-600, -62))),
        "early by more than the skew": ("not_yet", other(conditions=(64, 600))),
        "a confirmation without an end": ("confirmation", other(confirm=(None, None))),
        "not a bearer's": ("confirmation", other(method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")),
        "to another request": ("in_response_to", other(to="_other")),
        "to no request": ("in_response_to", other(in_response=False)),
        "the response to another request": ("in_response_to", lambda r: (lambda a: f.sign(f.response(
            r, f.assertion(r, id=a), to="_other"), a))(forge.new_id())),
        "a comment in the name": ("comment", replaced("u-1001", "u-10<!-- -->01")),
        "a comment signed with the name": ("comment", other(name="u-1001<!-- -->.evil.example")),
        "CDATA in the name": ("cdata", replaced("u-1001", "<![CDATA[u-1001]]>")),
        "an instruction in the name": ("instruction", replaced("u-1001", "u-<?x?>1001")),
        "elements in the name": ("subject", other(name="u-<b xmlns=''>10</b>01")),
        "no name": ("subject", other(name="")),
        "a name that passes": ("subject", other(name_format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient")),
        "an address as the name": ("subject", other(name_format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress")),
        "a document type": ("doctype", lambda r: "<!DOCTYPE r SYSTEM 'file:///etc/passwd'>" + f.good(r)),
        "an entity bomb": ("doctype", lambda r: bomb + f.good(r).replace("u-1001", "&c;")),
        "too large": ("too_large", lambda r: f.good(r).replace("<samlp:Status>", "<samlp:Status>" + " " * 270000)),
        "too deep": ("too_deep", lambda r: f.good(r).replace("</samlp:Response>", "<x>" * 40 + "</x>" * 40 + "</samlp:Response>")),
        "too many": ("too_many_nodes", lambda r: f.good(r).replace("</samlp:Response>", "<x/>" * 5000 + "</samlp:Response>")),
        "not UTF-8": ("encoding", lambda r: f.good(r).encode().replace(b"u-1001", b"u-\xff")),
        "another encoding": ("encoding", lambda r: '<?xml version="1.0" encoding="UTF-16"?>' + f.good(r)),
        "not XML": ("not_xml", lambda r: "<samlp:Response"),
        "a namespace that is relative": ("namespace", lambda r: f.good(r).replace("<samlp:Status>", '<samlp:Status xmlns:z="1">')),
        "an attribute twice by namespaces": ("not_xml", lambda r: f.good(r).replace(
            "<samlp:StatusCode ", '<samlp:StatusCode xmlns:p="urn:q" xmlns:q="urn:q" p:a="1" q:a="2" ')),
        "an id of the xml namespace": ("id", lambda r: f.good(r).replace("<samlp:Status>", '<samlp:Status xml:id="x">')),
        "status of a refusal": ("status", lambda r: f.response(r, "", status="urn:oasis:names:tc:SAML:2.0:status:Responder"), "provider"),
        "an error that carries an assertion": ("signature", signed_error_as_wrapper),
        "no assertion": ("no_assertion", lambda r: f.response(r, "")),
        "nobody signed in": ("statement", other(statement=False)),
        "an attribute twice": ("attribute", other(attributes_xml='<saml:Attribute Name="email"><saml:AttributeValue>a@example.com'
                                                  '</saml:AttributeValue></saml:Attribute>' * 2)),
        "another message": ("not_response", lambda r: f.good(r).replace("samlp:Response", "samlp:ArtifactResponse")),
    }


def run_cases(wanted):
    t = bed()
    if "forged" not in _made:
        _made["forged"] = t.connect("Forged")
    made = _made["forged"]
    t.again()
    f = forger(t, made)
    table = cases(t, f, made)
    for name in wanted(list(table)):
        word, make, *where = table[name]
        v = Visit(t, made)
        try:
            refused(t, v, v.post(make(v.request)), word, *where)
        except Exception as error:
            raise AssertionError(f"{name}: {error}") from error
    equal([u for u in t.admin.get("/api/admin/users").json["users"] if u["email"] == "ana@example.com"], [], "somebody was let in")
    # the connection works all the same: within the skew, and with what may be signed besides
    v = Visit(t, made)
    i, a = forge.new_id(), forge.new_id()
    x = f.response(v.request, f.assertion(v.request, id=a, name="fine", conditions=(30, 300), confirm=(None, -30), attributes={
        "email": ["fine@example.com"]}), id=i, signed=forge.signature(i))
    v.post(f.sign(f.sign(x, a), i))
    equal(v.session()["user"]["email"], "fine@example.com")


def test_forged_messages_signatures_and_addresses():
    """Unsigned, other keys, weak algorithms, wrong audience, recipient, destination, issuer: refused, told to the audit log only."""
    run_cases(lambda names: names[:names.index("over")])


def test_stale_messages():
    """Over, not yet, another request: refused."""
    run_cases(lambda names: names[names.index("over"):names.index("a comment in the name")])


def test_forged_messages_xml():
    """Comments, CDATA, entities, bombs, namespaces, ids: refused."""
    run_cases(lambda names: names[names.index("a comment in the name"):])


def test_wrapped_signatures():
    """XSW: ten ways to lay another assertion beside, around or into the signed one."""
    t = bed()
    made = _made.setdefault("wrapped", t.connect("Wrapped"))
    t.again()
    f = forger(t, made)
    for how in forge.WRAPPINGS:
        v = Visit(t, made)
        message = forge.wrap(f.good(v.request), how)
        check("u-evil" in message and "SignatureValue" in message, how)
        a = v.post(message)
        equal((a.status, a.headers["location"].split("/")[-1]), (303, "signin?sso=token"), how)
        check("__Host-s" not in v.cookies, how)
        reason = t.events(action="signin", outcome="failed")[0]["after"]["reason"]
        check(re.match(r"SAML (wrapped|id|form|signature_form|signature|unsigned):", reason), how, reason)
        # the same with the response signed around it
        v = Visit(t, made)
        i, a = forge.new_id(), forge.new_id()
        both = f.sign(f.sign(f.response(v.request, f.assertion(v.request, id=a), id=i, signed=forge.signature(i)), a), i)
        a = v.post(forge.wrap(both, how))
        equal((a.status, a.headers["location"].split("/")[-1]), (303, "signin?sso=token"), how)
        check("__Host-s" not in v.cookies, how, "with a signed response")
    equal([u for u in t.admin.get("/api/admin/users").json["users"] if u["email"] == "ana@example.com"], [], "somebody was let in")


def test_answers_are_taken_once_in_the_browser_that_asked():
    """Replays, another browser, another RelayState, another connection; RelayState leads nowhere."""
    t = bed()
    made, other = t.connect("Once"), t.connect("Once too")
    t.again()
    f = forger(t, made)
    v = Visit(t, made)
    message = f.good(v.request, name="o-1", attributes={"email": ["once@example.com"]})
    stranger = Visit(t, made)
    refused(t, stranger, stranger.post(message, relay=v.relay), "not begun in this browser", "state")
    v = Visit(t, made)
    message = f.good(v.request, name="o-1", attributes={"email": ["once@example.com"]})
    refused(t, v, v.post(message, cookies={}), "not begun in this browser", "state")
    v = Visit(t, made)
    message = f.good(v.request, name="o-1", attributes={"email": ["once@example.com"]})
    before = dict(v.cookies)
    for relay in ("", "https://evil.example/", "/virtual-tags", "x" * 43, "x" * 5000):
        v.cookies = dict(before)
        refused(t, v, v.post(message, relay=relay), "not begun in this browser", "state")
    v.cookies = dict(before)
    a = v.post(message)
    check(a.headers["location"].endswith("/megabill"), a.headers["location"])
    equal(v.session()["user"]["email"], "once@example.com")
    v.cookies = before
    refused(t, v, v.post(message), "was used", "state")
    v = Visit(t, made)
    elsewhere = Visit(t, other)
    refused(t, elsewhere, elsewhere.post(f.good(v.request, name="o-1")), "SAML")
    refused(t, v, v.post("%%%", raw=True), "not_base64")
    # started from another site with another purpose
    for purpose in ("link", "test", "prove"):
        a = t.server.ask("GET", f"/api/sso/{made['id']}/start?for={purpose}", headers={"Sec-Fetch-Site": "cross-site"})
        check(a.status in (401, 403), purpose, a.status)


def test_sign_ins_the_provider_begins():
    """Off unless the connection says so; then once each, without a request, and never to another place."""
    t = bed()
    made = t.connect("Unsolicited")
    t.again()
    f = forger(t, made)
    v = Visit(t, made)
    refused(t, v, v.post(f.good("", name="i-1"), relay="", cookies={}), "not begun", "state")
    t.change(made, unsolicited=True)
    v = Visit(t, made)
    v.cookies = {}
    message = f.good("", name="i-1", attributes={"email": ["first@example.com"]})
    a = v.post(message, relay="https://evil.example/", cookies={})
    check(a.headers["location"].endswith("/megabill") and "evil" not in a.headers["location"], a.headers["location"])
    equal(v.session()["user"]["email"], "first@example.com")
    v.cookies = {}
    a = v.post(message, relay="", cookies={})
    check(a.headers["location"].endswith("/signin?sso=token"), "an assertion was taken twice", a.headers["location"])
    check("used before" in t.events(action="signin", outcome="failed")[0]["after"]["reason"], "replay")
    v.cookies = {}
    refused(t, v, v.post(f.good("_some", name="i-1"), relay="", cookies={}), "in_response_to")


def test_people_are_known_by_what_stays():
    """An attribute that never changes instead of the NameID; the same name at another provider is another person."""
    t = bed()
    made = t.connect("Attribute", subjectAttribute="employee")
    f = forger(t, made)
    mail = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    v = Visit(t, made)
    check("NameIDPolicy" in v.request_xml and "persistent" not in v.request_xml, v.request_xml)
    v.post(f.good(v.request, name="eva@example.com", name_format=mail, attributes={"employee": ["e-5"], "email": ["eva@example.com"]}))
    first = v.session()["user"]["id"]
    v = Visit(t, made)
    v.post(f.good(v.request, name="eva.married@example.com", name_format=mail, attributes={"employee": ["e-5"], "email": ["eva@example.com"]}))
    equal(v.session()["user"]["id"], first)
    v = Visit(t, made)
    refused(t, v, v.post(f.good(v.request, name="eva@example.com", name_format=mail, attributes={"employee": ["e-5", "e-6"]})), "exactly once")
    # another provider says the same address and the same number: no way to Eva's account
    second = t.connect("Attribute two", subjectAttribute="employee", entityId="urn:other:idp", certificates=t.evil_cert)
    g = forge.Forger(t.dir, "urn:other:idp", t.dir / "evil.key", second["addresses"]["Assertion consumer service (reply URL)"],
                     second["addresses"]["Entity ID (audience)"])
    v = Visit(t, second)
    a = v.post(g.good(v.request, name="eva@example.com", name_format=mail, attributes={"employee": ["e-5"], "email": ["eva@example.com"]}))
    check(a.headers["location"].endswith("/signin?sso=link") and "__Host-s" not in v.cookies, a.headers["location"])


def test_metadata_that_is_refused():
    """Bombs, two providers, none, weak keys, no address, over; and what may be there: comments."""
    t = bed()
    cert = "".join(t.idp_cert.splitlines()[1:-1])

    def entity(inside, id="urn:i", head="", until=""):
        return (f'{head}<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="{forge.DSIG}" entityID="{id}"{until}>{inside}'
                "</md:EntityDescriptor>")

    def role(cert=cert, binding="HTTP-Redirect", where="https://i.example/sso?a=1&amp;b=2"):
        return (f'<md:IDPSSODescriptor protocolSupportEnumeration="{forge.SAMLP}"><md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data>'
                f"<ds:X509Certificate>{cert}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService "
                f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{where}"/></md:IDPSSODescriptor>')

    good = t.admin.post("/api/admin/sso/metadata", {"xml": entity("<!-- ours -->" + role(), head='<?xml version="1.0"?>')}).expect(200).json
    equal((good["config"]["entityId"], good["config"]["ssoUrl"]), ("urn:i", "https://i.example/sso?a=1&b=2"))
    equal(good["certificates"][0]["subject"], "CN=idp")
    equal(good["config"]["certificates"].split(), t.idp_cert.split())
    weak = "".join(forge.key_pair(t.dir, "weak-metadata", 1024)[1].splitlines()[1:-1])
    group = f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{entity(role())}{entity(role(), id="urn:j")}</md:EntitiesDescriptor>'
    for text, word in ((entity(role(), head="<!DOCTYPE a>"), "document type"), (entity(""), "no identity provider"), (group, "2 identity providers"),
                       (entity(role(binding="HTTP-POST")), "HTTP-Redirect"), (entity(role(where="javascript:alert(1)")), "HTTP-Redirect"),
                       (entity(role(cert=weak)), "1024 bits"), (entity(role(cert="AAAA")), "certificate"), ("<a>" * 60 + "</a>" * 60, "nested"),
                       (entity(role(), until=' validUntil="2020-01-01T00:00:00Z"'), "not valid any more"), ("", "give the metadata")):
        a = t.admin.post("/api/admin/sso/metadata", {"xml": text})
        check(a.status in (400, 422) and word in a.json["message"], word, a.status, a.body[:300])
    a = t.admin.post("/api/admin/sso/metadata", {"url": "http://169.254.169.254/latest"})
    check(a.status in (400, 422) and a.json["field"] == "url", a.status, a.body[:300])


def test_no_secret_of_saml_is_shown():
    """Our private keys are in no answer, no log, and not in clear in the folder."""
    t = bed()
    made = t.connect("Secret")
    shown = json.dumps(t.admin.get("/api/admin/sso").json)
    check("PRIVATE" not in shown and made["hasSecret"] is True, "a private key is shown")
    t.admin.ask("PUT", f"/api/admin/sso/{made['id']}", {"secret": "mine"}).expect(400)
    for path in [t.server.log.name, *map(str, t.data.rglob("*"))]:
        try:
            text = open(path, "rb").read()
        except (IsADirectoryError, OSError):
            continue
        check(b"BEGIN PRIVATE KEY" not in text and b"BEGIN RSA PRIVATE" not in text, "a private key is in", path)
