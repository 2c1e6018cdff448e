/*
 * megabill.tsx - the one bill: the question in words, the figures, the picture, the table.
 *
 * State is the address. Every change of the question is a step of the browser's history; the old answer
 * stays in sight, dimmed, until the new one is there, so nothing jumps.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { billsVersion, commands, copy, go, keys as keyCell, place, sayError, session as sessionCell, slash, toast, views as viewCell, whyNot, type Command } from '../app';
import { ApiError, ask, download, knownAnswer } from '../lib/api';
import { useCell } from '../lib/cell';
import { addDays, longDay, RANGES, rangeLabel, resolve, spanText } from '../lib/day';
import { adopt, complete, completeChart, costTypeLabel, dateLabel, flat, GRANULARITIES, granularityLabel, keyLabel, KINDS, leafCount, leafOf, leafText, narrow, offeredTypes, onlyView, read, sameQuestion, spanOf, TOP, TOP_ALL, unflat, wire, write, type State } from '../lib/question';
import type { Answer, ChartKind, ChartState, Granularity, KeyRef, Question, SavedView, Session } from '../lib/types';
import { Empty, Failure, Guarded, SearchButton } from '../parts/basic';
import { Choice } from '../parts/choice';
import { Panel } from '../parts/panel';
import { GroupBy, keyItems, keyOf } from '../bill/by';
import { CurrencyPanel } from '../bill/currency';
import { Crumbs, nextKey } from '../bill/drill';
import { Explain, rowQuestion } from '../bill/explain';
import { FilterBar } from '../bill/filter';
import { KpiBones, Kpis } from '../bill/kpis';
import { Picture, REST } from '../bill/picture';
import { finding, result, type Result, type Row } from '../bill/result';
import { asCurl } from '../bill/share';
import { Table } from '../bill/table';
import { overwrite, SaveDialog, viewAddress, ViewsMenu } from '../bill/views';
import { When } from '../bill/when';

type Loaded = { question: string; answer: Answer; asked: Question };

export function MegaBill(): JSX.Element {
    const where = useCell(place);
    const session = useCell(sessionCell) as Session;
    const keys = useCell(keyCell);
    const views = useCell(viewCell);
    const version = useCell(billsVersion);
    const cost = session.account.defaultCostType;

    // The vendor's deep links: /app/total-cost?view=ID and ?filters=JSON, whose keys name no cost center.
    const vendor = where.path === '/app/total-cost' && new URLSearchParams(where.search).has('filters');
    useEffect(() => {
        if (vendor && keys) go('/megabill' + write(adopt(where.search, keys, cost), cost), true);
    }, [vendor, keys]);
    const wanted = onlyView(where.search);
    const fromView = wanted ? views?.find((v) => v.id === wanted) : undefined;
    const state = useMemo<State>(() => {
        if (fromView) return { question: complete(fromView.question, cost), chart: completeChart(fromView.chart), view: fromView.id };
        return read(where.search, cost);
    }, [where.search, cost, fromView]);
    const waitingForView = (wanted !== null && views === null) || vendor;
    const { question, chart } = state;
    const current = views?.find((v) => v.id === state.view) ?? null;
    const dirty = current !== null && !sameQuestion(question, complete(current.question, cost));

    const address = (s: State): string => '/megabill' + write(s, cost);
    const setQuestion = (part: Partial<Question>, keepTop = false): void => {
        const next = { ...question, ...part, ...(keepTop ? {} : { top: part.top ?? TOP }) };
        const groups = part.groupBy !== undefined;
        go(address({ ...state, question: next, chart: { ...chart, ...(groups ? { hidden: [], sort: '' } : {}) } }));
    };
    const setChart = (part: Partial<ChartState>): void => go(address({ ...state, chart: { ...chart, ...part } }), true);

    /* ---- the answer ---- */
    const body = useMemo(() => wire(question), [question]);
    const id = JSON.stringify(body);
    const [loaded, setLoaded] = useState<Loaded | null>(() => {
        const a = waitingForView ? undefined : knownAnswer(body);
        return a ? { question: id, answer: a, asked: question } : null;
    });
    const [error, setError] = useState<ApiError | null>(null);
    const [tries, setTries] = useState(0);
    useEffect(() => {
        if (waitingForView) return undefined;
        const stop = new AbortController();
        ask(body, stop.signal)
            .then((answer) => {
                setLoaded({ question: id, answer, asked: question });
                setError(null);
            })
            .catch((e: unknown) => {
                if (e instanceof ApiError) setError(e);
                else if (!(e instanceof DOMException)) setError(new ApiError(0, String(e), null, null, null, null));
            });
        return () => stop.abort();
    }, [id, version, tries, waitingForView]);
    const stale = loaded !== null && loaded.question !== id && error === null;
    const r = useMemo<Result | null>(() => (loaded ? result(loaded.answer, loaded.asked.groupBy, loaded.asked.granularity, session) : null), [loaded, session]);

    /* ---- what the screen does ---- */
    const [hover, setHover] = useState<string | null>(null);
    const [adding, setAdding] = useState(false);
    const [saving, setSaving] = useState(false);
    const [explain, setExplain] = useState<{ row: Row | null; bucket?: number } | null>(null);
    const hidden = useMemo(() => new Set(chart.hidden), [chart.hidden]);
    const most = question.top >= TOP_ALL;
    const raise = (): void => (most ? (noExport ? void toast(noExport, 'bad') : csv()) : setQuestion({ top: r ? Math.min(TOP_ALL, Math.max(r.answer.groupCount, TOP)) : TOP_ALL }, true));
    const drill = (row: Row, n?: number): void => {
        if (row.isOthers || row.id === REST) return raise();
        if (question.groupBy.length === 0) return setExplain({ row: null });
        const only = n === undefined || question.groupBy.length === 1;
        const filters = n === undefined ? rowQuestion(question, row).filters : oneValue(row, n);
        const last = question.groupBy[0] as KeyRef;
        const next = only && question.groupBy.length === 1 ? nextKey(last, [...question.groupBy, ...(flat(filters) ?? [])], flat(filters) ?? []) : null;
        setQuestion({ filters, groupBy: next ? [next] : question.groupBy });
    };
    const oneValue = (row: Row, n: number): Question['filters'] => {
        const k = question.groupBy[n] as KeyRef;
        const v = row.values[n] ?? '';
        return narrow(question.filters, v === '' ? leafOf(k, 'notExists', []) : leafOf(k, 'oneOf', [v]));
    };
    const exclude = (row: Row): void => {
        const k = question.groupBy[question.groupBy.length - 1] as KeyRef;
        if (question.groupBy.length === 1) {
            const v = row.values[0] ?? '';
            setQuestion({ filters: narrow(question.filters, v === '' ? leafOf(k, 'exists', []) : leafOf(k, 'notOneOf', [v])) });
            return;
        }
        // Not this combination: at least one of its values differs.
        const some = question.groupBy.map((g, i) => (row.values[i] ? leafOf(g, 'notOneOf', [row.values[i] as string]) : leafOf(g, 'exists', [])));
        setQuestion({ filters: { AND: [...(flat(question.filters) ?? (question.filters ? [question.filters] : [])), { OR: some }] } });
    };
    const hide = (row: Row): void => setChart({ hidden: hidden.has(row.id) ? chart.hidden.filter((h) => h !== row.id) : [...chart.hidden, row.id] });
    const focus = (format: 'csv' | 'parquet'): void => void download('POST', '/api/focus', { ...body, format }, `focus.${format}`).catch((e: unknown) => sayError('could not export', e));
    const csv = (): void => void download('POST', '/api/query.csv', body, 'megabill.csv').catch((e: unknown) => sayError('could not export', e));
    const noExport = whyNot('cost.export');
    const noSave = whyNot('views.manage');
    const copyCall = (): void => void (r && copy(asCurl(question, r, current && !dirty ? current.id : null), 'API call'));
    const copyLink = (): void => void copy(location.origin + address(state), 'Link');
    const save = (): void => (noSave ? void toast(noSave, 'bad') : setSaving(true));

    useEffect(() => {
        slash.set(() => setAdding(true));
        return () => slash.set(null);
    }, []);
    const latest = useRef<Command[]>([]);
    latest.current = [
        ...RANGES.map(([name, label]): Command => ({ group: 'When', label, hint: hintSpan(name, session.today), run: () => setQuestion({ date: { relativeRange: name, type: 'day' } }) })),
        ...offeredTypes(session.account.costTypes, question.costType).map(([c, label]): Command => ({ group: 'Cost type', label, run: () => setQuestion({ costType: c }) })),
        ...GRANULARITIES.map(([g, label]): Command => ({ group: 'Granularity', label, run: () => setQuestion({ granularity: g }) })),
        ...KINDS.map(([k, label]): Command => ({ group: 'Picture', label, run: () => setChart({ kind: k }) })),
        ...keyItems(keys).map((k): Command => ({ group: 'Group by', label: k.label, hint: k.group, run: () => { const ref = keyOf(keys, k.id); if (ref) setQuestion({ groupBy: [ref] }); } })),
        { group: 'Do', label: 'Add a filter', hint: '/', run: () => setAdding(true) },
        { group: 'Do', label: 'Save view', run: save },
        { group: 'Do', label: 'Copy link', run: copyLink },
        { group: 'Do', label: 'Copy as API call', run: copyCall },
        { group: 'Do', label: 'Export CSV', run: () => (noExport ? void toast(noExport, 'bad') : csv()) },
            { group: 'Do', label: 'Export bill rows as FOCUS 1.2', run: () => (noExport ? void toast(noExport, 'bad') : focus('csv')) },
        { group: 'Do', label: 'Explain the total', run: () => setExplain({ row: null }) },
        { group: 'Do', label: 'Back to the start: last 30 days by service', run: () => go('/megabill') },
    ];
    useEffect(() => {
        commands.set(latest.current.map((c, i) => ({ ...c, run: () => latest.current[i]?.run() })));
        return () => commands.set([]);
    }, [keys, session.today]);
    useEffect(() => {
        document.title = (current ? current.name + ' · ' : '') + 'MegaBill · Farthing';
    }, [current]);

    const span = loaded && loaded.question === id ? loaded.answer.range : spanOf(question.date, session.today);
    const found = r ? finding(r) : null;
    const nothing = r !== null && r.answer.rows === 0 && r.total === 0n;

    return (
        <>
            <header class="top">
                <h1>MegaBill</h1>
                <ViewsMenu state={state} session={session} current={current} />
                {dirty ? <span class="soft small edited">edited</span> : null}
                <span class="sp" />
                <Freshness session={session} />
                <SearchButton />
                {current && dirty && !noSave ? <button type="button" class="wideonly" onClick={() => void overwrite(state, current)}>Overwrite</button> : null}
                <Guarded why={noSave} class="primary" onClick={() => setSaving(true)}>Save view</Guarded>
            </header>

            <div class="bar" role="group" aria-label="The question">
                <Panel wide title="When" label={<>{dateLabel(question.date, session.today)}{'relativeRange' in question.date && span ? <span class="soft"> {spanText(span, session.today)}</span> : null}</>}>
                    {(close) => <When date={question.date} span={span} today={session.today} firstDay={session.firstDay} onPick={(date) => { close(); setQuestion({ date }); }} />}
                </Panel>
                <Panel title="Which cost" label={<>{costTypeLabel(question.costType)}{session.account.edp ? <span class="soft"> with discounts</span> : null}</>}>
                    {(close) => <Choice items={offeredTypes(session.account.costTypes, question.costType)} value={question.costType} onPick={(c) => { close(); setQuestion({ costType: c }); }} />}
                </Panel>
                <CurrencyPanel value={question.currency} shown={r} account={session.account.currency} onPick={(currency) => setQuestion(currency === 'original' ? { currency, groupBy: inOwn(question.groupBy) } : { currency }, true)} />
                <Panel title="How fine" label={granularityLabel(question.granularity)}>
                    {(close) => <Choice items={GRANULARITIES} value={question.granularity} onPick={(g) => { close(); setQuestion({ granularity: g as Granularity }, true); }} />}
                </Panel>
                <Panel title="By what" label={<><span class="soft">by</span> <b>{question.groupBy.map((k) => keyLabel(k, keys)).join(', ') || 'nothing'}</b></>}>
                    {() => <GroupBy by={question.groupBy} keys={keys} onChange={(groupBy) => setQuestion({ groupBy })} />}
                </Panel>
                <FilterBar question={question} keys={keys} currency={r?.currency ?? session.account.currency} adding={adding} onAdding={setAdding} onChange={(filters) => setQuestion({ filters })} />
                <span class="sp" />
                <button type="button" class={question.previous ? 'chip on' : 'chip'} aria-pressed={question.previous} onClick={() => setQuestion({ previous: !question.previous }, true)}>vs previous</button>
            </div>

            <Crumbs question={question} onGo={(q) => setQuestion(q)} />
            {session.sources === 0 && nothing ? (
                <section class="card"><Empty what="No bill is loaded yet"><p>Load the first one on the Bills screen, or with <code>farthing load</code>. Costs appear here as soon as it is live.</p><p><a class="button primary" href="/bills" onClick={(e) => { e.preventDefault(); go('/bills'); }}>Go to Bills</a></p></Empty></section>
            ) : error && !stale ? (
                <section class="card"><Failure what="This question could not be answered" error={error} retry={() => { setError(null); setTries(tries + 1); }} />
                    <Undo question={question} setQuestion={setQuestion} keys={keys} /></section>
            ) : r === null || found === null ? (
                <>
                    <KpiBones />
                    <section class="card" aria-busy="true"><div class="chart"><div class="h"><i class="bone short" /></div><div class="bone canvasbone" /></div><div class="skeleton" role="status" aria-label="Fetching costs">{Array.from({ length: 9 }, (_, i) => <div class="bone" key={i} />)}</div></section>
                </>
            ) : (
                <>
                    {r.mixed ? null : <Kpis r={r} question={loaded?.asked ?? question} session={session} onExplain={() => setExplain({ row: null })} />}
                    {nothing ? (
                        <section class="card"><Empty what="No cost matches"><p>No bill row falls into {spanText(r.answer.range, session.today)}{leafCount(question.filters) ? ' and passes the filter' : ''}.{session.firstDay ? ` Bills cover ${longDay(session.firstDay)} to ${session.knownTo ? longDay(session.knownTo) : 'today'}.` : ''}</p></Empty>
                            <Undo question={question} setQuestion={setQuestion} keys={keys} /></section>
                    ) : (
                        <section class="card" aria-busy={stale}>
                            <div class="chart">
                                <div class="h">
                                    <p aria-live="polite" class="finding"><b>{found.strong}</b>{found.rest}</p>
                                    <span class="sp" />
                                    <span class="seg" hidden={r.mixed} role="group" aria-label="Picture">
                                        {KINDS.map(([k, label]) => <button type="button" key={k} aria-pressed={chart.kind === k} onClick={() => setChart({ kind: k as ChartKind })}>{label}</button>)}
                                    </span>
                                    <Panel class="square" title="More" label={<><span aria-hidden="true">⋯</span><span class="away">More</span></>}>
                                        {(close) => (
                                            <div class="menu">
                                                <label class="line"><input type="checkbox" checked={chart.pivot} onChange={() => setChart({ pivot: !chart.pivot })} /> A column per {question.granularity === 'accumulated' ? 'period' : question.granularity}</label>
                                                <label class="line"><input type="checkbox" checked={question.others} onChange={() => setQuestion({ others: !question.others }, true)} /> Show the others as one row</label>
                                                {question.groupBy.some((k) => k.type === 'virtual_tag') ? <label class="line"><input type="checkbox" checked={question.shared} onChange={() => setQuestion({ shared: !question.shared }, true)} /> Direct and shared parts</label> : null}
                                                {chart.hidden.length ? <button type="button" class="line" onClick={() => { close(); setChart({ hidden: [] }); }}>Draw all series</button> : null}
                                                <hr />
                                                <button type="button" class="line" onClick={() => { close(); copyLink(); }}>Copy link</button>
                                                <button type="button" class="line" onClick={() => { close(); copyCall(); }}>Copy as API call</button>
                                                <Guarded why={noExport} class="line" onClick={() => { close(); csv(); }}>Export CSV</Guarded>
                                                <Guarded why={noExport} class="line" onClick={() => { close(); focus('csv'); }}>Export bill rows, FOCUS 1.2</Guarded>
                                                <Guarded why={noExport} class="line" onClick={() => { close(); focus('parquet'); }}>Export bill rows, FOCUS Parquet</Guarded>
                                                <button type="button" class="line" onClick={() => { close(); setExplain({ row: null }); }}>Explain the total</button>
                                            </div>
                                        )}
                                    </Panel>
                                </div>
                                {r.mixed ? null : <Picture r={r} kind={chart.kind} hidden={hidden} title={`${found.strong}${found.rest} ${KINDS.find(([k]) => k === chart.kind)?.[1] ?? ''} of cost, ${spanText(r.answer.range, session.today)}; the table below has every number.`}
                                    hover={hover} onHover={setHover} onPick={drill} stale={stale} />}
                            </div>
                            <Table r={r} sort={chart.sort} pivot={chart.pivot} hidden={hidden} today={session.today} hover={hover} stale={stale} most={most} onHover={setHover}
                                onSort={(sort) => setChart({ sort })} onHide={hide} onDrill={drill} onExclude={exclude} onExplain={(row, bucket) => setExplain(bucket === undefined ? { row } : { row, bucket })}
                                onOpenOthers={raise} onFewer={question.top > TOP ? () => setQuestion({ top: TOP }, true) : null} />
                        </section>
                    )}
                </>
            )}
            {saving ? <SaveDialog state={state} current={dirty ? current : null} onClose={() => setSaving(false)} onSaved={(v: SavedView) => { setSaving(false); go(viewAddress(v, session)); }} /> : null}
            {explain && r ? <Explain r={r} row={explain.row} bucket={explain.bucket} question={loaded?.asked ?? question} view={current && !dirty ? current.id : null} session={session} onClose={() => setExplain(null)} /> : null}
        </>
    );
}

