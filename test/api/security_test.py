"""doc/security.md names a test for every requirement, and each of them exists."""
import re
import shutil
import subprocess

from farthing import ROOT, Skip, check

TESTS = ROOT / "test"


def rows():
    """(id, what it names) of every row of the document."""
    found = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", (ROOT / "doc" / "security.md").read_text(), re.M)
    return [(a.strip(), b.strip()) for a, b in found if a.strip() != "id" and not set(a) <= {"-", " "}]


def is_there(file, name):
    """Is the test `name` in `file`: a function, or words of a title?"""
    if file.endswith((".py", ".c")):
        folders = ("unit",) if file.endswith(".c") else ("api", "peer", "sso")
        paths = [TESTS / d / file for d in folders]
        word = rf"^(?:def|static void) {re.escape(name)}\("
    else:
        paths = [ROOT / "script" / "check"] if file == "check" else [TESTS / "web" / file if file.endswith(".mjs") else TESTS / file]
        word = re.escape(name)
    return any(p.is_file() and re.search(word, p.read_text(), re.M) for p in paths)


def test_every_named_test_exists():
    for requirement, named in rows():
        if re.match(r"(open|not here): \S", named):
            continue
        for one in named.split("; "):
            m = re.fullmatch(r"(\w+\.(?:py|c|mjs)|\w+/run|check): (.+)", one)
            check(m, requirement, "names no test:", one)
            check(is_there(*m.groups()), requirement, "names", one, "which is not there")


def test_every_requirement_has_its_row():
    ids = (TESTS / "api" / "requirements.txt").read_text().split()
    have = [r for r, _ in rows()]
    check(len(ids) > 120, len(ids))
    missing = [i for i in ids if i not in have]
    check(not missing, "no row in doc/security.md:", *missing)
    twice = sorted({r for r in have if have.count(r) > 1})
    check(not twice, "two rows in doc/security.md:", *twice)


def test_the_unit_file_is_a_sandbox():
    unit = (ROOT / "deploy" / "farthing.service").read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "PrivateTmp=yes",
                 "SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "CapabilityBoundingSet=",
                 "ProtectHome=yes", "PrivateDevices=yes", "RestrictNamespaces=yes", "LockPersonality=yes", "UMask=0077"):
        check(line in unit.splitlines(), "the unit file has no", line)


def test_systemd_thinks_so_too():
    """MS: systemd's own judgement of the sandbox, 0 is best and 10 worst."""
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed")
    p = subprocess.run(["systemd-analyze", "security", "--offline=yes", str(ROOT / "deploy" / "farthing.service")],
                       capture_output=True, text=True, timeout=60)
    m = re.search(r"exposure level for \S+: ([0-9.]+)", p.stdout)
    if not m:
        raise Skip("systemd-analyze cannot judge offline here")
    check(float(m[1]) <= 2.5, m[0])
