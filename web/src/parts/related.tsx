/* related.tsx - the place of a sankey or a graph: fetches its chunk, redraws on theme and size. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { dark as darkCell } from '../app';
import type { Flow, Net, Related } from '../charts/relate';
import { useCell } from '../lib/cell';

export function RelatedPicture({ model, title, height, onPick }: { model: Flow | Net; title: string; height: number; onPick?: (id: string) => void }): JSX.Element {
    const el = useRef<HTMLDivElement>(null);
    const drawing = useRef<Related | null>(null);
    const pick = useRef(onPick);
    pick.current = onPick;
    const [ready, setReady] = useState(false);
    const [failed, setFailed] = useState(false);
    const [tip, setTip] = useState<{ text: string; x: number; y: number } | null>(null);
    const isDark = useCell(darkCell);
    useEffect(() => {
        let gone = false;
        let watch: ResizeObserver | null = null;
        import('../charts/relate').then(({ relate }) => {
            if (gone || !el.current) return;
            const d = relate(el.current, { onPick: (id) => pick.current?.(id), onHover: (text, x, y) => setTip(text ? { text, x, y } : null) });
            drawing.current = d;
            watch = new ResizeObserver(() => d.resize());
            watch.observe(el.current);
            setReady(true);
        }).catch(() => setFailed(true));
        return () => {
            gone = true;
            watch?.disconnect();
            drawing.current?.close();
            drawing.current = null;
        };
    }, []);
    useEffect(() => {
        if (ready) drawing.current?.update(model);
    }, [ready, model, isDark]);
    const width = el.current?.clientWidth ?? 0;
    return (
        <div class="picture" onPointerLeave={() => setTip(null)}>
            <div ref={el} role="img" aria-label={title} style={{ height: `${height}px`, width: '100%' }} />
            {failed ? <p class="small soft" role="alert">The picture could not be fetched; the table has every number.</p> : null}
            {tip ? <div class="tip narrow" style={{ top: `${Math.max(0, tip.y - 36)}px`, left: tip.x > width / 2 ? 'auto' : `${tip.x + 14}px`, right: tip.x > width / 2 ? `${width - tip.x + 14}px` : 'auto' }}>{tip.text}</div> : null}
        </div>
    );
}
