/* allaccounts.tsx - the cost of all accounts one may see, each and together; currencies stay apart unless one is asked for. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, place, session as sessionCell } from '../app';
import { keyItems, keyOf } from '../bill/by';
import { asError, call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { bucketText, RANGES } from '../lib/day';
import { dec, exact, money } from '../lib/dec';
import { keyLabel, valueLabel } from '../lib/question';
import type { KeyInfo, Session } from '../lib/types';
import { Empty, Failure, SearchButton, Skeleton } from '../parts/basic';

interface Amount { currency: string; total: string; cells: string[] }
interface One { id: string; name: string; first: boolean; state: 'counted' | 'noPermission' | 'noAccess' | 'noAnswer'; message: string | null; limited: boolean; ungrouped: boolean; rows: number; amounts: Amount[] }
interface Together { complete: boolean; buckets: string[]; accounts: One[]; totals: Amount[]; groups: (Amount & { values: string[] })[] }

const STEPS: [id: string, label: string][] = [['day', 'By day'], ['month', 'By month']];

/** The address is the state: range, step, key, currency. */
function useAsked(): { range: string; step: string; by: string; currency: string; set: (name: string, value: string) => void } {
    const { search } = useCell(place);
    const q = new URLSearchParams(search);
    const set = (name: string, value: string): void => {
        const next = new URLSearchParams(search);
        if (value) next.set(name, value);
        else next.delete(name);
        go(`/all-accounts${next.size ? `?${next}` : ''}`, true);
    };
    const range = q.get('range') ?? '';
    return { range: RANGES.some(([n]) => n === range) ? range : 'last30Days', step: q.get('step') === 'day' ? 'day' : 'month', by: q.get('by') ?? '', currency: q.get('currency') ?? '', set };
}

export default function AllAccounts(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const { range, step, by, currency, set } = useAsked();
    const [keys, setKeys] = useState<KeyInfo[] | null>(null);
    const [answer, setAnswer] = useState<Together | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [again, setAgain] = useState(0);
    const key = keyOf(keys, by);
    useEffect(() => {
        document.title = 'All accounts · Farthing';
        get<{ keys: KeyInfo[] }>('/api/accounts/keys').then((r) => setKeys(r.keys)).catch(() => setKeys([]));
    }, []);
    useEffect(() => {
        if (by && !keys) return undefined;
        const stop = new AbortController();
        setError(null);
        call<Together>('POST', '/api/accounts/query', { date: { relativeRange: range }, granularity: step, ...(key ? { groupBy: [key] } : {}), ...(currency ? { currency } : {}) }, stop.signal)
            .then(setAnswer)
            .catch((e: unknown) => {
                if (!stop.signal.aborted) setError(asError(e));
            });
        return () => stop.abort();
    }, [range, step, by, currency, keys !== null, again]);
    if (session.accounts.length < 2) return <section class="card"><Empty what="One account"><p>You are a member of one account. What it costs is in <a href="/megabill" onClick={(e) => { e.preventDefault(); go('/megabill'); }}>MegaBill</a>.</p></Empty></section>;
    return (
        <>
            <header class="top"><h1>All accounts</h1><span class="sp" /><SearchButton /></header>
            <p class="lead">What the accounts you are a member of cost, each and together. Each is asked as you are there: with your roles and the rows you may see.</p>
            <div class="row wrap bar">
                <label>Period <select value={range} onChange={(e) => set('range', e.currentTarget.value)}>{RANGES.map(([n, label]) => <option key={n} value={n}>{label}</option>)}</select></label>
                <label>Columns <select value={step} onChange={(e) => set('step', e.currentTarget.value)}>{STEPS.map(([n, label]) => <option key={n} value={n}>{label}</option>)}</select></label>
                <label>Group by <select value={key ? by : ''} onChange={(e) => set('by', e.currentTarget.value)}><option value="">nothing</option>{keyItems(keys).map((k) => <option key={k.id} value={k.id}>{k.group ? `${k.label} (${k.group})` : k.label}</option>)}</select></label>
                <label>Currency <select value={currency} onChange={(e) => set('currency', e.currentTarget.value)}>{['', 'USD', 'EUR', 'GBP', ...(answer?.totals.map((t) => t.currency) ?? []), currency].filter((c, i, all) => all.indexOf(c) === i).map((c) => <option key={c} value={c}>{c || 'each account’s own'}</option>)}</select></label>
            </div>
            {error ? <section class="card"><Failure what="The accounts could not be added up" error={error} retry={() => setAgain(again + 1)} /></section>
                : answer === null ? <section class="card"><Skeleton rows={5} label="Asking the accounts" /></section>
                    : <Shown a={answer} step={step} of={key ? keyLabel(key, keys) : null} label={(v) => valueLabel(v, key ?? undefined)} />}
        </>
    );
}

