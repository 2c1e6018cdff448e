"""SAML messages as an identity provider, or somebody who would like to be one, makes them; signed by Debian's xmlsec1."""
import base64
import datetime
import pathlib
import re
import subprocess
import urllib.parse
import uuid
import zlib

SAML, SAMLP = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
DSIG, MORE = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmldsig-more#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


def key_pair(folder, name, bits=2048):
    """PEM files NAME.key (PKCS#1) and NAME.crt; gives both as text."""
    folder = pathlib.Path(folder)
    key, crt = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-keyout", f"{key}.8", "-out", crt, "-days", "400",
                    "-subj", f"/CN={name}", "-sha256"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", f"{key}.8", "-traditional", "-out", key], check=True, capture_output=True)
    return key.read_text(), crt.read_text()


def curve_pair(folder, name):
    key, crt = pathlib.Path(folder) / f"{name}.key", pathlib.Path(folder) / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", crt,
                    "-days", "400", "-subj", f"/CN={name}", "-sha256"], check=True, capture_output=True)
    return key, crt.read_text()


def at(seconds=0):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id():
    return "_" + uuid.uuid4().hex


def signature(ref, method=MORE + "rsa-sha256", digest="http://www.w3.org/2001/04/xmlenc#sha256", c14n=EXC, second=EXC, extra="", inside="",
              more_transforms=""):
    """A template that xmlsec1 fills in."""
    reference = (f'<ds:Reference URI="#{ref}"><ds:Transforms><ds:Transform Algorithm="{DSIG}enveloped-signature"/>'
                 f'<ds:Transform Algorithm="{second}"/>{more_transforms}</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/>'
                 "<ds:DigestValue></ds:DigestValue></ds:Reference>")
    return (f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>'
            f'<ds:SignatureMethod Algorithm="{method}"/>{reference}{extra}</ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>'
            f"{inside}</ds:Signature>")


