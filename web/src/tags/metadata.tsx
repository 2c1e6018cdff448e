/*
 * metadata.tsx - what is known of a tag's values besides their cost: groups and fields of your own
 * (owner, e-mail, cost center), edited as a table and saved as a whole.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { place, toast, unsaved } from '../app';
import { ApiError, asError, call, get } from '../lib/api';
import { dec, money } from '../lib/dec';
import { Failure, Skeleton } from '../parts/basic';
import { matches } from '../parts/picklist';
import type { ValueMetadata } from './types';
import type { KnownValue } from './values';

const SHOWN = 100;
export function MetadataEditor({ id, values, currency, readOnly }: { id: string; values: KnownValue[]; currency: string; readOnly: boolean }): JSX.Element {
    const [saved, setSaved] = useState<ValueMetadata | ApiError | null>(null);
    const [now, setNow] = useState<ValueMetadata>({});
    const [extra, setExtra] = useState<string[]>([]);
    const [field, setField] = useState('');
    const [search, setSearch] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const load = (): void => void get<{ metadata: ValueMetadata }>(`/api/tags/${id}/metadata`).then((r) => {
        setSaved(r.metadata);
        setNow(r.metadata);
    }).catch((e: unknown) => setSaved(asError(e)));
    useEffect(load, [id]);
    const dirty = saved !== null && !(saved instanceof ApiError) && JSON.stringify(saved) !== JSON.stringify(now);
    useEffect(() => {
        const at = place.get().path;
        if (dirty) unsaved.set({ what: 'The fields of values are not saved.', keeps: (p) => p === at });
        return () => {
            if (dirty) unsaved.set(null);
        };
    }, [dirty]);
    const fields = useMemo(() => [...new Set([...Object.values(now).flatMap((m) => Object.keys(m?.customMetadata ?? {})), ...extra])].sort(), [now, extra]);
    const cost = useMemo(() => new Map(values.map((v) => [v.value, v.cost])), [values]);
    const rows = useMemo(() => [...new Set([...values.map((v) => v.value).filter(Boolean), ...Object.keys(now)])].filter((v) => matches(`${v} ${JSON.stringify(now[v] ?? '')}`, search)), [values, now, search]);
    if (saved === null) return <section class="card"><Skeleton rows={6} label="Fetching what is known of the values" /></section>;
    if (saved instanceof ApiError) return <section class="card"><Failure what="This could not be fetched" error={saved} retry={load} /></section>;
    const put = (value: string, part: Partial<NonNullable<ValueMetadata[string]>>): void => setNow((m) => {
        const next: NonNullable<ValueMetadata[string]> = { ...(m[value] ?? {}), ...part };
        const all = { ...m, [value]: next };
        if (!next.groups?.length && !Object.keys(next.customMetadata ?? {}).length && !next.endpoints?.length) delete all[value];
        return all;
    });
    const setCustom = (value: string, name: string, text: string): void => {
        const custom = { ...(now[value]?.customMetadata ?? {}) };
        if (text === '') delete custom[name];
        else custom[name] = text;
        put(value, { customMetadata: custom });
    };
    const save = (): void => {
        setBusy(true);
        setError(null);
        // Values that are named are replaced, null takes one away, all others stay.
        const was = saved as ValueMetadata;
        const changed: ValueMetadata = {};
        for (const v of new Set([...Object.keys(was), ...Object.keys(now)])) if (JSON.stringify(was[v]) !== JSON.stringify(now[v])) changed[v] = now[v] ?? null;
        call('PUT', `/api/tags/${id}/metadata`, { metadata: changed }).then(() => {
            setSaved(now);
            toast('Fields of the values saved');
        }).catch((e: unknown) => setError(asError(e))).finally(() => setBusy(false));
    };
    return (
        <section class="card" aria-labelledby="metadata">
            <div class="panehead"><h2 id="metadata">What is known of the values</h2><span class="sp" />
                <input type="text" class="searchbox" aria-label="Search values" placeholder="Search values" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
                {readOnly ? null : <form class="row" onSubmit={(e) => { e.preventDefault(); const f = field.trim(); if (f && !fields.includes(f)) setExtra([...extra, f]); setField(''); }}><input type="text" class="searchbox" aria-label="Name of a new field" placeholder="New field, e.g. owner" value={field} maxLength={100} onInput={(e) => setField(e.currentTarget.value)} /><button disabled={!field.trim()}>Add</button></form>}
                {readOnly ? null : <button type="button" class="primary" disabled={!dirty || busy} onClick={save}>Save fields</button>}
            </div>
            {error ? <p class="problem pad" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null}
            <div class="tablebox own" tabIndex={0} role="region" aria-label="Values and their fields">
                <table class="plain tight grid">
                    <caption class="away">Values and their fields</caption>
                    <thead><tr><th scope="col">Value</th><th scope="col" class="num">Cost</th><th scope="col">Groups</th>{fields.map((f) => <th scope="col" key={f}>{f}</th>)}</tr></thead>
                    <tbody>{rows.slice(0, SHOWN).map((v) => {
                        const m = now[v];
                        const c = cost.get(v);
                        return (
                            <tr key={v}>
                                <th scope="row" class="clip">{v}</th>
                                <td class="num soft">{c === undefined ? 'no cost' : money(dec(c), currency)}</td>
                                <td><input type="text" disabled={readOnly} aria-label={`Groups of ${v}`} placeholder="none" value={(m?.groups ?? []).join(', ')} onChange={(e) => put(v, { groups: e.currentTarget.value.split(',').map((g) => g.trim()).filter(Boolean) })} /></td>
                                {fields.map((f) => <td key={f}><input type="text" disabled={readOnly} aria-label={`${f} of ${v}`} value={String(m?.customMetadata?.[f] ?? '')} onInput={(e) => setCustom(v, f, e.currentTarget.value)} /></td>)}
                            </tr>
                        );
                    })}</tbody>
                </table>
            </div>
            {rows.length > SHOWN ? <p class="pad small soft">The first {SHOWN} of {rows.length}; search for the others.</p> : rows.length === 0 ? <p class="pad soft">No value {search ? 'matches' : 'yet'}.</p> : null}
        </section>
    );
}