/** Amounts of several currencies are never one row: the billing currency goes first. */
const CURRENCY_KEY: KeyRef = { costCenter: 'Global', key: 'billing_currency', type: 'billing_dimension' };
const inOwn = (by: KeyRef[]): KeyRef[] => (by.some((k) => k.key === CURRENCY_KEY.key) ? by : [CURRENCY_KEY, ...by]);

const hintSpan = (name: string, today: string): string | undefined => {
    const s = resolve(name, today);
    return s ? spanText(s, today) : rangeLabel(name);
};

/** One click away from more: each filter, and the range. */
function Undo({ question, setQuestion, keys }: { question: Question; setQuestion: (q: Partial<Question>) => void; keys: Parameters<typeof leafText>[1] }): JSX.Element | null {
    const leaves = flat(question.filters);
    if (leafCount(question.filters) === 0 && 'relativeRange' in question.date && question.date.relativeRange === 'last30Days') return null;
    return (
        <div class="state row wrap undo">
            {leaves ? leaves.map((l, i) => <button type="button" key={i} onClick={() => setQuestion({ filters: unflat(leaves.filter((_, n) => n !== i)) })}>Without {leafText(l, keys)}</button>)
                : <button type="button" onClick={() => setQuestion({ filters: null })}>Without the filter</button>}
            {!('relativeRange' in question.date) || question.date.relativeRange !== 'last30Days' ? <button type="button" onClick={() => setQuestion({ date: { relativeRange: 'last30Days', type: 'day' } })}>Last 30 days</button> : null}
        </div>
    );
}

export function Freshness({ session }: { session: Session }): JSX.Element | null {
    if (!session.knownTo) return <span class="fresh"><i class="none" />No bill loaded</span>;
    const complete = session.completeTo ?? (session.knownTo < session.today ? session.knownTo : addDays(session.today, -1));
    const late = complete < addDays(session.today, -3);
    return (
        <span class="fresh" title={late ? 'The newest bill is more than three days old' : undefined}>
            <i class={late ? 'late' : undefined} />Complete to {spanText({ from: complete, to: complete }, session.today)}<span class="wideonly">, {session.sources} {session.sources === 1 ? 'source' : 'sources'}</span>{late ? <span class="away"> (late)</span> : null}
        </span>
    );
}
