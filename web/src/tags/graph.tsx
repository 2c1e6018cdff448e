/*
 * graph.tsx - which tag reads which: a picture in layers, and the same as a list for those who read.
 *
 * A tag stands one layer right of the deepest tag it reads. Isolated tags are counted, not drawn.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { go } from '../app';
import type { Net } from '../charts/relate';
import { ApiError, asError, get } from '../lib/api';
import { Failure, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { RelatedPicture } from '../parts/related';
import { kindLabel, type Graph } from './types';

/** Layer of every node: 0 for those that read no other. edges: `from` reads `to`. */
export function layers(g: Graph): Map<string, number> {
    const reads = new Map<string, string[]>();
    for (const e of g.edges) reads.set(e.from, [...(reads.get(e.from) ?? []), e.to]);
    const at = new Map<string, number>();
    const visit = (id: string, path: Set<string>): number => {
        const known = at.get(id);
        if (known !== undefined) return known;
        if (path.has(id)) return 0;
        path.add(id);
        const d = Math.max(-1, ...(reads.get(id) ?? []).map((r) => visit(r, path))) + 1;
        path.delete(id);
        at.set(id, d);
        return d;
    };
    for (const n of g.nodes) visit(n.id, new Set());
    return at;
}
const COLOUR: Record<string, number> = { rules: 1, dictionary: 2, relational: 5, hierarchy: 3 };

export function GraphDialog({ focus, onClose }: { focus?: string; onClose: () => void }): JSX.Element {
    const [state, setState] = useState<Graph | ApiError | null>(null);
    const [at, setAt] = useState<string | null>(focus ?? null);
    const load = (): void => void get<Graph>('/api/tags/graph').then(setState).catch((e: unknown) => setState(asError(e)));
    useEffect(load, []);
    const g = state && !(state instanceof ApiError) ? state : null;
    const bound = useMemo(() => {
        const linked = new Set(g?.edges.flatMap((e) => [e.from, e.to]) ?? []);
        return g?.nodes.filter((n) => linked.has(n.id)) ?? [];
    }, [g]);
    const near = useMemo(() => {
        const out = new Set<string>(at ? [at] : []);
        const follow = (a: 'from' | 'to', b: 'from' | 'to'): void => {
            const todo = at ? [at] : [];
            for (let id = todo.pop(); id !== undefined; id = todo.pop())
                for (const e of g?.edges ?? []) if (e[a] === id && !out.has(e[b] + a)) {
                    out.add(e[b]);
                    out.add(e[b] + a);
                    todo.push(e[b]);
                }
        };
        follow('from', 'to');
        follow('to', 'from');
        return out;
    }, [g, at]);
    const model = useMemo<Net | null>(() => {
        if (!g || bound.length === 0) return null;
        const layer = layers(g);
        const rows = new Map<number, number>();
        const size = new Map<number, number>();
        for (const n of bound) size.set(layer.get(n.id) ?? 0, (size.get(layer.get(n.id) ?? 0) ?? 0) + 1);
        const tallest = Math.max(...size.values());
        return {
            kind: 'net',
            nodes: bound.map((n) => {
                const l = layer.get(n.id) ?? 0;
                const row = rows.get(l) ?? 0;
                rows.set(l, row + 1);
                return { id: n.id, label: n.name, colour: COLOUR[n.kind] ?? 0, x: l * 240, y: (row + (tallest - (size.get(l) ?? 1)) / 2) * 74, faded: at !== null && !near.has(n.id) };
            }),
            links: g.edges.map((e) => ({ from: e.to, to: e.from, strong: at !== null && near.has(e.from) && near.has(e.to) })),
        };
    }, [g, bound, at, near]);
    const name = (id: string): string => g?.nodes.find((n) => n.id === id)?.name ?? id;
    return (
        <Dialog title="Which tag reads which" kind="big" onClose={onClose}>
            {state === null ? <Skeleton rows={8} label="Fetching dependencies" /> : state instanceof ApiError ? <Failure what="The dependencies could not be fetched" error={state} retry={load} /> : !model || !g ? (
                <p class="soft">No tag reads another: {g?.nodes.length === 1 ? 'the one tag stands' : `all ${g?.nodes.length ?? 0} tags stand`} on the bill alone.</p>
            ) : (
                <>
                    <p class="small soft">A change goes left to right: what is on the right is computed after what it reads. The longest chain has {g.depth} {g.depth === 1 ? 'step' : 'steps'}; {g.nodes.length - bound.length} of {g.nodes.length} tags read no other and are not drawn. Click a tag to see what it touches.</p>
                    <RelatedPicture model={model} height={Math.max(260, Math.min(560, bound.length * 46))} title={`Dependencies of ${bound.length} virtual tags; the list below says the same`} onPick={(id) => setAt(at === id ? null : id)} />
                    <div class="tablebox own" tabIndex={0} role="region" aria-label="Dependencies as a list">
                        <table class="plain">
                            <caption class="away">Virtual tags and the tags they read</caption>
                            <thead><tr><th scope="col">Tag</th><th scope="col">Type</th><th scope="col">Reads</th><th scope="col">Read by</th></tr></thead>
                            <tbody>{bound.map((n) => (
                                <tr key={n.id} class={at === n.id ? 'at' : undefined}>
                                    <th scope="row"><a class="plainlink" href={`/virtual-tags/${n.id}`} onClick={(e) => { e.preventDefault(); onClose(); go(`/virtual-tags/${n.id}`); }}>{n.name}</a></th>
                                    <td>{kindLabel(n.kind)}</td>
                                    <td>{g.edges.filter((e) => e.from === n.id).map((e) => name(e.to)).join(', ') || <span class="soft">the bill only</span>}</td>
                                    <td>{g.edges.filter((e) => e.to === n.id).map((e) => name(e.from)).join(', ') || <span class="soft">no tag</span>}</td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                </>
            )}
        </Dialog>
    );
}
