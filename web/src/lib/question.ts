/*
 * question.ts - the question and how it is drawn, as one address.
 *
 * The query string is the state: what is not in it is the default. `read` and `write` are inverse on
 * every state, so back, share and bookmark work; a saved view is the same object under a name.
 */
import { isDay, rangeLabel, resolve, spanText, type Day, type Span } from './day';
import type { And, ChartKind, ChartState, DateSpec, Filter, Granularity, KeyInfo, KeyRef, Leaf, Or, Question } from './types';

export interface State {
    question: Question;
    chart: ChartState;
    view: string | null;
}

export const TOP = 8;
/** As many groups as one answer holds; the CSV has all. */
export const TOP_ALL = 1000;
export const KINDS: [ChartKind, string][] = [
    ['bar', 'Bars'],
    ['area', 'Area'],
    ['line', 'Lines'],
    ['pie', 'Pie'],
    ['treemap', 'Treemap'],
];
export const GRANULARITIES: [Granularity, string][] = [
    ['hour', 'Hourly'],
    ['day', 'Daily'],
    ['week', 'Weekly'],
    ['month', 'Monthly'],
    ['quarter', 'Quarterly'],
    ['accumulated', 'Whole period'],
];
export const COST_TYPES: [id: string, label: string, doc: string][] = [
    ['netAmortizedCost', 'Net amortized', 'Commitments spread over their term, after discounts and credits'],
    ['amortizedCost', 'Amortized', 'Commitments spread over their term and matched to the usage they cover'],
    ['netUnblendedCost', 'Net unblended', 'What the invoice says, with discounts on the service they belong to'],
    ['unblendedCost', 'Unblended', 'What the invoice says, upfront fees on the day they were charged'],
    ['blendedCost', 'Blended', 'Usage at the average rate of the organisation'],
    ['listCost', 'List', 'Public on-demand price times usage, before any discount'],
    ['contractedCost', 'Contracted', 'Price of the agreement times usage, before commitments'],
    ['fairShareCost', 'FairShare', 'Amortized, with the discounts of equal usage shared out evenly'],
    ['netFairShareCost', 'Net FairShare', 'Net amortized, with the discounts of equal usage shared out evenly'],
];
/** Those the account offers, and the one at hand in any case. */
export const offeredTypes = (offered: string[], at: string): typeof COST_TYPES => COST_TYPES.filter(([id]) => offered.includes(id) || id === at);
export const costTypeLabel = (id: string): string => COST_TYPES.find(([c]) => c === id)?.[1] ?? id;
export const granularityLabel = (g: string): string => GRANULARITIES.find(([x]) => x === g)?.[1] ?? g;

export const DEFAULT_KEY: KeyRef = { costCenter: 'Global', key: 'service', type: 'billing_dimension' };
export const defaultChart = (): ChartState => ({ kind: 'bar', sort: '', hidden: [], pivot: false });
export function defaultQuestion(costType: string): Question {
    return {
        date: { relativeRange: 'last30Days', type: 'day' },
        costType,
        granularity: 'day',
        groupBy: [DEFAULT_KEY],
        filters: null,
        previous: true,
        top: TOP,
        others: true,
        shared: false,
        currency: '',
    };
}

/* ---- filters ---- */
export const OPERATORS: [id: string, label: string][] = [
    ['oneOf', 'is'],
    ['notOneOf', 'is not'],
    ['contains', 'contains'],
    ['notContains', 'does not contain'],
    ['exists', 'has a value'],
    ['notExists', 'has no value'],
    ['greaterThan', 'is more than'],
    ['lessThan', 'is less than'],
];
const SAME: Record<string, string> = { is: 'oneOf', isNot: 'notOneOf', notIs: 'notOneOf', eq: 'oneOf', equals: 'oneOf', not: 'notOneOf', gt: 'greaterThan', lt: 'lessThan' };
export const canonical = (op: string): string => SAME[op] ?? op;
export const operatorLabel = (op: string): string => OPERATORS.find(([o]) => o === canonical(op))?.[1] ?? op;
export const takesValue = (op: string): boolean => op !== 'exists' && op !== 'notExists';
export const takesMany = (op: string): boolean => takesValue(op) && op !== 'greaterThan' && op !== 'lessThan';

