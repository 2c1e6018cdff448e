/* profile.tsx - who I am, my password, the theme, signing out. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { sayError, session as sessionCell, setTheme, signedOut, theme as themeCell, toast, type Theme } from '../app';
import { ApiError, call } from '../lib/api';
import { useCell } from '../lib/cell';
import type { Session } from '../lib/types';
import { AccountSwitch } from '../parts/accounts';
import { SearchButton } from '../parts/basic';
import { Connected, OwnSessions, OwnTokens, SecondFactor } from './own';
import { lengthOf, PASSWORD_MIN, PasswordHint, sentence } from './signin';

/** Where single sign-on signs out as well, the browser goes there. */
export const signOut = (): void => void call<{ next: string } | undefined>('DELETE', '/api/session').then((r) => { if (r?.next) location.assign(r.next); else signedOut(); }).catch((e: unknown) => sayError('could not sign out', e));

export function Profile(): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const theme = useCell(themeCell);
    const [current, setCurrent] = useState('');
    const [next, setNext] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    useEffect(() => {
        document.title = 'Profile · Farthing';
    }, []);
    const change = (): void => {
        setBusy(true);
        setError(null);
        call('PUT', '/api/me/password', { current, next }).then(() => {
            setCurrent('');
            setNext('');
            toast('Password changed; your other sessions are ended');
        }).catch((e: unknown) => e instanceof ApiError && setError(e)).finally(() => setBusy(false));
    };
    return (
        <>
            <header class="top"><h1>Profile</h1><span class="sp" /><SearchButton /><button type="button" onClick={signOut}>Sign out</button></header>
            <div class="columns">
                <section class="card pad" aria-labelledby="me">
                    <h2 id="me">You</h2>
                    <dl><dt>Name</dt><dd>{session.user.name}</dd><dt>E-mail</dt><dd>{session.user.email}</dd><dt>Roles</dt><dd>{session.user.roles.join(', ')}</dd><dt>Account</dt><dd>{session.account.name}, {session.account.currency}</dd><dt>Farthing</dt><dd>{session.version}</dd></dl>
                    <AccountSwitch />
                    <h2 id="look">Theme</h2>
                    <span class="seg" role="group" aria-labelledby="look">
                        {(['system', 'light', 'dark'] as Theme[]).map((t) => <button type="button" key={t} aria-pressed={theme === t} onClick={() => setTheme(t)}>{t.charAt(0).toUpperCase() + t.slice(1)}</button>)}
                    </span>
                </section>
                <section class="card pad" aria-labelledby="pw">
                    <h2 id="pw">Change password</h2>
                    <form class="stack" onSubmit={(e) => { e.preventDefault(); if (!busy && current && lengthOf(next) >= PASSWORD_MIN) change(); }}>
                        <input type="text" class="away" autocomplete="username" value={session.user.email} readOnly tabIndex={-1} aria-hidden="true" />
                        <label>Password now<input type="password" autocomplete="current-password" value={current} onInput={(e) => setCurrent(e.currentTarget.value)} /></label>
                        <label>New password<input type="password" autocomplete="new-password" value={next} aria-describedby="password-hint" onInput={(e) => setNext(e.currentTarget.value)} /></label>
                        <PasswordHint value={next} />
                        {error ? <p class="problem" role="alert">{sentence(error.message)}{error.hint ? ` ${sentence(error.hint)}` : ''}</p> : null}
                        <div class="row"><button class="primary" disabled={busy || !current || lengthOf(next) < PASSWORD_MIN}>Change password</button></div>
                    </form>
                </section>
                <Connected />
                <SecondFactor />
                <OwnSessions />
                <OwnTokens />
            </div>
        </>
    );
}
