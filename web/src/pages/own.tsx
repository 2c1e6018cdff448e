/* own.tsx - parts of the profile: second factor, where one is signed in, personal tokens. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, may, sayError, session as sessionCell, toast } from '../app';
import type { Me, SessionInfo } from '../lib/admin';
import { call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { CopyField } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem } from './admin';

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
            {may('tokens.personal.manage') ? <p class="small soft"><a href="/tokens" onClick={(e) => { e.preventDefault(); go('/tokens'); }}>Tokens</a> sign in programs.</p> : null}
        </section>
    );
}
