/*
 * realloc.tsx - shared cost given to those who caused it: entries in order, each with its strategy.
 *
 * The result is computed by the server from the draft: before, after and the difference of the whole,
 * which is 0.00 or the run is refused; what went from where to where as a sankey; every entry's shares.
 */
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { toast } from '../app';
import { FilterTree } from '../bill/filter';
import type { Flow } from '../charts/relate';
import { approx, dec, exact, money, percent, signed, type Dec } from '../lib/dec';
import { isDay, longDay } from '../lib/day';
import { filterText } from '../lib/question';
import type { Filter, KeyInfo, Question } from '../lib/types';
import { Icon } from '../parts/basic';
import { RelatedPicture } from '../parts/related';
import { filterOf, lacks, toDocument, type Draft } from './draft';
import { MetricEditor } from './metric';
import { BasisBar, useLive, type Basis } from './preview';
import { useTelemetry } from './telemetry';
import type { Allocation, AllocationData, FixedShare, Strategy } from './types';
import { ManyValues, OneValue, type KnownValue } from './values';

interface Reallocated {
    range?: { from: string; to: string; days: number };
    currency?: string;
    total: { before: string; after: string; difference: string };
    values: { value: string; before: string; after: string; direct: string; shared: string }[];
    entries: { name: string; type: Strategy; active: boolean; moved: string; notReallocated: string; carriedDays: number; rows: { value: string; weight: string | null; percent: string | number; cost: string; unitCost: string | null }[] }[];
    links: { source: string; target: string; cost: string }[];
}
const STRATEGIES: [Strategy, string, string][] = [
    ['even', 'Evenly', 'The same part for every target'],
    ['proportional', 'In proportion to cost', 'By what each target costs on the same day'],
    ['metric', 'By telemetry', 'By a metric of each target: bytes, requests, seats'],
    ['fixed', 'By percentages', 'Percentages you set; what is left over stays'],
];
const blankData = (s: Strategy): AllocationData => (s === 'fixed' ? { tags: [{ key: '', value: 100 }] } : s === 'metric' ? { carryDays: 7 } : {});

/** What an entry lacks, in words; null when it can be computed. */
export function entryLacks(a: Allocation): string | null {
    if (!a.name) return 'a value to reallocate';
    if (a.type === 'metric') return !a.data.kpiCenterId ? 'a telemetry' : !a.data.metricName ? 'a metric' : a.data.joinField && !a.data.joinKey?.key ? 'the key the join field equals' : null;
    if (a.type === 'fixed') {
        const tags = a.data.tags ?? [];
        if (tags.length === 0 || tags.some((t) => !t.key)) return 'a target for each percentage';
        if (tags.some((t) => !Number.isFinite(t.value) || t.value < 0)) return 'a number for each percentage';
        const over = sums(tags).find((s) => s.sum > 100 + 1e-9);
        if (over) return `percentages that add up to 100 at most (${text(over.sum)}% ${over.from ? `from ${longDay(over.from)}` : 'now'})`;
    }
    return null;
}
const text = (n: number): string => String(Math.round(n * 1e6) / 1e6);
/** The sum of the percentages in every stretch of days that has its own. */
function sums(tags: FixedShare[]): { from: string; sum: number }[] {
    const starts = new Set<string>(['']);
    for (const t of tags) {
        if (t.from && isDay(t.from)) starts.add(t.from);
        if (t.to && isDay(t.to)) starts.add(new Date(Date.parse(t.to + 'T00:00:00Z') + 864e5).toISOString().slice(0, 10));
    }
    return [...starts].sort().map((from) => ({
        from,
        sum: tags.filter((t) => (!t.from || (from !== '' && t.from <= from)) && (!t.to || from === '' || t.to >= from)).reduce((n, t) => n + (Number.isFinite(t.value) ? Math.round(t.value * 1e6) : 0), 0) / 1e6,
    }));
}

