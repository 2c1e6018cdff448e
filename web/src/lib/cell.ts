/* cell.ts - one value that components can watch; all state that more than one screen shares is a cell. */
import { useEffect, useState } from 'preact/hooks';

export interface Cell<T> {
    get(): T;
    set(next: T): void;
    watch(fn: () => void): () => void;
}

export function cell<T>(first: T): Cell<T> {
    let value = first;
    const watchers = new Set<() => void>();
    return {
        get: () => value,
        set(next) {
            if (Object.is(next, value)) return;
            value = next;
            for (const w of [...watchers]) w();
        },
        watch(fn) {
            watchers.add(fn);
            return () => void watchers.delete(fn);
        },
    };
}

export function useCell<T>(c: Cell<T>): T {
    const [value, setValue] = useState(c.get());
    useEffect(() => {
        setValue(c.get());
        return c.watch(() => setValue(() => c.get()));
    }, [c]);
    return value;
}
