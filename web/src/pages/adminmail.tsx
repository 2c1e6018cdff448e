/* adminmail.tsx - the mail server: its settings, a test to oneself, and what was sent. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session as sessionCell, toast, whyNot } from '../app';
import { call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, Skeleton } from '../parts/basic';
import { caught, Problem } from './admin';

interface Message {
    id: string;
    kind: string;
    to: string;
    state: 'waiting' | 'sent' | 'failed';
    error: string;
    tries: number;
    createdAt: string;
    nextAt: string | null;
}
interface Server {
    host: string;
    port: number;
    security: string;
    user: string;
    from: string;
    fromName: string;
    hasPassword: boolean;
    file: boolean;
    waiting: number;
    failed: number;
    recent: Message[];
}
const PORTS: Record<string, number> = { starttls: 587, tls: 465, none: 25 };
const BADGE = { waiting: 'running', sent: 'active', failed: 'failed' };
const KINDS: Record<string, string> = { invite: 'Invitation', reset: 'Link for a new password' };

export function Mail(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [server, setServer] = useState<Server | null>(null);
    const [saved, setSaved] = useState<Server | null>(null);
    const [password, setPassword] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const take = (s: Server): void => {
        setServer(s);
        setSaved(s);
        setPassword('');
    };
    const load = (): void => {
        setError(null);
        get<Server>('/api/admin/mail').then(take).catch(caught(setError));
    };
    useEffect(load, []);
    if (error) return <section class="card"><Failure what="The mail server could not be fetched" error={error} retry={load} /></section>;
    if (!server || !saved) return <section class="card"><Skeleton rows={8} label="Fetching the mail server" /></section>;
    const set = <K extends keyof Server>(name: K, v: Server[K]): void => setServer({ ...server, [name]: v });
    const bad = (name: string): 'true' | undefined => (wrong?.field === name ? 'true' : undefined);
    const moved = server.host !== saved.host || server.port !== saved.port || server.user !== saved.user || server.security !== saved.security;
    const changed = moved || server.from !== saved.from || server.fromName !== saved.fromName || password !== '';
    const save = (): void => {
        setWrong(null);
        const { host, port, security, user, from, fromName } = server;
        call<Server>('PUT', '/api/admin/mail', { host, port, security, user, from, fromName, password: password || null })
            .then((s) => { take(s); toast('The mail server is saved'); })
            .catch(caught(setWrong));
    };
    const test = (): void => {
        setWrong(null);
        setBusy(true);
        call('POST', '/api/admin/mail/test').then(() => toast(`A test is on its way to ${session.user.email}`)).catch(caught(setWrong)).finally(() => setBusy(false));
    };
    const whyTest = changed ? 'save the changes first' : !saved.host ? 'no mail server is set up' : busy ? 'a test is being sent' : whyNot('security.edit');
    return (
        <>
            <section class="card pad" aria-labelledby="mailserver">
                <h2 id="mailserver">Mail server</h2>
                <form class="stack policy" onSubmit={(e) => { e.preventDefault(); save(); }}>
                    <p class="soft">{saved.file ? 'The operator has mail written to a file (FARTHING_MAIL); these settings rest.' : saved.host ? 'Invitations, links for a new password and notices of changes go out by this server.' : 'Without one, invitations are shown as links to hand on, and nobody is told of changes.'}</p>
                    <label>Host (empty: no mail)<input type="text" value={server.host} maxLength={253} placeholder="smtp.example.com" aria-invalid={bad('host')} onInput={(e) => set('host', e.currentTarget.value.trim())} /></label>
                    <label>Security<select value={server.security} onChange={(e) => setServer({ ...server, security: e.currentTarget.value, port: Object.values(PORTS).includes(server.port) ? (PORTS[e.currentTarget.value] ?? server.port) : server.port })}><option value="starttls">STARTTLS</option><option value="tls">TLS from the start</option><option value="none">none: only for hosts that the operator listed</option></select></label>
                    <label>Port<input type="number" min={1} max={65535} value={server.port} aria-invalid={bad('port')} onInput={(e) => set('port', Number(e.currentTarget.value))} /></label>
                    <label>User (empty: not signed in)<input type="text" value={server.user} maxLength={254} autocomplete="off" aria-invalid={bad('user')} onInput={(e) => set('user', e.currentTarget.value)} /></label>
                    <label>Password<input type="password" value={password} maxLength={1024} autocomplete="new-password" placeholder={saved.hasPassword && !moved ? 'kept; it is never shown' : ''} aria-invalid={bad('password')} onInput={(e) => setPassword(e.currentTarget.value)} /></label>
                    {saved.hasPassword && moved ? <p class="small soft">The password belongs to the server it was entered for, so it is asked for again.</p> : null}
                    <label>Sender's address<input type="email" value={server.from} maxLength={254} placeholder="costs@example.com" aria-invalid={bad('from')} onInput={(e) => set('from', e.currentTarget.value.trim())} /></label>
                    <label>Sender's name<input type="text" value={server.fromName} maxLength={40} aria-invalid={bad('fromName')} onInput={(e) => set('fromName', e.currentTarget.value)} /></label>
                    <Problem error={wrong} />
                    <div class="row wrap"><Guarded why={whyNot('security.edit')} class="primary" onClick={save}>Save the mail server</Guarded><Guarded why={whyTest} onClick={test}>Send a test to me</Guarded></div>
                </form>
            </section>
            <section class="card" aria-labelledby="mailsent">
                <div class="pad"><div class="row wrap"><h2 id="mailsent">Messages</h2><span class="sp" /><span class="soft small">{server.waiting} waiting, {server.failed} failed in the last 30 days</span><button type="button" class="link" onClick={load}>Refresh</button></div></div>
                {server.recent.length === 0 ? <Empty what="Nothing was sent yet" /> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of messages">
                        <table class="plain">
                            <caption class="away">Messages, the latest first</caption>
                            <thead><tr><th scope="col">To</th><th scope="col">What</th><th scope="col">When</th><th scope="col">State</th><th scope="col" class="num">Tries</th><th scope="col">Last problem</th></tr></thead>
                            <tbody>{server.recent.map((m) => (
                                <tr key={m.id}>
                                    <th scope="row">{m.to}</th><td>{KINDS[m.kind] ?? 'Notice of a change'}</td><td>{moment(m.createdAt, session.today)}</td>
                                    <td><span class={`badge ${BADGE[m.state]}`}>{m.state}</span>{m.nextAt && m.tries ? <span class="soft small"> again {moment(m.nextAt, session.today)}</span> : null}</td>
                                    <td class="num">{m.tries}</td><td class={m.error ? undefined : 'soft'}>{m.error || 'none'}</td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
        </>
    );
}