const WHY: Record<One['state'], string> = { counted: '', noPermission: 'not counted: no permission', noAccess: 'not counted: no access', noAnswer: 'not counted: no answer' };

function Shown({ a, step, of, label }: { a: Together; step: string; of: string | null; label: (value: string) => string }): JSX.Element {
    const out = a.accounts.filter((x) => x.state !== 'counted');
    return (
        <>
            {out.length ? <p class="problem" role="status">Not in the sums: {out.map((x) => `${x.name} (${x.message ?? WHY[x.state]})`).join('; ')}.</p> : null}
            <section class="card detail">
                <h2>By account</h2>
                <Sums caption="Cost by account" head="Account" a={a} step={step} total
                    rows={a.accounts.flatMap((x) => (x.amounts.length ? x.amounts.map((m): Row => ({ key: `${x.id}${m.currency}`, name: x.name, note: x.limited ? 'some rows' : '', m }))
                        : [{ key: x.id, name: x.name, note: x.state === 'counted' ? 'no cost' : WHY[x.state], m: null }]))} />
            </section>
            {of ? (
                <section class="card detail">
                    <h2>By {of}</h2>
                    {a.groups.length ? <Sums caption={`Cost by ${of}`} head={of} a={a} step={step} rows={a.groups.map((g): Row => ({ key: `${g.currency}${g.values.join('\n')}`, name: label(g.values[0] ?? ''), note: '', m: g }))} /> : <p class="soft">No cost in this period.</p>}
                </section>
            ) : null}
        </>
    );
}

interface Row { key: string; name: string; note: string; m: Amount | null }

function Sums({ caption, head, rows, a, step, total }: { caption: string; head: string; rows: Row[]; a: Together; step: string; total?: boolean }): JSX.Element {
    const cells = (m: Amount | null): JSX.Element[] => [
        <td class="num" key="total" title={m ? exact(dec(m.total), m.currency) : undefined}>{m ? money(dec(m.total), m.currency) : ''}</td>,
        ...a.buckets.map((b, i) => <td class="num" key={b} title={m ? exact(dec(m.cells[i] as string), m.currency) : undefined}>{m ? money(dec(m.cells[i] as string), m.currency) : ''}</td>),
    ];
    return (
        <div class="tablebox" tabIndex={0} role="region" aria-label={`Table: ${caption}`}>
            <table class="plain">
                <caption class="away">{caption}</caption>
                <thead><tr><th scope="col">{head}</th><th scope="col">Currency</th><th scope="col" class="num">Total</th>{a.buckets.map((b) => <th scope="col" class="num" key={b}>{bucketText(b, step)}</th>)}</tr></thead>
                <tbody>
                    {rows.map((r) => <tr key={r.key}><th scope="row">{r.name}{r.note ? <span class="soft"> · {r.note}</span> : null}</th><td>{r.m?.currency ?? ''}</td>{cells(r.m)}</tr>)}
                    {total ? a.totals.map((m) => <tr key={`total${m.currency}`}><th scope="row"><b>Together</b></th><td>{m.currency}</td>{cells(m)}</tr>) : null}
                </tbody>
            </table>
        </div>
    );
}
