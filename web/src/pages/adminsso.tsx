/*
 * adminsso.tsx - single sign-on: connections to identity providers with their test, links that wait, whether it is the only
 * way in, and the keys of clients that provision by SCIM. The fields of a connection are the server's list, one form for every kind.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, may, session as sessionCell, sayError, toast, whyNot } from '../app';
import type { Outcome, Policy, RoleInfo, RoleMapping, ScimClients, Sso, SsoConnection, SsoField, SsoKind, SsoTest } from '../lib/admin';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { CopyField, Empty, Failure, Guarded, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem, Ticks } from './admin';
import { SamlKey, SamlMetadata } from './saml';

export function SingleSignOn(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [sso, setSso] = useState<Sso | null>(null);
    const [roles, setRoles] = useState<RoleInfo[]>([]);
    const [error, setError] = useState<ApiError | null>(null);
    const [open, setOpen] = useState<SsoConnection | SsoKind | null>(null);
    const [outcome, setOutcome] = useState<Outcome | null>(null);
    const load = (): void => {
        setError(null);
        get<Sso>('/api/admin/sso').then(setSso).catch(caught(setError));
    };
    useEffect(() => {
        load();
        if (may('roles.view')) get<{ roles: RoleInfo[] }>('/api/admin/roles').then((r) => setRoles(r.roles)).catch(() => undefined);
        const key = new URLSearchParams(location.search).get('test');
        if (!key) return;
        go('/admin/sso', true);
        get<Outcome>(`/api/admin/sso/tests/${encodeURIComponent(key)}`).then(setOutcome).catch((e: unknown) => sayError('could not fetch what the test came to', e));
    }, []);
    if (error) return <section class="card"><Failure what="Single sign-on could not be fetched" error={error} retry={load} /></section>;
    if (!sso) return <section class="card"><Skeleton rows={6} label="Fetching single sign-on" /></section>;
    const settle = (w: Sso['waiting'][number], approve: boolean): void => {
        call('POST', '/api/admin/sso/links', { connection: w.connection, issuer: w.issuer, subject: w.subject, approve }).then(() => { toast(approve ? `${w.email} is connected` : 'The link is refused'); load(); }).catch((e: unknown) => sayError('could not settle the link', e));
    };
    const nameOf = (id: string): string => sso.connections.find((c) => c.id === id)?.name ?? id;
    return (
        <>
            <div class="row wrap bar"><h2>Identity providers</h2><span class="sp" />
                {sso.kinds.map((k) => <Guarded key={k.name} why={whyNot('sso.edit')} class="primary" onClick={() => setOpen(k)}>Connect by {k.label}</Guarded>)}
            </div>
            <section class="card">
                {sso.connections.length === 0 ? <Empty what="No identity provider yet"><p>Connect yours, so that people sign in where they always do. OpenID Connect is the simpler and safer of the two ways.</p></Empty> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of identity providers">
                        <table class="plain">
                            <caption class="away">Identity providers</caption>
                            <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">State</th><th scope="col">Last sign-in</th></tr></thead>
                            <tbody>{sso.connections.map((c) => (
                                <tr key={c.id}>
                                    <th scope="row"><button type="button" class="link" onClick={() => setOpen(c)}>{c.name}</button></th>
                                    <td>{sso.kinds.find((k) => k.name === c.kind)?.label ?? c.kind}</td>
                                    <td><span class={`badge ${c.state === 'enabled' ? 'active' : c.state === 'draft' ? 'running' : ''}`}>{STATES[c.state]}</span></td>
                                    <td class={c.lastUsedAt ? undefined : 'soft'}>{c.lastUsedAt ? moment(c.lastUsedAt, session.today) : 'never'}</td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {sso.waiting.length ? (
                <section class="card" aria-labelledby="waiting">
                    <div class="cardhead"><h2 id="waiting">Links that wait</h2><p class="soft small">Somebody signed in at a provider with the address of an account that is here already. Its owner can connect it under Profile, or you approve it when you know that both are one person.</p></div>
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of links that wait">
                        <table class="plain">
                            <caption class="away">Links that wait</caption>
                            <thead><tr><th scope="col">Account</th><th scope="col">Provider</th><th scope="col">There known as</th><th scope="col">Tried</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                            <tbody>{sso.waiting.map((w) => (
                                <tr key={`${w.connection} ${w.subject}`}>
                                    <th scope="row">{w.email}</th><td>{nameOf(w.connection)}</td><td><code>{w.subject}</code></td><td>{moment(w.seenAt, session.today)}</td>
                                    <td class="num"><Guarded why={whyNot('sso.edit')} onClick={() => settle(w, true)} label={`Approve ${w.email}`}>Approve</Guarded> <Guarded why={whyNot('sso.edit')} class="quiet" onClick={() => settle(w, false)} label={`Refuse ${w.email}`}>Refuse</Guarded></td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                </section>
            ) : null}
            {may('security.edit') ? <OnlySso /> : null}
            {may('scim.edit') ? <Provisioning /> : null}
            {open ? <Connection open={open} kinds={sso.kinds} roles={roles} onClose={() => { setOpen(null); load(); }} /> : null}
            {outcome ? <TestOutcome outcome={outcome} roles={roles} onClose={() => setOutcome(null)} /> : null}
        </>
    );
}

const STATES = { enabled: 'in use', draft: 'being set up', disabled: 'off' } as const;

function TestOutcome({ outcome, roles, onClose }: { outcome: Outcome; roles: RoleInfo[]; onClose: () => void }): JSX.Element {
    return (
        <Dialog title="What the test came to" kind="middle" onClose={onClose}>
            <div class="stack">
                {outcome.error ? <p class="problem" role="alert">{outcome.error}</p> : (
                    <>
                        <p>This person would {outcome.would}.</p>
                        <dl><dt>Known as</dt><dd><code>{outcome.subject}</code></dd><dt>Issuer</dt><dd>{outcome.issuer}</dd><dt>E-mail</dt><dd>{outcome.email || <span class="soft">none</span>}{outcome.email ? (outcome.emailVerified ? ' (verified)' : ' (not said to be verified)') : ''}</dd>
                            <dt>Name</dt><dd>{outcome.name || <span class="soft">none</span>}</dd><dt>Groups</dt><dd>{outcome.groups?.join(', ') || <span class="soft">none</span>}</dd><dt>Roles</dt><dd>{outcome.roles?.map((r) => roles.find((x) => x.id === r)?.name ?? r).join(', ')}</dd></dl>
                    </>
                )}
                <div class="row end"><button type="button" class="primary" onClick={onClose}>Done</button></div>
            </div>
        </Dialog>
    );
}

type Config = Record<string, unknown>;
const standard = (f: SsoField): unknown => (f.type === 'bool' ? f.standard === 'true' : f.type === 'words' ? [] : f.type === 'choice' ? f.choices[0] : f.standard);

function Field({ field, value, wrong, set }: { field: SsoField; value: unknown; wrong: boolean; set: (v: unknown) => void }): JSX.Element {
    const hint: ComponentChildren = field.hint ? <span class="soft small">{field.hint}</span> : null;
    const bad = wrong ? 'true' : undefined;
    if (field.type === 'bool') return <label class="inline"><input type="checkbox" checked={value === true} onChange={(e) => set(e.currentTarget.checked)} /><span>{field.label}{field.hint ? <span class="soft small"> {field.hint}</span> : null}</span></label>;
    if (field.type === 'choice') return <label>{field.label}<select value={String(value)} onChange={(e) => set(e.currentTarget.value)}>{field.choices.map((c) => <option key={c} value={c}>{c}</option>)}</select>{hint}</label>;
    if (field.type === 'lines') return <label>{field.label}<textarea rows={6} value={String(value ?? '')} required={field.required} spellcheck={false} onInput={(e) => set(e.currentTarget.value)} />{hint}</label>;
    if (field.type === 'words') return <label>{field.label}<input type="text" value={(value as string[]).join(', ')} aria-invalid={bad} onChange={(e) => set(e.currentTarget.value.split(/[\s,]+/).filter(Boolean))} />{hint}</label>;
    return <label>{field.label}<input type="text" value={String(value ?? '')} required={field.required} aria-invalid={bad} spellcheck={false} onInput={(e) => set(e.currentTarget.value)} />{hint}</label>;
}

/** The provider's groups that give roles beside those everybody gets. */
function Mappings({ value, roles, set }: { value: RoleMapping[]; roles: RoleInfo[]; set: (v: RoleMapping[]) => void }): JSX.Element {
    const change = (i: number, m: RoleMapping | null): void => set(value.flatMap((x, k) => (k === i ? (m ? [m] : []) : [x])));
    return (
        <fieldset class="ticks maps"><legend>Roles by the provider's groups</legend>
            {value.map((m, i) => (
                <div class="row" key={i}>
                    <input type="text" aria-label={`Group ${i + 1}`} placeholder="Group at the provider" value={m.group} onInput={(e) => change(i, { ...m, group: e.currentTarget.value })} />
                    <select aria-label={`Role of group ${i + 1}`} value={m.roles[0] ?? ''} onChange={(e) => change(i, { ...m, roles: [e.currentTarget.value] })}>{roles.map((r) => <option key={r.id} value={r.id}>{r.name}</option>)}</select>
                    <button type="button" class="quiet" aria-label={`Remove group ${i + 1}`} onClick={() => change(i, null)}>Remove</button>
                </div>
            ))}
            <p class="small soft">{value.length ? 'Exactly as the provider writes them. ' : ''}Groups of Farthing take members by the same names: Groups and data access, field "SAML groups".</p>
            <div class="row"><button type="button" onClick={() => set([...value, { group: '', roles: [roles[0]?.id ?? 'read-only'] }])}>Map a group</button></div>
        </fieldset>
    );
}

