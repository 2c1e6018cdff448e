"""Revoked while queries run: who lost his access is refused at once, on every way in, and nobody else is touched."""
import http.client
import json
import socket
import threading
import time
from decimal import Decimal

from farthing import (ADMIN, FIRST, PASSWORD, ROWS, TMP, TODAY, Browser, Server, bill_rows, check, cli, equal, link_of, round10, secret,
                      wait_until, write_bill)

RANGE = {"from": str(FIRST), "to": str(TODAY)}
OTHERS = secret("orchid lantern gravel")
COPIES = 400  # of ROWS, each with its own resources: lines enough that a question takes its time
_bed = {}


def cost(rows):
    return round10(sum((Decimal(r["EffectiveCost"]) for r in rows), Decimal(0)))


class Bed:
    def __init__(self):
        self.data = TMP / "revoke"
        link = link_of(cli(self.data, "init", "--admin", ADMIN))
        self.rows = [{**r, "ResourceId": f"{r['ResourceId']}-{n}"} for n in range(COPIES) for r in ROWS]
        cli(self.data, "load", "--source", "bill", write_bill(TMP / "revoke.csv", self.rows))
        self.beta = cli(self.data, "account", "create", "Beta").strip()
        cli(self.data, "account", "add", "Beta", ADMIN, "--role", "admin")
        self.server = Server(self.data)
        self.ann = Browser(self.server)
        self.ann.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
        self.home = self.ann.get("/api/session").expect(200).json["account"]["id"]

    def person(self, name, *roles):
        made = self.ann.post("/api/admin/users", {"email": name + "@example.com", "roles": list(roles or ("basic",))}).expect(201).json
        b = Browser(self.server)
        b.post("/api/session/link", {"link": made["link"].split("#")[1], "password": OTHERS}).expect(200)
        b.id = made["id"]
        return b

    def again(self, name):
        b = Browser(self.server)
        b.post("/api/session", {"email": name + "@example.com", "password": OTHERS}).expect(200)
        return b

    def token(self):
        made = self.ann.post("/api/tokens", {"description": "revoke", "role": "api-token", "allRows": True}).expect(201).json
        return made["id"], {"x-finout-client-id": made["clientId"], "x-finout-secret-key": made["secretKey"]}

    def upload(self, who, rows, name="more"):
        body = write_bill(TMP / "revoke-more.csv", rows).read_bytes()
        job = who.ask("POST", f"/api/upload?source={name}&name={name}.csv", body,
                      {"Content-Type": "application/octet-stream"}).expect(202).json["jobId"]
        wait_until(lambda: any(j["id"] == job and j["state"] == "done" for j in who.get("/api/jobs").expect(200).json["jobs"]), 120)
        return job


def bed():
    if "bed" not in _bed:
        _bed["bed"] = Bed()
    return _bed["bed"]


class Stream:
    """An open event stream, read by a thread to its end."""

    def __init__(self, who):
        self.connection = who.server.connect(timeout=120)
        self.connection.request("GET", "/api/events", headers={"Cookie": "__Host-s=" + who.cookie})
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        equal((self.answer.status, self.answer.getheader("Content-Type")), (200, "text/event-stream"))
        self.text, self.ended_at = b"", None
        check(b"retry" in self.answer.readline())
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                line = self.answer.readline()
            except (OSError, http.client.HTTPException):
                return
            if not line:
                break
            self.text += line
        self.ended_at = time.monotonic()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.connection.close()

    def ended(self):
        return self.ended_at is not None

    def jobs(self):
        """The jobs that it told of."""
        return {json.loads(x[6:])["id"] for x in self.text.split(b"\n") if x.startswith(b'data: {"id"')}

    def says(self, job):
        wait_until(lambda: job in self.jobs(), 60)

    def ends(self, why):
        try:
            wait_until(self.ended, 10)
        except AssertionError:
            raise AssertionError(f"the stream goes on: {why}") from None


