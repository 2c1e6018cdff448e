/*
 * drill.tsx - where a click on a group leads, and the way back: the path of the cost center shown, as the
 * account set it, and the crumbs of what has been clicked so far.
 */
import type { JSX } from 'preact';
import { drilldowns, keys as keyCell } from '../app';
import { useCell } from '../lib/cell';
import { bareKey, canonical, flat, keyLabel, leafText, sameKey, unflat, valueLabel, valuesOf } from '../lib/question';
import type { KeyInfo, KeyRef, Leaf, Question } from '../lib/types';

/* Used until the account's own paths are known. */
const BUILT_IN = ['cost_center_type', 'service', 'sub_account_name', 'region', 'resource_name', 'charge_description'];

/** The one cost center the question is narrowed to; null when it may show several. */
function only(leaves: Leaf[]): string | null {
    const l = leaves.find((x) => x.key === 'cost_center_type' && canonical(x.operator) === 'oneOf');
    const v = l ? valuesOf(l) : [];
    return v.length === 1 ? (v[0] as string) : null;
}
function pathFor(leaves: Leaf[], by: KeyRef, keys: KeyInfo[]): KeyRef[] {
    const all = drilldowns.get() ?? [];
    const one = only(leaves) ?? (/^(global|virtualtag)$/i.test(by.costCenter) ? null : by.costCenter);
    const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
    const own = one === null ? undefined : all.find((d) => same(d.costCenter, one));
    const path = own ?? all.find((d) => same(d.costCenter, 'Global'));
    if (path) return path.keys.map(bareKey);
    return BUILT_IN.map((n) => keys.find((k) => k.costCenter === 'Global' && k.type !== 'tag' && k.key === n)).filter((k): k is KeyInfo => k !== undefined).map(bareKey);
}
/* A path of one cost center spells its keys as that one's; what is grouped by may be the same key of all. */
const alike = (a: KeyRef, b: KeyRef): boolean => sameKey(a, b) || (a.key === b.key && a.type === b.type && [a, b].some((k) => k.costCenter.toLowerCase() === 'global'));
/** The key after `by`, the first of the path that is not used yet; null at the end. */
export function nextKey(by: KeyRef, used: KeyRef[], leaves: Leaf[]): KeyRef | null {
    const keys = keyCell.get() ?? [];
    const path = pathFor(leaves, by, keys);
    const free = (k: KeyRef): boolean => !used.some((u) => alike(u, k));
    const at = path.findIndex((k) => alike(k, by));
    return path.slice(at + 1).find(free) ?? null;
}

/** A condition a click makes: one value, or none. */
const clicked = (l: Leaf): boolean => canonical(l.operator) === 'notExists' || (canonical(l.operator) === 'oneOf' && valuesOf(l).length === 1);

/** Where one is on the way down; each crumb leads back to it. */
export function Crumbs({ question, onGo }: { question: Question; onGo: (q: Partial<Question>) => void }): JSX.Element | null {
    const keys = useCell(keyCell);
    const leaves = flat(question.filters);
    if (!leaves || question.groupBy.length !== 1) return null;
    const way = leaves.map((l, i) => ({ l, i })).filter(({ l }) => clicked(l));
    if (way.length === 0) return null;
    const text = (l: Leaf): string => (canonical(l.operator) === 'notExists' ? valueLabel('', l) : (valuesOf(l)[0] as string));
    /* Back to the step where `n` conditions were on: what came after them goes, and is grouped by again. */
    const back = (n: number): void => {
        const gone = way.slice(n);
        const first = gone[0];
        if (first) onGo({ filters: unflat(leaves.filter((_, i) => !gone.some((g) => g.i === i))), groupBy: [bareKey(first.l)] });
    };
    return (
        <nav class="crumbs" aria-label="The way down">
            <ol>
                <li><button type="button" class="link" onClick={() => back(0)}>All, by {keyLabel((way[0] as { l: Leaf }).l, keys)}</button></li>
                {way.map(({ l }, n) => (
                    <li key={leafText(l, keys)}>{n === way.length - 1 ? <span aria-current="true">{text(l)}</span> : <button type="button" class="link" title={leafText(l, keys)} onClick={() => back(n + 1)}>{text(l)}</button>}</li>
                ))}
            </ol>
            <span class="soft">by {keyLabel(question.groupBy[0] as KeyRef, keys)}</span>
        </nav>
    );
}