export const isAnd = (f: Filter): f is And => 'AND' in f;
export const isOr = (f: Filter): f is Or => 'OR' in f;
export const isLeaf = (f: Filter): f is Leaf => !isAnd(f) && !isOr(f);
export const valuesOf = (l: Leaf): string[] => (l.value == null ? [] : Array.isArray(l.value) ? l.value : [l.value]);

/** A virtual tag is its id, however its cost center is spelled (virtualTag, Virtual Tags). */
export const sameKey = (a: KeyRef, b: KeyRef): boolean =>
    a.key === b.key && a.type === b.type && (a.type === 'virtual_tag' || a.costCenter.toLowerCase() === b.costCenter.toLowerCase());
export const keyId = (k: KeyRef): string => JSON.stringify([k.costCenter, k.key, k.type]);
export const bareKey = (k: KeyRef): KeyRef => ({ costCenter: k.costCenter, key: k.key, type: k.type });
export const leafOf = (k: KeyRef, operator: string, values: string[]): Leaf =>
    takesValue(operator)
        ? { ...bareKey(k), operator, value: takesMany(operator) ? values : (values[0] ?? '') }
        : { ...bareKey(k), operator };

/** The leaves of a filter that is a plain list of conditions; null when it is a tree. */
export function flat(f: Filter | null): Leaf[] | null {
    if (!f) return [];
    if (isLeaf(f)) return [f];
    if (isAnd(f) && f.AND.every(isLeaf)) return f.AND;
    return null;
}
export const unflat = (leaves: Leaf[]): Filter | null => (leaves.length === 0 ? null : { AND: leaves });
export function leafCount(f: Filter | null): number {
    if (!f) return 0;
    if (isLeaf(f)) return 1;
    return (isAnd(f) ? f.AND : f.OR).reduce((n, x) => n + leafCount(x), 0);
}
/** f and one more condition. A positive condition on the same key with one value replaces nothing: both must hold. */
export function narrow(f: Filter | null, l: Leaf): Filter {
    const leaves = flat(f);
    if (!leaves) return { AND: [f as Filter, l] };
    const twin = leaves.findIndex((x) => sameKey(x, l) && canonical(x.operator) === l.operator);
    if (twin < 0) return { AND: [...leaves, l] };
    const next = [...leaves];
    const old = valuesOf(next[twin] as Leaf);
    const add = valuesOf(l);
    if (l.operator === 'oneOf') next[twin] = { ...l, value: add };
    else if (l.operator === 'notOneOf') next[twin] = { ...l, value: [...old, ...add.filter((v) => !old.includes(v))] };
    return { AND: next };
}

function parseFilter(j: unknown, depth = 0, keys?: KeyInfo[]): Filter | null {
    if (depth > 32 || typeof j !== 'object' || j === null) return null;
    const o = j as Record<string, unknown>;
    for (const g of ['AND', 'OR'] as const) {
        if (!Array.isArray(o[g])) continue;
        const kids = (o[g] as unknown[]).map((k) => parseFilter(k, depth + 1, keys)).filter((k): k is Filter => k !== null);
        if (kids.length === 0) return null;
        return g === 'AND' ? { AND: kids } : { OR: kids };
    }
    const { key, type, operator, value } = o;
    const costCenter = o['costCenter'] ?? keys?.find((k) => k.key === key && (!type || k.type === type))?.costCenter ?? (keys ? 'Global' : undefined);
    if (typeof costCenter !== 'string' || typeof key !== 'string' || typeof operator !== 'string') return null;
    const leaf: Leaf = { costCenter, key, type: typeof type === 'string' ? type : '', operator: canonical(operator) };
    if (!takesValue(leaf.operator)) return leaf;
    const list = (Array.isArray(value) ? value : [value]).filter((v) => v != null && typeof v !== 'object').map(String);
    return { ...leaf, value: takesMany(leaf.operator) ? list : (list[0] ?? '') };
}

