/* own.tsx - parts of the profile: second factor, where one is signed in, personal tokens. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, may, sayError, session as sessionCell, toast, whyNot } from '../app';
import type { Identities, Me, Providers, SessionInfo } from '../lib/admin';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session, Token } from '../lib/types';
import { CopyField, Guarded } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem } from './admin';
import { Generate, Revoke } from './tokens';

/** Identity providers one may sign in by; a new one is connected by signing in there. */
export function Connected(): JSX.Element | null {
    const session = useCell(sessionCell) as Session;
    const [mine, setMine] = useState<Identities['identities']>([]);
    const [sso, setSso] = useState<Providers['providers']>([]);
    const [error, setError] = useState<ApiError | null>(null);
    useEffect(() => {
        get<Providers>('/api/session/providers').then((r) => setSso(r.providers)).catch(() => undefined);
        get<Identities>('/api/me/identities').then((r) => setMine(r.identities)).catch(() => undefined);
        const said = new URLSearchParams(location.search).get('sso');
        if (said) go('/settings', true);
        if (said === 'linked') toast('You are connected');
        else if (said) setError(new ApiError(0, 'connecting came to nothing; the identity provider refused, or it knows you as somebody else', null, null, null, null));
    }, []);
    if (!sso.length && !mine.length) return null;
    const connect = (id: string): void => void call<{ start: string }>('POST', '/api/me/identities', { connection: id }).then((r) => location.assign(r.start)).catch(caught(setError));
    return (
        <section class="card pad" aria-labelledby="sso">
            <h2 id="sso">Single sign-on</h2>
            <ul class="plainlist">
                {mine.filter((i) => i.approved).map((i) => <li key={`${i.connection} ${i.email}`}><span>{i.name}{i.email ? <span class="soft"> as {i.email}</span> : null}</span><span class="soft small">{moment(i.seenAt, session.today)}</span></li>)}
                {sso.filter((p) => !mine.some((i) => i.connection === p.id && i.approved)).map((p) => <li key={p.id}><span>{p.name} <span class="soft">is not connected</span></span><button type="button" onClick={() => connect(p.id)}>Connect {p.name}</button></li>)}
            </ul>
            <Problem error={error} />
        </section>
    );
}

export function SecondFactor(): JSX.Element {
    const [me, setMe] = useState<Me | null>(null);
    const [seed, setSeed] = useState<{ secret: string; url: string } | null>(null);
    const [code, setCode] = useState('');
    const [codes, setCodes] = useState<string[] | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const load = (): void => {
        get<Me>('/api/me').then(setMe).catch(caught(setError));
        get<Session>('/api/session').then((s) => sessionCell.set(s)).catch(() => undefined);
    };
    useEffect(load, []);
    const begin = (): void => void call<{ secret: string; url: string }>('POST', '/api/me/mfa').then((s) => { setSeed(s); setError(null); }).catch(caught(setError));
    const confirm = (): void => void call<{ recoveryCodes: string[] }>('POST', '/api/me/mfa/confirm', { secret: seed?.secret, code }).then((r) => { setCodes(r.recoveryCodes); setSeed(null); setCode(''); load(); }).catch(caught(setError));
    const again = (): void => void call<{ recoveryCodes: string[] }>('POST', '/api/me/mfa/codes').then((r) => { setCodes(r.recoveryCodes); load(); }).catch(caught(setError));
    const drop = (): void => void call('DELETE', '/api/me/mfa').then(() => { toast('The second factor is off'); load(); }).catch(caught(setError));
    return (
        <section class="card pad" aria-labelledby="mfa">
            <h2 id="mfa">Second factor</h2>
            <div class="stack">
                {me?.mfa ? (
                    <>
                        <p>On. Signing in asks for a code of your authenticator app. {me.recoveryCodesLeft} of 10 recovery codes are left.</p>
                        <div class="row wrap"><button type="button" onClick={again}>New recovery codes</button><button type="button" class="danger" onClick={drop}>Switch off</button></div>
                    </>
                ) : seed ? (
                    <form class="stack" onSubmit={(e) => { e.preventDefault(); if (code) confirm(); }}>
                        <p>Enter this secret in your authenticator app, then the code it shows.</p>
                        <CopyField label="Secret" value={seed.secret} />
                        <CopyField label="Address for apps" value={seed.url} />
                        <label>Code<input type="text" inputMode="numeric" autocomplete="one-time-code" value={code} autofocus onInput={(e) => setCode(e.currentTarget.value)} /></label>
                        <div class="row"><button class="primary" disabled={code.trim().length !== 6}>Switch on</button><button type="button" class="quiet" onClick={() => setSeed(null)}>Cancel</button></div>
                    </form>
                ) : (
                    <><p class="soft">Off. With an authenticator app a stolen password alone opens nothing.</p><div class="row"><button type="button" class="primary" onClick={begin}>Set up</button></div></>
                )}
                <Problem error={error} />
            </div>
            {codes ? (
                <Dialog title="Recovery codes" kind="middle" onClose={() => setCodes(null)}>
                    <div class="stack">
                        <p>Each opens your account once if the app is lost. They are shown this once.</p>
                        <CopyField label="Codes" value={codes.join('\n')} />
                        <div class="row end"><button type="button" class="primary" onClick={() => setCodes(null)}>I have kept them</button></div>
                    </div>
                </Dialog>
            ) : null}
        </section>
    );
}

