/*
 * app.ts - what every screen shares: who is signed in, where we are, keys, views, jobs, messages.
 */
import { cell } from './lib/cell';
import { ApiError, forgetAnswers, get, whenSignedOut } from './lib/api';
import type { Drilldown, Job, KeyInfo, SavedView, Session } from './lib/types';

/* ---- where ---- */
export interface Place {
    path: string;
    search: string;
    hash: string;
}
const here = (): Place => ({ path: location.pathname, search: location.search, hash: location.hash });
export const place = cell<Place>(here());

/* A screen with unsaved work says so here; nobody leaves it without being asked. */
export interface Unsaved {
    /** What would be lost, in words. */
    what: string;
    /** True for addresses of the same screen, which lose nothing. */
    keeps: (path: string) => boolean;
}
export const unsaved = cell<Unsaved | null>(null);
/** Where somebody wants to go who has been asked first. */
export const leaving = cell<string | null>(null);
const wouldLose = (to: string): boolean => {
    const u = unsaved.get();
    return u !== null && !u.keeps(new URL(to, location.href).pathname);
};
let current = location.pathname + location.search + location.hash;
export function go(to: string, replace = false): void {
    if (to === location.pathname + location.search + location.hash) return;
    if (wouldLose(to)) return leaving.set(to);
    if (replace) history.replaceState(null, '', to);
    else history.pushState(null, '', to);
    current = to;
    place.set(here());
}
export function leave(): void {
    const to = leaving.get();
    unsaved.set(null);
    leaving.set(null);
    if (to) go(to);
}
addEventListener('popstate', () => {
    const to = location.pathname + location.search + location.hash;
    if (wouldLose(to)) {
        history.pushState(null, '', current);
        return leaving.set(to);
    }
    current = to;
    place.set(here());
});
addEventListener('beforeunload', (e) => {
    if (unsaved.get()) e.preventDefault();
});

/* ---- who ---- */
export const session = cell<Session | null>(null);
export type Boot = 'loading' | 'in' | 'out' | ApiError;
export const boot = cell<Boot>('loading');
export const may = (permission: string): boolean => session.get()?.permissions.includes(permission) ?? false;
/** Why a button is off; null when it is on. */
export const whyNot = (permission: string): string | null =>
    may(permission) ? null : `Your role (${session.get()?.user.role ?? 'none'}) does not include ${permission}. Ask an administrator.`;

export function signedIn(s: Session): void {
    session.set(s);
    boot.set('in');
    listen();
    void loadKeys();
    void loadViews();
    void loadDrilldowns();
}
export function signedOut(): void {
    closeStream();
    unsaved.set(null);
    leaving.set(null);
    session.set(null);
    keys.set(null);
    views.set(null);
    jobs.set([]);
    forgetAnswers();
    boot.set('out');
    if (location.pathname !== '/signin' && location.pathname !== '/join') {
        const back = location.pathname + location.search;
        go(back === '/' ? '/signin' : `/signin?back=${encodeURIComponent(back)}`, true);
    }
}
whenSignedOut(signedOut);

export async function start(): Promise<void> {
    boot.set('loading');
    if ((location.pathname === '/signin' || location.pathname === '/join') && location.hash.length > 1) return boot.set('out');
    try {
        signedIn(await get<Session>('/api/session'));
    } catch (e) {
        if (e instanceof ApiError && e.status === 401) signedOut();
        else boot.set(e instanceof ApiError ? e : new ApiError(0, String(e), null, null, null, null));
    }
}

/* ---- lists every screen needs ---- */
export const keys = cell<KeyInfo[] | null>(null);
export const keysError = cell<ApiError | null>(null);
export async function loadKeys(): Promise<void> {
    try {
        keys.set((await get<{ keys: KeyInfo[] }>('/api/keys')).keys);
        keysError.set(null);
    } catch (e) {
        if (e instanceof ApiError) keysError.set(e);
    }
}
export const views = cell<SavedView[] | null>(null);
export async function loadViews(): Promise<void> {
    try {
        views.set((await get<{ views: SavedView[] }>('/api/views')).views);
    } catch (e) {
        if (e instanceof ApiError) toast(`could not fetch the saved views: ${e.message}`, 'bad');
    }
}

/** A key has changed its meaning: what was answered with it is asked again. */
export async function tagsChanged(): Promise<void> {
    forgetAnswers();
    await loadKeys();
    billsVersion.set(billsVersion.get() + 1);
}

/* The order in which a click on a group goes on, by cost center; null until it is known. */
export const drilldowns = cell<Drilldown[] | null>(null);
export async function loadDrilldowns(): Promise<void> {
    try {
        drilldowns.set((await get<{ paths: Drilldown[] }>('/api/drilldowns')).paths);
    } catch {
        drilldowns.set([]); /* the built-in order is used */
    }
}

