/* quality.tsx - can the numbers be trusted: deliveries, gaps, restatements; and the ledger against invoices. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { billsVersion, go, place, sayError, session as sessionCell, toast, whyNot } from '../app';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { longDay, moment, monthName, shortDay } from '../lib/day';
import { count, dec, exact, money, signed } from '../lib/dec';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';

interface Change { day: string; before: string; after: string }
interface Restatement { period: string; currency: string; load: number; replaced: number; at: string; before: string; after: string; change: string; changedDays: number; days: Change[] }
interface Source {
    id: number; name: string; lastDelivery: string | null; lastLoad: string | null; duplicates: number; failed: number; lastFailure: string | null;
    firstDay: string | null; knownTo: string | null; lateDays: number; missingDays: string[]; missing: number; restatements: Restatement[];
    notices: { load: number; text: string }[];
}
interface Amount { rows: number; amount: string }
interface Entered { number: string; amount: string; note: string; by: string; at: string }
interface Month {
    sourceId: number; source: string; period: string; currency: string; rows: number; billed: string; charges: (Amount & { category: string })[];
    invoices: (Amount & { number: string })[]; openRows: number; open: string; entered: Entered[]; against: 'entered' | 'bill' | 'nothing';
    expected: string; difference: string; state: 'equal' | 'differs' | 'open';
}
const month = (period: string): string => monthName(`${period}-01`);

export default function Quality(): JSX.Element {
    const { search } = useCell(place);
    const reconcile = new URLSearchParams(search).get('tab') === 'reconcile';
    useEffect(() => {
        document.title = `${reconcile ? 'Reconcile' : 'Data quality'} · Farthing`;
    }, [reconcile]);
    return (
        <>
            <header class="top">
                <h1>Data quality</h1>
                <div class="seg" role="group" aria-label="What to show">
                    <button type="button" aria-pressed={!reconcile} onClick={() => go('/quality')}>Deliveries</button>
                    <button type="button" aria-pressed={reconcile} onClick={() => go('/quality?tab=reconcile')}>Reconcile</button>
                </div>
                <span class="sp" /><SearchButton />
            </header>
            {reconcile ? <Reconcile /> : <Deliveries />}
        </>
    );
}

/** What a path answers, again whenever bills changed. */
function useAnswer<T>(path: string): { value: T | null; error: ApiError | null; load: () => void } {
    const version = useCell(billsVersion);
    const [value, setValue] = useState<T | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const load = (): void => {
        setError(null);
        get<T>(path).then(setValue).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    useEffect(load, [path, version]);
    return { value, error, load };
}

/* ---- deliveries ---- */

function Deliveries(): JSX.Element {
    const { value, error, load } = useAnswer<{ today: string; sources: Source[] }>('/api/quality');
    if (error) return <section class="card"><Failure what="The deliveries could not be fetched" error={error} retry={load} /></section>;
    if (!value) return <section class="card"><Skeleton rows={5} label="Fetching deliveries" /></section>;
    if (!value.sources.length) return <section class="card"><Empty what="No bill yet"><p>Load one under <a href="/bills" onClick={(e) => { e.preventDefault(); go('/bills'); }}>Bills</a>; what arrives, when, and what it changes is kept here.</p></Empty></section>;
    return (
        <>
            <p class="lead">Two clocks for each source: when it was last delivered, and up to which day its cost is known.</p>
            <section class="card">
                <div class="tablebox" tabIndex={0} role="region" aria-label="Table of sources">
                    <table class="plain">
                        <caption class="away">Sources</caption>
                        <thead><tr><th scope="col">Source</th><th scope="col">State</th><th scope="col">Last delivery</th><th scope="col">Cost known to</th><th scope="col" class="num">Days missing</th><th scope="col" class="num">Restated</th><th scope="col" class="num">Same again</th><th scope="col" class="num">Refused</th></tr></thead>
                        <tbody>{value.sources.map((s) => (
                            <tr key={s.id}>
                                <th scope="row">{s.name}</th>
                                <td>{badge(s)}</td>
                                <td>{s.lastDelivery ? moment(s.lastDelivery, value.today) : 'never'}</td>
                                <td>{s.knownTo ? longDay(s.knownTo) : 'nothing live'}{s.lateDays > 1 ? <span class="soft"> · {count(s.lateDays)} days behind</span> : null}</td>
                                <td class="num" title={s.missingDays.map(longDay).join(', ') || undefined}>{s.missing ? count(s.missing) : <span class="soft">none</span>}</td>
                                <td class="num">{s.restatements.length ? count(s.restatements.length) : <span class="soft">never</span>}</td>
                                <td class="num">{count(s.duplicates)}</td>
                                <td class="num" title={s.lastFailure ?? undefined}>{count(s.failed)}</td>
                            </tr>
                        ))}</tbody>
                    </table>
                </div>
            </section>
            {value.sources.filter((s) => s.missing || s.restatements.length || s.notices.length).map((s) => <Detail key={s.id} s={s} today={value.today} />)}
        </>
    );
}
const badge = (s: Source): JSX.Element =>
    s.knownTo === null ? <span class="badge">empty</span> : s.lateDays > 2 ? <span class="badge late">late</span> : s.missing ? <span class="badge late">gaps</span> : <span class="badge live">complete</span>;

function Detail({ s, today }: { s: Source; today: string }): JSX.Element {
    const [open, setOpen] = useState<Restatement | null>(null);
    return (
        <section class="card detail">
            <h2>{s.name}</h2>
            {s.missing ? <p class="problem">No bill row on {s.missingDays.slice(0, 12).map(shortDay).join(', ')}{s.missing > 12 ? ` and ${count(s.missing - 12)} more days` : ''}.</p> : null}
            {s.restatements.length ? (
                <div class="tablebox" tabIndex={0} role="region" aria-label={`Restatements of ${s.name}`}>
                    <table class="plain">
                        <caption class="away">Restatements of {s.name}</caption>
                        <thead><tr><th scope="col">Month</th><th scope="col">Delivered</th><th scope="col" class="num">Before</th><th scope="col" class="num">After</th><th scope="col" class="num">Change</th><th scope="col" class="num">Days changed</th><th scope="col">Loads</th></tr></thead>
                        <tbody>{s.restatements.map((r) => (
                            <tr key={`${r.load}-${r.period}-${r.currency}`}>
                                <th scope="row">{month(r.period)}</th>
                                <td>{moment(r.at, today)}</td>
                                <td class="num">{money(dec(r.before), r.currency)}</td>
                                <td class="num">{money(dec(r.after), r.currency)}</td>
                                <td class="num" title={exact(dec(r.change), r.currency)}>{dec(r.change) === 0n ? 'nothing' : signed(dec(r.change), r.currency)}</td>
                                <td class="num">{r.changedDays ? <button type="button" class="link" aria-label={`${count(r.changedDays)} days of ${month(r.period)} that changed`} onClick={() => setOpen(r)}>{count(r.changedDays)}</button> : '0'}</td>
                                <td><a href={`/bills/${r.load}`} onClick={(e) => { e.preventDefault(); go(`/bills/${r.load}`); }}>{r.load}</a> replaced <a href={`/bills/${r.replaced}`} onClick={(e) => { e.preventDefault(); go(`/bills/${r.replaced}`); }}>{r.replaced}</a></td>
                            </tr>
                        ))}</tbody>
                    </table>
                </div>
            ) : null}
            {s.notices.length ? <ul class="notices">{s.notices.map((n, i) => <li key={i}>{n.text}</li>)}</ul> : null}
            {open ? (
                <Dialog title={`${month(open.period)}: what changed`} kind="middle" onClose={() => setOpen(null)}>
                    <table class="plain">
                        <caption class="away">Days of {month(open.period)} that changed</caption>
                        <thead><tr><th scope="col">Day</th><th scope="col" class="num">Before</th><th scope="col" class="num">After</th><th scope="col" class="num">Change</th></tr></thead>
                        <tbody>{open.days.map((d) => (
                            <tr key={d.day}><th scope="row">{longDay(d.day)}</th><td class="num">{money(dec(d.before), open.currency)}</td><td class="num">{money(dec(d.after), open.currency)}</td><td class="num" title={exact(dec(d.after) - dec(d.before), open.currency)}>{signed(dec(d.after) - dec(d.before), open.currency)}</td></tr>
                        ))}</tbody>
                    </table>
                    {open.changedDays > open.days.length ? <p class="small soft">and {count(open.changedDays - open.days.length)} more</p> : null}
                </Dialog>
            ) : null}
        </section>
    );
}

/* ---- reconcile ---- */

function Reconcile(): JSX.Element {
    const { value, error, load } = useAnswer<{ months: Month[] }>('/api/reconcile');
    const [open, setOpen] = useState<Month | null>(null);
    if (error) return <section class="card"><Failure what="The months could not be fetched" error={error} retry={load} /></section>;
    if (!value) return <section class="card"><Skeleton rows={5} label="Fetching months" /></section>;
    if (!value.months.length) return <section class="card"><Empty what="No bill yet"><p>Load one under Bills; each of its months is then held against its invoice here.</p></Empty></section>;
    const shown = open && (value.months.find((m) => m.sourceId === open.sourceId && m.period === open.period && m.currency === open.currency) ?? null);
    return (
        <>
            <p class="lead">Each billing month against the provider's invoice: the one you enter, or the invoice numbers in the bill itself.</p>
            <section class="card">
                <div class="tablebox" tabIndex={0} role="region" aria-label="Table of billing months">
                    <table class="plain">
                        <caption class="away">Billing months</caption>
                        <thead><tr><th scope="col">Month</th><th scope="col">Source</th><th scope="col" class="num">Ledger, billed</th><th scope="col" class="num">Invoiced</th><th scope="col" class="num">Difference</th><th scope="col">State</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                        <tbody>{value.months.map((m) => (
                            <tr key={`${m.sourceId}-${m.period}-${m.currency}`}>
                                <th scope="row">{month(m.period)}</th>
                                <td>{m.source}</td>
                                <td class="num" title={exact(dec(m.billed), m.currency)}>{money(dec(m.billed), m.currency)}</td>
                                <td class="num">{m.state === 'open' ? <span class="soft">not yet</span> : money(dec(m.expected), m.currency)}</td>
                                <td class="num" title={exact(dec(m.difference), m.currency)}>{m.state === 'open' ? '' : dec(m.difference) === 0n ? money(0n, m.currency) : signed(dec(m.difference), m.currency)}</td>
                                <td><span class={`badge ${m.state === 'equal' ? 'live' : m.state === 'differs' ? 'failed' : ''}`}>{m.state === 'equal' ? 'equal' : m.state === 'differs' ? 'differs' : 'open'}</span></td>
                                <td class="num"><button type="button" class="link" aria-label={`Show ${month(m.period)} of ${m.source}`} onClick={() => setOpen(m)}>Show</button></td>
                            </tr>
                        ))}</tbody>
                    </table>
                </div>
            </section>
            {shown ? <MonthPanel m={shown} onClose={() => setOpen(null)} onChange={load} /> : null}
        </>
    );
}

function MonthPanel({ m, onClose, onChange }: { m: Month; onClose: () => void; onChange: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [number, setNumber] = useState('');
    const [amount, setAmount] = useState('');
    const [note, setNote] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const why = whyNot('costcenters.edit');
    const name = { sourceId: m.sourceId, period: m.period, currency: m.currency };
    const enter = (): void => {
        setError(null);
        call('PUT', '/api/reconcile/invoice', { ...name, number: number.trim(), amount: amount.trim(), note: note.trim() })
            .then(() => {
                toast('Invoice entered');
                setNumber('');
                setAmount('');
                setNote('');
                onChange();
            })
            .catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    const drop = (n: string): void => {
        call('POST', '/api/reconcile/invoice/delete', { ...name, number: n }).then(onChange).catch((e: unknown) => sayError('could not take the invoice away', e));
    };
    return (
        <Dialog title={`${month(m.period)}, ${m.source}`} kind="drawer" onClose={onClose}>
            <dl>
                <dt>Ledger, billed</dt><dd>{exact(dec(m.billed), m.currency)} in {count(m.rows)} rows</dd>
                <dt>Invoiced</dt><dd>{m.state === 'open' ? 'no invoice number in the bill, none entered' : `${exact(dec(m.expected), m.currency)}, ${m.against === 'entered' ? 'as entered' : 'by the numbers in the bill'}`}</dd>
                <dt>Difference</dt><dd>{m.state === 'open' ? '' : exact(dec(m.difference), m.currency)}</dd>
            </dl>
            {m.state === 'differs' && m.against === 'bill' ? <p class="small soft">{count(m.openRows)} rows, {exact(dec(m.open), m.currency)}, carry no invoice number yet.</p> : null}
            <h3>Charges</h3>
            <Amounts rows={m.charges.map((c) => [c.category || 'no category', c.rows, c.amount])} currency={m.currency} what="Kind" />
            {m.invoices.length ? <><h3>Invoice numbers in the bill</h3><Amounts rows={m.invoices.map((c) => [c.number, c.rows, c.amount])} currency={m.currency} what="Number" /></> : null}
            <h3>Entered invoices</h3>
            {m.entered.length ? (
                <table class="plain"><caption class="away">Entered invoices</caption><thead><tr><th scope="col">Number</th><th scope="col" class="num">Amount</th><th scope="col">Entered</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                    <tbody>{m.entered.map((v) => <tr key={v.number}><th scope="row">{v.number}{v.note ? <span class="soft"> · {v.note}</span> : null}</th><td class="num">{exact(dec(v.amount), m.currency)}</td><td title={v.by}>{moment(v.at, session.today)}</td><td class="num"><Guarded why={why} class="link" label={`Remove ${v.number}`} onClick={() => drop(v.number)}>Remove</Guarded></td></tr>)}</tbody></table>
            ) : <p class="small soft">None.</p>}
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (!why && number.trim() && amount.trim()) enter(); }}>
                <label>Invoice number<input type="text" value={number} maxLength={200} onInput={(e) => setNumber(e.currentTarget.value)} /></label>
                <label>Amount in {m.currency}<input type="text" inputMode="decimal" value={amount} onInput={(e) => setAmount(e.currentTarget.value)} /></label>
                <label>Note<input type="text" value={note} maxLength={300} onInput={(e) => setNote(e.currentTarget.value)} /></label>
                {error ? <p class="problem" role="alert">{error.message}</p> : null}
                <div class="row end"><Guarded why={why ?? (number.trim() && amount.trim() ? null : 'A number and an amount are needed')} class="primary" onClick={enter}>Enter invoice</Guarded></div>
            </form>
        </Dialog>
    );
}

const Amounts = ({ rows, currency, what }: { rows: [string, number, string][]; currency: string; what: string }): JSX.Element => (
    <table class="plain"><caption class="away">{what}</caption><thead><tr><th scope="col">{what}</th><th scope="col" class="num">Rows</th><th scope="col" class="num">Amount</th></tr></thead>
        <tbody>{rows.map(([name, n, amount]) => <tr key={name}><th scope="row">{name}</th><td class="num">{count(n)}</td><td class="num">{exact(dec(amount), currency)}</td></tr>)}</tbody></table>
);
