/* proof.tsx - sensitive acts ask once more who you are; what was asked goes on afterwards. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { session as sessionCell } from '../app';
import { ApiError, call, proofWanted } from '../lib/api';
import { useCell } from '../lib/cell';
import { sentence } from '../pages/signin';
import { Dialog } from './panel';

export function Proof(): JSX.Element | null {
    const wanted = useCell(proofWanted);
    const session = useCell(sessionCell);
    const [text, setText] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
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
                {error ? <p class="problem" role="alert">{sentence(error.message)}</p> : null}
                <div class="row end"><button type="button" class="quiet" onClick={() => end(false)}>Cancel</button><button class="primary" disabled={!text}>Go on</button></div>
            </form>
        </Dialog>
    );
}