export function OwnSessions(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [list, setList] = useState<SessionInfo[]>([]);
    const load = (): void => void get<{ sessions: SessionInfo[] }>('/api/me/sessions').then((r) => setList(r.sessions)).catch(() => undefined);
    useEffect(load, []);
    const end = (id: string | null): void => void call('DELETE', id ? `/api/me/sessions/${id}` : '/api/me/sessions').then(() => { toast(id ? 'The session is ended' : 'All other sessions are ended'); load(); }).catch((e: unknown) => sayError('could not end it', e));
    return (
        <section class="card pad" aria-labelledby="sessions">
            <h2 id="sessions">Where you are signed in</h2>
            <ul class="plainlist">{list.map((s) => (
                <li key={s.id}><span class="what">{s.agent.slice(0, 60) || 'unknown browser'}<span class="soft small"> {s.ip}, {s.current ? 'this one' : moment(s.seenAt, session.today)}</span></span>
                    {s.current ? null : <button type="button" class="link" onClick={() => end(s.id)}>End<span class="away"> the session of {s.ip}</span></button>}</li>
            ))}</ul>
            {list.length > 1 ? <div class="row"><button type="button" onClick={() => end(null)}>End all others</button></div> : null}
            {may('tokens.account.manage') ? <p class="small soft"><a href="/tokens" onClick={(e) => { e.preventDefault(); go('/tokens'); }}>API tokens of the account</a> sign in programs.</p> : null}
        </section>
    );
}

/** Tokens that sign in programs as oneself. */
export function OwnTokens(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [list, setList] = useState<Token[]>([]);
    const [adding, setAdding] = useState(false);
    const [turned, setTurned] = useState<{ clientId: string; secretKey: string } | null>(null);
    const why = whyNot('tokens.personal.manage');
    const load = (): void => {
        if (!why) get<{ tokens: Token[] }>('/api/me/tokens').then((r) => setList(r.tokens.filter((t) => t.state === 'active'))).catch(() => undefined);
    };
    useEffect(load, []);
    const revoke = (t: Token): void => void call('DELETE', `/api/me/tokens/${t.id}`).then(() => { toast(`Token "${t.description}" revoked`); load(); }).catch((e: unknown) => sayError('could not revoke the token', e));
    const turn = (t: Token): void => void call<{ clientId: string; secretKey: string }>('POST', `/api/me/tokens/${t.id}/rotate`).then(setTurned).catch((e: unknown) => sayError('could not rotate the token', e));
    return (
        <section class="card pad" aria-labelledby="owntokens">
            <h2 id="owntokens">Personal tokens</h2>
            <div class="stack">
            <p class="soft">A program with one of these asks as you: it sees your rows and may do at most what you may.</p>
            {list.length ? (
                <ul class="plainlist">{list.map((t) => (
                    <li key={t.id}><span class="what">{t.description}<span class="soft small"> {t.role}, {t.lastUsedAt ? `last used ${moment(t.lastUsedAt, session.today)}` : 'never used'}, {t.expiresAt ? `until ${moment(t.expiresAt, session.today)}` : 'without an end'}</span></span>
                        <span class="row"><button type="button" class="link" onClick={() => turn(t)}>Rotate<span class="away"> {t.description}</span></button><Revoke t={t} why={why} onRevoke={() => revoke(t)} /></span></li>
                ))}</ul>
            ) : <p class="small soft">None yet.</p>}
            <div class="row"><Guarded why={why} onClick={() => setAdding(true)}>Generate a personal token</Guarded></div>
            </div>
            {adding ? <Generate base="/api/me/tokens" onClose={() => { setAdding(false); load(); }} /> : null}
            {turned ? (
                <Dialog title="A new secret key" kind="middle" onClose={() => setTurned(null)}>
                    <div class="stack"><p>It is shown this once. The one before works for a day more.</p><CopyField label="Client id" value={turned.clientId} /><CopyField label="Secret key" value={turned.secretKey} />
                        <div class="row end"><button type="button" class="primary" onClick={() => setTurned(null)}>I have kept it</button></div></div>
                </Dialog>
            ) : null}
        </section>
    );
}
