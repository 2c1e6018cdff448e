/*
 * result.ts - an answer made ready to show: exact amounts, rows, colours, the finding.
 *
 * Colours belong to values: a value that has one keeps it while the page is open, whatever the order.
 */
import { abs, changePercent, dec, decOr, money, percent, sum, type Dec } from '../lib/dec';
import { addDays, bucketEnd, bucketText, daysBetween, maxDay, minDay, shortDay, type Day } from '../lib/day';
import { valueLabel } from '../lib/question';
import type { Answer, Group, KeyRef, Session } from '../lib/types';

export interface Row {
    id: string;
    values: string[];
    label: string;
    total: Dec;
    previous: Dec | null;
    /** What previous is held against: the total of complete days. */
    compared: Dec;
    cells: Dec[];
    isOthers: boolean;
    others: number;
    /** Its own cost and what was reallocated to it; null when that was not asked. */
    direct: Dec | null;
    shared: Dec | null;
    currency: string;
    colour: number; // 1 to 8; 0 is the grey of the rest
}
export interface Result {
    answer: Answer;
    by: KeyRef[];
    granularity: string;
    currency: string;
    rows: Row[];
    /** Groups are in several currencies: each adds up by itself, total and cells are nothing. */
    mixed: boolean;
    total: Dec;
    previous: Dec | null;
    compared: Dec;
    cells: Dec[];
    /** What the rows add up to; differs from the total when others are left out. */
    shown: Dec;
    /** Last day of which everything is known; days after it are partial. */
    completeTo: Day | null;
    partial: boolean[];
}

export const SERIES = 8;
const OTHERS = '\u0000others';
const colours = new Map<string, Map<string, number>>();

function colour(by: string, ids: string[]): Map<string, number> {
    let known = colours.get(by);
    if (!known) colours.set(by, (known = new Map()));
    const taken = new Set<number>();
    const out = new Map<string, number>();
    for (const id of ids) {
        const c = known.get(id);
        if (c !== undefined && !taken.has(c)) {
            out.set(id, c);
            taken.add(c);
        }
    }
    for (const id of ids) {
        if (out.has(id)) continue;
        let c = 1;
        while (taken.has(c)) c++;
        out.set(id, c);
        taken.add(c);
        known.set(id, c);
    }
    return out;
}

export function groupLabel(g: Group, by: KeyRef[]): string {
    if (g.isOthers) return g.others === 1 ? '1 other' : `${g.others} others`;
    if (by.length === 0) return 'Total';
    return g.values.map((v, i) => valueLabel(v, by[i])).join(' · ');
}

export function result(answer: Answer, by: KeyRef[], granularity: string, session: Session): Result {
    const ids = answer.groups.map((g) => (g.isOthers ? OTHERS : JSON.stringify(g.values)));
    const named = ids.filter((id) => id !== OTHERS).slice(0, SERIES);
    const paint = colour(JSON.stringify(by), named);
    const currency = answer.currency || session.account.currency;
    const mixed = answer.total.total === null;
    const rows = answer.groups.map((g, i): Row => ({
        id: ids[i] as string,
        values: g.values,
        label: groupLabel(g, by),
        total: dec(g.total),
        previous: decOr(g.previous),
        compared: decOr(g.compared) ?? dec(g.total),
        cells: g.cells.map(dec),
        isOthers: g.isOthers,
        others: g.others,
        direct: decOr(g.direct),
        shared: decOr(g.shared),
        currency: g.currency || currency,
        colour: paint.get(ids[i] as string) ?? 0,
    }));
    // The running day is never complete, and nothing is after the last day known.
    const yesterday = addDays(session.today, -1);
    const known = answer.completeTo ?? answer.knownTo ?? session.knownTo;
    const completeTo = known ? minDay(known, yesterday) : null;
    return {
        answer, by, granularity,
        currency,
        rows,
        mixed,
        total: decOr(answer.total.total) ?? 0n,
        previous: decOr(answer.total.previous),
        compared: decOr(answer.total.compared) ?? decOr(answer.total.total) ?? 0n,
        cells: answer.total.cells.map((c) => decOr(c) ?? 0n),
        shown: mixed ? 0n : sum(rows.map((r) => r.total)),
        completeTo,
        partial: answer.buckets.map((b) => completeTo === null || bucketEnd(b, granularity, answer.range.to) > completeTo),
    };
}

