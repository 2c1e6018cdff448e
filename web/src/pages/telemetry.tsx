/*
 * telemetry.tsx - the telemetry centre: daily numbers that say who used what. How fresh each is, which tags
 * use it, its points; made, fed and set aside here.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { copy, go, place, sayError, session as sessionCell, tagsChanged, toast, views as viewCell, whyNot } from '../app';
import type { Model } from '../charts/model';
import { ApiError, asError, call, get, sendFile } from '../lib/api';
import { useCell } from '../lib/cell';
import { count } from '../lib/dec';
import { addDays, daysBetween, longDay, moment, shortDay, spanText } from '../lib/day';
import type { Session } from '../lib/types';
import { CopyField, Empty, Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Share } from '../parts/share';
import { Lines } from '../parts/lines';
import { Dialog, Panel } from '../parts/panel';
import { matches } from '../parts/picklist';
import { fieldsOf } from '../tags/telemetry';
import type { Intake, Telemetry } from '../tags/types';

type Type = 'csv' | 'push' | 'prometheus' | 'megabill-ratio';
const TYPES: [Type, string, string][] = [
    ['csv', 'CSV', 'Files sent here or put into the drop folder, one row for each day and combination of fields'],
    ['push', 'HTTP push', 'A program of yours sends points with an API token'],
    ['prometheus', 'Prometheus', 'A query asked once a day'],
    ['megabill-ratio', 'MegaBill view', 'Ratios from the bill itself, by a saved view'],
];
const typeLabel = (t: string): string => TYPES.find(([id]) => id === t)?.[1] ?? t;
const FORMATS = ['yyyy-MM-dd', 'yyyy/MM/dd', 'yyyy/M/d', 'MM/d/yyyy', 'yyyy-M-d', "yyyy-MM-dd'T'00:00:00'Z'"];
const STALE_DAYS = 3;

const intakeText = (i: Intake): string => (i.unchanged ? `${i.file}: the same as before` : `${i.file}: ${count(i.points)} points on ${count(i.days)} days${i.rejected ? `, ${count(i.rejected)} rows rejected` : ''}; ${count(i.changedDays)} days changed`);

export function TelemetryCentre(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const where = useCell(place);
    const [state, setState] = useState<Telemetry[] | ApiError | null>(null);
    const [making, setMaking] = useState<Telemetry | 'new' | null>(null);
    const [sharing, setSharing] = useState<Telemetry | null>(null);
    const [feeding, setFeeding] = useState<Telemetry | null>(null);
    const p = new URLSearchParams(where.search);
    const active = p.get('state') ?? 'active';
    const type = p.get('type') ?? '';
    const search = p.get('q') ?? '';
    const open = p.get('open');
    const set = (name: string, value: string | null, replace = false): void => {
        const next = new URLSearchParams(location.search);
        if (!value) next.delete(name);
        else next.set(name, value);
        go('/telemetry' + (next.toString() ? '?' + next.toString() : ''), replace);
    };
    const why = whyNot('telemetry.edit');
    const load = (): void => void get<{ telemetry: Telemetry[] }>('/api/telemetry').then((r) => setState(r.telemetry)).catch((e: unknown) => setState(asError(e)));
    useEffect(() => {
        document.title = 'Telemetry · Farthing';
        load();
    }, []);
    const changed = (): void => {
        load();
        void tagsChanged();
    };
    const all = Array.isArray(state) ? state : [];
    const shown = all.filter((t) => (active === 'all' || t.isActive === (active === 'active')) && (!type || t.type === type) && matches(`${t.name} ${t.metricNames.join(' ')} ${fieldsOf(t).join(' ')} ${t.unit}`, search)).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
    const put = (t: Telemetry, part: Partial<Telemetry>, said: string): void => void call('PUT', `/api/telemetry/${t.id}`, { ...t, ...part }).then(() => {
        toast(said);
        changed();
    }).catch((e: unknown) => sayError('could not change the telemetry', e));
    const refresh = (t: Telemetry): void => void call<{ files: Intake[] }>('POST', `/api/telemetry/${t.id}/refresh`).then((r) => {
        toast(r.files.length ? r.files.map(intakeText).join('; ') : `${t.name}: nothing new`);
        changed();
    }).catch((e: unknown) => {
        sayError(`could not read ${t.name}`, e);
        load();
    });
    const remove = (t: Telemetry): void => void call('DELETE', `/api/telemetry/${t.id}`).then(() => {
        toast(`"${t.name}" and its points are gone`);
        changed();
    }).catch((e: unknown) => sayError('could not delete the telemetry', e));
    const opened = all.find((t) => t.id === open);
    return (
        <>
            <header class="top"><h1>Telemetry</h1><span class="sp" /><SearchButton /><Guarded why={why} class="primary" onClick={() => setMaking('new')}>Add telemetry</Guarded></header>
            <p class="lead">Daily numbers that say who used what: bytes, requests, seats. They split shared cost by use, in reallocation and in relational tags.</p>
            <div class="bar" role="group" aria-label="Which telemetries">
                <span class="seg" role="group" aria-label="State">{([['active', 'Active'], ['inactive', 'Inactive'], ['all', 'All']] as const).map(([s, label]) => <button type="button" key={s} aria-pressed={active === s} onClick={() => set('state', s === 'active' ? null : s)}>{label} <span class="soft">{Array.isArray(state) ? count(all.filter((t) => s === 'all' || t.isActive === (s === 'active')).length) : ''}</span></button>)}</span>
                <select aria-label="Source" value={type} onChange={(e) => set('type', e.currentTarget.value)}><option value="">Every source</option>{TYPES.map(([t, label]) => <option key={t} value={t}>{label}</option>)}</select>
                <input type="text" class="grow" aria-label="Search telemetries" placeholder="Search names, metrics, fields" value={search} onInput={(e) => set('q', e.currentTarget.value, true)} />
            </div>
            <section class="card">
                {state === null ? <Skeleton rows={5} label="Fetching telemetries" /> : state instanceof ApiError ? <Failure what="The telemetries could not be fetched" error={state} retry={load} /> : shown.length === 0 ? (
                    all.length === 0 ? <Empty what="No telemetry yet"><p>Add one: a CSV with a day, whose use it is and how much, is enough.</p></Empty> : <Empty what="No telemetry matches"><p><button type="button" onClick={() => go('/telemetry?state=all')}>Show all</button></p></Empty>
                ) : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of telemetries">
                        <table class="plain tags">
                            <caption class="away">Telemetries</caption>
                            <thead><tr><th scope="col">Name</th><th scope="col">Source</th><th scope="col">Metrics</th><th scope="col">Fields</th><th scope="col">Days</th><th scope="col" class="num">Points</th><th scope="col">Received</th><th scope="col">Used by</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                            <tbody>{shown.map((t) => (
                                <tr key={t.id} class={t.id === open ? 'at' : undefined} data-telemetry={t.name}>
                                    <th scope="row"><button type="button" class="name" onClick={() => set('open', t.id)}>{t.name}</button>{t.error ? <span class="badge failed after" title={t.error}>failed</span> : null}{t.isActive ? null : <span class="badge after">inactive</span>}</th>
                                    <td>{typeLabel(t.type)}</td>
                                    <td class="clip" title={t.metricNames.join(', ')}>{t.metricNames.join(', ') || <span class="soft">from the first file</span>}{t.unit ? <span class="soft"> {t.unit}</span> : null}</td>
                                    <td class="clip" title={fieldsOf(t).join(', ')}>{fieldsOf(t).join(', ') || <span class="soft">none</span>}</td>
                                    <td><Days t={t} session={session} /></td>
                                    <td class="num">{t.type === 'megabill-ratio' ? <span class="soft">computed</span> : count(t.points)}</td>
                                    <td>{t.lastReceivedAt ? moment(t.lastReceivedAt, session.today) : <span class="soft">never</span>}</td>
                                    <td class="clip">{t.usedBy.length ? t.usedBy.map((u, i) => <span key={u.id}>{i ? ', ' : ''}<a class="plainlink" href={`/virtual-tags/${u.id}`} onClick={(e) => { e.preventDefault(); go(`/virtual-tags/${u.id}`); }}>{u.name}</a></span>) : <span class="soft" title="It can be set aside without changing a number">nothing</span>}</td>
                                    <td class="num">
                                        <Panel float class="square bare menuact" title={`Actions for ${t.name}`} name={`Actions for ${t.name}`} label={<span aria-hidden="true">⋯</span>}>
                                            {(close) => (
                                                <div class="menu">
                                                    <button type="button" class="line" onClick={() => { close(); set('open', t.id); }}>Points</button>
                                                    {t.type === 'csv' ? <Guarded why={why} class="line" onClick={() => { close(); setFeeding(t); }}>Send a file</Guarded> : null}
                                                    {t.type === 'push' ? <button type="button" class="line" onClick={() => { close(); setFeeding(t); }}>How to push</button> : null}
                                                    {t.type === 'csv' || t.type === 'prometheus' ? <Guarded why={why} class="line" onClick={() => { close(); refresh(t); }}>{t.type === 'csv' ? 'Read the drop folder now' : 'Ask now'}</Guarded> : null}
                                                    <Guarded why={why} class="line" onClick={() => { close(); setMaking(t); }}>Edit</Guarded>
                                                    <button type="button" class="line" onClick={() => { close(); setSharing(t); }}>Share</button>
                                                    <button type="button" class="line" onClick={() => { close(); void copy(t.id, 'Telemetry id'); }}>Copy id</button>
                                                    <hr />
                                                    <Guarded why={why} class="line" onClick={() => { close(); put(t, { isActive: !t.isActive }, t.isActive ? `"${t.name}" takes no more points; what it has stays` : `"${t.name}" is active`); }}>{t.isActive ? 'Deactivate' : 'Activate'}</Guarded>
                                                    {t.usedBy.length ? null : <Delete why={why} onSure={() => { close(); remove(t); }} />}
                                                </div>
                                            )}
                                        </Panel>
                                    </td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {open && opened ? <Points t={opened} session={session} onClose={() => set('open', null)} /> : null}
            {sharing ? <Share kind="telemetry" id={sharing.id} name={sharing.name} onClose={() => setSharing(null)} /> : null}
            {making ? <Edit t={making === 'new' ? null : making} onClose={() => setMaking(null)} onSaved={(t) => { setMaking(null); changed(); if (making === 'new' && (t.type === 'csv' || t.type === 'push')) setFeeding(t); }} /> : null}
            {feeding ? (feeding.type === 'push' ? <HowToPush t={feeding} onClose={() => setFeeding(null)} /> : <Feed t={feeding} onClose={() => setFeeding(null)} onDone={changed} />) : null}
        </>
    );
}

function Days({ t, session }: { t: Telemetry; session: Session }): JSX.Element {
    if (!t.firstDay || !t.lastDay) return <span class="soft">{t.type === 'megabill-ratio' ? 'as the bill' : 'none yet'}</span>;
    const behind = daysBetween(t.lastDay, session.today) - 1;
    return <>{spanText({ from: t.firstDay, to: t.lastDay }, session.today)}{t.isActive && behind > STALE_DAYS ? <span class="badge late" title={`The newest point is ${behind} days old`}>{behind} days behind</span> : null}</>;
}

/** Points cannot be brought back, so it asks, in place. */
function Delete({ why, onSure }: { why: string | null; onSure: () => void }): JSX.Element {
    const [sure, setSure] = useState(false);
    return sure ? <button type="button" class="line danger" ref={(el) => el?.focus()} onClick={onSure}>Delete with all points, for good</button> : <Guarded why={why} class="line" onClick={() => setSure(true)}>Delete</Guarded>;
}

