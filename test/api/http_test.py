"""The server as HTTP: who may come in, how it refuses, its headers and limits."""
import gzip
import json
import signal
import socket
import threading
import time

from farthing import (DAY, PASSWORD, Browser, Key, Server, ADMIN, browser, check, cli, copy_of, data_dir, equal, key,
                      link_of, routes, sample_path, server, wait_until, TMP)

SECURITY = ["content-security-policy", "strict-transport-security", "x-content-type-options", "referrer-policy",
            "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy"]


def unsafe(method):
    """What a page sends with an unsafe method, so that only the credential is missing."""
    if method == "GET":
        return {}
    return {"Sec-Fetch-Site": "same-origin", "X-Requested-With": "farthing"}


def private_routes(flag):
    return [r for r in routes() if r["permission"] != "public" and flag in r["flags"]]


def test_healthz_tells_the_ledger():
    j = server().ask("GET", "/healthz").expect(200).json
    equal(j["status"], "ok")
    equal(j["ledger"]["state"], "loaded")


def test_metrics_are_prometheus_text():
    server().ask("GET", "/healthz")
    a = server().ask("GET", "/metrics").expect(200)
    check(a.headers["content-type"].startswith("text/plain; version=0.0.4"))
    text = a.body.decode()
    check('farthing_http_requests_total{method="GET",route="/healthz",status="200"}' in text)
    for line in text.splitlines():
        check(line.startswith("# ") or len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) >= 0, line)


def refused(headers, flag):
    for r in private_routes(flag):
        a = server().ask(r["method"], sample_path(r["path"]), b"{}" if r["method"] in ("POST", "PUT") else None,
                         {**unsafe(r["method"]), "Content-Type": "application/octet-stream" if "upload" in r["flags"]
                          else "application/json", **headers})
        if a.status != 401:
            raise AssertionError(f"{r['method']} {r['path']}: {a.status} {a.body[:200]!r}")
        equal(a.json["error"], "UNAUTHORIZED", r["path"])
        equal(a.headers["content-type"], "application/json", r["path"])


def test_every_route_without_headers_is_401():
    refused({}, "token")
    refused({}, "session")


def test_every_token_route_with_one_header_is_401():
    k = key()
    refused({"x-finout-client-id": k.client}, "token")
    refused({"x-finout-secret-key": k.secret}, "token")


def test_every_token_route_with_a_wrong_secret_is_401():
    k, other = key(), Key(data_dir())
    refused({**k.headers, "x-finout-secret-key": other.secret}, "token")
    refused({**k.headers, "x-finout-secret-key": k.secret[:-1]}, "token")
    refused({**k.headers, "x-finout-client-id": "nobody"}, "token")


def test_every_token_route_with_a_revoked_token_is_401():
    k = Key(data_dir())
    k.get(server(), "/v1/view").expect(200)
    cli(data_dir(), "token", "revoke", k.client)
    refused(k.headers, "token")


def test_every_token_route_with_an_expired_token_is_401():
    import sqlite3
    k = Key(data_dir(), days="1")
    k.get(server(), "/v1/view").expect(200)
    with sqlite3.connect(data_dir() / "meta.db", timeout=30) as db:
        db.execute("UPDATE token SET expires_ms = ? WHERE client_id = ?", (int(time.time() * 1000) - 1, k.client))
    db.close()
    refused(k.headers, "token")


def test_gateway_headers_never_authenticate():
    bypass = {"authorized-account-id": "e6ad4c08-9ecd-4592-be61-7a13ad456259", "authorized-user-roles": "sysAdmin",
              "authorized-user-permissions": "fin.megabill.write.views", "x-user-id": "1", "frontegg-user-id": "1"}
    refused(bypass, "token")
    refused(bypass, "session")
    a = key().post(server(), "/view-service/view", {"name": "x", "type": "cost", "data": {}}, headers=bypass)
    a.expect(403, "FORBIDDEN")  # and they give nothing to who is known


