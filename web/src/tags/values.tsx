/* values.tsx - one or several values of the tag being edited: those the preview found, or typed. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { dec, money } from '../lib/dec';
import { Panel } from '../parts/panel';
import { matches, PickList, type Item } from '../parts/picklist';

export interface KnownValue {
    value: string;
    cost: string;
}
function items(known: KnownValue[], chosen: string[], search: string, currency: string): Item[] {
    const listed = new Set(known.map((v) => v.value));
    const more = chosen.filter((v) => v && !listed.has(v)).map((v): Item => ({ id: v, label: v }));
    const near = [...known.filter((v) => v.value !== '').map((v): Item => ({ id: v.value, label: v.value, hint: money(dec(v.cost), currency) })), ...more].filter((i) => matches(i.label, search)).slice(0, 300);
    const s = search.trim();
    return s && !listed.has(s) && !more.some((m) => m.id === s) ? [...near, { id: s, label: s, hint: 'exactly this' }] : near;
}
export function OneValue({ value, known, currency, name, onChange }: { value: string; known: KnownValue[]; currency: string; name: string; onChange: (v: string) => void }): JSX.Element {
    const [search, setSearch] = useState('');
    return (
        <Panel float class="pick" title={name} name={`${name}: ${value || 'Choose a value'}`} label={value || 'Choose a value'}>
            {(close) => <PickList label={name} placeholder="Search, or type a value" items={items(known, [value], search, currency)} search={search} onSearch={setSearch} empty="No value matches." onPick={(v) => { onChange(v); setSearch(''); close(); }} />}
        </Panel>
    );
}
export function ManyValues({ values, known, currency, name, none, onChange }: { values: string[]; known: KnownValue[]; currency: string; name: string; none: string; onChange: (v: string[]) => void }): JSX.Element {
    const [search, setSearch] = useState('');
    return (
        <Panel float class="pick" title={name} name={`${name}: ${values.join(', ') || none}`} label={values.length ? values.join(', ') : none}>
            {() => <PickList label={name} placeholder="Search, or paste a list" many items={items(known, values, search, currency)} chosen={new Set(values)} search={search} onSearch={setSearch} empty="No value matches."
                onPaste={(v) => onChange([...new Set([...values, ...v])])}
                onPick={(v) => onChange(values.includes(v) ? values.filter((x) => x !== v) : [...values, v])}
                foot={<p class="small soft foot">{values.length} chosen{values.length ? <> · <button type="button" class="link" onClick={() => onChange([])}>clear</button></> : null}</p>} />}
        </Panel>
    );
}
