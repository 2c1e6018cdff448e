/* adminlog.tsx - the security policy, and the audit log with what changed. */
import type { JSX } from 'preact';
import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { sayError, session as sessionCell, toast, whyNot } from '../app';
import type { AuditEvent, Policy } from '../lib/admin';
import { call, download, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Empty, Failure, Guarded, Skeleton } from '../parts/basic';
import { caught, Problem } from './admin';

const NUMBERS: [keyof Policy, string][] = [
    ['minLength', 'Characters of a password, at least'], ['idleMinutes', 'Minutes without use that end a session'], ['absoluteMinutes', 'Minutes that a session lasts at most'],
    ['mfaGraceDays', 'Days that a person may go on without a wanted second factor'], ['maxSessions', 'Sessions of one person at once'], ['rememberDays', 'Days that a browser is remembered'], ['inviteHours', 'Hours that an invitation is good'], ['tokenConcurrent', 'Requests of one token at once (0: as the server was started)'],
];
const LISTS: [keyof Policy, string][] = [
    ['ipAllow', 'Addresses that may sign in (empty: any)'], ['ipBlock', 'Addresses that may not'], ['emailDomains', 'Domains that may be invited (empty: any)'],
];
const SWITCHES: [keyof Policy, string][] = [['rememberDevice', 'A browser may be remembered, so that no code is asked of it'], ['tokensNever', 'Tokens without an end are allowed']];

export function Security(): JSX.Element {
    const [policy, setPolicy] = useState<Policy | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const load = (): void => void get<Policy>('/api/admin/security-policy').then(setPolicy).catch(caught(setError));
    useEffect(load, []);
    if (error) return <section class="card"><Failure what="The policy could not be fetched" error={error} retry={load} /></section>;
    if (!policy) return <section class="card"><Skeleton rows={8} label="Fetching the policy" /></section>;
    const set = (name: keyof Policy, v: unknown): void => setPolicy({ ...policy, [name]: v });
    const save = (): void => {
        setWrong(null);
        call<Policy>('PUT', '/api/admin/security-policy', policy).then((p) => { setPolicy(p); toast('The security policy is saved'); }).catch(caught(setWrong));
    };
    return (
        <section class="card pad">
            <form class="stack policy" onSubmit={(e) => { e.preventDefault(); save(); }}>
                <label>Second factor<select value={policy.mfa} onChange={(e) => set('mfa', e.currentTarget.value)}><option value="DontForce">everybody as he likes</option><option value="ForceAdmins">for administrators who sign in with a password</option><option value="ForceExceptSSO">for all who sign in with a password</option><option value="Force">for everybody</option></select></label>
                {NUMBERS.map(([name, label]) => <label key={name}>{label}<input type="number" value={policy[name] as number} aria-invalid={wrong?.field === name ? 'true' : undefined} onInput={(e) => set(name, Number(e.currentTarget.value))} /></label>)}
                {LISTS.map(([name, label]) => <label key={name}>{label}<input type="text" value={(policy[name] as string[]).join(', ')} aria-invalid={wrong?.field === name ? 'true' : undefined} onChange={(e) => set(name, e.currentTarget.value.split(/[\s,]+/).filter(Boolean))} /></label>)}
                {SWITCHES.map(([name, label]) => <label class="inline" key={name}><input type="checkbox" checked={policy[name] as boolean} onChange={(e) => set(name, e.currentTarget.checked)} />{label}</label>)}
                <Problem error={wrong} />
                <div class="row"><Guarded why={whyNot('security.edit')} class="primary" onClick={save}>Save the policy</Guarded></div>
            </form>
        </section>
    );
}

export function Audit(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [events, setEvents] = useState<AuditEvent[] | null>(null);
    const [more, setMore] = useState(false);
    const [q, setQ] = useState('');
    const [outcome, setOutcome] = useState('');
    const [open, setOpen] = useState<number | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const query = (): string => new URLSearchParams({ ...(q ? { q } : {}), ...(outcome ? { outcome } : {}) }).toString();
    const load = (before?: number): void => {
        setError(null);
        get<{ events: AuditEvent[]; more: boolean }>(`/api/admin/audit?${query()}${before ? `&before=${before}` : ''}`).then((r) => {
            setEvents((old) => (before ? [...(old ?? []), ...r.events] : r.events));
            setMore(r.more);
        }).catch(caught(setError));
    };
    useEffect(() => {
        const wait = setTimeout(() => load(), 250);
        return () => clearTimeout(wait);
    }, [q, outcome]);
    return (
        <>
            <div class="row wrap bar">
                <input type="search" aria-label="Search the audit log" placeholder="Who, what, which" value={q} onInput={(e) => setQ(e.currentTarget.value)} />
                <select aria-label="Outcome" value={outcome} onChange={(e) => setOutcome(e.currentTarget.value)}><option value="">every outcome</option><option value="done">done</option><option value="denied">denied</option><option value="failed">failed</option></select>
                <span class="sp" />
                <Guarded why={whyNot('audit.export')} onClick={() => void download('GET', `/api/admin/audit.csv?${query()}`, undefined, 'audit.csv').catch((e: unknown) => sayError('could not export', e))}>Export CSV</Guarded>
            </div>
            <section class="card">
                {error ? <Failure what="The audit log could not be fetched" error={error} retry={() => load()} /> : events === null ? <Skeleton rows={8} label="Fetching the audit log" /> : events.length === 0 ? <Empty what="Nothing matches" /> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Audit log">
                        <table class="plain">
                            <caption class="away">Audit log, newest first</caption>
                            <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">On</th><th scope="col">Outcome</th><th scope="col">From</th><th scope="col"><span class="away">Details</span></th></tr></thead>
                            <tbody>{events.map((v) => (
                                <Fragment key={v.seq}>
                                    <tr>
                                        <td>{moment(v.at, session.today)}</td><th scope="row">{v.actor || v.actorKind}</th><td>{v.action}</td>
                                        <td>{[v.objectType, v.objectName || v.objectId].filter(Boolean).join(' ')}</td>
                                        <td><span class={`badge ${v.outcome === 'done' ? '' : 'failed'}`}>{v.outcome}</span></td><td class="soft">{v.ip || v.source}</td>
                                        <td class="num"><button type="button" class="link" aria-expanded={open === v.seq} onClick={() => setOpen(open === v.seq ? null : v.seq)}>Details<span class="away"> of record {v.seq}</span></button></td>
                                    </tr>
                                    {open === v.seq ? <tr class="detail"><td colSpan={7}><pre>{JSON.stringify({ record: v.seq, severity: v.severity, object: v.objectId, request: v.requestId, before: v.before, after: v.after }, null, 2)}</pre></td></tr> : null}
                                </Fragment>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {more ? <p><button type="button" class="link" onClick={() => load(events?.[events.length - 1]?.seq)}>Older records</button></p> : null}
        </>
    );
}
