/* costtypes.tsx - what money means in this account: the types offered, FairShare, discounts that no bill shows. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { billsChanged, billsVersion, jobs as jobCell, loadJobs, place, sayError, toast, unsaved, whyNot } from '../app';
import { ApiError, asError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { COST_TYPES, costTypeLabel } from '../lib/question';
import type { Job } from '../lib/types';
import { Empty, Failure, Guarded, Icon, Progress, SearchButton, Skeleton } from '../parts/basic';
import type { TagRow } from '../tags/types';

type Width = 'off' | 'sku' | 'family' | 'service';
interface CostType { name: string; label: string; available: boolean; offered: boolean; approximated: string[] }
interface Adjustment { value: string; mode: 'percentage' | 'rate'; number: string; from: string | null; to: string | null }
interface Edp { show: boolean; tagId: string | null; costTypes: string[]; adjustments: Adjustment[] }
interface Settings { defaultCostType: string; types: CostType[]; fairShare: { width: Width; jobId: string | null }; edp: Edp }
interface Draft { defaultCostType: string; offered: string[]; edp: Edp }

const WIDTHS: [Width, string, string][] = [
    ['off', 'Off', 'Nobody is offered FairShare, and nothing is worked out'],
    ['sku', 'The same SKU', 'Instance type, system and tenancy; other usage by its usage type'],
    ['family', 'The same family', 'Instance families, where a size counts by how large it is'],
    ['service', 'The whole service', 'All usage of a service'],
];
const draftOf = (s: Settings): Draft => ({ defaultCostType: s.defaultCostType, offered: s.types.filter((t) => t.offered).map((t) => t.name), edp: s.edp });
const about = (name: string): string => COST_TYPES.find(([id]) => id === name)?.[2] ?? '';

export function CostTypes(): JSX.Element {
    const version = useCell(billsVersion);
    const [settings, setSettings] = useState<Settings | ApiError | null>(null);
    const [draft, setDraft] = useState<Draft | null>(null);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const why = whyNot('edp.edit');
    const load = (): void => void get<Settings>('/api/cost-types').then(setSettings).catch((e: unknown) => setSettings(asError(e)));
    useEffect(load, [version]);
    useEffect(() => {
        document.title = 'Cost types · Farthing';
        void loadJobs();
    }, []);
    const dirty = draft !== null;
    useEffect(() => {
        const at = place.get().path;
        unsaved.set(dirty ? { what: 'The changes to the cost types are not saved.', keeps: (p) => p === at } : null);
        return () => unsaved.set(null);
    }, [dirty]);
    const take = (s: Settings): void => {
        setSettings(s);
        setDraft(null);
        setWrong(null);
        toast('The cost types are saved');
        void billsChanged();
    };
    const save = (): void => {
        if (busy || !draft) return;
        setBusy(true);
        call<Settings>('PUT', '/api/cost-types', draft).then(take).catch((e: unknown) => setWrong(asError(e))).finally(() => setBusy(false));
    };
    if (settings === null || settings instanceof ApiError)
        return (
            <>
                <header class="top"><h1>Cost types</h1><span class="sp" /><SearchButton /></header>
                <section class="card">{settings ? <Failure what="The cost types could not be fetched" error={settings} retry={load} /> : <Skeleton rows={8} label="Fetching the cost types" />}</section>
            </>
        );
    const now = draft ?? draftOf(settings);
    const edit = (part: Partial<Draft>): void => {
        const next = { ...now, ...part };
        setDraft(JSON.stringify(next) === JSON.stringify(draftOf(settings)) ? null : next);
    };
    return (
        <>
            <header class="top"><h1>Cost types</h1><span class="sp" /><SearchButton />
                {dirty ? <button type="button" class="quiet" onClick={() => { setDraft(null); setWrong(null); }}>Discard</button> : null}
                <Guarded why={why ?? (dirty ? null : 'Nothing has changed')} class="primary" onClick={save}>Save</Guarded></header>
            <p class="lead">What a cost is depends on who asks: what the invoice says, what a day really cost, what it would have cost without discounts. Changes are for everybody.</p>
            {wrong ? <p class="problem" role="alert">{wrong.field ? <code>{wrong.field}</code> : null} {wrong.message}{wrong.hint ? `. ${wrong.hint}` : ''}</p> : null}
            <Offered settings={settings} now={now} edit={edit} why={why} />
            <FairShare settings={settings} why={why} dirty={dirty} reload={load} />
            <Discounts settings={settings} edp={now.edp} edit={(edp) => edit({ edp })} why={why} field={wrong?.field ?? null} />
        </>
    );
}

function Offered({ settings, now, edit, why }: { settings: Settings; now: Draft; edit: (part: Partial<Draft>) => void; why: string | null }): JSX.Element {
    return (
        <section class="card" aria-labelledby="offered">
            <h2 class="cardhead" id="offered">Offered and default</h2>
            <div class="tablebox" tabIndex={0} role="region" aria-label="Table of cost types">
                <table class="plain costtypes">
                    <caption class="away">Cost types</caption>
                    <thead><tr><th scope="col">Cost type</th><th scope="col">Offered</th><th scope="col">Default</th><th scope="col">Approximated for</th></tr></thead>
                    <tbody>{settings.types.filter((t) => t.available).map((t) => (
                        <tr key={t.name}>
                            <th scope="row">{costTypeLabel(t.name) === t.name ? t.label : costTypeLabel(t.name)}<span class="block soft small">{about(t.name)}</span></th>
                            <td><input type="checkbox" aria-label={`${t.label} is offered`} checked={now.offered.includes(t.name)} disabled={!!why || now.defaultCostType === t.name}
                                onChange={(e) => edit({ offered: settings.types.map((x) => x.name).filter((n) => (n === t.name ? e.currentTarget.checked : now.offered.includes(n))) })} /></td>
                            <td><input type="radio" name="default" aria-label={`${t.label} is the default`} checked={now.defaultCostType === t.name} disabled={!!why || !now.offered.includes(t.name)} onChange={() => edit({ defaultCostType: t.name })} /></td>
                            <td>{t.approximated.length ? <><span class="badge late">approximated</span> {t.approximated.join(', ')}</> : <span class="soft">no bill lacks it</span>}</td>
                        </tr>
                    ))}</tbody>
                </table>
            </div>
            <p class="pad soft small">Who does not find a type in the pickers can still open a view that was saved with it. Approximated: the bills of that cost center lack the type and have its nearest neighbour in its place.</p>
        </section>
    );
}

function FairShare({ settings, why, dirty, reload }: { settings: Settings; why: string | null; dirty: boolean; reload: () => void }): JSX.Element {
    const jobs = useCell(jobCell);
    const [width, setWidth] = useState<Width | null>(null);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const own = jobs.filter((j) => j.kind === 'fairshare');
    const job: Job | undefined = own.find((j) => j.state === 'running') ?? own.find((j) => j.id === settings.fairShare.jobId);
    const chosen = width ?? settings.fairShare.width;
    const runs = job?.state === 'running';
    useEffect(() => {
        if (job && !runs) reload();
    }, [job?.id, runs]);
    const start = (): void => {
        setWrong(null);
        call<{ jobId: string }>('POST', '/api/cost-types/fairshare', { width: chosen }).then(() => {
            setWidth(null);
            reload();
            return loadJobs();
        }).catch((e: unknown) => setWrong(asError(e)));
    };
    const same = chosen === settings.fairShare.width;
    const label = settings.fairShare.width === 'off' ? 'Switch FairShare on' : chosen === 'off' ? 'Switch FairShare off' : 'Change what is alike';
    return (
        <section class="card pad stack" aria-labelledby="fairshare">
            <div class="row"><h2 id="fairshare">FairShare</h2><span class={settings.fairShare.width === 'off' ? 'badge' : 'badge live'}>{settings.fairShare.width === 'off' ? 'off' : 'on'}</span></div>
            <p class="measure">AWS gives reservations, savings plans and spot prices to whichever instance comes first, so two teams pay differently for the same hour. FairShare adds up what usage that is alike cost, and splits it by list price: equal usage, equal price. No total changes. It covers EC2, Lambda, ECS, RDS, ElastiCache, DynamoDB and Redshift.</p>
            <fieldset class="choices" disabled={!!why || runs}>
                <legend>What is alike, within a payer, hour or day, region and unit</legend>
                {WIDTHS.map(([id, name, doc]) => <label class="inline" key={id}><input type="radio" name="width" checked={chosen === id} onChange={() => setWidth(id)} /><span>{name}<span class="block soft small">{doc}</span></span></label>)}
            </fieldset>
            {wrong ? <p class="problem" role="alert">{wrong.message}{wrong.hint ? `. ${wrong.hint}` : ''}</p> : null}
            {runs && job ? (
                <div class="job" role="status" data-job={job.state}>
                    <div class="row"><span>Working it out from the bills; until it is done, all numbers stay as they are</span><span class="sp" /><button type="button" class="link" disabled={!!whyNot('costcenters.create')} onClick={() => void call('POST', `/api/jobs/${job.id}/cancel`).catch((e: unknown) => sayError('could not cancel', e))}>cancel</button></div>
                    <Progress value={job.fraction > 0 ? job.fraction : null} label="Making FairShare cost" />
                    <p class="small soft">{job.phase || 'waiting'}</p>
                </div>
            ) : (
                <>
                    {job?.state === 'failed' ? <p class="problem">{job.message}</p> : null}
                    <div class="row"><Guarded why={why ?? (same ? 'This is how it is now' : dirty ? 'Save or discard the other changes first' : null)} onClick={start}>{label}</Guarded></div>
                </>
            )}
        </section>
    );
}

/** The virtual tags that label lines, each key of a hierarchy by itself. */
function useTags(): { id: string; name: string }[] | null {
    const [tags, setTags] = useState<{ id: string; name: string }[] | null>(null);
    useEffect(() => {
        get<{ tags: TagRow[] }>('/api/tags').then((r) => setTags(r.tags.filter((t) => t.hasLive && t.kind !== 'relational').flatMap((t) => (t.keys.length ? t.keys : [{ id: t.id, name: t.name }])).sort((a, b) => a.name.localeCompare(b.name)))).catch(() => setTags([]));
    }, []);
    return tags;
}
function useValues(tag: string | null): string[] {
    const [values, setValues] = useState<string[]>([]);
    useEffect(() => {
        setValues([]);
        if (tag) call<{ values: { value: string }[] }>('POST', '/api/values', { costCenter: 'virtualTag', key: tag, type: 'virtual_tag', limit: 500 }).then((r) => setValues(r.values.map((v) => v.value))).catch(() => undefined);
    }, [tag]);
    return values;
}

