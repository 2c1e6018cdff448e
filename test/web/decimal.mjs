/* decimal.mjs - the page's exact decimals and its dates, against values worked out by hand. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { report } from './lib.mjs';

const root = process.env.FARTHING_ROOT ?? '.';
const { buildSync } = createRequire(join(root, 'web/'))('esbuild');
const dir = mkdtempSync(join(process.env.FARTHING_TMP ?? tmpdir(), 'dec-'));
buildSync({ entryPoints: ['dec', 'day', 'question'].map((f) => join(root, `web/src/lib/${f}.ts`)), outdir: dir, format: 'esm', bundle: true, outExtension: { '.js': '.mjs' } });
const d = await import(pathToFileURL(join(dir, 'dec.mjs')));
const t = await import(pathToFileURL(join(dir, 'day.mjs')));
const q = await import(pathToFileURL(join(dir, 'question.mjs')));
const M = '\u2212';
const is = (name, got, want) => report(name, got === want, `got ${got}, want ${want}`);

is('two decimals, thousands grouped', d.money(d.dec('184302.1650'), 'USD'), '$184,302.17');
is('half goes away from zero, both ways', d.money(d.dec('0.005'), 'USD') + d.money(d.dec('-0.005'), 'USD'), `$0.01${M}$0.01`);
is('less than half a cent has no minus', d.money(d.dec('-0.004'), 'USD'), '$0.00');
is('a minus sign, not a hyphen', d.money(d.dec('-3.5'), 'EUR'), `${M}€3.50`);
is('a currency without a sign is named', d.money(d.dec('3'), 'CHF'), 'CHF\u00a03.00');
is('all digits', d.exact(d.dec('20.5202267290'), 'USD'), '$20.520226729');
is('at least two digits', d.exact(d.dec('7')), '7.00');
is('a sum floats would get wrong', d.exact(d.sum(['0.1', '0.2', '9007199254740993.0000000001'].map(d.dec))), '9,007,199,254,740,993.3000000001');
is('share with one decimal', d.percent(d.dec('1'), d.dec('3')), '33.3%');
is('share of nothing', d.percent(d.dec('1'), d.dec('0')), null);
is('change of 600 from 500', d.changePercent(d.dec('600'), d.dec('500')), '20.0%');
is('change from a credit', d.changePercent(d.dec('10'), d.dec('-10')), '200.0%');
is('change from nothing is new', d.changePercent(d.dec('1'), d.dec('0')), 'New');
is('no change', d.changePercent(d.dec('0'), d.dec('0')), '0.0%');
is('axis', ['0', d.axisLabel(950, 'USD'), d.axisLabel(1500, 'USD'), d.axisLabel(-2000000, 'USD')].join(' '), `0 $950 $1.5k ${M}$2M`);
let thrown = 0;
for (const bad of ['', '1e5', '1.12345678901', '--1', 'NaN', '1.']) try { d.dec(bad); } catch { thrown++; }
is('what is no amount is refused', thrown, 6);

is('30 days end today', JSON.stringify(t.resolve('last30Days', '2026-11-23')), '{"from":"2026-10-25","to":"2026-11-23"}');
is('last month over a year end', JSON.stringify(t.resolve('previousMonth', '2026-01-31')), '{"from":"2025-12-01","to":"2025-12-31"}');
is('last quarter', JSON.stringify(t.resolve('previousQuarter', '2026-02-10')), '{"from":"2025-10-01","to":"2025-12-31"}');
is('a week starts on Monday', JSON.stringify(t.resolve('last::2::week', '2026-11-23')), '{"from":"2026-11-16","to":"2026-11-23"}');
is('leap day', t.lastOfMonth('2028-02-03'), '2028-02-29');
is('typed day', [t.parseDay('1 oct 2026', '2026-11-23'), t.parseDay('31 Feb 2026', '2026-11-23'), t.parseDay('24 Dec', '2026-11-23'), t.parseDay('2026-10-01', '2026-11-23')].join(), '2026-10-01,,2025-12-24,2026-10-01');
is('dates in words', t.spanText({ from: '2025-12-25', to: '2026-01-03' }, '2026-11-23'), '25 Dec 2025 to 3 Jan 2026');

/* The address is the state: write, read, write again. */
const key = { costCenter: 'AWS', key: 'a:b&c=ü "%', type: 'tag' };
const state = {
    question: { ...q.defaultQuestion('listCost'), date: { from: '2026-10-01', to: '2026-10-31' }, granularity: 'week', groupBy: [key, q.DEFAULT_KEY], filters: { AND: [{ ...key, operator: 'oneOf', value: ['x&y', '<b>'] }, { OR: [{ ...key, operator: 'exists' }] }] }, previous: false, top: 50, others: false },
    chart: { kind: 'line', sort: '-change', hidden: ['["a,b"]'], pivot: true },
    view: 'v 1',
};
const there = q.write(state, 'netAmortizedCost');
is('the address keeps the whole state', JSON.stringify(q.read(there, 'netAmortizedCost')), JSON.stringify(state));
is('what is default is not in the address', q.write(q.read('', 'netAmortizedCost'), 'netAmortizedCost'), '');
is('a broken address is the default, not an error', q.write(q.read('?filter={{&by=&top=x&date=..&chart=zz&sort=;', 'netAmortizedCost'), 'netAmortizedCost'), '?by=');
