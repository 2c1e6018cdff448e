/*
 * picklist.tsx - a search box over a list, by keyboard alone: arrows move, Enter takes, typing narrows.
 *
 * One part for keys, values, commands and saved views. The box keeps the focus; the list is its popup
 * in the sense of ARIA's combobox.
 */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';

export interface Item {
    id: string;
    label: string;
    hint?: string | undefined;
    group?: string | undefined;
    body?: ComponentChildren;
}
export interface PickListProps {
    label: string;
    placeholder: string;
    items: Item[];
    chosen?: Set<string>;
    many?: boolean;
    search?: string;
    onSearch?: (text: string) => void;
    onPick: (id: string) => void;
    onPaste?: (values: string[]) => void;
    foot?: ComponentChildren;
    empty: ComponentChildren;
    busy?: boolean;
}

const words = (s: string): string[] => s.toLowerCase().split(/\s+/).filter(Boolean);
export const matches = (text: string, search: string): boolean => {
    const t = text.toLowerCase();
    return words(search).every((w) => t.includes(w));
};

export function PickList(p: PickListProps): JSX.Element {
    const [own, setOwn] = useState('');
    const search = p.search ?? own;
    const items = p.onSearch ? p.items : p.items.filter((i) => matches(`${i.label} ${i.hint ?? ''} ${i.group ?? ''}`, search));
    const [at, setAt] = useState(0);
    const list = useRef<HTMLUListElement>(null);
    const id = useId();
    const now = Math.min(at, items.length - 1);
    useEffect(() => setAt(0), [search]);
    useEffect(() => {
        list.current?.querySelector('[data-at]')?.scrollIntoView({ block: 'nearest' });
    }, [now, search]);
    const key = (e: KeyboardEvent): void => {
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[e.key];
        if (step) {
            e.preventDefault();
            setAt(Math.max(0, Math.min(items.length - 1, now + step)));
        } else if (e.key === 'Enter') {
            const item = items[now];
            if (!item) return;
            e.preventDefault();
            p.onPick(item.id);
        }
    };
    let last: string | undefined;
    return (
        <div class="picklist">
            <input type="text" role="combobox" aria-label={p.label} aria-expanded="true" aria-controls={id} aria-autocomplete="list"
                aria-activedescendant={items.length ? `${id}-${now}` : undefined} placeholder={p.placeholder} value={search} data-first
                autocomplete="off" spellcheck={false} onKeyDown={key}
                onInput={(e) => {
                    setOwn(e.currentTarget.value);
                    p.onSearch?.(e.currentTarget.value);
                }}
                onPaste={(e) => {
                    const text = e.clipboardData?.getData('text') ?? '';
                    const values = text.split(/[\n\r\t]+|,\s*/).map((v) => v.trim()).filter(Boolean);
                    if (!p.onPaste || values.length < 2) return;
                    e.preventDefault();
                    p.onPaste(values);
                }} />
            <ul role="listbox" id={id} ref={list} aria-label={p.label} aria-multiselectable={p.many ? 'true' : undefined} aria-busy={p.busy} tabIndex={-1}>
                {items.map((i, n) => {
                    const head = i.group !== last ? i.group : undefined;
                    last = i.group;
                    const on = p.chosen?.has(i.id) ?? false;
                    return [
                        head ? <li key={'head ' + head} role="presentation" class="head">{head}</li> : null,
                        <li key={i.id} role="option" id={`${id}-${n}`} aria-selected={p.many ? on : n === now} data-at={n === now ? '' : undefined}
                            onPointerMove={() => n !== now && setAt(n)} onClick={() => p.onPick(i.id)}>
                            {p.many ? <span class={on ? 'tick on' : 'tick'} aria-hidden="true" /> : null}
                            <span class="what">{i.body ?? i.label}</span>
                            {i.hint ? <span class="hint">{i.hint}</span> : null}
                        </li>,
                    ];
                })}
            </ul>
            {items.length === 0 ? <p class="none" role="status">{p.empty}</p> : null}
            {p.foot}
        </div>
    );
}