function Discounts({ settings, edp, edit, why, field }: { settings: Settings; edp: Edp; edit: (edp: Edp) => void; why: string | null; field: string | null }): JSX.Element {
    const tags = useTags();
    const values = useValues(edp.tagId);
    const put = (i: number, part: Partial<Adjustment>): void => edit({ ...edp, adjustments: edp.adjustments.map((a, k) => (k === i ? { ...a, ...part } : a)) });
    const bad = (i: number, name: string): 'true' | undefined => (field === `edp.adjustments[${i}].${name}` || field === `edp.adjustments[${i}]` ? 'true' : undefined);
    const gone = edp.tagId && tags && !tags.some((t) => t.id === edp.tagId);
    return (
        <section class="card pad stack" aria-labelledby="edp">
            <div class="row"><h2 id="edp">Discounts that no bill shows (EDP)</h2><span class={settings.edp.show && settings.edp.adjustments.length ? 'badge live' : 'badge'}>{settings.edp.show && settings.edp.adjustments.length ? 'shown' : 'not shown'}</span></div>
            <p class="measure">A discount your provider gives and its bill does not have, an Enterprise Discount Program for one. A virtual tag says which costs have one; its values carry a percentage off, or a rate. What the tag leaves untagged keeps its cost, so credits and taxes are adjusted only where a rule labels them. Bills that show the discount already need none here.</p>
            <label class="inline wraps"><input type="checkbox" checked={edp.show} disabled={!!why} onChange={(e) => edit({ ...edp, show: e.currentTarget.checked })} />Show all numbers with discounts: every page, view, export and the API</label>
            <div class="fields">
                <label>EDP tag<select value={edp.tagId ?? ''} disabled={!!why || tags === null} aria-invalid={field === 'edp.tagId' ? 'true' : undefined} onChange={(e) => edit({ ...edp, tagId: e.currentTarget.value || null })}>
                    <option value="">none</option>{gone ? <option value={edp.tagId as string}>a tag you may not see</option> : null}{(tags ?? []).map((t) => <option key={t.id} value={t.id}>{t.name}</option>)}</select></label>
            </div>
            <fieldset class="choices wide" disabled={!!why}>
                <legend>Cost types that carry discounts</legend>
                {settings.types.filter((t) => t.available || edp.costTypes.includes(t.name)).map((t) => (
                    <label class="inline" key={t.name}><input type="checkbox" checked={edp.costTypes.includes(t.name)} onChange={(e) => edit({ ...edp, costTypes: settings.types.map((x) => x.name).filter((n) => (n === t.name ? e.currentTarget.checked : edp.costTypes.includes(n))) })} />{costTypeLabel(t.name) === t.name ? t.label : costTypeLabel(t.name)}</label>
                ))}
            </fieldset>
            <datalist id="edpvalues">{values.map((v) => <option key={v} value={v} />)}</datalist>
            {edp.adjustments.length === 0 ? <Empty what="No discount yet"><p>{edp.tagId ? 'Add one for a value of the tag.' : 'Choose the tag first, then give its values their discount.'}</p></Empty> : (
                <div class="tablebox" tabIndex={0} role="region" aria-label="Table of discounts">
                    <table class="plain tight adjustments">
                        <caption class="away">Discounts</caption>
                        <thead><tr><th scope="col">Value of the tag</th><th scope="col">Kind</th><th scope="col" class="num">Number</th><th scope="col">From</th><th scope="col">To, inclusive</th><th scope="col"><span class="away">Take out</span></th></tr></thead>
                        <tbody>{edp.adjustments.map((a, i) => {
                            const of = a.value || `discount ${i + 1}`;
                            return (
                                <tr key={i}>
                                    <td><input type="text" list="edpvalues" aria-label={`Value of discount ${i + 1}`} value={a.value} disabled={!!why} aria-invalid={bad(i, 'value')} onInput={(e) => put(i, { value: e.currentTarget.value })} /></td>
                                    <td><select aria-label={`Kind of ${of}`} value={a.mode} disabled={!!why} onChange={(e) => put(i, { mode: e.currentTarget.value === 'rate' ? 'rate' : 'percentage' })}><option value="percentage">% off</option><option value="rate">rate</option></select></td>
                                    <td class="num"><input class="pctinput" type="text" inputMode="decimal" aria-label={`Number of ${of}`} value={a.number} disabled={!!why} aria-invalid={bad(i, 'number')} onInput={(e) => put(i, { number: e.currentTarget.value.trim() })} /></td>
                                    <td><input type="date" aria-label={`First day of ${of}`} value={a.from ?? ''} disabled={!!why} aria-invalid={bad(i, 'from')} onChange={(e) => put(i, { from: e.currentTarget.value || null })} /></td>
                                    <td><input type="date" aria-label={`Last day of ${of}`} value={a.to ?? ''} disabled={!!why} aria-invalid={bad(i, 'to')} onChange={(e) => put(i, { to: e.currentTarget.value || null })} /></td>
                                    <td class="num"><button type="button" class="bare" aria-label={`Take ${of} out`} disabled={!!why} onClick={() => edit({ ...edp, adjustments: edp.adjustments.filter((_, k) => k !== i) })}><Icon name="close" size={14} /></button></td>
                                </tr>
                            );
                        })}</tbody>
                    </table>
                </div>
            )}
            <div class="row"><Guarded why={why ?? (edp.tagId ? null : 'Choose the tag first')} class="quiet" onClick={() => edit({ ...edp, adjustments: [...edp.adjustments, { value: '', mode: 'percentage', number: '', from: null, to: null }] })}>+ Add a discount</Guarded></div>
        </section>
    );
}
export default CostTypes;