function Connection({ open, kinds, roles, onClose }: { open: SsoConnection | SsoKind; kinds: SsoKind[]; roles: RoleInfo[]; onClose: () => void }): JSX.Element {
    const [saved, setSaved] = useState<SsoConnection | null>('id' in open ? open : null);
    const kind = ('id' in open ? kinds.find((k) => k.name === open.kind) : open) as SsoKind;
    const [name, setName] = useState(saved?.name ?? '');
    const [config, setConfig] = useState<Config>(() => saved?.config ?? { ...Object.fromEntries(kind.fields.map((f) => [f.name, standard(f)])), roles: ['read-only'], roleMap: [] });
    const [secret, setSecret] = useState('');
    const [test, setTest] = useState<SsoTest | null>(null);
    const [sure, setSure] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const set = (field: string, v: unknown): void => setConfig((c) => ({ ...c, [field]: v }));
    const save = (state: SsoConnection['state'] | null, then?: (c: SsoConnection) => void): void => {
        setError(null);
        setTest(null);
        const body = { name, config, ...(saved ? {} : { kind: kind.name }), ...(state ? { state } : {}), ...(secret ? { secret } : {}) };
        call<SsoConnection>(saved ? 'PUT' : 'POST', saved ? `/api/admin/sso/${saved.id}` : '/api/admin/sso', body).then((c) => {
            setSaved(c);
            setConfig(c.config);
            setSecret('');
            toast(state === 'enabled' ? `${c.name} is on the sign-in page` : state === 'disabled' ? `${c.name} is off` : 'Saved');
            then?.(c);
        }).catch(caught(setError));
    };
    const remove = (): void => void call('DELETE', `/api/admin/sso/${saved?.id}`).then(() => { toast(`${saved?.name} is deleted`); onClose(); }).catch(caught(setError));
    const ask = (c: SsoConnection): void => void call<SsoTest>('POST', `/api/admin/sso/${c.id}/test`).then(setTest).catch(caught(setError));
    return (
        <Dialog title={saved ? saved.name : `Connect by ${kind.label}`} kind="middle" onClose={onClose}>
            <form class="stack ssoform" onSubmit={(e) => { e.preventDefault(); save(null); }}>
                <label>Name<input type="text" value={name} maxLength={100} required autofocus placeholder="As people know it" onInput={(e) => setName(e.currentTarget.value)} /></label>
                {kind.name === 'saml' ? <SamlMetadata onRead={(c) => setConfig((old) => ({ ...old, ...c }))} /> : null}
                {kind.fields.map((f) => <Field key={f.name} field={f} value={config[f.name] ?? standard(f)} wrong={error?.field === `config.${f.name}`} set={(v) => set(f.name, v)} />)}
                {kind.secret ? <label>{kind.secret}<input type="password" autocomplete="off" value={secret} placeholder={saved?.hasSecret ? 'There is one; a new one replaces it' : ''} onInput={(e) => setSecret(e.currentTarget.value)} /></label> : null}
                <Ticks label="Roles of everybody who comes this way" all={roles.filter((r) => r.id !== 'api-token').map((r) => ({ id: r.id, name: r.name }))} chosen={config['roles'] as string[]} onChange={(v) => set('roles', v)} />
                <Mappings value={config['roleMap'] as RoleMapping[]} roles={roles} set={(v) => set('roleMap', v)} />
                {saved ? (
                    <section class="stack" aria-labelledby="theirs">
                        <h3 id="theirs">To enter at the provider</h3>
                        {Object.entries(saved.addresses).map(([k, v]) => <CopyField key={k} label={k} value={v} />)}
                        {kind.name === 'saml' ? <SamlKey id={saved.id} /> : null}
                    </section>
                ) : <p class="small soft">What to enter at the provider is shown once this is saved.</p>}
                {test ? (
                    <div role="status" class="stack">
                        {test.checks.length ? <dl>{test.checks.flatMap((c) => [<dt key={`${c.what} t`}>{c.what}</dt>, <dd key={`${c.what} d`}>{c.detail}</dd>])}</dl> : null}
                        {test.error ? <p class="problem">{test.error}{test.hint ? `. ${test.hint}` : ''}</p> : <p class="down">✓ The provider answers as it should. Now try to sign in with a test.</p>}
                    </div>
                ) : null}
                <Problem error={error} />
                <div class="row wrap end">
                    {saved ? <button type="button" class="danger" onClick={() => setSure(true)}>Delete</button> : null}
                    <span class="sp" />
                    {saved ? <><button type="button" onClick={() => save(null, ask)}>Test the set-up</button><button type="button" onClick={() => save(null, (c) => location.assign(`/api/sso/${c.id}/start?for=test`))}>Sign in as a test</button></> : null}
                    {saved && saved.state !== 'enabled' ? <button type="button" onClick={() => save('enabled')}>Put into use</button> : saved ? <button type="button" onClick={() => save('disabled')}>Switch off</button> : null}
                    <button class="primary" disabled={!name.trim()}>Save</button>
                </div>
                {sure ? <div class="row end" role="group" aria-label="Delete for good"><span class="small soft">Who signs in only this way can then not sign in.</span><button type="button" class="danger" onClick={remove}>Delete {saved?.name} for good</button></div> : null}
            </form>
        </Dialog>
    );
}

