/* shell.tsx - the frame: the map on the left, the palette, the help, the messages, the keyboard. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { commands, dropToast, go, layer, leave, leaving, may, place, sayError, session as sessionCell, setTheme, slash, toasts, unsaved, views as viewCell, type Command } from '../app';
import { call } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { signOut } from '../pages/profile';
import { viewAddress } from '../bill/views';
import { AccountSwitch } from './accounts';
import { Icon, Logo, type IconName } from './basic';
import { Dialog } from './panel';
import { PickList } from './picklist';

interface Entry {
    to: string;
    name: string;
    icon: IconName;
    key: string;
    group: string;
    /** Who may not, does not see it. */
    needs?: string;
    /** Only for members of several accounts. */
    several?: boolean;
}
/* One table for the map, the palette and the keys after g. */
export const MAP: Entry[] = [
    { to: '/megabill', name: 'MegaBill', icon: 'chart', key: 'm', group: 'Inform' },
    { to: '/all-accounts', name: 'All accounts', icon: 'bills', key: 'l', group: 'Inform', several: true },
    { to: '/virtual-tags', name: 'Virtual tags', icon: 'tag', key: 'v', group: 'Inform', needs: 'vtags.view' },
    { to: '/bills', name: 'Bills', icon: 'bills', key: 'b', group: 'Data' },
    { to: '/custom-costs', name: 'Custom costs', icon: 'coin', key: 'c', group: 'Data', needs: 'costinput.view' },
    { to: '/telemetry', name: 'Telemetry', icon: 'meter', key: 'y', group: 'Data', needs: 'telemetry.view' },
    { to: '/drilldowns', name: 'Drilldown', icon: 'path', key: 'd', group: 'Settings', needs: 'drilldown.view' },
    { to: '/currencies', name: 'Currencies', icon: 'coin', key: 'u', group: 'Settings', needs: 'account.view' },
    { to: '/connections', name: 'Sources', icon: 'source', key: 's', group: 'Data' },
    { to: '/quality', name: 'Data quality', icon: 'check', key: 'q', group: 'Data' },
    { to: '/cost-types', name: 'Cost types', icon: 'scale', key: 'x', group: 'Settings', needs: 'edp.view' },
    { to: '/tokens', name: 'API tokens', icon: 'key', key: 't', group: 'Settings' },
    { to: '/admin', name: 'Administration', icon: 'people', key: 'a', group: 'Settings' },
    { to: '/settings', name: 'Profile', icon: 'person', key: 'p', group: 'Settings' },
];
/** What the person signed in may see of it. */
const seen = (): Entry[] => MAP.filter((e) => (!e.needs || may(e.needs)) && (!e.several || (sessionCell.get()?.accounts.length ?? 0) > 1));
const KEYS = (): [keys: string[], what: string][] => [
    [['Ctrl K'], 'Search everything: screens, views, keys, actions'],
    [['/'], 'Add a filter'],
    ...seen().map((e): [string[], string] => [['g', e.key], `Go to ${e.name}`]),
    [['?'], 'This help'],
    [['Esc'], 'Close what is open'],
    [['↑', '↓', 'Enter'], 'Move in a list and take'],
];

function Map({ onGo }: { onGo?: () => void }): JSX.Element {
    const where = useCell(place);
    const map = seen();
    const at = map.find((e) => where.path === e.to || where.path.startsWith(e.to + '/'))?.to ?? '/megabill';
    const groups = [...new Set(map.map((e) => e.group))];
    return (
        <>
            <a class="logo" href="/megabill" onClick={(e) => { e.preventDefault(); go('/megabill'); onGo?.(); }}><Logo /><span class="word">Farthing</span></a>
            <AccountSwitch class="word" />
            {groups.map((g) => (
                <div class={g === 'Settings' ? 'mapgroup last' : 'mapgroup'} key={g}>
                    <h2>{g}</h2>
                    {map.filter((e) => e.group === g).map((e) => (
                        <a key={e.to} href={e.to} title={`${e.name} (g ${e.key})`} aria-current={at === e.to ? 'page' : undefined}
                            onClick={(ev) => {
                                if (ev.metaKey || ev.ctrlKey || ev.shiftKey) return;
                                ev.preventDefault();
                                go(e.to);
                                onGo?.();
                            }}><Icon name={e.icon} size={18} /><span class="word">{e.name}</span></a>
                    ))}
                </div>
            ))}
        </>
    );
}

const typing = (t: EventTarget | null): boolean => t instanceof HTMLElement && (t.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName));