class Forger:
    """Knows one connection of Farthing and one key of the provider."""

    def __init__(self, folder, issuer, key, acs, entity):
        self.folder, self.issuer, self.key, self.acs, self.entity = pathlib.Path(folder), issuer, str(key), acs, entity

    def sign(self, xml, ref=None, key=None, hmac=None):
        """Fills the signature of the element with that id; without one, the only signature there is."""
        path = self.folder / f"{uuid.uuid4().hex}.xml"
        path.write_text(xml)
        where = f"//*[@ID='{ref}']/*[local-name()='Signature']" if ref else "//*[local-name()='Signature']"
        how = ["--hmackey", str(hmac)] if hmac else ["--privkey-pem", key or self.key]
        p = subprocess.run(["xmlsec1", "--sign", *how, "--id-attr:ID", f"{SAML}:Assertion", "--id-attr:ID", f"{SAMLP}:Response",
                            "--id-attr:ID", f"{SAMLP}:LogoutResponse", "--node-xpath", where, path], capture_output=True, text=True)
        path.unlink()
        if p.returncode:
            raise RuntimeError("xmlsec1: " + p.stderr[-600:])
        return re.sub(r"^<\?xml[^>]*\?>\n?", "", p.stdout).rstrip("\n")

    def assertion(self, request, id=None, issuer=None, name="u-1001", name_xml=None, name_format=PERSISTENT, audience=None, recipient=None,
                  to=None, method="urn:oasis:names:tc:SAML:2.0:cm:bearer", conditions=(-30, 300), confirm=(None, 300), issued=0,
                  attributes=None, attributes_xml=None, statement=True, signed=None, index="s-1", session_ends=None, in_response=True,
                  head="", tail=""):
        id = id or new_id()
        audience = self.entity if audience is None else audience
        restriction = (f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>" if audience else "")
        before = f' NotBefore="{at(conditions[0])}"' if conditions[0] is not None else ""
        after = f' NotOnOrAfter="{at(conditions[1])}"' if conditions[1] is not None else ""
        c_before = f' NotBefore="{at(confirm[0])}"' if confirm[0] is not None else ""
        c_after = f' NotOnOrAfter="{at(confirm[1])}"' if confirm[1] is not None else ""
        answer = f' InResponseTo="{to or request}"' if in_response and (to or request) else ""
        values = {"email": ["ana@example.com"], "displayName": ["Ana Example"], **(attributes or {})}
        if attributes_xml is None:
            attributes_xml = "".join(f'<saml:Attribute Name="{n}">' + "".join(f"<saml:AttributeValue>{v}</saml:AttributeValue>" for v in vs)
                                     + "</saml:Attribute>" for n, vs in values.items())
        if name_xml is None:
            name_xml = f'<saml:NameID Format="{name_format}">{name}</saml:NameID>'
        ends = f' SessionNotOnOrAfter="{at(session_ends)}"' if session_ends is not None else ""
        authn = (f'<saml:AuthnStatement AuthnInstant="{at()}" SessionIndex="{index}"{ends}><saml:AuthnContext><saml:AuthnContextClassRef>'
                 "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
                 if statement else "")
        return (f'<saml:Assertion xmlns:saml="{SAML}" ID="{id}" Version="2.0" IssueInstant="{at(issued)}"><saml:Issuer>'
                f"{issuer or self.issuer}</saml:Issuer>{signature(id) if signed is None else signed}{head}<saml:Subject>{name_xml}"
                f'<saml:SubjectConfirmation Method="{method}"><saml:SubjectConfirmationData Recipient="{recipient or self.acs}"'
                f"{c_before}{c_after}{answer}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions{before}{after}>{restriction}"
                f"</saml:Conditions>{authn}<saml:AttributeStatement>{attributes_xml}</saml:AttributeStatement>{tail}</saml:Assertion>")

    def response(self, request, assertion, id=None, destination=None, status=SUCCESS, signed="", issuer=None, to=None, after=""):
        answer = f' InResponseTo="{to or request}"' if (to or request) else ""
        return (f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{id or new_id()}" Version="2.0" IssueInstant="{at()}" '
                f'Destination="{destination or self.acs}"{answer}><saml:Issuer>{issuer or self.issuer}</saml:Issuer>{signed}'
                f'<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>{assertion}{after}</samlp:Response>')

    def good(self, request, sign=None, **more):
        """A response as it should be, or with what `more` changes in the assertion, signed all the same."""
        a = new_id()
        return self.sign(self.response(request, self.assertion(request, id=a, **more)), a, **(sign or {}))


def wrap(response, how, evil="u-evil"):
    """XSW: the signed assertion stays somewhere, another one stands where it is read. One row a variant."""
    a = re.search(r"<saml:Assertion .*?</saml:Assertion>", response, re.S).group(0)
    sig = re.search(r"<ds:Signature .*?</ds:Signature>", a, re.S).group(0)
    bare = a.replace(sig, "")
    other = re.sub(r'ID="[^"]+"', 'ID="_evil"', bare, count=1).replace("u-1001", evil)
    same = bare.replace("u-1001", evil)
    whole_evil = re.sub(r'ID="[^"]+"', 'ID="_evilr"', response.replace(a, other), count=1)
    return {
        "evil assertion before the signed one": lambda: response.replace(a, other + a),
        "evil assertion behind the signed one": lambda: response.replace(a, a + other),
        "signed one inside the evil one": lambda: response.replace(a, other.replace("</saml:Assertion>", a + "</saml:Assertion>")),
        "signed one in the signature's Object of the evil one": lambda: response.replace(a, other.replace(
            "</saml:Issuer>", "</saml:Issuer>" + sig.replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>"), 1)),
        "evil one carries the signature, signed one behind it": lambda: response.replace(a, other.replace(
            "</saml:Issuer>", "</saml:Issuer>" + sig, 1) + bare),
        "signed one in Extensions": lambda: response.replace(a, other).replace(
            "<samlp:Status>", f"<samlp:Extensions>{a}</samlp:Extensions><samlp:Status>"),
        "signed one in the Advice of the evil one": lambda: response.replace(a, other.replace(
            "</saml:Conditions>", f"</saml:Conditions><saml:Advice>{a}</saml:Advice>")),
        "whole response inside an evil response": lambda: whole_evil.replace("</samlp:Response>", response + "</samlp:Response>"),
        "two assertions with one id": lambda: response.replace(a, same + a),
        "evil one of the same id carries the signature, signed one in Object": lambda: response.replace(a, same.replace(
            "</saml:Issuer>", "</saml:Issuer>" + sig.replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>"), 1)),
    }[how]()


WRAPPINGS = ["evil assertion before the signed one", "evil assertion behind the signed one", "signed one inside the evil one",
             "signed one in the signature's Object of the evil one", "evil one carries the signature, signed one behind it",
             "signed one in Extensions", "signed one in the Advice of the evil one", "whole response inside an evil response",
             "two assertions with one id", "evil one of the same id carries the signature, signed one in Object"]


def deflated(xml):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(z.compress(xml.encode()) + z.flush()).decode()


def inflated(text):
    return zlib.decompress(base64.b64decode(text), -15).decode()


def signed_query(key, name, xml, relay=None, algorithm=MORE + "rsa-sha256", digest="sha256", packed=None):
    parts = [(name, packed or deflated(xml))] + ([("RelayState", relay)] if relay else []) + [("SigAlg", algorithm)]
    query = "&".join(f"{k}={urllib.parse.quote_plus(v)}" for k, v in parts)
    p = subprocess.run(["openssl", "dgst", f"-{digest}", "-sign", str(key)], input=query.encode(), capture_output=True, check=True)
    return query + "&Signature=" + urllib.parse.quote_plus(base64.b64encode(p.stdout).decode())


def query_signature_ok(cert, query, digest="sha256"):
    """Checks the redirect binding of a request that Farthing made, with openssl."""
    text, sig = query.rsplit("&Signature=", 1)
    folder = pathlib.Path(cert).parent
    pub, raw = folder / f"{uuid.uuid4().hex}.pub", folder / f"{uuid.uuid4().hex}.sig"
    pub.write_bytes(subprocess.run(["openssl", "x509", "-in", str(cert), "-pubkey", "-noout"], capture_output=True, check=True).stdout)
    raw.write_bytes(base64.b64decode(urllib.parse.unquote_plus(sig)))
    p = subprocess.run(["openssl", "dgst", f"-{digest}", "-verify", pub, "-signature", raw], input=text.encode(), capture_output=True)
    pub.unlink()
    raw.unlink()
    return p.returncode == 0
