/* joinlinks.tsx - links that anybody may join by: made, shown once, revoked. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { sayError, session as sessionCell, toast, whyNot } from '../app';
import { call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { CopyField, Guarded } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem } from './admin';

interface JoinLink {
    id: string;
    roles: string[];
    domains: string[];
    used: number;
    most: number;
    createdBy: string;
    expiresAt: string;
    open: boolean;
}

export function JoinLinks({ roleName }: { roleName: (id: string) => string }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [links, setLinks] = useState<JoinLink[]>([]);
    const [making, setMaking] = useState(false);
    const why = whyNot('users.invite');
    const load = (): void => {
        if (!why) get<{ links: JoinLink[] }>('/api/admin/invite-links').then((r) => setLinks(r.links.filter((l) => l.open))).catch(() => undefined);
    };
    useEffect(load, []);
    const revoke = (l: JoinLink): void => void call('DELETE', `/api/admin/invite-links/${l.id}`).then(() => { toast('The link is revoked'); load(); }).catch((e: unknown) => sayError('could not revoke the link', e));
    return (
        <section class="card pad" aria-labelledby="joinlinks">
            <div class="row wrap"><h2 id="joinlinks">Links to join by</h2><span class="sp" /><Guarded why={why} onClick={() => setMaking(true)}>Make a link</Guarded></div>
            <p class="soft">Whoever opens such a link joins with the roles of the security policy. Make it short-lived, and name the mail domains that may use it.</p>
            {links.length ? (
                <ul class="plainlist">{links.map((l) => (
                    <li key={l.id}><span class="what">{l.roles.map(roleName).join(', ')}<span class="soft small"> {l.domains.length ? `for ${l.domains.join(', ')}` : 'for any address'}, used {l.used} of {l.most} times, until {moment(l.expiresAt, session.today)}, by {l.createdBy}</span></span>
                        <Guarded why={why} class="link" label={`Revoke the link until ${moment(l.expiresAt, session.today)}`} onClick={() => revoke(l)}>Revoke</Guarded></li>
                ))}</ul>
            ) : <p class="small soft">No link is open.</p>}
            {making ? <MakeLink onClose={() => { setMaking(false); load(); }} /> : null}
        </section>
    );
}

function MakeLink({ onClose }: { onClose: () => void }): JSX.Element {
    const [hours, setHours] = useState(24);
    const [most, setMost] = useState(50);
    const [domains, setDomains] = useState('');
    const [made, setMade] = useState<string | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const send = (): void => {
        setError(null);
        call<{ link: string }>('POST', '/api/admin/invite-links', { hours, most, domains: domains.split(/[\s,]+/).filter(Boolean) }).then((r) => setMade(r.link)).catch(caught(setError));
    };
    return (
        <Dialog title="A link to join by" kind="middle" onClose={onClose}>
            {made ? (
                <div class="stack"><p>The link is shown this once.</p><CopyField label="Link" value={made} /><div class="row end"><button type="button" class="primary" onClick={onClose}>I have kept it</button></div></div>
            ) : (
                <form class="stack" onSubmit={(e) => { e.preventDefault(); send(); }}>
                    <label>Good for so many hours<input type="number" min={1} max={720} value={hours} autofocus onInput={(e) => setHours(Number(e.currentTarget.value))} /></label>
                    <label>May be used so many times<input type="number" min={1} max={1000} value={most} onInput={(e) => setMost(Number(e.currentTarget.value))} /></label>
                    <label>Mail domains that may use it (empty: any)<input type="text" value={domains} placeholder="example.com" onInput={(e) => setDomains(e.currentTarget.value)} /></label>
                    <Problem error={error} />
                    <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary">Make the link</button></div>
                </form>
            )}
        </Dialog>
    );
}
