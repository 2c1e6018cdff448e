/* signin.tsx - sign in, with a code where one is wanted; a forgotten password; from a link (/signin#secret,
 * /join#secret) choose the first password. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, signedIn } from '../app';
import type { Providers } from '../lib/admin';
import { ApiError, call, get } from '../lib/api';
import type { Session } from '../lib/types';
import { Logo } from '../parts/basic';

export const PASSWORD_MIN = 15;
/** Characters as people count them. */
export const lengthOf = (s: string): number => [...s].length;

export function PasswordHint({ value }: { value: string }): JSX.Element {
    const n = lengthOf(value);
    return (
        <p class="small soft" id="password-hint" aria-live="polite">
            <span class={n >= PASSWORD_MIN ? 'down' : undefined}>{n === 0 ? `At least ${PASSWORD_MIN} characters` : n < PASSWORD_MIN ? `${n} of ${PASSWORD_MIN} characters` : `✓ ${n} characters`}</span>. A sentence is easy to remember; no digits or signs are asked for.
        </p>
    );
}

interface Asked {
    codeNeeded: true;
    challenge: string;
}

/** Why a sign-on came to nothing, in the words for who is outside: the audit log has the rest. */
const REFUSED: Record<string, string> = {
    state: 'This sign-in took too long or was begun in another window. Please try again.',
    provider: 'The identity provider refused, or does not answer as it should.',
    token: 'What the identity provider sent was not accepted.',
    email: 'The identity provider gave no e-mail address that can be used here.',
    disabled: 'You may not sign in. Please ask an administrator.',
    link: 'There is an account with your address already. Sign in as before and connect it under Profile, or ask an administrator. If you were invited, use the link of your invitation.',
    address: 'Signing in from this address is not allowed.',
    unknown: 'There is no account for you here. Please ask an administrator.',
};
const backOf = (): string => {
    const back = new URLSearchParams(location.search).get('back') ?? '/megabill';
    return /^\/(?![/\\])/.test(back) ? back : '/megabill';
};
export const startOf = (id: string, query: Record<string, string>): string => `/api/sso/${id}/start?${new URLSearchParams(query).toString()}`;

