/* entry.tsx - one custom cost: the form on the left, the days it makes on the right; and what it was before. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { keys as keyCell, session as sessionCell } from '../app';
import { FilterTree } from '../bill/filter';
import type { Model } from '../charts/model';
import { ApiError, asError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { approx, axisLabel, count, decNear, money } from '../lib/dec';
import { firstOfMonth, isDay, longDay, moment, shortDay } from '../lib/day';
import { defaultQuestion, filterText, offeredTypes } from '../lib/question';
import type { Session } from '../lib/types';
import { Failure, Icon, Skeleton } from '../parts/basic';
import { Lines } from '../parts/lines';
import { Dialog } from '../parts/panel';
import { filterOf } from '../tags/draft';
import { useLive } from '../tags/preview';
import { amountText, RECURRENCES, recurrenceText, type DayCost, type Entry, type EntryBody, type Recurrence } from './types';

interface Form {
    name: string;
    service: string;
    by: 'amount' | 'percent';
    amount: string;
    currency: string;
    recurrence: Recurrence;
    start: string;
    end: string;
    spread: 'on-date' | 'amortize';
    dimensions: [string, string][];
    note: string;
    percent: string;
    filters: NonNullable<EntryBody['filters']>;
    costType: string;
}
const formOf = (e: Entry | null, session: Session): Form => ({
    name: e?.name ?? '', service: e?.service ?? '', by: e?.percent ? 'percent' : 'amount', amount: e?.amount ?? '', currency: e?.currency || session.account.currency,
    recurrence: e?.recurrence ?? 'once', start: e?.start ?? firstOfMonth(session.today), end: e?.end ?? '', spread: e?.spread ?? 'on-date',
    dimensions: Object.entries(e?.dimensions ?? {}), note: e?.note ?? '', percent: e?.percent ?? '', filters: e?.filters ?? {}, costType: e?.costType || session.account.defaultCostType,
});
function bodyOf(f: Form): EntryBody {
    const dimensions = Object.fromEntries(f.dimensions.map(([k, v]) => [k.trim(), v.trim()]).filter(([k, v]) => k && v));
    const common = { name: f.name.trim(), service: f.service.trim(), start: f.start, end: f.end || null, dimensions, note: f.note };
    return f.by === 'percent' ? { ...common, percent: f.percent.trim(), filters: f.filters, costType: f.costType } : { ...common, amount: f.amount.trim(), currency: f.currency.trim().toUpperCase(), recurrence: f.recurrence, spread: f.spread };
}
const NUMBER = /^-?\d{1,20}(\.\d{1,18})?$/;
function lack(f: Form): string | null {
    if (f.by === 'amount' && !NUMBER.test(f.amount.trim())) return 'an amount like 1200 or -35.50';
    if (f.by === 'percent' && !NUMBER.test(f.percent.trim())) return 'a percentage like 5 or -2.5';
    if (!isDay(f.start)) return 'a first day';
    if (f.end && f.end < f.start) return 'a last day that is not before the first';
    if (f.by === 'amount' && f.spread === 'amortize' && f.recurrence === 'once' && !f.end) return 'a last day to spread it to';
    if (f.by === 'amount' && !/^[A-Za-z]{3}$/.test(f.currency.trim())) return 'a currency of three letters';
    return null;
}

export function EntryDialog({ entry, onClose, onSaved }: { entry: Entry | null; onClose: () => void; onSaved: (e: Entry, was: boolean) => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [f, setForm] = useState<Form>(() => formOf(entry, session));
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const put = (part: Partial<Form>): void => {
        setForm((x) => ({ ...x, ...part }));
        setError(null);
    };
    const wants = lack(f);
    const body = useMemo(() => bodyOf(f), [f]);
    const shown = useMemo(() => ({ ...body, name: body.name || 'draft' }), [body]);
    const live = useLive<{ currency: string; days: DayCost[]; total: string }, null>('/api/custom-costs/preview', wants ? null : shown, null, JSON.stringify({ ...shown, name: '', note: '' }));
    const question = useMemo(() => ({ ...defaultQuestion(f.costType), groupBy: [] }), [f.costType]);
    const send = (): void => {
        if (busy || wants || !body.name) return;
        setBusy(true);
        call<Entry>(entry?.id ? 'PUT' : 'POST', entry?.id ? `/api/custom-costs/${entry.id}` : '/api/custom-costs', body).then((e) => onSaved(e, Boolean(entry?.id))).catch((e: unknown) => {
            setBusy(false);
            setError(asError(e));
        });
    };
    const start = filterOf(f.filters);
    return (
        <Dialog title={entry?.id ? `Edit "${entry.name}"` : 'Add a custom cost'} kind="big" onClose={onClose}>
            <form class="entryform" onSubmit={(e) => { e.preventDefault(); send(); }}>
                <div class="stack">
                    <div class="fields">
                        <label>Name<input type="text" value={f.name} maxLength={200} placeholder="Support contract" onInput={(e) => put({ name: e.currentTarget.value })} /></label>
                        <label>Service<input type="text" value={f.service} maxLength={200} placeholder="Support" onInput={(e) => put({ service: e.currentTarget.value })} /></label>
                    </div>
                    <span class="seg" role="group" aria-label="How much"><button type="button" aria-pressed={f.by === 'amount'} onClick={() => put({ by: 'amount' })}>An amount</button><button type="button" aria-pressed={f.by === 'percent'} onClick={() => put({ by: 'percent' })}>A percentage of other cost</button></span>
                    {f.by === 'amount' ? (
                        <div class="fields">
                            <label>Amount<input type="text" inputMode="decimal" value={f.amount} maxLength={40} placeholder="1200; negative for a credit" aria-invalid={f.amount !== '' && !NUMBER.test(f.amount.trim()) ? 'true' : undefined} onInput={(e) => put({ amount: e.currentTarget.value })} /></label>
                            <label>Currency<input type="text" value={f.currency} maxLength={3} onInput={(e) => put({ currency: e.currentTarget.value })} /></label>
                            <label>How often<select value={f.recurrence} onChange={(e) => put({ recurrence: e.currentTarget.value as Recurrence })}>{RECURRENCES.map(([r, label]) => <option key={r} value={r}>{label}</option>)}</select></label>
                            <label>Its cost falls<select value={f.spread} onChange={(e) => put({ spread: e.currentTarget.value as Form['spread'] })}><option value="on-date">on its day</option><option value="amortize">evenly on all its days</option></select></label>
                        </div>
                    ) : (
                        <>
                            <div class="fields">
                                <label>Percent<input type="text" inputMode="decimal" value={f.percent} maxLength={40} placeholder="5; negative for a discount" onInput={(e) => put({ percent: e.currentTarget.value })} /></label>
                                <label>Of which cost<select value={f.costType} onChange={(e) => put({ costType: e.currentTarget.value })}>{offeredTypes(session.account.costTypes, f.costType).map(([c, label]) => <option key={c} value={c}>{label}</option>)}</select></label>
                            </div>
                            <div><h3>Of what</h3><FilterTree start={start} question={question} currency={session.account.currency} onChange={(x) => put({ filters: x ?? {} })} /><p class="small soft">Without a condition it is of all cost. Percentages never count themselves or each other.</p></div>
                        </>
                    )}
                    <div class="fields">
                        <label>{f.by === 'amount' && f.recurrence === 'once' && f.spread === 'on-date' ? 'Day' : 'First day'}<input type="date" value={f.start} onInput={(e) => put({ start: e.currentTarget.value })} /></label>
                        {f.by === 'amount' && f.recurrence === 'once' && f.spread === 'on-date' ? null : <label>Last day<input type="date" value={f.end} min={f.start || undefined} onInput={(e) => put({ end: e.currentTarget.value })} /></label>}
                        {!f.end && (f.by === 'percent' || f.recurrence !== 'once') ? <p class="small soft">Without a last day it goes on, up to today.</p> : null}
                    </div>
                    <fieldset class="dims"><legend>Dimensions: tags of its lines</legend>
                        {f.dimensions.map(([k, v], i) => (
                            <div class="row" key={i}>
                                <input type="text" aria-label={`Name of dimension ${i + 1}`} value={k} maxLength={200} placeholder="team" onInput={(e) => put({ dimensions: f.dimensions.map((d, n) => (n === i ? [e.currentTarget.value, d[1]] : d)) })} />
                                <input type="text" aria-label={`Value of dimension ${i + 1}`} value={v} maxLength={1000} placeholder="payments" onInput={(e) => put({ dimensions: f.dimensions.map((d, n) => (n === i ? [d[0], e.currentTarget.value] : d)) })} />
                                <button type="button" class="bare square" aria-label={`Take dimension ${k || i + 1} away`} onClick={() => put({ dimensions: f.dimensions.filter((_, n) => n !== i) })}><Icon name="close" size={14} /></button>
                            </div>
                        ))}
                        <button type="button" class="quiet" onClick={() => put({ dimensions: [...f.dimensions, ['', '']] })}>+ Dimension</button>
                    </fieldset>
                    <label>Note<input type="text" value={f.note} maxLength={2000} placeholder="Optional" onInput={(e) => put({ note: e.currentTarget.value })} /></label>
                </div>
                <aside class="catch" aria-label="The lines it makes" aria-live="polite" aria-busy={live.stale}>
                    <span class="soft">Makes</span>
                    {wants ? <p class="soft">The lines appear here as soon as it has {wants}.</p> : live.error ? <p class="problem">{live.error.message}{live.error.hint ? `. ${live.error.hint}` : ''}</p> : live.answer === null ? <div class="bone" /> : <Made days={live.answer.days} currency={live.answer.currency} total={live.answer.total} />}
                </aside>
                <div class="entryfoot">
                    {error ? <p class="problem" role="alert">{error.message}{error.field ? <> (<code>{error.field}</code>)</> : null}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                    <div class="row end"><span class="small soft">{wants ? `It needs ${wants}.` : body.name ? '' : 'It needs a name.'}</span><span class="sp" /><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={busy || wants !== null || !body.name}>{entry?.id ? 'Save' : 'Add'}</button></div>
                </div>
            </form>
        </Dialog>
    );
}

/** The days and their cost: a picture when there are several, and the list. */
export function Made({ days, currency, total }: { days: DayCost[]; currency: string; total: string }): JSX.Element {
    const model = useMemo<Model | null>(() => (days.length < 2 ? null : {
        kind: 'bar', currency, labels: days.map((d) => shortDay(d.day)), partial: days.map(() => false), empty: days.map(() => false),
        series: [{ id: 'cost', label: 'Cost', colour: 1, values: days.map((d) => approx(decNear(d.cost))), total: approx(decNear(total)) }], title: `Cost of ${days.length} days; the list has every number`,
    }), [days, currency, total]);
    return (
        <>
            <strong title={`${total} ${currency}`} data-total={total}>{money(decNear(total), currency)}</strong>
            <span class="soft">{days.length === 0 ? 'no line in the past or today' : days.length === 1 ? `on ${longDay(days[0]?.day ?? '')}` : `on ${count(days.length)} days, ${longDay(days[0]?.day ?? '')} to ${longDay(days[days.length - 1]?.day ?? '')}`}</span>
            {model ? <Lines model={model} text={(v) => axisLabel(v, currency)} /> : null}
            <ul class="madedays" tabIndex={0} aria-label="Cost of each day">
                {days.slice(0, 400).map((d) => <li key={d.day + (d.currency ?? '')} data-day={d.day} data-cost={d.cost}><span>{longDay(d.day)}</span><span title={d.cost}>{money(decNear(d.cost), d.currency ?? currency)}</span></li>)}
            </ul>
        </>
    );
}

