/*
 * dictionary.tsx - tags that are tables: one value to another (dictionary), or levels above a value
 * (hierarchy). The table comes as CSV; a file with a fault changes nothing and every fault has its line.
 */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { keyItems, keyOf } from '../bill/by';
import { sayError, toast } from '../app';
import { ApiError, asError, download, sendFile } from '../lib/api';
import { count } from '../lib/dec';
import { keyLabel } from '../lib/question';
import type { KeyInfo, KeyRef } from '../lib/types';
import { Icon } from '../parts/basic';
import { Panel } from '../parts/panel';
import { PickList } from '../parts/picklist';
import type { Draft } from './draft';
import type { Feed, LineError } from './types';

interface Props {
    id: string | null;
    draft: Draft;
    keys: KeyInfo[] | null;
    readOnly: boolean;
    onChange: (part: Partial<Draft>) => void;
    onUploaded: () => void;
}
function KeyChoice({ name, k, keys, readOnly, onPick }: { name: string; k: KeyRef | undefined; keys: KeyInfo[] | null; readOnly: boolean; onPick: (k: KeyRef) => void }): JSX.Element {
    const shown = k?.key ? keyLabel(k, keys) : 'Choose a key';
    if (readOnly) return <b>{shown}</b>;
    return (
        <Panel float class="pick" title={name} name={`${name}: ${shown}`} label={shown}>
            {(close) => <PickList label={name} placeholder="Search keys and tags" items={keyItems(keys)} empty="No key has this name." onPick={(id) => { const x = keyOf(keys, id); if (x) onPick(x); close(); }} />}
        </Panel>
    );
}

export function DictionaryEditor({ id, draft, keys, readOnly, onChange, onUploaded }: Props): JSX.Element {
    const d = draft.dictionary ?? { source: { costCenter: '', key: '', type: '' }, ignoreCase: false };
    return (
        <section class="card pad stack" aria-labelledby="dictionary">
            <h2 id="dictionary">The table</h2>
            <div class="fields">
                <div class="field"><span>Source key</span><KeyChoice name="Source key" k={d.source} keys={keys} readOnly={readOnly} onPick={(source) => onChange({ dictionary: { ...d, source } })} /></div>
                <label class="inline"><input type="checkbox" checked={d.ignoreCase} disabled={readOnly} onChange={() => onChange({ dictionary: { ...d, ignoreCase: !d.ignoreCase } })} /> Upper and lower case are the same</label>
            </div>
            <p class="small soft">A value of the source key that the table does not have, or no value at all, gives the default.</p>
            <FeedEditor feed={d.feed ?? { type: 'upload' }} readOnly={readOnly} onChange={(feed) => onChange({ dictionary: { ...d, feed } })} />
            <Table id={id} readOnly={readOnly} columns={['source', 'destination', 'from', 'to']} note="from and to are days (YYYY-MM-DD, both included); empty means open. One source may have several rows when their days do not meet." onUploaded={onUploaded} />
        </section>
    );
}

export function HierarchyEditor({ id, draft, keys, readOnly, onChange, onUploaded }: Props): JSX.Element {
    const h = draft.hierarchy ?? { base: { costCenter: '', key: '', type: '' }, levels: [] };
    const put = (part: Partial<typeof h>): void => onChange({ hierarchy: { ...h, ...part } });
    return (
        <section class="card pad stack" aria-labelledby="hierarchy">
            <h2 id="hierarchy">The levels</h2>
            <div class="fields"><div class="field"><span>Base key</span><KeyChoice name="Base key" k={h.base} keys={keys} readOnly={readOnly} onPick={(base) => put({ base })} /></div>
                <label class="inline"><input type="checkbox" checked={h.ignoreCase ?? false} disabled={readOnly} onChange={() => put({ ignoreCase: !h.ignoreCase })} /> Upper and lower case are the same</label></div>
            <ol class="stack tightstack" aria-label="Levels, from the base upward">
                {h.levels.map((l, i) => (
                    <li class="row" key={i}>
                        <span class="rank">{i + 1}</span>
                        <input type="text" aria-label={`Name of level ${i + 1}`} value={l.name} maxLength={200} disabled={readOnly} placeholder={i === 0 ? 'Department' : 'Vice president'} onInput={(e) => put({ levels: h.levels.map((x, n) => (n === i ? { ...x, name: e.currentTarget.value } : x)) })} />
                        {readOnly ? null : <button type="button" class="bare square" aria-label={`Take level ${l.name || i + 1} away`} disabled={h.levels.length === 1} onClick={() => put({ levels: h.levels.filter((_, n) => n !== i) })}><Icon name="close" size={14} /></button>}
                    </li>
                ))}
            </ol>
            {readOnly || h.levels.length >= 8 ? null : <p><button type="button" onClick={() => put({ levels: [...h.levels, { name: '' }] })}>+ Add a level above</button></p>}
            <p class="small soft">A value without a parent is "Untagged" there and above. Every level is a key of its own.</p>
            <Table id={id} readOnly={readOnly} columns={['base', ...h.levels.map((l, i) => l.name.trim() || `level ${i + 1}`), 'from', 'to']} note="One row for each base value: the base, its parent, the parent's parent; from and to (days, both included) may be left out. A value has one parent on a day." onUploaded={onUploaded} />
        </section>
    );
}

