"""Reallocation one row at a time, in exact fractions: the reference that answers are held to (inform.md 6, 7).

Nothing here knows of atoms, slices or whole units: every row of the bill becomes parts, every part is split by the
ratio of its day, and a question adds up the parts it selects.
"""
from fractions import Fraction


class Leaf:
    """A condition on a column of the bill (text) or on a Tag."""

    def __init__(self, what, op, values=()):
        self.what, self.op, self.values = what, op, list(values)

    def holds(self, part):
        v = part.value(self.what)
        if self.op in ("exists", "notExists"):
            return bool(v) == (self.op == "exists")
        hit = bool(v) and (v in self.values if self.op in ("oneOf", "notOneOf")
                           else any(x.lower() in v.lower() for x in self.values))
        return hit == (self.op in ("oneOf", "contains"))


class Group:
    def __init__(self, word, kids):
        self.word, self.kids = word, kids

    def holds(self, part):
        return (all if self.word == "AND" else any)(k.holds(part) for k in self.kids)


class Tag:
    """rules: (condition, to, first day, last day); to: a text, ("key", column) or a Tag."""

    def __init__(self, name, rules, default="Untagged", entries=(), relation=None, component=0):
        self.name, self.rules, self.default, self.entries = name, rules, default, list(entries)
        self.relation, self.component = relation, component

    def reads(self):
        out = []
        conditions = [r[0] for r in self.rules] + ([self.relation["scope"]] if self.relation else [])
        while conditions:
            c = conditions.pop()
            if isinstance(c, Group):
                conditions += c.kids
            elif isinstance(c.what, Tag):
                out.append(c.what)
        return out + [r[1] for r in self.rules if isinstance(r[1], Tag)]

    def first_value(self, part, day):
        """Before its entries move anything."""
        if self.relation and part.tuples.get(id(self.relation)):
            return part.tuples[id(self.relation)][self.component] or self.default
        for condition, to, first, last in self.rules:
            if first <= day <= last and condition.holds(part):
                v = to if isinstance(to, str) else part.value(to if isinstance(to, Tag) else to[1])
                return v or self.default
        return self.default


class Part:
    def __init__(self, row, amount):
        self.row, self.amount, self.values, self.tuples, self.shared = row, amount, {}, {}, False

    def value(self, what):
        return self.values[id(what)] if isinstance(what, Tag) else self.row.get(what)

    def piece(self, ratio):
        p = Part(self.row, self.amount * ratio)
        p.values, p.tuples, p.shared = dict(self.values), dict(self.tuples), True
        return p


def telemetry_ratio(points, day, join, carry):
    """points: {day: [(join or None, target, amount)]}; {target: weight} of the last day that has any, or None."""
    for back in range(carry + 1):
        weights = {}
        for j, target, amount in points.get(day - back, ()):
            if (join is None or j == join) and amount > 0:
                weights[target] = weights.get(target, 0) + amount
        if weights:
            return weights
    return None


class Naive:
    def __init__(self, rows):
        """rows: dicts with "day" (a number), "cost" (a Fraction) and columns."""
        self.rows = rows

    def order(self, tags):
        out = []

        def add(t):
            for r in t.reads():
                add(r)
            if t not in out:
                out.append(t)
        for t in tags:
            add(t)
        return out

    def parts(self, day, tags):
        parts = [Part(r, r["cost"]) for r in self.rows if r["day"] == day]
        for t in self.order(tags):
            if t.relation:
                parts = [q for p in parts for q in self.tuples(t.relation, p, day)]
            for p in parts:
                p.values[id(t)] = t.first_value(p, day)
            direct = list(parts)
            for i, e in enumerate(t.entries):
                if e["active"]:
                    ratio_of = self.ratio(t, i, e, day, parts, direct)
                    parts = [q for p in parts for q in self.split(t, e, p, ratio_of)]
        return parts

    def tuples(self, relation, part, day):
        if id(relation) in part.tuples or not relation["scope"].holds(part):
            return [part]
        join = part.value(relation["join"]) or "" if relation["join"] else None
        weights = telemetry_ratio(relation["points"], day, join, 7)
        if not weights:
            return [part]
        total, out = sum(weights.values()), []
        for target, w in weights.items():
            p = part.piece(Fraction(w) / total)
            p.tuples[id(relation)] = target if any(target) else None  # divided once, whoever asks for the next component
            if not any(target):
                p.shared = part.shared
            out.append(p)
        return out

    def ratio(self, tag, i, e, day, parts, direct):
        """A function of a part: {target: weight} or None."""
        before = {x["source"] for x in tag.entries[:i] if x["active"]} | {e["source"]}
        if e["kind"] == "fixed":
            w = {}
            for target, percent, first, last in e["shares"]:
                if first <= day <= last:
                    w[target] = w.get(target, 0) + percent
            if w and sum(w.values()) < 100:
                w[e["source"]] = w.get(e["source"], 0) + 100 - sum(w.values())
            return lambda p: w or None
        if e["kind"] == "metric":
            return lambda p: telemetry_ratio(e["points"], day, (p.value(e["join"]) or "") if e["join"] else None, e["carry"])
        if e["kind"] == "even" and e["targets"]:
            return lambda p: {t: 1 for t in e["targets"]}
        cost = {}
        for p in parts if e["kind"] == "even" else direct:
            v = p.values[id(tag)] if e["kind"] == "even" else tag.first_value(p, day)
            if e.get("basis") is None or e["basis"].holds(p):
                cost[v] = cost.get(v, 0) + p.amount
        allowed = e["targets"] or [v for v in cost if v != tag.default]
        w = {v: (1 if e["kind"] == "even" else c) for v, c in cost.items()
             if v in allowed and v not in before and (c != 0 if e["kind"] == "even" else c > 0)}
        return lambda p: w or None

    def split(self, tag, e, part, ratio_of):
        if part.values[id(tag)] != e["source"]:
            return [part]
        weights = ratio_of(part)
        if not weights:
            return [part]
        total, out = Fraction(sum(weights.values())), []
        for target, w in weights.items():
            p = part.piece(Fraction(w) / total)
            if target == "" or target == e["source"]:
                p.shared = part.shared
            else:
                p.values[id(tag)] = target
            out.append(p)
        return out

    def ask(self, group, condition, days):
        """{(values): [total, shared]} of the parts that the condition lets through."""
        tags = [g for g in group if isinstance(g, Tag)]
        todo = [condition] if condition else []
        while todo:
            c = todo.pop()
            if isinstance(c, Group):
                todo += c.kids
            elif isinstance(c.what, Tag):
                tags.append(c.what)
        out = {}
        for day in days:
            for p in self.parts(day, tags):
                if condition is None or condition.holds(p):
                    cell = out.setdefault(tuple(p.value(g) or "" for g in group), [Fraction(0), Fraction(0)])
                    cell[0] += p.amount
                    cell[1] += p.amount if p.shared else 0
        return out
