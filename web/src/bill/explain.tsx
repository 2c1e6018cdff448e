/* explain.tsx - "explain this number": how it was asked, what it means, the bill rows behind it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { copy, go, keys as keyCell } from '../app';
import { ApiError, call } from '../lib/api';
import { useCell } from '../lib/cell';
import { count, dec, exact, money, type Dec } from '../lib/dec';
import { bucketEnd, bucketText, daysBetween, longDay, maxDay, spanText } from '../lib/day';
import { COST_TYPES, costTypeLabel, filterText, keyLabel, leafOf, narrow, valueLabel, wire } from '../lib/question';
import type { KeyInfo, KeyRef, Question, Session } from '../lib/types';
import { Failure, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { asCurl } from './share';
import type { Result, Row } from './result';

/** The question whose answer is one row. */
export function rowQuestion(q: Question, row: Row | null): Question {
    if (!row || row.isOthers) return q;
    let filters = q.filters;
    q.groupBy.forEach((k: KeyRef, i) => {
        const v = row.values[i] ?? '';
        filters = narrow(filters, v === '' ? leafOf(k, 'notExists', []) : leafOf(k, 'oneOf', [v]));
    });
    return { ...q, filters };
}

/** The same question of the days of one column. */
function bucketQuestion(q: Question, r: Result, bucket: number | undefined): Question {
    if (bucket === undefined) return q;
    const b = r.answer.buckets[bucket] as string;
    return { ...q, date: { from: maxDay(b.slice(0, 10), r.answer.range.from), to: bucketEnd(b, r.granularity, r.answer.range.to) } };
}

interface Caught {
    rules: { rule: number; to: string | KeyRef; cost: string; lines: number }[];
}
/** Which rules of a virtual tag gave this value, and what each caught. */
function CaughtBy({ tag, question, row, bucket, currency, keys }: { tag: KeyRef; question: Question; row: Row; bucket: string | null; currency: string; keys: KeyInfo[] | null }): JSX.Element {
    const [state, setState] = useState<Caught | ApiError | null>(null);
    useEffect(() => {
        const stop = new AbortController();
        call<Caught>('POST', '/api/tags/explain', { tagId: tag.key, question: wire(question), cell: { values: row.values, ...(bucket === null ? {} : { bucket }) } }, stop.signal)
            .then(setState)
            .catch((e: unknown) => {
                if (e instanceof ApiError) setState(e);
            });
        return () => stop.abort();
    }, []);
    const to = (t: string | KeyRef): string => (typeof t === 'string' ? t : `the value of ${keyLabel(t, keys)}`);
    const name = keyLabel(tag, keys);
    const value = valueLabel(row.values[question.groupBy.indexOf(tag)] ?? '', tag);
    return (
        <section aria-live="polite">
            <h3>Which rule of {name} caught it</h3>
            {state === null ? <Skeleton rows={2} label="Asking which rule" /> : state instanceof ApiError ? <p class="small soft">{state.message}{state.hint ? `. ${state.hint}` : ''}</p> : state.rules.length === 0 ? <p class="small soft">No line has this value.</p> : (
                <ul class="caught">
                    {state.rules.map((c) => (
                        <li key={c.rule}>
                            <span>{c.rule < 0 ? <b>No rule</b> : <b>Rule {c.rule + 1}</b>} <span class="soft">{c.rule < 0 ? 'leaves' : 'gives'} {to(c.to) || value}</span></span>
                            <span title={exact(dec(c.cost), currency)}>{money(dec(c.cost), currency)} <span class="soft small">{count(c.lines)} {c.lines === 1 ? 'line' : 'lines'}</span></span>
                        </li>
                    ))}
                </ul>
            )}
            <p class="small"><button type="button" class="link" onClick={() => go(`/virtual-tags/${tag.key}`)}>Open {name}</button></p>
        </section>
    );
}

const ago = (days: number): string => (days === 1 ? 'yesterday' : `${days} days ago`);

interface Rows {
    columns: string[];
    rows: (string | number | null)[][];
    more: boolean;
}

