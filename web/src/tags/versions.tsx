/*
 * versions.tsx - the history of a tag: what each version changed, publishing the staged one, restoring.
 *
 * Two versions are compared at a time: the live one and the one above it, until others are chosen.
 */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { keys as keyCell, sayError, session as sessionCell, toast, whyNot } from '../app';
import { ApiError, asError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Failure, Guarded, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { difference, type Change } from './draft';
import type { TagDocument, Version } from './types';

/* A version never changes: what was fetched once is kept while the page is open. */
const known = new Map<string, TagDocument>();
async function documentOf(id: string, v: string): Promise<TagDocument> {
    const at = `${id}/${v}`;
    const have = known.get(at);
    if (have) return have;
    const r = await get<Version & TagDocument>(`/api/tags/${id}/versions/${v}`);
    const doc = r.document ?? r;
    known.set(at, doc);
    return doc;
}

export function Versions({ id, name, onClose, onChanged }: { id: string; name: string; onClose: () => void; onChanged: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const [state, setState] = useState<Version[] | ApiError | null>(null);
    const [pair, setPair] = useState<[string, string] | null>(null);
    const why = whyNot('vtags.edit');
    const load = (): void => void get<{ versions: Version[] }>(`/api/tags/${id}/versions`).then((r) => {
        setState(r.versions);
        const live = r.versions.find((v) => v.isLive);
        const other = r.versions.find((v) => v.isStaged) ?? r.versions[r.versions.findIndex((v) => v.isLive) + 1];
        if (live && other && other !== live) setPair(other.isStaged ? [live.id, other.id] : [other.id, live.id]);
    }).catch((e: unknown) => setState(asError(e)));
    useEffect(load, [id]);
    const publish = (v: Version): void => void call('POST', `/api/tags/${id}/versions/${v.id}/publish`).then(() => {
        toast(v.isStaged ? `"${name}": the staged version is live` : `"${name}": restored as it was ${moment(v.createdAt, session.today)}`);
        load();
        onChanged();
    }).catch((e: unknown) => sayError('could not make this version live', e));
    const list = Array.isArray(state) ? state : [];
    const choose = (v: string, place: 0 | 1): void => {
        const next: [string, string] = pair ? [...pair] : [v, v];
        next[place] = v;
        setPair(next);
    };
    return (
        <Dialog title={`Versions of "${name}"`} kind="drawer" onClose={onClose}>
            {state === null ? <Skeleton rows={6} label="Fetching versions" /> : state instanceof ApiError ? <Failure what="The versions could not be fetched" error={state} retry={load} /> : (
                <>
                    <p class="small soft">The newest 100 of a year are kept. One is live; a staged one has no effect until it is published. Restoring makes a new version of the old content.{list.length > 1 ? ' The two dots choose what is compared: from, to.' : ''}</p>
                    <ol class="versions" aria-label="Versions, newest first">
                        {list.map((v) => (
                            <li key={v.id} class={v.isLive ? 'at' : undefined}>
                                {list.length < 2 ? null : <span class="picks">
                                    <input type="radio" name="before" aria-label={`Compare from ${moment(v.createdAt)}`} title="Before" checked={pair?.[0] === v.id} onChange={() => choose(v.id, 0)} />
                                    <input type="radio" name="after" aria-label={`Compare to ${moment(v.createdAt)}`} title="After" checked={pair?.[1] === v.id} onChange={() => choose(v.id, 1)} />
                                </span>}
                                <span class="what">
                                    <span>{moment(v.createdAt, session.today)} <span class="soft">{v.createdBy}</span> {v.isLive ? <span class="badge live">live</span> : null}{v.isStaged ? <span class="badge running">staged</span> : null}</span>
                                    <span class={v.changeDescription ? 'small' : 'small soft'}>{v.changeDescription || 'no description'}</span>
                                </span>
                                {v.isLive ? null : <Guarded why={why} class={v.isStaged ? 'primary' : undefined} onClick={() => publish(v)} label={`${v.isStaged ? 'Publish' : 'Restore'} the version of ${moment(v.createdAt)}`}>{v.isStaged ? 'Publish' : 'Restore'}</Guarded>}
                            </li>
                        ))}
                    </ol>
                    {pair && list.length > 1 ? <Compare id={id} pair={pair} list={list} /> : null}
                </>
            )}
        </Dialog>
    );
}

function Compare({ id, pair, list }: { id: string; pair: [string, string]; list: Version[] }): JSX.Element {
    const keys = useCell(keyCell);
    const session = useCell(sessionCell) as Session;
    const [state, setState] = useState<{ pair: string; changes: Change[] } | ApiError | null>(null);
    const at = pair.join();
    useEffect(() => {
        let gone = false;
        Promise.all(pair.map((v) => documentOf(id, v))).then(([a, b]) => {
            if (!gone) setState({ pair: at, changes: difference(a as TagDocument, b as TagDocument, keys) });
        }).catch((e: unknown) => !gone && setState(asError(e)));
        return () => {
            gone = true;
        };
    }, [id, at, keys]);
    const when = (v: string): string => {
        const x = list.find((y) => y.id === v);
        return x ? `${moment(x.createdAt, session.today)}${x.isLive ? ' (live)' : x.isStaged ? ' (staged)' : ''}` : v;
    };
    return (
        <section aria-labelledby="versiondiff" aria-live="polite">
            <h3 id="versiondiff">From {when(pair[0])} to {when(pair[1])}</h3>
            {state === null ? <Skeleton rows={3} label="Comparing" /> : state instanceof ApiError ? <Failure what="They could not be compared" error={state} /> : <Changes changes={state.changes} />}
        </section>
    );
}

const WORD: Record<Change['kind'], string> = { added: 'added', removed: 'removed', moved: 'moved', changed: 'changed', field: 'changed' };
export function Changes({ changes }: { changes: Change[] }): JSX.Element {
    if (changes.length === 0) return <p class="soft">They are the same.</p>;
    return (
        <ul class="changes">
            {changes.map((c, i) => (
                <li key={i}>
                    <span><b>{c.what}</b>{c.kind === 'moved' ? '' : ` ${WORD[c.kind]}`}</span>
                    {c.before !== null && c.before !== '' ? <del><span class="away">before: </span>{c.before}</del> : null}
                    {c.after !== null && c.after !== '' ? <ins class={c.kind === 'moved' ? 'same' : undefined}><span class="away">after: </span>{c.after}</ins> : null}
                </li>
            ))}
        </ul>
    );
}
