/*
 * preview.tsx - what the tag would do to the bill, while it is edited. Nothing is written.
 *
 * One question at a time: it is asked 250 ms after the last change, an older answer is dropped, and the
 * figures in sight stay, dimmed, until the new ones are there.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { billsVersion, session as sessionCell } from '../app';
import { When } from '../bill/when';
import { ApiError, asError, call } from '../lib/api';
import { useCell } from '../lib/cell';
import { approx, count, dec, exact, money, percent, signed, type Dec } from '../lib/dec';
import { spanText } from '../lib/day';
import { costTypeLabel, dateLabel, offeredTypes, spanOf } from '../lib/question';
import type { DateSpec, Session } from '../lib/types';
import { Choice } from '../parts/choice';
import { Panel } from '../parts/panel';
import { lacks, toDocument, type Draft } from './draft';
import type { Preview } from './types';

export interface Basis {
    date: DateSpec;
    costType: string;
}
export interface Previewed {
    answer: Preview | null;
    /** The rules as they were sent: place in the answer by the rule's id. */
    place: Map<number, number>;
    ids: number[];
    error: ApiError | null;
    stale: boolean;
}

const WAIT = 250;
export interface Live<T, X> {
    answer: T | null;
    /** What was given along with the question this answers. */
    along: X | null;
    error: ApiError | null;
    stale: boolean;
}
/** Asks again whenever `body` changes; null asks nothing. `id` says when two bodies are the same question. */
export function useLive<T, X>(path: string, body: unknown, along: X, id: string): Live<T, X> {
    const [state, setState] = useState<{ id: string; answer: T | null; along: X | null; error: ApiError | null }>({ id: '', answer: null, along: null, error: null });
    const version = useCell(billsVersion);
    const at = body === null ? '' : `${version} ${id}`;
    useEffect(() => {
        if (body === null) return undefined;
        const stop = new AbortController();
        const wait = setTimeout(() => {
            call<T>('POST', path, body, stop.signal)
                .then((answer) => setState({ id: at, answer, along, error: null }))
                .catch((e: unknown) => {
                    if (!(e instanceof DOMException)) setState((s) => ({ ...s, id: at, error: asError(e) }));
                });
        }, state.id === '' ? 0 : WAIT);
        return () => {
            clearTimeout(wait);
            stop.abort();
        };
    }, [at]);
    return { answer: state.answer, along: state.along, error: state.error, stale: body !== null && state.id !== at };
}

/** `key`: which output of a relation or level of a hierarchy; empty: the first. */
export function usePreview(draft: Draft | null, basis: Basis, key = ''): Previewed {
    const sent = useMemo(() => {
        if (!draft) return null;
        const rules = draft.rules.filter((r) => lacks(r) === null);
        // Names and folders change no figure: typing them asks nothing.
        const document = { ...toDocument(draft, rules), name: draft.name.trim() || 'draft', category: '', folderId: null };
        return { ids: rules.map((r) => r.id), body: { document, ...basis, ...(key ? { key } : {}) }, id: JSON.stringify([{ ...document, name: '' }, basis, key]) };
    }, [draft, basis, key]);
    const live = useLive<Preview, number[]>('/api/tags/preview', sent?.body ?? null, sent?.ids ?? [], sent?.id ?? '');
    const ids = live.along ?? NONE;
    const place = useMemo(() => new Map(ids.map((x, i) => [x, i])), [ids]);
    return { answer: live.answer, place, ids, error: live.error, stale: live.stale };
}
const NONE: number[] = [];

export function BasisBar({ basis, onChange, range }: { basis: Basis; onChange: (b: Basis) => void; range?: { from: string; to: string } | undefined }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const span = range ?? spanOf(basis.date, session.today);
    return (
        <div class="row wrap" role="group" aria-label="Shown for">
            <Panel float wide title="When" label={<>{dateLabel(basis.date, session.today)}{'relativeRange' in basis.date && span ? <span class="soft"> {spanText(span, session.today)}</span> : null}</>}>
                {(close) => <When date={basis.date} span={span} today={session.today} firstDay={session.firstDay} onPick={(date) => { close(); onChange({ ...basis, date }); }} />}
            </Panel>
            <Panel float title="Which cost" label={costTypeLabel(basis.costType)}>
                {(close) => <Choice items={offeredTypes(session.account.costTypes, basis.costType)} value={basis.costType} onPick={(costType) => { close(); onChange({ ...basis, costType }); }} />}
            </Panel>
        </div>
    );
}