export function Explain({ r, row, bucket, question, view, session, onClose }: { r: Result; row: Row | null; bucket?: number | undefined; question: Question; view: string | null; session: Session; onClose: () => void }): JSX.Element {
    const keys = useCell(keyCell);
    const one = bucketQuestion(rowQuestion(question, row), r, bucket);
    const tags = row && !row.isOthers ? question.groupBy.filter((k) => k.type === 'virtual_tag') : [];
    const [state, setState] = useState<'busy' | Rows | ApiError>('busy');
    const [tries, setTries] = useState(0);
    useEffect(() => {
        const stop = new AbortController();
        setState('busy');
        call<Rows>('POST', '/api/rows', { ...wire(one), limit: 100 }, stop.signal)
            .then(setState)
            .catch((e: unknown) => {
                if (e instanceof ApiError) setState(e);
            });
        return () => stop.abort();
    }, [tries]);
    // Columns that say nothing in any of these rows are left out.
    const told = state !== 'busy' && !(state instanceof ApiError) ? state.columns.map((_, n) => n).filter((n) => state.rows.some((x) => x[n] !== null && x[n] !== '')) : [];
    const doc = COST_TYPES.find(([id]) => id === question.costType)?.[2];
    const amount = bucket !== undefined && row ? (row.cells[bucket] as Dec) : row ? row.total : r.total;
    const currency = row?.currency ?? r.currency;
    const days = 'from' in one.date ? one.date : r.answer.range;
    const json = JSON.stringify(wire(one), null, 2);
    return (
        <Dialog title="Explain this number" kind="drawer" onClose={onClose}>
            <div class="explain">
                <p class="soft">{row ? row.label : 'Total'}{bucket !== undefined ? `, ${bucketText(r.answer.buckets[bucket] as string, r.granularity, true)}` : ''}</p>
                <p class="big">{money(amount, currency)}</p>
                <p class="small soft">exactly <span class="mono">{exact(amount, currency)}</span></p>
                <dl>
                    <dt>Days</dt><dd>{longDay(days.from)} to {longDay(days.to)}, {daysBetween(days.from, days.to)} {days.from === days.to ? 'day' : 'days'}</dd>
                    {r.answer.previous ? <><dt>Compared with</dt><dd>{r.answer.compared ? `${spanText(r.answer.compared, session.today)}, the complete days, with ` : ''}{spanText(r.answer.previous, session.today)}, {r.answer.previous.days} days</dd></> : null}
                    <dt>Cost type</dt><dd>{costTypeLabel(question.costType)}{doc ? <span class="soft"> · {doc}</span> : null}</dd>
                    <dt>Currency</dt><dd>{currency}{r.answer.converted.length ? <span class="soft"> · {r.answer.converted.join(', ')} converted by the rate of each day</span> : null}</dd>
                    <dt>Grouped by</dt><dd>{question.groupBy.map((k) => keyLabel(k, keys)).join(', then ') || 'nothing'}</dd>
                    <dt>Only</dt><dd>{filterText(one.filters, keys)}</dd>
                    <dt>Data</dt><dd>{r.answer.knownTo ? <>known to {longDay(r.answer.knownTo)}{r.answer.knownTo < session.today ? ` (${ago(daysBetween(r.answer.knownTo, session.today) - 1)})` : ''}</> : 'nothing loaded'}</dd>
                    <dt>Computed</dt><dd>from {count(r.answer.rows)} bill rows in {r.answer.elapsedMs.toFixed(1)} ms; amounts kept to ten decimals, added exactly, rounded once</dd>
                </dl>
                <div class="row">
                    <button type="button" onClick={() => void copy(asCurl(one, r, row ? null : view), 'API call')}>Copy as API call</button>
                    <button type="button" onClick={() => void copy(json, 'Question')}>Copy question</button>
                </div>
                {tags.map((k) => <CaughtBy key={k.key} tag={k} question={question} row={row as Row} bucket={bucket === undefined ? null : (r.answer.buckets[bucket] as string)} currency={r.currency} keys={keys} />)}
                <h3>Bill rows behind it</h3>
                {row?.isOthers ? <p class="small soft">Others stands for {count(row.others)} groups; open it in the table to see the rows of one. These are the rows of the whole question.</p> : null}
                {state === 'busy' ? <Skeleton rows={6} label="Fetching bill rows" /> : state instanceof ApiError ? <Failure what="The rows could not be fetched" error={state} retry={() => setTries(tries + 1)} /> : (
                    state.rows.length === 0 ? <p class="soft">No bill row is behind this number.</p> : (
                        <>
                            <div class="tablebox own rows" tabIndex={0} role="region" aria-label="Bill rows">
                                <table class="plain"><caption class="away">Bill rows, newest first</caption>
                                    <thead><tr>{told.map((n) => <th scope="col" key={n}>{state.columns[n]}</th>)}</tr></thead>
                                    <tbody>{state.rows.map((x, i) => <tr key={i}>{told.map((n) => [n, x[n]] as const).map(([n, v]) => <td key={n} class={/Cost$|Quantity$|Price$/.test(state.columns[n] ?? '') ? 'num' : undefined} title={v == null ? undefined : String(v)}>{v == null ? '' : typeof v === 'object' ? JSON.stringify(v) : String(v)}</td>)}</tr>)}</tbody>
                                </table>
                            </div>
                            <p class="small soft">{state.more ? `The newest ${state.rows.length} of more.` : state.rows.length === 1 ? 'The only one.' : `All ${state.rows.length}.`}</p>
                        </>
                    )
                )}
            </div>
        </Dialog>
    );
}
