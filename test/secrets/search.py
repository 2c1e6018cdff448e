"""Secrets a run of the tests used, and the files it left behind: none may be in any of them.

Tests register what they make with secret(); one JSON text a line in FARTHING_TMP/secrets.jsonl. Each is looked for as
it is, in base64 (both alphabets, all three alignments) and in hex; what is itself an encoding (base32, base64) also decoded.
"""
import base64
import binascii
import json
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.parse

LEAST = 10  # shorter ones (codes of six digits) are found everywhere by chance
# The tests' own: what they type in and what they are told, not what the program keeps.
OWN = ("secrets.jsonl", "*.key", "*.out", "*.pem", "mail*", "*.mail", "peers", "*.chromium", "patterns")
_known = set()


def _file():
    tmp = os.environ.get("FARTHING_TMP")
    return pathlib.Path(tmp) / "secrets.jsonl" if tmp else None


def secret(text):
    """Registers it; gives it back."""
    for line in str(text or "").splitlines():
        line = line.strip()
        if len(line) >= LEAST and line not in _known and not line.startswith("-----"):
            _known.add(line)
            if _file():
                with open(_file(), "a", encoding="utf-8") as f:
                    f.write(json.dumps(line) + "\n")
    return text


# Members of bodies that hold a secret; VALUES are objects of which all but NAMES do.
MEMBERS = {"secretKey", "password", "recoveryCodes", "accessToken", "refreshToken", "mfaToken", "challenge", "clientSecret", "invitationToken"}
VALUES = {"value", "secret"}
NAMES = {"clientId", "tenantId", "accessKeyId", "accessKey", "roleArn", "tenancy", "user", "fingerprint", "type", "client_email", "project_id", "token_uri",
         "region", "account", "privateKeyId", "private_key_id", "client_id", "auth_uri", "universe_domain"}


def _all_texts(v):
    if isinstance(v, str):
        if v.lstrip().startswith("{"):
            try:
                return _all_texts(json.loads(v))
            except (ValueError, RecursionError):
                pass
        secret(v)
    elif isinstance(v, dict):
        for name, sub in v.items():
            if name not in NAMES:
                _all_texts(sub)
    elif isinstance(v, list):
        for sub in v:
            _all_texts(sub)


def notice(path, body, answered=False):
    """Registers the secrets of a request's or an answer's JSON."""
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return
    if not isinstance(body, dict):
        return
    for name, v in body.items():
        if name in MEMBERS or (path.endswith("/password") and name in ("current", "next")):
            _all_texts(v)
        elif name == "link" and isinstance(v, str):
            secret(v.split("#", 1)[-1])
        elif name in VALUES and ("/credentials" in path or "/connections" in path or "/me/mfa" in path or "/sso" in path or "/scim" in path):
            _all_texts(v)
        elif name == "key" and answered and "/admin/scim" in path:
            secret(v)
        elif name == "token" and answered and isinstance(v, str):
            secret(v)


def registered():
    f = _file()
    return sorted({json.loads(line) for line in f.read_text(encoding="utf-8").splitlines()}) if f and f.exists() else []


def _base64(raw):
    """What base64 of any text around `raw` must hold: the whole groups of each alignment."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        keep = text[4 if shift else 0:len(text) // 4 * 4]
        cut = (shift + len(raw)) % 3  # the last group depends on what follows
        keep = keep[:-4] if cut else keep
        if len(keep) >= LEAST:
            yield keep
            yield keep.replace(b"+", b"-").replace(b"/", b"_")


def forms(text):
    raw = text.encode()
    out = {raw}
    kernels = [raw]
    for decode, alphabet in ((base64.urlsafe_b64decode, r"[A-Za-z0-9_-]{20,}"), (base64.b64decode, r"[A-Za-z0-9+/]{20,}={0,2}"),
                             (base64.b32decode, r"[A-Z2-7]{16,}"), (bytes.fromhex, r"(?:[0-9a-fA-F]{2}){10,}")):
        if re.fullmatch(alphabet, text):
            try:
                pad = "" if decode is bytes.fromhex else "=" * (-len(text.rstrip("=")) % (8 if decode is base64.b32decode else 4))
                kernels.append(decode(text.rstrip("=") + pad))
            except (ValueError, binascii.Error):
                pass
    for k in kernels:
        if len(k) >= LEAST:
            out.update(_base64(k))
            out.add(binascii.hexlify(k))
            out.add(binascii.hexlify(k).upper())
    out.add(urllib.parse.quote(text, safe="").encode())
    out.add(json.dumps(text)[1:-1].encode())
    return {f for f in out if b"\n" not in f and len(f) >= LEAST}


def find(secrets, folder, leave=()):
    """[(file, how many characters of the secret's beginning)] where one is; never the secret itself."""
    patterns = {f: s for s in secrets for f in forms(s)}
    if not patterns:
        return []
    with tempfile.TemporaryDirectory() as tmp:
        words = pathlib.Path(tmp) / "patterns"
        words.write_bytes(b"\n".join(patterns) + b"\n")
        line = ["grep", "-rlaF", "-f", str(words), "--devices=skip"]
        line += [f"--exclude={o}" for o in (*OWN, *leave)] + [f"--exclude-dir={o}" for o in (*OWN, *leave)]
        p = subprocess.run([*line, str(folder)], capture_output=True, env={**os.environ, "LC_ALL": "C"}, timeout=900)
        hits = []
        for file in p.stdout.decode("utf-8", "replace").splitlines():
            q = subprocess.run(["grep", "-aoF", "-f", str(words), file], capture_output=True, env={**os.environ, "LC_ALL": "C"}, timeout=300)
            for form in sorted(set(q.stdout.split(b"\n")) - {b""})[:3]:
                s = patterns.get(form)
                hits.append((file, f"{s[:4]}… ({len(s)} characters, {'clear' if s and form == s.encode() else 'encoded'})" if s else "?"))
        return hits