def question(n):
    """One that was not asked before: nothing kept answers it."""
    return {"costCenter": "AWS", "key": "resource_id", "type": "resource", "operator": "isNot", "value": [f"res-0-{n % COPIES}", f"none-{n}"]}


class Asker(threading.Thread):
    """Asks one question after another; keeps (started, ended, status) of each."""

    def __init__(self, name, ask, stop):
        super().__init__(name=name, daemon=True)
        self.ask, self.stop, self.seen = ask, stop, []

    def run(self):
        n = 0
        while not self.stop.is_set():
            n += 1
            at = time.monotonic()
            status = self.ask(n)
            self.seen.append((at, time.monotonic(), status))

    def after(self, at):
        return {s for started, _, s in list(self.seen) if started > at}


def test_two_users_and_a_token_at_once():
    """access.md T-ACC-14: the token is revoked, one user disabled, the other's sessions end, all in mid-query."""
    t = bed()
    gone, out, stays = t.person("gone"), t.person("out"), t.person("stays")
    (doomed, doomed_key), (_, kept_key) = t.token(), t.token()
    elsewhere = t.again("out")  # another session of the same person: it ends as well
    first = {"res-0-0"}  # every copy costs the same, so one number is right for each question; another provider has no such key
    total = cost([r for r in t.rows if r["ResourceId"] not in first])
    wrong, stop = [], threading.Event()

    def page(who, name, base):
        def ask(n):
            a = who.server.ask("POST", "/api/query", {"date": RANGE, "filters": question(base + n),
                                                     "groupBy": [{"costCenter": "AWS", "key": "resource_id"}]},
                               {"Cookie": "__Host-s=" + who.cookie, "Sec-Fetch-Site": "same-origin", "X-Requested-With": "farthing",
                                "Content-Type": "application/json"})
            if a.status != 401 and (a.status != 200 or Decimal(a.json["total"]["total"]) != total):
                wrong.append((name, total, a.body[:300]))
            return a.status
        return ask

    def api(key):
        def ask(n):
            a = t.server.ask("POST", "/cost-service/cost", {"date": {"relativeRange": "last30Days", "type": "day"}, "filters": question(n)}, key)
            if a.status not in (200, 401):
                wrong.append(("token", a.body[:300]))
            return a.status
        return ask

    ask = {"gone": page(gone, "gone", 0), "out": page(out, "out", 100000), "elsewhere": page(elsewhere, "elsewhere", 200000), "token": api(doomed_key),
           "stays": page(stays, "stays", 300000), "kept token": api(kept_key)}
    askers = {name: [Asker(name, one, stop) for _ in range(2)] for name, one in ask.items()}
    streams = {"gone": Stream(gone), "out": Stream(out), "elsewhere": Stream(elsewhere), "stays": Stream(stays)}
    for each in askers.values():
        for x in each:
            x.start()
    wait_until(lambda: all(x.seen for each in askers.values() for x in each), 120)
    ended = {}
    for names, method, path in ((["token"], "DELETE", f"/api/tokens/{doomed}"), (["gone"], "POST", f"/api/admin/users/{gone.id}/disable"),
                                (["out", "elsewhere"], "POST", f"/api/admin/users/{out.id}/end-sessions")):
        began = time.monotonic()
        t.ann.ask(method, path, {} if method == "POST" else None).expect(204)
        ended.update({name: (began, time.monotonic()) for name in names})
    wait_until(lambda: all(len(x.after(ended[n][1])) for n in ended for x in askers[n]), 60)
    for name in ("gone", "out", "elsewhere"):
        streams[name].ends(name)
    wait_until(lambda: all(x.seen[-1][0] > max(at for _, at in ended.values()) for n in ("stays", "kept token") for x in askers[n]), 120)
    stop.set()
    for each in askers.values():
        for x in each:
            x.join(120)
            check(not x.is_alive(), x.name, "hangs")
    equal(wrong[:3], [], "wrong answers")
    for name, (began, at) in ended.items():
        for x in askers[name]:
            equal(x.after(at), {401}, f"{name}: every request after it")
            equal({s for _, end, s in x.seen if end < began}, {200}, f"{name}: before it")
        check(any(start < began < end for x in askers[name] for start, end, _ in x.seen), name, "nothing ran when it was revoked")
    for name in ("stays", "kept token"):
        equal({s for x in askers[name] for _, _, s in x.seen}, {200}, name)
    check(not streams["stays"].ended(), "the stream of who was not touched ended")
    job = t.upload(t.ann, ROWS)
    streams["stays"].says(job)
    equal([streams[n].jobs() for n in ("gone", "out", "elsewhere")], [set()] * 3, "told after the end")
    streams["stays"].close()