export function SignIn(): JSX.Element {
    const [hash] = useState(() => location.hash.slice(1));
    const [link] = useState(() => (hash.startsWith('code=') ? '' : hash));
    const [refused] = useState(() => REFUSED[new URLSearchParams(location.search).get('sso') ?? ''] ?? null);
    const [sso, setSso] = useState<Providers | null>(null);
    const [byPassword, setByPassword] = useState(false);
    const [joins] = useState(() => location.pathname === '/join');
    const [about, setAbout] = useState<{ email: string; name: string; account: string; invited: boolean } | null>(null);
    const [name, setName] = useState('');
    const [challenge, setChallenge] = useState(() => (hash.startsWith('code=') ? hash.slice(5) : ''));
    const [code, setCode] = useState('');
    const [remember, setRemember] = useState(false);
    const [forgot, setForgot] = useState<'no' | 'asking' | 'mail' | 'nomail'>('no');
    const [email, setEmail] = useState('');
    const [password, setPassword] = useState('');
    const [again, setAgain] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const [wait, setWait] = useState(0);
    useEffect(() => {
        document.title = 'Sign in · Farthing';
        // The secret leaves the address bar, the history and every later referrer at once.
        if (hash || refused) history.replaceState(null, '', '/signin');
        get<Providers>('/api/session/providers').then(setSso).catch(() => undefined);
        if (link && !joins) call<NonNullable<typeof about>>('POST', '/api/session/about', { link }).then(setAbout).catch(() => undefined);
    }, []);
    useEffect(() => {
        if (wait <= 0) return undefined;
        const t = setTimeout(() => setWait(wait - 1), 1000);
        return () => clearTimeout(t);
    }, [wait]);
    const short = link !== '' && lengthOf(password) < PASSWORD_MIN;
    const differ = link !== '' && again !== '' && again !== password;
    const send = (): void => {
        setBusy(true);
        setError(null);
        if (forgot === 'asking') {
            call<{ mail: boolean }>('POST', '/api/session/forgotten', { email }).then((r) => setForgot(r.mail ? 'mail' : 'nomail')).catch((e: unknown) => e instanceof ApiError && setError(e)).finally(() => setBusy(false));
            return;
        }
        const asked = challenge ? call<Session | Asked>('POST', '/api/session/code', { challenge, code, remember })
            : link && joins ? call<Session | Asked>('POST', '/api/session/join', { link, email, name, password })
            : link ? call<Session | Asked>('POST', '/api/session/link', { link, password }) : call<Session | Asked>('POST', '/api/session', { email, password });
        asked.then((s) => {
            if ('codeNeeded' in s) {
                setChallenge(s.challenge);
                setBusy(false);
                return;
            }
            go(backOf(), true);
            signedIn(s);
        }).catch((e: unknown) => {
            setBusy(false);
            setError(e instanceof ApiError ? e : new ApiError(0, String(e), null, null, null, null));
            if (e instanceof ApiError && e.retryAfter) setWait(e.retryAfter);
        });
    };
    /** The invitation goes along in a cookie, so that it is in no address. */
    const accept = (id: string): void => void call('POST', '/api/session/invitation', { link }).then(() => location.assign(startOf(id, { for: 'invite' }))).catch((e: unknown) => e instanceof ApiError && setError(e));
    const outside = !link && !challenge && forgot === 'no';
    const onlySso = outside && sso?.only === true && !byPassword;
    return (
        <main class="signin">
            <form class="card stack" onSubmit={(e) => { e.preventDefault(); if (!busy && !wait && (challenge || forgot === 'asking' || (!short && !differ && (!link || again)))) send(); }}>
                <div class="logo"><Logo size={26} />Farthing</div>
                {challenge ? (
                    <>
                        <h1>Your code</h1>
                        <p class="soft">Six digits of your authenticator app, or a recovery code.</p>
                        <label>Code<input type="text" autocomplete="one-time-code" value={code} autofocus onInput={(e) => { setCode(e.currentTarget.value); setError(null); }} /></label>
                        <label class="inline"><input type="checkbox" checked={remember} onChange={(e) => setRemember(e.currentTarget.checked)} />Do not ask for a code in this browser for some days</label>
                    </>
                ) : forgot === 'mail' || forgot === 'nomail' ? (
                    <>
                        <h1>Forgotten password</h1>
                        <p>{forgot === 'mail' ? 'If there is an account with this address, a link is on its way to it. It is good for half an hour.' : 'This installation sends no mail. An administrator can give you a link to choose a new password.'}</p>
                        <button type="button" onClick={() => setForgot('no')}>Back to signing in</button>
                    </>
                ) : forgot === 'asking' ? (
                    <>
                        <h1>Forgotten password</h1>
                        <label>E-mail<input type="email" autocomplete="username" value={email} required autofocus onInput={(e) => setEmail(e.currentTarget.value)} /></label>
                    </>
                ) : link ? (
                    <>
                        <h1>{joins ? 'Join' : 'Choose your password'}</h1>
                        {about ? <p class="soft">{about.invited ? `${about.email}, you are invited to ${about.account}.` : about.email}</p> : null}
                        {joins ? <><label>E-mail<input type="email" autocomplete="username" value={email} required autofocus onInput={(e) => setEmail(e.currentTarget.value)} /></label><label>Name<input type="text" autocomplete="name" value={name} onInput={(e) => setName(e.currentTarget.value)} /></label></> : null}
                        <label>Password<input type="password" autocomplete="new-password" value={password} autofocus aria-describedby="password-hint" aria-invalid={error?.field === 'password' ? 'true' : undefined} onInput={(e) => { setPassword(e.currentTarget.value); setError(null); }} /></label>
                        <PasswordHint value={password} />
                        <label>The same again<input type="password" autocomplete="new-password" value={again} aria-invalid={differ ? 'true' : undefined} onInput={(e) => setAgain(e.currentTarget.value)} /></label>
                        {differ ? <p class="small up" role="status">The two differ.</p> : null}
                        {about?.invited && sso?.providers.length ? <><p class="or">or</p><div class="providers">{sso.providers.map((p) => <button type="button" class="button" key={p.id} onClick={() => accept(p.id)}>Continue with {p.name}</button>)}</div></> : null}
                    </>
                ) : (
                    <>
                        <h1>Sign in</h1>
                        {refused && !error ? <p class="problem" role="alert">{refused}</p> : null}
                        {sso?.providers.length ? <div class="providers">{sso.providers.map((p) => <a class="button" key={p.id} href={startOf(p.id, { back: backOf() })}>Continue with {p.name}</a>)}</div> : null}
                        {onlySso ? <p class="small"><button type="button" class="link" onClick={() => setByPassword(true)}>Sign in with a password</button> <span class="soft">for the administrators who may</span></p> : null}
                        {sso?.providers.length && !onlySso ? <p class="or">or</p> : null}
                        {onlySso ? null : <><label>E-mail<input type="email" autocomplete="username" value={email} required autofocus onInput={(e) => setEmail(e.currentTarget.value)} /></label>
                        <label>Password<input type="password" autocomplete="current-password" value={password} required onInput={(e) => setPassword(e.currentTarget.value)} /></label></>}
                    </>
                )}
                {error ? <p class="problem" role="alert">{sentence(error.message)}{error.hint ? ` ${sentence(error.hint)}` : ''}{link && error.status === 401 ? ' A link works once; an administrator can make a new one.' : ''}</p> : null}
                {forgot === 'mail' || forgot === 'nomail' || onlySso ? null : <button class="primary" disabled={busy || wait > 0 || (challenge ? code === '' : forgot === 'no' && (short || differ || (link !== '' && again === '')))}>{wait > 0 ? `Wait ${wait} s` : busy ? 'One moment' : challenge ? 'Go on' : forgot === 'asking' ? 'Send me a link' : link ? (joins ? 'Join' : 'Set password and sign in') : 'Sign in'}</button>}
                {outside && !onlySso ? <p class="small"><button type="button" class="link" onClick={() => { setForgot('asking'); setError(null); }}>Forgotten password</button></p> : null}
            </form>
        </main>
    );
}
export const sentence = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1) + (/[.!?]$/.test(s) ? '' : '.');
