"""doc/openapi.yaml says what the route table says (`farthing routes`), and the answers fit its schemas.

The file is YAML in a fixed shape (two spaces a level, flow style below), so the standard library is enough.
"""
import json
import re

from farthing import ROOT, browser, check, equal, key, millis, routes, server, FIRST, TODAY

FILE = ROOT / "doc" / "openapi.yaml"


def flow(text):
    """A YAML flow value: JSON with bare words."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"|([A-Za-z_][A-Za-z0-9_-]*)',
                  lambda m: m.group(0) if m.group(1) is None or m.group(1) in ("true", "false", "null")
                  else json.dumps(m.group(1)), text)
    text = re.sub(r'(?<=[\[{,: ])\$"ref"', '"$ref"', text)
    return json.loads(text)


def operations():
    """{(METHOD, path): {"permission", "codes", ...}}"""
    out, path, op, part = {}, None, None, None
    for line in FILE.read_text().splitlines():
        if line == "components:":
            break
        if m := re.fullmatch(r"  (/\S*):", line):
            path = m.group(1)
        elif m := re.fullmatch(r"    (get|post|put|patch|delete):", line):
            op = out[(m.group(1).upper(), path)] = {"codes": set(), "params": set(), "security": "", "perMinute": 0,
                                                    "perDay": 0, "keyLimit": False, "loopback": False,
                                                    "proved": False, "allRows": False}
        elif m := re.fullmatch(r"      x-permission: (\S+)", line):
            op["permission"] = m.group(1)
        elif m := re.fullmatch(r"      x-per-(minute|day): (\d+)", line):
            op["per" + m.group(1).capitalize()] = int(m.group(2))
        elif line == "      x-concurrent-per-key: 5":
            op["keyLimit"] = True
        elif line == "      x-needs-proof: true":
            op["proved"] = True
        elif line == "      x-all-rows-only: true":
            op["allRows"] = True
        elif line == "      x-loopback-only: true":
            op["loopback"] = True
        elif m := re.fullmatch(r"      x-body-max-bytes: (\d+)", line):
            op["bodyMax"] = int(m.group(1))
        elif m := re.fullmatch(r"      summary: (.*)", line):
            op["doc"] = json.loads(m.group(1))
        elif m := re.fullmatch(r"      security: (.*)", line):
            op["security"] = m.group(1)
        elif m := re.match(r"        - \{name: (\w+), in: path", line):
            op["params"].add(m.group(1))
        elif m := re.match(r"        '(\d+)':", line):
            op["codes"].add(int(m.group(1)))
    return out


def test_every_route_is_there_and_no_other():
    equal(set(operations()), {(r["method"], r["path"].replace("+}", "}")) for r in routes()})


def test_permissions_limits_and_codes_agree():
    ops = operations()
    for r in routes():
        at = (r["method"], r["path"].replace("+}", "}"))
        op = ops[at]
        for name in ("permission", "perMinute", "perDay", "bodyMax", "doc"):
            equal(op[name], r[name], f"{at} {name}")
        equal(op["codes"], {int(c) for c in r["codes"].split()}, f"{at} codes")
        equal(op["keyLimit"], "keyLimit" in r["flags"], f"{at} keyLimit")
        equal(op["loopback"], "loopback" in r["flags"], f"{at} loopback")
        equal(op["proved"], "proved" in r["flags"], f"{at} proved")
        equal(op["allRows"], "allRows" in r["flags"], f"{at} allRows")
        equal(op["params"], set(re.findall(r"\{(\w+)\}", at[1])), f"{at} parameters")
        private = r["permission"] != "public"
        equal("clientId" in op["security"], private and "token" in r["flags"], f"{at} token")
        equal("session" in op["security"], private and "session" in r["flags"], f"{at} session")


def schemas():
    out, name, inside = {}, None, False
    for line in FILE.read_text().splitlines():
        if line == "  schemas:":
            inside = True
        elif inside and (m := re.fullmatch(r"    (\w+):", line)):
            name, out[m.group(1)] = m.group(1), {}
        elif inside and (m := re.fullmatch(r"      (\w+): (.*)", line)):
            out[name][m.group(1)] = flow(m.group(2))
        elif inside and line == "      properties:":
            out[name]["properties"] = {}
        elif inside and (m := re.fullmatch(r"        (\w+): (.*)", line)):
            out[name]["properties"][m.group(1)] = flow(m.group(2))
    return out


TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
         "null": type(None)}


def fits(value, schema, every, at):
    if "$ref" in schema:
        schema = every[schema["$ref"].rsplit("/", 1)[1]]
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        check(any(isinstance(value, TYPES[k]) and not (k in ("integer", "number") and isinstance(value, bool))
                  for k in kinds), at, "is", type(value).__name__, "not", kinds)
    if "enum" in schema:
        check(value in schema["enum"], at, "is", value)
    if isinstance(value, dict):
        for name in schema.get("required", []):
            check(name in value, at, "has no", name)
        for name, v in value.items():
            if name in schema.get("properties", {}):
                fits(v, schema["properties"][name], every, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, v in enumerate(value[:50]):
            fits(v, schema["items"], every, f"{at}[{i}]")


def test_answers_fit_their_schemas():
    every, k, b = schemas(), key(), browser()
    date = {"relativeRange": "last30Days", "type": "day"}
    ask = [("V1Views", k.get(server(), "/v1/view")), ("V1Keys", k.get(server(), "/v1/megabill/query-language/keys")),
           ("V1Values", k.get(server(), "/v1/megabill/query-language/values/AWS/service")),
           ("V2Keys", k.get(server(), "/v2/query-language/keys")),
           ("V2Values", k.get(server(), "/v2/query-language/values/AWS/service")),
           ("QueryId", k.post(server(), "/v2/data/cost-usage/generate-query", {
               "date": {"unixTimeMillisecondsStart": millis(FIRST), "unixTimeMillisecondsEnd": millis(TODAY)},
               "timeInterval": {"interval": "day"}, "measurements": [{"type": "netAmortizedCost"}]})),
           ("CostFiltersAnswer", k.post(server(), "/cost-service/filters", {"date": date, "includeValues": True})),
           ("CostAnswer", k.post(server(), "/cost-service/cost", {"date": date})),
           ("Units", k.post(server(), "/cost-service/usage-unit-types", {"date": date})),
           ("Session", b.get("/api/session")), ("Answer", b.post("/api/query", {"date": date, "previous": True})),
           ("Rows", b.post("/api/rows", {"date": date})), ("Keys", b.get("/api/keys")),
           ("Values", b.post("/api/values", {"costCenter": "AWS", "key": "service"})), ("Views", b.get("/api/views")),
           ("Sources", b.get("/api/sources")), ("Loads", b.get("/api/loads")), ("Load", b.get("/api/loads/1")),
           ("Jobs", b.get("/api/jobs")), ("Tokens", b.get("/api/tokens")), ("Roles", b.get("/api/roles")),
           ("Health", server().ask("GET", "/healthz")), ("Error", k.get(server(), "/v1/nope"))]
    for name, answer in ask:
        check(answer.status in (200, 404), name, answer.status, answer.body[:200])
        fits(json.loads(answer.body), every[name], every, name)
