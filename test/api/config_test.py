"""`farthing export` and `farthing apply`: an account's configuration as one file, carried to another installation.

Whether it arrived is asked of the second installation by its own questions, whose sums are counted here from the bill.
"""
import json
import random
import subprocess
from decimal import Decimal

from farthing import ADMIN, PASSWORD, PROGRAM, ROWS, TMP, TODAY, FIRST, Browser, Server, check, cli, equal, link_of, round10, share_by_default, write_bill

SERVICE = {"costCenter": "Global", "key": "service", "type": "billing_dimension"}
_made = {}


def place(name, admin=ADMIN):
    data = TMP / name
    link = link_of(cli(data, "init", "--admin", admin))
    cli(data, "load", "--source", "bill", write_bill(TMP / f"{name}.csv", ROWS))
    server = Server(data)
    b = Browser(server)
    b.post("/api/session/link", {"link": link, "password": PASSWORD}).expect(200)
    return data, server, b


def key_of(tag):
    return {"costCenter": "virtualTag", "key": tag, "type": "virtual_tag"}


def run(data, *words):
    p = subprocess.run([PROGRAM, words[0], "--data", str(data), *map(str, words[1:])], capture_output=True, text=True, timeout=180)
    return p.returncode, p.stdout, p.stderr


def sums(b, name):
    """{value: cost} of the tag of this name."""
    tag = next(t for t in b.get("/api/tags").expect(200).json["tags"] if t["name"] == name)
    j = b.post("/api/query", {"date": {"from": str(FIRST), "to": str(TODAY)}, "costType": "netUnblendedCost", "granularity": "accumulated",
                              "groupBy": [key_of(tag["id"])]}).expect(200).json
    return {g["values"][0]: Decimal(g["total"]) for g in j["groups"]}


def same(got, want):
    """Groups are rounded so that they add up: the last digit may be the neighbour's."""
    equal(set(got), set(want))
    equal(sum(got.values()), round10(sum(Decimal(r["BilledCost"]) for r in ROWS)))
    for k in want:
        check(abs(got[k] - want[k]) <= Decimal("1e-10"), k, got[k], want[k])


def costs(value_of):
    out = {}
    for r in ROWS:
        v = value_of(r["ServiceName"])
        out[v] = out.get(v, 0) + Decimal(r["BilledCost"])
    return {k: round10(v) for k, v in out.items()}


def first():
    """Tags that hang on each other, a dictionary, a telemetry, a view, a path, a role, a group, a custom cost."""
    if "first" in _made:
        return _made["first"]
    data, server, b = place("config-a")
    rule = lambda to, value: {"to": to, "filters": {**SERVICE, "operator": "oneOf", "value": value}}
    base = b.post("/api/tags", {"name": "Größe", "rules": [rule("compute", ["Amazon EC2", "Compute Engine"]), rule("rest", ["Amazon S3"])]}).expect(201).json["id"]
    upper = b.post("/api/tags", {"name": "Aa upper", "defaultValue": "other", "rules": [
        {"to": "all machines", "filters": {**key_of(base), "operator": "is", "value": ["compute"]}}]}).expect(201).json["id"]
    words = b.post("/api/tags", {"name": "Words", "kind": "dictionary", "defaultValue": "none", "dictionary": {"source": SERVICE, "ignoreCase": False}})
    words = words.expect(201).json["id"]
    b.ask("PUT", f"/api/tags/{words}/dictionary", b"source,destination,from,to\nAmazon EC2,machines,,\nAmazon S3,\"disks, cheap\",,\n",
          {"Content-Type": "application/octet-stream"}).expect(200)
    b.post("/api/telemetry", {"name": "Requests", "type": "push", "metricNames": ["n"], "field": "team"}).expect(201)
    b.post("/api/views", {"name": "By machines", "question": {"date": {"relativeRange": "last30Days", "type": "day"}, "costType": "netUnblendedCost",
                                                              "granularity": "day", "groupBy": [key_of(upper)]}}).expect(201)
    b.put("/api/drilldowns", {"paths": [{"costCenter": "AWS", "keys": [{**SERVICE, "costCenter": "AWS"}, key_of(upper)]}]}).expect(200)
    code, out, err = run(data, "export")
    check(code == 0, err)
    _made["first"] = data, server, b, json.loads(out)
    return _made["first"]


