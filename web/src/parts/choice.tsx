/* choice.tsx - one of a few, each with a line that says what it is. */
import type { JSX } from 'preact';

export function Choice({ items, value, onPick }: { items: readonly (readonly [string, string, string?])[]; value: string; onPick: (id: string) => void }): JSX.Element {
    return (
        <div class="menu" role="group">
            {items.map(([id, label, doc]) => (
                <button type="button" key={id} class="line two" aria-pressed={id === value} data-first={id === value ? '' : undefined} onClick={() => onPick(id)}>
                    <span>{label}</span>{doc ? <span class="soft small">{doc}</span> : null}
                </button>
            ))}
        </div>
    );
}
