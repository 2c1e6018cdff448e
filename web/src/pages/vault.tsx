/* vault.tsx - the credentials vault: what is stored and who uses it; a value goes in, is renewed, and never comes out. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, sayError, session as sessionCell, toast, whyNot } from '../app';
import { call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { matches } from '../parts/picklist';
import { caught, Problem } from './admin';

interface Kind {
    name: string;
    label: string;
    fields: { name: string; label: string; required: boolean; lines: boolean }[];
}
interface Credential {
    id: string;
    name: string;
    kind: string;
    owner: string;
    fingerprint: string;
    createdAt: string;
    rotatedAt: string | null;
    lastUsedAt: string | null;
    expiresAt: string | null;
    usedBy: { what: string; id: string; name: string }[];
}
interface List {
    ready: boolean;
    kinds: Kind[];
    credentials: Credential[];
}
const DAYS: [days: string, label: string][] = [['', 'Never'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['180', 'In 180 days'], ['365', 'In a year']];
const DAY = 86_400_000;

export function Vault(): JSX.Element {
    const [list, setList] = useState<List | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [search, setSearch] = useState('');
    const [open, setOpen] = useState<Credential | 'new' | null>(null);
    const load = (): void => {
        setError(null);
        get<List>('/api/credentials').then(setList).catch(caught(setError));
    };
    useEffect(load, []);
    if (error) return <section class="card"><Failure what="The credentials could not be fetched" error={error} retry={load} /></section>;
    if (!list) return <section class="card"><Skeleton rows={5} label="Fetching credentials" /></section>;
    const kind = (c: Credential): string => list.kinds.find((k) => k.name === c.kind)?.label ?? c.kind;
    const shown = list.credentials.filter((c) => matches(`${c.name} ${kind(c)} ${c.owner} ${c.fingerprint} ${c.usedBy.map((u) => u.name).join(' ')}`, search));
    const why = list.ready ? whyNot('vault.write') : 'The vault has no master key';
    return (
        <>
            <div class="row wrap bar">
                <input type="search" aria-label="Search credentials" placeholder="Search credentials" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
                <span class="sp" />
                <Guarded why={why} class="primary" onClick={() => setOpen('new')}>Add credential</Guarded>
            </div>
            <p class="lead">What Farthing signs in with where bills lie. A value is sealed when it is saved and opened only for the moment of a call: nobody, administrators included, can read it back.</p>
            {list.ready ? null : <p class="problem" role="status">The vault has no master key, so it can neither take nor give a secret. Who starts Farthing makes one: <code>farthing vault key FILE</code>, then <code>serve --vault-key FILE</code>.</p>}
            <section class="card">
                {list.credentials.length === 0 ? <Empty what="No credential is stored"><p>Connecting a bill stores the one it needs, or add it here first and choose it there.</p></Empty>
                    : shown.length === 0 ? <Empty what="No credential matches" /> : (
                        <div class="tablebox" tabIndex={0} role="region" aria-label="Table of credentials">
                            <table class="plain">
                                <caption class="away">Credentials</caption>
                                <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">Fingerprint</th><th scope="col">Used by</th><th scope="col">Value from</th><th scope="col">Last used</th><th scope="col">To be renewed</th></tr></thead>
                                <tbody>{shown.map((c) => <Row key={c.id} c={c} kind={kind(c)} onOpen={() => setOpen(c)} />)}</tbody>
                            </table>
                        </div>
                    )}
            </section>
            {open === 'new' ? <Add list={list} onClose={() => setOpen(null)} onDone={() => { setOpen(null); load(); }} /> : null}
            {open && open !== 'new' ? <One c={open} kind={list.kinds.find((k) => k.name === open.kind)} why={why} onClose={() => setOpen(null)} onDone={() => { setOpen(null); load(); }} /> : null}
        </>
    );
}

function Row({ c, kind, onOpen }: { c: Credential; kind: string; onOpen: () => void }): JSX.Element {
    const today = (useCell(sessionCell) as Session).today;
    const late = c.expiresAt !== null && Date.parse(c.expiresAt) < Date.now();
    return (
        <tr data-credential={c.name}>
            <th scope="row"><button type="button" class="name" onClick={onOpen}>{c.name}</button><span class="small soft">by {c.owner}</span></th>
            <td>{kind}</td>
            <td><code>{c.fingerprint}</code></td>
            <td class={c.usedBy.length ? undefined : 'soft'}>{c.usedBy.length ? c.usedBy.map((u, i) => (
                <>{i ? ', ' : ''}<a href={`/connections/${u.id}`} onClick={(e) => { e.preventDefault(); go(`/connections/${u.id}`); }}>{u.name}</a></>
            )) : 'nothing'}</td>
            <td>{moment(c.rotatedAt ?? c.createdAt, today)}</td>
            <td class={c.lastUsedAt ? undefined : 'soft'}>{c.lastUsedAt ? moment(c.lastUsedAt, today) : 'never'}</td>
            <td class={c.expiresAt ? undefined : 'soft'}>{c.expiresAt ? <span class={late ? 'badge failed' : undefined}>{late ? 'overdue since ' : ''}{moment(c.expiresAt, today)}</span> : 'no date'}</td>
        </tr>
    );
}

/* Names rather than secrets: seen while they are typed. */
const OPEN = new Set(['accessKeyId', 'clientId', 'tenantId', 'roleArn', 'externalId', 'user', 'tenancy', 'fingerprint']);