export function EntryVersions({ entry, onClose }: { entry: Entry; onClose: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const keys = useCell(keyCell);
    const [state, setState] = useState<{ n: number; by: string; at: string; entry: EntryBody | null }[] | ApiError | null>(null);
    useEffect(() => {
        get<{ versions: { n: number; by: string; at: string; entry: EntryBody | null }[] }>(`/api/custom-costs/${entry.id}/versions`).then((r) => setState(r.versions)).catch((e: unknown) => setState(asError(e)));
    }, [entry.id]);
    return (
        <Dialog title={`Versions of "${entry.name}"`} kind="drawer" onClose={onClose}>
            {state === null ? <Skeleton rows={4} label="Fetching versions" /> : state instanceof ApiError ? <Failure what="The versions could not be fetched" error={state} /> : (
                <ol class="versions" aria-label="Versions, newest first">
                    {state.map((v, i) => (
                        <li key={v.n} class={i === 0 ? 'at' : undefined}><span class="what">
                            <span>{moment(v.at, session.today)} <span class="soft">{v.by}</span>{i === 0 ? <span class="badge live after">now</span> : null}</span>
                            <span class="small">{v.entry ? `${v.entry.name}: ${amountText(v.entry, session.account.currency)}, ${recurrenceText(v.entry)}, from ${longDay(v.entry.start)}${v.entry.end ? ` to ${longDay(v.entry.end)}` : ''}${v.entry.percent ? ` of ${filterText(filterOf(v.entry.filters), keys)}` : ''}` : 'deleted'}</span>
                        </span></li>
                    ))}
                </ol>
            )}
        </Dialog>
    );
}
