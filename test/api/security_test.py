"""doc/security.md names a test for every requirement it claims, and each of them exists."""
import re

from farthing import ROOT, check


def test_every_named_test_exists():
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", (ROOT / "doc" / "security.md").read_text(), re.M)[1:]
    rows = [r for r in rows if not set(r[0]) <= {"-", " "}]
    check(len(rows) > 40, len(rows))
    for requirement, named in rows:
        if named.startswith("open:"):
            continue
        m = re.fullmatch(r"(\w+\.(?:py|c)): (\w+)", named.strip())
        check(m, requirement, "names no test:", named)
        path = ROOT / "test" / ("api" if m.group(1).endswith("py") else "unit") / m.group(1)
        text = path.read_text()
        check(re.search(rf"^(?:def|static void) {m.group(2)}\(", text, re.M), requirement, "names", named, "which is not there")


def test_the_unit_file_is_a_sandbox():
    unit = (ROOT / "deploy" / "farthing.service").read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "PrivateTmp=yes",
                 "SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "CapabilityBoundingSet=",
                 "ProtectHome=yes", "PrivateDevices=yes", "RestrictNamespaces=yes", "LockPersonality=yes", "UMask=0077"):
        check(line in unit.splitlines(), "the unit file has no", line)
