/*
 * table.tsx - the table under the picture, which is its legend: every row, the previous period, a footer
 * that adds up. Beyond 200 rows only those in sight are in the page.
 */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { keys as keyCell } from '../app';
import { useCell } from '../lib/cell';
import { approx, changePercent, count, decOr, exact, money, percent, signed, type Dec } from '../lib/dec';
import { bucketText, spanText } from '../lib/day';
import { keyLabel, TOP_ALL, valueLabel } from '../lib/question';
import type { KeyRef } from '../lib/types';
import { Icon } from '../parts/basic';
import { sorted, type Result, type Row, type SortKey } from './result';

const ROW = 33;
const ALL_IN_PAGE = 200;

export interface TableProps {
    r: Result;
    sort: string;
    pivot: boolean;
    hidden: Set<string>;
    today: string;
    hover: string | null;
    stale: boolean;
    /** As many groups as can be shown are shown. */
    most: boolean;
    onHover: (id: string | null) => void;
    onSort: (sort: string) => void;
    onHide: (row: Row) => void;
    onDrill: (row: Row, key: number) => void;
    onExclude: (row: Row) => void;
    onExplain: (row: Row | null, bucket?: number) => void;
    onOpenOthers: () => void;
    onFewer: (() => void) | null;
}

/* Widths people dragged, by column, for this browser tab and the next. */
const WIDTHS = 'columns';
function savedWidths(): Record<string, number> {
    try {
        const j: unknown = JSON.parse(localStorage.getItem(WIDTHS) ?? '{}');
        return j && typeof j === 'object' ? (j as Record<string, number>) : {};
    } catch {
        return {};
    }
}