const FEEDS: [Feed['type'], string, string][] = [
    ['upload', 'Sent here', 'Sent by hand, on this page'],
    ['file', 'A file of the drop folder', 'Read again whenever the file changes'],
    ['url', 'An address', 'Fetched once a day'],
];
function FeedEditor({ feed, readOnly, onChange }: { feed: Feed; readOnly: boolean; onChange: (f: Feed) => void }): JSX.Element {
    return (
        <div class="fields">
            <label>Where its rows come from<select value={feed.type} disabled={readOnly} onChange={(e) => onChange({ type: e.currentTarget.value as Feed['type'] })}>{FEEDS.map(([t, label]) => <option key={t} value={t}>{label}</option>)}</select></label>
            {feed.type === 'file' ? <label>File in DIR/drop/dictionaries<input type="text" value={feed.file ?? ''} disabled={readOnly} maxLength={255} placeholder="teams.csv" onInput={(e) => onChange({ ...feed, file: e.currentTarget.value })} /></label> : null}
            {feed.type === 'url' ? <label>Address<input type="text" value={feed.url ?? ''} disabled={readOnly} maxLength={2000} placeholder="https://catalogue.example.com/teams.csv" onInput={(e) => onChange({ ...feed, url: e.currentTarget.value })} /></label> : null}
            <p class="small soft">{FEEDS.find(([t]) => t === feed.type)?.[2]}. A read that fails keeps the rows that are live.</p>
        </div>
    );
}

/** The rows: sent as CSV, fetched as CSV. */
function Table({ id, readOnly, columns, note, onUploaded }: { id: string | null; readOnly: boolean; columns: string[]; note: string; onUploaded: () => void }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const [busy, setBusy] = useState(false);
    const [over, setOver] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const send = (f: File | undefined): void => {
        if (!f || !id || busy) return;
        setBusy(true);
        setError(null);
        sendFile<{ rows: number; unchanged?: boolean }>('PUT', `/api/tags/${id}/dictionary`, f)
            .then((r) => {
                toast(r.unchanged ? `${f.name} says what was live already` : `${f.name}: ${count(r.rows)} rows are live`);
                onUploaded();
            })
            .catch((e: unknown) => setError(asError(e)))
            .finally(() => setBusy(false));
    };
    if (!id) return <p class="notice">Save the tag first; then its table can be sent here as CSV with the columns <code>{columns.join(',')}</code>.</p>;
    return (
        <>
            {readOnly ? null : (
                <div class={over ? 'dropzone over' : 'dropzone'} onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={(e) => { e.preventDefault(); setOver(false); send(e.dataTransfer?.files[0]); }}>
                    <input ref={input} type="file" accept=".csv,text/csv" class="away" tabIndex={-1} aria-label="CSV file" onChange={(e) => { send(e.currentTarget.files?.[0]); e.currentTarget.value = ''; }} />
                    <span>Drop a CSV with the columns <code>{columns.join(',')}</code> here. It replaces the whole table.</span>
                    <button type="button" disabled={busy} onClick={() => input.current?.click()}>{busy ? 'Sending' : 'Choose a file'}</button>
                </div>
            )}
            <p class="small soft">{note}</p>
            {error ? <Faults error={error} kept="The table that was live stays live." /> : null}
            <p><button type="button" class="link" onClick={() => void download('GET', `/api/tags/${id}/dictionary.csv`, undefined, 'dictionary.csv').catch((e: unknown) => sayError('could not fetch the table', e))}>Download the live table</button></p>
        </>
    );
}

export const faultsOf = (e: ApiError): LineError[] => {
    const list = e.body['errors'];
    return Array.isArray(list) ? (list as LineError[]) : [];
};
/** What was wrong with a file, line by line. */
export function Faults({ error, kept }: { error: ApiError; kept: string }): JSX.Element {
    const lines = faultsOf(error);
    return (
        <div class="faults" role="alert">
            <p class="problem">{error.message}{error.hint ? `. ${error.hint}` : ''} <span class="soft">{kept}</span></p>
            {lines.length ? (
                <div class="tablebox own" tabIndex={0} role="region" aria-label="Faults by line">
                    <table class="plain tight"><caption class="away">Faults by line</caption><thead><tr><th scope="col" class="num">Line</th><th scope="col">What is wrong</th></tr></thead>
                        <tbody>{lines.map((l, i) => <tr key={i}><td class="num">{count(l.line)}</td><td class="wrapcell">{l.message}</td></tr>)}</tbody></table>
                </div>
            ) : null}
        </div>
    );
}