function OnlySso(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [policy, setPolicy] = useState<Policy | null>(null);
    const [except, setExcept] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    useEffect(() => {
        get<Policy>('/api/admin/security-policy').then((p) => { setPolicy(p); setExcept(p.ssoExcept.join(', ') || session.user.email); }).catch(caught(setError));
    }, []);
    const flip = (on: boolean): void => {
        setError(null);
        call<Policy>('PUT', '/api/admin/security-policy', { ssoOnly: on, ...(on ? { ssoExcept: except.split(/[\s,]+/).filter(Boolean) } : {}) }).then((p) => { setPolicy(p); toast(on ? 'Everybody signs in by single sign-on now' : 'Passwords are taken again'); }).catch(caught(setError));
    };
    return (
        <section class="card pad" aria-labelledby="only">
            <h2 id="only">Only single sign-on</h2>
            <div class="stack policy">
                <p>{policy?.ssoOnly ? `On: passwords are refused, but for ${policy.ssoExcept.join(', ')}. Every use of theirs is told to all administrators.` : 'Off: people may sign in with a password as well.'}</p>
                {policy && !policy.ssoOnly ? <label>One to three administrators who may still use a password and a code, should the provider fail<input type="text" value={except} aria-invalid={error?.field === 'ssoExcept' ? 'true' : undefined} onInput={(e) => setExcept(e.currentTarget.value)} /></label> : null}
                <Problem error={error} />
                <div class="row">{policy?.ssoOnly ? <button type="button" onClick={() => flip(false)}>Take passwords again</button> : <button type="button" disabled={!policy || !except.trim()} onClick={() => flip(true)}>Refuse passwords</button>}</div>
            </div>
        </section>
    );
}

