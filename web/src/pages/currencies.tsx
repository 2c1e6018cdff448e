/*
 * currencies.tsx - the account's currency, what is missing of its rates, the rate table and its history.
 *
 * A file is tried before it is read: what it would change and every line that is wrong stand here first. Nothing is ever
 * changed in the table: a new rate ends the old one, which stays in the history.
 */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { billsChanged, go, place, sayError, session as sessionCell, toast, whyNot } from '../app';
import { ApiError, call, forgetAnswers, get, sendFile } from '../lib/api';
import { useCell } from '../lib/cell';
import { isDay, longDay, moment, monthName } from '../lib/day';
import { count } from '../lib/dec';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';

interface Bill { currency: string; first: string | null; last: string | null; missing: string | null }
interface Pair { currency: string; target: string; billingAccount: string; rates: number; first: string; last: string; rate: string }
export interface Currencies { currency: string; chosen: boolean; bills: Bill[]; pairs: Pair[]; rates: number; codes: string[] }
interface Rate {
    id: number; currency: string; target: string; day: string; rate: string; billingAccount: string; invoice: string; origin: string;
    enteredBy: string; enteredAt: string; endedBy: string; endedAt: string | null;
}
interface Change { rows: number; added: number; changed: number; same: number; errors: { line: number; message: string }[]; errorCount: number }

const SHOWN = 200;
const names = new Intl.DisplayNames(['en'], { type: 'currency' });
export function nameOf(code: string): string {
    try {
        return names.of(code) ?? code;
    } catch {
        return code;
    }
}
const withName = (code: string): string => (nameOf(code) === code ? code : `${code}, ${nameOf(code)}`);