interface Props {
    draft: Draft;
    keys: KeyInfo[] | null;
    question: Question;
    basis: Basis;
    onBasis: (b: Basis) => void;
    values: KnownValue[];
    currency: string;
    readOnly: boolean;
    onChange: (a: Allocation[]) => void;
}
export function Reallocation({ draft, keys, question, basis, onBasis, values, currency, readOnly, onChange }: Props): JSX.Element {
    const list = draft.allocations;
    const telemetry = useTelemetry();
    const [said, setSaid] = useState('');
    const box = useRef<HTMLOListElement>(null);
    const ready = list.filter((a) => entryLacks(a) === null);
    const sent = useMemo(() => {
        if (ready.length === 0) return null;
        const doc = { ...toDocument(draft, draft.rules.filter((r) => lacks(r) === null)), allocations: ready, name: draft.name.trim() || 'draft' };
        return { body: { document: doc, ...basis }, id: JSON.stringify([doc, basis]) };
    }, [draft, basis]);
    const live = useLive<Reallocated, null>('/api/tags/reallocation', sent?.body ?? null, null, sent?.id ?? '');
    const put = (i: number, part: Partial<Allocation>): void => onChange(list.map((a, n) => (n === i ? { ...a, ...part } : a)));
    const move = (i: number, to: number): void => {
        if (to < 0 || to >= list.length) return;
        const next = [...list];
        next.splice(to, 0, ...next.splice(i, 1));
        onChange(next);
        setSaid(`Entry moved to place ${to + 1} of ${list.length}`);
        requestAnimationFrame(() => box.current?.children[to]?.querySelector<HTMLElement>('[data-move]')?.focus());
    };
    const remove = (i: number): void => {
        const gone = list[i] as Allocation;
        onChange(list.filter((_, n) => n !== i));
        toast(`Entry for "${gone.name || 'no value'}" taken away`, 'good', { label: 'Undo', run: () => onChange([...list.slice(0, i), gone, ...list.slice(i + 1)]) });
    };
    return (
        <>
            <section class="card" aria-labelledby="entries">
                <div class="panehead"><h2 id="entries">Shared cost to give away</h2><span class="sp" /><BasisBar basis={basis} onChange={onBasis} range={live.answer?.range} /></div>
                <p class="small soft pad">Entries run from top to bottom, each day for itself; a later one sees what the earlier ones did. The total never changes.</p>
                <ol class="entries" ref={box}>
                    {list.map((a, i) => <Entry key={i} a={a} i={i} total={list.length} keys={keys} question={question} values={values} currency={currency} readOnly={readOnly} telemetry={telemetry} onPut={(part) => put(i, part)} onMove={(to) => move(i, to)} onRemove={() => remove(i)} />)}
                </ol>
                {list.length === 0 ? <p class="pad soft">Nothing is reallocated. Choose a value whose cost others caused: support, a shared cluster, a data platform.</p> : null}
                <p class="away" aria-live="polite">{said}</p>
                {readOnly ? null : <p class="pad"><button type="button" onClick={() => onChange([...list, { name: '', type: 'even', active: true, data: {} }])}>+ Reallocate a value</button></p>}
            </section>
            <section class="card previewpane" aria-label="Result" aria-busy={live.stale}>
                <div class="panehead"><h2>Result</h2></div>
                {live.error ? <p class="problem pad" role="alert">{live.error.message}{live.error.hint ? `. ${live.error.hint}` : ''}</p> : null}
                {sent === null ? <p class="pad soft">The result appears here as soon as one entry is complete.</p> : live.answer === null ? (live.error ? null : <div class="skeleton" role="status" aria-label="Computing">{Array.from({ length: 5 }, (_, i) => <div class="bone" key={i} />)}</div>) : (
                    <div class={live.stale ? 'stale' : undefined}><Outcome r={live.answer} currency={live.answer.currency ?? currency} /></div>
                )}
            </section>
        </>
    );
}

