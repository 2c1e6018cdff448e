/* by.tsx - the group-by panel: the chosen keys in order, and a searched list of all keys. */
import type { JSX } from 'preact';
import { Icon } from '../parts/basic';
import { PickList, type Item } from '../parts/picklist';
import { bareKey, keyId, keyLabel, sameKey } from '../lib/question';
import type { KeyInfo, KeyRef } from '../lib/types';

const plain = (s: string): string => s.toLowerCase().replace(/[ _-]/g, '');
/** Keys as list items, the shared ones first, each under its cost center. */
export function keyItems(keys: KeyInfo[] | null): Item[] {
    const rank = (k: KeyInfo): string => (k.type === 'virtual_tag' ? '0v' : k.costCenter === 'Global' ? '0' : '1' + k.costCenter) + (k.type === 'tag' ? '1' : '0');
    return [...(keys ?? [])]
        .sort((a, b) => rank(a).localeCompare(rank(b)))
        .map((k) => ({
            id: keyId(k),
            label: k.displayName,
            hint: k.type === 'virtual_tag' || plain(k.displayName) === plain(k.key) ? undefined : k.key,
            group: k.type === 'virtual_tag' ? 'Virtual tags' : k.costCenter === 'Global' ? (k.type === 'tag' ? 'All clouds, tags' : 'All clouds') : k.costCenter + (k.type === 'tag' ? ', tags' : ''),
        }));
}
export const keyOf = (keys: KeyInfo[] | null, id: string): KeyRef | null => {
    const k = keys?.find((x) => keyId(x) === id);
    return k ? bareKey(k) : null;
};

export function GroupBy({ by, keys, onChange }: { by: KeyRef[]; keys: KeyInfo[] | null; onChange: (by: KeyRef[]) => void }): JSX.Element {
    const swap = (i: number, j: number): void => {
        const next = [...by];
        [next[i], next[j]] = [next[j] as KeyRef, next[i] as KeyRef];
        onChange(next);
    };
    const toggle = (id: string): void => {
        const k = keyOf(keys, id);
        if (!k) return;
        onChange(by.some((x) => sameKey(x, k)) ? by.filter((x) => !sameKey(x, k)) : [...by, k]);
    };
    return (
        <div class="by">
            {by.length ? (
                <ol class="chosen" aria-label="Grouped by, in this order">
                    {by.map((k, i) => {
                        const name = keyLabel(k, keys);
                        return (
                            <li key={keyId(k)}>
                                <span class="what">{name}</span>
                                {i > 0 ? <button type="button" class="bare" aria-label={`Move ${name} up`} onClick={() => swap(i, i - 1)}><Icon name="up" size={14} /></button> : null}
                                {i < by.length - 1 ? <button type="button" class="bare" aria-label={`Move ${name} down`} onClick={() => swap(i, i + 1)}><Icon name="down" size={14} /></button> : null}
                                <button type="button" class="bare" aria-label={`Do not group by ${name}`} onClick={() => onChange(by.filter((_, n) => n !== i))}><Icon name="close" size={14} /></button>
                            </li>
                        );
                    })}
                </ol>
            ) : <p class="small soft">Not grouped: one line, the total.</p>}
            <PickList label="Group by" placeholder="Search keys and tags" many items={keyItems(keys)} chosen={new Set(by.map(keyId))} onPick={toggle} empty="No key has this name." />
        </div>
    );
}
