/* related.tsx - the place of a sankey or a graph: fetches its chunk, redraws on theme and size. */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Flow, Net } from '../charts/relate';
import { useDrawing } from './drawing';

export function RelatedPicture({ model, title, height, onPick }: { model: Flow | Net; title: string; height: number; onPick?: (id: string) => void }): JSX.Element {
    const pick = useRef(onPick);
    pick.current = onPick;
    const [tip, setTip] = useState<{ text: string; x: number; y: number } | null>(null);
    const { el, failed } = useDrawing(model, async (place) => (await import('../charts/relate')).relate(place, { onPick: (id) => pick.current?.(id), onHover: (text, x, y) => setTip(text ? { text, x, y } : null) }));
    const width = el.current?.clientWidth ?? 0;
    return (
        <div class="picture" onPointerLeave={() => setTip(null)}>
            <div ref={el} role="img" aria-label={title} style={{ height: `${height}px`, width: '100%' }} />
            {failed ? <p class="small soft" role="alert">The picture could not be fetched; the table has every number.</p> : null}
            {tip ? <div class="tip narrow" style={{ top: `${Math.max(0, tip.y - 36)}px`, left: tip.x > width / 2 ? 'auto' : `${tip.x + 14}px`, right: tip.x > width / 2 ? `${width - tip.x + 14}px` : 'auto' }}>{tip.text}</div> : null}
        </div>
    );
}
