/* adminexplain.tsx - why somebody may see and do what: each layer's verdict and the grant that decided it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { keys as keyCell } from '../app';
import type { Permission, Sight, User } from '../lib/admin';
import { get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { longDay } from '../lib/day';
import { filterText } from '../lib/question';
import type { Filter, Token } from '../lib/types';
import { Empty, Failure, Skeleton } from '../parts/basic';
import { caught } from './admin';

interface Verdict {
    kind: 'user' | 'token';
    name: string;
    roles: string[];
    permissions: { key: string; by: string }[];
    dataAccess: boolean;
    sees: 'all' | 'none' | 'some';
    groups: { id: string; name: string; filters: Filter | null; unrestricted: boolean; isAdmin: boolean; dataAccessEnabled: boolean }[];
    object?: { acl: { read: { type: string }; write: { type: string }; owner: string | null }; mayRead: boolean; mayWrite: boolean };
    sight: Partial<Sight>;
}
interface Thing {
    kind: string;
    id: string;
    name: string;
}
const SEES = { all: 'every row', some: 'some rows', none: 'no row' };

export function Explain(): JSX.Element {
    const keys = useCell(keyCell) ?? [];
    const [people, setPeople] = useState<{ id: string; name: string }[]>([]);
    const [things, setThings] = useState<Thing[]>([]);
    const [permissions, setPermissions] = useState<Permission[]>([]);
    const [who, setWho] = useState('');
    const [action, setAction] = useState('');
    const [thing, setThing] = useState('');
    const [v, setV] = useState<Verdict | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    useEffect(() => {
        const quiet = (): undefined => undefined;
        void Promise.all([
            get<{ users: User[] }>('/api/admin/users').then((r) => r.users.map((u) => ({ id: u.id, name: u.email }))).catch(() => []),
            get<{ tokens: Token[] }>('/api/tokens').then((r) => r.tokens.filter((t) => t.state === 'active').map((t) => ({ id: t.id, name: `token: ${t.description}` }))).catch(() => []),
        ]).then(([u, t]) => setPeople([...u, ...t]));
        void Promise.all([
            get<{ views: { id: string; name: string }[] }>('/api/views').then((r) => r.views.map((x) => ({ kind: 'view', id: x.id, name: `view: ${x.name}` }))).catch(() => []),
            get<{ tags: { id: string; name: string }[] }>('/api/tags').then((r) => r.tags.map((x) => ({ kind: 'virtual_tag', id: x.id, name: `virtual tag: ${x.name}` }))).catch(() => []),
            get<{ telemetry: { id: string; name: string }[] }>('/api/telemetry').then((r) => r.telemetry.map((x) => ({ kind: 'telemetry', id: x.id, name: `telemetry: ${x.name}` }))).catch(() => []),
        ]).then((all) => setThings(all.flat()));
        get<{ permissions: Permission[] }>('/api/admin/permissions').then((r) => setPermissions(r.permissions)).catch(quiet);
    }, []);
    const at = things.find((x) => x.id === thing);
    const load = (): void => {
        if (!who) return setV(null);
        setError(null);
        setV(null);
        get<Verdict>(`/api/admin/explain?${new URLSearchParams({ principal: who, ...(at ? { type: at.kind, object: at.id } : {}) })}`).then(setV).catch(caught(setError));
    };
    useEffect(load, [who, thing]);
    const grant = v?.permissions.find((p) => p.key === action);
    return (
        <section class="card pad">
            <h2>Who may see and do what, and why</h2>
            <div class="row wrap askwho">
                <label>Person or token<select value={who} onChange={(e) => setWho(e.currentTarget.value)}><option value="">choose</option>{people.map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}</select></label>
                <label>Action<select value={action} onChange={(e) => setAction(e.currentTarget.value)}><option value="">any</option>{permissions.map((p) => <option key={p.key} value={p.key}>{p.area}: {p.description}</option>)}</select></label>
                <label>Object<select value={thing} onChange={(e) => setThing(e.currentTarget.value)}><option value="">none</option>{things.map((x) => <option key={x.id} value={x.id}>{x.name}</option>)}</select></label>
            </div>
            {error ? <Failure what="It could not be explained" error={error} retry={load} /> : !who ? <Empty what="Choose a person or a token" /> : !v ? <Skeleton rows={6} label="Asking" /> : (
                <dl class="verdict" aria-label={`What ${v.name} may`}>
                    <dt>Account</dt><dd>{v.name} belongs to this account.</dd>
                    <dt>Role</dt>
                    <dd>{!action ? `${v.permissions.length} permissions by ${v.roles.join(', ') || 'no role'}.` : grant ? <><b>Yes</b>, by the role {grant.by}.</> : <><b>No</b>: none of {v.roles.join(', ') || 'no role'} has <code>{action}</code>.</>}</dd>
                    {v.object && at ? <><dt>Access list</dt><dd>{v.object.mayRead ? <b>May see</b> : <b>May not see</b>} and {v.object.mayWrite ? 'may change' : 'may not change'} the {at.name}: seeing is {v.object.acl.read.type}, changing is {v.object.acl.write.type}.</dd></> : null}
                    <dt>Rows</dt>
                    <dd><b>{SEES[v.sees]}</b>{v.dataAccess ? '' : ', because data access is off for the account'}.
                        {v.dataAccess ? <ul class="plainlist">{v.groups.length === 0 ? <li>In no group, and so without rows.</li> : v.groups.map((g) => <li key={g.id}>{g.name}: {g.isAdmin || g.unrestricted ? 'every row' : g.dataAccessEnabled && g.filters ? filterText(g.filters, keys) : 'grants no rows'}</li>)}</ul> : null}
                        {v.sight.from && v.sight.to ? <p class="soft small">{v.sight.rows} of {v.sight.rowsWhole} rows from {longDay(v.sight.from)} to {longDay(v.sight.to)}: {v.sight.cost} of {v.sight.whole} {v.sight.currency}.</p> : null}
                    </dd>
                </dl>
            )}
        </section>
    );
}
