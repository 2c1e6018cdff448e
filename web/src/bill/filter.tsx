/*
 * filter.tsx - "only what": chips for a plain list of conditions, a tree editor for AND and OR.
 *
 * Values are searched on the server and carry their cost in the days and the cost type being shown.
 */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { keys as keyCell, sayError } from '../app';
import { ApiError, ask, call } from '../lib/api';
import { useCell } from '../lib/cell';
import { dec, decOr, money, percent } from '../lib/dec';
import { canonical, filterText, flat, isAnd, isLeaf, isOr, keyLabel, leafCount, leafOf, leafText, OPERATORS, operatorLabel, takesMany, takesValue, unflat, valueLabel, valuesOf } from '../lib/question';
import type { Answer, Filter, KeyInfo, KeyRef, Leaf, Question, ValueCost } from '../lib/types';
import { Icon } from '../parts/basic';
import { Dialog, Panel } from '../parts/panel';
import { PickList, type Item } from '../parts/picklist';
import { keyItems, keyOf } from './by';

interface ValuesProps {
    k: KeyRef;
    question: Question;
    currency: string;
    chosen: string[];
    onChange: (values: string[]) => void;
}
/** Many values of one key, searched on the server. */
export function Values({ k, question, currency, chosen, onChange }: ValuesProps): JSX.Element {
    const [search, setSearch] = useState('');
    const [found, setFound] = useState<ValueCost[]>([]);
    const [more, setMore] = useState(false);
    const [state, setState] = useState<'busy' | 'ready' | ApiError>('busy');
    const [page, setPage] = useState(0);
    const first = useRef(chosen);
    const id = JSON.stringify([k, search, question.date, question.costType]);
    useEffect(() => {
        const stop = new AbortController();
        const wait = setTimeout(() => {
            setState('busy');
            const after = page > 0 ? found[found.length - 1]?.value : undefined;
            call<{ values: ValueCost[]; more: boolean }>('POST', '/api/values',
                { ...k, search: search || undefined, after, limit: 100, date: question.date, costType: question.costType }, stop.signal)
                .then((r) => {
                    setFound(page > 0 ? [...found, ...r.values] : r.values);
                    setMore(r.more);
                    setState('ready');
                })
                .catch((e: unknown) => {
                    if (e instanceof ApiError) setState(e);
                });
        }, search ? 140 : 0);
        return () => {
            clearTimeout(wait);
            stop.abort();
        };
    }, [id, page]);
    const toggle = (v: string): void => onChange(chosen.includes(v) ? chosen.filter((x) => x !== v) : [...chosen, v]);
    // Until the server has answered, what is known already is narrowed here: Enter never takes a stale line.
    const near = search ? found.filter((v) => v.value.toLowerCase().includes(search.toLowerCase())) : found;
    const listed = new Set(near.map((v) => v.value));
    const kept: Item[] = search ? [] : first.current.filter((v) => !listed.has(v)).map((v) => ({ id: v, label: v }));
    const exactly: Item[] = search && !listed.has(search) ? [{ id: search, label: search, hint: 'exactly this' }] : [];
    const items: Item[] = [...kept, ...near.filter((v) => v.value !== '').map((v) => ({ id: v.value, label: v.value, hint: v.cost != null ? money(dec(v.cost), currency) : undefined })), ...exactly];
    return (
        <PickList label="Values" placeholder="Search, or paste a list" many items={items} chosen={new Set(chosen)} search={search} busy={state === 'busy'}
            onSearch={(s) => {
                setPage(0);
                setSearch(s);
            }}
            onPick={toggle}
            onPaste={(v) => onChange([...new Set([...chosen, ...v])])}
            empty={state === 'busy' ? 'Looking for values' : state === 'ready' ? 'No value matches.' : `Could not fetch values: ${state.message}`}
            foot={<p class="small soft foot" aria-live="polite">{chosen.length} chosen{chosen.length ? <> · <button type="button" class="link" onClick={() => onChange([])}>clear</button></> : null}
                {more ? <> · <button type="button" class="link" onClick={() => setPage(page + 1)}>more values</button></> : null}</p>} />
    );
}