/* ---- the address ---- */
const part = encodeURIComponent;
function unpart(s: string): string {
    try {
        return decodeURIComponent(s);
    } catch {
        return s;
    }
}
const keyText = (k: KeyRef): string => [k.costCenter, k.key, k.type].map(part).join(':');
function keyFrom(s: string): KeyRef | null {
    const [costCenter, key, type] = s.split(':').map(unpart);
    return costCenter && key ? { costCenter, key, type: type ?? '' } : null;
}
const sameFilter = (a: Filter | null, b: Filter | null): boolean => JSON.stringify(a) === JSON.stringify(b);
const dateText = (d: DateSpec): string => ('relativeRange' in d ? d.relativeRange : `${d.from}..${d.to}`);
function dateFrom(s: string): DateSpec | null {
    const m = /^(.{10})\.\.(.{10})$/.exec(s);
    if (m) return isDay(m[1] as string) && isDay(m[2] as string) ? { from: m[1] as string, to: m[2] as string } : null;
    return /^[A-Za-z0-9:]{1,40}$/.test(s) ? { relativeRange: s, type: 'day' } : null;
}

/** The query string of a state; `base` is what an absent member means (the defaults, or the view's). */
export function write(s: State, costType: string): string {
    const q = s.question;
    const d = defaultQuestion(costType);
    const p: string[] = [];
    const put = (name: string, value: string): void => void p.push(name + '=' + part(value).replace(/%3A/g, ':').replace(/%2C/g, ','));
    if (s.view) put('view', s.view);
    if (dateText(q.date) !== dateText(d.date)) put('date', dateText(q.date));
    if (q.costType !== d.costType) put('cost', q.costType);
    if (q.granularity !== d.granularity) put('per', q.granularity);
    if (q.groupBy.length === 0) put('by', '');
    else if (q.groupBy.length !== 1 || !sameKey(q.groupBy[0] as KeyRef, DEFAULT_KEY)) for (const k of q.groupBy) put('by', keyText(k));
    if (q.filters && leafCount(q.filters) > 0) put('filter', JSON.stringify(q.filters));
    if (!q.previous) put('previous', '0');
    if (q.top !== TOP) put('top', String(q.top));
    if (!q.others) put('others', '0');
    if (q.shared) put('shared', '1');
    if (q.currency) put('currency', q.currency);
    if (s.chart.kind !== 'bar') put('chart', s.chart.kind);
    if (s.chart.sort) put('sort', s.chart.sort);
    if (s.chart.pivot) put('pivot', '1');
    for (const h of s.chart.hidden) put('hide', h);
    return p.length ? '?' + p.join('&') : '';
}

/** True when an address holds nothing but the name of a view: its question is meant. */
export function onlyView(search: string): string | null {
    const p = new URLSearchParams(search);
    const keys = [...p.keys()];
    return keys.length === 1 && keys[0] === 'view' ? p.get('view') : null;
}

export function read(search: string, costType: string): State {
    const p = new URLSearchParams(search);
    const q = defaultQuestion(costType);
    const chart = defaultChart();
    const date = dateFrom(p.get('date') ?? '');
    if (date) q.date = date;
    const cost = p.get('cost');
    if (cost) q.costType = cost;
    const per = p.get('per');
    if (per && GRANULARITIES.some(([g]) => g === per)) q.granularity = per as Granularity;
    if (p.has('by')) q.groupBy = p.getAll('by').map(keyFrom).filter((k): k is KeyRef => k !== null);
    try {
        q.filters = parseFilter(JSON.parse(p.get('filter') ?? 'null'));
    } catch {
        q.filters = null;
    }
    q.previous = p.get('previous') !== '0';
    const top = Number(p.get('top') ?? TOP);
    if (Number.isInteger(top) && top > 0 && top <= TOP_ALL) q.top = top;
    q.others = p.get('others') !== '0';
    q.shared = p.get('shared') === '1';
    q.currency = /^([A-Z]{3}|original)$/.test(p.get('currency') ?? '') ? (p.get('currency') as string) : '';
    const kind = p.get('chart');
    if (KINDS.some(([k]) => k === kind)) chart.kind = kind as ChartKind;
    chart.sort = /^-?(name|cost|previous|change|percent)$/.test(p.get('sort') ?? '') ? (p.get('sort') as string) : '';
    chart.pivot = p.get('pivot') === '1';
    chart.hidden = p.getAll('hide');
    return { question: q, chart, view: p.get('view') };
}