interface EntryProps {
    a: Allocation;
    i: number;
    total: number;
    keys: KeyInfo[] | null;
    question: Question;
    values: KnownValue[];
    currency: string;
    readOnly: boolean;
    telemetry: ReturnType<typeof useTelemetry>;
    onPut: (part: Partial<Allocation>) => void;
    onMove: (to: number) => void;
    onRemove: () => void;
}
function Entry({ a, i, total, keys, question, values, currency, readOnly, telemetry, onPut, onMove, onRemove }: EntryProps): JSX.Element {
    const data = (part: AllocationData): void => onPut({ data: { ...a.data, ...part } });
    const wants = entryLacks(a);
    const name = a.name || `entry ${i + 1}`;
    const basis = filterOf(a.data.filters);
    const [filtering, setFiltering] = useState(basis !== null);
    if (readOnly)
        return <li class="entry"><span class="rank">{i + 1}</span><b>{a.name}</b> <span class="soft">{STRATEGIES.find(([s]) => s === a.type)?.[1]}</span>{a.active ? null : <span class="badge">inactive</span>}{a.description ? <p class="small soft">{a.description}</p> : null}</li>;
    return (
        <li class={a.active ? 'entry' : 'entry off'}>
            <div class="row wrap">
                <span class="rank">{i + 1}</span>
                <OneValue value={a.name} known={values} currency={currency} name="Value to reallocate" onChange={(v) => onPut({ name: v })} />
                <select aria-label={`Strategy of ${name}`} value={a.type} onChange={(e) => { const type = e.currentTarget.value as Strategy; onPut({ type, data: blankData(type) }); setFiltering(false); }}>
                    {STRATEGIES.map(([s, label]) => <option key={s} value={s}>{label}</option>)}
                </select>
                <span class="sp" />
                {wants ? <span class="badge late">needs {wants}</span> : null}
                <label class="inline"><input type="checkbox" role="switch" checked={a.active} onChange={() => onPut({ active: !a.active })} /> Active</label>
                <button type="button" class="bare square" data-move={i > 0 ? '' : undefined} aria-label={`Move ${name} up`} disabled={i === 0} onClick={() => onMove(i - 1)}><Icon name="up" size={14} /></button>
                <button type="button" class="bare square" data-move={i === 0 ? '' : undefined} aria-label={`Move ${name} down`} disabled={i === total - 1} onClick={() => onMove(i + 1)}><Icon name="down" size={14} /></button>
                <button type="button" class="bare square" aria-label={`Take ${name} away`} onClick={onRemove}><Icon name="close" size={14} /></button>
            </div>
            <p class="small soft">{STRATEGIES.find(([s]) => s === a.type)?.[2]}.</p>
            {a.type === 'even' || a.type === 'proportional' ? (
                <div class="fields">
                    <div class="field"><span>To</span><ManyValues values={a.data.targets ?? []} known={values.filter((v) => v.value !== a.name)} currency={currency} name={`Targets of ${name}`} none="every other value with cost that day" onChange={(targets) => data({ targets: targets.length ? targets : undefined as unknown as string[] })} /></div>
                    {a.type === 'proportional' ? (
                        filtering ? (
                            <div class="wideitem"><h3>Only this cost counts</h3>
                                <FilterTree start={basis} question={question} currency={currency} onChange={(f: Filter | null) => data({ filters: f ?? {} })} />
                                <button type="button" class="link" onClick={() => { setFiltering(false); data({ filters: {} }); }}>All cost counts</button></div>
                        ) : <p class="small">All cost of a target counts. <button type="button" class="link" onClick={() => setFiltering(true)}>Count only some</button>{basis ? <span class="soft"> {filterText(basis, keys)}</span> : null}</p>
                    ) : null}
                </div>
            ) : a.type === 'metric' ? <MetricEditor m={a.data} all={telemetry} keys={keys} withField withCarry onChange={data} />
                : <FixedEditor tags={a.data.tags ?? []} source={a.name} values={values} currency={currency} name={name} onChange={(tags) => data({ tags })} />}
            <label>Description<input type="text" value={a.description ?? ''} maxLength={1000} placeholder="Optional: why it is shared like this" onInput={(e) => onPut({ description: e.currentTarget.value })} /></label>
        </li>
    );
}