/* ---- points ---- */
interface PointList {
    metric: string;
    unit: string;
    count: number;
    points: { date: string; fields: Record<string, string>; value: string }[];
}
const number = (v: number): string => v.toLocaleString('en-US', { maximumFractionDigits: 4 });
function Points({ t, session, onClose }: { t: Telemetry; session: Session; onClose: () => void }): JSX.Element {
    const [metric, setMetric] = useState(t.metricNames[0] ?? '');
    const [by, setBy] = useState(t.field);
    const [from, setFrom] = useState(t.lastDay ? addDays(t.lastDay, -89) : addDays(session.today, -89));
    const [to, setTo] = useState(t.lastDay ?? session.today);
    const [state, setState] = useState<PointList | ApiError | null>(null);
    useEffect(() => {
        const stop = new AbortController();
        get<PointList>(`/api/telemetry/${t.id}/points?metric=${encodeURIComponent(metric)}&from=${from}&to=${to}`, stop.signal).then(setState).catch((e: unknown) => {
            if (!(e instanceof DOMException)) setState(asError(e));
        });
        return () => stop.abort();
    }, [t.id, metric, from, to]);
    const list = state && !(state instanceof ApiError) ? state : null;
    const model = useMemo<Model | null>(() => {
        if (!list || list.points.length === 0) return null;
        const days: string[] = [];
        const first = list.points.reduce((d, p) => (p.date < d ? p.date : d), list.points[0]?.date ?? from);
        const last = list.points.reduce((d, p) => (p.date > d ? p.date : d), first);
        for (let d = first; d <= last; d = addDays(d, 1)) days.push(d);
        const place = new Map(days.map((d, i) => [d, i]));
        const sums = new Map<string, number[]>();
        for (const p of list.points) {
            const k = by ? (p.fields[by] ?? '') : list.metric;
            let row = sums.get(k);
            if (!row) sums.set(k, (row = days.map(() => 0)));
            const i = place.get(p.date) ?? 0;
            row[i] = (row[i] ?? 0) + Number(p.value);
        }
        const total = (v: number[]): number => v.reduce((n, x) => n + x, 0);
        const ranked = [...sums].sort((a, b) => total(b[1]) - total(a[1]));
        const rest = ranked.slice(8);
        const series = ranked.slice(0, 8).map(([k, values], i) => ({ id: k, label: k || 'none', colour: i + 1, values, total: total(values) }));
        if (rest.length) {
            const values = days.map((_, i) => rest.reduce((n, [, v]) => n + (v[i] ?? 0), 0));
            series.push({ id: '\u0000rest', label: `${rest.length} others`, colour: 0, values, total: total(values) });
        }
        return { kind: days.length > 1 ? 'line' : 'bar', currency: '', labels: days.map(shortDay), partial: days.map(() => false), empty: days.map(() => false), series, title: `${list.metric} by ${by || 'day'}, ${longDay(first)} to ${longDay(last)}; the table below has the numbers` };
    }, [list, by]);
    return (
        <Dialog title={t.name} kind="drawer" onClose={onClose}>
            <p class="small soft">{typeLabel(t.type)}{t.error ? <span class="up">: {t.error}</span> : null}</p>
            {t.type === 'megabill-ratio' ? <p>Its ratios are computed from the saved view whenever they are needed: {ratioText(t)}.</p> : (
                <>
                    <div class="fields">
                        <label>Metric<select value={metric} onChange={(e) => setMetric(e.currentTarget.value)}>{t.metricNames.map((m) => <option key={m} value={m}>{m}</option>)}</select></label>
                        {fieldsOf(t).length > 1 ? <label>Drawn by<select value={by} onChange={(e) => setBy(e.currentTarget.value)}>{fieldsOf(t).map((f) => <option key={f} value={f}>{f}</option>)}</select></label> : null}
                        <label>From<input type="date" value={from} max={to} onInput={(e) => e.currentTarget.value && setFrom(e.currentTarget.value)} /></label>
                        <label>Last day<input type="date" value={to} min={from} onInput={(e) => e.currentTarget.value && setTo(e.currentTarget.value)} /></label>
                    </div>
                    {state === null ? <Skeleton rows={6} label="Fetching points" /> : state instanceof ApiError ? <Failure what="The points could not be fetched" error={state} /> : !model ? <p class="soft">No point in these days.</p> : (
                        <>
                            <Lines model={model} text={number} />
                            <ul class="legend">{model.series.map((s) => <li key={s.id}><i class={`sw c${s.colour}`} /> {s.label}</li>)}</ul>
                            <div class="tablebox own" tabIndex={0} role="region" aria-label="Points">
                                <table class="plain tight"><caption class="away">Points, newest first</caption>
                                    <thead><tr><th scope="col">Day</th>{fieldsOf(t).map((f) => <th scope="col" key={f}>{f}</th>)}<th scope="col" class="num">{list?.metric}{list?.unit ? ` (${list.unit})` : ''}</th></tr></thead>
                                    <tbody>{[...(list?.points ?? [])].reverse().slice(0, 300).map((x, i) => <tr key={i}><th scope="row">{longDay(x.date)}</th>{fieldsOf(t).map((f) => <td key={f} class="clip">{x.fields[f] ?? ''}</td>)}<td class="num mono">{x.value}</td></tr>)}</tbody></table>
                            </div>
                            {t.files?.length ? <><h3>Where they came from</h3><ul class="notices small">{t.files.map((f) => <li key={f.name}>{f.name}, {moment(f.receivedAt, session.today)}{f.result ? <span class="soft">: {intakeText(f.result)}</span> : null}</li>)}</ul></> : null}
                            <p class="small soft">{count(list?.count ?? 0)} points{(list?.points.length ?? 0) > 300 ? '; the newest 300 are listed' : ''}.</p>
                        </>
                    )}
                </>
            )}
        </Dialog>
    );
}
const ratioText = (t: Telemetry): string => {
    const f = String(t.data?.['timeFrameType'] ?? 'same-day');
    const n = /^last::(\d+)::day$/.exec(f)?.[1];
    return f === 'same-day' ? 'each day by its own cost' : f === 'previousMonth' ? 'each day by the calendar month before' : n ? `each day by the ${n} days before` : f;
};