/** The keys a document exposes that can be told apart: those that were saved. */
const shownKeys = (d: Draft): { id: string; name: string }[] => (d.relation?.outputs ?? d.hierarchy?.levels ?? []).filter((k): k is { id: string; name: string; field: string } => Boolean(k.id));
const VALUES_SHOWN = 100;
export function PreviewPane({ p, draft, basis, onBasis, keyAt, onKey }: { p: Previewed; draft: Draft; basis: Basis; onBasis: (b: Basis) => void; keyAt: string; onKey: (k: string) => void }): JSX.Element {
    const a = p.answer;
    const [all, setAll] = useState(false);
    const left = draft.rules.filter((r) => lacks(r) !== null).length;
    return (
        <aside class="card previewpane" aria-label="Preview" aria-busy={p.stale}>
            <div class="panehead"><h2>Preview</h2><span class="sp" /><BasisBar basis={basis} onChange={onBasis} range={a?.range} />
                {shownKeys(draft).length > 1 ? <select aria-label="Key shown" value={keyAt} onChange={(e) => onKey(e.currentTarget.value)}>{shownKeys(draft).map((k, i) => <option key={k.id} value={i === 0 ? '' : k.id}>{k.name}</option>)}</select> : null}</div>
            {p.error ? <p class="problem pad" role="alert">{p.error.message}{p.error.field ? <> (<code>{p.error.field}</code>)</> : null}{p.error.hint ? `. ${p.error.hint}` : ''}</p> : null}
            {a === null ? (p.error ? null : <div class="skeleton" role="status" aria-label="Computing the preview">{Array.from({ length: 7 }, (_, i) => <div class="bone" key={i} />)}</div>) : (
                <div class={p.stale ? 'stale' : undefined}>
                    <Figures a={a} kind={draft.kind} />
                    {left ? <p class="small soft pad">{left} unfinished {left === 1 ? 'rule is' : 'rules are'} left out.</p> : null}
                    <ValuesTable a={a} all={all} onAll={() => setAll(true)} />
                    <Moves a={a} />
                    <Sample a={a} ids={p.ids} draft={draft} />
                    <p class="small soft pad" data-elapsed={a.elapsedMs}>Computed in {a.elapsedMs.toFixed(a.elapsedMs < 10 ? 1 : 0)} ms. A preview changes nothing.</p>
                </div>
            )}
        </aside>
    );
}

function Figures({ a, kind }: { a: Preview; kind: string }): JSX.Element {
    const total = dec(a.total);
    const un = dec(a.unmatched);
    return (
        <dl class="figures">
            <div><dt>Total</dt><dd title={exact(total, a.currency)}>{money(total, a.currency)}</dd></div>
            <div><dt>{kind === 'rules' ? 'Caught by rules' : 'With a value'}</dt><dd>{percent(total - un, total) ?? '–'}</dd></div>
            <div><dt>Default value</dt><dd title={exact(un, a.currency)}>{money(un, a.currency)}</dd></div>
        </dl>
    );
}

