/* views.tsx - saved views: the menu (search, apply, rename, overwrite, delete with undo) and saving. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { copy, go, sayError, toast, views as viewCell, whyNot } from '../app';
import { call } from '../lib/api';
import { useCell } from '../lib/cell';
import { complete, completeChart, wire, write, type State } from '../lib/question';
import type { SavedView, Session } from '../lib/types';
import { Guarded, Skeleton } from '../parts/basic';
import { Dialog, Panel } from '../parts/panel';
import { matches } from '../parts/picklist';
import { Share } from '../parts/share';

export function viewAddress(v: SavedView, session: Session): string {
    const question = complete(v.question, session.account.defaultCostType);
    return '/megabill' + write({ question, chart: completeChart(v.chart), view: v.id }, session.account.defaultCostType);
}
const put = (v: SavedView): void => viewCell.set([...(viewCell.get() ?? []).filter((x) => x.id !== v.id), v]);
const body = (s: State, name?: string): Record<string, unknown> => ({ ...(name === undefined ? {} : { name }), question: wire(s.question), chart: s.chart });

export async function saveNew(s: State, name: string): Promise<SavedView | null> {
    try {
        const v = await call<SavedView>('POST', '/api/views', body(s, name));
        put(v);
        toast(`View "${v.name}" saved`);
        return v;
    } catch (e) {
        sayError('could not save the view', e);
        return null;
    }
}
export async function overwrite(s: State, v: SavedView): Promise<void> {
    try {
        const before = { question: v.question, chart: v.chart ?? undefined };
        put(await call<SavedView>('PUT', `/api/views/${v.id}`, body(s)));
        toast(`View "${v.name}" now shows this`, 'good', {
            label: 'Undo',
            run: () => void call<SavedView>('PUT', `/api/views/${v.id}`, before).then(put).catch((e: unknown) => sayError('could not undo', e)),
        });
    } catch (e) {
        sayError('could not overwrite the view', e);
    }
}
async function rename(v: SavedView, name: string): Promise<boolean> {
    try {
        put(await call<SavedView>('PUT', `/api/views/${v.id}`, { name }));
        return true;
    } catch (e) {
        sayError('could not rename the view', e);
        return false;
    }
}
async function remove(v: SavedView): Promise<void> {
    try {
        await call('DELETE', `/api/views/${v.id}`);
        viewCell.set((viewCell.get() ?? []).filter((x) => x.id !== v.id));
        toast(`View "${v.name}" deleted`, 'good', {
            label: 'Undo',
            run: () => void call<SavedView>('POST', '/api/views', { name: v.name, question: v.question, chart: v.chart ?? undefined }).then(put)
                .catch((e: unknown) => sayError('could not bring the view back', e)),
        });
    } catch (e) {
        sayError('could not delete the view', e);
    }
}

export function ViewsMenu({ state, session, current }: { state: State; session: Session; current: SavedView | null }): JSX.Element {
    const all = useCell(viewCell);
    const [search, setSearch] = useState('');
    const [renaming, setRenaming] = useState<string | null>(null);
    const [sharing, setSharing] = useState<SavedView | null>(null);
    const why = whyNot('views.manage');
    const list = (all ?? []).filter((v) => matches(v.name, search)).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
    return (
        <>
        <Panel class="quiet viewname" title="Saved views" label={<>{current ? current.name : 'Views'}<span class="caret" aria-hidden="true" /></>}>
            {(close) => (
                <div class="viewlist">
                    <input type="text" aria-label="Search saved views" placeholder="Search saved views" value={search} data-first onInput={(e) => setSearch(e.currentTarget.value)} />
                    {all === null ? <Skeleton rows={3} label="Fetching saved views" /> : list.length === 0 ? (
                        <p class="none">{search ? 'No view has this name.' : 'No view is saved yet. Shape the question, then Save view.'}</p>
                    ) : (
                        <ul>
                            {list.map((v) => (
                                <li key={v.id} class={v.id === current?.id ? 'at' : undefined}>
                                    {renaming === v.id ? (
                                        <form onSubmit={(e) => {
                                            e.preventDefault();
                                            const name = String(new FormData(e.currentTarget).get('name') ?? '').trim();
                                            if (name) void rename(v, name).then((ok) => ok && setRenaming(null));
                                        }}>
                                            <input type="text" name="name" aria-label={`New name of ${v.name}`} defaultValue={v.name} maxLength={200} ref={(el) => el?.focus()}
                                                onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); setRenaming(null); } }} />
                                            <button class="primary">Rename</button>
                                        </form>
                                    ) : (
                                        <>
                                            <button type="button" class="line" onClick={() => { close(); go(viewAddress(v, session)); }}><span>{v.name}</span><span class="soft">{v.createdBy}</span></button>
                                            <span class="acts">
                                                <Guarded why={why} class="link" label={`Rename ${v.name}`} onClick={() => setRenaming(v.id)}>rename</Guarded>
                                                <Guarded why={why} class="link" label={`Overwrite ${v.name} with what is shown`} onClick={() => void overwrite(state, v).then(close)}>overwrite</Guarded>
                                                <button type="button" class="link" aria-label={`Share ${v.name}`} onClick={() => { close(); setSharing(v); }}>share</button>
                                                <button type="button" class="link" aria-label={`Copy id of ${v.name}`} onClick={() => void copy(v.id, 'View id')}>copy id</button>
                                                <Guarded why={why} class="link" label={`Delete ${v.name}`} onClick={() => void remove(v)}>delete</Guarded>
                                            </span>
                                        </>
                                    )}
                                </li>
                            ))}
                        </ul>
                    )}
                    {current ? <p class="small foot"><button type="button" class="link" onClick={() => { close(); go('/megabill'); }}>Leave this view</button></p> : null}
                </div>
            )}
        </Panel>
        {sharing ? <Share kind="view" id={sharing.id} name={sharing.name} onClose={() => setSharing(null)} /> : null}
        </>
    );
}

export function SaveDialog({ state, current, onClose, onSaved }: { state: State; current: SavedView | null; onClose: () => void; onSaved: (v: SavedView) => void }): JSX.Element {
    const [name, setName] = useState('');
    const taken = (viewCell.get() ?? []).some((v) => v.name.toLowerCase() === name.trim().toLowerCase());
    return (
        <Dialog title="Save view" kind="middle" onClose={onClose}>
            <form class="stack" onSubmit={(e) => {
                e.preventDefault();
                if (!name.trim() || taken) return;
                void saveNew(state, name.trim()).then((v) => v && onSaved(v));
            }}>
                <label>Name<input type="text" value={name} maxLength={200} autofocus aria-describedby="view-note" onInput={(e) => setName(e.currentTarget.value)} /></label>
                <p class={taken ? 'small up' : 'small soft'} id="view-note">{taken ? 'There is a view of this name already.' : 'Everybody in this account sees it. Named ranges stay relative: last 30 days are the last 30 days tomorrow too.'}</p>
                <div class="row end">
                    {current ? <button type="button" onClick={() => void overwrite(state, current).then(onClose)}>Overwrite "{current.name}"</button> : null}
                    <button type="button" class="quiet" onClick={onClose}>Cancel</button>
                    <button class="primary" disabled={!name.trim() || taken}>Save</button>
                </div>
            </form>
        </Dialog>
    );
}
