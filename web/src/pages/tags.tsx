/*
 * tags.tsx - the list of virtual tags: whose, in which folder, of which kind; made, moved, deleted here.
 *
 * Tab, folder, search and order are the address. Deleting asks the server what uses the tag; what goes
 * through can be undone for an hour.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { copy, go, place, sayError, session as sessionCell, tagsChanged, toast, whyNot } from '../app';
import { ApiError, asError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { count } from '../lib/dec';
import { longDay, moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Dialog, Panel } from '../parts/panel';
import { matches } from '../parts/picklist';
import { GraphDialog } from '../tags/graph';
import { KINDS, kindLabel, type Folder, type TagRow } from '../tags/types';
import { Usage, type Blocker } from '../tags/usage';
import { Versions } from '../tags/versions';

type Tab = 'all' | 'custom' | 'finout';
const TABS: [Tab, string][] = [['all', 'All'], ['custom', 'Custom'], ['finout', 'Finout']];
type SortKey = 'name' | 'folder' | 'kind' | 'rules' | 'createdBy' | 'createdAt' | 'updatedAt';

interface Lists {
    tags: TagRow[];
    folders: Folder[];
}

export function VirtualTags(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const where = useCell(place);
    const [lists, setLists] = useState<Lists | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [chosen, setChosen] = useState<Set<string>>(new Set());
    const [graph, setGraph] = useState(false);
    const [versions, setVersions] = useState<TagRow | null>(null);
    const [usage, setUsage] = useState<TagRow | null>(null);
    const [blocked, setBlocked] = useState<{ tag: TagRow; blockers: Blocker[] } | null>(null);
    const [moving, setMoving] = useState<TagRow[] | null>(null);
    const [renaming, setRenaming] = useState<TagRow | null>(null);
    const p = new URLSearchParams(where.search);
    const tab = (TABS.find(([t]) => t === p.get('tab'))?.[0] ?? 'all') as Tab;
    const folder = p.get('folder');
    const search = p.get('q') ?? '';
    const sort = p.get('sort') ?? '-updatedAt';
    const set = (name: string, value: string | null, replace = false): void => {
        const next = new URLSearchParams(location.search);
        if (value === null || value === '') next.delete(name);
        else next.set(name, value);
        go('/virtual-tags' + (next.toString() ? '?' + next.toString() : ''), replace);
    };
    const noCreate = whyNot('vtags.create');
    const noEdit = whyNot('vtags.edit');
    const noDelete = whyNot('vtags.delete');

    const load = (): void => {
        get<Lists>('/api/tags').then((l) => {
            setLists(l);
            setError(null);
        }).catch((e: unknown) => setError(asError(e)));
    };
    useEffect(() => {
        document.title = 'Virtual tags · Farthing';
        load();
    }, []);
    const changed = (): void => {
        load();
        void tagsChanged();
    };

    const folderName = (id: string | null): string => lists?.folders.find((f) => f.id === id)?.name ?? '';
    const inTab = (t: TagRow, which: Tab): boolean => which === 'all' || (which === 'finout') === t.predefined;
    const shown = useMemo(() => {
        const all = (lists?.tags ?? []).filter((t) => inTab(t, tab) && (folder === null || (folder === 'none' ? !t.folderId : t.folderId === folder)) && matches(`${t.name} ${t.category} ${kindLabel(t.kind)} ${t.createdBy}`, search));
        const down = sort.startsWith('-');
        const key = sort.replace('-', '') as SortKey;
        const text = (t: TagRow): string => (key === 'folder' ? folderName(t.folderId) : key === 'kind' ? kindLabel(t.kind) : key === 'rules' ? '' : String(t[key] ?? ''));
        const order = (a: TagRow, b: TagRow): number => (key === 'rules' ? a.ruleCount - b.ruleCount : text(a).localeCompare(text(b), 'en', { numeric: true, sensitivity: 'base' }));
        return all.sort((a, b) => (down ? -1 : 1) * order(a, b) || a.name.localeCompare(b.name));
    }, [lists, tab, folder, search, sort]);
    const picked = shown.filter((t) => chosen.has(t.id) && !t.predefined);

    const remove = async (tags: TagRow[]): Promise<void> => {
        const gone: TagRow[] = [];
        for (const t of tags) {
            try {
                await call('DELETE', `/api/tags/${t.id}`);
                gone.push(t);
            } catch (e) {
                const b = e instanceof ApiError ? e.body['blockers'] : undefined;
                if (e instanceof ApiError && e.status === 409 && Array.isArray(b)) setBlocked({ tag: t, blockers: b as Blocker[] });
                else sayError(`could not delete "${t.name}"`, e);
            }
        }
        if (gone.length === 0) return;
        setChosen(new Set());
        changed();
        toast(gone.length === 1 ? `"${gone[0]?.name}" deleted` : `${gone.length} tags deleted`, 'good', {
            label: 'Undo',
            run: () => void Promise.all(gone.map((t) => call('POST', `/api/tags/${t.id}/undelete`))).then(() => toast('Back again')).catch((e: unknown) => sayError('could not bring it back', e)).then(changed),
        }, 15_000);
    };
    const duplicate = (t: TagRow): void => void call<{ id: string }>('POST', `/api/tags/${t.id}/duplicate`).then((r) => {
        changed();
        toast(`"${t.name}" duplicated`, 'good', { label: 'Open', run: () => go(`/virtual-tags/${r.id}`) });
    }).catch((e: unknown) => sayError('could not duplicate', e));
    const move = async (tags: TagRow[], to: string | null): Promise<void> => {
        for (const t of tags)
            try {
                await call('PUT', `/api/tags/${t.id}/folder`, { folderId: to });
            } catch (e) {
                sayError(`could not move "${t.name}"`, e);
            }
        setChosen(new Set());
        load();
    };
    const tally = (t: Tab): number => (lists?.tags ?? []).filter((x) => inTab(x, t)).length;
    const head = (key: SortKey, text: string, cls = ''): JSX.Element => {
        const on = sort.replace('-', '') === key;
        const down = sort.startsWith('-');
        return (
            <th scope="col" class={cls} aria-sort={on ? (down ? 'descending' : 'ascending') : undefined}>
                <button type="button" class="bare sorter" onClick={() => set('sort', on && !down ? '-' + key : key, true)}>{text}<span class={on ? (down ? 'arrow down' : 'arrow asc') : 'arrow'} aria-hidden="true" /></button>
            </th>
        );
    };
    const all = shown.filter((t) => !t.predefined);

    return (
        <>
            <header class="top"><h1>Virtual tags</h1><span class="sp" /><SearchButton />
                <button type="button" onClick={() => setGraph(true)}>Dependencies</button>
                <Create why={noCreate} folder={folder && folder !== 'none' ? folder : null} onFolder={load} />
            </header>
            <div class="bar" role="group" aria-label="Which tags">
                <span class="seg" role="group" aria-label="Whose">
                    {TABS.map(([t, label]) => <button type="button" key={t} aria-pressed={tab === t} onClick={() => set('tab', t === 'all' ? null : t)}>{label} <span class="soft">{lists ? count(tally(t)) : ''}</span></button>)}
                </span>
                <Panel title="Folders" label={<><span class="soft">in</span> <b>{folder === null ? 'every folder' : folder === 'none' ? 'no folder' : folderName(folder) || 'an unknown folder'}</b></>}>
                    {(close) => <Folders folders={lists?.folders ?? []} tags={lists?.tags ?? []} at={folder} why={whyNot('vtags.edit')} onPick={(f) => { close(); set('folder', f); }} onChanged={load} onGone={(id) => folder === id && set('folder', null)} />}
                </Panel>
                <input type="text" class="grow" aria-label="Search virtual tags" placeholder="Search names, categories, authors" value={search} onInput={(e) => set('q', e.currentTarget.value, true)} />
            </div>
            {picked.length ? (
                <div class="bulk" role="group" aria-label="With the chosen tags">
                    <b>{picked.length} chosen</b>
                    <Guarded why={noEdit} onClick={() => setMoving(picked)}>Move to a folder</Guarded>
                    <Guarded why={noDelete} class="danger" onClick={() => void remove(picked)}>Delete</Guarded>
                    <button type="button" class="link" onClick={() => setChosen(new Set())}>choose none</button>
                </div>
            ) : null}
            <section class="card">
                {error ? <Failure what="The virtual tags could not be fetched" error={error} retry={load} /> : lists === null ? <Skeleton rows={8} label="Fetching virtual tags" /> : shown.length === 0 ? (
                    search || folder || tab !== 'all' ? (
                        <Empty what="No tag matches"><p>{tab === 'custom' && !search && !folder ? 'No custom tag yet. ' : ''}{search || folder ? <button type="button" onClick={() => go('/virtual-tags')}>Show all tags</button> : 'Create one, or duplicate one of Finout\'s.'}</p></Empty>
                    ) : <Empty what="No virtual tag yet"><p>A virtual tag is a key of your own over every bill: rules say which value a line has, for all days, past and to come. It can be grouped by and filtered on like any other key.</p></Empty>
                ) : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of virtual tags">
                        <table class="plain tags">
                            <caption class="away">Virtual tags</caption>
                            <thead><tr>
                                <td class="check"><input type="checkbox" aria-label="Choose all" checked={all.length > 0 && picked.length === all.length} disabled={all.length === 0} onChange={(e) => setChosen(new Set(e.currentTarget.checked ? all.map((t) => t.id) : []))} /></td>
                                {head('name', 'Name')}{head('kind', 'Type')}{head('folder', 'Folder')}{head('rules', 'Rules', 'num')}{head('createdBy', 'Created by')}{head('createdAt', 'Created')}{head('updatedAt', 'Modified')}
                                <th scope="col"><span class="away">Actions</span></th>
                            </tr></thead>
                            <tbody>{shown.map((t) => (
                                <tr key={t.id} class={chosen.has(t.id) ? 'at' : undefined} data-tag={t.name}>
                                    <td class="check">{t.predefined ? null : <input type="checkbox" aria-label={`Choose ${t.name}`} checked={chosen.has(t.id)} onChange={() => {
                                        const next = new Set(chosen);
                                        if (!next.delete(t.id)) next.add(t.id);
                                        setChosen(next);
                                    }} />}</td>
                                    <th scope="row"><a href={`/virtual-tags/${t.id}`} class="plainlink" onClick={(e) => { if (e.metaKey || e.ctrlKey || e.shiftKey) return; e.preventDefault(); go(`/virtual-tags/${t.id}`); }}>{t.name}</a>{t.hasStaged ? <span class="badge running after" title={t.hasLive ? 'A staged version waits to be published' : 'Not in use until it is published'}>staged</span> : null}{t.error ? <span class="badge failed after" title={t.error}>feed failed</span> : null}{t.allocationCount ? <span class="badge after" title={`${t.allocationCount} ${t.allocationCount === 1 ? 'entry' : 'entries'} of reallocation`}>reallocation</span> : null}</th>
                                    <td><KindBadge t={t} /></td>
                                    <td>{folderName(t.folderId) || <span class="soft">–</span>}</td>
                                    <td class="num">{t.ruleCount || (t.kind === 'rules' && !t.predefined) ? count(t.ruleCount) : t.rows ? <span title="Rows of its table">{count(t.rows)} rows</span> : <span class="soft">–</span>}</td>
                                    <td>{t.predefined ? <span class="soft">Finout</span> : t.createdBy}</td>
                                    <td title={moment(t.createdAt)}>{t.createdAt ? longDay(new Date(t.createdAt).toISOString()) : ''}</td>
                                    <td title={t.updatedBy ? `by ${t.updatedBy}` : undefined}>{moment(t.updatedAt, session.today)}</td>
                                    <td class="num">
                                        <Panel float class="square bare menuact" title={`Actions for ${t.name}`} name={`Actions for ${t.name}`} label={<span aria-hidden="true">⋯</span>}>
                                            {(close) => (
                                                <div class="menu">
                                                    <button type="button" class="line" onClick={() => { close(); go(`/virtual-tags/${t.id}`); }}>{t.predefined ? 'View' : 'Edit'}</button>
                                                    <Guarded why={noCreate} class="line" onClick={() => { close(); duplicate(t); }}>Duplicate</Guarded>
                                                    {t.predefined ? null : <Guarded why={noEdit} class="line" onClick={() => { close(); setRenaming(t); }}>Rename</Guarded>}
                                                    {t.predefined ? null : <Guarded why={noEdit} class="line" onClick={() => { close(); setMoving([t]); }}>Move to a folder</Guarded>}
                                                    {t.predefined ? null : <button type="button" class="line" onClick={() => { close(); setVersions(t); }}>Versions</button>}
                                                    <button type="button" class="line" onClick={() => { close(); setUsage(t); }}>Where used</button>
                                                    <button type="button" class="line" onClick={() => { close(); void copy(t.id, 'Tag id'); }}>Copy id</button>
                                                    {t.predefined ? null : <><hr /><Guarded why={noDelete} class="line" onClick={() => { close(); void remove([t]); }}>Delete</Guarded></>}
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
            {graph ? <GraphDialog onClose={() => setGraph(false)} /> : null}
            {versions ? <Versions id={versions.id} name={versions.name} onClose={() => setVersions(null)} onChanged={changed} /> : null}
            {usage ? <Usage id={usage.id} name={usage.name} onClose={() => setUsage(null)} /> : null}
            {blocked ? <Usage id={blocked.tag.id} name={blocked.tag.name} blockers={blocked.blockers} onClose={() => setBlocked(null)} /> : null}
            {moving ? (
                <Dialog title={moving.length === 1 ? `Move "${moving[0]?.name}" to` : `Move ${moving.length} tags to`} kind="middle" onClose={() => setMoving(null)}>
                    <MoveTo folders={lists?.folders ?? []} onPick={(f) => { setMoving(null); void move(moving, f); }} />
                </Dialog>
            ) : null}
            {renaming ? <Rename t={renaming} onClose={() => setRenaming(null)} onDone={() => { setRenaming(null); changed(); }} /> : null}
        </>
    );
}

function KindBadge({ t }: { t: TagRow }): JSX.Element {
    const text = t.kind === 'relational' ? 'Relational' : t.predefined ? 'Predefined' : kindLabel(t.kind);
    return <span class={t.kind === 'relational' ? 'badge violet' : 'badge'}>{text}</span>;
}

function Create({ why, folder, onFolder }: { why: string | null; folder: string | null; onFolder: () => void }): JSX.Element {
    const [naming, setNaming] = useState(false);
    return (
        <>
            <Panel class="primary" title="Create" why={why} label={<>Create virtual tag<span class="caret" aria-hidden="true" /></>}>
                {(close) => (
                    <div class="menu">
                        {KINDS.map(([k, label, doc]) => (
                            <button type="button" class="line two" key={k} onClick={() => { close(); go(`/virtual-tags/new?kind=${k}${folder ? `&folder=${folder}` : ''}`); }}><span>{k === 'rules' ? 'Virtual tag' : label}</span><span class="soft small">{doc}</span></button>
                        ))}
                        <hr />
                        <button type="button" class="line" onClick={() => { close(); setNaming(true); }}>Folder</button>
                    </div>
                )}
            </Panel>
            {naming ? <FolderName onClose={() => setNaming(false)} onDone={() => { setNaming(false); onFolder(); }} /> : null}
        </>
    );
}

function FolderName({ folder, onClose, onDone }: { folder?: Folder; onClose: () => void; onDone: (f: Folder) => void }): JSX.Element {
    const [name, setName] = useState(folder?.name ?? '');
    const [error, setError] = useState<ApiError | null>(null);
    const send = (): void => void (folder ? call<Folder>('PUT', `/api/tag-folders/${folder.id}`, { name: name.trim() }) : call<Folder>('POST', '/api/tag-folders', { name: name.trim() })).then(onDone).catch((e: unknown) => setError(asError(e)));
    return (
        <Dialog title={folder ? `Rename the folder "${folder.name}"` : 'New folder'} kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (name.trim()) send(); }}>
                <label>Name<input type="text" value={name} maxLength={200} autofocus onInput={(e) => { setName(e.currentTarget.value); setError(null); }} /></label>
                {error ? <p class="problem" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!name.trim()}>{folder ? 'Rename' : 'Create'}</button></div>
            </form>
        </Dialog>
    );
}

function Folders({ folders, tags, at, why, onPick, onChanged, onGone }: { folders: Folder[]; tags: TagRow[]; at: string | null; why: string | null; onPick: (id: string | null) => void; onChanged: () => void; onGone: (id: string) => void }): JSX.Element {
    const [search, setSearch] = useState('');
    const [naming, setNaming] = useState<Folder | 'new' | null>(null);
    const list = folders.filter((f) => matches(f.name, search)).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
    const size = (id: string | null): string => count(tags.filter((t) => (t.folderId ?? null) === id).length);
    const remove = (f: Folder): void => void call('DELETE', `/api/tag-folders/${f.id}`).then(() => {
        toast(`The folder "${f.name}" is gone; its tags are not`);
        onGone(f.id);
        onChanged();
    }).catch((e: unknown) => sayError('could not delete the folder', e));
    return (
        <div class="viewlist">
            <input type="text" aria-label="Search folders" placeholder="Search folders" value={search} data-first onInput={(e) => setSearch(e.currentTarget.value)} />
            <ul>
                <li class={at === null ? 'at' : undefined}><button type="button" class="line" onClick={() => onPick(null)}><span>Every folder</span><span class="soft">{count(tags.length)}</span></button></li>
                <li class={at === 'none' ? 'at' : undefined}><button type="button" class="line" onClick={() => onPick('none')}><span>No folder</span><span class="soft">{size(null)}</span></button></li>
                {list.map((f) => (
                    <li key={f.id} class={f.id === at ? 'at' : undefined}>
                        <button type="button" class="line" onClick={() => onPick(f.id)}><span>{f.name}</span><span class="soft">{size(f.id)}</span></button>
                        <span class="acts"><Guarded why={why} class="link" label={`Rename the folder ${f.name}`} onClick={() => setNaming(f)}>rename</Guarded><Guarded why={why} class="link" label={`Delete the folder ${f.name}`} onClick={() => remove(f)}>delete</Guarded></span>
                    </li>
                ))}
            </ul>
            <p class="small foot"><Guarded why={why} class="link" onClick={() => setNaming('new')}>New folder</Guarded></p>
            {naming ? <FolderName {...(naming === 'new' ? {} : { folder: naming })} onClose={() => setNaming(null)} onDone={() => { setNaming(null); onChanged(); }} /> : null}
        </div>
    );
}

const MoveTo = ({ folders, onPick }: { folders: Folder[]; onPick: (id: string | null) => void }): JSX.Element => (
    <div class="menu">
        <button type="button" class="line" onClick={() => onPick(null)}>No folder</button>
        {folders.map((f) => <button type="button" class="line" key={f.id} onClick={() => onPick(f.id)}>{f.name}</button>)}
        {folders.length === 0 ? <p class="none">There is no folder yet: Create, then Folder.</p> : null}
    </div>
);

function Rename({ t, onClose, onDone }: { t: TagRow; onClose: () => void; onDone: () => void }): JSX.Element {
    const [name, setName] = useState(t.name);
    const [error, setError] = useState<ApiError | null>(null);
    const send = async (): Promise<void> => {
        try {
            await call('PUT', `/api/tags/${t.id}/name`, { name: name.trim() });
            onDone();
        } catch (e) {
            setError(asError(e));
        }
    };
    return (
        <Dialog title={`Rename "${t.name}"`} kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (name.trim() && name.trim() !== t.name) void send(); }}>
                <label>Name<input type="text" value={name} maxLength={200} autofocus aria-describedby="rename-note" onInput={(e) => { setName(e.currentTarget.value); setError(null); }} /></label>
                <p class="small soft" id="rename-note">Its id stays, so nothing that uses it breaks.</p>
                {error ? <p class="problem" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!name.trim() || name.trim() === t.name}>Rename</button></div>
            </form>
        </Dialog>
    );
}

