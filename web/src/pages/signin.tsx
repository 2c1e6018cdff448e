/* signin.tsx - sign in; or, from a one-time link (/signin#secret), choose the first password. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go, signedIn } from '../app';
import { ApiError, call } from '../lib/api';
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

export function SignIn(): JSX.Element {
    const [link] = useState(() => location.hash.slice(1));
    const [email, setEmail] = useState('');
    const [password, setPassword] = useState('');
    const [again, setAgain] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const [wait, setWait] = useState(0);
    useEffect(() => {
        document.title = 'Sign in · Farthing';
        // The secret leaves the address bar, the history and every later referrer at once.
        if (link) history.replaceState(null, '', '/signin');
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
        const asked = link ? call<Session>('POST', '/api/session/link', { link, password }) : call<Session>('POST', '/api/session', { email, password });
        asked.then((s) => {
            const back = new URLSearchParams(location.search).get('back') ?? '/megabill';
            go(/^\/(?![/\\])/.test(back) ? back : '/megabill', true);
            signedIn(s);
        }).catch((e: unknown) => {
            setBusy(false);
            setError(e instanceof ApiError ? e : new ApiError(0, String(e), null, null, null, null));
            if (e instanceof ApiError && e.retryAfter) setWait(e.retryAfter);
        });
    };
    return (
        <main class="signin">
            <form class="card stack" onSubmit={(e) => { e.preventDefault(); if (!busy && !wait && !short && !differ && (!link || again)) send(); }}>
                <div class="logo"><Logo size={26} />Farthing</div>
                {link ? (
                    <>
                        <h1>Choose your password</h1>
                        <label>Password<input type="password" autocomplete="new-password" value={password} autofocus aria-describedby="password-hint" aria-invalid={error?.field === 'password' ? 'true' : undefined} onInput={(e) => { setPassword(e.currentTarget.value); setError(null); }} /></label>
                        <PasswordHint value={password} />
                        <label>The same again<input type="password" autocomplete="new-password" value={again} aria-invalid={differ ? 'true' : undefined} onInput={(e) => setAgain(e.currentTarget.value)} /></label>
                        {differ ? <p class="small up" role="status">The two differ.</p> : null}
                    </>
                ) : (
                    <>
                        <h1>Sign in</h1>
                        <label>E-mail<input type="email" autocomplete="username" value={email} required autofocus onInput={(e) => setEmail(e.currentTarget.value)} /></label>
                        <label>Password<input type="password" autocomplete="current-password" value={password} required onInput={(e) => setPassword(e.currentTarget.value)} /></label>
                    </>
                )}
                {error ? <p class="problem" role="alert">{sentence(error.message)}{error.hint ? ` ${sentence(error.hint)}` : ''}{link && error.status === 401 ? ' A link works once; an administrator can make a new one.' : ''}</p> : null}
                <button class="primary" disabled={busy || wait > 0 || short || differ || (link !== '' && again === '')}>{wait > 0 ? `Wait ${wait} s` : busy ? 'One moment' : link ? 'Set password and sign in' : 'Sign in'}</button>
            </form>
        </main>
    );
}
export const sentence = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1) + (/[.!?]$/.test(s) ? '' : '.');
