/* when.tsx - the date panel: named ranges with the days they mean, a calendar, and typed days. */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../parts/basic';
import { addDays, addMonths, daysBetween, firstOfMonth, lastOfMonth, longDay, maxDay, minDay, monthName, parseDay, RANGES, resolve, spanText, weekday, type Day, type Span } from '../lib/day';
import type { DateSpec } from '../lib/types';

export interface WhenProps {
    date: DateSpec;
    span: Span | null;
    today: Day;
    firstDay: Day | null;
    onPick: (d: DateSpec) => void;
}

export function When({ date, span, today, firstDay, onPick }: WhenProps): JSX.Element {
    const current = 'relativeRange' in date ? date.relativeRange : '';
    const start = span ?? { from: today, to: today };
    const [from, setFrom] = useState(longDay(start.from));
    const [to, setTo] = useState(longDay(start.to));
    const [month, setMonth] = useState(firstOfMonth(start.to));
    const [anchor, setAnchor] = useState<Day | null>(null);
    const a = parseDay(from, today);
    const b = parseDay(to, today);
    const wrong = !a ? 'The first day is not a date like 1 Oct 2026 or 2026-10-01' : !b ? 'The last day is not a date like 31 Oct 2026 or 2026-10-31' : a > b ? 'The first day is after the last' : null;

    const pick = (d: Day): void => {
        if (anchor === null) {
            setAnchor(d);
            setFrom(longDay(d));
            setTo(longDay(d));
        } else {
            const s = { from: minDay(anchor, d), to: maxDay(anchor, d) };
            setAnchor(null);
            onPick(s);
        }
    };
    return (
        <div class="when">
            <div class="ranges" role="group" aria-label="Named ranges">
                {RANGES.map(([name, label]) => {
                    const s = resolve(name, today);
                    return (
                        <button type="button" key={name} class="line" aria-pressed={name === current} onClick={() => onPick({ relativeRange: name, type: 'day' })}>
                            <span>{label}</span>
                            <span class="soft">{s ? spanText(s, today) : ''}</span>
                        </button>
                    );
                })}
            </div>
            <form class="free" onSubmit={(e) => {
                e.preventDefault();
                if (a && b && !wrong) onPick({ from: a, to: b });
            }}>
                <div class="two">
                    <label>From<input type="text" value={from} aria-invalid={a === null} onInput={(e) => setFrom(e.currentTarget.value)} /></label>
                    <label>To<input type="text" value={to} aria-invalid={b === null} onInput={(e) => setTo(e.currentTarget.value)} /></label>
                </div>
                <Calendar month={month} onMonth={setMonth} from={a} to={b} today={today} onPick={pick} />
                <p class={wrong ? 'small up' : 'small soft'} aria-live="polite">
                    {wrong ?? (anchor ? 'Now the other end' : `${daysBetween(a as Day, b as Day)} days` + (firstDay && (a as Day) < firstDay ? `; bills begin on ${longDay(firstDay)}` : ''))}
                </p>
                <button class="primary" disabled={wrong !== null}>Show these days</button>
            </form>
        </div>
    );
}

interface CalendarProps {
    month: Day;
    onMonth: (m: Day) => void;
    from: Day | null;
    to: Day | null;
    today: Day;
    onPick: (d: Day) => void;
}
function Calendar({ month, onMonth, from, to, today, onPick }: CalendarProps): JSX.Element {
    const first = addDays(month, -weekday(month));
    const last = lastOfMonth(month);
    const days: Day[] = [];
    for (let d = first; d <= last || days.length % 7 !== 0; d = addDays(d, 1)) days.push(d);
    const [focus, setFocus] = useState<Day>(to && to.slice(0, 7) === month.slice(0, 7) ? to : month);
    const current = focus.slice(0, 7) === month.slice(0, 7) ? focus : month;
    // The focus follows within the same frame, so fast keys never act on the day before.
    const moved = useRef(false);
    const table = useRef<HTMLTableElement>(null);
    useLayoutEffect(() => {
        if (moved.current) table.current?.querySelector<HTMLElement>(`[data-day="${current}"]`)?.focus();
        moved.current = false;
    }, [current]);
    const move = (e: KeyboardEvent): void => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[e.key];
        const next = step ? addDays(current, step) : e.key === 'PageUp' ? addMonths(month, -1) : e.key === 'PageDown' ? addMonths(month, 1) : null;
        if (!next) return;
        e.preventDefault();
        setFocus(next);
        onMonth(firstOfMonth(next));
        moved.current = true;
    };
    return (
        <div class="calendar">
            <div class="calhead">
                <button type="button" class="bare" aria-label="Month before" onClick={() => onMonth(addMonths(month, -1))}><Icon name="left" /></button>
                <b aria-live="polite">{monthName(month)}</b>
                <button type="button" class="bare" aria-label="Month after" onClick={() => onMonth(addMonths(month, 1))}><Icon name="right" /></button>
            </div>
            <table ref={table}>
                <thead><tr>{['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].map((w) => <th scope="col" key={w}>{w}</th>)}</tr></thead>
                <tbody>
                    {Array.from({ length: days.length / 7 }, (_, w) => (
                        <tr key={w}>
                            {days.slice(w * 7, w * 7 + 7).map((d) => {
                                const inside = from !== null && to !== null && d >= from && d <= to;
                                const cls = [d.slice(0, 7) === month.slice(0, 7) ? '' : 'out', inside ? 'in' : '', d === from || d === to ? 'end' : '', d === today ? 'now' : ''].filter(Boolean).join(' ');
                                return (
                                    <td key={d} class={cls}>
                                        <button type="button" data-day={d} tabIndex={d === current ? 0 : -1} aria-label={longDay(d)} aria-pressed={inside}
                                            aria-current={d === today ? 'date' : undefined} onKeyDown={move} onClick={() => onPick(d)}>{Number(d.slice(8))}</button>
                                    </td>
                                );
                            })}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
