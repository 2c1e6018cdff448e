/* basic.tsx - the small parts: icons, error and empty states, skeletons, copy buttons. */
import type { ComponentChildren, JSX } from 'preact';
import { copy, layer } from '../app';
import type { ApiError } from '../lib/api';

const PATHS = {
    chart: 'M3 13V8M7 13V4M11 13V6M15 13V2',
    bills: 'M4 2h7l3 3v9H4zM6.5 7h5M6.5 10h5',
    source: 'M3 5c0-1.400 2.700-2.500 6-2.500S15 3.600 15 5s-2.700 2.500-6 2.500S3 6.400 3 5v8c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500V5M3 9c0 1.400 2.700 2.500 6 2.500S15 10.400 15 9',
    key: 'M6 12a3 3 0 1 0 0-6 3 3 0 0 0 0 6M9 9h6.500v2.500M13 9v2',
    person: 'M9 8.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6M3.500 14.500c.8-3 2.800-4 5.500-4s4.700 1 5.500 4',
    tag: 'M2.500 9.500V3h6.500l6.500 6.500-6 6zM6 6.200v.2',
    path: 'M4 3v8a3 3 0 0 0 3 3h7M4 7h6M8 5l2 2-2 2M12 12l2 2-2 2',
    meter: 'M2.500 12.500a6.500 6.500 0 1 1 13 0M9 12.500l3-4',
    coin: 'M9 15.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13M11 6.800c-.5-.6-1.200-.8-2-.8-1.200 0-2 .6-2 1.500 0 2.200 4 1 4 3.200 0 .9-.8 1.500-2 1.500-.9 0-1.600-.3-2.100-1M9 4.800V6M9 12.200v1.200',
    scale: 'M9 2.500v13M5.500 15.500h7M4 5h10M4 5l-2.500 5.500a2.600 2.600 0 0 0 5 0zM14 5l-2.500 5.500a2.600 2.600 0 0 0 5 0z',
    people: 'M7 8a2.700 2.700 0 1 0 0-5.400A2.700 2.700 0 0 0 7 8M1.800 14.500c.5-2.800 2.300-4.500 5.200-4.500s4.700 1.700 5.200 4.500M12 3.200a2.500 2.500 0 0 1 0 4.600M13.500 10.500c1.500.5 2.400 1.900 2.700 4',
    close: 'M4 4l8 8M12 4l-8 8',
    up: 'M8 12V4M4.500 7.500 8 4l3.500 3.500',
    down: 'M8 4v8M4.500 8.500 8 12l3.500-3.500',
    left: 'M10 3.500 5.500 8l4.500 4.500',
    right: 'M6 3.500 10.500 8 6 12.500',
    menu: 'M2.500 4.500h13M2.500 9h13M2.500 13.500h13',
    not: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M4 4l8 8',
    info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 7.500V11M8 5v.2',
    check: 'M3.500 8.500 6.500 11.500 12.500 4.500',
} as const;
export type IconName = keyof typeof PATHS;
const WIDE = new Set<IconName>(['chart', 'bills', 'source', 'key', 'person', 'people', 'menu', 'tag', 'path', 'meter', 'coin', 'scale']);

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
    const box = WIDE.has(name) ? 18 : 16;
    return (
        <svg class="icon" width={size} height={size} viewBox={`0 0 ${box} ${box}`} aria-hidden="true">
            <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
        </svg>
    );
}

export function Logo({ size = 22 }: { size?: number }): JSX.Element {
    return (
        <svg class="mark" width={size} height={size} viewBox="0 0 22 22" aria-hidden="true">
            <circle cx="11" cy="11" r="9.5" fill="none" stroke="currentColor" stroke-width="2" />
            <path d="M11 11V1.500A9.500 9.500 0 0 1 20.500 11Z" fill="currentColor" />
        </svg>
    );
}

/** What failed, why, what to do, and the number to give to whoever looks into it. */
export function Failure({ what, error, retry }: { what: string; error: ApiError; retry?: () => void }): JSX.Element {
    return (
        <div class="state" role="alert">
            <h2>{what}</h2>
            <p>
                {error.message.charAt(0).toUpperCase() + error.message.slice(1)}
                {error.field ? <> (field <code>{error.field}</code>)</> : null}.
            </p>
            {error.hint ? <p class="soft">{error.hint}</p> : null}
            <div class="row">
                {retry ? <button type="button" onClick={retry}>Try again</button> : null}
                {error.requestId ? (
                    <button type="button" class="quiet" onClick={() => void copy(error.requestId as string, 'Request id')}>
                        Request <code>{error.requestId}</code>
                    </button>
                ) : null}
            </div>
        </div>
    );
}

export function Empty({ what, children }: { what: string; children?: ComponentChildren }): JSX.Element {
    return (
        <div class="state">
            <h2>{what}</h2>
            {children}
        </div>
    );
}

export function Skeleton({ rows, label }: { rows: number; label: string }): JSX.Element {
    return (
        <div class="skeleton" role="status" aria-label={label}>
            {Array.from({ length: rows }, (_, i) => (
                <div class="bone" key={i} />
            ))}
        </div>
    );
}

/** A button that is off for a reason says the reason: it stays focusable and does nothing. */
export function Guarded({ why, class: cls, onClick, children, label }: {
    why: string | null;
    class?: string;
    onClick: () => void;
    children: ComponentChildren;
    label?: string;
}): JSX.Element {
    return (
        <button type="button" class={cls} aria-disabled={why ? 'true' : undefined} title={why ?? undefined} aria-label={label}
            aria-description={why ?? undefined} onClick={() => (why ? undefined : onClick())}>
            {children}
        </button>
    );
}

export function CopyField({ label, value }: { label: string; value: string }): JSX.Element {
    return (
        <div class="copyfield">
            <span class="soft">{label}</span>
            <code>{value}</code>
            <button type="button" onClick={() => void copy(value, label)}>Copy<span class="away"> {label}</span></button>
        </div>
    );
}

export const Progress = ({ value, label }: { value: number | null; label: string }): JSX.Element => (
    <div class={value === null ? 'meter busy' : 'meter'} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={value === null ? undefined : Math.round(value * 100)}>
        <i style={{ width: `${value === null ? 30 : Math.min(100, value * 100)}%` }} />
    </div>
);

export const SearchButton = (): JSX.Element => <button type="button" class="wideonly" onClick={() => layer.set('palette')}>Search <kbd>Ctrl K</kbd></button>;