/* ---- making and changing ---- */
const textOf = (t: Telemetry | null, name: string, absent: string): string => String(t?.data?.[name] ?? absent);
function Edit({ t, onClose, onSaved }: { t: Telemetry | null; onClose: () => void; onSaved: (t: Telemetry) => void }): JSX.Element {
    const views = useCell(viewCell) ?? [];
    const [type, setType] = useState<Type>((t?.type as Type | undefined) ?? 'csv');
    const [name, setName] = useState(t?.name ?? '');
    const [fields, setFields] = useState(fieldsOf(t ?? undefined).join(', '));
    const [metrics, setMetrics] = useState((t?.metricNames ?? []).join(', '));
    const [unit, setUnit] = useState(t?.unit ?? '');
    const [data, setData] = useState<Record<string, string>>({
        dateColumn: textOf(t, 'dateColumn', 'date'), dateFormat: textOf(t, 'dateFormat', 'yyyy-MM-dd'), url: textOf(t, 'url', ''), query: textOf(t, 'query', ''), kind: textOf(t, 'kind', 'gauge'),
        viewId: textOf(t, 'viewId', ''), timeFrameType: textOf(t, 'timeFrameType', 'same-day'),
    });
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const list = (s: string): string[] => s.split(',').map((x) => x.trim()).filter(Boolean);
    const put = (k: string) => (e: { currentTarget: { value: string } }): void => setData({ ...data, [k]: e.currentTarget.value });
    /* What points are told apart by does not change once there are some. */
    const fixed = (t?.points ?? 0) > 0;
    const mine: Record<Type, string[]> = { csv: ['dateColumn', 'dateFormat'], push: [], prometheus: ['url', 'query', 'kind'], 'megabill-ratio': ['viewId', 'timeFrameType'] };
    const days = /^last::(\d+)::day$/.exec(data['timeFrameType'] ?? '')?.[1];
    const lack = !name.trim() ? 'a name' : type !== 'csv' && list(metrics).length === 0 ? 'a metric' : type === 'prometheus' && (!data['url'] || !data['query']) ? 'an address and a query' : type === 'megabill-ratio' && !data['viewId'] ? 'a view' : null;
    const send = (): void => {
        if (busy || lack) return;
        setBusy(true);
        setError(null);
        const all = list(fields);
        const body = { ...(t ? { isActive: t.isActive } : { isActive: true }), name: name.trim(), type, field: all[0] ?? '', additionalFields: all.slice(1), metricNames: list(metrics), unit: unit.trim(), data: Object.fromEntries(mine[type].map((k) => [k, data[k]])) };
        call<Telemetry>(t ? 'PUT' : 'POST', t ? `/api/telemetry/${t.id}` : '/api/telemetry', body).then((r) => {
            toast(t ? `"${r.name}" changed` : `"${r.name}" added`);
            onSaved(r);
        }).catch((e: unknown) => {
            setBusy(false);
            setError(asError(e));
        });
    };
    return (
        <Dialog title={t ? `Edit "${t.name}"` : 'Add telemetry'} kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); send(); }}>
                <label>Source<select value={type} disabled={t !== null} onChange={(e) => setType(e.currentTarget.value as Type)}>{TYPES.map(([id, label]) => <option key={id} value={id}>{label}</option>)}</select></label>
                <p class="small soft">{TYPES.find(([id]) => id === type)?.[2]}.</p>
                <label>Name<input type="text" value={name} maxLength={200} autofocus placeholder="Warehouse queries" onInput={(e) => setName(e.currentTarget.value)} /></label>
                {type === 'megabill-ratio' ? (
                    <>
                        <label>Saved view<select value={data['viewId']} onChange={put('viewId')}><option value="">Choose</option>{views.map((v) => <option key={v.id} value={v.id}>{v.name}</option>)}</select></label>
                        <p class="small soft">Its grouping gives the fields, its filter says which cost counts. It must not show the tag it feeds.</p>
                        <label>Days each ratio is taken from<select value={days ? 'last' : data['timeFrameType']} onChange={(e) => setData({ ...data, timeFrameType: e.currentTarget.value === 'last' ? 'last::30::day' : e.currentTarget.value })}><option value="same-day">The same day</option><option value="last">A number of days before</option><option value="previousMonth">The calendar month before</option></select></label>
                        {days ? <label>How many days<input type="text" inputMode="numeric" value={days} onInput={(e) => setData({ ...data, timeFrameType: `last::${e.currentTarget.value.replace(/\D/g, '') || '1'}::day` })} /></label> : null}
                        <label>Metric<input type="text" value={metrics} maxLength={200} placeholder="spend" onInput={(e) => setMetrics(e.currentTarget.value)} /></label>
                    </>
                ) : (
                    <>
                        <label>Fields, the allocation key first <input type="text" value={fields} disabled={fixed} maxLength={2000} placeholder="team, cluster" onInput={(e) => setFields(e.currentTarget.value)} /></label>
                        <label>{type === 'csv' ? 'Metrics (empty: the last column of the first file)' : 'Metric'} <input type="text" value={metrics} disabled={fixed} maxLength={2000} placeholder="queries" onInput={(e) => setMetrics(e.currentTarget.value)} /></label>
                        <label>Unit<input type="text" value={unit} maxLength={200} placeholder="queries" onInput={(e) => setUnit(e.currentTarget.value)} /></label>
                    </>
                )}
                {type === 'csv' ? (
                    <div class="fields"><label>Column of the day<input type="text" value={data['dateColumn']} maxLength={200} onInput={put('dateColumn')} /></label><label>Its format<select value={data['dateFormat']} onChange={put('dateFormat')}>{FORMATS.map((f) => <option key={f} value={f}>{f}</option>)}</select></label></div>
                ) : type === 'prometheus' ? (
                    <>
                        <label>Address<input type="text" value={data['url']} maxLength={2000} placeholder="https://prometheus.example.com" onInput={put('url')} /></label>
                        <label>Query<input type="text" class="mono" value={data['query']} maxLength={8000} placeholder="sum by (team) (increase(requests_total[5m]))" onInput={put('query')} /></label>
                        <label>A day is<select value={data['kind']} onChange={put('kind')}><option value="gauge">the mean of its values (gauge)</option><option value="counter">the sum of its increments (counter)</option></select></label>
                    </>
                ) : null}
                {error ? <p class="problem" role="alert">{error.message}{error.field ? <> (<code>{error.field}</code>)</> : null}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                <div class="row end"><span class="small soft">{lack ? `It needs ${lack}.` : ''}</span><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={busy || lack !== null}>{t ? 'Save' : 'Add'}</button></div>
            </form>
        </Dialog>
    );
}