/** Secrets are entered blind, but for texts of several lines, which are pasted. Nothing of it stays in the page. */
function Fields({ kind, value, wrong, onChange }: { kind: Kind; value: Record<string, string>; wrong: string | null; onChange: (v: Record<string, string>) => void }): JSX.Element {
    return (
        <>
            {kind.fields.map((f) => {
                const common = { value: value[f.name] ?? '', autocomplete: 'off', spellcheck: false, 'aria-invalid': wrong === f.name || undefined } as const;
                const set = (v: string): void => onChange({ ...value, [f.name]: v });
                return (
                    <label key={f.name}>{f.label}{f.required ? '' : ' (optional)'}
                        {f.lines ? <textarea rows={5} {...common} onInput={(e) => set(e.currentTarget.value)} />
                            : <input type={OPEN.has(f.name) ? 'text' : 'password'} {...common} autocomplete={OPEN.has(f.name) ? 'off' : 'new-password'} onInput={(e) => set(e.currentTarget.value)} />}
                    </label>
                );
            })}
        </>
    );
}
const filled = (v: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(v).filter(([, x]) => x !== ''));
const complete = (kind: Kind | undefined, v: Record<string, string>): boolean => !!kind && kind.fields.every((f) => !f.required || (v[f.name] ?? '') !== '');

const Reminder = ({ days, onChange }: { days: string; onChange: (d: string) => void }): JSX.Element => (
    <label>To be renewed<select value={days} onChange={(e) => onChange(e.currentTarget.value)}>
        {DAYS.some(([d]) => d === days) ? null : <option value={days}>In {days} days, as it is</option>}
        {DAYS.map(([d, label]) => <option key={d} value={d}>{label}</option>)}
    </select></label>
);
const inDays = (days: string): { expiresInDays: number | null } => ({ expiresInDays: days === '' ? null : Number(days) });

function Add({ list, onClose, onDone }: { list: List; onClose: () => void; onDone: () => void }): JSX.Element {
    const [name, setName] = useState('');
    const [at, setAt] = useState(list.kinds[0]?.name ?? '');
    const [value, setValue] = useState<Record<string, string>>({});
    const [days, setDays] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const kind = list.kinds.find((k) => k.name === at);
    const send = (): void => {
        setError(null);
        call('POST', '/api/credentials', { name: name.trim(), kind: at, value: filled(value), ...inDays(days) }).then(() => {
            setValue({});
            toast(`${name.trim()} is in the vault`);
            onDone();
        }).catch(caught(setError));
    };
    return (
        <Dialog title="Add credential" kind="middle" onClose={onClose}>
            <form class="stack" autocomplete="off" onSubmit={(e) => { e.preventDefault(); send(); }}>
                <label>Name<input type="text" value={name} maxLength={200} autofocus placeholder="What it opens" aria-invalid={error?.field === 'name' || undefined} onInput={(e) => setName(e.currentTarget.value)} /></label>
                <label>Kind<select value={at} onChange={(e) => { setAt(e.currentTarget.value); setValue({}); }}>{list.kinds.map((k) => <option key={k.name} value={k.name}>{k.label}</option>)}</select></label>
                {kind ? <Fields kind={kind} value={value} wrong={error?.field ?? null} onChange={setValue} /> : null}
                <Reminder days={days} onChange={setDays} />
                <p class="small soft">Once saved it cannot be shown again. Prefer a role or the machine's identity where the provider has one: there is nothing to leak.</p>
                <Problem error={error} />
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!name.trim() || !complete(kind, value)}>Save in the vault</button></div>
            </form>
        </Dialog>
    );
}

