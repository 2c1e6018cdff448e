/*
 * dec.ts - exact money: decimal strings of the API as BigInt of 1e-10 units.
 *
 * No sum that is shown ever goes through a float. `approx` is for drawing only.
 */
export type Dec = bigint;

const SCALE = 10;
const UNIT = 10n ** BigInt(SCALE);
export const MINUS = '\u2212';

/** "-812.4" -> -8124000000000n. Throws on anything that is no decimal of at most ten places. */
export function dec(text: string): Dec {
    const m = /^(-?)(\d+)(?:\.(\d{1,10}))?$/.exec(text);
    if (!m) throw new Error(`not an amount: ${text}`);
    const whole = BigInt(m[2] as string) * UNIT + BigInt((m[3] ?? '').padEnd(SCALE, '0'));
    return m[1] ? -whole : whole;
}

/** As `dec`, for amounts finer than the ledger's: rounded once, half away from zero. */
export function decNear(text: string): Dec {
    const m = /^(-?)(\d+)\.(\d{11,})$/.exec(text);
    if (!m) return dec(text);
    const places = (m[3] as string).length;
    return divide(BigInt(`${m[1]}${m[2]}${m[3]}`), 10n ** BigInt(places - SCALE));
}
export const decOr = (text: string | null | undefined): Dec | null => (text == null ? null : dec(text));
export const sum = (all: Iterable<Dec>): Dec => {
    let n = 0n;
    for (const x of all) n += x;
    return n;
};
export const abs = (d: Dec): Dec => (d < 0n ? -d : d);
export const approx = (d: Dec): number => Number(d) / 1e10;

/** n / d rounded half away from zero. */
export function divide(n: bigint, d: bigint): bigint {
    if (d < 0n) [n, d] = [-n, -d];
    return n < 0n ? -((-n * 2n + d) / (2n * d)) : (n * 2n + d) / (2n * d);
}

const group = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ',');

/** Digits with `places` decimals, thousands grouped, no sign. */
function digits(d: Dec, places: number): string {
    const step = 10n ** BigInt(SCALE - places);
    const n = divide(abs(d), step);
    const text = n.toString().padStart(places + 1, '0');
    if (places === 0) return group(text);
    return group(text.slice(0, -places)) + '.' + text.slice(-places);
}

const SYMBOL: Record<string, string> = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', KRW: '₩', ILS: '₪', BRL: 'R$' };
const withSymbol = (text: string, currency: string): string =>
    SYMBOL[currency] ? SYMBOL[currency] + text : currency ? `${currency}\u00a0${text}` : text;

const isZero = (d: Dec, places: number): boolean => divide(abs(d), 10n ** BigInt(SCALE - places)) === 0n;

/** Two decimals: "$184,302.17", "−$3.50". */
export function money(d: Dec, currency: string, places = 2): string {
    const text = withSymbol(digits(d, places), currency);
    return d < 0n && !isZero(d, places) ? MINUS + text : text;
}

/** A change, always with its sign: "+$3.50", "−$3.50"; nothing changed: "$0.00". */
export function signed(d: Dec, currency: string): string {
    const text = withSymbol(digits(d, 2), currency);
    if (isZero(d, 2)) return text;
    return (d < 0n ? MINUS : '+') + text;
}

/** Every digit there is, at least two decimals. */
export function exact(d: Dec, currency = ''): string {
    const text = digits(d, SCALE).replace(/0{1,8}$/, '');
    return (d < 0n ? MINUS : '') + withSymbol(text, currency);
}

/** part / whole in percent with one decimal; null when there is no whole. */
export function percent(part: Dec, whole: Dec, places = 1): string | null {
    if (whole === 0n) return null;
    const p = divide(part * 100n * 10n ** BigInt(places), whole);
    const text = (p < 0n ? -p : p).toString().padStart(places + 1, '0');
    const shown = places ? group(text.slice(0, -places)) + '.' + text.slice(-places) : group(text);
    return (p < 0n ? MINUS : '') + shown + '%';
}

/** The change in percent of |previous|: "New" when there was nothing, "0.0%" when nothing changed. */
export function changePercent(now: Dec, before: Dec): string {
    if (before === 0n) return now === 0n ? '0.0%' : 'New';
    return percent(now - before, abs(before)) as string;
}

/** Short labels of an axis: 0, 950, 12k, 1.5M. */
export function axisLabel(n: number, currency: string): string {
    if (n === 0) return '0';
    const a = Math.abs(n);
    const [v, s] = a >= 1e9 ? [a / 1e9, 'B'] : a >= 1e6 ? [a / 1e6, 'M'] : a >= 1e3 ? [a / 1e3, 'k'] : [a, ''];
    const text = v >= 100 || Number.isInteger(v) ? String(Math.round(v)) : String(Number(v.toPrecision(2)));
    return (n < 0 ? MINUS : '') + withSymbol(text + s, currency);
}

export const count = (n: number): string => group(Math.trunc(Math.abs(n)).toString());