interface LeafProps {
    start: Leaf | null;
    keys: KeyInfo[] | null;
    question: Question;
    currency: string;
    onApply: (l: Leaf) => void;
    onRemove?: () => void;
}
/** The panel of one chip: which key, which operator, which values. */
function LeafEditor({ start, keys, question, currency, onApply, onRemove }: LeafProps): JSX.Element {
    const [k, setKey] = useState<KeyRef | null>(start);
    const [op, setOp] = useState(start ? canonical(start.operator) : 'oneOf');
    const [values, setValues] = useState<string[]>(start ? valuesOf(start) : []);
    if (!k) return <PickList label="Filter by" placeholder="Search keys and tags" items={keyItems(keys)} onPick={(id) => setKey(keyOf(keys, id))} empty="No key has this name." />;
    const ready = !takesValue(op) || values.some((v) => v !== '');
    const set = (v: string[]): void => setValues(v);
    return (
        <form class="leaf" onSubmit={(e) => {
            e.preventDefault();
            if (ready) onApply(leafOf(k, op, values.filter((v) => v !== '')));
        }}>
            <div class="row">
                <b class="what">{keyLabel(k, keys)}</b>
                <select aria-label="Operator" value={op} onChange={(e) => setOp(e.currentTarget.value)}>
                    {OPERATORS.map(([id, label]) => <option key={id} value={id}>{label}</option>)}
                </select>
            </div>
            {op === 'oneOf' || op === 'notOneOf' ? (
                <Values k={{ costCenter: k.costCenter, key: k.key, type: k.type }} question={question} currency={currency} chosen={values} onChange={set} />
            ) : takesValue(op) ? (
                <input type="text" aria-label="Text" data-first value={values.join(', ')} placeholder={takesMany(op) ? 'Text, or several with commas between' : 'A number'}
                    onInput={(e) => set(takesMany(op) ? e.currentTarget.value.split(/,\s*/) : [e.currentTarget.value])} />
            ) : null}
            <div class="row end">
                {onRemove ? <button type="button" class="quiet" onClick={onRemove}>Remove</button> : null}
                <button class="primary" disabled={!ready}>Apply</button>
            </div>
        </form>
    );
}

interface BarProps {
    question: Question;
    keys: KeyInfo[] | null;
    currency: string;
    adding: boolean;
    onAdding: (open: boolean) => void;
    onChange: (f: Filter | null) => void;
}
export function FilterBar({ question, keys, currency, adding, onAdding, onChange }: BarProps): JSX.Element {
    const [tree, setTree] = useState(false);
    const leaves = flat(question.filters);
    const known = (k: KeyRef): boolean => keys === null || keys.some((x) => x.key === k.key && x.costCenter.toLowerCase() === k.costCenter.toLowerCase()) || k.type === 'tag';
    return (
        <>
            {leaves ? leaves.map((l, i) => {
                const rest = leaves.filter((_, n) => n !== i);
                const name = keyLabel(l, keys);
                const text = leafText(l, keys);
                return (
                    <span class={known(l) ? 'chip on' : 'chip on broken'} key={JSON.stringify(l)}>
                        <Panel class="bare chipmain" title={`Filter: ${name}`} label={<><span class="soft">{name}</span> <b>{text.slice(name.length + 1)}</b></>}>
                            {(close) => <LeafEditor start={l} keys={keys} question={{ ...question, filters: unflat(rest) }} currency={currency}
                                onRemove={() => { close(); onChange(unflat(rest)); }}
                                onApply={(next) => { close(); onChange(unflat(leaves.map((x, n) => (n === i ? next : x)))); }} />}
                        </Panel>
                        <button type="button" class="bare x" aria-label={`Remove the filter ${text}`} onClick={() => onChange(unflat(rest))}><Icon name="close" size={12} /></button>
                    </span>
                );
            }) : (
                <span class="chip on">
                    <button type="button" class="bare chipmain" title={filterText(question.filters, keys)} onClick={() => setTree(true)}><b>{leafCount(question.filters)} conditions</b></button>
                    <button type="button" class="bare x" aria-label="Remove the whole filter" onClick={() => onChange(null)}><Icon name="close" size={12} /></button>
                </span>
            )}
            {leaves ? (
                <Panel class="chip add" title="Add a filter" open={adding} onOpen={onAdding} label={<>+ Filter <kbd class="wideonly">/</kbd></>}>
                    {(close) => (
                        <>
                            <LeafEditor start={null} keys={keys} question={question} currency={currency} onApply={(l) => { close(); onChange(unflat([...leaves, l])); }} />
                            <p class="small foot"><button type="button" class="link" onClick={() => { close(); setTree(true); }}>Build with AND and OR</button></p>
                        </>
                    )}
                </Panel>
            ) : null}
            {tree ? <Builder question={question} currency={currency} onClose={() => setTree(false)} onApply={(f) => { setTree(false); onChange(f); }} /> : null}
        </>
    );
}

