"""bench/rules.txt as one virtual tag for Farthing and as one CASE for DuckDB, from the same tree.

A rule's prefixes and patterns become what a tag can say: contains, which ignores case, with every alternative of a
pattern spelled out. So both sides are asked exactly the same, and the answers can be compared byte by byte.
"""
import itertools
import json
import re

KEYS = {"ResourceId": ("resource_id", "resource"), "ServiceName": ("service", "billing_dimension"),
        "RegionId": ("region", "billing_dimension"), "SubAccountName": ("sub_account_name", "billing_dimension"),
        "ChargeCategory": ("charge_category", "billing_dimension"),
        "ServiceCategory": ("service_category", "billing_dimension"),
        **{f"{{{t}}}": (t, "tag") for t in ("team", "env", "app")}}
TOKEN = re.compile(r"\s*(AND\b|OR\b|NOT\b|IN\b|=|\(|\)|,|'(?:[^']|'')*'|\{\w+\}|\w+)")


class Reader:
    """expr = term {OR term}; term = factor {AND factor}; factor = NOT factor | ( expr ) | condition."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(text)
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, want=None):
        t = self.peek()
        if want and t != want:
            raise ValueError(f"{want} expected, not {t}: {self.tokens}")
        self.at += 1
        return t

    def many(self, word, part):
        kids = [part()]
        while self.peek() == word:
            self.take()
            kids.append(part())
        return kids[0] if len(kids) == 1 else (word, kids)

    def expr(self):
        return self.many("OR", lambda: self.many("AND", self.factor))

    def factor(self):
        if self.peek() == "NOT":
            self.take()
            return negate(self.factor())
        if self.peek() == "(":
            self.take()
            e = self.expr()
            self.take(")")
            return e
        return self.condition()

    def condition(self):
        word = self.take()
        if word == "coalesce":  # coalesce(condition, false): a condition is never unknown here
            self.take("(")
            e = self.expr()
            self.take(",")
            self.take("false")
            self.take(")")
            return e
        if word in ("contains", "starts_with", "regexp_matches"):
            self.take("(")
            key = self.take()
            self.take(",")
            value = text(self.take())
            self.take(")")
            return ("contains", key, alternatives(value) if word == "regexp_matches" else [value])
        if self.take() == "=":
            return ("oneOf", word, [text(self.take())])
        self.take("(")
        values = [text(self.take())]
        while self.peek() == ",":
            self.take()
            values.append(text(self.take()))
        self.take(")")
        return ("oneOf", word, values)


def text(token):
    return token[1:-1].replace("''", "'")


def negate(e):
    return ("notContains" if e[0] == "contains" else "notOneOf", e[1], e[2])


def alternatives(pattern):
    """(a|b) gives two texts; a class or a count at an end is left off."""
    pattern = re.sub(r"^\[[^]]*\]|\[[^]]*\](\{\d+\})?$", "", pattern)
    parts = [p[1:-1].split("|") if p.startswith("(") else [p] for p in re.findall(r"\([^)]*\)|[^(]+", pattern)]
    return ["".join(p) for p in itertools.product(*parts)]


def sql_text(v):
    return "'" + v.replace("'", "''") + "'"


def sql(e):
    if e[0] in ("AND", "OR"):
        return "(" + f" {e[0]} ".join(sql(k) for k in e[1]) + ")"
    column = "tag_" + e[1][1:-1] if e[1].startswith("{") else e[1]
    if "ontains" in e[0]:
        inner = " OR ".join(f"contains(lower({column}), lower({sql_text(v)}))" for v in e[2])
    else:
        inner = f"{column} IN ({', '.join(map(sql_text, e[2]))})"
    return ("NOT " if e[0].startswith("not") else "") + f"coalesce({inner}, false)"


def filters(e):
    if e[0] in ("AND", "OR"):
        return {e[0]: [filters(k) for k in e[1]]}
    key, kind = KEYS[e[1]]
    return {"costCenter": "Global", "key": key, "type": kind, "operator": e[0], "value": e[2]}


def read(path):
    return [Reader(line).expr() for line in path.read_text().splitlines() if line]


def document(rules):
    return json.dumps({"id": "00000000-0000-4000-8000-000000000003", "name": "Bench", "kind": "rules", "defaultValue": "Untagged",
                       "rules": [{"to": f"rule {i}", "filters": filters(e)} for i, e in enumerate(rules)]})


def case(rules):
    return "CASE " + " ".join(f"WHEN {sql(e)} THEN 'rule {i}'" for i, e in enumerate(rules)) + " ELSE 'Untagged' END"
