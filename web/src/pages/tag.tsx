/*
 * tag.tsx - one virtual tag: what it is on the left, what it does to the bill on the right, always both.
 *
 * The draft lives here; tabs change what is edited, never what was typed. Saving makes a version: live at
 * once, or staged without effect until it is published.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { go, keys as keyCell, place, sayError, session as sessionCell, tagsChanged, toast, unsaved, whyNot } from '../app';
import { ApiError, asError, call, download, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import { defaultQuestion } from '../lib/question';
import type { Question, Session } from '../lib/types';
import { Failure, Guarded, SearchButton, Skeleton } from '../parts/basic';
import { Panel } from '../parts/panel';
import { Share } from '../parts/share';
import { DictionaryEditor, HierarchyEditor } from '../tags/dictionary';
import { difference, fromDocument, lacks, sameDraft, toDocument, type Draft } from '../tags/draft';
import { GraphDialog } from '../tags/graph';
import { ImportRules } from '../tags/importrules';
import { MetadataEditor } from '../tags/metadata';
import { PreviewPane, usePreview, type Basis } from '../tags/preview';
import { Reallocation } from '../tags/realloc';
import { RelationEditor } from '../tags/relation';
import { RuleList, ValueOrKey } from '../tags/rules';
import { KINDS, kindLabel, type Kind, type TagDocument, type Version } from '../tags/types';
import { Usage } from '../tags/usage';
import { Changes, Versions } from '../tags/versions';

const blank = (kind: Kind, folderId: string | null): TagDocument => ({
    name: '', kind, category: '', folderId, defaultValue: 'Untagged', rules: [], allocations: [], endpoints: [],
    ...(kind === 'dictionary' ? { dictionary: { source: { costCenter: '', key: '', type: '' }, ignoreCase: false } } : {}),
    ...(kind === 'hierarchy' ? { hierarchy: { base: { costCenter: '', key: '', type: '' }, levels: [{ name: '' }] } } : {}),
    ...(kind === 'relational' ? { relation: { kpiCenterId: '', metricName: '', scope: {}, outputs: [] } } : {}),
});

export function TagPage(): JSX.Element {
    const { path } = useCell(place);
    const id = decodeURIComponent(path.slice('/virtual-tags/'.length));
    return id === 'new' ? <NewTag /> : <KnownTag key={id} id={id} />;
}

function NewTag(): JSX.Element {
    const { search } = useCell(place);
    const p = new URLSearchParams(search);
    const kind = KINDS.find(([k]) => k === p.get('kind'))?.[0] ?? 'rules';
    const start = useMemo(() => blank(kind, p.get('folder')), [kind]);
    return <Editor key={kind} id={null} start={start} onSaved={(d) => go(`/virtual-tags/${d.id ?? ''}`, true)} />;
}

function KnownTag({ id }: { id: string }): JSX.Element {
    const [state, setState] = useState<TagDocument | ApiError | null>(null);
    const [turn, setTurn] = useState(0);
    const layer = useRef<Layer>('none');
    const load = (): void => void get<TagDocument>(`/api/tags/${encodeURIComponent(id)}`).then((d) => {
        setState(d);
        setTurn((t) => t + 1);
    }).catch((e: unknown) => setState(asError(e)));
    useEffect(load, [id]);
    if (state === null) return <section class="card"><Skeleton rows={9} label="Fetching the tag" /></section>;
    if (state instanceof ApiError) return <section class="card"><Failure what="The tag could not be fetched" error={state} retry={load} /><p class="state"><button type="button" onClick={() => go('/virtual-tags')}>All virtual tags</button></p></section>;
    return <Editor key={turn} id={id} start={state} layerRef={layer} onSaved={(_, live) => { if (!live) load(); }} onReload={load} />;
}

type Tab = 'tagging' | 'reallocation' | 'values';
type Layer = 'none' | 'versions' | 'graph' | 'usage' | 'import';
const MAIN: Record<Kind, string> = { rules: 'Tagging', dictionary: 'Dictionary', relational: 'Relation', hierarchy: 'Levels' };

function Editor({ id, start, layerRef, onSaved, onReload }: { id: string | null; start: TagDocument; /** What is open over the screen outlives a reload of the tag. */ layerRef?: { current: Layer }; onSaved: (d: TagDocument, live: boolean) => void; onReload?: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const keys = useCell(keyCell);
    const where = useCell(place);
    const [saved, setSaved] = useState<Draft>(() => fromDocument(start));
    const [draft, setDraft] = useState<Draft>(saved);
    const [basis, setBasis] = useState<Basis>({ date: { relativeRange: 'last30Days', type: 'day' }, costType: session.account.defaultCostType });
    const [layer, setOwnLayer] = useState<Layer>(layerRef?.current ?? 'none');
    const [sharing, setSharing] = useState(false);
    const setLayer = (l: Layer): void => {
        if (layerRef) layerRef.current = l;
        setOwnLayer(l);
    };
    const readOnly = start.predefined === true || whyNot(id ? 'vtags.edit' : 'vtags.create') !== null;
    const dirty = !sameDraft(draft, saved);
    const tab: Tab = (['reallocation', 'values'] as const).find((t) => t === new URLSearchParams(where.search).get('tab')) ?? 'tagging';
    const setTab = (t: Tab): void => {
        const p = new URLSearchParams(location.search);
        if (t === 'tagging') p.delete('tab');
        else p.set('tab', t);
        go(where.path + (p.toString() ? '?' + p.toString() : ''), true);
    };
    const change = (part: Partial<Draft>): void => setDraft((d) => ({ ...d, ...part }));
    const title = draft.name.trim() || (id ? 'Virtual tag' : `New ${draft.kind === 'rules' ? 'virtual tag' : kindLabel(draft.kind).toLowerCase()}`);
    useEffect(() => {
        document.title = `${title} · Farthing`;
    }, [title]);
    useEffect(() => {
        unsaved.set(dirty && !readOnly ? { what: `The changes to "${title}" are not saved.`, keeps: (path) => path === where.path } : null);
    }, [dirty, readOnly, title]);
    useEffect(() => () => unsaved.set(null), []);

    const ready = complete(draft) === null;
    const [keyAt, setKeyAt] = useState('');
    const preview = usePreview(ready ? draft : null, basis, keyAt);
    const question = useMemo<Question>(() => ({ ...defaultQuestion(basis.costType), date: basis.date, groupBy: [], filters: null }), [basis]);
    const currency = preview.answer?.currency ?? session.account.currency;

    const save = async (live: boolean, description: string): Promise<ApiError | null> => {
        try {
            const body = { ...toDocument(draft), ...(description ? { changeDescription: description } : {}) };
            const d = await call<TagDocument>(id ? 'PUT' : 'POST', `/api/tags${id ? '/' + id : ''}?setAsLive=${String(live)}`, body);
            const now: Draft = { ...draft, ...(d.id ? { id: d.id } : {}), liveVersion: d.liveVersion ?? draft.liveVersion ?? null, stagedVersion: live ? null : (d.stagedVersion ?? null) };
            setSaved(now);
            setDraft(now);
            unsaved.set(null);
            void tagsChanged();
            toast(live ? `"${draft.name.trim()}" saved and live` : `"${draft.name.trim()}" saved as staged: it has no effect until it is published`);
            onSaved(d, live);
            return null;
        } catch (e) {
            return asError(e);
        }
    };
    const reload = (): void => {
        unsaved.set(null);
        onReload?.();
        void tagsChanged();
    };
    const editStaged = (): void => void get<Version & TagDocument>(`/api/tags/${id ?? ''}/versions/${start.stagedVersion ?? ''}`).then((v) => setDraft({ ...fromDocument(v.document ?? v), ...(id ? { id } : {}) })).catch((e: unknown) => sayError('could not fetch the staged version', e));
    const duplicate = (): void => void call<{ id: string }>('POST', `/api/tags/${id ?? ''}/duplicate`).then((r) => {
        void tagsChanged();
        go(`/virtual-tags/${r.id}`);
    }).catch((e: unknown) => sayError('could not duplicate', e));
    const noCreate = whyNot('vtags.create');
    const tabs: [Tab, string][] = [['tagging', MAIN[draft.kind]], ...(draft.kind === 'rules' || draft.kind === 'dictionary' ? [['reallocation', `Reallocation${draft.allocations.length ? ` ${draft.allocations.length}` : ''}`] as [Tab, string]] : []), ...(id ? [['values', 'Values'] as [Tab, string]] : [])];
    const wide = tab === 'values';

    return (
        <>
            <header class="top tagtop">
                <a class="back" href="/virtual-tags" onClick={(e) => { e.preventDefault(); go('/virtual-tags'); }}>Virtual tags</a><span class="soft" aria-hidden="true">/</span>
                <h1 class="clip">{title}</h1>
                {draft.kind === 'rules' ? null : <span class={draft.kind === 'relational' ? 'badge violet' : 'badge'}>{kindLabel(draft.kind)}</span>}
                {start.predefined ? <span class="badge">predefined, read only</span> : null}
                {dirty && !readOnly ? <span class="soft small edited">edited</span> : null}
                <span class="sp" />
                <SearchButton />
                {id && !start.predefined ? <button type="button" onClick={() => setSharing(true)}>Share</button> : null}
                {id ? <button type="button" onClick={() => setLayer('versions')}>Versions</button> : null}
                {id ? (
                    <Panel class="square" title="More" name="More" label={<span aria-hidden="true">⋯</span>}>
                        {(close) => (
                            <div class="menu">
                                <button type="button" class="line" onClick={() => { close(); go(`/megabill?by=virtualTag:${keyId(draft, id)}:virtual_tag`); }}>Show in MegaBill</button>
                                <button type="button" class="line" onClick={() => { close(); setLayer('graph'); }}>Dependencies</button>
                                <button type="button" class="line" onClick={() => { close(); setLayer('usage'); }}>Where used</button>
                                <Guarded why={noCreate} class="line" onClick={() => { close(); duplicate(); }}>Duplicate</Guarded>
                                {draft.kind === 'rules' ? <><hr /><button type="button" class="line" onClick={() => { close(); void download('GET', `/api/tags/${id}/rules.csv`, undefined, 'rules.csv').catch((e: unknown) => sayError('could not export the rules', e)); }}>Export rules as CSV</button>
                                    {start.predefined ? null : <Guarded why={whyNot('vtags.edit')} class="line" onClick={() => { close(); setLayer('import'); }}>Import rules from CSV</Guarded>}</> : null}
                            </div>
                        )}
                    </Panel>
                ) : null}
                {readOnly ? (start.predefined ? <Guarded why={noCreate} class="primary" onClick={duplicate}>Duplicate to change</Guarded> : null)
                    : <Save draft={draft} saved={saved} isNew={id === null} dirty={dirty} why={complete(draft)} onSave={save} />}
            </header>
            {start.stagedVersion && id && !start.predefined ? (
                <p class="notice" role="status">{start.liveVersion ? 'A staged version waits; what is shown here is the live one.' : 'This tag is only staged: nothing uses it until it is published.'} <button type="button" class="link" onClick={() => setLayer('versions')}>Compare or publish</button>
                    {start.liveVersion && !readOnly ? <button type="button" class="link" onClick={editStaged}>Go on with the staged one</button> : null}</p>
            ) : null}
            <div class="bar">
                {tabs.length > 1 ? (
                    <span class="seg" role="group" aria-label="What of the tag">
                        {tabs.map(([t, label]) => <button type="button" key={t} aria-pressed={tab === t} onClick={() => setTab(t)}>{label}</button>)}
                    </span>
                ) : null}
                {start.updatedAt ? <span class="soft small middle">Changed {moment(start.updatedAt, session.today)}{start.updatedBy ? ` by ${start.updatedBy}` : ''}</span> : null}
            </div>
            <div class={wide ? 'onepane' : 'twopanes'}>
                <div class="leftpane">
                    {tab === 'tagging' ? (
                        <>
                            <section class="card pad tagbasics" aria-labelledby="tagbasics">
                                <h2 class="away" id="tagbasics">Name and default</h2>
                                <label>Name<input type="text" value={draft.name} maxLength={200} disabled={readOnly} {...(id ? {} : { autofocus: true })} placeholder="Team" onInput={(e) => change({ name: e.currentTarget.value })} /></label>
                                <label>Category<input type="text" value={draft.category ?? ''} maxLength={200} disabled={readOnly} placeholder="none" onInput={(e) => change({ category: e.currentTarget.value })} /></label>
                                {readOnly ? <p class="small">Lines no rule catches: <b>{typeof draft.defaultValue === 'string' ? draft.defaultValue : 'value of a key'}</b></p>
                                    : <ValueOrKey label="Default" name="default value" to={draft.defaultValue} keys={keys} onChange={(defaultValue) => change({ defaultValue })} />}
                            </section>
                            {draft.kind === 'dictionary' ? <DictionaryEditor id={id} draft={draft} keys={keys} readOnly={readOnly} onChange={change} onUploaded={reload} /> : null}
                            {draft.kind === 'hierarchy' ? <HierarchyEditor id={id} draft={draft} keys={keys} readOnly={readOnly} onChange={change} onUploaded={reload} /> : null}
                            {draft.kind === 'relational' ? <RelationEditor draft={draft} keys={keys} question={question} currency={currency} readOnly={readOnly} onChange={change} /> : null}
                            {draft.kind === 'rules' || draft.kind === 'relational' ? <RuleList draft={draft} keys={keys} question={question} currency={currency} preview={preview} readOnly={readOnly} onChange={(rules) => change({ rules })} /> : null}
                        </>
                    ) : null}
                    {tab === 'reallocation' ? <Reallocation draft={draft} keys={keys} question={question} basis={basis} onBasis={setBasis} values={preview.answer?.values ?? []} currency={currency} readOnly={readOnly} onChange={(allocations) => change({ allocations })} /> : null}
                    {tab === 'values' && id ? <MetadataEditor id={id} values={preview.answer?.values ?? []} currency={currency} readOnly={readOnly} /> : null}
                </div>
                {tab === 'tagging' ? (ready ? <PreviewPane p={preview} draft={draft} basis={basis} onBasis={setBasis} keyAt={keyAt} onKey={setKeyAt} /> : <aside class="card previewpane" aria-label="Preview"><div class="panehead"><h2>Preview</h2></div><p class="pad soft">What the tag does to the bill appears here as soon as it has {complete(draft)}.</p></aside>) : null}
            </div>
            {sharing && id ? <Share kind="virtual_tag" id={id} name={draft.name} onClose={() => setSharing(false)} /> : null}
            {layer === 'versions' && id ? <Versions id={id} name={draft.name} onClose={() => setLayer('none')} onChanged={reload} /> : null}
            {layer === 'graph' ? <GraphDialog {...(id ? { focus: id } : {})} onClose={() => setLayer('none')} /> : null}
            {layer === 'usage' && id ? <Usage id={id} name={draft.name} onClose={() => setLayer('none')} /> : null}
            {layer === 'import' && id ? <ImportRules id={id} onClose={() => setLayer('none')} onStaged={() => { setLayer('versions'); onReload?.(); }} /> : null}
        </>
    );
}

