/*
 * day.ts - days as YYYY-MM-DD text, always UTC, and the named ranges with the days they mean.
 *
 * The server decides what a named range covers; `resolve` gives the same days at once for the picker.
 */
export type Day = string;
export interface Span {
    from: Day;
    to: Day;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const LONG = [
    'January', 'February', 'March', 'April', 'May', 'June',
    'July', 'August', 'September', 'October', 'November', 'December',
] as const;
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

const utc = (d: Day): Date => new Date(d.slice(0, 10) + 'T00:00:00Z');
const text = (d: Date): Day => d.toISOString().slice(0, 10);

export const isDay = (s: string): boolean => /^\d{4}-\d\d-\d\d$/.test(s) && !Number.isNaN(+utc(s)) && text(utc(s)) === s;
export const addDays = (d: Day, n: number): Day => text(new Date(+utc(d) + n * 864e5));
export const daysBetween = (from: Day, to: Day): number => Math.round((+utc(to) - +utc(from)) / 864e5) + 1;
export const firstOfMonth = (d: Day): Day => d.slice(0, 8) + '01';
export const addMonths = (d: Day, n: number): Day => {
    const t = utc(firstOfMonth(d));
    t.setUTCMonth(t.getUTCMonth() + n);
    return text(t);
};
const firstOfQuarter = (d: Day): Day => addMonths(firstOfMonth(d), -((Number(d.slice(5, 7)) - 1) % 3));
export const lastOfMonth = (d: Day): Day => addDays(addMonths(d, 1), -1);
/** 0 = Monday. */
export const weekday = (d: Day): number => (utc(d).getUTCDay() + 6) % 7;
export const monthName = (d: Day): string => `${LONG[Number(d.slice(5, 7)) - 1]} ${d.slice(0, 4)}`;
export const minDay = (a: Day, b: Day): Day => (a < b ? a : b);
export const maxDay = (a: Day, b: Day): Day => (a > b ? a : b);

/** 13 Nov 2026 */
export const longDay = (d: Day): string => `${Number(d.slice(8, 10))} ${MONTHS[Number(d.slice(5, 7)) - 1]} ${d.slice(0, 4)}`;
/** 13 Nov */
export const shortDay = (d: Day): string => `${Number(d.slice(8, 10))} ${MONTHS[Number(d.slice(5, 7)) - 1]}`;
/** Fri 13 Nov 2026 */
export const weekDay = (d: Day): string => `${WEEKDAYS[utc(d).getUTCDay()]} ${longDay(d)}`;

/** 23 Oct to 21 Nov 2026; the year of the first day only where it differs. */
export function spanText(s: Span, today: Day): string {
    if (s.from === s.to) return s.from.slice(0, 4) === today.slice(0, 4) ? shortDay(s.from) : longDay(s.from);
    const same = s.from.slice(0, 4) === s.to.slice(0, 4);
    const now = s.to.slice(0, 4) === today.slice(0, 4);
    if (same && now) return `${shortDay(s.from)} to ${shortDay(s.to)}`;
    return `${same ? shortDay(s.from) : longDay(s.from)} to ${longDay(s.to)}`;
}

/** A bucket of the answer as the axis and the tooltip name it. */
export function bucketText(bucket: string, granularity: string, long = false): string {
    const d = bucket.slice(0, 10);
    switch (granularity) {
        case 'hour':
            return `${long ? weekDay(d) : shortDay(d)} ${bucket.length > 12 ? bucket.slice(11, 16) : '00:00'}`;
        case 'week':
            return long ? `Week of ${longDay(d)}` : shortDay(d);
        case 'month':
            return long ? monthName(d) : `${MONTHS[Number(d.slice(5, 7)) - 1]} ${d.slice(0, 4)}`;
        case 'quarter':
            return `Q${Math.floor((Number(d.slice(5, 7)) - 1) / 3) + 1} ${d.slice(0, 4)}`;
        default:
            return long ? weekDay(d) : shortDay(d);
    }
}

/** Last day a bucket covers within the range. */
export function bucketEnd(bucket: string, granularity: string, to: Day): Day {
    const d = bucket.slice(0, 10);
    switch (granularity) {
        case 'week':
            return minDay(addDays(d, 6 - weekday(d)), to);
        case 'month':
            return minDay(lastOfMonth(d), to);
        case 'quarter':
            return minDay(addDays(addMonths(firstOfQuarter(d), 3), -1), to);
        case 'accumulated':
            return to;
        default:
            return d;
    }
}

export const RANGES: [name: string, label: string][] = [
    ['last7Days', 'Last 7 days'],
    ['last30Days', 'Last 30 days'],
    ['last90Days', 'Last 90 days'],
    ['currentMonth', 'This month'],
    ['previousMonth', 'Last month'],
    ['currentQuarter', 'This quarter'],
    ['previousQuarter', 'Last quarter'],
    ['yearToDate', 'Year to date'],
    ['previousYear', 'Last year'],
    ['last12Months', 'Last 12 months'],
    ['yesterday', 'Yesterday'],
    ['today', 'Today'],
];

export function rangeLabel(name: string): string {
    const known = RANGES.find(([n]) => n === name);
    if (known) return known[1];
    if (name === 'currentYear') return 'This year';
    const m = /^last::(\d+)::(\w+)$/.exec(name);
    return m ? `Last ${m[1]} ${m[2]}s` : name;
}

/** The days of a named range as of today; null for a name this page does not know. */
export function resolve(name: string, today: Day): Span | null {
    const back = (n: number): Span => ({ from: addDays(today, 1 - n), to: today });
    switch (name) {
        case 'today':
            return back(1);
        case 'yesterday':
            return { from: addDays(today, -1), to: addDays(today, -1) };
        case 'last7Days':
            return back(7);
        case 'last30Days':
            return back(30);
        case 'last90Days':
            return back(90);
        case 'currentMonth':
            return { from: firstOfMonth(today), to: today };
        case 'previousMonth':
            return { from: addMonths(today, -1), to: addDays(firstOfMonth(today), -1) };
        case 'currentQuarter':
            return { from: firstOfQuarter(today), to: today };
        case 'previousQuarter':
            return { from: addMonths(firstOfQuarter(today), -3), to: addDays(firstOfQuarter(today), -1) };
        case 'currentYear':
        case 'yearToDate':
            return { from: today.slice(0, 4) + '-01-01', to: today };
        case 'previousYear': {
            const y = String(Number(today.slice(0, 4)) - 1);
            return { from: y + '-01-01', to: y + '-12-31' };
        }
        case 'last12Months':
            return { from: addMonths(today, -11), to: today };
        default: {
            const m = /^last::(\d{1,4})::(day|week|month)$/.exec(name);
            if (!m) return null;
            const n = Math.max(1, Number(m[1]));
            if (m[2] === 'day') return back(n);
            if (m[2] === 'month') return { from: addMonths(today, 1 - n), to: today };
            return { from: addDays(today, -weekday(today) - 7 * (n - 1)), to: today };
        }
    }
}

/** What people type: 2026-10-01, 1 Oct 2026, 1 October, 01/10/2026 is refused as ambiguous. */
export function parseDay(input: string, today: Day): Day | null {
    const s = input.trim();
    if (isDay(s)) return s;
    const m = /^(\d{1,2})\s+([A-Za-z]{3,9})\.?(?:\s+(\d{4}))?$/.exec(s);
    if (!m) return null;
    const month = LONG.findIndex((l) => l.toLowerCase().startsWith((m[2] as string).toLowerCase()));
    if (month < 0) return null;
    const at = (year: string): Day => `${year}-${String(month + 1).padStart(2, '0')}-${(m[1] as string).padStart(2, '0')}`;
    let day = at(m[3] ?? today.slice(0, 4));
    if (!m[3] && day > today) day = at(String(Number(today.slice(0, 4)) - 1));
    return isDay(day) ? day : null;
}

/** A moment in UTC: 13 Nov 2026, 14:02; today and yesterday by name. */
export function moment(iso: string | number | null | undefined, today?: Day): string {
    if (iso == null) return '';
    const t = new Date(iso);
    if (Number.isNaN(+t)) return '';
    const s = t.toISOString();
    const d = s.slice(0, 10);
    const clock = s.slice(11, 16) + ' UTC';
    if (today && d === today) return `today, ${clock}`;
    if (today && d === addDays(today, -1)) return `yesterday, ${clock}`;
    return `${longDay(d)}, ${clock}`;
}

export function duration(ms: number): string {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
