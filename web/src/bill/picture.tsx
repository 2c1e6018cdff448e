/*
 * picture.tsx - the place of the picture: fetches the chart chunk, hands it the model, shows the tooltip.
 *
 * At most eight series and a grey rest are drawn, whatever the table holds; hidden ones are left out of
 * the picture only. The sums of the tooltip are exact.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Events, Model } from '../charts/model';
import { approx, money, percent, sum, type Dec } from '../lib/dec';
import { bucketText, longDay } from '../lib/day';
import type { ChartKind } from '../lib/types';
import { useDrawing } from '../parts/drawing';
import { SERIES, type Result, type Row } from './result';

export const REST = '\u0000rest';

/** The rows that are drawn: coloured ones, then one grey rest of all that has no colour. */
export function drawn(r: Result, hidden: Set<string>): Row[] {
    const named = r.rows.filter((x) => x.colour > 0);
    const grey = r.rows.filter((x) => x.colour === 0);
    const out = named.slice(0, SERIES);
    if (grey.length) {
        const n = grey.reduce((s, x) => s + (x.isOthers ? x.others : 1), 0);
        const only = grey.length === 1 ? (grey[0] as Row) : null;
        out.push(only ?? {
            id: REST, values: [], label: `${n} others`, total: sum(grey.map((x) => x.total)), previous: null, compared: sum(grey.map((x) => x.compared)),
            cells: r.cells.map((_, i) => sum(grey.map((x) => x.cells[i] as Dec))), isOthers: true, others: n, direct: null, shared: null, currency: r.currency, colour: 0,
        });
    }
    return out.filter((x) => !hidden.has(x.id));
}

interface PictureProps {
    r: Result;
    kind: ChartKind;
    hidden: Set<string>;
    title: string;
    hover: string | null;
    onHover: (id: string | null) => void;
    onPick: (row: Row) => void;
    stale: boolean;
}
export function Picture({ r, kind, hidden, title, hover, onHover, onPick, stale }: PictureProps): JSX.Element {
    const [at, setAt] = useState<{ bucket: number; series: string | null; x: number; y: number } | null>(null);
    const rows = useMemo(() => drawn(r, hidden), [r, hidden]);
    const model = useMemo<Model>(() => ({
        kind, currency: r.currency, title,
        labels: r.answer.buckets.map((b) => bucketText(b, r.granularity)),
        partial: r.partial,
        empty: r.partial.map((part, i) => part && r.cells[i] === 0n),
        series: rows.map((x) => ({ id: x.id, label: x.label, colour: x.colour, values: x.cells.map(approx), total: approx(x.total) })),
    }), [rows, kind, title, r]);
    const events = useRef<Events>({ onHover: () => undefined, onPick: () => undefined });
    events.current = {
        onHover: (h) => {
            setAt(h);
            onHover(h?.series ?? null);
        },
        onPick: (id) => {
            const row = rows.find((x) => x.id === id);
            if (row) onPick(row);
        },
    };
    const { el, drawing, ready, failed } = useDrawing(model, async (place) => (await import('../charts/draw')).draw(place, { onHover: (h) => events.current.onHover(h), onPick: (id) => events.current.onPick(id) }));
    useEffect(() => {
        drawing.current?.highlight(hover);
    }, [hover, model, ready]);

    const credits = kind === 'pie' || kind === 'treemap' ? rows.filter((x) => x.total < 0n).length : 0;
    return (
        <div class={stale ? 'picture stale' : 'picture'} onPointerLeave={() => { setAt(null); onHover(null); }}>
            <div class="canvas" ref={el} role="img" aria-label={title} />
            {!ready && !failed ? <div class="bone canvasbone" /> : null}
            {failed ? <p class="state small soft" role="alert">The chart could not be fetched; the table below has every number. <button type="button" class="link" onClick={() => location.reload()}>Fetch again</button></p> : null}
            {at && ready ? <Tip r={r} rows={rows} at={at} width={el.current?.clientWidth ?? 0} /> : null}
            {r.partial.some(Boolean) && r.partial.length > 1 && kind !== 'pie' && kind !== 'treemap' ? <Incomplete r={r} /> : null}
            {credits ? <p class="small soft">{credits} {credits === 1 ? 'group is a credit and has' : 'groups are credits and have'} no area; the table shows {credits === 1 ? 'it' : 'them'}.</p> : null}
        </div>
    );
}

/** What the hatching means, and what waits for what. */
function Incomplete({ r }: { r: Result }): JSX.Element {
    const after = r.completeTo ? `after ${longDay(r.completeTo)}` : 'no bill covers these days';
    return <p class="small soft hatched"><i class="hatch" aria-hidden="true" /> incomplete: {after}{r.answer.behind ? `, ${r.answer.behind} is not known further` : ''}{r.answer.compared ? '; comparisons leave these days out' : ''}</p>;
}

function Tip({ r, rows, at, width }: { r: Result; rows: Row[]; at: { bucket: number; series: string | null; x: number; y: number }; width: number }): JSX.Element | null {
    const ref = useRef<HTMLDivElement>(null);
    const one = rows.find((x) => x.id === at.series);
    const left = at.x > width / 2;
    const style = { top: `${Math.max(0, Math.min(at.y - 20, 120))}px`, left: left ? 'auto' : `${at.x + 18}px`, right: left ? `${width - at.x + 18}px` : 'auto' };
    if (at.bucket < 0 || r.answer.buckets.length === 1) {
        if (!one) return null;
        return (
            <div class="tip" style={style} ref={ref}>
                <div><span><i class={`sw c${one.colour}`} />{one.label}</span></div>
                <div class="sum"><b>{money(one.total, r.currency)}</b><span class="soft">{percent(one.total, r.total) ?? ''}</span></div>
            </div>
        );
    }
    const b = at.bucket;
    const all = rows.map((x) => ({ x, v: x.cells[b] as Dec })).sort((p, q) => (p.v < q.v ? 1 : p.v > q.v ? -1 : 0));
    const shown = all.filter((e) => e.v !== 0n || e.x.id === at.series);
    return (
        <div class="tip" style={style} ref={ref}>
            <b>{bucketText(r.answer.buckets[b] as string, r.granularity, true)}{r.partial[b] ? ', incomplete' : ''}</b>
            {shown.map(({ x, v }) => (
                <div key={x.id} class={x.id === at.series ? 'at' : undefined}><span><i class={`sw c${x.colour}`} /><span class="name">{x.label}</span></span><span>{money(v, r.currency)}</span></div>
            ))}
            <div class="sum"><b>Total</b><b>{money(sum(rows.map((x) => x.cells[b] as Dec)), r.currency)}</b></div>
        </div>
    );
}
