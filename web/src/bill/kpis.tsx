/* kpis.tsx - the one figure, then the four that explain it; each is computed from an answer. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { keys as keyCell } from '../app';
import { ask } from '../lib/api';
import { useCell } from '../lib/cell';
import { changePercent, dec, decOr, divide, exact, money, percent, signed, type Dec } from '../lib/dec';
import { spanText } from '../lib/day';
import { isTag, keyLabel, leafCount, leafOf, narrow, wire } from '../lib/question';
import type { KeyRef, Question, Session } from '../lib/types';
import { completeCost, completeDays, type Result } from './result';

export function Change({ now, before, currency }: { now: Dec; before: Dec; currency: string }): JSX.Element {
    const d = now - before;
    const cls = d > 0n ? 'up' : d < 0n ? 'down' : 'soft';
    const mark = d > 0n ? '▲ ' : d < 0n ? '▼ ' : '';
    const p = changePercent(now, before);
    return <span class={cls} title={exact(d, currency)}>{mark}{p === 'New' ? 'New' : `${money(d < 0n ? -d : d, currency)} (${p.replace('\u2212', '')})`}</span>;
}

/** One total of a question that this page asks beside the main one. */
function useTotal(q: Record<string, unknown> | null): Dec | null {
    const [total, setTotal] = useState<{ id: string; total: Dec } | null>(null);
    const id = q ? JSON.stringify(q) : '';
    useEffect(() => {
        if (!q) return undefined;
        const stop = new AbortController();
        ask(q, stop.signal).then((a) => setTotal({ id, total: decOr(a.total.total) ?? 0n })).catch(() => undefined);
        return () => stop.abort();
    }, [id]);
    return total && total.id === id ? total.total : null;
}

export function Kpis({ r, question, session, onExplain }: { r: Result; question: Question; session: Session; onExplain: () => void }): JSX.Element {
    const keys = useCell(keyCell);
    const cur = r.currency;
    const span = completeDays(r, session);
    const inside = span ? completeCost(r, span) : null;
    const bare = { ...wire(question), groupBy: [], previous: false, granularity: 'accumulated' };
    const asked = useTotal(span && inside === null ? { ...bare, date: { from: span.from, to: span.to } } : null);
    const cost = inside ?? asked;
    const average = span && cost !== null ? divide(cost, BigInt(span.days)) : null;
    const before = r.previous !== null && r.answer.previous ? divide(r.previous, BigInt(r.answer.previous.days)) : null;

    const first = question.groupBy[0] as KeyRef | undefined;
    const tag = isTag(first) ? (first as KeyRef) : null;
    const untagged = useTotal(tag ? { ...bare, filters: narrow(question.filters, leafOf(tag, 'notExists', [])) } : null);
    const filtered = leafCount(question.filters) > 0;
    const whole = r.answer.unfiltered ? dec(r.answer.unfiltered) : null;
    const largest = r.rows.find((x) => !x.isOthers);
    return (
        <section class="kpis" aria-label="Summary">
            <div class="kpi">
                <span>Total, {r.answer.range.days} {r.answer.range.days === 1 ? 'day' : 'days'}</span>
                <strong><button type="button" class="number" title={`${exact(r.total, cur)}: explain this number`} onClick={onExplain}>{money(r.total, cur)}</button></strong>
                <em>{r.previous !== null ? <><Change now={r.compared} before={r.previous} currency={cur} /> from {money(r.previous, cur)}</> : `${r.answer.rows.toLocaleString('en-US')} bill rows`}</em>
            </div>
            <div class="kpi">
                <span>Daily average</span>
                <strong title={average !== null ? exact(average, cur) : undefined}>{average !== null ? money(average, cur) : span ? <i class="bone" /> : '–'}</strong>
                <em>{span ? <>{span.days} complete {span.days === 1 ? 'day' : 'days'}{average !== null && before !== null && before !== 0n ? <>, <span class={average > before ? 'up' : average < before ? 'down' : 'soft'}>{average > before ? '▲ ' : average < before ? '▼ ' : ''}{changePercent(average, before).replace('\u2212', '')}</span></> : null}</> : 'no complete day yet'}</em>
            </div>
            {r.previous !== null && r.answer.previous ? (
                <div class="kpi">
                    <span>Change</span>
                    <strong title={exact(r.compared - r.previous, cur)}>{signed(r.compared - r.previous, cur)}</strong>
                    <em>{r.answer.compared ? `${spanText(r.answer.compared, session.today)} ` : ''}against {spanText(r.answer.previous, session.today)}{r.answer.compared ? ', complete days' : ''}</em>
                </div>
            ) : (
                <div class="kpi">
                    <span>Days</span>
                    <strong>{r.answer.range.days}</strong>
                    <em>{spanText(r.answer.range, session.today)}</em>
                </div>
            )}
            {filtered && whole !== null ? (
                <div class="kpi">
                    <span>Share of all cost</span>
                    <strong>{percent(r.total, whole) ?? '–'}</strong>
                    <em>of {money(whole, cur)}</em>
                </div>
            ) : (
                <div class="kpi">
                    <span>Largest</span>
                    <strong>{largest ? percent(largest.total, r.total) ?? '–' : '–'}</strong>
                    <em class="clip" title={largest?.label}>{largest ? largest.label : 'nothing to show'}</em>
                </div>
            )}
            {tag ? (
                <div class="kpi">
                    <span>Untagged</span>
                    <strong title={untagged !== null ? exact(untagged, cur) : undefined}>{untagged === null ? <i class="bone" /> : percent(untagged, r.total) ?? '–'}</strong>
                    <em>{untagged === null ? '' : `${money(untagged, cur)} without ${keyLabel(tag, keys)}`}</em>
                </div>
            ) : (
                <div class="kpi">
                    <span>{first ? keyLabel(first, keys) : 'Groups'}{question.groupBy.length > 1 ? ' and more' : ''}</span>
                    <strong>{r.answer.groupCount.toLocaleString('en-US')}</strong>
                    <em>{r.answer.groupCount === 1 ? 'group' : 'groups'} in {r.answer.rows.toLocaleString('en-US')} rows</em>
                </div>
            )}
        </section>
    );
}

export const KpiBones = (): JSX.Element => (
    <section class="kpis" aria-label="Summary" aria-busy="true">
        {[0, 1, 2, 3, 4].map((i) => <div class="kpi" key={i}><i class="bone short" /><strong><i class="bone" /></strong><i class="bone short" /></div>)}
    </section>
);