def test_it_is_carried_to_another_installation():
    data, server, b, file = first()
    path = TMP / "configuration.json"
    for v in file.values():  # whatever the order of the file
        if isinstance(v, list):
            random.Random(5).shuffle(v)
    path.write_text(json.dumps(file))
    to, other, c = place("config-b", "bea@example.com")
    c.post("/api/tags", {"name": "Words", "rules": []}).expect(201)  # the same name: becomes what the file says
    c.post("/api/tags", {"name": "Mine", "rules": []}).expect(201)
    code, out, err = run(to, "apply", "--dry-run", "-f", path)
    check(code in (0, 1) and "would be made virtual tag Größe" in out, code, out, err)
    equal(sorted(t["name"] for t in c.get("/api/tags").json["tags"] if not t["predefined"]), ["Mine", "Words"], "a dry run makes nothing")
    code, out, err = run(to, "apply", "-f", path)
    check(code == 0 and "made virtual tag Größe" in out and "changed virtual tag Words" in out and "ann@example.com is nobody here" in err, code, out, err)
    code, out, err = run(to, "apply", "-f", path)
    check(code == 0 and out.startswith("0 made, 0 changed"), out, err)
    machines = {"Amazon EC2": "compute", "Compute Engine": "compute", "Amazon S3": "rest"}
    same(sums(c, "Größe"), costs(lambda s: machines.get(s, "Untagged")))
    same(sums(c, "Aa upper"), costs(lambda s: "all machines" if machines.get(s) == "compute" else "other"))
    same(sums(c, "Words"), costs(lambda s: {"Amazon EC2": "machines", "Amazon S3": "disks, cheap"}.get(s, "none")))
    tags = {t["name"]: t["id"] for t in c.get("/api/tags").json["tags"]}
    view = next(v for v in c.get("/api/views").json["views"] if v["name"] == "By machines")
    equal(view["question"]["groupBy"][0]["key"], tags["Aa upper"], "the view follows the tag")
    path_of = next(p for p in c.get("/api/drilldowns").json["paths"] if p["costCenter"] == "AWS")
    equal([k["key"] for k in path_of["keys"]], ["service", tags["Aa upper"]])
    check(any(t["name"] == "Requests" for t in c.get("/api/telemetry").json["telemetry"]))
    check("Mine" in tags, "what the file leaves out stays")


def test_where_it_came_from_nothing_changes():
    data, server, b, file = first()
    path = TMP / "same.json"
    path.write_text(json.dumps(file))
    code, out, err = run(data, "apply", "-f", path)
    check(code == 0 and out.startswith("0 made, 0 changed"), code, out, err)
    audit = b.get("/api/admin/audit?limit=5")
    check(audit.status == 200, audit.status)


def test_a_change_in_the_file_is_a_version_there():
    data, server, b, file = first()
    doc = json.loads(json.dumps(file))
    for t in doc["virtualTags"]:
        if t["name"] == "Größe":
            t["rules"][1]["to"] = "store"
            at = t["id"]
    path = TMP / "change.json"
    path.write_text(json.dumps(doc))
    before = len(b.get(f"/api/tags/{at}/versions").expect(200).json["versions"])
    code, out, err = run(data, "apply", "-f", path)
    check(code == 0 and "changed virtual tag Größe" in out and "1 changed" in out, code, out, err)
    equal(len(b.get(f"/api/tags/{at}/versions").expect(200).json["versions"]), before + 1)
    check("store" in sums(b, "Größe"))
    path.write_text(json.dumps(file))
    check(run(data, "apply", "-f", path)[0] == 0)


def test_what_is_wrong_is_named_and_changes_nothing():
    data, server, b, file = first()
    before = b.get("/api/tags").expect(200).body
    path = TMP / "wrong.json"
    for text, word in (("{", "line 1"), ("[]", "farthingConfiguration"), ('{"farthingConfiguration":2}', "farthingConfiguration"),
                       ('{"farthingConfiguration":1,"tags":[]}', "tags"), ('{"farthingConfiguration":1,"views":{}}', "views must be an array"),
                       ('{"farthingConfiguration":1,"views":[7]}', "views[0]"),
                       ('{"farthingConfiguration":1,"virtualTags":[{"name":"N","rules":[{"to":"x","filters":{"costCenter":"Global","key":"nowhere","operator":"is","value":["a"]}}]}]}', "nowhere"),
                       ('{"farthingConfiguration":1,"virtualTags":[{"name":"N","rules":[{"to":"x","filters":{"costCenter":"Global","key":"service","operator":"like","value":["a"]}}]}]}', "operator")):
        path.write_text(text)
        code, out, err = run(data, "apply", "-f", path)
        check(code == 1 and word in err, text, code, out, err)
        equal(b.get("/api/tags").expect(200).body, before, text)
    code, out, err = run(data, "apply", "-f", TMP / "absent.json")
    check(code in (1, 3) and "absent.json" in err, code, err)
    equal(run(data, "apply")[0], 2)
    equal(run(data, "export", "word")[0], 2)
