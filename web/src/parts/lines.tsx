/* lines.tsx - a picture of plain numbers over days: fetches the chart chunk, shows what is under the pointer. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { dark as darkCell } from '../app';
import type { Drawing, Events, Model } from '../charts/model';
import { useCell } from '../lib/cell';

export function Lines({ model, text }: { model: Model; text: (v: number) => string }): JSX.Element {
    const el = useRef<HTMLDivElement>(null);
    const drawing = useRef<Drawing | null>(null);
    const [ready, setReady] = useState(false);
    const [failed, setFailed] = useState(false);
    const [at, setAt] = useState<{ bucket: number; series: string | null; x: number; y: number } | null>(null);
    const isDark = useCell(darkCell);
    const events = useRef<Events>({ onHover: setAt, onPick: () => undefined });
    useEffect(() => {
        let gone = false;
        let watch: ResizeObserver | null = null;
        import('../charts/draw').then(({ draw }) => {
            if (gone || !el.current) return;
            const d = draw(el.current, events.current);
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
    const b = at?.bucket ?? -1;
    const left = at !== null && at.x > width / 2;
    return (
        <div class="picture" onPointerLeave={() => setAt(null)}>
            <div class="canvas" ref={el} role="img" aria-label={model.title} />
            {failed ? <p class="small soft" role="alert">The chart could not be fetched; the table has every number.</p> : null}
            {at && b >= 0 && ready ? (
                <div class="tip" style={{ top: `${Math.max(0, Math.min(at.y - 20, 120))}px`, left: left ? 'auto' : `${at.x + 18}px`, right: left ? `${width - at.x + 18}px` : 'auto' }}>
                    <b>{model.labels[b]}</b>
                    {model.series.map((s) => <div key={s.id} class={s.id === at.series ? 'at' : undefined}><span><i class={`sw c${s.colour}`} /><span class="name">{s.label}</span></span><span>{text(s.values[b] ?? 0)}</span></div>)}
                </div>
            ) : null}
        </div>
    );
}
