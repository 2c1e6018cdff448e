/* drawing.ts - the life of a picture: its chunk is fetched, it is drawn, and drawn again on a new model, theme or size. */
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { dark as darkCell } from '../app';
import { useCell } from '../lib/cell';

interface Drawn<M> {
    update(model: M): void;
    resize(): void;
    close(): void;
}
/** make is called once; what it is to call later must not change with it. */
export function useDrawing<M, D extends Drawn<M>>(model: M, make: (el: HTMLElement) => Promise<D>): { el: RefObject<HTMLDivElement>; drawing: { current: D | null }; ready: boolean; failed: boolean } {
    const el = useRef<HTMLDivElement>(null);
    const drawing = useRef<D | null>(null);
    const [ready, setReady] = useState(false);
    const [failed, setFailed] = useState(false);
    const isDark = useCell(darkCell);
    useEffect(() => {
        let gone = false;
        let watch: ResizeObserver | null = null;
        const place = el.current;
        if (!place) return undefined;
        make(place).then((d) => {
            if (gone) {
                d.close();
                return;
            }
            drawing.current = d;
            watch = new ResizeObserver(() => d.resize());
            watch.observe(place);
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
    return { el, drawing, ready, failed };
}