/* ---- live: bills that changed, jobs that move ---- */
export const billsVersion = cell(0);
export const jobs = cell<Job[]>([]);
const nameOf = (j: Job): string => (j.kind === 'fairshare' ? `FairShare ${j.file}` : j.file || j.source);
export function putJob(j: Job): void {
    const before = jobs.get().find((x) => x.id === j.id);
    jobs.set(before ? jobs.get().map((x) => (x.id === j.id ? j : x)) : [j, ...jobs.get()]);
    if (before?.state === 'running' && j.state === 'done') toast(`${nameOf(j)}: ${j.message || (j.kind === 'fairshare' ? 'done' : 'loaded')}`);
    if (before?.state === 'running' && j.state === 'failed') toast(`${nameOf(j)} ${j.kind === 'fairshare' ? 'failed' : 'was refused'}: ${j.message ?? 'see Bills'}`, 'bad');
}
export async function loadJobs(): Promise<void> {
    try {
        const list = (await get<{ jobs: Job[] }>('/api/jobs')).jobs;
        /* an event may have overtaken this answer: what has ended does not run again */
        const ended = new Map(jobs.get().filter((j) => j.state !== 'running').map((j) => [j.id, j]));
        jobs.set(list.map((j) => (j.state === 'running' ? ended.get(j.id) ?? j : j)));
    } catch {
        /* the list comes with the next event */
    }
}
let stream: EventSource | null = null;
let wait: number | undefined;
export async function billsChanged(): Promise<void> {
    forgetAnswers();
    try {
        session.set(await get<Session>('/api/session'));
    } catch {
        return;
    }
    void loadKeys();
    billsVersion.set(billsVersion.get() + 1);
}
function listen(): void {
    closeStream();
    stream = new EventSource('/api/events');
    stream.addEventListener('job', (e) => {
        try {
            putJob(JSON.parse((e as MessageEvent<string>).data) as Job);
        } catch {
            void loadJobs();
        }
    });
    stream.addEventListener('loads', () => {
        clearTimeout(wait);
        wait = setTimeout(() => void billsChanged(), 150);
    });
    stream.onopen = (): void => void loadJobs();
}
function closeStream(): void {
    stream?.close();
    stream = null;
}

/* ---- messages ---- */
export interface Toast {
    id: number;
    text: string;
    tone: 'good' | 'bad';
    action?: { label: string; run: () => void };
}
export const toasts = cell<Toast[]>([]);
let nextToast = 1;
export function toast(text: string, tone: 'good' | 'bad' = 'good', action?: Toast['action'], ms = action ? 8000 : 5000): number {
    const id = nextToast++;
    toasts.set([...toasts.get().slice(-3), action ? { id, text, tone, action } : { id, text, tone }]);
    setTimeout(() => dropToast(id), tone === 'bad' ? ms * 2 : ms);
    return id;
}
export const dropToast = (id: number): void => toasts.set(toasts.get().filter((t) => t.id !== id));
export const sayError = (what: string, e: unknown): void => {
    if (e instanceof DOMException && e.name === 'AbortError') return;
    const m = e instanceof ApiError ? e.message + (e.requestId ? ` (request ${e.requestId})` : '') : String(e);
    toast(`${what}: ${m}`, 'bad');
};

export async function copy(text: string, what: string): Promise<void> {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        const t = document.createElement('textarea');
        t.value = text;
        (document.querySelector('dialog[open]') ?? document.body).append(t);
        t.select();
        const done = document.execCommand('copy');
        t.remove();
        if (!done) return void toast(`could not copy ${what}`, 'bad');
    }
    toast(`${what} copied`);
}

/* ---- theme ---- */
export type Theme = 'system' | 'light' | 'dark';
const savedTheme = localStorage.getItem('theme');
export const theme = cell<Theme>(savedTheme === 'light' || savedTheme === 'dark' ? savedTheme : 'system');
export function setTheme(t: Theme): void {
    if (t === 'system') {
        localStorage.removeItem('theme');
        delete document.documentElement.dataset['theme'];
    } else {
        localStorage.setItem('theme', t);
        document.documentElement.dataset['theme'] = t;
    }
    theme.set(t);
}
const system = matchMedia('(prefers-color-scheme: dark)');
export const dark = cell(isDark());
function isDark(): boolean {
    const t = document.documentElement.dataset['theme'];
    return t ? t === 'dark' : system.matches;
}
theme.watch(() => dark.set(isDark()));
system.addEventListener('change', () => dark.set(isDark()));

/* ---- layers of the shell ---- */
export const layer = cell<'none' | 'palette' | 'help' | 'nav'>('none');
/** Set by the screen in front: what `/` does there. */
export const slash = cell<(() => void) | null>(null);
/** Commands the screen in front adds to the palette. */
export interface Command {
    group: string;
    label: string;
    hint?: string;
    run: () => void;
}
export const commands = cell<Command[]>([]);
