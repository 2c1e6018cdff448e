/* proof.tsx - sensitive acts ask once more who you are; what was asked goes on afterwards. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session as sessionCell } from '../app';
import type { Identities } from '../lib/admin';
import { ApiError, call, get, proofWanted } from '../lib/api';
import { useCell } from '../lib/cell';
import { sentence, startOf } from '../pages/signin';
import { Dialog } from './panel';

export function Proof(): JSX.Element | null {
    const wanted = useCell(proofWanted);
    const session = useCell(sessionCell);
    const [text, setText] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [ways, setWays] = useState<Identities['identities']>([]);
    useEffect(() => {
        if (wanted) get<Identities>('/api/me/identities').then((r) => setWays(r.identities.filter((i) => i.approved))).catch(() => undefined);
    }, [wanted !== null]);
    if (!wanted) return null;
    const end = (ok: boolean): void => {
        setText('');
        setError(null);
        proofWanted.set(null);
        wanted(ok);
    };
    const send = (): void => {
        call('POST', '/api/session/prove', session?.mfa && /^[\d-]/.test(text) && text.length <= 24 ? { code: text } : { password: text })
            .then(() => end(true))
            .catch((e: unknown) => e instanceof ApiError && setError(e));
    };
    return (
        <Dialog title="Is it you?" kind="middle" onClose={() => end(false)}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (text) send(); }}>
                <p>This changes who may do what. Give your password{session?.mfa ? ' or a code' : ''} again.</p>
                <label>{session?.mfa ? 'Password or code' : 'Password'}<input type="password" autocomplete="current-password" value={text} autofocus onInput={(e) => setText(e.currentTarget.value)} /></label>
                {ways.length ? <><p class="or">or</p><div class="providers">{ways.map((i) => <a class="button" key={i.connection} href={startOf(i.connection, { for: 'prove', back: location.pathname + location.search })}>Prove it at {i.name}, then do this again</a>)}</div></> : null}
                {error ? <p class="problem" role="alert">{sentence(error.message)}</p> : null}
                <div class="row end"><button type="button" class="quiet" onClick={() => end(false)}>Cancel</button><button class="primary" disabled={!text}>Go on</button></div>
            </form>
        </Dialog>
    );
}
