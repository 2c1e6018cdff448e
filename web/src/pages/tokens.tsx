/* tokens.tsx - API tokens: list, generate, shown once, revoke. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { may, sayError, session as sessionCell, toast, whyNot } from '../app';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { longDay, moment } from '../lib/day';
import type { Role, Session, Token } from '../lib/types';
import { CopyField, Empty, Failure, Guarded, Skeleton, SearchButton } from '../parts/basic';
import { Dialog } from '../parts/panel';

const EXPIRY: [days: string, label: string][] = [['7', '7 days'], ['30', '30 days'], ['90', '90 days'], ['365', 'A year'], ['', 'Never']];

export function Tokens(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [list, setList] = useState<Token[] | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [adding, setAdding] = useState(false);
    const [all, setAll] = useState(false);
    const why = whyNot('tokens.account.manage');
    const load = (): void => {
        setError(null);
        get<{ tokens: Token[] }>('/api/tokens').then((r) => setList(r.tokens)).catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    useEffect(() => {
        document.title = 'API tokens · Farthing';
        load();
    }, []);
    const revoke = (t: Token): void => {
        call('DELETE', `/api/tokens/${t.id}`).then(() => {
            toast(`Token "${t.description}" revoked`);
            load();
        }).catch((e: unknown) => sayError('could not revoke the token', e));
    };
    const shown = (list ?? []).filter((t) => all || t.state === 'active');
    const gone = (list ?? []).length - (list ?? []).filter((t) => t.state === 'active').length;
    return (
        <>
            <header class="top"><h1>API tokens</h1><span class="sp" /><SearchButton /><Guarded why={why} class="primary" onClick={() => setAdding(true)}>Generate token</Guarded></header>
            <p class="lead">A program signs in with two headers, <code>x-finout-client-id</code> and <code>x-finout-secret-key</code>. Each token may have five requests running at once.</p>
            <section class="card">
                {error ? <Failure what="The tokens could not be fetched" error={error} retry={load} /> : list === null ? <Skeleton rows={4} label="Fetching tokens" /> : shown.length === 0 ? (
                    <Empty what={gone ? 'No token is active' : 'No token yet'}><p>Generate one for each program that asks, so that each can be revoked alone.</p></Empty>
                ) : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of tokens">
                        <table class="plain">
                            <caption class="away">API tokens</caption>
                            <thead><tr><th scope="col">Description</th><th scope="col">Client id</th><th scope="col">Role</th><th scope="col">Created</th><th scope="col">Expires</th><th scope="col">Last used</th><th scope="col">State</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                            <tbody>{shown.map((t) => (
                                <tr key={t.id}>
                                    <th scope="row">{t.description}</th>
                                    <td><code>{t.clientId}</code></td>
                                    <td>{t.role}</td>
                                    <td title={`by ${t.createdBy}, ${moment(t.createdAt)}`}>{longDay(day(t.createdAt))}</td>
                                    <td>{t.expiresAt ? longDay(day(t.expiresAt)) : 'never'}</td>
                                    <td class={t.lastUsedAt ? undefined : 'soft'}>{t.lastUsedAt ? moment(t.lastUsedAt, session.today) : 'never'}</td>
                                    <td><span class={`badge ${t.state}`}>{t.state}</span></td>
                                    <td class="num">{t.state === 'active' ? <Revoke t={t} why={why} onRevoke={() => revoke(t)} /> : null}</td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {gone ? <p class="small soft"><button type="button" class="link" aria-pressed={all} onClick={() => setAll(!all)}>{all ? 'Hide' : 'Show'} {gone} expired or revoked</button></p> : null}
            {adding ? <Generate onClose={() => { setAdding(false); load(); }} /> : null}
        </>
    );
}
const day = (iso: string): string => new Date(iso).toISOString().slice(0, 10);

/** Revoking cannot be undone, so it asks, in place. */
export function Revoke({ t, why, onRevoke }: { t: Token; why: string | null; onRevoke: () => void }): JSX.Element {
    const [sure, setSure] = useState(false);
    if (!sure) return <Guarded why={why} class="link" label={`Revoke ${t.description}`} onClick={() => setSure(true)}>Revoke</Guarded>;
    return <span class="row end"><button type="button" class="danger" ref={(el) => el?.focus()} onClick={onRevoke}>Revoke for good</button><button type="button" class="link" onClick={() => setSure(false)}>keep</button></span>;
}