def test_a_stream_ends_with_what_let_it_in():
    """Every ground on which it would not be opened now."""
    t = bed()
    watcher = Stream(t.ann)

    def ends(name, act, *roles):
        who = t.person("s-" + name, *roles)
        s = Stream(who)
        act(who)
        s.ends(name)
        equal(s.jobs(), set())

    ends("signs-out", lambda who: who.ask("DELETE", "/api/session").expect(204))
    ends("locked", lambda who: t.ann.post(f"/api/admin/users/{who.id}/lock", {}).expect(204))
    ends("deleted", lambda who: t.ann.ask("DELETE", f"/api/admin/users/{who.id}").expect(204))
    empty = t.ann.post("/api/admin/roles", {"name": "no bills", "permissions": ["cost.query"]}).expect(201).json["id"]
    ends("loses-permission", lambda who: t.ann.ask("PUT", f"/api/admin/users/{who.id}", {"roles": [empty]}).expect(204))
    try:
        ends("row-rules", lambda who: t.ann.put("/api/admin/data-access", {"enabled": True}).expect(200))
    finally:
        t.ann.put("/api/admin/data-access", {"enabled": False}).expect(200)

    def moves(who):
        t.ann.post(f"/api/admin/accounts/{t.beta}/members", {"email": "s-moves@example.com", "roles": ["basic"]}).expect(201)
        who.post("/api/session/account", {"id": t.beta}).expect(204)
    ends("moves", moves)
    check(not watcher.ended(), "the administrator's own ended with them")
    watcher.close()


def test_streams_of_two_accounts_do_not_cross():
    """Loads of one account are told to nobody in another, though it is the same person or the same server."""
    t = bed()
    ann_there = Browser(t.server)
    ann_there.post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200)
    ann_there.post("/api/session/account", {"id": t.beta}).expect(204)
    bea = t.person("bea")
    t.ann.post(f"/api/admin/accounts/{t.beta}/members", {"email": "bea@example.com", "roles": ["basic"]}).expect(201)
    bea_there = t.again("bea")
    bea_there.post("/api/session/account", {"id": t.beta}).expect(204)
    here, there = [Stream(t.ann), Stream(bea)], [Stream(ann_there), Stream(bea_there)]
    a = t.upload(t.ann, ROWS, "only-home")
    b = t.upload(ann_there, bill_rows(scale=3), "only-beta")
    a2 = t.upload(t.ann, ROWS, "only-home")
    for s in here:
        s.says(a2)
    b2 = t.upload(ann_there, bill_rows(scale=3), "only-beta")
    for s in there:
        s.says(b2)
    for s in here:
        equal((s.jobs() & {a, b, a2, b2}, b"only-beta" in s.text), ({a, a2}, False), "at the first account")
    for s in there:
        equal((s.jobs(), b"only-home" in s.text), ({b, b2}, False), "at Beta")
    for who, other in ((t.ann, b), (ann_there, a)):
        check(other not in who.get("/api/jobs").expect(200).body.decode(), "a job of another account is listed")
        who.post(f"/api/jobs/{other}/cancel", {}).expect(404)
    # no member any more: the stream there ends, the person's own at the first account goes on
    ann_there.ask("DELETE", f"/api/admin/users/{bea.id}").expect(204)
    there[1].ends("no member any more")
    check(not here[1].ended() and not there[0].ended(), "another's stream ended with it")
    for s in here + there[:1]:
        s.close()