/** One credential: what uses it, a new value, its name and reminder, and its end. */
function One({ c, kind, why, onClose, onDone }: { c: Credential; kind: Kind | undefined; why: string | null; onClose: () => void; onDone: () => void }): JSX.Element {
    const today = (useCell(sessionCell) as Session).today;
    const left = c.expiresAt === null ? '' : String(Math.max(1, Math.ceil((Date.parse(c.expiresAt) - Date.now()) / DAY)));
    const [name, setName] = useState(c.name);
    const [days, setDays] = useState(left);
    const [value, setValue] = useState<Record<string, string>>({});
    const [error, setError] = useState<ApiError | null>(null);
    const [sure, setSure] = useState(false);
    const change = (body: object, said: string): void => {
        setError(null);
        call('PUT', `/api/credentials/${c.id}`, body).then(() => {
            setValue({});
            toast(said);
            onDone();
        }).catch(caught(setError));
    };
    const remove = (): void => {
        call('DELETE', `/api/credentials/${c.id}`).then(() => {
            toast(`${c.name} is deleted`);
            onDone();
        }).catch((e: unknown) => sayError(`could not delete ${c.name}`, e));
    };
    const used = c.usedBy.map((u) => u.name).join(', ');
    return (
        <Dialog title={c.name} kind="drawer" onClose={onClose}>
            <div class="stack">
                <p class="soft">{kind?.label ?? c.kind}, stored by {c.owner} {moment(c.createdAt, today)}{c.rotatedAt ? `, renewed ${moment(c.rotatedAt, today)}` : ''}. Fingerprint <code>{c.fingerprint}</code>: two credentials with the same one hold the same value.</p>
                <p>{used ? <>Used by {used}.</> : 'Nothing uses it.'} {c.lastUsedAt ? `Last opened ${moment(c.lastUsedAt, today)}.` : 'It was never opened.'}</p>
                <h3>New value</h3>
                <form class="stack" autocomplete="off" onSubmit={(e) => { e.preventDefault(); change({ value: filled(value), ...inDays(days) }, `${c.name} has a new value`); }}>
                    {kind ? <Fields kind={kind} value={value} wrong={error?.field ?? null} onChange={setValue} /> : null}
                    <p class="small soft">{used ? 'Who uses it takes the new value at the next call.' : 'The value before is gone at once.'}</p>
                    <div class="row end"><button class="primary" disabled={why !== null || !complete(kind, value)}>Renew</button></div>
                </form>
                <h3>Name and reminder</h3>
                <form class="stack" onSubmit={(e) => { e.preventDefault(); change({ name: name.trim(), ...inDays(days) }, 'Saved'); }}>
                    <label>Name<input type="text" value={name} maxLength={200} onInput={(e) => setName(e.currentTarget.value)} /></label>
                    <Reminder days={days} onChange={setDays} />
                    <div class="row end"><button disabled={why !== null || !name.trim() || (name === c.name && days === left)}>Save</button></div>
                </form>
                <Problem error={error} />
                <h3>Delete</h3>
                <div class="row wrap">{sure ? <><button type="button" class="danger" ref={(el) => el?.focus()} onClick={remove}>Delete for good</button><button type="button" class="link" onClick={() => setSure(false)}>keep</button></>
                    : <Guarded why={why ?? (used ? `It is used by ${used}` : null)} onClick={() => setSure(true)}>Delete</Guarded>}</div>
            </div>
        </Dialog>
    );
}