/** `base` is where it is made: the account's tokens, or one's own, which see what their owner sees. */
export function Generate({ base = '/api/tokens', onClose }: { base?: string; onClose: () => void }): JSX.Element {
    const [roles, setRoles] = useState<Role[]>([]);
    const [description, setDescription] = useState('');
    const own = base !== '/api/tokens';
    const [role, setRole] = useState('api-token');
    const [days, setDays] = useState('90');
    const [group, setGroup] = useState('');
    const [groups, setGroups] = useState<{ id: string; name: string }[]>([]);
    const [made, setMade] = useState<{ clientId: string; secretKey: string } | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    useEffect(() => {
        if (!own && may('users.view')) get<{ groups: { id: string; name: string }[] }>('/api/principals').then((r) => setGroups(r.groups)).catch(() => undefined);
        get<{ roles: Role[] }>('/api/roles').then((r) => {
            setRoles(r.roles);
            if (!r.roles.some((x) => x.key === 'api-token') && r.roles[0]) setRole(r.roles[0].key);
        }).catch((e: unknown) => e instanceof ApiError && setError(e));
    }, []);
    const send = (): void => {
        setBusy(true);
        setError(null);
        call<{ clientId: string; secretKey: string }>('POST', base, { description: description.trim(), role, expiresInDays: days ? Number(days) : null, ...(own ? {} : group ? { groups: [group] } : { allRows: true }) })
            .then(setMade)
            .catch((e: unknown) => {
                setBusy(false);
                if (e instanceof ApiError) setError(e);
            });
    };
    if (made)
        return (
            <Dialog title="Token generated" kind="middle" onClose={onClose}>
                <div class="stack">
                    <p>The secret key is shown this once. Only a hash of it is kept.</p>
                    <CopyField label="Client id" value={made.clientId} />
                    <CopyField label="Secret key" value={made.secretKey} />
                    <CopyField label="A first call" value={`curl -sS '${location.origin}/v1/view' -H 'x-finout-client-id: ${made.clientId}' -H 'x-finout-secret-key: ${made.secretKey}'`} />
                    <div class="row end"><button type="button" class="primary" onClick={onClose}>I have kept it</button></div>
                </div>
            </Dialog>
        );
    return (
        <Dialog title="Generate token" kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (description.trim() && !busy) send(); }}>
                <label>Description<input type="text" value={description} maxLength={200} autofocus placeholder="Which program will use it" onInput={(e) => setDescription(e.currentTarget.value)} /></label>
                <label>Role<select value={role} onChange={(e) => setRole(e.currentTarget.value)}>{(roles.length ? roles : [{ key: role, name: role, description: '' }]).map((r) => <option key={r.key} value={r.key}>{r.name}</option>)}</select></label>
                <p class="small soft">{roles.find((r) => r.key === role)?.description ?? ''}</p>
                {own ? <p class="small soft">It sees what you see, and never does more than you may.</p> : <label>Sees<select value={group} onChange={(e) => setGroup(e.currentTarget.value)}><option value="">all rows</option>{groups.map((g) => <option key={g.id} value={g.id}>the rows of {g.name}</option>)}</select></label>}
                <label>Expires after<select value={days} onChange={(e) => setDays(e.currentTarget.value)}>{EXPIRY.map(([d, label]) => <option key={d} value={d}>{label}</option>)}</select></label>
                {error ? <p class="problem" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!description.trim() || busy}>Generate</button></div>
            </form>
        </Dialog>
    );
}