function ValuesTable({ a, all, onAll }: { a: Preview; all: boolean; onAll: () => void }): JSX.Element {
    const rows = useMemo(() => a.values.map((v) => ({ ...v, c: dec(v.cost), live: v.liveCost === null || v.liveCost === undefined ? null : dec(v.liveCost) })), [a]);
    const total = dec(a.total);
    const largest = rows.reduce<Dec>((m, v) => (v.c > m ? v.c : m), 0n);
    const diff = rows.some((v) => v.live !== null);
    const shown = all ? rows : rows.slice(0, VALUES_SHOWN);
    return (
        <div class={diff ? 'tablebox own values diff' : 'tablebox own values'} tabIndex={0} role="region" aria-label="Cost per value">
            <table class="plain tight">
                <caption class="away">Cost per value</caption>
                <thead><tr><th scope="col">Value</th><th scope="col" class="num">Cost</th><th scope="col" class="num">Share</th>{diff ? <th scope="col" class="num">Against live</th> : null}</tr></thead>
                <tbody>{shown.map((v) => {
                    const d = v.live === null ? null : v.c - v.live;
                    return (
                        <tr key={v.value} data-value={v.value} title={`${count(v.lines)} ${v.lines === 1 ? 'line' : 'lines'}`}>
                            <th scope="row" class="clip">{v.value === '' ? <i class="soft">No value</i> : v.value}</th>
                            <td class="num" title={exact(v.c, a.currency)} data-cost={v.cost}>{money(v.c, a.currency)}</td>
                            <td class="num"><span class="share slim" aria-hidden="true"><i style={{ width: `${largest > 0n && v.c > 0n ? Math.max(1, (approx(v.c) / approx(largest)) * 100) : 0}%` }} /></span><span class="soft">{percent(v.c, total) ?? '–'}</span></td>
                            {diff ? <td class="num">{d === null ? <span class="soft">new</span> : d === 0n ? <span class="soft">same</span> : <span title={exact(d, a.currency)}>{signed(d, a.currency)}</span>}</td> : null}
                        </tr>
                    );
                })}</tbody>
            </table>
            {all && (a.valueCount ?? 0) > rows.length ? <p class="pad small soft">{count((a.valueCount ?? 0) - rows.length)} smaller values are not listed.</p> : null}
            {shown.length < rows.length ? <p class="pad small"><button type="button" class="link" onClick={onAll}>Show {rows.length < (a.valueCount ?? 0) ? 'the largest' : 'all'} {count(rows.length)} values</button></p> : null}
        </div>
    );
}

function Moves({ a }: { a: Preview }): JSX.Element | null {
    if (a.moves.length === 0) return a.values.some((v) => v.liveCost !== null) ? <p class="small soft pad">No cost moves against the live version.</p> : null;
    return (
        <section class="pad" aria-labelledby="moves">
            <h3 id="moves">Moves against the live version</h3>
            <ul class="moves">
                {a.moves.slice(0, 30).map((m, i) => <li key={i}><span class="clip">{m.from || 'No value'}</span><span class="soft" aria-hidden="true">→</span><span class="away">to</span><span class="clip">{m.to || 'No value'}</span><b title={exact(dec(m.cost), a.currency)}>{money(dec(m.cost), a.currency)}</b></li>)}
            </ul>
            {a.moves.length > 30 ? <p class="small soft">and {count(Math.max(a.moveCount ?? 0, a.moves.length) - 30)} smaller ones</p> : null}
        </section>
    );
}

const FIXED = new Set(['rule', 'value', 'cost']);
function Sample({ a, ids, draft }: { a: Preview; ids: number[]; draft: Draft }): JSX.Element | null {
    if (a.sample.length === 0) return null;
    const columns = [...new Set(a.sample.flatMap((s) => Object.keys(s)))].filter((c) => !FIXED.has(c));
    const now = new Map(draft.rules.map((r, i) => [r.id, i + 1]));
    return (
        <details class="pad">
            <summary>Sample lines</summary>
            <div class="tablebox own samples" tabIndex={0} role="region" aria-label="Sample lines">
                <table class="plain tight">
                    <caption class="away">Lines of the bill and the rule that caught each</caption>
                    <thead><tr><th scope="col">Rule</th><th scope="col">Value</th><th scope="col" class="num">Cost</th>{columns.map((c) => <th scope="col" key={c}>{c.replace(/([A-Z])/g, ' $1').replace(/^./, (x) => x.toUpperCase())}</th>)}</tr></thead>
                    <tbody>{a.sample.map((s, i) => (
                        <tr key={i}>
                            <td>{s.rule < 0 ? 'default' : (now.get(ids[s.rule] ?? -1) ?? 'gone')}</td><th scope="row">{s.value}</th><td class="num" title={exact(dec(s.cost), a.currency)}>{money(dec(s.cost), a.currency)}</td>
                            {columns.map((c) => <td key={c} class="clip">{s[c] == null ? '' : typeof s[c] === 'object' ? JSON.stringify(s[c]) : String(s[c])}</td>)}
                        </tr>
                    ))}</tbody>
                </table>
            </div>
        </details>
    );
}