export function Table(p: TableProps): JSX.Element {
    const { r } = p;
    const keys = useCell(keyCell);
    const by = r.by;
    const rows = useMemo(() => sorted(r, p.sort), [r, p.sort]);
    const names = by.length ? by.map((k) => keyLabel(k, keys)) : ['Total'];
    const compare = r.answer.previous !== null;
    const parts = rows.some((x) => x.shared !== null);
    const [widths, setWidths] = useState(savedWidths);
    const box = useRef<HTMLDivElement>(null);
    const [win, setWin] = useState({ from: 0, to: ALL_IN_PAGE });
    const long = rows.length > ALL_IN_PAGE;
    const own = long || p.pivot;

    useLayoutEffect(() => {
        const b = box.current;
        if (!long || !b) return undefined;
        const see = (): void => {
            const from = Math.max(0, Math.floor(b.scrollTop / ROW) - 20);
            const to = Math.min(rows.length, from + Math.ceil(b.clientHeight / ROW) + 40);
            setWin((w) => (w.from === from && w.to === to ? w : { from, to }));
        };
        see();
        b.addEventListener('scroll', see, { passive: true });
        return () => b.removeEventListener('scroll', see);
    }, [long, rows.length]);
    useEffect(() => {
        localStorage.setItem(WIDTHS, JSON.stringify(widths));
    }, [widths]);
    const from = long ? win.from : 0;
    const to = long ? Math.min(win.to, rows.length) : rows.length;
    const largest = rows.reduce((m, x) => (x.total > m ? x.total : m), 0n);
    const columns = names.length + 3 + (parts ? 2 : 0) + (compare ? 2 : 0) + (p.pivot ? r.answer.buckets.length : 0);
    const adds = r.shown === r.total;
    const spark = !p.pivot && r.answer.buckets.length > 1;

    const head = (id: SortKey, text: string, cls: string, width: string): JSX.Element => {
        const on = p.sort.replace('-', '') === id || (!p.sort && id === 'cost');
        const down = p.sort ? p.sort.startsWith('-') : true;
        const next = !on ? (id === 'name' ? id : '-' + id) : p.sort === '' ? 'cost' : down ? id : '-' + id;
        return (
            <th scope="col" class={cls} aria-sort={on ? (down ? 'descending' : 'ascending') : undefined} style={widths[width] ? { width: `${widths[width]}px` } : undefined}>
                <button type="button" class="bare" onClick={() => p.onSort(next === '-cost' ? '' : next)}>{text}<span class={on ? (down ? 'arrow down' : 'arrow asc') : 'arrow'} aria-hidden="true" /></button>
                <Grip name={text} width={(w) => setWidths({ ...widths, [width]: w })} reset={() => { const next = { ...widths }; delete next[width]; setWidths(next); }} />
            </th>
        );
    };
    return (
        <div class={'tablebox' + (own ? ' own' : '') + (p.stale ? ' stale' : '')} ref={box} tabIndex={own ? 0 : undefined} role={own ? 'region' : undefined} aria-label={own ? 'Table of costs' : undefined}>
            <table class={p.pivot ? 'bill pivot' : 'bill'} aria-rowcount={long ? rows.length + 2 : undefined} onPointerLeave={() => p.onHover(null)}>
                <caption class="away">Cost by {names.join(', ')}, {spanText(r.answer.range, p.today)}{r.answer.previous ? `, with ${spanText(r.answer.previous, p.today)} before` : ''}{r.answer.compared ? `; the change is of ${spanText(r.answer.compared, p.today)}, which is complete` : ''}</caption>
                <thead>
                    <tr>
                        {names.map((n, i) => (i === 0 ? head('name', n, 'namecol', 'name:' + n) : <th scope="col" class="left" key={n} style={widths['name:' + n] ? { width: `${widths['name:' + n]}px` } : undefined}>{n}
                            <Grip name={n} width={(w) => setWidths({ ...widths, ['name:' + n]: w })} reset={() => undefined} /></th>))}
                        {p.pivot ? r.answer.buckets.map((b, i) => <th scope="col" key={b} class={r.partial[i] ? 'partial' : undefined}>{bucketText(b, r.granularity)}</th>) : null}
                        {head('cost', 'Cost', '', 'cost')}
                        {parts ? <><th scope="col" class="mid" title="What is its own">Direct</th><th scope="col" class="mid" title="What was reallocated to it">Shared</th></> : null}
                        {p.pivot ? null : <th scope="col" class="sharecol">Share</th>}
                        {compare ? head('previous', 'Previous', 'mid', 'previous') : null}
                        {compare ? head('change', 'Change', '', 'change') : null}
                        {spark ? <th scope="col" class="mid sparkcol">{r.answer.range.days} days</th> : null}
                    </tr>
                </thead>
                <tbody>
                    {from > 0 ? <tr class="spacer" aria-hidden="true"><td colSpan={columns} style={{ height: `${from * ROW}px` }} /></tr> : null}
                    {rows.slice(from, to).map((x, i) => (
                        <Line key={x.id} x={x} p={p} by={by} compare={compare} parts={parts} largest={largest} index={long ? from + i + 2 : undefined} />
                    ))}
                    {to < rows.length ? <tr class="spacer" aria-hidden="true"><td colSpan={columns} style={{ height: `${(rows.length - to) * ROW}px` }} /></tr> : null}
                </tbody>
                <tfoot>
                    {adds ? null : (
                        <tr class="soft">
                            <td colSpan={names.length}>{r.answer.groupCount - rows.length} groups not shown</td>
                            {p.pivot ? r.answer.buckets.map((b) => <td key={b} />) : null}
                            <td title={exact(r.total - r.shown, r.currency)}>{money(r.total - r.shown, r.currency)}</td>
                            {parts ? <><td class="mid" /><td class="mid" /></> : null}
                            <td class={p.pivot ? 'gone' : 'sharecol'} />{compare ? <><td class="mid" /><td /></> : null}{spark ? <td class="mid" /> : null}
                        </tr>
                    )}
                    <tr>
                        <td colSpan={names.length}>{by.length ? <>Total of {count(r.answer.groupCount)} {r.answer.groupCount === 1 ? 'group' : 'groups'}</> : 'Total'}
                            {p.onFewer ? <button type="button" class="link fewer" onClick={p.onFewer}>show fewer</button> : null}</td>
                        {p.pivot ? r.cells.map((c, i) => <td key={i} title={r.mixed ? undefined : exact(c, r.currency)}>{r.mixed ? '–' : money(c, r.currency)}</td>) : null}
                        {r.mixed ? <td class="soft" title="Amounts of several currencies have no total">–</td> : <td title={exact(r.total, r.currency)} data-total={r.answer.total.total}>{money(r.total, r.currency)}</td>}
                        {parts ? <><Part d={decOr(r.answer.total.direct)} currency={r.currency} /><Part d={decOr(r.answer.total.shared)} currency={r.currency} /></> : null}
                        {p.pivot ? null : <td class="sharecol" />}
                        {compare ? <td class="mid" title={r.mixed ? undefined : exact(r.previous as Dec, r.currency)}>{r.mixed ? '–' : money(r.previous as Dec, r.currency)}</td> : null}
                        {compare ? <td>{r.mixed ? '–' : <Delta now={r.compared} before={r.previous as Dec} currency={r.currency} />}</td> : null}
                        {spark ? <td class="mid" /> : null}
                    </tr>
                </tfoot>
            </table>
        </div>
    );
}