export default function CurrenciesPage(): JSX.Element {
    const { search } = useCell(place);
    const history = new URLSearchParams(search).get('tab') === 'history';
    const [value, setValue] = useState<Currencies | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [version, setVersion] = useState(0);
    const [open, setOpen] = useState<'rate' | 'file' | null>(null);
    const why = whyNot('account.edit');
    const load = (): void => {
        setError(null);
        get<Currencies>('/api/currencies').then((v) => {
            setValue(v);
            setVersion((n) => n + 1);
        }).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    useEffect(() => {
        document.title = 'Currencies · Farthing';
        load();
    }, []);
    /* every number of the page may be another one now */
    const changed = (): void => {
        forgetAnswers();
        void billsChanged();
        load();
    };
    return (
        <>
            <header class="top">
                <h1>Currencies</h1>
                <div class="seg" role="group" aria-label="What to show">
                    <button type="button" aria-pressed={!history} onClick={() => go('/currencies')}>Rates</button>
                    <button type="button" aria-pressed={history} onClick={() => go('/currencies?tab=history')}>History</button>
                </div>
                <span class="sp" /><SearchButton />
                <Guarded why={why} onClick={() => setOpen('file')}>Upload CSV</Guarded>
                <Guarded why={why} class="primary" onClick={() => setOpen('rate')}>Enter a rate</Guarded>
            </header>
            {error ? <section class="card"><Failure what="The currencies could not be fetched" error={error} retry={load} /></section>
                : !value ? <section class="card"><Skeleton rows={5} label="Fetching currencies" /></section>
                    : history ? <Table path="/api/currencies/rates?history=true" version={version} empty="Nothing was entered yet" history why={why} onChange={changed} />
                        : <Now v={value} version={version} why={why} onChange={changed} />}
            {open === 'rate' && value ? <Enter v={value} onClose={() => setOpen(null)} onDone={() => { setOpen(null); changed(); }} /> : null}
            {open === 'file' && value ? <File_ v={value} onClose={() => setOpen(null)} onDone={() => { setOpen(null); changed(); }} /> : null}
        </>
    );
}

function Now({ v, version, why, onChange }: { v: Currencies; version: number; why: string | null; onChange: () => void }): JSX.Element {
    const [pair, setPair] = useState('');
    const others = v.bills.filter((b) => b.currency !== v.currency);
    const at = v.pairs.find((p) => `${p.currency}-${p.target}` === pair);
    const query = at ? `?currency=${at.currency}&target=${at.target}&limit=${SHOWN}` : `?limit=${SHOWN}`;
    const pairs = [...new Map(v.pairs.map((p) => [`${p.currency}-${p.target}`, p])).keys()];
    return (
        <>
            <p class="lead">Amounts stay in the currency of their bill. Screens show them in the account's currency, by the rate of their day; a day without one has the last earlier rate.</p>
            <section class="card pad">
                <h2>Account</h2>
                <div class="row wrap">
                    <label>Currency<select aria-label="Currency of the account" value={v.currency} disabled={why !== null} title={why ?? undefined} onChange={(e) => {
                        const code = e.currentTarget.value;
                        call('PUT', '/api/currencies', { currency: code }).then(() => {
                            toast(`Costs are shown in ${code}`);
                            onChange();
                        }).catch((x: unknown) => sayError('could not change the currency', x));
                    }}>{v.codes.map((c) => <option key={c} value={c}>{withName(c)}</option>)}</select></label>
                    {v.chosen ? null : <p class="small soft">Nobody has chosen one yet: until there is a rate, a question whose costs are all in one currency is answered in that one.</p>}
                </div>
            </section>
            {v.bills.length ? (
                <section class="card detail">
                    <h2>Bills</h2>
                    {others.some((b) => b.missing) ? <p class="problem" role="status">Rates to {v.currency} are missing: questions that reach these days cannot be answered.</p> : null}
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Currencies of the bills">
                        <table class="plain">
                            <caption class="away">Currencies of the bills</caption>
                            <thead><tr><th scope="col">Currency</th><th scope="col">Costs from</th><th scope="col">to</th><th scope="col">Rate to {v.currency}</th></tr></thead>
                            <tbody>{v.bills.map((b) => (
                                <tr key={b.currency}>
                                    <th scope="row">{withName(b.currency)}</th>
                                    <td>{b.first ? longDay(b.first) : ''}</td>
                                    <td>{b.last ? longDay(b.last) : ''}</td>
                                    <td>{b.currency === v.currency ? <span class="soft">not needed</span> : b.missing ? <span class="badge failed">missing from {longDay(b.missing)}</span> : <span class="badge live">complete</span>}</td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                </section>
            ) : null}
            <section class="card detail">
                <h2 class="cardhead">Rates</h2>
                {pairs.length > 1 ? <div class="pad"><label class="inline">Of <select value={pair} onChange={(e) => setPair(e.currentTarget.value)}><option value="">all currencies</option>{pairs.map((p) => <option key={p} value={p}>{p.replace('-', ' to ')}</option>)}</select></label></div> : null}
                {v.rates ? <Table path={`/api/currencies/rates${query}`} version={version} empty="No rate" history={false} why={why} onChange={onChange} bare />
                    : <Empty what="No rate yet"><p>Enter one, or upload a CSV file: <code>day,currency,target,rate</code>. One row is enough to begin: it holds until the next.</p></Empty>}
            </section>
        </>
    );
}

const dayOf = (r: Rate): string => (r.billingAccount ? monthName(r.day) : longDay(r.day));
const ORIGIN: Record<string, string> = { form: 'in the form', csv: 'from a file', invoice: 'of an invoice' };

function Table({ path, version, empty, history, why, onChange, bare }: { path: string; version: number; empty: string; history: boolean; why: string | null; onChange: () => void; bare?: boolean }): JSX.Element {
    const today = (useCell(sessionCell) as Session).today;
    const [list, setList] = useState<{ rates: Rate[]; count: number } | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const load = (): void => {
        setError(null);
        get<{ rates: Rate[]; count: number }>(path).then(setList).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    useEffect(load, [path, version]);
    if (error) return <Failure what="The rates could not be fetched" error={error} retry={load} />;
    if (!list) return <Skeleton rows={5} label="Fetching rates" />;
    if (!list.rates.length) return <section class={bare ? undefined : 'card'}><Empty what={empty} /></section>;
    const end = (r: Rate): void => {
        call('DELETE', `/api/currencies/rates/${r.id}`).then(() => {
            toast(`The rate of ${dayOf(r)} ended`, 'good', { label: 'Undo', run: () => again(r) });
            onChange();
        }).catch((e: unknown) => sayError('could not end the rate', e));
    };
    const again = (r: Rate): void => {
        const { currency, target, day, rate, billingAccount, invoice } = r;
        call('POST', '/api/currencies/rates', { rates: [{ currency, target, day, rate, billingAccount, invoice }] }).then(onChange).catch((e: unknown) => sayError('could not enter it again', e));
    };
    const table = (
        <>
            <div class="tablebox" tabIndex={0} role="region" aria-label={history ? 'History of rates' : 'Table of rates'}>
                <table class="plain">
                    <caption class="away">{history ? 'Every rate that was entered, newest first' : 'Rates that hold, newest day first'}</caption>
                    <thead><tr><th scope="col">From</th><th scope="col">Currency</th><th scope="col" class="num">Rate</th><th scope="col">For</th><th scope="col">Entered</th>{history ? <th scope="col">Ended</th> : <th scope="col"><span class="away">Actions</span></th>}</tr></thead>
                    <tbody>{list.rates.map((r) => (
                        <tr key={r.id} data-rate={`${r.currency}-${r.target}-${r.day}`} class={history && r.endedAt ? 'soft' : undefined}>
                            <th scope="row">{dayOf(r)}</th>
                            <td>{r.currency} to {r.target}</td>
                            <td class="num mono">{r.rate}</td>
                            <td>{r.billingAccount ? <>account {r.billingAccount}{r.invoice ? `, invoice ${r.invoice}` : ''}</> : <span class="soft">all bills</span>}</td>
                            <td>{moment(r.enteredAt, today)} <span class="soft">{ORIGIN[r.origin] ?? r.origin} by {r.enteredBy || 'the command line'}</span></td>
                            {history ? <td>{r.endedAt ? <>{moment(r.endedAt, today)} <span class="soft">by {r.endedBy || 'the command line'}</span></> : 'holds'}</td>
                                : <td class="num"><Guarded why={why} class="link" label={`End the rate of ${r.currency} to ${r.target} of ${dayOf(r)}`} onClick={() => end(r)}>End</Guarded></td>}
                        </tr>
                    ))}</tbody>
                </table>
            </div>
            {list.count > list.rates.length ? <p class="small soft">The newest {count(list.rates.length)} of {count(list.count)}.</p> : null}
        </>
    );
    return bare ? table : <section class="card detail">{table}</section>;
}

function Problem({ error }: { error: ApiError | null }): JSX.Element | null {
    return error ? <p class="problem" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null;
}

/** One rate, of a day or of an invoice. */
function Enter({ v, onClose, onDone }: { v: Currencies; onClose: () => void; onDone: () => void }): JSX.Element {
    const today = (useCell(sessionCell) as Session).today;
    const missing = v.bills.find((b) => b.missing && b.currency !== v.currency);
    const [kind, setKind] = useState<'day' | 'invoice'>('day');
    const [currency, setCurrency] = useState(missing?.currency ?? v.bills.find((b) => b.currency !== v.currency)?.currency ?? v.codes.find((c) => c !== v.currency) ?? '');
    const [target, setTarget] = useState(v.currency);
    const [day, setDay] = useState(missing?.missing ?? today);
    const [rate, setRate] = useState('');
    const [account, setAccount] = useState('');
    const [invoice, setInvoice] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const lack = currency === target ? 'The two currencies have to differ.' : !isDay(day) ? 'A day like 2026-10-31.' : !rate.trim() ? 'The rate is missing.' : kind === 'invoice' && !account.trim() ? 'The billing account is missing.' : null;
    const save = (): void => {
        setError(null);
        const one = { currency, target, day, rate: rate.trim(), ...(kind === 'invoice' ? { billingAccount: account.trim(), invoice: invoice.trim() } : {}) };
        call<Change>('POST', '/api/currencies/rates', { rates: [one] }).then((c) => {
            toast(c.same ? 'The rate was there already' : c.changed ? 'The rate is changed; the one before stays in the history' : 'The rate is entered');
            onDone();
        }).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    const codes = v.codes.map((c) => <option key={c} value={c}>{withName(c)}</option>);
    return (
        <Dialog title="Enter a rate" kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (!lack) save(); }}>
                <span class="seg" style={{ alignSelf: 'start' }} role="group" aria-label="What the rate is of">
                    <button type="button" aria-pressed={kind === 'day'} onClick={() => setKind('day')}>Of a day</button>
                    <button type="button" aria-pressed={kind === 'invoice'} onClick={() => setKind('invoice')}>Of an invoice</button>
                </span>
                <div class="fields">
                    <label>1 of<select value={currency} onChange={(e) => setCurrency(e.currentTarget.value)}>{codes}</select></label>
                    <label>is<input type="text" inputMode="decimal" value={rate} placeholder="1.0837" onInput={(e) => setRate(e.currentTarget.value)} /></label>
                    <label>of<select value={target} onChange={(e) => setTarget(e.currentTarget.value)}>{codes}</select></label>
                </div>
                <label>{kind === 'day' ? 'From' : 'In the month of'}<input type="date" value={day} onInput={(e) => setDay(e.currentTarget.value)} /></label>
                {kind === 'invoice' ? (
                    <div class="fields">
                        <label>Billing account<input type="text" value={account} maxLength={200} onInput={(e) => setAccount(e.currentTarget.value)} /></label>
                        <label>Invoice number (optional)<input type="text" value={invoice} maxLength={200} onInput={(e) => setInvoice(e.currentTarget.value)} /></label>
                    </div>
                ) : null}
                <p class="small soft">{kind === 'day' ? 'It holds until the next row of these two currencies, either way round.' : 'It holds for this billing account in this month, and goes before the rates of days.'}</p>
                <Problem error={error} />
                <div class="row end"><span class="small soft" role="status">{lack ?? ''}</span><span class="sp" /><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={lack !== null}>Enter the rate</button></div>
            </form>
        </Dialog>
    );
}

/** A file is tried first; only one without a wrong line can be read. */
function File_({ v, onClose, onDone }: { v: Currencies; onClose: () => void; onDone: () => void }): JSX.Element {
    const [file, setFile] = useState<File | null>(null);
    const [tried, setTried] = useState<Change | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const send = (f: File, really: boolean): void => {
        setBusy(true);
        setError(null);
        sendFile<Change>('POST', `/api/currencies/csv?dryRun=${String(!really)}`, f).then((c) => {
            if (!really) return setTried(c);
            toast(`${count(c.added)} rates are new, ${count(c.changed)} changed`);
            onDone();
        }).catch((e: unknown) => e instanceof ApiError && setError(e)).finally(() => setBusy(false));
    };
    const take = (f: File | undefined): void => {
        if (!f) return;
        setFile(f);
        setTried(null);
        send(f, false);
    };
    return (
        <Dialog title="Upload rates" kind="middle" onClose={onClose}>
            <div class="stack">
                <p class="small soft">A first line with the columns <code>day,currency,target,rate</code>; without <code>target</code> it is {v.currency}. For rates of invoices also <code>billing account</code> and <code>invoice</code>.</p>
                <div class="dropzone" onDragOver={(e) => e.preventDefault()} onDrop={(e) => { e.preventDefault(); take(e.dataTransfer?.files[0]); }}>
                    <span>{file ? <><b>{file.name}</b> <span class="soft">{count(file.size)} bytes</span></> : 'Drop a CSV file here.'}</span>
                    <label class="button filepick">{file ? 'Another file' : 'Choose a file'}<input type="file" class="away" accept=".csv,text/csv" onChange={(e) => take(e.currentTarget.files?.[0])} /></label>
                </div>
                {tried ? <p role="status">{count(tried.rows)} rates: {count(tried.added)} new, {count(tried.changed)} changed, {count(tried.same)} as they are.</p> : null}
                {tried?.errorCount ? (
                    <>
                        <p class="problem" role="alert">{count(tried.errorCount)} {tried.errorCount === 1 ? 'line is' : 'lines are'} wrong. Nothing was saved; correct the file and choose it again.</p>
                        <div class="tablebox own" tabIndex={0} role="region" aria-label="Lines that are wrong">
                            <table class="plain tight"><caption class="away">Lines that are wrong</caption><thead><tr><th scope="col" class="num">Line</th><th scope="col">What is wrong</th></tr></thead>
                                <tbody>{tried.errors.map((x) => <tr key={x.line}><th scope="row" class="num">{x.line}</th><td>{x.message}</td></tr>)}</tbody></table>
                        </div>
                        {tried.errorCount > tried.errors.length ? <p class="small soft">The first {count(tried.errors.length)} are shown.</p> : null}
                    </>
                ) : null}
                <Problem error={error} />
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button>
                    <button type="button" class="primary" disabled={busy || !file || !tried || tried.errorCount > 0 || tried.added + tried.changed === 0} onClick={() => file && send(file, true)}>Read the rates</button></div>
            </div>
        </Dialog>
    );
}
