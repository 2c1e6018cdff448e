/* admin.tsx - the Admin Portal: people, roles, groups, security, audit, each its own address. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, may, place, sayError, session as sessionCell, signedIn, toast, whyNot } from '../app';
import type { RoleInfo, User } from '../lib/admin';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { longDay, moment } from '../lib/day';
import type { Session } from '../lib/types';
import { CopyField, Empty, Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Dialog, Panel } from '../parts/panel';
import { matches } from '../parts/picklist';
import { Audit, Security } from './adminlog';
import { Groups } from './admingroups';
import { Accounts } from './adminaccounts';
import { Explain } from './adminexplain';
import { Mail } from './adminmail';
import { Roles } from './adminroles';
import { JoinLinks } from './joinlinks';
import { sentence } from './signin';

/** A screen that is fetched when it is first opened. */
function fetched(fetchIt: () => Promise<() => JSX.Element>): () => JSX.Element {
    return function Fetched(): JSX.Element {
        const [Screen, set] = useState<(() => JSX.Element) | null>(null);
        const [error, setError] = useState<ApiError | null>(null);
        const load = (): void => {
            setError(null);
            fetchIt().then((S) => set(() => S), () => setError(new ApiError(0, 'could not reach the server', null, null, null, null)));
        };
        useEffect(load, []);
        if (Screen) return <Screen />;
        return <section class="card">{error ? <Failure what="The screen could not be fetched" error={error} retry={load} /> : <Skeleton rows={5} label="Fetching the screen" />}</section>;
    };
}

const TABS: [path: string, name: string, permission: string, Screen: () => JSX.Element][] = [
    ['/admin', 'Users', 'users.view', Users],
    ['/admin/roles', 'Roles', 'roles.view', Roles],
    ['/admin/groups', 'Groups and data access', 'groups.manage', Groups],
    ['/admin/sso', 'Single sign-on', 'sso.edit', fetched(() => import('./adminsso').then((m) => m.SingleSignOn))],
    ['/admin/vault', 'Credentials', 'vault.list', fetched(() => import('./vault').then((m) => m.Vault))],
    ['/admin/security', 'Security', 'security.edit', Security],
    ['/admin/mail', 'Mail', 'security.edit', Mail],
    ['/admin/accounts', 'Accounts', 'account.edit', Accounts],
    ['/admin/explain', 'Explain access', 'groups.manage', Explain],
    ['/admin/audit', 'Audit log', 'audit.view', Audit],
];

/** What is done at the first account only: who signs in, and how. */
const FIRST_ONLY = ['/admin/accounts', '/admin/mail', '/admin/sso'];

export function Admin(): JSX.Element {
    const { path } = useCell(place);
    const first = (useCell(sessionCell) as Session).account.first;
    const tabs = TABS.filter(([p]) => first || !FIRST_ONLY.includes(p));
    const tab = tabs.find(([p]) => p === path) ?? TABS[0];
    const [, name, permission, Screen] = tab as (typeof TABS)[number];
    useEffect(() => {
        document.title = `${name} · Farthing`;
    }, [name]);
    return (
        <>
            <header class="top"><h1>Administration</h1><span class="sp" /><SearchButton /></header>
            <nav class="tabs" aria-label="Administration">
                {tabs.map(([p, n]) => <a key={p} href={p} aria-current={n === name ? 'page' : undefined} onClick={(e) => { e.preventDefault(); go(p); }}>{n}</a>)}
            </nav>
            {may(permission) ? <Screen /> : <section class="card"><Empty what={`${name} is for administrators`}><p>It needs the permission <code>{permission}</code>, which your role does not include.</p></Empty></section>}
        </>
    );
}

/** Many of a list by tick boxes. */
export function Ticks({ label, all, chosen, onChange }: { label: string; all: { id: string; name: string; hint?: string | undefined }[]; chosen: string[]; onChange: (v: string[]) => void }): JSX.Element {
    return (
        <fieldset class="ticks"><legend>{label}</legend>
            {all.map((x) => (
                <label class="inline" key={x.id}>
                    <input type="checkbox" checked={chosen.includes(x.id)} onChange={(e) => onChange(e.currentTarget.checked ? [...chosen, x.id] : chosen.filter((c) => c !== x.id))} />
                    <span>{x.name}{x.hint ? <span class="soft small"> {x.hint}</span> : null}</span>
                </label>
            ))}
        </fieldset>
    );
}
export const Problem = ({ error }: { error: ApiError | null }): JSX.Element | null =>
    error ? <p class="problem" role="alert">{sentence(error.message)}{error.hint ? ` ${sentence(error.hint)}` : ''}</p> : null;
