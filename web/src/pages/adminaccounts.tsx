/* adminaccounts.tsx - the accounts of the installation: made, renamed, members taken in. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session as sessionCell, signedIn, toast, whyNot } from '../app';
import type { RoleInfo, User } from '../lib/admin';
import { call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Failure, Guarded, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem, Ticks } from './admin';

interface Account {
    id: string;
    name: string;
    first: boolean;
    createdBy: string;
    createdAt: string;
}

export function Accounts(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [list, setList] = useState<Account[] | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [naming, setNaming] = useState<Account | 'new' | null>(null);
    const [adding, setAdding] = useState<Account | null>(null);
    const why = whyNot('account.edit');
    const load = (): void => {
        setError(null);
        get<{ accounts: Account[] }>('/api/admin/accounts').then((r) => setList(r.accounts)).catch(caught(setError));
        get<Session>('/api/session').then(signedIn).catch(() => undefined);
    };
    useEffect(load, []);
    return (
        <>
            <div class="row wrap bar"><p class="soft">Each account has its own bills, roles, groups and tokens. People sign in once, here, and are members of others with a role in each.</p><span class="sp" /><Guarded why={why} class="primary" onClick={() => setNaming('new')}>Add account</Guarded></div>
            <section class="card">
                {error ? <Failure what="The accounts could not be fetched" error={error} retry={load} /> : list === null ? <Skeleton rows={3} label="Fetching accounts" /> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of accounts">
                        <table class="plain">
                            <caption class="away">Accounts of this installation</caption>
                            <thead><tr><th scope="col">Name</th><th scope="col">Id</th><th scope="col">Made</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                            <tbody>{list.map((a) => (
                                <tr key={a.id}>
                                    <th scope="row">{a.name}{a.first ? <span class="badge after">first</span> : null}</th><td><code>{a.id}</code></td>
                                    <td>{moment(a.createdAt, session.today)}{a.createdBy ? ` by ${a.createdBy}` : ''}</td>
                                    <td class="num"><span class="row end"><Guarded why={why} class="link" label={`Rename ${a.name}`} onClick={() => setNaming(a)}>Rename</Guarded>{a.first ? null : <Guarded why={why} class="link" label={`Add member to ${a.name}`} onClick={() => setAdding(a)}>Add member</Guarded>}</span></td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {naming ? <Name account={naming === 'new' ? null : naming} onClose={() => { setNaming(null); load(); }} /> : null}
            {adding ? <Member account={adding} onClose={() => setAdding(null)} /> : null}
        </>
    );
}

function Name({ account, onClose }: { account: Account | null; onClose: () => void }): JSX.Element {
    const [name, setName] = useState(account?.name ?? '');
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const send = (): void => {
        setBusy(true);
        setError(null);
        (account ? call('PUT', `/api/admin/accounts/${account.id}`, { name }) : call('POST', '/api/admin/accounts', { name }))
            .then(() => { toast(account ? 'The account is renamed' : `"${name.trim()}" is there, and you are its administrator`); onClose(); })
            .catch(caught(setError)).finally(() => setBusy(false));
    };
    return (
        <Dialog title={account ? `Rename ${account.name}` : 'Add account'} kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (name.trim() && !busy) send(); }}>
                <label>Name<input type="text" value={name} maxLength={100} autofocus aria-invalid={error?.field === 'name' ? 'true' : undefined} onInput={(e) => setName(e.currentTarget.value)} /></label>
                <Problem error={error} />
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!name.trim() || busy}>{account ? 'Rename' : 'Add'}</button></div>
            </form>
        </Dialog>
    );
}

function Member({ account, onClose }: { account: Account; onClose: () => void }): JSX.Element {
    const [people, setPeople] = useState<User[]>([]);
    const [roles, setRoles] = useState<RoleInfo[]>([]);
    const [email, setEmail] = useState('');
    const [chosen, setChosen] = useState<string[]>(['basic']);
    const [error, setError] = useState<ApiError | null>(null);
    useEffect(() => {
        get<{ users: User[] }>('/api/admin/users').then((r) => setPeople(r.users)).catch(caught(setError));
        get<{ roles: RoleInfo[] }>('/api/admin/roles').then((r) => setRoles(r.roles.filter((x) => x.default && x.id !== 'api-token'))).catch(() => undefined);
    }, []);
    const send = (): void => {
        setError(null);
        call('POST', `/api/admin/accounts/${account.id}/members`, { email, roles: chosen }).then(() => { toast(`${email} is a member of ${account.name}`); onClose(); }).catch(caught(setError));
    };
    return (
        <Dialog title={`Add a member to ${account.name}`} kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (email && chosen.length) send(); }}>
                <label>Person<select value={email} onChange={(e) => setEmail(e.currentTarget.value)}><option value="">choose</option>{people.map((p) => <option key={p.id} value={p.email}>{p.email}</option>)}</select></label>
                <Ticks label="Roles there (permissions add up)" all={roles.map((r) => ({ id: r.id, name: r.name, hint: r.description }))} chosen={chosen} onChange={setChosen} />
                <Problem error={error} />
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!email || !chosen.length}>Add</button></div>
            </form>
        </Dialog>
    );
}