/** Sends CSV files of points and says what became of each. */
function Feed({ t, onClose, onDone }: { t: Telemetry; onClose: () => void; onDone: () => void }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const [busy, setBusy] = useState(false);
    const [over, setOver] = useState(false);
    const [done, setDone] = useState<{ name: string; result: Intake | ApiError }[]>([]);
    const send = async (files: File[]): Promise<void> => {
        setBusy(true);
        for (const f of files) {
            let result: Intake | ApiError;
            try {
                result = await sendFile<Intake>('POST', `/api/telemetry/${t.id}/upload?name=${encodeURIComponent(f.name)}`, f);
            } catch (e) {
                result = asError(e);
            }
            setDone((d) => [{ name: f.name, result }, ...d]);
        }
        setBusy(false);
        onDone();
    };
    const example = [String(t.data?.['dateColumn'] ?? 'date'), ...fieldsOf(t), ...(t.metricNames.length ? t.metricNames : ['metric'])].join(',');
    return (
        <Dialog title={`Points for "${t.name}"`} kind="middle" onClose={onClose}>
            <div class={over ? 'dropzone over' : 'dropzone'} onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={(e) => { e.preventDefault(); setOver(false); void send([...(e.dataTransfer?.files ?? [])]); }}>
                <input ref={input} type="file" multiple accept=".csv,text/csv" class="away" tabIndex={-1} aria-label="CSV files" onChange={(e) => { void send([...(e.currentTarget.files ?? [])]); e.currentTarget.value = ''; }} />
                <span>Drop CSV files with the columns <code>{example}</code>. A file sent again under its name replaces what it brought. Files put into <code>{`DIR/drop/telemetry/${t.id}/`}</code> are read every minute.</span>
                <button type="button" class="primary" disabled={busy} onClick={() => input.current?.click()}>{busy ? 'Sending' : 'Choose files'}</button>
            </div>
            <ul class="stack" aria-live="polite">
                {done.map((d, i) => (
                    <li key={done.length - i}>
                        {d.result instanceof ApiError ? <p class="problem">{d.name}: {d.result.message}{d.result.hint ? `. ${d.result.hint}` : ''}</p> : (
                            <>
                                <p>{intakeText(d.result)}{d.result.firstDay && d.result.lastDay ? <span class="soft"> {longDay(d.result.firstDay)} to {longDay(d.result.lastDay)}</span> : null}</p>
                                {d.result.rejects.length || d.result.warnings.length ? <ul class="notices small">{[...d.result.rejects, ...d.result.warnings].map((w, n) => <li key={n}>{w}</li>)}</ul> : null}
                            </>
                        )}
                    </li>
                ))}
            </ul>
        </Dialog>
    );
}

function HowToPush({ t, onClose }: { t: Telemetry; onClose: () => void }): JSX.Element {
    const point = { date: '2026-11-23', fields: Object.fromEntries(fieldsOf(t).map((f) => [f, '…'])), value: '1' };
    const body = JSON.stringify({ metric: t.metricNames[0] ?? 'metric', points: [point] });
    return (
        <Dialog title={`Push points to "${t.name}"`} kind="middle" onClose={onClose}>
            <p class="small soft">A point sent again replaces the one before. The token must be one of an administrator. A value of null takes the point away.</p>
            <CopyField label="Call" value={`curl -sS '${location.origin}/v1/telemetry/${t.id}/points' -H 'Content-Type: application/json' -H "x-finout-client-id: $FARTHING_CLIENT_ID" -H "x-finout-secret-key: $FARTHING_SECRET_KEY" -d '${body}'`} />
        </Dialog>
    );
}