/* ---- the tree ---- */
type Node = { kind: 'group'; id: number; all: boolean; kids: Node[] } | { kind: 'leaf'; id: number; k: KeyRef | null; op: string; values: string[] };
let nextId = 1;
const newLeaf = (): Node => ({ kind: 'leaf', id: nextId++, k: null, op: 'oneOf', values: [] });
function toNode(f: Filter): Node {
    if (isLeaf(f)) return { kind: 'leaf', id: nextId++, k: f, op: canonical(f.operator), values: valuesOf(f) };
    return { kind: 'group', id: nextId++, all: isAnd(f), kids: (isOr(f) ? f.OR : (f as { AND: Filter[] }).AND).map(toNode) };
}
function fromNode(n: Node): Filter | null {
    if (n.kind === 'leaf') {
        const values = n.values.filter((v) => v !== '');
        if (!n.k || (takesValue(n.op) && values.length === 0)) return null;
        return leafOf(n.k, n.op, values);
    }
    const kids = n.kids.map(fromNode).filter((k): k is Filter => k !== null);
    if (kids.length === 0) return null;
    return n.all ? { AND: kids } : { OR: kids };
}
const mapNode = (n: Node, id: number, fn: (n: Node) => Node | null): Node | null => {
    if (n.id === id) return fn(n);
    if (n.kind === 'leaf') return n;
    return { ...n, kids: n.kids.map((k) => mapNode(k, id, fn)).filter((k): k is Node => k !== null) };
};
const unfinished = (n: Node): number =>
    n.kind === 'group' ? n.kids.reduce((s, k) => s + unfinished(k), 0) : fromNode(n) ? 0 : 1;

interface TreeProps {
    start: Filter | null;
    question: Question;
    currency: string;
    /** Hears every change, with how many conditions are not finished and so left out. */
    onChange: (f: Filter | null, unfinished: number) => void;
}
/** Conditions in groups of AND and OR, edited in place; it keeps what is unfinished to itself. */
export function FilterTree({ start, question, currency, onChange }: TreeProps): JSX.Element {
    const keys = useCell(keyCell);
    const [root, setOwn] = useState<Node>(() => {
        const n = start ? toNode(start) : { kind: 'group' as const, id: nextId++, all: true, kids: [newLeaf()] };
        return n.kind === 'leaf' ? { kind: 'group', id: nextId++, all: true, kids: [n] } : n;
    });
    const setRoot = (n: Node): void => {
        setOwn(n);
        onChange(fromNode(n), unfinished(n));
    };
    const [drag, setDrag] = useState<number | null>(null);
    const change = (id: number, fn: (n: Node) => Node | null): void => setRoot(mapNode(root, id, fn) ?? root);
    const moveInto = (group: number): void => {
        if (drag === null || drag === group) return;
        let moved: Node | null = null;
        const without = mapNode(root, drag, (n) => {
            moved = n;
            return null;
        });
        if (!moved || !without) return;
        const m: Node = moved;
        setRoot(mapNode(without, group, (n) => (n.kind === 'group' ? { ...n, kids: [...n.kids, m] } : n)) ?? root);
        setDrag(null);
    };

    const group = (n: Node & { kind: 'group' }, depth: number): JSX.Element => (
        <div class="group" key={n.id} role="group" aria-label={n.all ? 'All of' : 'Any of'}
            onDragOver={(e) => e.preventDefault()}
            onDrop={(e) => {
                e.stopPropagation();
                e.preventDefault();
                moveInto(n.id);
            }}>
            <div class="row">
                <span class="seg" role="group" aria-label="How the conditions combine">
                    <button type="button" aria-pressed={n.all} onClick={() => change(n.id, (x) => ({ ...x, all: true }) as Node)}>All of (AND)</button>
                    <button type="button" aria-pressed={!n.all} onClick={() => change(n.id, (x) => ({ ...x, all: false }) as Node)}>Any of (OR)</button>
                </span>
                <span class="sp" />
                {depth > 0 ? <button type="button" class="bare" aria-label="Remove this group" onClick={() => change(n.id, () => null)}><Icon name="close" /></button> : null}
            </div>
            {n.kids.map((k) => (k.kind === 'group' ? group(k, depth + 1) : leaf(k)))}
            <div class="row">
                <button type="button" class="quiet" onClick={() => change(n.id, (x) => ({ ...x, kids: [...n.kids, newLeaf()] }) as Node)}>+ Condition</button>
                {depth < 6 ? <button type="button" class="quiet" onClick={() => change(n.id, (x) => ({ ...x, kids: [...n.kids, { kind: 'group', id: nextId++, all: !n.all, kids: [newLeaf()] }] }) as Node)}>+ Group</button> : null}
            </div>
        </div>
    );
    const leaf = (n: Node & { kind: 'leaf' }): JSX.Element => (
        <div class="cond" key={n.id} draggable onDragStart={(e) => {
            e.stopPropagation();
            setDrag(n.id);
        }}>
            <span class="grip" aria-hidden="true" />
            <Panel class="pick" title="Key" label={n.k ? keyLabel(n.k, keys) : 'Choose a key'}>
                {(close) => <PickList label="Key" placeholder="Search keys and tags" items={keyItems(keys)} empty="No key has this name."
                    onPick={(id) => { change(n.id, (x) => ({ ...x, k: keyOf(keys, id), values: [] }) as Node); close(); }} />}
            </Panel>
            <select aria-label="Operator" value={n.op} onChange={(e) => { const op = e.currentTarget.value; change(n.id, (x) => ({ ...x, op }) as Node); }}>
                {OPERATORS.map(([id, label]) => <option key={id} value={id}>{label}</option>)}
            </select>
            {!takesValue(n.op) ? null : n.k && (n.op === 'oneOf' || n.op === 'notOneOf') ? (
                <Panel class="pick grow" title="Values" label={n.values.length ? n.values.join(', ') : 'Choose values'}>
                    {() => <Values k={{ costCenter: (n.k as KeyRef).costCenter, key: (n.k as KeyRef).key, type: (n.k as KeyRef).type }} question={question} currency={currency}
                        chosen={n.values} onChange={(values) => change(n.id, (x) => ({ ...x, values }) as Node)} />}
                </Panel>
            ) : (
                <input type="text" class="grow" aria-label="Text" value={n.values.join(', ')} onInput={(e) => {
                    const text = e.currentTarget.value;
                    change(n.id, (x) => ({ ...x, values: takesMany(n.op) ? text.split(/,\s*/) : [text] }) as Node);
                }} />
            )}
            <button type="button" class="bare" aria-label={`Remove the condition ${n.k ? keyLabel(n.k, keys) : ''} ${operatorLabel(n.op)}`} onClick={() => change(n.id, () => null)}><Icon name="close" /></button>
        </div>
    );
    return <div class="tree">{root.kind === 'group' ? group(root, 0) : null}</div>;
}

