/* drilldowns.tsx - what a click on a group opens next: an ordered list of keys for each cost center. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { drilldowns, keys as keyCell, place, sayError, toast, unsaved, whyNot } from '../app';
import { keyItems, keyOf } from '../bill/by';
import { ApiError, asError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { bareKey, keyId, keyLabel, sameKey } from '../lib/question';
import type { Drilldown, KeyRef } from '../lib/types';
import { Empty, Failure, Guarded, Icon, SearchButton, Skeleton } from '../parts/basic';
import { Panel } from '../parts/panel';
import { PickList } from '../parts/picklist';

const title = (costCenter: string): string => (/^global$/i.test(costCenter) ? 'All cost centers' : costCenter);

export function Drilldowns(): JSX.Element {
    const keys = useCell(keyCell);
    const [paths, setPaths] = useState<Drilldown[] | ApiError | null>(null);
    const [draft, setDraft] = useState<Map<string, KeyRef[]>>(new Map());
    const [busy, setBusy] = useState(false);
    const why = whyNot('drilldown.edit');
    const load = (): void => void get<{ paths: Drilldown[] }>('/api/drilldowns').then((r) => setPaths(r.paths)).catch((e: unknown) => setPaths(asError(e)));
    useEffect(() => {
        document.title = 'Drilldown · Farthing';
        load();
    }, []);
    const dirty = draft.size > 0;
    useEffect(() => {
        const at = place.get().path;
        unsaved.set(dirty ? { what: 'The changes to the drilldown paths are not saved.', keeps: (p) => p === at } : null);
        return () => unsaved.set(null);
    }, [dirty]);
    const list = Array.isArray(paths) ? paths : [];
    const edit = (d: Drilldown, k: KeyRef[]): void => {
        const next = new Map(draft);
        if (JSON.stringify(k.map(bareKey)) === JSON.stringify(d.keys.map(bareKey))) next.delete(d.costCenter);
        else next.set(d.costCenter, k);
        setDraft(next);
    };
    const send = (changes: { costCenter: string; keys: KeyRef[] }[], what: string): void => {
        setBusy(true);
        call<{ paths: Drilldown[] }>('PUT', '/api/drilldowns', { paths: changes.map((c) => ({ costCenter: c.costCenter, keys: c.keys.map(bareKey) })) }).then((r) => {
            setPaths(r.paths);
            drilldowns.set(r.paths);
            setDraft(new Map([...draft].filter(([c]) => !changes.some((x) => x.costCenter === c))));
            toast(what);
        }).catch((e: unknown) => sayError('could not save the paths', e)).finally(() => setBusy(false));
    };
    return (
        <>
            <header class="top"><h1>Drilldown</h1><span class="sp" /><SearchButton />
                {dirty ? <button type="button" class="quiet" onClick={() => setDraft(new Map())}>Discard</button> : null}
                <Guarded why={why ?? (dirty ? null : 'Nothing has changed')} class="primary" onClick={() => !busy && send([...draft].map(([costCenter, k]) => ({ costCenter, keys: k })), 'Drilldown paths saved for everybody')}>Save</Guarded></header>
            <p class="lead">A click on a group in MegaBill narrows to it and goes on to the next key of the path. The path of a cost center is used when only that one is shown. Changes are for all users; saved views stay as they are.</p>
            {paths === null ? <section class="card"><Skeleton rows={8} label="Fetching drilldown paths" /></section> : paths instanceof ApiError ? <section class="card"><Failure what="The paths could not be fetched" error={paths} retry={load} /></section>
                : list.length === 0 ? <section class="card"><Empty what="No path yet"><p>Paths appear here with the first cost center that has a bill.</p></Empty></section> : (
                <div class="paths">
                    {list.map((d) => {
                        const now = draft.get(d.costCenter) ?? d.keys;
                        return (
                            <section class="card pad" key={d.costCenter} aria-label={`Path of ${title(d.costCenter)}`}>
                                <div class="row"><h2>{title(d.costCenter)}</h2><span class="sp" />{draft.has(d.costCenter) ? <span class="badge running">edited</span> : d.isDefault ? <span class="badge">default</span> : why ? null : <button type="button" class="link" onClick={() => send([{ costCenter: d.costCenter, keys: [] }], `${title(d.costCenter)}: back to the default`)}>reset<span class="away"> {title(d.costCenter)} to the default</span></button>}</div>
                                <ol class="chosen">
                                    {now.map((k, i) => {
                                        const name = keyLabel(k, keys);
                                        const swap = (j: number): void => {
                                            const next = [...now];
                                            [next[i], next[j]] = [next[j] as KeyRef, next[i] as KeyRef];
                                            edit(d, next);
                                        };
                                        return (
                                            <li key={keyId(k)}><span class="rank">{i + 1}</span><span class="what">{name}</span>
                                                {why ? null : <>
                                                    <button type="button" class="bare" aria-label={`Move ${name} up`} disabled={i === 0} onClick={() => swap(i - 1)}><Icon name="up" size={14} /></button>
                                                    <button type="button" class="bare" aria-label={`Move ${name} down`} disabled={i === now.length - 1} onClick={() => swap(i + 1)}><Icon name="down" size={14} /></button>
                                                    <button type="button" class="bare" aria-label={`Take ${name} out`} disabled={now.length === 1} onClick={() => edit(d, now.filter((_, n) => n !== i))}><Icon name="close" size={14} /></button>
                                                </>}</li>
                                        );
                                    })}
                                </ol>
                                {why ? null : (
                                    <Panel title="Add a key" class="quiet" name={`Add a key to ${title(d.costCenter)}`} label="+ Add a key">
                                        {(close) => <PickList label="Key" placeholder="Search keys and tags" items={keyItems(keys).filter((i) => { const k = keyOf(keys, i.id); return k !== null && !now.some((x) => sameKey(x, k)); })} empty="No key has this name." onPick={(id) => { const k = keyOf(keys, id); if (k) edit(d, [...now, k]); close(); }} />}
                                    </Panel>
                                )}
                            </section>
                        );
                    })}
                </div>
            )}
        </>
    );
}