/** What is grouped by: the tag, or the first key of one that exposes several. */
const keyId = (d: Draft, id: string): string => d.relation?.outputs[0]?.id ?? d.hierarchy?.levels[0]?.id ?? id;

/** What the tag lacks before it means anything; null when it can be computed. Names come later. */
function complete(d: Draft): string | null {
    if (d.kind === 'dictionary') return d.dictionary?.source.key ? null : 'a source key';
    if (d.kind === 'hierarchy') return !d.hierarchy?.base.key ? 'a base key' : d.hierarchy.levels.every((l) => l.name.trim()) && d.hierarchy.levels.length ? null : 'a name for each level';
    if (d.kind === 'relational') {
        const r = d.relation;
        return !r?.kpiCenterId ? 'a telemetry' : !r.metricName ? 'a metric' : r.outputs.length === 0 ? 'an output' : r.outputs.some((o) => !o.name.trim()) ? 'a name for each output' : null;
    }
    return null;
}

function Save({ draft, saved, isNew, dirty, why, onSave }: { draft: Draft; saved: Draft; isNew: boolean; dirty: boolean; why: string | null; onSave: (live: boolean, description: string) => Promise<ApiError | null> }): JSX.Element {
    const keys = useCell(keyCell);
    const [open, setOpen] = useState(false);
    const [text, setText] = useState('');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const bad = draft.rules.findIndex((r) => lacks(r) !== null);
    const lack = !draft.name.trim() ? 'The tag needs a name.' : why ? `The tag needs ${why}.` : typeof draft.defaultValue === 'string' ? (draft.defaultValue.trim() ? null : 'The default needs a value.') : draft.defaultValue.key ? null : 'The default needs a key.';
    const stop = lack ?? (bad >= 0 ? `Rule ${bad + 1} needs ${lacks(draft.rules[bad] as Draft['rules'][number]) ?? ''}.` : !dirty && !isNew ? 'Nothing has changed.' : null);
    const send = (live: boolean): void => {
        if (busy || stop) return;
        setBusy(true);
        setError(null);
        void onSave(live, text.trim()).then((e) => {
            setBusy(false);
            setError(e);
            if (!e) {
                setOpen(false);
                setText('');
            }
        });
    };
    const latest = useRef({ open: () => undefined as void });
    latest.current.open = () => setOpen(true);
    useEffect(() => {
        const key = (e: KeyboardEvent): void => {
            if (!(e.ctrlKey || e.metaKey) || e.key.toLowerCase() !== 's') return;
            e.preventDefault();
            latest.current.open();
        };
        document.addEventListener('keydown', key);
        return () => document.removeEventListener('keydown', key);
    }, []);
    return (
        <Panel float wide class="primary" title="Save" open={open} onOpen={(o) => { setOpen(o); setError(null); }} label="Save">
            {() => (
                <form class="stack savebox" onSubmit={(e) => { e.preventDefault(); send(true); }}>
                    <label>What changes, for the history<input type="text" value={text} maxLength={1000} data-first placeholder={isNew ? 'First version' : 'Optional'} onInput={(e) => setText(e.currentTarget.value)} /></label>
                    {isNew || stop ? null : <div class="savediff"><Changes changes={difference(toDocument(saved), toDocument(draft), keys).slice(0, 50)} /></div>}
                    {stop ? <p class="small up" role="status">{stop}</p> : null}
                    {error ? <p class="problem" role="alert">{error.message}{error.field ? <> (<code>{error.field}</code>)</> : null}{error.hint ? `. ${error.hint}` : ''}</p> : null}
                    <div class="row end">
                        <button type="button" disabled={busy || stop !== null} onClick={() => send(false)}>Save as staged</button>
                        <button class="primary" disabled={busy || stop !== null}>{busy ? 'Saving' : 'Save and make live'}</button>
                    </div>
                </form>
            )}
        </Panel>
    );
}
