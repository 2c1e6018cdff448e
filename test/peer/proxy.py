"""An HTTP proxy of one upstream that breaks what it is told to break, and checks AWS signatures: s3rver does not."""
import hashlib
import hmac
import http.client
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


AUTH = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/(s3)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$")


def refusal(h, body, keys):
    """The code of AWS's error, or None: Signature Version 4 by the book."""
    m = AUTH.match(h.headers.get("Authorization") or "")
    if not m:
        return "AccessDenied"
    key, day, region, service, names, given = m.groups()
    if key not in keys:
        return "InvalidAccessKeyId"
    if h.headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest() or \
            not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";")):
        return "SignatureDoesNotMatch"
    path, _, query = h.path.partition("?")
    signed = "".join(f"{n}:{' '.join((h.headers.get(n) or '').split())}\n" for n in names.split(";"))
    canonical = "\n".join([h.command, path, "&".join(sorted(query.split("&"))), signed, names, hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", h.headers["x-amz-date"], f"{day}/{region}/{service}/aws4_request",
                      hashlib.sha256(canonical.encode()).hexdigest()])
    k = ("AWS4" + keys[key]).encode()
    for part in (day, region, service, "aws4_request", text):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    return None if hmac.compare_digest(k.hex(), given) else "SignatureDoesNotMatch"


class Proxy:
    """faults: list of {"match": text in the path, "do": what, "times": n, ...}, taken in order, each n times."""

    def __init__(self, port, keys):
        outer = self
        self.keys = keys
        self.upstream, self.faults, self.seen, self.lock = port, [], [], threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def do_GET(self):
                outer.relay(self)

            do_HEAD = do_POST = do_PUT = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fault(self, **f):
        with self.lock:
            self.faults.append({"match": "", "times": 1, **f})

    def take(self, path, first):
        with self.lock:
            for f in self.faults:
                if f["times"] > 0 and f["match"] in path and (not f.get("data") or first):
                    f["times"] -= 1
                    return f
        return {}

    def requests(self, match, clear=False):
        with self.lock:
            out = [s for s in self.seen if match in s[1]]
            if clear:
                self.seen.clear()
        return out

    def relay(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        with self.lock:
            self.seen.append((h.command, h.path, h.headers.get("Range")))
        f = self.take(h.path, True)
        do = f.get("do")
        if do == "reset":
            h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            h.close_connection = True
            h.connection.close()
            return
        if do == "latency":
            time.sleep(f["seconds"])
        wrong = refusal(h, body, self.keys)
        if wrong and do != "answer":
            f, do = {"status": 403, "body": f"<Error><Code>{wrong}</Code><Message>m</Message></Error>"}, "answer"
        if do == "answer":
            data = f.get("body", "").encode()
            h.send_response_only(f["status"])
            for k, v in f.get("headers", {}).items():
                h.send_header(k, v)
            h.send_header("Content-Length", str(len(data)))
            h.end_headers()
            h.wfile.write(data)
            return
        c = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        c.putrequest(h.command, h.path, skip_host=True, skip_accept_encoding=True)
        for k, v in h.headers.items():
            if k.lower() not in ("connection",):
                c.putheader(k, v)
        c.endheaders(body or None)
        r = c.getresponse()
        data = r.read()
        c.close()
        if do == "then":  # the upstream has answered; something happens before the reader gets it all
            f["fn"]()
        size = len(data)
        h.send_response_only(r.status)
        for k, v in r.getheaders():
            if k.lower() not in ("content-length", "transfer-encoding", "connection", "etag" if do == "etag" else ""):
                h.send_header(k, v)
        if do == "etag":
            h.send_header("ETag", f["etag"])
        if do == "short":  # a whole, well-formed answer that is shorter than the object
            data = data[:len(data) // 2]
            size = len(data)
        h.send_header("Content-Length", str(size if h.command != "HEAD" else r.getheader("Content-Length") or 0))
        h.end_headers()
        if h.command == "HEAD":
            return
        if do in ("truncate", "then"):
            h.wfile.write(data[:f["bytes"]])
            h.wfile.flush()
            h.close_connection = True
            h.connection.shutdown(socket.SHUT_RDWR)
            return
        if do == "flip":
            at = len(data) // 2
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        h.wfile.write(data)

    def stop(self):
        self.server.shutdown()