/** A saved question made whole. */
export function complete(q: Partial<Question>, costType: string): Question {
    const d = defaultQuestion(costType);
    const filters = q.filters ? parseFilter(q.filters) : null;
    return { ...d, ...q, date: q.date ?? d.date, groupBy: (q.groupBy ?? d.groupBy).map(bareKey), filters, top: q.top ?? TOP, others: q.others ?? true, shared: q.shared ?? false, currency: q.currency ?? '' };
}
export const completeChart = (c: Partial<ChartState> | null | undefined): ChartState => ({ ...defaultChart(), ...(c ?? {}) });
export const sameQuestion = (a: Question, b: Question): boolean =>
    a.costType === b.costType &&
    a.granularity === b.granularity &&
    a.previous === b.previous &&
    a.others === b.others &&
    a.shared === b.shared &&
    a.currency === b.currency &&
    a.top === b.top &&
    dateText(a.date) === dateText(b.date) &&
    JSON.stringify(a.groupBy.map(bareKey)) === JSON.stringify(b.groupBy.map(bareKey)) &&
    sameFilter(a.filters, b.filters);

/** The state of a vendor's address: its filters may leave the cost center out. */
export function adopt(search: string, keys: KeyInfo[], costType: string): State {
    const state = read(search, costType);
    try {
        state.question.filters = parseFilter(JSON.parse(new URLSearchParams(search).get('filters') ?? 'null'), 0, keys);
    } catch {
        state.question.filters = null;
    }
    return state;
}

/* ---- words ---- */
export const spanOf = (d: DateSpec, today: Day): Span | null => ('relativeRange' in d ? resolve(d.relativeRange, today) : d);
export const dateLabel = (d: DateSpec, today: Day): string => ('relativeRange' in d ? rangeLabel(d.relativeRange) : spanText(d, today));
export const keyLabel = (k: KeyRef, keys: KeyInfo[] | null): string => {
    const known = keys?.find((x) => sameKey(x, k));
    if (known) return known.displayName;
    return k.type === 'tag' ? k.key : k.key.charAt(0).toUpperCase() + k.key.slice(1).replace(/_/g, ' ');
};
export const isTag = (k: KeyRef | undefined): boolean => k !== undefined && (k.type === 'tag' || k.type.startsWith('k8s_') || k.type === 'virtual_tag');
/** How a missing value is called: tags have the word of their own. */
export const valueLabel = (value: string, k: KeyRef | undefined): string => (value !== '' ? value : isTag(k) ? 'Untagged' : 'No value');

export function leafText(l: Leaf, keys: KeyInfo[] | null): string {
    const op = canonical(l.operator);
    const v = valuesOf(l);
    const shown = v.length > 3 ? `${v.slice(0, 2).join(', ')} and ${v.length - 2} more` : v.join(', ');
    return `${keyLabel(l, keys)} ${operatorLabel(op)}${takesValue(op) ? ' ' + shown : ''}`;
}
export function filterText(f: Filter | null, keys: KeyInfo[] | null): string {
    if (!f) return 'everything';
    if (isLeaf(f)) return leafText(f, keys);
    const kids = isAnd(f) ? f.AND : f.OR;
    return kids.map((k) => (isLeaf(k) ? leafText(k, keys) : `(${filterText(k, keys)})`)).join(isAnd(f) ? ' and ' : ' or ');
}

/** The question as it is sent and saved: an absent filter is left out. */
export function wire(q: Question): Record<string, unknown> {
    const { filters, shared, currency, ...rest } = q;
    // Parts are of a virtual tag: without one in the grouping there is nothing to ask.
    return { ...rest, ...(currency ? { currency } : {}), ...(shared && q.groupBy.some((k) => k.type === 'virtual_tag') ? { shared } : {}), groupBy: q.groupBy.map(bareKey), ...(filters && leafCount(filters) > 0 ? { filters } : {}) };
}