export const caught = (set: (e: ApiError) => void) => (e: unknown): void => {
    if (e instanceof ApiError) set(e);
};

interface Link {
    id: string;
    link: string | null;
}
function ShowLink({ made, onClose }: { made: Link; onClose: () => void }): JSX.Element {
    return (
        <Dialog title={made.link ? 'A link to hand on' : 'Sent'} kind="middle" onClose={onClose}>
            <div class="stack">
                {made.link ? <><p>No mail server is set up, so give this link to the person yourself. It is shown this once and works once.</p><CopyField label="Link" value={made.link} /></> : <p>The link is on its way by mail.</p>}
                <div class="row end"><button type="button" class="primary" onClick={onClose}>Done</button></div>
            </div>
        </Dialog>
    );
}

function Users(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [users, setUsers] = useState<User[] | null>(null);
    const [roles, setRoles] = useState<RoleInfo[]>([]);
    const [error, setError] = useState<ApiError | null>(null);
    const [search, setSearch] = useState('');
    const [open, setOpen] = useState<User | 'new' | null>(null);
    const [made, setMade] = useState<Link | null>(null);
    const load = (): void => {
        setError(null);
        get<{ users: User[] }>('/api/admin/users').then((r) => setUsers(r.users)).catch(caught(setError));
    };
    useEffect(() => {
        load();
        if (may('roles.view')) get<{ roles: RoleInfo[] }>('/api/admin/roles').then((r) => setRoles(r.roles)).catch(() => undefined);
    }, []);
    const first = session.account.first;
    const roleName = (id: string): string => roles.find((r) => r.id === id)?.name ?? id;
    const act = (u: User, verb: string, said: string): void => {
        call<Link | undefined>('POST', `/api/admin/users/${u.id}/${verb}`).then((r) => {
            if (r?.link !== undefined) setMade(r);
            else toast(said);
            load();
        }).catch((e: unknown) => sayError(`could not ${verb} ${u.email}`, e));
    };
    const look = (u: User): void => {
        call('POST', '/api/admin/view-as', { userId: u.id }).then(() => get<Session>('/api/session')).then((s) => {
            signedIn(s);
            go('/megabill');
        }).catch((e: unknown) => sayError('could not look through their eyes', e));
    };
    const shown = (users ?? []).filter((u) => matches(`${u.email} ${u.name} ${u.state} ${u.roles.map(roleName).join(' ')} ${u.provider}`, search));
    return (
        <>
            <div class="row wrap bar">
                <input type="search" aria-label="Search users" placeholder="Search users" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
                <span class="sp" />
                <Guarded why={whyNot('users.invite')} class="primary" onClick={() => setOpen('new')}>{first ? 'Invite user' : 'Add member'}</Guarded>
            </div>
            <section class="card">
                {error ? <Failure what="The users could not be fetched" error={error} retry={load} /> : users === null ? <Skeleton rows={5} label="Fetching users" /> : shown.length === 0 ? <Empty what="Nobody matches" /> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of users">
                        <table class="plain">
                            <caption class="away">Users</caption>
                            <thead><tr><th scope="col">Name</th><th scope="col">E-mail</th><th scope="col">Roles</th><th scope="col">State</th><th scope="col">Second factor</th><th scope="col">Joined</th><th scope="col">Last sign-in</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                            <tbody>{shown.map((u) => (
                                <tr key={u.id}>
                                    <th scope="row">{u.name}</th><td>{u.email}</td><td>{u.roles.map(roleName).join(', ')}</td>
                                    <td><span class={`badge ${u.state === 'active' ? 'active' : u.state === 'invited' ? 'running' : 'failed'}`}>{u.state}</span></td>
                                    <td class={u.mfa ? undefined : 'soft'}>{u.mfa ? 'on' : 'none'}</td>
                                    <td class={u.joinedAt ? undefined : 'soft'}>{u.joinedAt ? longDay(u.joinedAt) : u.invitedUntil ? `until ${moment(u.invitedUntil, session.today)}` : 'not yet'}</td>
                                    <td class={u.lastLoginAt ? undefined : 'soft'}>{u.lastLoginAt ? moment(u.lastLoginAt, session.today) : 'never'}</td>
                                    <td class="num"><Panel class="link" title={`What to do with ${u.email}`} label={<>Actions<span class="away"> for {u.email}</span></>}>
                                        {(close) => {
                                            const item = (name: string, permission: string, run: () => void): JSX.Element =>
                                                <Guarded why={whyNot(permission)} class="line" onClick={() => { close(); run(); }}>{name}</Guarded>;
                                            return (
                                                <>
                                                    {item('Edit name and roles', 'users.edit_roles', () => setOpen(u))}
                                                    {!first ? null : item(u.state === 'invited' ? 'Send the invitation again' : 'Link for a new password', 'users.invite', () => act(u, 'resend', 'sent'))}
                                                    {u.state === 'locked' ? item('Unlock', 'users.lock', () => act(u, 'unlock', `${u.email} is unlocked`)) : item('Lock', 'users.lock', () => act(u, 'lock', `${u.email} is locked`))}
                                                    {u.state === 'disabled' ? item('Enable', 'users.lock', () => act(u, 'enable', `${u.email} is enabled`)) : item('Disable', 'users.lock', () => act(u, 'disable', `${u.email} is disabled`))}
                                                    {!first ? null : item('End all sessions', 'sessions.revoke', () => act(u, 'end-sessions', `${u.email} is signed out everywhere`))}
                                                    {u.mfa && first ? item('Reset second factor', 'users.edit_roles', () => act(u, 'reset-mfa', 'The second factor is off')) : null}
                                                    {u.id !== session.user.id ? item('View as this user', 'groups.manage', () => look(u)) : null}
                                                </>
                                            );
                                        }}
                                    </Panel></td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {first ? <JoinLinks roleName={roleName} /> : null}
            {open ? <EditUser user={open === 'new' ? null : open} users={users ?? []} roles={roles} onClose={(r) => { setOpen(null); if (r) setMade(r); load(); }} /> : null}
            {made ? <ShowLink made={made} onClose={() => setMade(null)} /> : null}
        </>
    );
}

function EditUser({ user, users, roles, onClose }: { user: User | null; users: User[]; roles: RoleInfo[]; onClose: (made?: Link) => void }): JSX.Element {
    const first = (useCell(sessionCell) as Session).account.first;
    const [email, setEmail] = useState(user?.email ?? '');
    const [name, setName] = useState(user?.name ?? '');
    const [phone, setPhone] = useState(user?.phone ?? '');
    const [chosen, setChosen] = useState<string[]>(user?.roles ?? ['basic']);
    const [heir, setHeir] = useState('');
    const [sure, setSure] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const send = (): void => {
        setError(null);
        const asked = user ? call<undefined>('PUT', `/api/admin/users/${user.id}`, { name, phone, roles: chosen }) : call<Link>('POST', '/api/admin/users', { email, name: name || null, phone: phone || null, roles: chosen });
        asked.then((r) => {
            if (!user && !first) toast(`${email} is a member`);
            onClose(first ? r : undefined);
        }).catch(caught(setError));
    };
    const remove = (): void => {
        call('DELETE', `/api/admin/users/${user?.id}${heir ? `?heir=${heir}` : ''}`).then(() => { toast(`${user?.email} is deleted`); onClose(); }).catch(caught(setError));
    };
    return (
        <Dialog title={user ? user.email : first ? 'Invite user' : 'Add member'} kind="middle" onClose={() => onClose()}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (chosen.length && email) send(); }}>
                {user ? null : <label>E-mail<input type="email" value={email} required autofocus onInput={(e) => setEmail(e.currentTarget.value)} /></label>}
                {user || first ? null : <p class="soft">Whoever signs in to this installation can be a member here; the first account invites people.</p>}
                {!first ? null : <label>Full name<input type="text" value={name} maxLength={200} onInput={(e) => setName(e.currentTarget.value)} /></label>}
                {!first ? null : <label>Phone, if you like<input type="text" value={phone} maxLength={40} onInput={(e) => setPhone(e.currentTarget.value)} /></label>}
                <Ticks label="Roles (permissions add up)" all={roles.filter((r) => r.id !== 'api-token').map((r) => ({ id: r.id, name: r.name, hint: r.description }))} chosen={chosen} onChange={setChosen} />
                <Problem error={error} />
                <div class="row end">
                    {user ? <Guarded why={whyNot('users.delete')} class="danger" onClick={() => setSure(true)}>Delete</Guarded> : null}
                    <span class="sp" /><button type="button" class="quiet" onClick={() => onClose()}>Cancel</button><button class="primary" disabled={!chosen.length || !email}>{user ? 'Save' : first ? 'Invite' : 'Add'}</button>
                </div>
                {sure && user ? (
                    <div class="stack" role="group" aria-label="Delete for good">
                        <label>Private objects go to<select value={heir} onChange={(e) => setHeir(e.currentTarget.value)}><option value="">the administrators</option>{users.filter((u) => u.id !== user.id).map((u) => <option key={u.id} value={u.id}>{u.email}</option>)}</select></label>
                        <div class="row end"><button type="button" class="danger" onClick={remove}>Delete {user.email} for good</button></div>
                    </div>
                ) : null}
            </form>
        </Dialog>
    );
}
