/*
 * customcosts.tsx - costs no bill brings: entries by form, and cost centers fed by files of their own.
 *
 * Both become ordinary lines of the bill. The form shows the days it makes before it is saved; a file is
 * tried before it counts; every change can be undone.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { go, place, sayError, session as sessionCell, toast, whyNot } from '../app';
import { ApiError, asError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { CenterFiles, CenterWizard } from '../custom/center';
import { EntryDialog, EntryVersions } from '../custom/entry';
import { amountText, recurrenceText, type Center, type Entry } from '../custom/types';
import { count } from '../lib/dec';
import { longDay, moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Panel } from '../parts/panel';
import { matches } from '../parts/picklist';

interface Lists {
    entries: Entry[];
    centers: Center[];
}
type Open = { kind: 'entry'; entry: Entry | null } | { kind: 'versions'; entry: Entry } | { kind: 'center'; center: Center | null } | { kind: 'files'; center: Center };

export function CustomCosts(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const where = useCell(place);
    const [lists, setLists] = useState<Lists | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [open, setOpen] = useState<Open | null>(null);
    const search = new URLSearchParams(where.search).get('q') ?? '';
    const why = whyNot('costinput.edit');
    const load = (): void => void get<Lists>('/api/custom-costs').then((l) => {
        setLists(l);
        setError(null);
    }).catch((e: unknown) => setError(asError(e)));
    useEffect(() => {
        document.title = 'Custom costs · Farthing';
        load();
    }, []);
    const entries = useMemo(() => (lists?.entries ?? []).filter((e) => matches(`${e.name} ${e.service ?? ''} ${e.note ?? ''} ${JSON.stringify(e.dimensions ?? {})}`, search)), [lists, search]);
    const centers = (lists?.centers ?? []).filter((c) => matches(c.name, search));
    const undo = (id: string, said: string): void => void call('POST', `/api/custom-costs/${id}/undo`).then(() => {
        toast(said);
        load();
    }).catch((e: unknown) => sayError('could not undo', e));
    const remove = (e: Entry): void => void call('DELETE', `/api/custom-costs/${e.id}`).then(() => {
        load();
        toast(`"${e.name}" and its lines are gone`, 'good', { label: 'Undo', run: () => undo(e.id, `"${e.name}" is back`) });
    }).catch((x: unknown) => sayError('could not delete the entry', x));
    const removeCenter = (c: Center): void => void call('DELETE', `/api/custom-centers/${c.id}`).then(() => {
        load();
        toast(`"${c.name}" and its lines are gone`);
    }).catch((x: unknown) => sayError('could not delete the cost center', x));
    const close = (): void => setOpen(null);
    const done = (): void => {
        setOpen(null);
        load();
    };
    return (
        <>
            <header class="top"><h1>Custom costs</h1><span class="sp" /><SearchButton />
                <Guarded why={why} onClick={() => setOpen({ kind: 'center', center: null })}>Add cost center</Guarded>
                <Guarded why={why} class="primary" onClick={() => setOpen({ kind: 'entry', entry: null })}>Add entry</Guarded></header>
            <p class="lead">Costs that no bill brings: licences, support, on-premises, corrections. They become lines of the cost center Custom Cost, and every key and tag works on them.</p>
            <div class="bar"><input type="text" class="grow" aria-label="Search custom costs" placeholder="Search names, services, dimensions" value={search} onInput={(e) => go('/custom-costs' + (e.currentTarget.value ? `?q=${encodeURIComponent(e.currentTarget.value)}` : ''), true)} /></div>
            {error ? <section class="card"><Failure what="The custom costs could not be fetched" error={error} retry={load} /></section> : lists === null ? <section class="card"><Skeleton rows={6} label="Fetching custom costs" /></section> : (
                <>
                    <section class="card" aria-labelledby="entries">
                        <h2 class="cardhead" id="entries">Entries <span class="soft">{count(lists.entries.length)}</span></h2>
                        {entries.length === 0 ? <Empty what={search ? 'No entry matches' : 'No entry yet'}>{search ? null : <p>An entry is one cost: once or again and again, on its day or spread over its days, or a percentage of other cost.</p>}</Empty> : (
                            <div class="tablebox" tabIndex={0} role="region" aria-label="Table of entries">
                                <table class="plain tags">
                                    <caption class="away">Entries</caption>
                                    <thead><tr><th scope="col">Name</th><th scope="col">Service</th><th scope="col" class="num">Amount</th><th scope="col">When</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Dimensions</th><th scope="col">Changed</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                                    <tbody>{entries.map((e) => (
                                        <tr key={e.id} data-entry={e.name}>
                                            <th scope="row"><button type="button" class="name" onClick={() => setOpen({ kind: 'entry', entry: e })}>{e.name}</button></th>
                                            <td>{e.service || <span class="soft">–</span>}</td>
                                            <td class="num">{amountText(e, session.account.currency)}</td>
                                            <td>{recurrenceText(e)}</td>
                                            <td>{longDay(e.start)}</td>
                                            <td>{e.end ? longDay(e.end) : <span class="soft">{e.percent || (e.recurrence ?? 'once') !== 'once' ? 'goes on' : '–'}</span>}</td>
                                            <td class="clip">{Object.entries(e.dimensions ?? {}).map(([k, v]) => `${k}: ${v}`).join(', ') || <span class="soft">none</span>}</td>
                                            <td title={`by ${e.updatedBy}`}>{moment(e.updatedAt, session.today)}</td>
                                            <td class="num">
                                                <Panel float class="square bare menuact" title={`Actions for ${e.name}`} name={`Actions for ${e.name}`} label={<span aria-hidden="true">⋯</span>}>
                                                    {(shut) => (
                                                        <div class="menu">
                                                            <Guarded why={why} class="line" onClick={() => { shut(); setOpen({ kind: 'entry', entry: e }); }}>Edit</Guarded>
                                                            <Guarded why={why} class="line" onClick={() => { shut(); setOpen({ kind: 'entry', entry: { ...e, id: '', name: `${e.name} (copy)` } }); }}>Duplicate</Guarded>
                                                            <button type="button" class="line" onClick={() => { shut(); setOpen({ kind: 'versions', entry: e }); }}>Versions</button>
                                                            <Guarded why={why} class="line" onClick={() => { shut(); undo(e.id, `"${e.name}" is as it was before its last change`); }}>Undo the last change</Guarded>
                                                            <hr />
                                                            <Guarded why={why} class="line" onClick={() => { shut(); remove(e); }}>Delete</Guarded>
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
                    <section class="card" aria-labelledby="centers">
                        <h2 class="cardhead" id="centers">Cost centers fed by files <span class="soft">{count(lists.centers.length)}</span></h2>
                        {centers.length === 0 ? <Empty what={search ? 'No cost center matches' : 'No custom cost center yet'}>{search ? null : <p>A cost center takes CSV files with a day and a cost, or FOCUS files. A file sent again under its name replaces what it brought.</p>}</Empty> : (
                            <div class="tablebox" tabIndex={0} role="region" aria-label="Table of cost centers">
                                <table class="plain tags">
                                    <caption class="away">Custom cost centers</caption>
                                    <thead><tr><th scope="col">Name</th><th scope="col">Files as</th><th scope="col" class="num">Files</th><th scope="col" class="num">Days</th><th scope="col" class="num">Lines</th><th scope="col">Last file</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                                    <tbody>{centers.map((c) => (
                                        <tr key={c.id} data-center={c.name}>
                                            <th scope="row"><button type="button" class="name" onClick={() => setOpen({ kind: 'files', center: c })}>{c.name}</button>{c.error ? <span class="badge failed after" title={c.error}>failed</span> : null}</th>
                                            <td>{c.kind === 'focus' ? 'FOCUS' : 'CSV'}</td><td class="num">{count(c.files)}</td><td class="num">{count(c.days)}</td><td class="num">{count(c.rows)}</td>
                                            <td>{c.lastFileAt ? moment(c.lastFileAt, session.today) : <span class="soft">never</span>}</td>
                                            <td class="num">
                                                <Panel float class="square bare menuact" title={`Actions for ${c.name}`} name={`Actions for ${c.name}`} label={<span aria-hidden="true">⋯</span>}>
                                                    {(shut) => (
                                                        <div class="menu">
                                                            <button type="button" class="line" onClick={() => { shut(); setOpen({ kind: 'files', center: c }); }}>Files</button>
                                                            <Guarded why={why} class="line" onClick={() => { shut(); setOpen({ kind: 'center', center: c }); }}>Send a file, or change the mapping</Guarded>
                                                            <hr />
                                                            <Sure why={why} label="Delete" sure="Delete with all its lines" onSure={() => { shut(); removeCenter(c); }} />
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
                </>
            )}
            {open?.kind === 'entry' ? <EntryDialog entry={open.entry} onClose={close} onSaved={(e, was) => { done(); toast(was ? `"${e.name}" changed: its lines are in the bill` : `"${e.name}" added: its lines are in the bill`, 'good', { label: 'Undo', run: () => undo(e.id, was ? `"${e.name}" is as it was` : `"${e.name}" is gone again`) }); }} /> : null}
            {open?.kind === 'versions' ? <EntryVersions entry={open.entry} onClose={close} /> : null}
            {open?.kind === 'center' ? <CenterWizard center={open.center} onClose={() => done()} /> : null}
            {open?.kind === 'files' ? <CenterFiles center={open.center} why={why} onClose={() => done()} onSend={() => setOpen({ kind: 'center', center: open.center })} /> : null}
        </>
    );
}

/** What cannot be undone asks, in place. */
function Sure({ why, label, sure, onSure }: { why: string | null; label: string; sure: string; onSure: () => void }): JSX.Element {
    const [asked, setAsked] = useState(false);
    return asked ? <button type="button" class="line danger" ref={(el) => el?.focus()} onClick={onSure}>{sure}</button> : <Guarded why={why} class="line" onClick={() => setAsked(true)}>{label}</Guarded>;
}
