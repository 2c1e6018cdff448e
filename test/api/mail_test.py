"""Mail over SMTP against a stand-in server: TLS, what is refused, what is put off, restarts, secrets."""
import base64
import email
import email.policy
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

from farthing import ADMIN, PASSWORD, TMP, Browser, Server, check, cli, equal, link_of, wait_until

SECRET = "smtp sesame 7f3a91"
_bed = {}


def certificate():
    """A certificate of 127.0.0.1 that is its own authority."""
    pem, key = TMP / "smtp.pem", TMP / "smtp.key"
    if not pem.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail.test",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem, key


class Smtp:
    """Speaks enough SMTP. `plan` maps a command to the reply it gets instead of the usual one; "RESET" cuts the line."""

    def __init__(self, tls="starttls", plan=None):
        self.tls, self.plan, self.mails, self.seen, self.auth = tls, dict(plan or {}), [], [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate())
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(c,), daemon=True).start()

    def guarded(self, c):
        try:
            c.settimeout(20)
            if self.tls == "tls":
                c = self.context.wrap_socket(c, server_side=True)
            self.talk(c)
        except OSError:
            pass
        finally:
            c.close()

    def talk(self, c):
        f = c.makefile("rb")
        say = lambda text: c.sendall(text.encode() + b"\r\n")
        say(self.plan.get("BANNER", "220 mail.test"))
        secure = self.tls == "tls"
        to = None
        while line := f.readline():
            text = line.decode().rstrip("\r\n")
            verb = text.split(" ")[0].split(":")[0].upper()
            self.seen.append(text)
            planned = self.plan.get(verb)
            if planned == "RESET":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                return
            if planned:
                say(planned)
            elif verb == "EHLO":
                more = ["STARTTLS"] if self.tls == "starttls" and not secure else []
                more += ["AUTH PLAIN"] if secure else []
                say("\r\n".join(f"250{'-' if i < len(more) else ' '}{w}" for i, w in enumerate(["mail.test", *more])))
            elif verb == "STARTTLS":
                say("220 go on")
                c = self.context.wrap_socket(c, server_side=True)
                f, secure = c.makefile("rb"), True
                say = lambda text, c=c: c.sendall(text.encode() + b"\r\n")
            elif verb == "AUTH":
                if len(text.split(" ")) < 3:
                    say("334 ")
                    text += " " + f.readline().decode().strip()
                self.auth.append(base64.b64decode(text.split(" ")[2]))
                say("235 welcome")
            elif verb == "RCPT":
                to = text
                say("250 yes")
            elif verb == "DATA":
                say("354 speak")
                raw = b""
                while (d := f.readline()) and d != b".\r\n":
                    raw += d[1:] if d.startswith(b".") else d
                if self.plan.get("DOT") == "RESET":
                    return
                if "DOT" in self.plan:
                    say(self.plan["DOT"])
                    continue
                self.mails.append((to, secure, raw))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")

    def wait(self, n, seconds=30):
        end = time.time() + seconds
        while len(self.mails) < n and time.time() < end:
            time.sleep(0.05)
        equal(len(self.mails), n, "mails that came")
        return [email.message_from_bytes(raw, policy=email.policy.default) for _, _, raw in self.mails]


class Bed:
    def __init__(self):
        self.data = TMP / "mail"
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        self.start()
        self.admin = Browser(self.server)
        self.admin.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)

    def start(self):
        pem, _ = certificate()
        self.server = Server(self.data, env={"FARTHING_RETRY_MS": "10"}, args=("--allow-host", "127.0.0.1", "--ca-file", str(pem)))
        if hasattr(self, "admin"):
            self.admin.server = self.server

    def use(self, smtp, **more):
        body = {"host": "127.0.0.1", "port": smtp.port, "security": "starttls" if smtp.tls == "starttls" else "tls",
                "from": "costs@farthing.test", **more}
        return self.admin.put("/api/admin/mail", body)

    def invite(self, address):
        return self.admin.post("/api/admin/users", {"email": address, "roles": ["basic"]}).expect(201).json

    def state(self, address, state, seconds=30):
        end = time.time() + seconds
        while time.time() < end:
            rows = [m for m in self.admin.get("/api/admin/mail").expect(200).json["recent"] if m["to"] == address]
            if rows and rows[0]["state"] == state:
                return rows[0]
            time.sleep(0.1)
        raise AssertionError(f"mail to {address} did not become {state}: {rows}")


