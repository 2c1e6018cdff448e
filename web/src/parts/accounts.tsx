/* accounts.tsx - which account one is in, and the way to another. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { sayError, session as sessionCell } from '../app';
import { call } from '../lib/api';
import { useCell } from '../lib/cell';

/** Nothing where there is one account. The page starts anew in the other one, so nothing of this one stays in it. */
export function AccountSwitch({ class: cls }: { class?: string }): JSX.Element | null {
    const session = useCell(sessionCell);
    const [busy, setBusy] = useState(false);
    if (!session || session.accounts.length < 2) return null;
    const go = (id: string): void => {
        setBusy(true);
        call('POST', '/api/session/account', { id }).then(() => location.assign('/megabill')).catch((e: unknown) => {
            setBusy(false);
            sayError('could not switch the account', e);
        });
    };
    return (
        <label class={`accountswitch ${cls ?? ''}`}><span class="away">Account</span>
            <select value={session.account.id} disabled={busy} aria-busy={busy} onChange={(e) => go(e.currentTarget.value)}>
                {session.accounts.map((a) => <option key={a.id} value={a.id}>{a.name}</option>)}
            </select>
        </label>
    );
}
