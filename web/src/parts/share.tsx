/*
 * share.tsx - who may see and who may change one object: public, shared with people and groups, private.
 *
 * Changing is never wider than seeing: the dialog says so before the server has to. The role's permission is asked
 * besides; nobody sees more rows because an object is shared with him.
 */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session as sessionCell, toast } from '../app';
import { asError, call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import type { Session } from '../lib/types';
import { Failure, Skeleton } from './basic';
import { Dialog } from './panel';
import { matches } from './picklist';

type Kind = 'public' | 'shared' | 'private';
interface Axis {
    type: Kind;
    users: string[];
    groups: string[];
}
interface Acl {
    read: Axis;
    write: Axis;
    owner: string | null;
}
interface Named {
    id: string;
    name: string;
    email?: string;
}
interface Principals {
    users: Named[];
    groups: Named[];
}
const RANK: Record<Kind, number> = { public: 0, shared: 1, private: 2 };
const KINDS: [Kind, string][] = [['public', 'everybody in the account'], ['shared', 'people and groups'], ['private', 'the owner only']];

/** What `write` has that `read` has not; null when all is well. */
export function wider(read: Axis, write: Axis): string | null {
    if (RANK[write.type] < RANK[read.type]) return 'More people could change it than see it.';
    if (read.type !== 'shared' || write.type !== 'shared') return null;
    if (write.groups.some((g) => !read.groups.includes(g))) return 'A group that may change it is not among those who see it.';
    return write.users.some((u) => !read.users.includes(u) && read.groups.length === 0) ? 'Somebody who may change it is not among those who see it.' : null;
}

export function Share({ kind, id, name, onClose }: { kind: string; id: string; name: string; onClose: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [acl, setAcl] = useState<Acl | null>(null);
    const [mayWrite, setMayWrite] = useState(false);
    const [who, setWho] = useState<Principals>({ users: [], groups: [] });
    const [error, setError] = useState<ApiError | null>(null);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const path = `/api/objects/${kind}/${encodeURIComponent(id)}/acl`;
    const load = (): void => {
        setError(null);
        get<{ acl: Acl; mayWrite: boolean }>(path).then((r) => { setAcl(r.acl); setMayWrite(r.mayWrite); }).catch((e: unknown) => setError(asError(e)));
    };
    useEffect(() => {
        load();
        if (session.permissions.includes('users.view')) get<Principals>('/api/principals').then(setWho).catch(() => undefined);
    }, []);
    const nameOf = (one: string): string => [...who.users, ...who.groups].find((x) => x.id === one)?.name ?? 'somebody';
    const save = (): void => {
        if (!acl) return;
        setBusy(true);
        setWrong(null);
        call(`PUT`, path, { read: acl.read, write: acl.write }).then(() => { toast(`"${name}" is ${acl.read.type}`); onClose(); }).catch((e: unknown) => { setWrong(asError(e)); setBusy(false); });
    };
    const problem = acl ? wider(acl.read, acl.write) : null;
    const set = (axis: 'read' | 'write', v: Axis): void => setAcl(acl && { ...acl, [axis]: v });
    return (
        <Dialog title={`Share ${name}`} kind="middle" onClose={onClose}>
            {error ? <Failure what="Who may see it could not be fetched" error={error} retry={load} /> : !acl ? <Skeleton rows={5} label="Fetching who may see it" /> : (
                <form class="stack sharing" onSubmit={(e) => { e.preventDefault(); if (mayWrite && !problem && !busy) save(); }}>
                    <Choice label="Who may see it" axis={acl.read} who={who} off={!mayWrite} onChange={(v) => set('read', v)} />
                    <Choice label="Who may change it" axis={acl.write} who={who} off={!mayWrite} onChange={(v) => set('write', v)} />
                    <section aria-labelledby="cansee">
                        <h3 id="cansee">Who can see it</h3>
                        <ul class="plainlist">
                            {acl.read.type === 'public' ? <li>Everybody whose role lets him</li> : (
                                <>
                                    <li>{acl.owner ? (acl.owner === session.user.id ? 'You, its owner' : `${nameOf(acl.owner)}, its owner`) : 'No owner'}</li>
                                    <li>Administrators, always</li>
                                    {acl.read.type === 'shared' ? [...acl.read.users, ...acl.read.groups].map((x) => <li key={x}>{nameOf(x)}{acl.read.groups.includes(x) ? ', a group' : ''}</li>) : null}
                                </>
                            )}
                        </ul>
                        <p class="small soft">Sharing opens the object, never rows: everybody goes on seeing the costs that his groups let through.</p>
                    </section>
                    {problem ? <p class="problem" role="alert">{problem}</p> : null}
                    {wrong ? <p class="problem" role="alert">{wrong.message}{wrong.hint ? `. ${wrong.hint}` : ''}</p> : null}
                    {mayWrite ? null : <p class="soft">You may look at this but not share it: ask its owner or an administrator.</p>}
                    <div class="row end"><button type="button" class="quiet" onClick={onClose}>{mayWrite ? 'Cancel' : 'Close'}</button>{mayWrite ? <button class="primary" disabled={busy || problem !== null}>Save</button> : null}</div>
                </form>
            )}
        </Dialog>
    );
}

function Choice({ label, axis, who, off, onChange }: { label: string; axis: Axis; who: Principals; off: boolean; onChange: (v: Axis) => void }): JSX.Element {
    const [search, setSearch] = useState('');
    const toggle = (list: 'users' | 'groups', id: string, on: boolean): void => onChange({ ...axis, [list]: on ? [...axis[list], id] : axis[list].filter((x) => x !== id) });
    const rows: ['users' | 'groups', Named][] = [...who.groups.map((g): ['groups', Named] => ['groups', g]), ...who.users.map((u): ['users', Named] => ['users', u])];
    return (
        <fieldset class="ticks" disabled={off}><legend>{label}</legend>
            <select aria-label={label} value={axis.type} onChange={(e) => onChange({ ...axis, type: e.currentTarget.value as Kind })}>{KINDS.map(([k, text]) => <option key={k} value={k}>{k}: {text}</option>)}</select>
            {axis.type === 'shared' ? (
                rows.length === 0 ? <p class="small soft">Your role does not list people, so this cannot be shared with some of them.</p> : (
                    <>
                        <input type="search" aria-label={`Search people and groups: ${label}`} placeholder="Search people and groups" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
                        <div class="pickbox" tabIndex={0} role="group" aria-label={`People and groups: ${label}`}>
                            {rows.filter(([, x]) => matches(`${x.name} ${x.email ?? ''}`, search)).map(([list, x]) => (
                                <label class="inline" key={x.id}><input type="checkbox" checked={axis[list].includes(x.id)} onChange={(e) => toggle(list, x.id, e.currentTarget.checked)} /><span>{x.name}<span class="soft small"> {list === 'groups' ? 'group' : x.email}</span></span></label>
                            ))}
                        </div>
                    </>
                )
            ) : null}
        </fieldset>
    );
}