def test_a_wrong_cookie_is_401():
    refused({"Cookie": "__Host-s=" + "a" * 43}, "session")
    refused({"Cookie": "s=" + browser().cookie}, "session")


def test_a_token_is_no_session():
    for r in routes():
        if r["flags"] and r["path"].startswith("/api/") and r["permission"] != "public" and r["method"] == "GET":
            equal(key("admin").get(server(), sample_path(r["path"])).status, 401, r["path"])


def test_roles_are_403():
    key().post(server(), "/view-service/view", {"name": "x", "type": "cost", "data": {}}).expect(403, "FORBIDDEN")
    key("read-only").post(server(), "/view-service/view", {"name": "x"}).expect(403, "FORBIDDEN")


def test_every_answer_has_the_security_headers():
    b = browser()
    seen = [server().ask("GET", p) for p in ("/healthz", "/metrics", "/nope", "/a/../b", "/signin", "/" + "x" * 9000)]
    for r in routes():
        seen.append(server().ask(r["method"], sample_path(r["path"]), headers=unsafe(r["method"])))
        if r["method"] == "GET" and "session" in r["flags"] and r["path"] != "/api/events":
            seen.append(b.ask("GET", sample_path(r["path"])))
    for a in seen:
        for name in SECURITY:
            check(name in a.headers, a.status, "has no", name)
        check("server" not in a.headers)
        check("script-src 'self'" in a.headers["content-security-policy"])
        check("unsafe" not in a.headers["content-security-policy"])


def test_api_answers_are_not_stored():
    equal(key().get(server(), "/v1/view").headers["cache-control"], "no-store")


def test_unknown_addresses_are_404():
    a = server().ask("GET", "/v1/nope").expect(404, "NOT_FOUND")
    check(len(a.json["requestId"]) == 36)
    server().ask("GET", "/v1/nope", headers=key().headers).expect(404)
    server().ask("DELETE", "/v3").expect(404)


def test_wrong_methods_are_405_with_allow():
    equal(server().ask("DELETE", "/v1/view").expect(405).headers["allow"], "GET, HEAD")
    equal(server().ask("GET", "/v1/cost/query-by-view").expect(405).headers["allow"], "POST")
    equal(server().ask("OPTIONS", "/api/session").expect(405).headers["allow"], "GET, HEAD, POST, DELETE")
    server().ask("TRACE", "/v1/view").expect(405)


def test_paths_may_have_doubled_and_trailing_slashes():
    for p in ("/v1//view", "/v1/view/", "//v1/view", "/v1///view//"):
        key().get(server(), p).expect(200)


