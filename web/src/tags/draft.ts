/*
 * draft.ts - a virtual tag while it is edited: rules with ids of their own, days instead of moments.
 *
 * The document counts time in milliseconds and ends a time frame before its `to`; people name the last
 * day. `fromDocument` and `toDocument` are inverse on every finished draft.
 */
import { addDays, isDay, longDay, type Day } from '../lib/day';
import { canonical, filterText, isAnd, isLeaf, isOr, keyLabel, leafCount, valuesOf } from '../lib/question';
import type { Filter, KeyInfo, KeyRef } from '../lib/types';
import type { Rule, TagDocument, To } from './types';

export interface DraftRule {
    id: number;
    to: To;
    filter: Filter | null;
    /** Matches every line; only documents from elsewhere have such rules. */
    everything: boolean;
    from: Day | '';
    until: Day | '';
    disableRename: boolean;
    /** Conditions that are begun and not finished. */
    unfinished: number;
}
export type Draft = Omit<TagDocument, 'rules'> & { rules: DraftRule[] };

let next = 1;
export const RULES_MAX = 1000;
export const RULES_MANY = 200;

const day = (ms: number): Day => new Date(ms).toISOString().slice(0, 10);
const midnight = (d: Day): number => Date.parse(d + 'T00:00:00Z');
export const filterOf = (f: Filter | Record<string, never> | null | undefined): Filter | null =>
    f && (isAnd(f as Filter) || isOr(f as Filter) || 'key' in f) && leafCount(f as Filter) > 0 ? (f as Filter) : null;

export function fromRule(r: Rule): DraftRule {
    const filter = filterOf(r.filters);
    return {
        id: next++, to: r.to, filter, everything: filter === null, unfinished: 0,
        from: r.timeframe?.from ? day(r.timeframe.from) : '', // 0 is how an open start is sent
        until: r.timeframe?.to != null ? addDays(day(r.timeframe.to), -1) : '',
        disableRename: r.disableRename ?? false,
    };
}
export const newRule = (): DraftRule => ({ id: next++, to: '', filter: null, everything: false, from: '', until: '', disableRename: false, unfinished: 1 });
export const copyRule = (r: DraftRule): DraftRule => ({ ...r, id: next++ });

export function toRule(r: DraftRule): Rule {
    const to = typeof r.to === 'string' ? r.to.trim() : r.to;
    const timeframe = r.from || r.until ? { ...(r.from ? { from: midnight(r.from) } : { from: 0 }), ...(r.until ? { to: midnight(addDays(r.until, 1)) } : {}) } : null;
    return { to, filters: r.filter ?? {}, ...(timeframe ? { timeframe } : {}), ...(r.disableRename ? { disableRename: true } : {}) };
}

export const fromDocument = (d: TagDocument): Draft => ({ ...d, rules: (d.rules ?? []).map(fromRule), allocations: d.allocations ?? [] });
const READ_ONLY = ['createdBy', 'updatedBy', 'createdAt', 'updatedAt', 'liveVersion', 'stagedVersion', 'predefined'] as const;
/** The document as it is sent; `rules` may be fewer than the draft's. */
export function toDocument(d: Draft, rules: DraftRule[] = d.rules): TagDocument {
    const doc = { ...d, name: d.name.trim(), rules: rules.map(toRule), defaultValue: typeof d.defaultValue === 'string' ? d.defaultValue.trim() : d.defaultValue };
    for (const k of READ_ONLY) delete doc[k];
    return doc;
}
export const sameDraft = (a: Draft, b: Draft): boolean => JSON.stringify(toDocument(a)) === JSON.stringify(toDocument(b));

export const emptyTo = (t: To): boolean => (typeof t === 'string' ? t.trim() === '' : t.key === '');
/** What a rule still lacks, in words; null when it can be saved. */
export function lacks(r: DraftRule): string | null {
    if (!r.filter && !r.everything) return 'a condition';
    if (emptyTo(r.to)) return 'a value';
    if ((r.from && !isDay(r.from)) || (r.until && !isDay(r.until))) return 'a whole date';
    if (r.from && r.until && r.from > r.until) return 'a last day that is not before the first';
    return null;
}
export const toLabel = (t: To, keys: KeyInfo[] | null): string => (typeof t === 'string' ? t : `value of ${keyLabel(t, keys)}`);
export const frameText = (r: { from: Day | ''; until: Day | '' }): string =>
    r.from && r.until ? `${longDay(r.from)} to ${longDay(r.until)}` : r.from ? `from ${longDay(r.from)}` : r.until ? `until ${longDay(r.until)}` : '';
export const whereText = (r: DraftRule, keys: KeyInfo[] | null): string => (r.filter ? filterText(r.filter, keys) : r.everything ? 'everything' : 'no condition yet');

/** Values that differ in case only: "Prod" and "prod" are two values. */
export function caseTwins(d: Draft): string[][] {
    const by = new Map<string, Set<string>>();
    for (const t of [d.defaultValue, ...d.rules.map((r) => r.to)]) {
        if (typeof t !== 'string' || !t.trim()) continue;
        const v = t.trim();
        const low = v.toLowerCase();
        by.set(low, (by.get(low) ?? new Set()).add(v));
    }
    return [...by.values()].filter((s) => s.size > 1).map((s) => [...s]);
}

