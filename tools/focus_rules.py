#!/usr/bin/env python3
"""focus_rules.py MODEL.json CURRENCIES.csv OUT.c: compiles the FOCUS Foundation's rule model into C tables.

A rule of the model is a condition and a requirement over one row. Rules refer to each other: what a composite
asks of its members becomes part of each member's condition, and members that stand under an OR are folded into it,
so that what comes out is a flat list. Rules without anything a machine could look at are only counted.
"""
import csv
import json
import sys

OPS = {"AND": "AND", "OR": "OR", "ColumnPresent": "PRESENT", "CheckValue": "VALUE", "CheckNotValue": "NOT_VALUE",
       "CheckSameValue": "SAME", "CheckNotSameValue": "NOT_SAME", "CheckDecimalValue": "DECIMAL",
       "TypeDecimal": "DECIMAL", "CheckGreaterOrEqualThanValue": "AT_LEAST", "CheckNationalCurrency": "CURRENCY",
       "FormatCurrency": "CURRENCY", "FormatNumeric": "NUMERIC", "TypeDateTime": "TIME", "FormatDateTime": "TIME_FORMAT",
       "FormatKeyValue": "KEY_VALUE", "ColumnByColumnEqualsColumnValue": "PRODUCT", "CheckDistinctCount": "ONE_EACH"}
# Every text is one; a unit's spelling is advice with an open list: nothing to look at.
NOTHING = {"TypeString", "FormatString", "FormatUnit"}
# What the model calls dynamic and gives no check for, though rows say it (billing-formats.md 2.2).
MORE = [("EffectiveCost-C-010-C",
         {"CheckFunction": "OR", "Items": [{"CheckFunction": "CheckValue", "ColumnName": "ChargeCategory", "Value": v}
                                           for v in ("Credit", "Adjustment")]},
         {"CheckFunction": "CheckSameValue", "ColumnAName": "EffectiveCost", "ColumnBName": "BilledCost"})]
# Conditions that the model's text has and its check lacks: a purchase that covers later charges names its commitment.
NARROWER = {"EffectiveCost-C-005-C": {"CheckFunction": "CheckNotValue", "ColumnName": "CommitmentDiscountId", "Value": None}}


def text(s):
    return "NULL" if s is None else json.dumps(s, ensure_ascii=True)


def as_check(c):
    """A condition; two of the model's are spelled {"AND": check or checks}."""
    if not c or "CheckFunction" in c:
        return c or None
    return {"CheckFunction": "AND", "Items": c["AND"] if isinstance(c["AND"], list) else [c["AND"]]}


def both(x, y):
    return x if not y else y if not x else {"CheckFunction": "AND", "Items": [x, y]}


