/* adminroles.tsx - roles beside each other as a matrix of permissions; own ones are made and changed here. */
import type { JSX } from 'preact';
import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { toast, whyNot } from '../app';
import type { Permission, RoleInfo } from '../lib/admin';
import { call, get, type ApiError } from '../lib/api';
import { Failure, Guarded, Icon, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { matches } from '../parts/picklist';
import { caught, Problem, Ticks } from './admin';

export function Roles(): JSX.Element {
    const [roles, setRoles] = useState<RoleInfo[] | null>(null);
    const [perms, setPerms] = useState<Permission[]>([]);
    const [error, setError] = useState<ApiError | null>(null);
    const [search, setSearch] = useState('');
    const [open, setOpen] = useState<RoleInfo | 'new' | null>(null);
    const load = (): void => {
        setError(null);
        Promise.all([get<{ roles: RoleInfo[] }>('/api/admin/roles'), get<{ permissions: Permission[] }>('/api/admin/permissions')])
            .then(([r, p]) => { setRoles(r.roles); setPerms(p.permissions); }).catch(caught(setError));
    };
    useEffect(load, []);
    const shown = perms.filter((p) => matches(`${p.key} ${p.area} ${p.description}`, search));
    const areas = [...new Set(shown.map((p) => p.area))];
    return (
        <>
            <div class="row wrap bar">
                <input type="search" aria-label="Search permissions" placeholder="Search permissions" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
                <span class="sp" />
                <Guarded why={whyNot('roles.edit')} class="primary" onClick={() => setOpen('new')}>Create new role</Guarded>
            </div>
            <section class="card">
                {error ? <Failure what="The roles could not be fetched" error={error} retry={load} /> : roles === null ? <Skeleton rows={8} label="Fetching roles" /> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Matrix of roles and permissions">
                        <table class="plain matrix">
                            <caption class="away">Roles and their permissions</caption>
                            <thead><tr><th scope="col">Permission</th>{roles.map((r) => (
                                <th scope="col" key={r.id}>{r.default ? r.name : <button type="button" class="link" onClick={() => setOpen(r)}>{r.name}</button>}
                                    <div class="small soft">{r.default ? 'default' : 'own'} · {r.users} {r.users === 1 ? 'user' : 'users'}</div></th>
                            ))}</tr></thead>
                            <tbody>{areas.map((a) => (
                                <Fragment key={a}>
                                    <tr class="area"><th scope="rowgroup" colSpan={roles.length + 1}>{a}</th></tr>
                                    {shown.filter((p) => p.area === a).map((p) => (
                                        <tr key={p.key}><th scope="row" title={p.key}>{p.description}</th>{roles.map((r) => {
                                            const has = r.permissions.includes(p.key);
                                            return <td key={r.id} class={has ? 'mid' : 'mid soft'}>{has ? <><Icon name="check" /><span class="away">yes</span></> : <span class="away">no</span>}</td>;
                                        })}</tr>
                                    ))}
                                </Fragment>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {open ? <EditRole role={open === 'new' ? null : open} roles={roles ?? []} perms={perms} onClose={() => { setOpen(null); load(); }} /> : null}
        </>
    );
}

function EditRole({ role, roles, perms, onClose }: { role: RoleInfo | null; roles: RoleInfo[]; perms: Permission[]; onClose: () => void }): JSX.Element {
    const [name, setName] = useState(role?.name ?? '');
    const [description, setDescription] = useState(role?.description ?? '');
    const [chosen, setChosen] = useState<string[]>(role?.permissions ?? []);
    const [instead, setInstead] = useState('read-only');
    const [error, setError] = useState<ApiError | null>(null);
    const used = role ? role.users + role.groups + role.tokens : 0;
    const send = (): void => {
        const body = { name, description, permissions: chosen };
        (role ? call('PUT', `/api/admin/roles/${role.id}`, body) : call('POST', '/api/admin/roles', body)).then(onClose).catch(caught(setError));
    };
    const remove = (): void => {
        call('DELETE', `/api/admin/roles/${role?.id}${used ? `?instead=${instead}` : ''}`).then(() => { toast(`Role "${role?.name}" is deleted`); onClose(); }).catch(caught(setError));
    };
    return (
        <Dialog title={role ? role.name : 'Create new role'} kind="big" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (name) send(); }}>
                <label>Name<input type="text" value={name} maxLength={100} required autofocus onInput={(e) => setName(e.currentTarget.value)} /></label>
                <label>Description<input type="text" value={description} maxLength={500} onInput={(e) => setDescription(e.currentTarget.value)} /></label>
                <div class="areas">{[...new Set(perms.map((p) => p.area))].map((a) => <Ticks key={a} label={a} all={perms.filter((p) => p.area === a).map((p) => ({ id: p.key, name: p.description }))} chosen={chosen} onChange={setChosen} />)}</div>
                <Problem error={error} />
                <div class="row wrap end">
                    {role ? <>
                        {used ? <label class="inline">Who has it gets<select value={instead} onChange={(e) => setInstead(e.currentTarget.value)}>{roles.filter((r) => r.id !== role.id).map((r) => <option key={r.id} value={r.id}>{r.name}</option>)}</select></label> : null}
                        <Guarded why={whyNot('roles.edit')} class="danger" onClick={remove}>Delete role</Guarded>
                    </> : null}
                    <span class="sp" /><span class="small soft">{chosen.length} of {perms.length} permissions</span>
                    <button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!name}>{role ? 'Save' : 'Create'}</button>
                </div>
            </form>
        </Dialog>
    );
}
