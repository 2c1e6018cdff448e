/* bills.tsx - where costs come from: sources, loads with their control totals, uploads with live progress. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { billsVersion, jobs as jobCell, loadJobs, place, sayError, session as sessionCell, toast, whyNot, go } from '../app';
import { ApiError, call, download, get, upload, type Upload } from '../lib/api';
import { useCell } from '../lib/cell';
import { count } from '../lib/dec';
import { addDays, duration, longDay, moment, monthName, spanText } from '../lib/day';
import type { Job, Load, LoadDetail, Session, Source } from '../lib/types';
import { Empty, Failure, Guarded, Progress, Skeleton, SearchButton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { Freshness } from './megabill';

const bytes = (n: number): string => (n >= 1 << 30 ? `${(n / (1 << 30)).toFixed(2)} GB` : n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MB` : n >= 1024 ? `${(n / 1024).toFixed(0)} KB` : `${n} bytes`);
const STATE: Record<Load['state'], string> = { running: 'running', live: 'live', replaced: 'replaced', failed: 'refused', cancelled: 'cancelled', unchanged: 'unchanged' };
const MAX = 4 * 1024 ** 3;

interface Sending {
    id: number;
    file: File;
    source: string;
    sent: number;
    error: ApiError | null;
    handle: Upload | null;
}
let nextSending = 1;

export function Bills(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const version = useCell(billsVersion);
    const jobs = useCell(jobCell);
    const where = useCell(place);
    const [sources, setSources] = useState<Source[] | null>(null);
    const [loads, setLoads] = useState<Load[] | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [sending, setSending] = useState<Sending[]>([]);
    const params = new URLSearchParams(where.search);
    const only = params.get('source');
    const open = params.get('load') ?? (where.path.startsWith('/bills/') ? decodeURIComponent(where.path.slice(7)) : null);
    const set = (name: string, value: string | null): void => {
        const p = new URLSearchParams(location.search);
        if (value === null) p.delete(name);
        else p.set(name, value);
        go('/bills' + (p.toString() ? '?' + p.toString() : ''));
    };
    const why = whyNot('costcenters.create');
    const fetchAll = (): void => {
        setError(null);
        Promise.all([get<{ sources: Source[] }>('/api/sources'), get<{ loads: Load[] }>('/api/loads' + (only ? `?source=${encodeURIComponent(only)}` : ''))])
            .then(([s, l]) => {
                setSources(s.sources);
                setLoads(l.loads);
            })
            .catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    const moving = jobs.map((j) => j.state).join();
    useEffect(fetchAll, [version, only, moving]);
    useEffect(() => {
        document.title = 'Bills · Farthing';
        void loadJobs();
    }, []);

    const start = (files: File[], source: string): void => {
        for (const file of files) {
            const s: Sending = { id: nextSending++, file, source, sent: 0, error: null, handle: null };
            if (file.size > MAX) {
                setSending((l) => [...l, { ...s, error: new ApiError(413, `${file.name} has ${bytes(file.size)}; the page sends up to 4 GB`, 'Load it on the server with farthing load.', null, null, null) }]);
                continue;
            }
            const put = (part: Partial<Sending>): void => setSending((l) => l.map((x) => (x.id === s.id ? { ...x, ...part } : x)));
            const handle = upload(source, file, (sent) => put({ sent }));
            setSending((l) => [...l, { ...s, handle }]);
            handle.done.then(() => {
                setSending((l) => l.filter((x) => x.id !== s.id));
                void loadJobs();
            }).catch((e: unknown) => {
                if (e instanceof ApiError && e.message === 'the upload was cancelled') setSending((l) => l.filter((x) => x.id !== s.id));
                else put({ error: e instanceof ApiError ? e : new ApiError(0, String(e), null, null, null, null), handle: null });
            });
        }
    };
    const running = jobs.filter((j) => j.state === 'running');
    const recent = [...running, ...jobs.filter((j) => j.state !== 'running').slice(0, 3)];
    return (
        <>
            <header class="top"><h1>Bills</h1><span class="sp" /><Freshness session={session} /><SearchButton /></header>
            <Drop why={why} sources={sources ?? []} onFiles={start} />
            {sending.length || recent.length ? (
                <section class="jobs" aria-label="Under way">
                    {sending.map((s) => (
                        <div class="card job" key={s.id} role="status">
                            <div class="row"><b class="what">{s.file.name}</b><span class="soft">to {s.source}</span><span class="sp" />
                                {s.error ? <button type="button" class="link" onClick={() => setSending(sending.filter((x) => x.id !== s.id))}>dismiss</button> : <button type="button" class="link" onClick={() => s.handle?.cancel()}>cancel</button>}</div>
                            {s.error ? <p class="problem">{s.error.message}{s.error.hint ? `. ${s.error.hint}` : ''}</p> : (
                                <><Progress value={s.file.size ? s.sent / s.file.size : 1} label={`Sending ${s.file.name}`} /><p class="small soft">Sending, {bytes(s.sent)} of {bytes(s.file.size)}</p></>
                            )}
                        </div>
                    ))}
                    {recent.map((j) => <JobCard key={j.id} j={j} onOpen={(id) => set('load', id)} />)}
                </section>
            ) : null}
            {error ? <section class="card"><Failure what="The bills could not be fetched" error={error} retry={fetchAll} /></section> : sources === null || loads === null ? (
                <section class="card"><Skeleton rows={6} label="Fetching bills" /></section>
            ) : sources.length === 0 ? (
                <section class="card"><Empty what="No source yet"><p>A source is one stream of bills: one cloud account, one vendor. Drop a FOCUS file (CSV, CSV.gz, CSV.zst or Parquet) above, or load it where the server runs:</p><p><code>farthing load --data DIR --source NAME FILE</code></p></Empty></section>
            ) : (
                <>
                    <section class="card" aria-labelledby="sources">
                        <h2 class="cardhead" id="sources">Sources</h2>
                        <div class="tablebox" tabIndex={0} role="region" aria-label="Table of sources">
                            <table class="plain">
                                <caption class="away">Sources</caption>
                                <thead><tr><th scope="col">Source</th><th scope="col">Covers</th><th scope="col" class="num">Rows live</th><th scope="col" class="num">Loads</th><th scope="col">Last load</th></tr></thead>
                                <tbody>{sources.map((s) => (
                                    <tr key={s.id} class={only === s.id || only === s.name ? 'at' : undefined}>
                                        <th scope="row"><button type="button" class="name" aria-pressed={only === s.name} title="Show its loads only" onClick={() => set('source', only === s.name ? null : s.name)}>{s.name}</button></th>
                                        <td>{s.firstDay && s.lastDay ? spanText({ from: s.firstDay, to: s.lastDay }, session.today) : <span class="soft">nothing live</span>}{s.lastDay && s.lastDay < addDays(session.today, -3) ? <span class="badge late">late</span> : null}</td>
                                        <td class="num">{count(s.rows)}</td>
                                        <td class="num">{count(s.loads)}</td>
                                        <td>{s.lastLoadAt ? moment(s.lastLoadAt, session.today) : 'never'}</td>
                                    </tr>
                                ))}</tbody>
                            </table>
                        </div>
                    </section>
                    <section class="card" aria-labelledby="loads">
                        <h2 class="cardhead" id="loads">Loads{only ? <> of {only} <button type="button" class="link" onClick={() => set('source', null)}>show all</button></> : null}</h2>
                        {loads.length === 0 ? <Empty what="No load" /> : (
                            <div class="tablebox" tabIndex={0} role="region" aria-label="Table of loads">
                                <table class="plain">
                                    <caption class="away">Loads, newest first</caption>
                                    <thead><tr><th scope="col">State</th><th scope="col">Files</th><th scope="col">Source</th><th scope="col">Format</th><th scope="col">Periods</th><th scope="col" class="num">Rows</th><th scope="col" class="num">Rejected</th><th scope="col">Started</th><th scope="col"><span class="away">Details</span></th></tr></thead>
                                    <tbody>{loads.map((l) => (
                                        <tr key={l.id} data-load={l.id}>
                                            <td><span class={`badge ${l.state}`}>{STATE[l.state]}</span></td>
                                            <th scope="row" class="clip" title={l.files.map((f) => f.name).join(', ')}>{l.files[0]?.name ?? '–'}{l.files.length > 1 ? ` and ${l.files.length - 1} more` : ''}</th>
                                            <td>{l.source}</td>
                                            <td>{l.format ?? '–'}</td>
                                            <td>{periods(l.periods)}</td>
                                            <td class="num">{count(l.rows)}</td>
                                            <td class={l.rejected ? 'num up' : 'num soft'}>{l.rejected ? count(l.rejected) : '0'}</td>
                                            <td>{moment(l.startedAt, session.today)}</td>
                                            <td class="num"><button type="button" class="link" aria-label={`Details of the load of ${l.files[0]?.name ?? l.id}`} onClick={() => set('load', l.id)}>Details</button></td>
                                        </tr>
                                    ))}</tbody>
                                </table>
                            </div>
                        )}
                    </section>
                </>
            )}
            {open ? <LoadDrawer id={open} session={session} onClose={() => set('load', null)} /> : null}
        </>
    );
}

const periods = (p: string[]): string => {
    const names = p.map((m) => monthName(m + '-01').replace(/^(\w{3})\w*/, '$1'));
    return names.length > 2 ? `${names[0]} to ${names[names.length - 1]}` : names.join(', ') || '–';
};