function FixedEditor({ tags, source, values, currency, name, onChange }: { tags: FixedShare[]; source: string; values: KnownValue[]; currency: string; name: string; onChange: (t: FixedShare[]) => void }): JSX.Element {
    const put = (i: number, part: Partial<FixedShare>): void => onChange(tags.map((t, n) => {
        if (n !== i) return t;
        const next = { ...t, ...part };
        if (!next.from) delete next.from;
        if (!next.to) delete next.to;
        return next;
    }));
    const all = sums(tags);
    const uneven = all.length > 1;
    return (
        <div class="tablebox" tabIndex={0} role="region" aria-label={`Percentages of ${name}`}>
            <table class="plain tight">
                <caption class="away">Percentages of {name}</caption>
                <thead><tr><th scope="col">Target</th><th scope="col">Percent</th><th scope="col">From</th><th scope="col">Last day</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                <tbody>{tags.map((t, i) => (
                    <tr key={i}>
                        <td><OneValue value={t.key} known={values.filter((v) => v.value !== source)} currency={currency} name={`Target ${i + 1}`} onChange={(key) => put(i, { key })} /></td>
                        <td><input type="text" inputMode="decimal" class="pctinput" aria-label={`Percent of target ${i + 1}`} defaultValue={Number.isFinite(t.value) ? text(t.value) : ''} onInput={(e) => put(i, { value: /^\d{1,3}(\.\d{1,9})?$/.test(e.currentTarget.value.trim()) ? Number(e.currentTarget.value) : NaN })} /> %</td>
                        <td><input type="date" aria-label={`First day of target ${i + 1}`} value={t.from ?? ''} onInput={(e) => put(i, { from: e.currentTarget.value })} /></td>
                        <td><input type="date" aria-label={`Last day of target ${i + 1}`} value={t.to ?? ''} onInput={(e) => put(i, { to: e.currentTarget.value })} /></td>
                        <td class="num"><button type="button" class="bare square" aria-label={`Take target ${i + 1} away`} onClick={() => onChange(tags.filter((_, n) => n !== i))}><Icon name="close" size={14} /></button></td>
                    </tr>
                ))}</tbody>
            </table>
            <p class="pad small" role="status">
                <button type="button" class="link" onClick={() => onChange([...tags, { key: '', value: Math.max(0, 100 - (all[all.length - 1]?.sum ?? 0)) }])}>Add a target</button>{' · '}
                {all.map((s, i) => <span key={s.from} class={s.sum > 100 ? 'up' : undefined}>{i ? '; ' : ''}{uneven ? (s.from ? `from ${longDay(s.from)} ` : 'before ') : ''}{text(s.sum)}%{s.sum > 100 ? ' is more than there is' : s.sum < 100 ? ` (${text(100 - s.sum)}% stays on ${source || 'the value'})` : ''}</span>)}
            </p>
        </div>
    );
}

const LINKS = 60;
function flowOf(r: Reallocated, currency: string): { flow: Flow; left: number } | null {
    const all = r.links.map((l) => ({ ...l, c: dec(l.cost) })).filter((l) => l.c > 0n).sort((a, b) => (a.c < b.c ? 1 : -1));
    if (all.length === 0) return null;
    // What stays where it was is drawn as going to a node of its own: a sankey knows no circles.
    const links = all.slice(0, LINKS).map((l) => ({ from: 'v:' + l.source, to: l.source === l.target ? 'k:' + l.target : 'v:' + l.target, value: approx(l.c), text: `${l.source} → ${l.target}: ${money(l.c, currency)}` }));
    const depth = new Map<string, number>();
    for (let round = 0; round < links.length + 1; round++) {
        let moved = false;
        for (const l of links) {
            const d = (depth.get(l.from) ?? 0) + 1;
            if (d > (depth.get(l.to) ?? 0) && d <= links.length) {
                depth.set(l.to, d);
                moved = true;
            }
        }
        if (!moved) break;
    }
    const deepest = Math.max(...depth.values());
    const leads = new Set(links.map((l) => l.from));
    const ids = [...new Set(links.flatMap((l) => [l.from, l.to]))];
    return {
        flow: {
            kind: 'flow',
            nodes: ids.map((id, i) => ({ id, label: id.startsWith('k:') ? `${id.slice(2)} (stays)` : id.slice(2) || 'No value', colour: id.startsWith('k:') ? 0 : (i % 8) + 1, depth: leads.has(id) ? (depth.get(id) ?? 0) : deepest })),
            links,
        },
        left: all.length - links.length,
    };
}

