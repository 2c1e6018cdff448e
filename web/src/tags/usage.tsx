/* usage.tsx - where a virtual tag is used: what would break without it, and what only shows it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { go } from '../app';
import { ApiError, asError, get } from '../lib/api';
import { Failure, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import type { Use } from './types';

export interface Blocker {
    type: string;
    id: string;
    name: string;
}
/* How each kind of user is called, and where it is looked at. */
const USERS: Record<string, [label: string, address: (id: string) => string | null]> = {
    virtual_tag: ['Virtual tag', (id) => `/virtual-tags/${id}`],
    view: ['Saved view', (id) => `/megabill?view=${id}`],
    dashboard: ['Dashboard', () => null],
    widget: ['Widget', () => null],
    explorer: ['Data explorer', () => null],
    alert: ['Alert', () => null],
    financial_plan: ['Financial plan', () => null],
    drilldown: ['Drilldown', () => '/drilldowns'],
    telemetry: ['Telemetry', () => '/telemetry'],
    cost_types: ['Cost type setting', () => '/cost-types'],
};
const label = (type: string): string => USERS[type]?.[0] ?? type.replace(/_/g, ' ');

export function Usage({ id, name, blockers, onClose }: { id: string; name: string; blockers?: Blocker[]; onClose: () => void }): JSX.Element {
    const [state, setState] = useState<Use[] | ApiError | null>(blockers ? blockers.map((b) => ({ ...b, blocks: true })) : null);
    const [tries, setTries] = useState(0);
    useEffect(() => {
        if (blockers) return undefined;
        const stop = new AbortController();
        get<{ uses: Use[] }>(`/api/tags/${id}/usage`, stop.signal).then((r) => setState(r.uses)).catch((e: unknown) => {
            if (!(e instanceof DOMException)) setState(asError(e));
        });
        return () => stop.abort();
    }, [id, tries]);
    const list = Array.isArray(state) ? state : [];
    return (
        <Dialog title={blockers ? `"${name}" is still needed` : `Where "${name}" is used`} kind="middle" onClose={onClose}>
            {blockers ? <p>It cannot be deleted while these read it. Change them first.</p> : null}
            {state === null ? <Skeleton rows={3} label="Fetching where it is used" /> : state instanceof ApiError ? <Failure what="This could not be fetched" error={state} retry={() => setTries(tries + 1)} /> : list.length === 0 ? <p class="soft">Nothing uses it: it can be deleted without loss.</p> : (
                <ul class="uses">
                    {list.map((u) => {
                        const to = USERS[u.type]?.[1](u.id) ?? null;
                        return (
                            <li key={u.type + u.id}>
                                <span class="soft">{label(u.type)}</span>
                                {to ? <a href={to} onClick={(e) => { e.preventDefault(); onClose(); go(to); }}>{u.name}</a> : <span>{u.name}</span>}
                                {u.blocks ? <span class="badge failed" title="It would not work without the tag">needs it</span> : <span class="badge">shows it</span>}
                            </li>
                        );
                    })}
                </ul>
            )}
        </Dialog>
    );
}