def test_paths_that_lie_are_refused():
    for p in ("/v1/%2e%2e/v1/view", "/v1/../v1/view", "/v1%2fview", "/v1/view%00", "/v1\\view", "/v1/%zz", "/v1/%ff"):
        s = socket.create_connection((server().host, server().port), 20)
        s.sendall(f"GET {p} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        line = s.makefile("rb").readline()
        s.close()
        check(b" 400 " in line, p, line)


def test_a_segment_is_decoded_once():
    a = key().get(server(), "/v1/megabill/query-language/values/Virtual%20Tags/x").expect(400)
    check("Virtual Tags" in a.json["message"], a.body)
    a = key().get(server(), "/v1/megabill/query-language/values/AWS/a%2562").expect(400)
    check("a%62" in a.json["message"], a.body)


def test_request_ids():
    mine = "0F6A1B2C-0000-4000-8000-0000000000AB"
    a = key().get(server(), "/v1/view", headers={"x-request-id": mine}).expect(200)
    equal(a.json["requestId"], mine.lower())
    equal(a.headers["x-request-id"], mine.lower())
    other = key().get(server(), "/v1/view", headers={"x-request-id": "nonsense"}).json["requestId"]
    check(other != "nonsense" and len(other) == 36)


def test_gzip_when_asked_for():
    plain = key().get(server(), "/v2/query-language/keys").expect(200)
    zipped = key().get(server(), "/v2/query-language/keys", headers={"Accept-Encoding": "gzip, deflate"}).expect(200)
    check("content-encoding" not in plain.headers)
    equal(zipped.headers["content-encoding"], "gzip")
    a, b = json.loads(plain.body), json.loads(gzip.decompress(zipped.body))
    equal(a["data"], b["data"])


def test_json_needs_no_content_type():
    a = key().post(server(), "/cost-service/cost", {})
    a.expect(200)
    equal(a.headers["content-type"], "application/json")


def test_bodies_that_are_not_json_are_400():
    for body in ("{", "", "[1", '{"a":1}x', "nul", '{"a":1,"a":2}', "\xff", '{"a":"\\u0000"}'):
        key().post(server(), "/v1/cost/query-by-view", body.encode("latin-1")).expect(400, "BAD_REQUEST")


def test_json_too_deep_is_400():
    a = key().post(server(), "/v1/cost/query-by-view", "[" * 5000 + "]" * 5000).expect(400)
    check("deep" in a.json["message"], a.body)


def test_bodies_too_big_are_413():
    big = b'{"viewId":"' + b"x" * (1 << 20) + b'"}'
    key().post(server(), "/v1/cost/query-by-view", big).expect(413, "PAYLOAD_TOO_LARGE")
    # without a length, too
    c = server().connect()
    c.request("POST", "/v1/cost/query-by-view", body=iter([big]), headers=key().headers, encode_chunked=True)
    equal(c.getresponse().status, 413)
    c.close()


def test_headers_too_many_are_431():
    many = {f"x-h{i}": "1" for i in range(120)}
    server().ask("GET", "/healthz", headers=many).expect(431)
    server().ask("GET", "/healthz", headers={"x-long": "y" * 33000}).expect(431)


def test_a_long_request_line_is_414():
    server().ask("GET", "/v1/view?x=" + "y" * 9000).expect(414)


def test_broken_requests_are_400_and_closed():
    post = b"POST /v1/cost/query-by-view HTTP/1.1\r\nHost: x\r\n"
    for raw in (b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", post + b"Content-Length: -1\r\n\r\n",
                post + b"Content-Length: 1x\r\n\r\n", post + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                post + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                post + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
                b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n"):
        s = socket.create_connection((server().host, server().port), 20)
        s.sendall(raw)
        answer = b""
        while True:
            got = s.recv(65536)  # to the end: it is closed
            if not got:
                break
            answer += got
        s.close()
        check(not answer or b" 400 " in answer.split(b"\r\n")[0], raw, answer[:80])
    server().ask("GET", "/healthz").expect(200)


def test_keep_alive_serves_one_after_the_other():
    c = server().connect()
    for _ in range(50):
        server().ask("GET", "/v1/view", headers=key().headers, connection=c).expect(200)
    server().ask("GET", "/v1/nope", connection=c).expect(404)
    server().ask("POST", "/v1/cost/query-by-view", {}, key().headers, connection=c).expect(400)
    server().ask("GET", "/v1/view", headers=key().headers, connection=c).expect(200)
    c.close()


def test_a_refused_post_leaves_the_connection_usable():
    c = server().connect()
    for _ in range(5):
        server().ask("POST", "/v1/cost/query-by-view", b"x" * 100000, connection=c).expect(401)
    c.close()


def slow_server(data, ms=1500):
    return Server(data, {"FARTHING_TEST_SLOW_MS": str(ms)})


def parallel(jobs):
    out = [None] * len(jobs)

    def one(i):
        began = time.monotonic()
        answer = jobs[i]()
        out[i] = (answer, time.monotonic() - began)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    return out


def stopped_copy(name):
    """A second installation: the first one stays with its server."""
    data = TMP / name
    cli(data, "init", "--admin", ADMIN)
    return data


def test_the_sixth_at_once_is_429_and_another_key_is_not():
    data = stopped_copy("slow")
    one, two = Key(data), Key(data)
    s = slow_server(data)
    ask = lambda k: lambda: k.post(s, "/v1/cost/query-by-view", {"viewId": "00000000-0000-4000-8000-000000000000"})
    got = parallel([ask(one)] * 6 + [ask(two)] * 5)
    first, second = got[:6], got[6:]
    equal(sorted(a.status for a, _ in first), [400] * 5 + [429], "one key")
    equal([a.status for a, _ in second], [400] * 5, "the other key")
    for a, took in first:
        if a.status == 429:
            check(took < 1.0, "it waited", took)
            equal(a.headers["retry-after"], "1")
            check(len(a.json["requestId"]) == 36)
    one.get(s, "/v1/view").expect(200)  # and it is over
    # any V1 route counts, V2 does not
    t = threading.Thread(target=lambda: parallel([ask(one)] * 5))
    t.start()
    time.sleep(0.5)
    one.get(s, "/v1/view").expect(429)
    one.get(s, "/account-service/account").expect(429)
    one.get(s, "/v2/query-language/keys").expect(200)
    t.join()
    equal(s.stop(), 0)


def test_a_stop_finishes_what_runs():
    data = stopped_copy("stop")
    k = Key(data)
    s = slow_server(data, 2000)
    got = []
    t = threading.Thread(target=lambda: got.append(
        k.post(s, "/v1/cost/query-by-view", {"viewId": "00000000-0000-4000-8000-000000000000"})))
    t.start()
    time.sleep(0.7)
    began = time.monotonic()
    s.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    try:
        socket.create_connection((s.host, s.port), 2).close()
        refused_now = False
    except OSError:
        refused_now = True
    check(refused_now, "it still takes connections")
    equal(s.process.wait(30), 0, "exit code")
    check(time.monotonic() - began < 20)
    t.join()
    equal(got[0].status, 400)


def test_v2_has_fifty_a_minute_per_route():
    data = stopped_copy("rate")
    now = 1_900_000_000_000 - 1_900_000_000_000 % DAY
    k, other = Key(data), Key(data)
    s = Server(data, {"FARTHING_NOW_MS": str(now + 20000)})
    for i in range(50):
        a = (k if i % 2 else other).get(s, "/v2/query-language/keys").expect(200)
        equal((a.headers["ratelimit-limit"], a.headers["ratelimit-remaining"], a.headers["ratelimit-reset"]),
              ("50", str(49 - i), "40"))
    a = k.get(s, "/v2/query-language/keys").expect(429, "RATE_LIMIT_EXCEEDED")
    equal((a.headers["ratelimit-remaining"], a.headers["retry-after"]), ("0", "40"))
    k.get(s, "/v2/megabill/query-language/keys").expect(429)  # the alias is the same route
    k.get(s, "/v2/data/cost-usage/x/status").expect(404)      # another is not
    k.get(s, "/v1/view").expect(200)
    equal(s.stop(), 0)


# ---- the session ----

def test_the_session_cookie_is_strict():
    data = stopped_copy("session")
    s = Server(data)
    b = Browser(s)
    link = link_of(cli(data, "link", "--email", ADMIN))
    a = b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
    parts = [p.strip() for p in a.cookies[0].split(";")]
    check(parts[0].startswith("__Host-s="))
    for p in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        check(p in parts, p)
    check(not any(p.lower().startswith("domain") for p in parts))
    j = b.get("/api/session").expect(200).json
    equal(j["user"]["email"], ADMIN)
    equal(j["user"]["role"], "admin")
    check("tokens.account.manage" in j["permissions"])
    # the link is used up
    Browser(s).post("/api/session/link", {"link": link, "password": PASSWORD}).expect(401)
    # out and in again
    old = b.cookie
    a = b.ask("DELETE", "/api/session").expect(204)
    check("clear-site-data" in a.headers)
    Browser(s, old).get("/api/session").expect(401)
    b.post("/api/session", {"email": ADMIN, "password": "wrong password here"}).expect(401)
    b.post("/api/session", {"email": ADMIN, "password": PASSWORD}).expect(200)
    # a password that is too short, too common
    link = link_of(cli(data, "link", "--email", ADMIN))
    for bad in ("short", "passwordpassword"):
        equal(Browser(s).post("/api/session/link", {"link": link, "password": bad}).expect(422).json["field"],
              "password")
    b.ask("PUT", "/api/me/password", {"current": "no", "next": "quince umbra lathe"}).expect(422)
    b.ask("PUT", "/api/me/password", {"current": PASSWORD, "next": "quince umbra lathe"}).expect(204)
    b.get("/api/session").expect(200)
    # guessing: five, then wait
    g = Browser(s)
    for _ in range(5):
        g.post("/api/session", {"email": "bob@example.com", "password": "x"}).expect(401)
    a = g.post("/api/session", {"email": "bob@example.com", "password": "x"}).expect(429)
    check(25 <= int(a.headers["retry-after"]) <= 30, a.headers["retry-after"])
    equal(s.stop(), 0)


def test_cross_site_requests_are_403():
    b = browser()
    body = {"name": "csrf", "question": {}}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
                    {"Sec-Fetch-Site": None}, {"Sec-Fetch-Site": None, "Origin": "https://evil.example"},
                    {"Sec-Fetch-Site": None, "Origin": "null"}, {"X-Requested-With": None},
                    {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        b.ask("POST", "/api/views", body, headers).expect(403, "FORBIDDEN")
        b.ask("POST", "/api/session", {"email": ADMIN, "password": "x"}, headers).expect(403)
    for name in (v["name"] for v in b.get("/api/views").json["views"]):
        check(name != "csrf")
    a = b.ask("POST", "/api/query", {}, {"Sec-Fetch-Site": None, "Origin": "http://" + server().url})
    a.expect(200)


def test_reading_needs_no_csrf_header():
    browser().ask("GET", "/api/session", headers={"Sec-Fetch-Site": "cross-site"}).expect(200)


# ---- the page ----

def test_the_page_or_a_plain_404():
    a = server().ask("GET", "/megabill")
    check(a.status in (200, 404), a.status)
    if a.status == 200:
        equal(a.headers["content-type"].split(";")[0], "text/html")
        equal(a.headers["cache-control"], "no-cache")
        again = server().ask("GET", "/app/total-cost?filters=%7B%7D", headers={"If-None-Match": a.headers["etag"]})
        equal(again.status, 304)


def test_slow_headers_are_cut_off():
    s = socket.create_connection((server().host, server().port), 30)
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    began, gone = time.monotonic(), False
    while time.monotonic() - began < 25 and not gone:
        time.sleep(1)
        try:
            s.sendall(b"y")
            s.settimeout(0.01)
            gone = s.recv(1000) == b"" or gone
        except (TimeoutError, socket.timeout):
            pass
        except OSError:
            gone = True
    s.close()
    check(gone, "a slow client may stay")


def test_nothing_secret_is_in_the_log():
    log = server().tail() + open(server().log.name, errors="replace").read()
    for secret in (key().secret, PASSWORD, browser().cookie):
        check(secret not in log, "a secret is in the log")


def test_events_stream():
    c = server().connect()
    c.request("GET", "/api/events", headers={"Cookie": "__Host-s=" + browser().cookie})
    r = c.getresponse()
    equal(r.status, 200)
    equal(r.getheader("Content-Type"), "text/event-stream")
    check(b"retry" in r.readline())
    c.close()
    wait_until(lambda: server().ask("GET", "/healthz").status == 200)