function Drop({ why, sources, onFiles }: { why: string | null; sources: Source[]; onFiles: (files: File[], source: string) => void }): JSX.Element {
    const [over, setOver] = useState(false);
    const [source, setSource] = useState('');
    const [held, setHeld] = useState<File[]>([]);
    const input = useRef<HTMLInputElement>(null);
    const name = useRef<HTMLInputElement>(null);
    const take = (files: File[]): void => {
        if (why || files.length === 0) return;
        if (source.trim()) onFiles(files, source.trim());
        else {
            setHeld(files);
            name.current?.focus();
            toast('Name the source these bills belong to');
        }
    };
    return (
        <section class={over ? 'card drop over' : 'card drop'} aria-label="Upload bills"
            onDragOver={(e) => { e.preventDefault(); if (!why) setOver(true); }}
            onDragLeave={() => setOver(false)}
            onDrop={(e) => {
                e.preventDefault();
                setOver(false);
                take([...(e.dataTransfer?.files ?? [])]);
            }}>
            <form class="row wrap" onSubmit={(e) => {
                e.preventDefault();
                if (held.length && source.trim()) {
                    onFiles(held, source.trim());
                    setHeld([]);
                } else input.current?.click();
            }}>
                <label class="inline">Source<input type="text" list="sourcenames" ref={name} value={source} maxLength={100} placeholder="aws-main" disabled={why !== null} onInput={(e) => setSource(e.currentTarget.value)} /></label>
                <datalist id="sourcenames">{sources.map((s) => <option key={s.id} value={s.name} />)}</datalist>
                <span class="what soft">{why ?? (held.length ? `${held.length === 1 ? held[0]?.name : `${held.length} files`} waiting for the name of the source` : 'Drop FOCUS bills here: CSV, CSV.gz, CSV.zst or Parquet. A period loaded again replaces the earlier one.')}</span>
                <span class="sp" />
                <input type="file" ref={input} multiple class="away" tabIndex={-1} aria-label="Bill files" onChange={(e) => {
                    take([...(e.currentTarget.files ?? [])]);
                    e.currentTarget.value = '';
                }} />
                <Guarded why={why} class="primary" onClick={() => { if (held.length && source.trim()) { onFiles(held, source.trim()); setHeld([]); } else input.current?.click(); }}>{held.length && source.trim() ? 'Load' : 'Choose files'}</Guarded>
            </form>
        </section>
    );
}

