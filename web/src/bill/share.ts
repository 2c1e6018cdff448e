/* share.ts - the question as a call of the public API, ready to paste. */
import { addDays, daysBetween } from '../lib/day';
import { wire } from '../lib/question';
import type { Question } from '../lib/types';
import type { Result } from './result';

const V2_DAYS = 60;
const quote = (s: string): string => `'${s.replace(/'/g, `'\\''`)}'`;
const ms = (day: string): number => Date.parse(day + 'T00:00:00Z');

function curl(path: string, body: unknown): string {
    return [
        `curl -sS ${quote(location.origin + path)} \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -H "x-finout-client-id: $FARTHING_CLIENT_ID" \\`,
        `  -H "x-finout-secret-key: $FARTHING_SECRET_KEY" \\`,
        `  -d ${quote(JSON.stringify(body))}`,
    ].join('\n');
}

/** query-by-view for a view as it was saved, generate-query for everything else. */
export function asCurl(q: Question, r: Result, view: string | null): string {
    if (view) return curl('/v1/cost/query-by-view', { viewId: view });
    const to = r.answer.range.to;
    const cut = daysBetween(r.answer.range.from, to) > V2_DAYS;
    const from = cut ? addDays(to, 1 - V2_DAYS) : r.answer.range.from;
    const interval = q.granularity === 'week' || q.granularity === 'month' ? q.granularity : q.granularity === 'quarter' ? 'month' : 'day';
    const filters = wire(q)['filters'];
    const body = {
        date: { unixTimeMillisecondsStart: ms(from), unixTimeMillisecondsEnd: ms(addDays(to, 1)) - 1 },
        timeInterval: { interval },
        measurements: [{ type: q.costType, operator: 'sum' }],
        dimensions: q.groupBy.map((k) => ({ costCenter: k.costCenter, key: k.key, type: k.type })),
        ...(filters ? { filters } : {}),
        rowLimit: 100000,
    };
    const note = cut ? `# the API answers ${V2_DAYS} days at a time: this asks for the last ${V2_DAYS}\n` : '';
    return `${note}${curl('/v2/data/cost-usage/generate-query', body)}\n# then, with the queryId of the answer:\n# curl -sS ${quote(location.origin + '/v2/data/cost-usage/QUERY_ID/results')} with the same two headers`;
}