export function Builder({ question, currency, onClose, onApply }: { question: Question; currency: string; onClose: () => void; onApply: (f: Filter | null) => void }): JSX.Element {
    const keys = useCell(keyCell);
    const [now, setNow] = useState({ filter: question.filters, left: 0 });
    return (
        <Dialog title="Only what" kind="big" onClose={onClose}>
            <div class="builder">
                <FilterTree start={question.filters} question={question} currency={currency} onChange={(filter, left) => setNow({ filter, left })} />
                <Live question={question} filter={now.filter} currency={currency} keys={keys} />
            </div>
            <div class="row end dialogfoot">
                <span class="small soft">{now.left ? `${now.left} unfinished ${now.left === 1 ? 'condition is' : 'conditions are'} left out` : ''}</span>
                <span class="sp" />
                <button type="button" class="quiet" onClick={onClose}>Cancel</button>
                <button type="button" class="primary" onClick={() => onApply(now.filter)}>Apply</button>
            </div>
        </Dialog>
    );
}

/** What the filter catches, while it is being built. */
function Live({ question, filter, currency, keys }: { question: Question; filter: Filter | null; currency: string; keys: KeyInfo[] | null }): JSX.Element {
    const [answer, setAnswer] = useState<Answer | null>(null);
    const [wrong, setWrong] = useState<string | null>(null);
    const q = { ...question, filters: filter, granularity: 'accumulated' as const, previous: false };
    const id = JSON.stringify(q);
    useEffect(() => {
        const stop = new AbortController();
        const wait = setTimeout(() => {
            ask({ ...q, filters: filter ?? {} }, stop.signal)
                .then((a) => {
                    setAnswer(a);
                    setWrong(null);
                })
                .catch((e: unknown) => {
                    if (e instanceof ApiError) setWrong(e.message + (e.hint ? `. ${e.hint}` : ''));
                    else sayError('could not try the filter', e);
                });
        }, 200);
        return () => {
            clearTimeout(wait);
            stop.abort();
        };
    }, [id]);
    const total = answer ? decOr(answer.total.total) : null;
    const whole = answer?.unfiltered ? dec(answer.unfiltered) : null;
    return (
        <aside class="catch" aria-live="polite" aria-label="What it catches">
            <span class="soft">Catches</span>
            {wrong ? <p class="up">{wrong}</p> : total === null ? <div class="bone" /> : (
                <>
                    <strong>{money(total, currency)}</strong>
                    <span class="soft">{whole !== null ? `${percent(total, whole) ?? 'none'} of ${money(whole, currency)}` : 'everything in these days'}</span>
                    <ul>
                        {answer?.groups.slice(0, 8).map((g, i) => (
                            <li key={i}><span>{g.isOthers ? `${g.others} others` : g.values.map((v, n) => valueLabel(v, question.groupBy[n])).join(' · ') || 'Total'}</span><span>{money(dec(g.total), currency)}</span></li>
                        ))}
                    </ul>
                </>
            )}
            <p class="small soft">{filterText(filter, keys)}</p>
        </aside>
    );
}
