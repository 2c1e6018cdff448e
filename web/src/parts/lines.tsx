/* lines.tsx - a picture of plain numbers over days: fetches the chart chunk, shows what is under the pointer. */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Events, Model } from '../charts/model';
import { useDrawing } from './drawing';

export function Lines({ model, text }: { model: Model; text: (v: number) => string }): JSX.Element {
    const [at, setAt] = useState<{ bucket: number; series: string | null; x: number; y: number } | null>(null);
    const events = useRef<Events>({ onHover: setAt, onPick: () => undefined });
    const { el, ready, failed } = useDrawing(model, async (place) => (await import('../charts/draw')).draw(place, events.current));
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