class Compiler:
    def __init__(self, model):
        self.rules, self.nodes, self.out, self.unchecked = model["ModelRules"], [], [], 0
        self.folded = set()
        for r in self.rules.values():
            self.fold(r["ValidationCriteria"]["Requirement"], False)
        self.parents = {}
        for name, r in self.rules.items():
            for member in self.members(r["ValidationCriteria"]["Requirement"]):
                self.parents.setdefault(member, []).append(name)

    def fold(self, q, under):
        if q.get("CheckFunction") == "CheckModelRule" and under:
            self.folded.add(q["ModelRuleId"])
        for i in q.get("Items", []):
            self.fold(i, under or q["CheckFunction"] == "OR")

    def members(self, q):
        if q.get("CheckFunction") == "AND":
            for i in q["Items"]:
                if i["CheckFunction"] == "CheckModelRule":
                    yield i["ModelRuleId"]

    def inherited(self, name, key, seen=()):
        """What a rule's composites say besides: conditions, criteria."""
        got = []
        for p in self.parents.get(name, []):
            if p not in seen:
                r = self.rules[p]
                own = as_check(r["ValidationCriteria"]["Condition"]) if key == "condition" else r["ApplicabilityCriteria"]
                got += own if key == "criteria" else [own] if own else []
                got += self.inherited(p, key, seen + (name,))
        return got

    def node(self, op, a=None, b=None, c=None, kids=0, number=False):
        self.nodes.append(f"    {{FA_RULE_{op}, {kids}, {str(number).lower()}, {text(a)}, {text(b)}, {text(c)}}},")

    def put(self, q):
        """Writes a check in prefix order."""
        f = q["CheckFunction"]
        if f == "CheckModelRule":
            v = self.rules[q["ModelRuleId"]]["ValidationCriteria"]
            return self.put(v["Requirement"]) if v["Requirement"] else self.node("AND")
        if f in NOTHING:
            return self.node("AND")
        op, column = OPS[f], q.get("ColumnName") or q.get("CheckCondition")
        if f in ("AND", "OR"):
            self.node(op, kids=len(q["Items"]))
            for i in q["Items"]:
                self.put(i)
        elif "Value" in q:
            v = q["Value"]
            number = isinstance(v, (int, float)) and not isinstance(v, bool)
            self.node(op, column, None if v is None else str(v), number=number or op == "AT_LEAST")
        elif f == "CheckDistinctCount":
            if q["ExpectedCount"] != 1:
                raise SystemExit(f"CheckDistinctCount of {q['ExpectedCount']} is new")
            self.node(op, q["ColumnAName"], q["ColumnBName"])
        else:
            self.node(op, q.get("ColumnAName") or column, q.get("ColumnBName"), q.get("ResultColumnName"))

    def says(self, q):
        """Is there anything in it to look at?"""
        f = q.get("CheckFunction")
        if f in ("AND", "OR"):
            return any(self.says(i) for i in q["Items"])
        if f == "CheckModelRule":
            return self.says(self.rules[q["ModelRuleId"]]["ValidationCriteria"]["Requirement"])
        return bool(f) and f not in NOTHING

    def rule(self, name, r, condition, requirement):
        v = r["ValidationCriteria"]
        for c in self.inherited(name, "condition"):
            condition = both(c, condition)
        criteria = sorted(set(r["ApplicabilityCriteria"]) | set(self.inherited(name, "criteria")))
        at = [-1, -1]
        for i, q in enumerate((condition, requirement)):
            if q:
                at[i] = len(self.nodes)
                self.put(q)
        # What a row only suggests (is this credit unrelated to other charges?) is advice.
        level = "FA_RULE_MUST" if v["Keyword"].startswith("MUST") and r["Type"] == "Static" else "FA_RULE_SHOULD"
        column = r["Reference"]
        if requirement["CheckFunction"] == "ColumnPresent":
            column = requirement["ColumnName"]
        self.out.append(f"    {{{text(name)}, {text(column)}, {level}, {text(' '.join(criteria))}, {at[0]}, {at[1]},\n"
                        f"     {text(v['MustSatisfy'])}}},")

    def run(self):
        for name, r in self.rules.items():
            v = r["ValidationCriteria"]
            q = v["Requirement"]
            if name in self.folded or r["Status"] != "Active" or v["Keyword"] == "MAY":
                continue
            if q.get("CheckFunction") == "AND" and all(i["CheckFunction"] == "CheckModelRule" for i in q["Items"]):
                continue  # its members are rules themselves
            if not q or not self.says(q):
                self.unchecked += name not in {m[0] for m in MORE} and r["Function"] != "Composite"
                continue
            self.rule(name, r, both(as_check(v["Condition"]), NARROWER.get(name)), q)
        for name, condition, requirement in MORE:
            self.rule(name, self.rules[name], condition, requirement)


def main():
    model, currencies, out = sys.argv[1:]
    with open(model, encoding="utf-8") as f:
        c = Compiler(json.load(f))
    c.run()
    pairs = [[i["Value"] for i in pair["Items"]]
             for pair in c.rules["ServiceSubcategory-C-004-M"]["ValidationCriteria"]["Requirement"]["Items"]]
    with open(currencies, encoding="utf-8", newline="") as f:
        codes = [row[1] for row in csv.reader(f)][1:]
    with open(out, "w", encoding="utf-8") as f:
        f.write("/* made by tools/focus_rules.py from the FOCUS rule model (MIT, FinOps Foundation) */\n"
                '#include "validate/inner.h"\n\nconst fa_rule_node fa_rule_nodes[] = {\n' + "\n".join(c.nodes) +
                "\n};\n\nconst fa_rule fa_rules[] = {\n" + "\n".join(c.out) +
                f"\n}};\nconst size_t fa_nrules = {len(c.out)};\nconst size_t fa_rules_unchecked = {c.unchecked};\n\n"
                "const char *const fa_rule_currencies[] = {" + ", ".join(text(x) for x in codes if x) + ", NULL};\n\n"
                "const char *const fa_focus_services[][2] = {\n" +
                "".join(f"    {{{text(category)}, {text(sub)}}},\n" for sub, category in pairs) + "    {NULL, NULL},\n};\n")


main()
