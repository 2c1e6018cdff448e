/* connections.tsx - sources that fill themselves: where bills are fetched from, how it went, and when next. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { billsVersion, go, jobs as jobCell, loadJobs, place, sayError, session as sessionCell, toast, whyNot } from '../app';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { count } from '../lib/dec';
import { duration, moment } from '../lib/day';
import type { Job, Session } from '../lib/types';
import { Empty, Failure, Guarded, Progress, SearchButton, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { Wizard } from '../connect/wizard';
import { bytes, PLACES, SCHEDULES, type Connection, type Connections as List, type Runs } from '../connect/model';

export default function Connections(): JSX.Element {
    const where = useCell(place);
    const [list, setList] = useState<List | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const version = useCell(billsVersion);
    const jobs = useCell(jobCell);
    const moving = jobs.map((j) => j.state).join();
    const load = (): void => {
        setError(null);
        get<List>('/api/connections').then(setList).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    useEffect(load, [version, moving]);
    useEffect(() => {
        document.title = 'Sources · Farthing';
        void loadJobs();
    }, []);
    if (error) return <><Head /><section class="card"><Failure what="The connections could not be fetched" error={error} retry={load} /></section></>;
    if (!list) return <><Head /><section class="card"><Skeleton rows={5} label="Fetching connections" /></section></>;
    if (where.path === '/connections/new') return <Wizard list={list} jobs={jobs} onMade={load} />;
    const open = where.path.startsWith('/connections/') ? decodeURIComponent(where.path.slice(13)) : null;
    const at = list.connections.find((c) => c.id === open);
    return (
        <>
            <Head />
            <p class="lead">A connection fetches bills by itself: it looks for new deliveries, downloads them whole and loads them as one source.</p>
            <section class="card">
                {list.connections.length === 0 ? (
                    <Empty what="No connection yet"><p>Connect the place your provider exports its bill to. It takes a bucket, a grant to paste, and a test that says what is missing.</p></Empty>
                ) : <Table list={list} jobs={jobs} onChange={load} />}
            </section>
            {open && !at ? <section class="card"><Empty what="There is no such connection" /></section> : null}
            {at ? <Detail c={at} list={list} jobs={jobs} onChange={load} onClose={() => go('/connections')} /> : null}
        </>
    );
}

const Head = (): JSX.Element => (
    <header class="top"><h1>Sources</h1><span class="sp" /><SearchButton /><Guarded why={whyNot('costcenters.create')} class="primary" onClick={() => go('/connections/new')}>Connect a bill</Guarded></header>
);

const BADGE: Record<Connection['state'], string> = { pending: '', connected: 'live', error: 'failed', inactive: '' };
const runningOf = (jobs: Job[], id: string): Job | undefined => jobs.find((j) => j.connectionId === id && j.state === 'running');

function Table({ list, jobs, onChange }: { list: List; jobs: Job[]; onChange: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const why = whyNot('costcenters.edit');
    return (
        <div class="tablebox" tabIndex={0} role="region" aria-label="Table of connections">
            <table class="plain">
                <caption class="away">Connections</caption>
                <thead><tr><th scope="col">Connection</th><th scope="col">Place</th><th scope="col">State</th><th scope="col">Last run</th><th scope="col">Next run</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                <tbody>{list.connections.map((c) => {
                    const job = runningOf(jobs, c.id);
                    return (
                        <tr key={c.id} data-connection={c.name}>
                            <th scope="row"><button type="button" class="name" onClick={() => go('/connections/' + c.id)}>{c.name}</button>{c.source !== c.name ? <span class="small soft">as {c.source}</span> : null}</th>
                            <td>{list.kinds.find((k) => k.name === c.kind)?.label ?? c.kind}</td>
                            <td class="clip" title={c.message}>{job ? <span class="badge running">{job.phase || 'waiting'}</span> : <span class={`badge ${BADGE[c.state]}`}>{c.state}</span>} <span class={c.state === 'error' ? 'small up' : 'small soft'}>{job ? bytes(job.bytes) : c.message}</span></td>
                            <td>{c.lastRunAt ? moment(c.lastRunAt, session.today) : 'never'}</td>
                            <td>{c.nextRunAt ? moment(c.nextRunAt, session.today) : 'when asked'}</td>
                            <td class="num"><Guarded why={why ?? (job ? 'It is running' : null)} class="link" label={`Run now: ${c.name}`} onClick={() => run(c, onChange)}>Run now</Guarded></td>
                        </tr>
                    );
                })}</tbody>
            </table>
        </div>
    );
}

function run(c: Connection, then: () => void): void {
    call('POST', `/api/connections/${c.id}/run`).then(() => {
        toast(`${c.name} is running`);
        void loadJobs();
        then();
    }).catch((e: unknown) => sayError(`could not run ${c.name}`, e));
}

export function JobLine({ j }: { j: Job }): JSX.Element {
    const cancel = (): void => void call('POST', `/api/jobs/${j.id}/cancel`).catch((e: unknown) => sayError('could not cancel', e));
    if (j.state !== 'running') return <p role="status" class={j.state === 'failed' ? 'problem' : 'small soft'} data-job={j.state}>{j.state === 'done' ? 'Done' : j.state === 'failed' ? 'Failed' : 'Cancelled'}: {j.message || `${count(j.rows)} rows`}{j.state === 'done' && j.rows ? ` · ${count(j.rows)} rows` : ''}</p>;
    return (
        <div class="stack" role="status" data-job="running">
            <Progress value={j.fraction > 0 ? j.fraction : null} label={`Running ${j.file}`} />
            <p class="small soft">{j.phase === 'fetch' ? 'downloading' : j.phase || 'waiting'}{j.rows ? ` · ${count(j.rows)} rows` : ''}{j.bytesTotal ? ` · ${bytes(j.bytes)} of ${bytes(j.bytesTotal)}` : ''}{j.leftMs != null && j.leftMs > 0 ? ` · ${duration(j.leftMs)} left` : ''} <button type="button" class="link" onClick={cancel}>cancel</button></p>
        </div>
    );
}

function Detail({ c, list, jobs, onChange, onClose }: { c: Connection; list: List; jobs: Job[]; onChange: () => void; onClose: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [runs, setRuns] = useState<Runs | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [name, setName] = useState(c.name);
    const [schedule, setSchedule] = useState(c.schedule);
    const job = runningOf(jobs, c.id);
    const why = whyNot('costcenters.edit');
    const kind = list.kinds.find((k) => k.name === c.kind);
    useEffect(() => {
        get<Runs>(`/api/connections/${c.id}/runs`).then(setRuns).catch((e: unknown) => e instanceof ApiError && setError(e));
    }, [c.id, c.lastRunAt, job?.state]);
    const change = (body: object, said: string): void => {
        setError(null);
        call('PUT', `/api/connections/${c.id}`, body).then(() => {
            toast(said);
            onChange();
        }).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    return (
        <Dialog title={c.name} kind="drawer" onClose={onClose}>
            <div class="stack">
                <p class="soft">{kind?.label ?? c.kind}, loaded as <b>{c.source}</b>, made by {c.createdBy}. {PLACES[c.kind]?.about(c.config) ?? ''}</p>
                {job ? <JobLine j={job} /> : c.message ? <p class={c.state === 'error' ? 'problem' : 'small soft'}>{c.message}</p> : null}
                <div class="row wrap">
                    <Guarded why={why ?? (job ? 'It is running' : null)} class="primary" onClick={() => run(c, onChange)}>Run now</Guarded>
                    <Guarded why={why} onClick={() => change({ paused: !c.paused }, c.paused ? 'It runs again by its schedule' : 'Paused')}>{c.paused ? 'Resume' : 'Pause'}</Guarded>
                    <Remove c={c} onGone={() => { onClose(); onChange(); }} />
                </div>
                <form class="stack" onSubmit={(e) => { e.preventDefault(); change({ name: name.trim(), schedule }, 'Saved'); }}>
                    <label>Name<input type="text" value={name} maxLength={200} disabled={why !== null} onInput={(e) => setName(e.currentTarget.value)} /></label>
                    <Schedule value={schedule} onChange={setSchedule} />
                    {error ? <p class="problem" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                    <div class="row end"><button disabled={why !== null || (name === c.name && schedule === c.schedule)}>Save</button></div>
                </form>
                <h3>Runs</h3>
                {runs === null ? <Skeleton rows={3} label="Fetching runs" /> : runs.runs.length === 0 ? <p class="soft">It has not run yet.</p> : (
                    <div class="tablebox own" tabIndex={0} role="region" aria-label="Table of runs">
                        <table class="plain">
                            <caption class="away">Runs, newest first</caption>
                            <thead><tr><th scope="col">Started</th><th scope="col">State</th><th scope="col">By</th><th scope="col" class="num">Rows</th><th scope="col" class="num">Bytes</th><th scope="col">Result</th></tr></thead>
                            <tbody>{runs.runs.map((r) => (
                                <tr key={r.id}><td>{moment(r.startedAt ?? r.createdAt, session.today)}</td><td><span class={`badge ${r.state === 'done' ? 'live' : r.state}`}>{r.state}</span></td><td>{r.by}</td><td class="num">{count(r.rows)}</td><td class="num">{bytes(r.bytes)}</td><td class="clip" title={r.message}>{r.message}{r.attempts > 1 ? ` (attempt ${r.attempts})` : ''}</td></tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
                <h3>Deliveries taken</h3>
                {runs && runs.deliveries.length ? (
                    <div class="tablebox own" tabIndex={0} role="region" aria-label="Table of deliveries">
                        <table class="plain">
                            <caption class="away">Deliveries, newest first</caption>
                            <thead><tr><th scope="col">Delivery</th><th scope="col">Of</th><th scope="col" class="num">Files</th><th scope="col" class="num">Bytes</th><th scope="col">Loaded</th></tr></thead>
                            <tbody>{runs.deliveries.map((d) => (
                                <tr key={d.scope + d.version}><td class="clip" title={d.scope}>{d.scope}</td><td class="clip" title={d.seq}>{d.seq}</td><td class="num">{count(d.files)}</td><td class="num">{bytes(d.bytes)}</td><td>{moment(d.loadedAt, session.today)}</td></tr>
                            ))}</tbody>
                        </table>
                    </div>
                ) : runs ? <p class="soft">None yet.</p> : null}
            </div>
        </Dialog>
    );
}

/** Presets, or cron's five fields. */
export function Schedule({ value, onChange }: { value: string; onChange: (v: string) => void }): JSX.Element {
    const known = SCHEDULES.some(([v]) => v === value);
    return (
        <div class="row wrap">
            <label class="inline">When<select value={known ? value : 'own'} onChange={(e) => onChange(e.currentTarget.value === 'own' ? '0 4 * * *' : e.currentTarget.value)}>
                {SCHEDULES.map(([v, label]) => <option key={v} value={v}>{label}</option>)}<option value="own">Own schedule</option>
            </select></label>
            {known ? null : <label class="inline">Minute hour day month weekday (UTC)<input type="text" value={value} maxLength={200} onInput={(e) => onChange(e.currentTarget.value)} /></label>}
        </div>
    );
}

/** What is loaded stays, but a connection cannot be brought back: it asks, in place. */
function Remove({ c, onGone }: { c: Connection; onGone: () => void }): JSX.Element {
    const [sure, setSure] = useState(false);
    const why = whyNot('costcenters.delete');
    if (!sure) return <Guarded why={why} onClick={() => setSure(true)}>Delete</Guarded>;
    return <span class="row"><button type="button" class="danger" ref={(el) => el?.focus()} onClick={() => {
        call('DELETE', `/api/connections/${c.id}`).then(() => {
            toast(`${c.name} is deleted; its loaded bills stay`);
            onGone();
        }).catch((e: unknown) => sayError('could not delete it', e));
    }}>Delete for good</button><button type="button" class="link" onClick={() => setSure(false)}>keep</button></span>;
}
