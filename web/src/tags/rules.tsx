/*
 * rules.tsx - the rules of a tag from top to bottom: found, opened, moved, copied, taken away.
 *
 * A thousand rules stay quick: blocks of fifty that are out of sight are empty boxes of their height, and
 * a row is drawn again only when its own rule, place or figures change. Moving works by drag, by the
 * arrow keys on the grip, and by number.
 */
import { Component, type ComponentChildren, type JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { toast } from '../app';
import { keyItems, keyOf } from '../bill/by';
import { FilterTree } from '../bill/filter';
import { count, dec, exact, money } from '../lib/dec';
import { keyLabel } from '../lib/question';
import type { KeyInfo, Question } from '../lib/types';

import { Panel } from '../parts/panel';
import { PickList } from '../parts/picklist';
import { caseTwins, copyRule, finds, frameText, lacks, newRule, RULES_MANY, RULES_MAX, toLabel, whereText, type Draft, type DraftRule, type FindBy } from './draft';
import type { Previewed } from './preview';
import type { Preview, To } from './types';

type Stat = Preview['rules'][number];
interface Drop {
    id: number;
    after: boolean;
}
export interface RuleListProps {
    draft: Draft;
    keys: KeyInfo[] | null;
    question: Question;
    currency: string;
    preview: Previewed;
    readOnly: boolean;
    onChange: (rules: DraftRule[]) => void;
}

const BLOCK = 50;
const ROW = 45;

export function RuleList({ draft, keys, question, currency, preview, readOnly, onChange }: RuleListProps): JSX.Element {
    const rules = draft.rules;
    const [open, setOpen] = useState<Set<number>>(() => new Set(rules.length === 1 && !readOnly ? [(rules[0] as DraftRule).id] : []));
    const [by, setBy] = useState<FindBy>('all');
    const [search, setSearch] = useState('');
    const [only, setOnly] = useState(false);
    const [drag, setDrag] = useState<number | null>(null);
    const [drop, setDrop] = useState<Drop | null>(null);
    const [said, setSaid] = useState('');
    /* The rule that was moved or made last: its block is in the page, wherever it went. */
    const [kept, setKept] = useState(0);
    const focus = useRef<string | null>(null);
    const box = useRef<HTMLDivElement>(null);
    const latest = useRef({ rules, onChange });
    latest.current = { rules, onChange };

    const stat = (r: DraftRule): Stat | null => {
        const at = preview.place.get(r.id);
        return at === undefined ? null : (preview.answer?.rules[at] ?? null);
    };
    const dead = preview.answer ? rules.filter((r) => stat(r)?.dead).length : 0;
    const shown = useMemo(() => rules.map((r, i) => ({ r, i })).filter(({ r }) => finds(r, by, search, keys) && (!only || stat(r)?.dead)), [rules, by, search, only, keys, preview.answer]);
    const twins = useMemo(() => caseTwins(draft), [draft]);

    useLayoutEffect(() => {
        if (focus.current === null) return;
        const el = box.current?.querySelector<HTMLElement>(focus.current);
        if (!el) return;
        focus.current = null;
        el.focus();
        el.scrollIntoView({ block: 'nearest' });
    });

    /* One object for all rows, so that a row has no reason to be drawn again. */
    const act = useRef<Acts>(null as unknown as Acts);
    act.current ??= {
        toggle: (id) => setOpen((o) => {
            const next = new Set(o);
            if (!next.delete(id)) next.add(id);
            return next;
        }),
        put: (id, part) => latest.current.onChange(latest.current.rules.map((r) => (r.id === id ? { ...r, ...part } : r))),
        moveTo: (id, to, refocus) => {
            const all = latest.current.rules;
            const from = all.findIndex((r) => r.id === id);
            const place = Math.max(0, Math.min(all.length - 1, to));
            if (from < 0 || from === place) return;
            const next = [...all];
            next.splice(place, 0, ...next.splice(from, 1));
            if (refocus) focus.current = `[data-grip="${id}"]`;
            setKept(id);
            setSaid(`Rule moved to place ${place + 1} of ${all.length}`);
            latest.current.onChange(next);
        },
        copy: (id) => {
            const all = latest.current.rules;
            const at = all.findIndex((r) => r.id === id);
            const twin = copyRule(all[at] as DraftRule);
            latest.current.onChange([...all.slice(0, at + 1), twin, ...all.slice(at + 1)]);
            setKept(twin.id);
            setOpen((o) => new Set(o).add(twin.id));
            focus.current = `[data-toggle="${twin.id}"]`;
        },
        remove: (id) => {
            const all = latest.current.rules;
            const at = all.findIndex((r) => r.id === id);
            const gone = all[at] as DraftRule;
            latest.current.onChange(all.filter((r) => r.id !== id));
            toast(`Rule ${at + 1} taken away`, 'good', { label: 'Undo', run: () => {
                const now = latest.current.rules;
                latest.current.onChange([...now.slice(0, at), gone, ...now.slice(at)]);
            } });
        },
        grab: setDrag,
        over: (id, after) => setDrop((d) => (d && d.id === id && d.after === after ? d : { id, after })),
        drop: () => undefined,
    };
    act.current.drop = () => {
        if (drag !== null && drop && drop.id !== drag) {
            const from = rules.findIndex((r) => r.id === drag);
            const to = rules.findIndex((r) => r.id === drop.id) + (drop.after ? 1 : 0);
            act.current.moveTo(drag, to > from ? to - 1 : to, true);
        }
        setDrag(null);
        setDrop(null);
    };
    const add = (top: boolean): void => {
        const r = newRule();
        onChange(top ? [r, ...rules] : [...rules, r]);
        setKept(r.id);
        setOpen((o) => new Set(o).add(r.id));
        setSearch('');
        setOnly(false);
        focus.current = `[data-rule="${r.id}"] .tree button.pick`;
    };
    const full = rules.length >= RULES_MAX;
    const blocks: { r: DraftRule; i: number }[][] = [];
    for (let i = 0; i < shown.length; i += BLOCK) blocks.push(shown.slice(i, i + BLOCK));

    return (
        <section class="card rules" aria-labelledby="rules">
            <div class="panehead">
                <h2 id="rules">Rules <span class="soft">{count(rules.length)}</span></h2><span class="sp" />
                {rules.length > 3 ? (
                    <span class="row finder" role="search" aria-label="Find rules">
                        <select aria-label="Find by" value={by} onChange={(e) => setBy(e.currentTarget.value as FindBy)}>
                            <option value="all">Anything</option><option value="value">Value given</option><option value="key">Key in a condition</option><option value="filter">Value in a condition</option>
                        </select>
                        <input type="text" aria-label="Find rules" placeholder="Find rules" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
                    </span>
                ) : null}
                {dead || only ? <button type="button" class={only ? 'chip on' : 'chip'} aria-pressed={only} onClick={() => setOnly(!only)}>{dead} without effect</button> : null}
                {readOnly ? null : <button type="button" aria-disabled={full ? 'true' : undefined} title={full ? `A tag has at most ${count(RULES_MAX)} rules` : 'A new first rule'} onClick={() => !full && add(true)}>Add at the top</button>}
            </div>
            <p class="small soft pad">From top to bottom; the first rule whose condition holds gives the value.{rules.length > RULES_MANY ? ` ${count(rules.length)} rules are many: a dictionary may say the same in less.` : ''}</p>
            {twins.map((t) => <p class="notice" key={t.join()} role="status">{t.map((v) => `"${v}"`).join(' and ')} are {t.length === 2 ? 'two' : t.length} different values. {readOnly ? null : t.map((v) => <button type="button" class="link" key={v} onClick={() => onChange(rules.map((r) => (typeof r.to === 'string' && t.includes(r.to.trim()) ? { ...r, to: v } : r)))}>Use {v}</button>)}</p>)}
            <div ref={box} class="rulelist" {...(shown.length ? { role: 'list' as const, 'aria-label': 'Rules in order' } : {})} onDragEnd={() => { setDrag(null); setDrop(null); }} onDrop={(e) => { e.preventDefault(); act.current.drop(); }}>
                {blocks.map((b, n) => (
                    <Block key={n} rows={b.length} always={blocks.length < 3 || b.some(({ r }) => r.id === kept)}>
                        {b.map(({ r, i }) => (
                            <Row key={r.id} r={r} i={i} open={open.has(r.id)} stat={stat(r)} stale={preview.stale} drop={drop?.id === r.id && drag !== r.id ? (drop.after ? 'after' : 'before') : null}
                                lifted={drag === r.id} keys={keys} question={question} currency={preview.answer?.currency ?? currency} readOnly={readOnly} act={act.current} total={rules.length} values={open.has(r.id) ? draft : null} />
                        ))}
                    </Block>
                ))}
                {rules.length === 0 ? <p class="none pad">No rule yet: every line has the default value.</p> : shown.length === 0 ? <p class="none pad">No rule {only ? 'is without effect' : 'has this'}. <button type="button" class="link" onClick={() => { setSearch(''); setOnly(false); }}>Show all</button></p> : null}
            </div>
            <p class="away" aria-live="polite">{said}</p>
            {readOnly ? null : <p class="pad"><button type="button" onClick={() => !full && add(false)} aria-disabled={full ? 'true' : undefined}>+ Add rule</button>{search ? <span class="small soft"> {shown.length} of {rules.length} shown</span> : null}</p>}
        </section>
    );
}

interface Acts {
    toggle: (id: number) => void;
    put: (id: number, part: Partial<DraftRule>) => void;
    moveTo: (id: number, to: number, refocus: boolean) => void;
    copy: (id: number) => void;
    remove: (id: number) => void;
    grab: (id: number | null) => void;
    over: (id: number, after: boolean) => void;
    drop: () => void;
}

/** Fifty rows, or a box of their height while they are far out of sight. */
function Block({ rows, always, children }: { rows: number; always: boolean; children: ComponentChildren }): JSX.Element {
    const el = useRef<HTMLDivElement>(null);
    const [near, setNear] = useState(always);
    const height = useRef(rows * ROW);
    useEffect(() => {
        if (always || !el.current) return undefined;
        const watch = new IntersectionObserver(([e]) => {
            if (!e) return;
            if (!e.isIntersecting && el.current?.childElementCount) height.current = e.boundingClientRect.height;
            setNear(e.isIntersecting);
        }, { rootMargin: '1200px 0px' });
        watch.observe(el.current);
        return () => watch.disconnect();
    }, [always]);
    return <div ref={el} role="presentation" style={near || always ? undefined : { height: `${height.current}px` }}>{near || always ? children : null}</div>;
}

interface RowProps {
    r: DraftRule;
    i: number;
    open: boolean;
    stat: Stat | null;
    stale: boolean;
    drop: 'before' | 'after' | null;
    lifted: boolean;
    keys: KeyInfo[] | null;
    question: Question;
    currency: string;
    readOnly: boolean;
    act: Acts;
    total: number;
    /** For suggestions, while it is open. */
    values: Draft | null;
}
class Row extends Component<RowProps> {
    override shouldComponentUpdate(next: RowProps): boolean {
        for (const k of Object.keys(next) as (keyof RowProps)[]) if (next[k] !== this.props[k] && !(k === 'stale' && next.stat === null)) return true;
        return false;
    }
    override render({ r, i, open, stat, stale, drop, lifted, keys, question, currency, readOnly, act, total, values }: RowProps): JSX.Element {
        const wants = lacks(r);
        const name = `rule ${i + 1}`;
        const frame = frameText(r);
        return (
            <div class={`rule${open ? ' open' : ''}${lifted ? ' lifted' : ''}${drop ? ` drop-${drop}` : ''}${stat?.dead ? ' dead' : ''}`} role="listitem" data-rule={r.id}
                onDragOver={(e) => {
                    e.preventDefault();
                    const b = e.currentTarget.getBoundingClientRect();
                    act.over(r.id, e.clientY > b.top + b.height / 2);
                }}>
                <div class="rulehead">
                    {readOnly ? null : (
                        <button type="button" class="bare handle" draggable data-grip={r.id} aria-label={`Move ${name}`} aria-description="Up and down arrows move it, Home and End to either end" title="Drag, or use the arrow keys"
                            onDragStart={(e) => {
                                e.dataTransfer?.setData('text/plain', String(i + 1));
                                const row = (e.currentTarget as HTMLElement).closest('.rulehead');
                                if (row) e.dataTransfer?.setDragImage(row, 12, 18);
                                act.grab(r.id);
                            }}
                            onKeyDown={(e) => {
                                const to = { ArrowUp: i - 1, ArrowDown: i + 1, Home: 0, End: total - 1 }[e.key];
                                if (to === undefined) return;
                                e.preventDefault();
                                act.moveTo(r.id, to, true);
                            }}><span class="grip" aria-hidden="true" /></button>
                    )}
                    <span class="rank">{i + 1}</span>
                    <button type="button" class="bare ruletext" aria-expanded={open} data-toggle={r.id} onClick={() => act.toggle(r.id)}>
                        <span class="where"><span class="away">Rule {i + 1}: where </span>{whereText(r, keys)}</span>
                        <span class="then"><span class="soft" aria-hidden="true">→ </span><span class="away">then </span>{typeof r.to === 'string' ? <b>{r.to || <i class="soft">no value yet</i>}</b> : <i>{toLabel(r.to, keys)}</i>}</span>
                        {frame ? <span class="badge">{frame}</span> : null}
                    </button>
                    {wants ? <span class="badge late">needs {wants}</span> : stat ? (
                        <span class={stale ? 'figure stale' : 'figure'}>
                            <span title={`${exact(dec(stat.matched), currency)} on ${count(stat.lines)} lines`} data-matched={stat.matched}>{money(dec(stat.matched), currency)}</span>
                            {stat.dead ? <span class="up small" title={dec(stat.shadowed) !== 0n ? 'Every line it would catch is caught by a rule above it' : 'No line of these days has what it asks for'}>{dec(stat.shadowed) !== 0n ? 'all taken above' : 'matches nothing'}</span>
                                : dec(stat.shadowed) !== 0n ? <span class="soft small" title="Cost it would catch, had no rule above it caught it first" data-shadowed={stat.shadowed}>{money(dec(stat.shadowed), currency)} taken above</span> : null}
                        </span>
                    ) : <span class="figure soft">–</span>}
                    {readOnly ? null : (
                        <Panel float class="square bare" title={`Actions for ${name}`} name={`Actions for ${name}`} label={<span aria-hidden="true">⋯</span>}>
                            {(close) => (
                                <div class="menu">
                                    <button type="button" class="line" onClick={() => { close(); act.toggle(r.id); }}>{open ? 'Close' : 'Edit'}</button>
                                    <button type="button" class="line" onClick={() => { close(); act.copy(r.id); }}>Duplicate</button>
                                    <form class="row place" onSubmit={(e) => {
                                        e.preventDefault();
                                        const to = Number(new FormData(e.currentTarget).get('place'));
                                        close();
                                        if (Number.isInteger(to) && to > 0) act.moveTo(r.id, to - 1, true);
                                    }}><label class="inline">Move to place<input type="text" inputMode="numeric" name="place" defaultValue={String(i + 1)} size={4} /></label><button>Move</button></form>
                                    <hr />
                                    <button type="button" class="line" onClick={() => { close(); act.remove(r.id); }}>Delete</button>
                                </div>
                            )}
                        </Panel>
                    )}
                </div>
                {open ? <RuleEditor r={r} name={name} keys={keys} question={question} currency={currency} readOnly={readOnly} values={values} put={(part) => act.put(r.id, part)} /> : null}
            </div>
        );
    }
}

function RuleEditor({ r, name, keys, question, currency, readOnly, values, put }: { r: DraftRule; name: string; keys: KeyInfo[] | null; question: Question; currency: string; readOnly: boolean; values: Draft | null; put: (part: Partial<DraftRule>) => void }): JSX.Element {
    const known = useMemo(() => [...new Set((values?.rules ?? []).map((x) => x.to).filter((t): t is string => typeof t === 'string' && t.trim() !== '').map((t) => t.trim()))].slice(0, 500), [values]);
    if (readOnly)
        return <dl class="ruleedit"><dt>Where</dt><dd>{whereText(r, keys)}</dd><dt>Then</dt><dd>{toLabel(r.to, keys)}</dd>{frameText(r) ? <><dt>When</dt><dd>{frameText(r)}</dd></> : null}</dl>;
    return (
        <div class="ruleedit" role="group" aria-label={`Editor of ${name}`}>
            <div><h3>Where</h3>
                {r.everything && !r.filter ? <p class="small soft">This rule matches every line. <button type="button" class="link" onClick={() => put({ everything: false })}>Give it a condition</button></p> : (
                    <FilterTree start={r.filter} question={question} currency={currency} onChange={(filter, unfinished) => put({ filter, unfinished })} />
                )}
                {r.unfinished && r.filter ? <p class="small soft">{r.unfinished} unfinished {r.unfinished === 1 ? 'condition is' : 'conditions are'} left out.</p> : null}
            </div>
            <div class="thenrow">
                <ValueOrKey label="Then" name={`value of ${name}`} to={r.to} keys={keys} known={known} onChange={(to) => put({ to })} />
                <fieldset class="frame"><legend>Days it applies to</legend>
                    <label>From<input type="date" value={r.from} max={r.until || undefined} onInput={(e) => put({ from: e.currentTarget.value })} /></label>
                    <label>Last day<input type="date" value={r.until} min={r.from || undefined} onInput={(e) => put({ until: e.currentTarget.value })} /></label>
                    {r.from || r.until ? <button type="button" class="link" onClick={() => put({ from: '', until: '' })}>all days</button> : <span class="small soft">all days</span>}
                </fieldset>
                <label class="inline"><input type="checkbox" checked={r.disableRename} onChange={() => put({ disableRename: !r.disableRename })} /> Its value may not be renamed</label>
            </div>
        </div>
    );
}

/** A fixed text, or "the value of" another key: for a rule's value and for the default. */
export function ValueOrKey({ label, name, to, keys, known, onChange, hint }: { label: string; name: string; to: To; keys: KeyInfo[] | null; known?: string[]; onChange: (to: To) => void; hint?: string }): JSX.Element {
    const isKey = typeof to !== 'string';
    const list = `values-${name.replace(/\W+/g, '-')}`;
    return (
        <div class="valueorkey">
            <h3>{label}</h3>
            <span class="seg" role="group" aria-label={`Kind of ${name}`}>
                <button type="button" aria-pressed={!isKey} onClick={() => isKey && onChange('')}>Text</button>
                <button type="button" aria-pressed={isKey} onClick={() => !isKey && onChange({ costCenter: '', key: '', type: '' })}>Value of a key</button>
            </span>
            {isKey ? (
                <Panel float class="pick" title="Key" name={`Key for the ${name}: ${to.key ? keyLabel(to, keys) : 'Choose a key'}`} label={to.key ? keyLabel(to, keys) : 'Choose a key'}>
                    {(close) => <PickList label="Key" placeholder="Search keys and tags" items={keyItems(keys)} empty="No key has this name." onPick={(id) => { const k = keyOf(keys, id); if (k) onChange(k); close(); }} />}
                </Panel>
            ) : (
                <>
                    <input type="text" aria-label={`Text: ${name}`} value={to} maxLength={1000} list={known?.length ? list : undefined} placeholder="The value these lines get" onInput={(e) => onChange(e.currentTarget.value)} />
                    {known?.length ? <datalist id={list}>{known.map((v) => <option key={v} value={v} />)}</datalist> : null}
                </>
            )}
            {hint ? <p class="small soft">{hint}</p> : null}
        </div>
    );
}