function Provisioning(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [all, setAll] = useState<ScimClients | null>(null);
    const [name, setName] = useState('');
    const [key, setKey] = useState<string | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const load = (): void => void get<ScimClients>('/api/admin/scim').then(setAll).catch(caught(setError));
    useEffect(load, []);
    const act = (method: string, path: string, body?: unknown): void => {
        setError(null);
        call<{ key: string } | undefined>(method, path, body).then((r) => { if (r) setKey(r.key); else toast('The key is void'); setName(''); load(); }).catch(caught(setError));
    };
    return (
        <section class="card pad" aria-labelledby="scim">
            <h2 id="scim">Provisioning by SCIM</h2>
            <div class="stack">
                <p class="soft">The identity provider makes, changes and disables people and groups by itself. An administrator, and a group made by hand, it never touches.</p>
                {all ? <CopyField label="Address" value={all.address} /> : null}
                {all?.clients.length ? (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of provisioning keys">
                        <table class="plain">
                            <caption class="away">Provisioning keys</caption>
                            <thead><tr><th scope="col">Name</th><th scope="col">Made</th><th scope="col">Last used</th><th scope="col"><span class="away">Actions</span></th></tr></thead>
                            <tbody>{all.clients.map((c) => (
                                <tr key={c.id}>
                                    <th scope="row">{c.name}{c.oldKeyUntil ? <span class="soft small"> the key before is good until {moment(c.oldKeyUntil, session.today)}</span> : null}</th>
                                    <td>{moment(c.createdAt, session.today)} by {c.createdBy}</td><td class={c.lastUsedAt ? undefined : 'soft'}>{c.lastUsedAt ? moment(c.lastUsedAt, session.today) : 'never'}</td>
                                    <td class="num"><button type="button" aria-label={`New key for ${c.name}`} onClick={() => act('POST', `/api/admin/scim/${c.id}/rotate`)}>New key</button> <button type="button" class="danger" aria-label={`Delete ${c.name}`} onClick={() => act('DELETE', `/api/admin/scim/${c.id}`)}>Delete</button></td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                ) : null}
                <Problem error={error} />
                <form class="row wrap keymaker" onSubmit={(e) => { e.preventDefault(); if (name.trim()) act('POST', '/api/admin/scim', { name }); }}>
                    <input type="text" aria-label="Name of the provider" placeholder="Okta, Entra ID" maxLength={100} value={name} onInput={(e) => setName(e.currentTarget.value)} /><button disabled={!name.trim()}>Make a key</button>
                </form>
            </div>
            {key ? (
                <Dialog title="The provisioning key" kind="middle" onClose={() => setKey(null)}>
                    <div class="stack"><p>Give it to the identity provider as the bearer token. It is shown this once.</p><CopyField label="Key" value={key} /><div class="row end"><button type="button" class="primary" onClick={() => setKey(null)}>Done</button></div></div>
                </Dialog>
            ) : null}
        </section>
    );
}