def bed():
    if "bed" not in _bed:
        _bed["bed"] = Bed()
    return _bed["bed"]


def test_an_invitation_goes_out_with_tls_and_its_link_works():
    t = bed()
    for kind in ("starttls", "tls"):
        smtp = Smtp(kind)
        got = t.use(smtp, user="farthing", password=SECRET, fromName='Kosten "Über" <x@y>').expect(200).json
        equal(got["hasPassword"], True)
        check("password" not in got and SECRET not in str(got), "the password is shown")
        who = f"{kind}@people.test"
        made = t.invite(who)
        equal((made["mailed"], made["link"]), (True, None))
        m = smtp.wait(1)[0]
        equal(smtp.mails[0][:2], (f"RCPT TO:<{who}>", True))
        equal(smtp.auth[0], b"\0farthing\0" + SECRET.encode())
        equal((m["To"], m["Subject"]), (who, "Activate your Farthing account"))
        equal(m["From"].addresses[0].display_name, 'Kosten "Über" <x@y>')
        equal(m["From"].addresses[0].addr_spec, "costs@farthing.test")
        check(re.fullmatch(r"<[0-9a-f-]{36}@farthing\.test>", m["Message-ID"]), m["Message-ID"])
        check(all(len(x) <= 78 for x in smtp.mails[0][2].decode("ascii").split("\r\n")), "a line is too long, or not ASCII")
        link = re.search(r"http\S+/signin#(\S+)", m.get_content()).group(1)
        b = Browser(t.server)
        b.post("/api/session/link", {"link": link, "password": "orchid lantern gravel"}).expect(200)
        t.state(who, "sent")


def test_a_server_without_starttls_gets_nothing():
    t = bed()
    smtp = Smtp("clear")
    t.use(smtp, security="starttls", user="farthing", password=SECRET).expect(200)
    a = t.admin.post("/api/admin/mail/test", {}).expect(422)
    check("STARTTLS" in a.json["message"], a.json)
    equal([x for x in smtp.seen if not x.startswith(("EHLO", "HELO", "QUIT"))], [], "commands in clear")


def test_a_stranger_with_the_wrong_certificate_gets_nothing():
    t = bed()
    smtp = Smtp("tls")
    t.use(smtp, host="localhost").expect(400)  # not listed by the operator
    other = TMP / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", str(other) + ".key", "-out", other], check=True, capture_output=True)
    smtp.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    smtp.context.load_cert_chain(other, str(other) + ".key")
    t.use(smtp, user="farthing", password=SECRET).expect(200)
    check("certificate" in t.admin.post("/api/admin/mail/test", {}).expect(422).json["message"])
    equal((smtp.mails, smtp.auth), ([], []))


def test_what_is_put_off_is_tried_again_and_what_is_refused_is_not():
    t = bed()
    smtp = Smtp(plan={"RCPT": "451 greylisted"})
    t.use(smtp).expect(200)
    t.invite("later@people.test")
    wait_until(lambda: len([x for x in smtp.seen if x.startswith("RCPT")]) > 1)
    row = t.state("later@people.test", "waiting")
    check(row["tries"] >= 1 and "451" in row["error"], row)
    smtp.plan.clear()
    equal(smtp.wait(1)[0]["To"], "later@people.test")
    equal(t.state("later@people.test", "sent")["error"], "")
    smtp.plan["RCPT"] = "550 no such user"
    t.invite("never@people.test")
    row = t.state("never@people.test", "failed")
    check("550" in row["error"] and row["tries"] == 1, row)
    for plan in ({"DOT": "RESET"}, {"MAIL": "RESET"}, {"BANNER": "421 busy"}, {"EHLO": "RESET"}):
        smtp = Smtp(plan=plan)
        t.use(smtp).expect(200)
        who = f"cut{smtp.port}@people.test"
        t.invite(who)
        wait_until(lambda: [m for m in t.admin.get("/api/admin/mail").json["recent"] if m["to"] == who and m["tries"] > 0])
        smtp.plan.clear()
        equal(smtp.wait(1)[0]["To"], who)
    smtp = Smtp(plan={"AUTH": "535 wrong"})
    t.use(smtp, user="farthing", password="not this").expect(200)
    a = t.admin.post("/api/admin/mail/test", {}).expect(422).json
    check("user and password" in a["message"] and "not this" not in str(a), a)


def test_a_password_stays_with_its_server():
    t = bed()
    smtp, other = Smtp(), Smtp()
    t.use(smtp, user="farthing", password=SECRET).expect(200)
    equal(t.use(smtp, user="farthing").expect(200).json["hasPassword"], True)
    equal(t.use(other, user="farthing").expect(200).json["hasPassword"], False)


