/* importrules.tsx - rules from CSV: checked line by line, then staged, never live at once. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { toast } from '../app';
import { ApiError, asError, sendFile } from '../lib/api';
import { Dialog } from '../parts/panel';
import { Faults } from './dictionary';

export function ImportRules({ id, onClose, onStaged }: { id: string; onClose: () => void; onStaged: () => void }): JSX.Element {
    const [file, setFile] = useState<File | null>(null);
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const send = (): void => {
        if (!file) return;
        setBusy(true);
        setError(null);
        sendFile<{ diff: { added: number; removed: number; changed: number } }>('POST', `/api/tags/${id}/rules.csv`, file).then((r) => {
            const n = ([['added', r.diff.added], ['changed', r.diff.changed], ['removed', r.diff.removed]] as const).filter(([, k]) => k > 0).map(([w, k]) => `${k} ${w}`).join(', ');
            toast(`Staged: ${n || 'the rules are the same'}. Compare, then publish`);
            onStaged();
        }).catch((e: unknown) => {
            setBusy(false);
            setError(asError(e));
        });
    };
    return (
        <Dialog title="Import rules from CSV" kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (!busy) send(); }}>
                <p class="small">The columns are those of the export: <code>rank,value,costCenter,keyPath,operator,values,logic,from,to</code>. The rules become a staged version; the live one stays until you publish.</p>
                <label>File<input type="file" accept=".csv,text/csv" onChange={(e) => { setFile(e.currentTarget.files?.[0] ?? null); setError(null); }} /></label>
                {error ? <Faults error={error} kept="Nothing was changed." /> : null}
                <div class="row end"><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!file || busy}>{busy ? 'Checking' : 'Check and stage'}</button></div>
            </form>
        </Dialog>
    );
}