function JobCard({ j, onOpen }: { j: Job; onOpen: (load: string) => void }): JSX.Element {
    const cancel = (): void => void call('POST', `/api/jobs/${j.id}/cancel`).catch((e: unknown) => sayError('could not cancel', e));
    return (
        <div class={`card job ${j.state}`} role="status" data-job={j.state}>
            <div class="row"><b class="what">{j.kind === 'fairshare' ? `FairShare: ${j.file}` : j.file || j.kind}</b>{j.source ? <span class="soft">to {j.source}</span> : null}<span class="sp" />
                {j.state === 'running' ? <button type="button" class="link" onClick={cancel}>cancel</button> : <span class={`badge ${j.state === 'done' ? 'live' : j.state}`}>{j.state === 'failed' ? 'refused' : j.state}</span>}
                {j.loadId && j.state !== 'running' ? <button type="button" class="link" onClick={() => onOpen(j.loadId as string)}>details</button> : null}</div>
            {j.state === 'running' ? (
                <><Progress value={j.fraction > 0 ? j.fraction : null} label={j.kind === 'fairshare' ? 'Making FairShare cost' : `Loading ${j.file}`} />
                    <p class="small soft">{j.phase || 'waiting'} · {count(j.rows)} rows{j.bytesTotal ? ` · ${bytes(j.bytes)} of ${bytes(j.bytesTotal)}` : ''}{j.rowsPerSecond ? ` · ${count(j.rowsPerSecond)} rows a second` : ''}{j.leftMs != null && j.leftMs > 0 ? ` · ${duration(j.leftMs)} left` : ''}</p></>
            ) : <p class={j.state === 'failed' ? 'problem' : 'small soft'}>{j.message || `${count(j.rows)} ${j.rows === 1 ? 'row' : 'rows'}`}</p>}
        </div>
    );
}

