/*
 * center.tsx - a cost center fed by files: named, its columns mapped, its first file tried, then live; and
 * the files it has.
 *
 * The wizard makes the cost center when the file is tried for the first time, because only the server can
 * say what a file means; leaving before anything is live takes it away again.
 */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { sayError, session as sessionCell, toast } from '../app';
import { ApiError, asError, call, get, sendFile } from '../lib/api';
import { useCell } from '../lib/cell';
import { count, decNear, sum } from '../lib/dec';
import { longDay, moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Failure, Guarded, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { Faults } from '../tags/dictionary';
import { Made } from './entry';
import type { Center, DayCost } from './types';

interface Tried {
    rows: number;
    firstDay: string | null;
    lastDay: string | null;
    days: DayCost[];
    columns: { name: string; target: string }[];
    unchanged: boolean;
    loadId: string | null;
}
const TARGETS: [string, string][] = [
    ['UsageDate', 'Day'], ['Cost', 'Cost'], ['Currency', 'Currency'], ['UsageQuantity', 'Quantity'], ['UsageUnit', 'Unit'], ['ServiceName', 'Service'], ['ServiceCategory', 'Service category'],
    ['ChargeDescription', 'Description'], ['RegionId', 'Region'], ['ResourceId', 'Resource id'], ['ResourceName', 'Resource name'], ['ResourceType', 'Resource type'],
    ['SubAccountId', 'Account id'], ['SubAccountName', 'Account name'], ['SkuId', 'SKU'], ['ChargeCategory', 'Charge category'], ['ignore', 'Leave out'],
];
/** The header of a file that is plain text: its separator is the one it has most of. */
async function headerOf(f: File): Promise<string[]> {
    const head = new Uint8Array(await f.slice(0, 65_536).arrayBuffer());
    if (head[0] === 0x1f && head[1] === 0x8b) return [];
    const line = (new TextDecoder().decode(head).replace(/^\ufeff/, '').split(/\r?\n/)[0] ?? '').trim();
    const by = [',', ';', '\t'].sort((a, b) => line.split(b).length - line.split(a).length)[0] as string;
    return line.split(by).map((c) => c.trim().replace(/^"(.*)"$/, '$1').replace(/""/g, '"')).filter(Boolean);
}
const STEPS = ['Name and file', 'Columns', 'Try it'] as const;

export function CenterWizard({ center, onClose }: { center: Center | null; onClose: () => void }): JSX.Element {
    const [made, setMade] = useState<Center | null>(center);
    const [name, setName] = useState(center?.name ?? '');
    const [kind, setKind] = useState<'csv' | 'focus'>(center?.kind ?? 'csv');
    const [file, setFile] = useState<File | null>(null);
    const [columns, setColumns] = useState<string[]>(Object.keys(center?.mapping ?? {}));
    const [mapping, setMapping] = useState<Record<string, string>>(center?.mapping ?? {});
    const [step, setStep] = useState(0);
    const [tried, setTried] = useState<Tried | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const live = useRef(center !== null);
    const leave = (): void => {
        if (made && !live.current) void call('DELETE', `/api/custom-centers/${made.id}`).catch((e: unknown) => sayError('could not take the cost center away', e)).finally(onClose);
        else onClose();
    };
    const take = (f: File | undefined): void => {
        if (!f) return;
        setFile(f);
        setTried(null);
        setError(null);
        void headerOf(f).then((h) => setColumns((c) => (h.length ? h : c)));
    };
    /** Saves name and mapping, then asks the server what the file would bring. */
    const attempt = async (really: boolean): Promise<void> => {
        if (!file || busy) return;
        setBusy(true);
        setError(null);
        try {
            const known = columns.length ? Object.fromEntries(Object.entries(mapping).filter(([c]) => columns.includes(c))) : mapping;
            const body = { name: name.trim(), kind, mapping: kind === 'focus' ? {} : known };
            const c = await call<Center>(made ? 'PUT' : 'POST', made ? `/api/custom-centers/${made.id}` : '/api/custom-centers', body);
            const at = { ...(made ?? c), ...c };
            setMade(at);
            const r = await sendFile<Tried>('POST', `/api/custom-centers/${at.id}/files?name=${encodeURIComponent(file.name)}&dryRun=${String(!really)}`, file);
            setTried(r);
            if (r.columns.length) setColumns(r.columns.map((x) => x.name));
            if (really) {
                live.current = true;
                toast(r.unchanged ? `${file.name} brings what was there already` : `${file.name}: ${count(r.rows)} lines are in the bill`);
                onClose();
                return;
            }
            setStep(2);
        } catch (e) {
            setTried(null);
            setError(asError(e));
        }
        setBusy(false);
    };
    const target = (c: string): string => mapping[c] ?? tried?.columns.find((x) => x.name === c)?.target ?? TARGETS.find(([t]) => t.toLowerCase() === c.toLowerCase())?.[0] ?? `tag:${c}`;
    const set = (c: string, t: string): void => {
        setMapping({ ...mapping, [c]: t });
        setTried(null);
    };
    const has = (t: string): boolean => columns.some((c) => target(c) === t);
    const lack = !name.trim() ? 'It needs a name.' : !file ? 'It needs a file to try.' : kind === 'csv' && step > 0 && columns.length && (!has('UsageDate') || !has('Cost')) ? 'One column has to be the day, one the cost.' : null;
    return (
        <Dialog title={center ? `A file for "${center.name}"` : 'Add a cost center'} kind="big" onClose={leave}>
            <ol class="steps" aria-label="Steps">{STEPS.map((s, i) => (kind === 'focus' && i === 1 ? null : <li key={s} aria-current={i === step ? 'step' : undefined}>{s}</li>))}</ol>
            {step === 0 ? (
                <div class="stack">
                    <div class="fields">
                        <label>Name of the cost center<input type="text" value={name} maxLength={100} placeholder="Data center Oslo" onInput={(e) => setName(e.currentTarget.value)} /></label>
                        <label>Its files are<select value={kind} disabled={center !== null && center.files > 0} onChange={(e) => setKind(e.currentTarget.value as 'csv' | 'focus')}><option value="csv">CSV with a day and a cost</option><option value="focus">FOCUS files</option></select></label>
                    </div>
                    <div class="dropzone" onDragOver={(e) => e.preventDefault()} onDrop={(e) => { e.preventDefault(); take(e.dataTransfer?.files[0]); }}>
                        <span>{file ? <><b>{file.name}</b> <span class="soft">{count(file.size)} bytes</span></> : 'Drop the first file here. The same name later replaces what this file brings.'}</span>
                        <label class="button filepick">{file ? 'Another file' : 'Choose a file'}<input type="file" class="away" accept=".csv,.gz,.parquet,text/csv" onChange={(e) => take(e.currentTarget.files?.[0])} /></label>
                    </div>
                </div>
            ) : step === 1 ? (
                <div class="stack">
                    <p class="small soft">What each column is. A column left as a tag becomes a key to group by.</p>
                    <div class="tablebox own" tabIndex={0} role="region" aria-label="Columns">
                        <table class="plain tight"><caption class="away">Columns of the file and what they are</caption><thead><tr><th scope="col">Column</th><th scope="col">Is</th><th scope="col">Name of the tag</th></tr></thead>
                            <tbody>{columns.map((c) => {
                                const t = target(c);
                                const isTag = t.startsWith('tag:');
                                return (
                                    <tr key={c}><th scope="row">{c}</th>
                                        <td><select aria-label={`What ${c} is`} value={isTag ? 'tag' : t} onChange={(e) => set(c, e.currentTarget.value === 'tag' ? `tag:${c}` : e.currentTarget.value)}><option value="tag">A tag</option>{TARGETS.map(([id, label]) => <option key={id} value={id}>{label}</option>)}{!isTag && !TARGETS.some(([id]) => id === t) ? <option value={t}>{t}</option> : null}</select></td>
                                        <td>{isTag ? <input type="text" aria-label={`Tag of ${c}`} value={t.slice(4)} maxLength={200} onInput={(e) => set(c, `tag:${e.currentTarget.value}`)} /> : null}</td></tr>
                                );
                            })}</tbody></table>
                    </div>
                    {columns.length === 0 ? <p class="small soft">The columns of a packed file are known after it has been tried.</p> : null}
                </div>
            ) : tried ? (
                <div class="catch plainly"><span class="soft">{file?.name} would bring {count(tried.rows)} lines{tried.unchanged ? ', all of them there already' : ''}, in all</span>
                    <Totals days={tried.days} /></div>
            ) : null}
            {error ? <Faults error={error} kept="Nothing was changed." /> : null}
            <div class="row end dialogfoot">
                <span class="small soft" role="status">{lack ?? ''}</span><span class="sp" />
                {step > 0 ? <button type="button" class="quiet" onClick={() => setStep(step === 2 && kind === 'focus' ? 0 : step - 1)}>Back</button> : <button type="button" class="quiet" onClick={leave}>Cancel</button>}
                {step === 2 ? <button type="button" class="primary" disabled={busy || lack !== null || !tried} onClick={() => void attempt(true)}>{busy ? 'Loading' : 'Put it into the bill'}</button>
                    : step === 0 && kind === 'csv' ? <button type="button" class="primary" disabled={lack !== null} onClick={() => { setError(null); setStep(1); }}>Next</button>
                        : <button type="button" class="primary" disabled={busy || lack !== null} onClick={() => void attempt(false)}>{busy ? 'Trying' : 'Try it'}</button>}
            </div>
        </Dialog>
    );
}

/** Totals per day, a currency at a time. */
function Totals({ days }: { days: DayCost[] }): JSX.Element {
    const currencies = [...new Set(days.map((d) => d.currency ?? ''))];
    return <>{currencies.map((c) => {
        const mine = days.filter((d) => (d.currency ?? '') === c);
        const total = sum(mine.map((d) => decNear(d.cost)));
        const s = (total < 0n ? -total : total).toString().padStart(11, '0');
        return <Made key={c} days={mine} currency={c} total={`${total < 0n ? '-' : ''}${s.slice(0, -10)}.${s.slice(-10)}`} />;
    })}</>;
}

interface FileRow {
    name: string;
    rows: number;
    firstDay: string | null;
    lastDay: string | null;
    createdBy: string;
    createdAt: string;
    removed: boolean;
    loads: { id: string; state: string; rows: number; at: string }[];
}
export function CenterFiles({ center, why, onClose, onSend }: { center: Center; why: string | null; onClose: () => void; onSend: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [state, setState] = useState<FileRow[] | ApiError | null>(null);
    const load = (): void => void get<{ files: FileRow[] }>(`/api/custom-centers/${center.id}/files`).then((r) => setState(r.files)).catch((e: unknown) => setState(asError(e)));
    useEffect(load, [center.id]);
    const at = (f: FileRow): string => `/api/custom-centers/${center.id}/files/${encodeURIComponent(f.name)}`;
    const undo = (f: FileRow): void => void call('POST', `${at(f)}/undo`).then(() => {
        toast(`${f.name}: what it brought before is in the bill again`);
        load();
    }).catch((e: unknown) => sayError('could not undo', e));
    const remove = (f: FileRow): void => void call('DELETE', at(f)).then(() => {
        toast(`${f.name} is out of the bill`, 'good', { label: 'Undo', run: () => undo(f) });
        load();
    }).catch((e: unknown) => sayError('could not take the file out', e));
    return (
        <Dialog title={`Files of "${center.name}"`} kind="drawer" onClose={onClose}>
            {center.error ? <p class="problem">{center.error}</p> : null}
            <p class="small soft">Files put into <code>{`DIR/drop/custom-costs/${center.name}/`}</code> are read as they appear or change.</p>
            {state === null ? <Skeleton rows={4} label="Fetching files" /> : state instanceof ApiError ? <Failure what="The files could not be fetched" error={state} retry={load} /> : state.length === 0 ? <p class="soft">No file yet.</p> : (
                <ul class="versions" aria-label="Files">
                    {state.map((f) => (
                        <li key={f.name} class={f.removed ? undefined : 'at'} data-file={f.name}><span class="what">
                            <span><b>{f.name}</b> {f.removed ? <span class="badge after">taken out</span> : null}</span>
                            <span class="small soft">{count(f.rows)} lines{f.firstDay && f.lastDay ? `, ${longDay(f.firstDay)} to ${longDay(f.lastDay)}` : ''}; {moment(f.createdAt, session.today)} by {f.createdBy}</span>
                        </span>
                            {f.loads.length > 1 || f.removed ? <Guarded why={why} label={`Undo the last change of ${f.name}`} onClick={() => undo(f)}>Undo</Guarded> : null}
                            {f.removed ? null : <Guarded why={why} label={`Take out ${f.name}`} onClick={() => remove(f)}>Take out</Guarded>}</li>
                    ))}
                </ul>
            )}
            <div class="row"><Guarded why={why} class="primary" onClick={onSend}>Send a file</Guarded></div>
        </Dialog>
    );
}