function Delta({ now, before, currency }: { now: Dec; before: Dec; currency: string }): JSX.Element {
    const d = now - before;
    const cls = d > 0n ? 'up' : d < 0n ? 'down' : 'soft';
    const pct = changePercent(now, before);
    return <span title={exact(d, currency)}><span class={cls}>{signed(d, currency)}</span> <span class="soft pct">{pct}</span></span>;
}

function Part({ d, currency }: { d: Dec | null; currency: string }): JSX.Element {
    return <td class="mid soft" title={d === null ? undefined : exact(d, currency)}>{d === null ? '–' : money(d, currency)}</td>;
}

function Line({ x, p, by, compare, parts, largest, index }: { x: Row; p: TableProps; by: KeyRef[]; compare: boolean; parts: boolean; largest: Dec; index: number | undefined }): JSX.Element {
    const { r } = p;
    const hiddenRow = p.hidden.has(x.id);
    const share = !r.mixed && largest > 0n && x.total > 0n ? Math.max(1, Number((x.total * 1000n) / largest) / 10) : 0;
    const cls = [p.hover === x.id ? 'at' : '', hiddenRow ? 'off' : ''].filter(Boolean).join(' ');
    return (
        <tr class={cls || undefined} aria-rowindex={index} data-row={x.isOthers ? 'others' : x.values.join('|')} onPointerEnter={() => p.onHover(x.id)}>
            {x.isOthers ? (
                <th scope="row" class="namecol" colSpan={Math.max(1, by.length)}>
                    <span class="cell"><i class="sw c0" /><button type="button" class="name" onClick={p.onOpenOthers} title={p.most ? 'The largest 1,000 are shown; the CSV has every group' : `Show all ${count(r.answer.groupCount)}`}>{x.label}</button><span class="more">{p.most ? 'all as CSV' : r.answer.groupCount > TOP_ALL ? `show ${count(TOP_ALL)}` : 'show all'}</span></span>
                </th>
            ) : by.length === 0 ? (
                <th scope="row" class="namecol"><span class="cell"><i class={`sw c${x.colour}`} />Total</span></th>
            ) : by.map((k, i) => {
                const text = valueLabel(x.values[i] ?? '', k);
                const inner = (
                    <>
                        <button type="button" class={x.values[i] ? 'name' : 'name missing'} title={`${text}: show only this`} onClick={() => p.onDrill(x, i)}>{text}</button>
                        {i === by.length - 1 ? (
                            <span class="acts">
                                <button type="button" class="bare" aria-label={`Exclude ${x.label}`} title="Exclude" onClick={() => p.onExclude(x)}><Icon name="not" size={14} /></button>
                                <button type="button" class="bare" aria-label={`Explain ${x.label}`} title="Explain this number" onClick={() => p.onExplain(x)}><Icon name="info" size={14} /></button>
                            </span>
                        ) : null}
                    </>
                );
                return i === 0 ? (
                    <th scope="row" class="namecol" key={i}>
                        <span class="cell">
                            <button type="button" class={`swatch c${x.colour}`} aria-pressed={!hiddenRow} aria-label={`${x.label} in the picture`} title={hiddenRow ? 'Draw it' : 'Leave it out of the picture'} onClick={() => p.onHide(x)} />
                            {inner}
                        </span>
                    </th>
                ) : <td class="left" key={i}><span class="cell">{inner}</span></td>;
            })}
            {p.pivot ? x.cells.map((c, i) => <td key={i} class={c === 0n ? 'soft' : undefined}>{c === 0n ? '–' : <button type="button" class="number" title={exact(c, x.currency)} onClick={() => p.onExplain(x, i)}>{money(c, x.currency)}</button>}</td>) : null}
            <td><button type="button" class="number" title={exact(x.total, x.currency)} onClick={() => p.onExplain(x)}>{money(x.total, x.currency)}</button></td>
            {parts ? <><Part d={x.direct} currency={x.currency} /><Part d={x.shared} currency={x.currency} /></> : null}
            {p.pivot ? null : <td class="sharecol"><span class="share" aria-hidden="true"><i style={{ width: `${share}%` }} /></span><span class="soft pct">{r.mixed ? '–' : percent(x.total, r.total) ?? '–'}</span></td>}
            {compare ? <td class="mid soft" title={x.previous !== null ? exact(x.previous, x.currency) : undefined}>{x.previous !== null ? money(x.previous, x.currency) : '–'}</td> : null}
            {compare ? <td>{x.previous !== null ? <Delta now={x.compared} before={x.previous} currency={x.currency} /> : '–'}</td> : null}
            {!p.pivot && x.cells.length > 1 ? <td class="mid sparkcol"><Spark cells={x.cells.filter((_, i) => !r.partial[i])} /></td> : null}
        </tr>
    );
}