def test_what_waits_survives_a_restart_and_holds_no_secret():
    t = bed()
    smtp = Smtp(plan={"MAIL": "450 wait"})
    t.use(smtp, user="farthing", password=SECRET).expect(200)
    t.invite("patient@people.test")
    wait_until(lambda: [x for x in smtp.seen if x.startswith("MAIL")])
    t.server.stop()
    db = sqlite3.connect(t.data / "meta.db")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    equal(db.execute("SELECT state FROM mail WHERE recipient = 'patient@people.test'").fetchall(), [("waiting",)])
    equal(db.execute("SELECT count(*) FROM mail WHERE state <> 'waiting' AND sealed <> ''").fetchone()[0], 0)
    db.close()
    raw = (t.data / "meta.db").read_bytes()
    check(SECRET.encode() not in raw and b"/signin#" not in raw, "a secret is in meta.db")
    smtp.plan.clear()
    t.start()
    link = re.search(r"/signin#(\S+)", smtp.wait(1)[0].get_content()).group(1)
    check(link.encode() not in raw, "a link is in meta.db")
    t.state("patient@people.test", "sent")
    log = t.server.tail() + open(t.server.log.name).read()
    check(SECRET not in log and link not in log and "mail_sent" in log, "the log", log[-500:])


def test_changes_are_told_and_headers_cannot_be_added():
    t = bed()
    smtp = Smtp()
    t.use(smtp).expect(200)
    t.invite("zoe@people.test")
    link = re.search(r"/signin#(\S+)", smtp.wait(1)[0].get_content()).group(1)
    b = Browser(t.server)
    b.post("/api/session/link", {"link": link, "password": "orchid lantern gravel"}).expect(200)
    equal(smtp.wait(2)[1]["Subject"], "Your Farthing password was set")
    b.put("/api/me/password", {"current": "orchid lantern gravel", "next": "harbour violet stone"}).expect(204)
    m = smtp.wait(3)[2]
    equal((m["Subject"], m["To"]), ("Your Farthing password was changed", "zoe@people.test"))
    check("127.0.0.1" in m.get_content() and "harbour" not in m.get_content(), m.get_content())
    Browser(t.server).post("/api/session/forgotten", {"email": "zoe@people.test"}).expect(200)
    equal(smtp.wait(4)[3]["Subject"], "Choose a new Farthing password")
    for bad in ("a@b.test\r\nBcc: x@y.test", "a@b.test\nX: y", "a b@c.test", "<a@b.test>"):
        t.admin.post("/api/admin/users", {"email": bad, "roles": ["basic"]}).expect(400)
        t.use(smtp, **{"from": bad}).expect(400)
        t.use(smtp, host=bad).expect(400)
    t.use(smtp, fromName="a\r\nBcc: x@y.test").expect(400)
    equal(len(smtp.mails), 4)


def test_without_a_server_the_link_is_shown():
    t = bed()
    t.admin.put("/api/admin/mail", {"host": "", "from": ""}).expect(200)
    made = t.invite("shown@people.test")
    check(made["mailed"] is False and "/signin#" in made["link"], made)
    t.admin.post("/api/admin/mail/test", {}).expect(422)
    basic = Browser(t.server)
    basic.post("/api/session/link", {"link": made["link"].split("#")[1], "password": "orchid lantern gravel"}).expect(200)
    basic.get("/api/admin/mail").expect(403)
    basic.put("/api/admin/mail", {"host": "evil.test", "from": "a@b.test"}).expect(403)


def test_the_queue_is_bounded():
    t = bed()
    smtp = Smtp(plan={"BANNER": "421 busy"})
    t.use(smtp).expect(200)
    db = sqlite3.connect(t.data / "meta.db", timeout=30)
    with db:
        account = db.execute("SELECT id FROM account").fetchone()[0]
        far = int(time.time() * 1000) + 3600000
        for i in range(500):
            db.execute("INSERT INTO mail VALUES (?, ?, 'test', 'x@y.test', 'x', 'waiting', '', 0, 0, ?, ?, -1)",
                       (account, f"fill-{i}", far, far))
    made = t.invite("full@people.test")
    check(made["mailed"] is False and "/signin#" in made["link"], made)
    with db:
        db.execute("DELETE FROM mail WHERE id LIKE 'fill-%'")
    db.close()