/* ---- the finder: by value, by key, by a value in a condition ---- */
export type FindBy = 'all' | 'value' | 'key' | 'filter';
function leaves(f: Filter | null, out: { key: KeyRef; values: string[] }[] = []): { key: KeyRef; values: string[] }[] {
    if (!f) return out;
    if (isLeaf(f)) out.push({ key: f, values: valuesOf(f) });
    else for (const k of isAnd(f) ? f.AND : f.OR) leaves(k, out);
    return out;
}
export function finds(r: DraftRule, by: FindBy, search: string, keys: KeyInfo[] | null): boolean {
    const s = search.trim().toLowerCase();
    if (!s) return true;
    const has = (t: string): boolean => t.toLowerCase().includes(s);
    const l = leaves(r.filter);
    const value = (): boolean => has(toLabel(r.to, keys));
    const key = (): boolean => l.some((x) => has(keyLabel(x.key, keys)) || has(x.key.key));
    const filter = (): boolean => l.some((x) => x.values.some(has));
    return by === 'value' ? value() : by === 'key' ? key() : by === 'filter' ? filter() : value() || key() || filter();
}

/* ---- the difference of two documents ---- */
export interface Change {
    kind: 'added' | 'removed' | 'moved' | 'changed' | 'field';
    what: string;
    before: string | null;
    after: string | null;
}
const ruleText = (r: Rule, keys: KeyInfo[] | null): string => {
    const d = fromRule(r);
    const frame = frameText(d);
    return `${whereText(d, keys)} → ${toLabel(r.to, keys)}${frame ? ` (${frame})` : ''}`;
};
const normal = (r: Rule): string => JSON.stringify(r, (k, v: unknown) => (k === 'operator' && typeof v === 'string' ? canonical(v) : v));
/** What has to be done to `a` to get `b`, rule by rule. */
export function difference(a: TagDocument, b: TagDocument, keys: KeyInfo[] | null): Change[] {
    const out: Change[] = [];
    const field = (what: string, x: string, y: string): void => {
        if (x !== y) out.push({ kind: 'field', what, before: x, after: y });
    };
    field('Name', a.name, b.name);
    field('Default value', toLabel(a.defaultValue, keys), toLabel(b.defaultValue, keys));
    field('Category', a.category ?? '', b.category ?? '');
    const ra = a.rules ?? [];
    const rb = b.rules ?? [];
    const at = new Map<string, number[]>();
    ra.forEach((r, i) => at.set(normal(r), [...(at.get(normal(r)) ?? []), i]));
    const pair = rb.map((r) => at.get(normal(r))?.shift() ?? -1);
    const used = new Set(pair);
    const gone = ra.map((_, i) => i).filter((i) => !used.has(i));
    const kept = longestRise(pair.filter((i) => i >= 0));
    rb.forEach((r, i) => {
        const from = pair[i] as number;
        if (from >= 0) {
            if (!kept.has(from)) out.push({ kind: 'moved', what: `Rule ${from + 1} is now rule ${i + 1}`, before: null, after: ruleText(r, keys) });
            return;
        }
        // A rule in the same place, or with the same value, has been changed rather than replaced.
        const old = gone.findIndex((g) => g === i || JSON.stringify((ra[g] as Rule).to) === JSON.stringify(r.to));
        if (old >= 0) {
            const [g] = gone.splice(old, 1);
            out.push({ kind: 'changed', what: `Rule ${i + 1}`, before: ruleText(ra[g as number] as Rule, keys), after: ruleText(r, keys) });
        } else out.push({ kind: 'added', what: `Rule ${i + 1}`, before: null, after: ruleText(r, keys) });
    });
    for (const g of gone) out.push({ kind: 'removed', what: `Rule ${g + 1}`, before: ruleText(ra[g] as Rule, keys), after: null });
    for (const part of ['allocations', 'dictionary', 'relation', 'hierarchy'] as const) {
        const x = JSON.stringify(a[part] ?? null);
        const y = JSON.stringify(b[part] ?? null);
        const none = (s: string): boolean => s === 'null' || s === '[]';
        if (x !== y && !(none(x) && none(y))) out.push({ kind: 'field', what: part === 'allocations' ? 'Reallocation' : part.charAt(0).toUpperCase() + part.slice(1), before: none(x) ? '' : x, after: none(y) ? '' : y });
    }
    return out;
}
/** The numbers that stay in order when as few as possible are moved. */
function longestRise(all: number[]): Set<number> {
    const tails: number[] = [];
    const before = all.map(() => -1);
    all.forEach((v, i) => {
        let lo = 0;
        let hi = tails.length;
        while (lo < hi) {
            const m = (lo + hi) >> 1;
            if ((all[tails[m] as number] as number) < v) lo = m + 1;
            else hi = m;
        }
        before[i] = lo > 0 ? (tails[lo - 1] as number) : -1;
        tails[lo] = i;
    });
    const out = new Set<number>();
    for (let i = tails[tails.length - 1] ?? -1; i >= 0; i = before[i] as number) out.add(all[i] as number);
    return out;
}