function Spark({ cells }: { cells: Dec[] }): JSX.Element | null {
    if (cells.length < 2) return null;
    const v = cells.map(approx);
    const max = Math.max(...v);
    const min = Math.min(...v);
    const span = max - min || 1;
    const points = v.map((y, i) => `${((i / (v.length - 1)) * 94 + 1).toFixed(1)},${(max === min ? 10 : 18 - (16 * (y - min)) / span).toFixed(1)}`).join(' ');
    return <svg class="spark" width="96" height="20" aria-hidden="true"><polyline points={points} fill="none" stroke="currentColor" stroke-width="1.3" stroke-linejoin="round" /></svg>;
}

/** The edge of a column: drag it, or focus it and use the arrows; a double click lets it be. */
function Grip({ name, width, reset }: { name: string; width: (w: number) => void; reset: () => void }): JSX.Element {
    const size = (el: HTMLElement): number => Math.round((el.closest('th') as HTMLElement).getBoundingClientRect().width);
    const [now, setNow] = useState(120);
    const put = (w: number): void => {
        const ok = Math.max(60, Math.min(900, w));
        setNow(ok);
        width(ok);
    };
    return (
        <span class="grip" role="separator" aria-orientation="vertical" aria-label={`Width of ${name}`} aria-valuenow={now} aria-valuemin={60} aria-valuemax={900} tabIndex={0}
            onFocus={(e) => setNow(size(e.currentTarget))}
            onDblClick={reset}
            onKeyDown={(e) => {
                const step = { ArrowLeft: -16, ArrowRight: 16 }[e.key];
                if (!step) return;
                e.preventDefault();
                put(size(e.currentTarget) + step);
            }}
            onPointerDown={(e) => {
                e.preventDefault();
                const el = e.currentTarget;
                const start = size(el) - e.clientX;
                el.setPointerCapture(e.pointerId);
                const move = (m: PointerEvent): void => put(start + m.clientX);
                el.addEventListener('pointermove', move);
                el.addEventListener('pointerup', () => el.removeEventListener('pointermove', move), { once: true });
                el.addEventListener('pointercancel', () => el.removeEventListener('pointermove', move), { once: true });
            }} />
    );
}