function Outcome({ r, currency }: { r: Reallocated; currency: string }): JSX.Element {
    const flow = useMemo(() => flowOf(r, currency), [r, currency]);
    const difference = dec(r.total.difference);
    const values = useMemo(() => r.values.map((v) => ({ value: v.value, before: dec(v.before), after: dec(v.after), direct: dec(v.direct), shared: dec(v.shared) })), [r]);
    const sum = (k: 'before' | 'after' | 'direct' | 'shared'): Dec => values.reduce((n, v) => n + v[k], 0n);
    const cell = (d: Dec, cls = ''): JSX.Element => <td class={`num ${cls}`} title={exact(d, currency)}>{money(d, currency)}</td>;
    return (
        <>
            <dl class="figures">
                <div><dt>Before</dt><dd title={exact(dec(r.total.before), currency)}>{money(dec(r.total.before), currency)}</dd></div>
                <div><dt>After</dt><dd title={exact(dec(r.total.after), currency)}>{money(dec(r.total.after), currency)}</dd></div>
                <div><dt>Difference</dt><dd class={difference === 0n ? 'down' : 'up'} data-difference={r.total.difference}>{difference === 0n ? '0.00' : exact(difference, currency)}</dd></div>
            </dl>
            {flow ? (
                <div class="pad">
                    <RelatedPicture model={flow.flow} height={Math.max(180, Math.min(520, flow.flow.nodes.length * 30))} title={`Flow of reallocated cost: ${r.links.length} parts; the tables below have every number`} />
                    {flow.left ? <p class="small soft">The {LINKS} largest parts are drawn, {flow.left} smaller ones are in the tables.</p> : null}
                </div>
            ) : null}
            <div class="tablebox own" tabIndex={0} role="region" aria-label="Cost of each value before and after">
                <table class="plain tight">
                    <caption class="away">Cost of each value before and after</caption>
                    <thead><tr><th scope="col">Value</th><th scope="col" class="num">Before</th><th scope="col" class="num">After</th><th scope="col" class="num">Change</th><th scope="col" class="num">Direct</th><th scope="col" class="num">Shared</th></tr></thead>
                    <tbody>{values.map((v) => (
                        <tr key={v.value} data-value={v.value}><th scope="row" class="clip">{v.value || <i class="soft">No value</i>}</th>{cell(v.before)}{cell(v.after)}<td class="num soft" title={exact(v.after - v.before, currency)}>{v.after === v.before ? '–' : signed(v.after - v.before, currency)}</td>{cell(v.direct, 'soft')}{cell(v.shared)}</tr>
                    ))}</tbody>
                    <tfoot><tr><th scope="row">Total</th>{cell(sum('before'))}{cell(sum('after'))}<td class="num">{sum('after') === sum('before') ? '0.00' : signed(sum('after') - sum('before'), currency)}</td>{cell(sum('direct'))}{cell(sum('shared'))}</tr></tfoot>
                </table>
            </div>
            {r.entries.map((e, i) => {
                const moved = dec(e.moved);
                const not = dec(e.notReallocated);
                const unit = e.rows.some((x) => x.unitCost !== null);
                return (
                    <details class="pad" key={i}>
                        <summary>{i + 1}. {e.name}: {money(moved, currency)} given away {STRATEGIES.find(([s]) => s === e.type)?.[1].toLowerCase()}{e.active ? '' : ' (inactive)'}{not !== 0n ? <span class="badge late" title="No weight was known for these days: the cost stays where it was">{money(not, currency)} not reallocated</span> : null}{e.carriedDays ? <span class="badge after">{e.carriedDays} {e.carriedDays === 1 ? 'day' : 'days'} carried forward</span> : null}</summary>
                        <div class="tablebox own" tabIndex={0} role="region" aria-label={`Shares of ${e.name}`}>
                            <table class="plain tight">
                                <caption class="away">Shares of {e.name}</caption>
                                <thead><tr><th scope="col">Target</th><th scope="col" class="num">Weight</th><th scope="col" class="num">Share</th><th scope="col" class="num">Cost</th>{unit ? <th scope="col" class="num">Per unit</th> : null}</tr></thead>
                                <tbody>{e.rows.map((x) => <tr key={x.value}><th scope="row" class="clip">{x.value}</th><td class="num">{x.weight ?? '–'}</td><td class="num soft">{percent(dec(x.cost), moved) ?? '–'}</td><td class="num" title={exact(dec(x.cost), currency)}>{money(dec(x.cost), currency)}</td>{unit ? <td class="num mono">{x.unitCost ?? '–'}</td> : null}</tr>)}</tbody>
                            </table>
                        </div>
                    </details>
                );
            })}
        </>
    );
}
