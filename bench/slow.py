"""The independent evaluator of FinBench: a bill read row by row from CSV, rules and reallocation by test/api/naive.py, sums in exact numbers.

Nothing of Farthing and no SQL engine takes part in the sums. Days are shared out to processes.
"""
import concurrent.futures
import csv
import decimal
import functools
import os
import pathlib
import sys
from fractions import Fraction

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parent.parent / "test/api"))
import naive  # noqa: E402

decimal.getcontext().prec = 60
FOREVER = 10 ** 6
POOLS = (("Shared network", "Networking"), ("Shared operations", "Management and Governance"), ("Shared security", "Security"))
FIXED = (("payments", 35), ("checkout", 30), ("search", 20), ("catalog", 15))
# bill column -> the column's name here
COLUMNS = {"day": "strftime(ChargePeriodStart, '%Y-%m-%d')", "ServiceName": "ServiceName", "ServiceCategory": "ServiceCategory", "ResourceId": "ResourceId",
           "RegionId": "RegionId", "SubAccountName": "SubAccountName", "ChargeCategory": "ChargeCategory", "{team}": "tag_team", "{env}": "tag_env",
           "{app}": "tag_app", "BilledCost": "BilledCost", "EffectiveCost": "EffectiveCost", "ListCost": "ListCost"}
COSTS = ("BilledCost", "BilledCost", "EffectiveCost", "EffectiveCost", "ListCost")  # Q6's five


def condition(e):
    """A rule's tree (tagrules.py) as naive.py has it."""
    return naive.Group(e[0], [condition(k) for k in e[1]]) if e[0] in ("AND", "OR") else naive.Leaf(e[1], e[0], e[2])


def rule_tag(rules):
    return naive.Tag("rules", [(condition(e), f"rule {i}", 0, FOREVER) for i, e in enumerate(rules)])


def pool_tag(points):
    """Q4: three pools, each falling on the teams and on the pools after it. points: {day: [(None, target, amount)]}."""
    names = [n for n, _ in POOLS]
    entry = lambda kind, source, **more: {"kind": kind, "source": source, "active": True, "targets": [], "basis": None, "join": None, **more}
    return naive.Tag("pools", [*((naive.Leaf("ServiceCategory", "oneOf", [c]), n, 0, FOREVER) for n, c in POOLS),
                               (naive.Leaf("{team}", "exists"), ("key", "{team}"), 0, FOREVER)],
                     entries=[entry("proportional", names[0]), entry("metric", names[1], points=points, carry=0),
                              entry("fixed", names[2], shares=[(t, Fraction(p), 0, FOREVER) for t, p in FIXED])])


def reallocated(rows, points):
    """Q4's cells {(day, value): Fraction}; rows of naive.py, days as texts."""
    by_day, out = {}, {}
    for r in rows:
        by_day.setdefault(r["day"], []).append({**r, "day": 1})
    for day, of_day in by_day.items():
        tag = pool_tag({1: points.get(day, [])})
        for (value,), (cost, _) in naive.Naive(of_day).ask([tag], None, [1]).items():
            if cost:
                out[day, value] = cost
    return out


def one_share(path, share, shares, rules, points, teams, q1_from, q4_every):
    """The answers of the days that fall to this share."""
    tag = rule_tag(rules)
    reads = [k for k in COLUMNS if k in ("ServiceName", "ServiceCategory", "ResourceId", "RegionId", "SubAccountName", "ChargeCategory", "{team}", "{env}", "{app}")]

    @functools.lru_cache(1 << 18)
    def value(*texts):
        return tag.first_value(naive.Part(dict(zip(reads, texts)), 0), 1)

    out = {"Q1": {}, "Q3": {}, "Q12": {}, "Q6": {i: decimal.Decimal(0) for i in range(len(COSTS))}}
    pooled, days = [], {}
    with open(path, newline="", encoding="utf-8") as f:
        lines = csv.reader(f)
        names = next(lines)
        for line in lines:
            mine = days.setdefault(line[0], len(days))
            if mine % shares != share:
                continue
            r = dict(zip(names, line))
            cost = decimal.Decimal(r["EffectiveCost"])

            def add(question, text):
                key = (r["day"], text)
                out[question][key] = out[question].get(key, 0) + cost
            if r["day"] >= q1_from:
                add("Q1", r["ServiceName"])
                if r["{team}"] in teams:
                    add("Q12", r["ServiceName"])
            add("Q3", value(*(r[k] for k in reads)))
            for i, c in enumerate(COSTS):
                out["Q6"][i] += decimal.Decimal(r[c])
            if int(r["day"][-2:]) % q4_every == 0:
                pooled.append({"day": r["day"], "cost": Fraction(cost), "ServiceCategory": r["ServiceCategory"], "{team}": r["{team}"]})
    out["Q4"] = reallocated(pooled, points)
    return out


def answers(path, rules, points, teams, q1_from, q4_every):
    """{question: {cell: amount}} of the bill in path; Q4 on the days of each month that q4_every divides."""
    shares = os.cpu_count() or 1
    whole = {"Q1": {}, "Q3": {}, "Q4": {}, "Q12": {}, "Q6": {}}
    with concurrent.futures.ProcessPoolExecutor(shares) as pool:
        for part in pool.map(functools.partial(one_share, shares=shares, rules=rules, points=points, teams=frozenset(teams), q1_from=q1_from,
                                               q4_every=q4_every), [path] * shares, range(shares)):
            for q, cells in part.items():
                for k, v in cells.items():
                    whole[q][k] = whole[q].get(k, 0) + v
    return whole