/** The days an average is taken over: complete, with bills, inside the range. */
export function completeDays(r: Result, session: Session): { from: Day; to: Day; days: number } | null {
    if (!r.completeTo) return null;
    const from = session.firstDay ? maxDay(r.answer.range.from, session.firstDay) : r.answer.range.from;
    const to = minDay(r.answer.range.to, r.completeTo);
    return from <= to ? { from, to, days: daysBetween(from, to) } : null;
}
/** The cost of those days, when this answer can tell; null: it has to be asked for. */
export function completeCost(r: Result, span: { from: Day; to: Day }): Dec | null {
    if (span.to >= r.answer.range.to) return r.total;
    if (r.granularity !== 'day' && r.granularity !== 'hour') return null;
    return sum(r.cells.filter((_, i) => (r.answer.buckets[i] as string).slice(0, 10) <= span.to));
}

export interface Finding {
    strong: string;
    rest: string;
}
/** One true sentence about the picture: the largest mover against the previous period, else the largest share. */
export function finding(r: Result): Finding {
    const named = r.rows.filter((x) => !x.isOthers);
    if (r.rows.length === 0) return { strong: 'No cost', rest: ' in these days.' };
    if (r.mixed) return { strong: 'Each amount is in the currency of its bill', rest: ': they have no total and no common picture.' };
    if (r.previous !== null && r.by.length > 0 && named.length > 0) {
        const moved = named.filter((x) => x.previous !== null).map((x) => ({ x, d: x.compared - (x.previous as Dec) }));
        const top = moved.reduce<(typeof moved)[number] | null>((m, c) => (m === null || abs(c.d) > abs(m.d) ? c : m), null);
        if (top && top.d !== 0n) {
            const p = changePercent(top.x.compared, top.x.previous as Dec);
            const all = r.compared - r.previous;
            const rest = all - top.d;
            const verb = p === 'New' ? 'is new with' : top.d > 0n ? 'rose' : 'fell';
            const by = p === 'New' ? money(top.x.compared, r.currency) : `${p.replace('\u2212', '')} (${money(abs(top.d), r.currency)})`;
            const level = abs(rest) * 100n < abs(r.previous) * 1n;
            const peak = top.d > 0n ? peakOf(top.x, r) : null;
            const others = r.rows.length === 1 ? '.' : level ? '; the rest is level.' : `; the rest ${rest > 0n ? 'rose' : 'fell'} ${money(abs(rest), r.currency)}.`;
            return { strong: `${top.x.label} ${verb} ${by}`, rest: (peak ? `, most of it ${peak}` : '') + others };
        }
    }
    if (r.by.length > 0 && named.length > 1 && r.total !== 0n) {
        const first = named[0] as Row;
        return { strong: `${first.label} is ${percent(first.total, r.total) ?? ''} of the cost`, rest: `, the largest of ${r.answer.groupCount}.` };
    }
    if (r.cells.length > 1) {
        let at = 0;
        r.cells.forEach((c, i) => {
            if (c > (r.cells[at] as Dec)) at = i;
        });
        return { strong: `The highest is ${money(r.cells[at] as Dec, r.currency)}`, rest: `, on ${shortDay((r.answer.buckets[at] as string).slice(0, 10))}.` };
    }
    return { strong: money(r.total, r.currency), rest: ' in these days.' };
}

/** The bucket that holds more than half of a row's cost, in words; null when there is none. */
function peakOf(x: Row, r: Result): string | null {
    if (x.cells.length < 4) return null;
    const at = x.cells.findIndex((c) => c * 2n > x.total);
    if (at < 0) return null;
    const text = bucketText(r.answer.buckets[at] as string, r.granularity);
    return r.granularity === 'day' || r.granularity === 'hour' ? `on ${text}` : r.granularity === 'week' ? `in the week of ${text}` : `in ${text}`;
}

export type SortKey = 'name' | 'cost' | 'previous' | 'change' | 'percent';
export function sorted(r: Result, sort: string): Row[] {
    if (!sort) return r.rows;
    const down = sort.startsWith('-');
    const key = sort.replace('-', '') as SortKey;
    const compare = (a: Dec, b: Dec): number => (a < b ? -1 : a > b ? 1 : 0);
    const ratio = (x: Row): number => (x.previous === null ? 0 : x.previous === 0n ? (x.compared === 0n ? 0 : Infinity) : Number(((x.compared - x.previous) * 1_000_000n) / abs(x.previous)));
    const by: Record<SortKey, (a: Row, b: Row) => number> = {
        name: (a, b) => a.label.localeCompare(b.label, 'en', { numeric: true }),
        cost: (a, b) => compare(a.total, b.total),
        previous: (a, b) => compare(a.previous ?? 0n, b.previous ?? 0n),
        change: (a, b) => compare(a.compared - (a.previous ?? 0n), b.compared - (b.previous ?? 0n)),
        percent: (a, b) => ratio(a) - ratio(b) || 0,
    };
    const named = r.rows.filter((x) => !x.isOthers).sort((a, b) => (down ? -1 : 1) * by[key](a, b));
    return [...named, ...r.rows.filter((x) => x.isOthers)];
}
