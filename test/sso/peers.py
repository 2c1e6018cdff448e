"""What the tests of single sign-on share: identity providers as processes, and a browser that follows them."""
import http.client
import pathlib
import socket
import subprocess
import urllib.parse

from farthing import Skip, check, secret

HERE = pathlib.Path(__file__).resolve().parent
_peers = []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Peer:
    def __init__(self, script, *args):
        if not (HERE / "node_modules").is_dir():
            raise Skip("test/sso/node_modules is missing: script/bootstrap test")
        self.process = subprocess.Popen(["node", script, *map(str, args)], cwd=HERE, stdout=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check(self.process.stdout.readline().strip() == "ready", script, "did not start")
        _peers.append(self)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        if self in _peers:
            _peers.remove(self)


def stop():
    for p in list(_peers):
        p.stop()


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.body = url, status, body
        self.headers = {k.lower(): v for k, v in headers}
        self.cookies = [v for k, v in headers if k.lower() == "set-cookie"]

    @property
    def location(self):
        to = self.headers.get("location")
        return urllib.parse.urljoin(self.url, to) if to else None


class Surfer:
    """A browser: cookies by origin, redirects on demand."""

    def __init__(self, user=None):
        self.user, self.jar = user, {}

    def cookie(self, url, name):
        return self.jar.get(urllib.parse.urlsplit(url).netloc, {}).get(name)

    def go(self, url, method="GET", body=None, headers=None):
        u = urllib.parse.urlsplit(url)
        jar = self.jar.setdefault(u.netloc, {})
        h = {"Cookie": "; ".join(f"{k}={v}" for k, v in jar.items())} if jar else {}
        if self.user:
            h["x-test-user"] = self.user
        h.update(headers or {})
        c = http.client.HTTPConnection(u.hostname, u.port, timeout=30)
        c.request(method, u.path + ("?" + u.query if u.query else ""), body, h)
        r = c.getresponse()
        page = Page(url, r.status, r.getheaders(), r.read())
        c.close()
        for line in page.cookies:
            name, value = line.split(";")[0].split("=", 1)
            secret(value)
            gone = "max-age=0" in line.lower() or "1970" in line
            jar.pop(name, None) if gone or not value else jar.__setitem__(name, value)
        return page

    def follow(self, url, until=lambda page: False, most=20, **kw):
        """Goes on until there is no redirect, or `until` says so."""
        page = self.go(url, **kw)
        for _ in range(most):
            if until(page) or not page.location or page.status not in (301, 302, 303, 307, 308):
                return page
            page = self.go(page.location)
        raise AssertionError("too many redirects at " + page.url)