function LoadDrawer({ id, session, onClose }: { id: string; session: Session; onClose: () => void }): JSX.Element {
    const version = useCell(billsVersion);
    const [state, setState] = useState<LoadDetail | ApiError | null>(null);
    const [tries, setTries] = useState(0);
    const noEdit = whyNot('costcenters.create');
    useEffect(() => {
        const stop = new AbortController();
        get<LoadDetail>(`/api/loads/${encodeURIComponent(id)}`, stop.signal).then(setState).catch((e: unknown) => e instanceof ApiError && setState(e));
        return () => stop.abort();
    }, [id, version, tries]);
    const reload = (): void => void call('POST', `/api/loads/${encodeURIComponent(id)}/reload`).then(() => {
        toast('Under way: this load becomes the live one again');
        void loadJobs();
    }).catch((e: unknown) => sayError('could not make this load live', e));
    const l = state && !(state instanceof ApiError) ? state : null;
    return (
        <Dialog title="Load" kind="drawer" onClose={onClose}>
            {state === null ? <Skeleton rows={8} label="Fetching the load" /> : state instanceof ApiError ? <Failure what="The load could not be fetched" error={state} retry={() => setTries(tries + 1)} /> : null}
            {l ? (
                <div class="explain">
                    <p><span class={`badge ${l.state}`}>{STATE[l.state]}</span> <span class="soft">{l.source} · {l.format ?? 'no format recognised'}</span></p>
                    {l.error ? <p class="problem">{l.error}</p> : null}
                    <dl>
                        <dt>Files</dt><dd>{l.files.map((f) => <div key={f.name}>{f.name} <span class="soft">{bytes(f.bytes)}, {count(f.rows)} rows</span></div>)}</dd>
                        <dt>Rows</dt><dd>{count(l.rows)} kept, {count(l.rejected)} rejected</dd>
                        <dt>Periods</dt><dd>{periods(l.periods)}</dd>
                        <dt>Started</dt><dd>{moment(l.startedAt, session.today)}{l.finishedAt ? `, took ${duration(+new Date(l.finishedAt) - +new Date(l.startedAt))}` : ''}</dd>
                    </dl>
                    <div class="row wrap">
                        {!l.live && (l.state === 'replaced' || l.state === 'live') ? <Guarded why={noEdit} onClick={reload}>Make this load live again</Guarded> : null}
                        {l.hasRejects ? <button type="button" onClick={() => void download('GET', `/api/loads/${encodeURIComponent(id)}/rejects`, undefined, 'rejects.csv').catch((e: unknown) => sayError('could not fetch the reject file', e))}>Reject file</button> : null}
                    </div>
                    {l.notices.length ? <><h3>Notices</h3><ul class="notices">{l.notices.map((n, i) => <li key={i}>{n}</li>)}</ul></> : null}
                    {l.totals.length ? (
                        <>
                            <h3>Control totals</h3>
                            <p class="small soft">The file as delivered, the archive, and the ledger (rounded once to ten decimals). All three must agree or the load does not go live.</p>
                            <div class="tablebox own" tabIndex={0} role="region" aria-label="Control totals">
                                <table class="plain">
                                    <caption class="away">Control totals</caption>
                                    <thead><tr><th scope="col">Column</th><th scope="col" class="num">Values</th><th scope="col" class="num">File</th><th scope="col" class="num">Archive</th><th scope="col" class="num">Ledger</th><th scope="col">Agree</th></tr></thead>
                                    <tbody>{l.totals.map((t) => (
                                        <tr key={t.currency + t.column}><th scope="row">{t.column} <span class="soft">{t.currency}</span></th><td class="num">{count(t.values)}</td>
                                            <td class="num mono">{t.file ?? '–'}</td><td class="num mono">{t.archive ?? '–'}</td><td class="num mono">{t.ledger ?? '–'}</td>
                                            <td><span class={t.equal ? 'badge live' : 'badge failed'}>{t.equal ? 'equal' : 'differ'}</span></td></tr>
                                    ))}</tbody>
                                </table>
                            </div>
                        </>
                    ) : null}
                    {l.days.length ? (
                        <>
                            <h3>By day</h3>
                            <div class="tablebox own" tabIndex={0} role="region" aria-label="By day">
                                <table class="plain">
                                    <caption class="away">Rows and cost of each day</caption>
                                    <thead><tr><th scope="col">Day</th><th scope="col" class="num">Rows</th><th scope="col" class="num">Billed</th><th scope="col" class="num">Effective</th></tr></thead>
                                    <tbody>{l.days.map((d) => <tr key={d.day + d.currency}><th scope="row">{longDay(d.day)}</th><td class="num">{count(d.rows)}</td><td class="num mono">{d.BilledCost}</td><td class="num mono">{d.EffectiveCost} <span class="soft">{d.currency}</span></td></tr>)}</tbody>
                                </table>
                            </div>
                        </>
                    ) : null}
                </div>
            ) : null}
        </Dialog>
    );
}