export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
    const open = useCell(layer);
    const session = useCell(sessionCell);
    useEffect(() => {
        let g = 0;
        const key = (e: KeyboardEvent): void => {
            if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') {
                e.preventDefault();
                if (!document.querySelector('dialog[open]:not(.palette)')) layer.set(layer.get() === 'palette' ? 'none' : 'palette');
                return;
            }
            if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || document.querySelector('dialog[open]')) return;
            if (g && Date.now() - g < 1500) {
                g = 0;
                const to = seen().find((m) => m.key === e.key)?.to;
                if (to) {
                    e.preventDefault();
                    go(to);
                    return;
                }
            }
            if (e.key === 'g') g = Date.now();
            else if (e.key === '?') layer.set('help');
            else if (e.key === '/' && slash.get()) {
                e.preventDefault();
                slash.get()?.();
            }
        };
        document.addEventListener('keydown', key);
        return () => document.removeEventListener('keydown', key);
    }, []);
    const close = (): void => layer.set('none');
    return (
        <div class="shell">
            <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to the content</a>
            <nav class="map" aria-label="Main"><Map /></nav>
            <div class="main">
                <header class="strip">
                    <button type="button" class="bare menubutton" aria-label="Menu" onClick={() => layer.set('nav')}><Icon name="menu" size={18} /></button>
                    <span class="logo"><Logo size={18} />Farthing</span>
                    <span class="sp" />
                    <button type="button" class="quiet" onClick={() => layer.set('palette')}>Search</button>
                </header>
                {session?.viewingAs ? (
                    <p class="banner" role="status">You look through the eyes of <b>{session.user.email}</b>. Nothing can be changed.
                        <button type="button" onClick={() => void call('DELETE', '/api/admin/view-as').then(() => location.assign('/admin')).catch((e: unknown) => sayError('could not stop', e))}>Own eyes again</button></p>
                ) : session?.mfaWanted && !session.mfa ? (
                    <p class="banner" role="status">Your account wants a second factor before anything else. <a href="/settings" onClick={(e) => { e.preventDefault(); go('/settings'); }}>Set it up</a></p>
                ) : session?.mfaBy && !session.mfa ? (
                    <p class="banner" role="status">Your account wants a second factor by {moment(session.mfaBy, session.today)}; after that nothing else is open. <a href="/settings" onClick={(e) => { e.preventDefault(); go('/settings'); }}>Set it up</a></p>
                ) : null}
                <main id="main" tabIndex={-1}>{children}</main>
            </div>
            {open === 'palette' ? <Palette onClose={close} /> : null}
            {open === 'help' ? <Help onClose={close} /> : null}
            <Leaving />
            {open === 'nav' ? <Dialog title="Menu" kind="nav" bare onClose={close}><nav aria-label="Main" class="map inside"><Map onGo={close} /></nav></Dialog> : null}
        </div>
    );
}

/** Asked before unsaved work is left behind. */
function Leaving(): JSX.Element | null {
    const to = useCell(leaving);
    const u = useCell(unsaved);
    if (to === null || !u) return null;
    const stay = (): void => leaving.set(null);
    return (
        <Dialog title="Leave without saving?" kind="middle" onClose={stay}>
            <p>{u.what}</p>
            <div class="row end"><button type="button" class="quiet" onClick={leave}>Leave and lose it</button><button type="button" class="primary" autofocus onClick={stay}>Stay</button></div>
        </Dialog>
    );
}

function Palette({ onClose }: { onClose: () => void }): JSX.Element {
    const extra = useCell(commands);
    const views = useCell(viewCell);
    const session = useCell(sessionCell) as Session;
    const all: Command[] = [
        ...seen().map((e) => ({ group: 'Go to', label: e.name, hint: `g ${e.key}`, run: () => go(e.to) })),
        ...(views ?? []).map((v) => ({ group: 'Saved views', label: v.name, run: () => go(viewAddress(v, session)) })),
        ...extra,
        { group: 'Settings', label: 'Theme: system', run: () => setTheme('system') },
        { group: 'Settings', label: 'Theme: light', run: () => setTheme('light') },
        { group: 'Settings', label: 'Theme: dark', run: () => setTheme('dark') },
        { group: 'Settings', label: 'Keyboard', hint: '?', run: () => layer.set('help') },
        { group: 'Settings', label: 'Sign out', run: signOut },
    ];
    return (
        <Dialog title="Search" kind="palette" bare onClose={onClose}>
            <PickList label="Search" placeholder="Screens, views, keys, actions" empty="Nothing has this name."
                items={all.map((c, i) => ({ id: String(i), label: c.label, hint: c.hint, group: c.group }))}
                onPick={(id) => {
                    onClose();
                    const c = all[Number(id)];
                    if (c) setTimeout(c.run, 0);
                }} />
        </Dialog>
    );
}

const Help = ({ onClose }: { onClose: () => void }): JSX.Element => (
    <Dialog title="Keyboard" kind="middle" onClose={onClose}>
        <dl class="keys">{KEYS().map(([k, what]) => <div key={what}><dt>{k.map((x) => <kbd key={x}>{x}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
    </Dialog>
);

/** Above every dialog: a popover of the top layer, shown again whenever a message comes. */
export function Toasts(): JSX.Element {
    const list = useCell(toasts);
    return (
        <div class="toasts" role="status" aria-live="polite" {...({ popover: 'manual' } as object)} ref={(el) => {
            const p = el as (HTMLDivElement & { showPopover?: () => void; hidePopover?: () => void }) | null;
            if (!p?.showPopover) return;
            const shown = p.matches(':popover-open');
            if (shown) p.hidePopover?.();
            if (list.length) p.showPopover();
        }}>
            {list.map((t) => (
                <div key={t.id} class={`toast ${t.tone}`}>
                    <span>{t.text}</span>
                    {t.action ? <button type="button" class="link" onClick={() => { t.action?.run(); dropToast(t.id); }}>{t.action.label}</button> : null}
                    <button type="button" class="bare" aria-label="Dismiss" onClick={() => dropToast(t.id)}><Icon name="close" size={12} /></button>
                </div>
            ))}
        </div>
    );
}
