/*
 * page.mjs - the page as people use it, against the real server with the demo account: every screen,
 * every control, both themes, both widths; no outside request, no violation of the page's policy.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asker, axe, chromiumPath, EMAIL, farthing, focus, isoDay, PASSWORD, report, run, same, screens, settle, site, skip, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) {
    report('chromium is there', false, 'install the package chromium');
    process.exit(1);
}
if (!farthing || !existsSync(farthing)) {
    report('the program is built', false, `${farthing} is not there`);
    process.exit(1);
}
const SAMPLE = process.env.SHARED ? join(process.env.SHARED, 'data/focus-sample-1.0/focus_sample.csv') : '';

/* Text that must stay text, wherever a bill can carry it. */
const VECTORS = ['<img src=x onerror=alert(1)>', '"><script>alert(1)</script>', "javascript:alert(1)", '<svg/onload=alert(1)>', "'-alert(1)-'", '{{constructor.constructor("alert(1)")()}}', '<iframe srcdoc="<script>parent.alert(1)</script>">', '${alert(1)}', '</title><script>alert(1)</script>', '{a|<b>rich</b>}'];

const demo = await site('web-data', 40000);
const { data, link, server, context } = demo;
const main = await context({});
const page = await main.newPage();
page.setDefaultTimeout(15_000);

const settled = (p = page) => settle(p);
const open = async (to, p = page) => {
    await p.goto(to);
    await settled(p);
};
const q = (name) => new URL(page.url()).searchParams.get(name);
const total = () => page.locator('tfoot td[data-total]').getAttribute('data-total');
const api = asker(page);
const rowNames = () => page.locator('table.bill tbody tr[data-row]').evaluateAll((rows) => rows.map((r) => r.dataset.row));
const e10 = (s) => {
    const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(s);
    return BigInt(sign + whole + part.padEnd(10, '0'));
};
const fromShown = (s) => BigInt(s.replace(/[^0-9.\u2212]/g, '').replace('\u2212', '-').replace('.', ''));

try {
    /* ---- signing in ---- */
    await test('a first sign-in by the link chooses a password, with its length checked while typing', async () => {
        await page.goto('/signin#' + link);
        await page.locator('input[type=password]').nth(1).waitFor();
        same(new URL(page.url()).hash, '', 'the secret left the address');
        const fields = page.locator('input[type=password]');
        await fields.nth(0).fill('too short');
        that((await page.textContent('#password-hint')).includes('9 of 15'), 'the hint counts');
        that(await page.locator('button.primary').isDisabled(), 'too short cannot be sent');
        await fields.nth(0).fill(PASSWORD);
        await fields.nth(1).fill(PASSWORD + 'x');
        that(await page.getByText('The two differ').isVisible(), 'a difference is said');
        await fields.nth(1).fill(PASSWORD);
        await page.click('button.primary');
        await page.waitForURL('**/megabill');
        await settled();
        that(await page.getByRole('heading', { name: 'MegaBill' }).isVisible(), 'MegaBill is there');
    });
    if (!page.url().includes('/megabill')) throw new Error('nobody is signed in: the rest cannot be tested');
    await test('the link works once', async () => {
        const other = await context({});
        const p = await other.newPage();
        await p.goto('/signin#' + link);
        await p.locator('input').nth(0).fill(PASSWORD);
        await p.locator('input').nth(1).fill(PASSWORD);
        await p.click('button.primary');
        await p.getByRole('alert').waitFor();
        that((await p.getByRole('alert').textContent()).includes('A link works once'), 'it says so');
        await other.close();
    });
    await test('sign out, a wrong password, sign in, back to where one was', async () => {
        await open('/settings');
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByLabel('E-mail').waitFor();
        await page.goto('/megabill?per=month');
        await page.waitForURL('**/signin?back=*');
        await page.getByLabel('E-mail').fill(EMAIL);
        await page.getByLabel('Password').fill('not the password at all');
        await page.click('button.primary');
        await page.getByRole('alert').waitFor();
        await page.getByLabel('Password').fill(PASSWORD);
        await page.click('button.primary');
        await page.waitForURL('**/megabill?per=month');
        await settled();
    });

    /* ---- the numbers ---- */
    await test('the table adds up to its footer and to the API, to the last digit', async () => {
        await open('/megabill');
        const a = (await api('POST', '/api/query', { date: { relativeRange: 'last30Days', type: 'day' }, costType: 'netAmortizedCost', granularity: 'day', groupBy: [{ costCenter: 'Global', key: 'service', type: 'billing_dimension' }], previous: true, top: 8, others: true })).json;
        same(await total(), a.total.total, 'footer');
        same(a.groups.reduce((s, g) => s + e10(g.total), 0n).toString(), e10(a.total.total).toString(), 'groups');
        const shown = await page.locator('table.bill tbody tr[data-row] td:nth-of-type(1) button.number').evaluateAll((all) => all.map((b) => b.title));
        same(shown.map((s) => fromExact(s)).reduce((s, x) => s + x, 0n).toString(), e10(a.total.total).toString(), 'every digit of every row');
        same(await page.locator('.kpi').first().locator('strong').textContent(), await page.locator('tfoot td[data-total]').textContent(), 'the first figure is the footer');
    });
    function fromExact(s) {
        const m = /^(\u2212?)\$([\d,]+)\.(\d+)/.exec(s);
        return BigInt(m[1] ? -1 : 1) * BigInt(m[2].replace(/,/g, '') + m[3].padEnd(10, '0'));
    }
    await test('the daily average is taken over complete days only', async () => {
        await open('/megabill');
        const s = (await api('GET', '/api/session')).json;
        const to = s.knownTo < s.today ? s.knownTo : isoDay(-1);
        const from = isoDay(-29);
        const days = Math.round((Date.parse(to) - Date.parse(from)) / 864e5) + 1;
        const a = (await api('POST', '/api/query', { date: { from, to }, granularity: 'accumulated', groupBy: [], previous: false })).json;
        const want = (e10(a.total.total) * 2n + BigInt(days)) / (2n * BigInt(days));
        same(fromExact(await page.locator('.kpi').nth(1).locator('strong').getAttribute('title')).toString(), want.toString());
        that((await page.locator('.kpi').nth(1).textContent()).includes(`${days} complete days`), 'it names them');
    });

    /* ---- the controls ---- */
    const changes = async (name, act, param, value, numbers = true) => {
        await test(name, async () => {
            await open('/megabill');
            const before = await total();
            await act();
            await until('the address', () => q(param) !== null && (value === undefined || q(param) === value));
            await settled();
            if (numbers) that((await total()) !== before, 'the numbers changed');
            await page.goBack();
            await settled();
            same(q(param), null, 'back takes it away');
            same(await total(), before, 'and the numbers are the old ones');
        });
    };
    await changes('a named range changes the address and the numbers', async () => {
        await page.locator('.bar button').first().click();
        await page.getByRole('button', { name: /^Last 7 days/ }).click();
    }, 'date', 'last7Days');
    await changes('a typed range', async () => {
        await page.locator('.bar button').first().click();
        await page.getByLabel('From', { exact: true }).fill('1 Oct 2026'.replace('2026', isoDay(0).slice(0, 4)));
        await page.getByLabel('To', { exact: true }).fill(`${isoDay(0).slice(0, 4)}-10-15`);
        await page.getByRole('button', { name: 'Show these days' }).click();
    }, 'date');
    await changes('a range by the calendar and the keyboard alone', async () => {
        await page.locator('.bar button').first().focus();
        await page.keyboard.press('Enter');
        const day = page.locator('.calendar [tabindex="0"][data-day]');
        await day.focus();
        await page.keyboard.press('ArrowLeft');
        await page.keyboard.press('ArrowUp');
        await page.keyboard.press('Enter');
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('Enter');
    }, 'date');
    await changes('a cost type', async () => {
        await page.getByRole('button', { name: 'Net amortized' }).click();
        await page.getByRole('button', { name: /^List/ }).click();
    }, 'cost', 'listCost');
    await changes('a granularity', async () => {
        await page.getByRole('button', { name: 'Daily', exact: true }).click();
        await page.getByRole('button', { name: 'Weekly' }).click();
    }, 'per', 'week', false);
    await test('without a comparison there is no previous column', async () => {
        await open('/megabill');
        await page.getByRole('button', { name: 'vs previous' }).click();
        await until('the address', () => q('previous') === '0');
        await settled();
        same(await page.getByRole('columnheader', { name: /Previous/ }).count(), 0);
    });
    await test('several keys, in the order chosen', async () => {
        await open('/megabill');
        await page.getByRole('button', { name: /^by/ }).click();
        await page.getByRole('combobox', { name: 'Group by' }).fill('cost center');
        await page.keyboard.press('Enter');
        await until('two keys', () => new URL(page.url()).searchParams.getAll('by').length === 2);
        await page.getByRole('button', { name: /^Move Cost Center up/ }).click();
        await until('the other order', () => new URL(page.url()).searchParams.getAll('by')[0].includes('cost_center_type'));
        await page.keyboard.press('Escape');
        await settled();
        same(await page.locator('table.bill thead th').evaluateAll((h) => h.slice(0, 2).map((x) => x.textContent)), ['Cost Center', 'Services']);
    });
    for (const kind of ['bar', 'area', 'line', 'pie', 'treemap'])
        await test(`the picture as ${kind}`, async () => {
            await open('/megabill?chart=' + kind);
            await until('the drawing', () => page.evaluate(() => document.querySelectorAll('.canvas svg path').length > 8));
        });
    await test('hover on a row marks the picture, hover on the picture marks a row', async () => {
        await open('/megabill?chart=bar&per=month&date=last12Months');
        await until('the drawing', () => page.evaluate(() => document.querySelectorAll('.canvas svg path').length > 8));
        const faded = () => page.evaluate(() => [...document.querySelectorAll('.canvas svg path')].filter((p) => Number(p.getAttribute('fill-opacity') ?? 1) < 0.5).length);
        same(await faded(), 0, 'before');
        await page.locator('table.bill tbody tr').nth(1).hover();
        await until('the others to fade', async () => (await faded()) > 4);
        await page.mouse.move(5, 5);
        await until('nothing is marked', async () => (await faded()) === 0);
        const mark = await page.evaluate(() => {
            const c1 = getComputedStyle(document.documentElement).getPropertyValue('--c1').trim();
            const [r] = [...document.querySelectorAll('.canvas svg path')].filter((e) => e.getAttribute('fill') === c1).map((e) => e.getBoundingClientRect()).sort((x, y) => y.width * y.height - x.width * x.height);
            return [r.x + r.width / 2, r.y + r.height / 2];
        });
        await page.mouse.move(...mark);
        await until('a marked row and the tooltip', () => page.evaluate(() => document.querySelector('table.bill tr.at') && document.querySelector('.tip .sum')));
    });

    /* ---- narrowing ---- */
    await test('a click drills, the chip undoes it, back goes back', async () => {
        await open('/megabill');
        const before = await total();
        const first = (await rowNames())[0];
        await page.locator('table.bill tbody button.name').first().click();
        await until('a filter', () => q('filter') !== null);
        await settled();
        const f = JSON.parse(q('filter'));
        same(f.AND[0].value, [first], 'the value');
        const a = (await api('POST', '/api/query', { date: { relativeRange: 'last30Days', type: 'day' }, groupBy: [], granularity: 'accumulated', filters: f })).json;
        same(await total(), a.total.total, 'the narrowed total');
        that((await page.locator('.kpi').nth(3).textContent()).includes('Share of all cost'), 'share of the whole');
        that(q('by') !== null, 'and goes on to the next key');
        await page.goBack();
        await settled();
        same(await total(), before);
        await page.goForward();
        await settled();
        await page.getByRole('button', { name: /^Remove the filter/ }).click();
        await until('no filter', () => q('filter') === null);
    });
    await test('exclude takes a row away and the total down by it', async () => {
        await open('/megabill');
        const before = e10(await total());
        const [first] = await rowNames();
        const row = page.locator('table.bill tbody tr').first();
        const cost = fromExact(await row.locator('button.number').getAttribute('title'));
        await row.hover();
        await row.getByRole('button', { name: /^Exclude/ }).click();
        await until('a filter', () => q('filter') !== null);
        await settled();
        that(!(await rowNames()).includes(first), 'the row is gone');
        same((before - e10(await total())).toString(), cost.toString(), 'difference');
        that(await page.locator('.chip', { hasText: 'is not' }).isVisible(), 'the chip says so');
    });
    await test('a filter by search over keys and values on the server, by keyboard', async () => {
        await open('/megabill');
        await page.locator('h1').click();
        await page.keyboard.press('/');
        await page.getByRole('combobox', { name: 'Filter by' }).fill('cost center');
        await page.keyboard.press('Enter');
        const values = page.getByRole('combobox', { name: 'Values' });
        await values.fill('az');
        await until('one value with its cost', () => page.evaluate(() => [...document.querySelectorAll('[role=option]')].some((o) => o.textContent.includes('Azure') && o.textContent.includes('$'))));
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Apply' }).click();
        await until('a filter', () => q('filter') !== null);
        same(JSON.parse(q('filter')).AND[0].value, ['Azure']);
        await settled();
    });
    await test('a pasted list becomes values', async () => {
        await open('/megabill');
        await page.keyboard.press('/');
        await page.getByRole('combobox', { name: 'Filter by' }).fill('cost center');
        await page.keyboard.press('Enter');
        await page.getByRole('combobox', { name: 'Values' }).waitFor();
        await page.evaluate(() => navigator.clipboard.writeText('AWS\nGCP\n'));
        await page.getByRole('combobox', { name: 'Values' }).focus();
        await page.keyboard.press('Control+V');
        await page.getByText('2 chosen').waitFor();
        await page.getByRole('button', { name: 'Apply' }).click();
        await until('a filter', () => q('filter') !== null);
        same(JSON.parse(q('filter')).AND[0].value, ['AWS', 'GCP']);
    });
    await test('the tree: any of two groups, with its result beside it', async () => {
        await open('/megabill');
        await page.keyboard.press('/');
        await page.getByRole('button', { name: 'Build with AND and OR' }).click();
        const dialog = page.getByRole('dialog', { name: 'Only what' });
        const choose = async (n, key, operator, text) => {
            await dialog.getByRole('button', { name: 'Choose a key' }).first().click();
            await dialog.getByRole('combobox', { name: 'Key' }).fill(key);
            await page.keyboard.press('Enter');
            await dialog.getByRole('combobox', { name: 'Operator' }).nth(n).selectOption(operator);
            if (text) await dialog.getByLabel('Text').nth(n).fill(text);
        };
        await choose(0, 'cost center', 'contains', 'az');
        await dialog.getByRole('button', { name: '+ Group' }).click();
        await choose(1, 'services', 'contains', 'e');
        await dialog.getByRole('button', { name: 'Any of (OR)' }).first().click();
        await until('its result', async () => (await dialog.locator('.catch strong').textContent()).includes('$'));
        await dialog.getByRole('button', { name: 'Apply' }).click();
        await until('the filter', () => q('filter') !== null);
        await settled();
        const f = JSON.parse(q('filter'));
        same([f.OR.length, f.OR[0].operator, f.OR[1].OR[0].key], [2, 'contains', 'service']);
        const a = (await api('POST', '/api/query', { date: { relativeRange: 'last30Days', type: 'day' }, groupBy: [], granularity: 'accumulated', filters: f })).json;
        same(await total(), a.total.total);
        that(await page.getByRole('button', { name: '2 conditions' }).isVisible(), 'one chip for the tree');
    });
    await test('others open into every group, still adding up', async () => {
        await open('/megabill');
        const before = await total();
        await page.locator('tr[data-row=others] button.name').click();
        await until('the address', () => q('top') !== null);
        await settled();
        same(await page.locator('tr[data-row=others]').count(), 0);
        same(await total(), before);
    });
    await test('beyond 200 rows only those in sight are in the page', async () => {
        await open('/megabill?top=1000&by=Global:resource_id:resource');
        const n = Number(await page.locator('table.bill').getAttribute('aria-rowcount')) - 2;
        that(n > 200, `${n} rows`);
        that((await page.locator('table.bill tbody tr[data-row]').count()) < 150, 'few are in the page');
        const first = (await rowNames())[0];
        await page.locator('.tablebox.own').evaluate((b) => b.scrollTo(0, 1e7));
        await until('the last rows', async () => (await rowNames())[0] !== first);
        same(await page.locator('table.bill tbody tr[data-row]').last().getAttribute('aria-rowindex'), String(n + 1));
    });
    await test('sort by every column, said by aria-sort, and kept in the address', async () => {
        await open('/megabill');
        await page.getByRole('button', { name: 'Services', exact: true }).last().click();
        await until('the address', () => q('sort') === 'name');
        const names = (await rowNames()).filter((r) => r !== 'others');
        same(names, [...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })));
        same(await page.locator('thead th').first().getAttribute('aria-sort'), 'ascending');
        await page.getByRole('columnheader', { name: /Change/ }).getByRole('button').click();
        await until('the address', () => q('sort') === '-change');
        const changes = await page.locator('tbody tr[data-row]:not([data-row=others]) td:nth-of-type(4)').evaluateAll((c) => c.map((x) => x.textContent));
        const n = changes.map((c) => fromShown(c.split(' ')[0]));
        that(n.every((x, i) => i === 0 || n[i - 1] >= x), `descending: ${changes}`);
    });
    await test('a column is resized by keyboard and by mouse', async () => {
        await open('/megabill');
        const th = page.getByRole('columnheader', { name: /Cost/ }).first();
        const width = async () => (await th.boundingBox()).width;
        const before = await width();
        const grip = th.getByRole('separator');
        await grip.focus();
        for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
        that((await width()) > before + 30, `${before} to ${await width()}`);
        await grip.dblclick();
    });
    await test('a column per bucket', async () => {
        await open('/megabill?pivot=1&per=month&date=previousQuarter');
        same(await page.locator('table.bill thead th').count(), 1 + 3 + 1 + 2);
        const cells = await page.locator('tfoot tr:last-child td').evaluateAll((c) => c.slice(1, 4).map((x) => x.title));
        same(cells.map(fromExact).reduce((s, x) => s + x, 0n).toString(), e10(await total()).toString());
    });
    await test('a value keeps its colour whatever the sort and the range', async () => {
        await open('/megabill');
        const colours = () => page.locator('tbody tr[data-row]').evaluateAll((r) => Object.fromEntries(r.map((x) => [x.dataset.row, x.querySelector('.swatch, .sw').className.match(/c\d/)[0]])));
        const before = await colours();
        await page.locator('.bar button').first().click();
        await page.getByRole('button', { name: /^Last 90 days/ }).click();
        await until('the address', () => q('date') === 'last90Days');
        await settled();
        const after = await colours();
        for (const [k, c] of Object.entries(after)) if (k !== 'others' && before[k] && before[k] !== 'c0' && c !== 'c0') same(c, before[k], k);
    });

    /* ---- explain, share, keep ---- */
    await test('explain this number: the question, the rows behind it', async () => {
        await open('/megabill');
        await page.locator('table.bill tbody button.number').first().click();
        const d = page.getByRole('dialog', { name: 'Explain this number' });
        await d.getByRole('table').waitFor();
        that((await d.textContent()).includes('Net amortized'), 'the cost type');
        that((await d.locator('tbody tr').count()) > 0, 'rows');
        await page.keyboard.press('Escape');
        await d.waitFor({ state: 'detached' });
        same(await page.evaluate(() => document.activeElement?.className), 'number', 'the focus is back');
    });
    let call = '';
    await test('copy as API call, copy link', async () => {
        await open('/megabill');
        await page.getByRole('button', { name: 'More', exact: true }).click();
        await page.getByRole('button', { name: 'Copy as API call' }).click();
        await page.getByText('API call copied').waitFor();
        call = await page.evaluate(() => navigator.clipboard.readText());
        that(call.includes('/v2/data/cost-usage/generate-query') && call.includes('x-finout-client-id') && call.includes('$FARTHING_SECRET_KEY'), call);
        await page.getByRole('button', { name: 'More', exact: true }).click();
        await page.getByRole('button', { name: 'Copy link' }).click();
        await until('the link', async () => (await page.evaluate(() => navigator.clipboard.readText())) === server.base + '/megabill');
    });
    await test('export CSV: all groups, adding up to the footer', async () => {
        await open('/megabill?per=accumulated&previous=0');
        await page.getByRole('button', { name: 'More', exact: true }).click();
        const [d] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
        const lines = readFileSync(await d.path(), 'utf8').trim().split(/\r?\n/);
        that(lines.length > 20, `${lines.length} lines`);
        that(lines.some((l) => l.includes(String(1)) ), 'numbers');
    });
    await test('save a view, change it, overwrite, rename, apply, delete, undo', async () => {
        await open('/megabill?per=week&chart=area');
        await page.getByRole('button', { name: 'Save view' }).click();
        await page.getByLabel('Name').fill('Weekly <b>services</b>');
        await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
        await until('the view in the address', () => q('view') !== null);
        const id = q('view');
        await settled();
        await page.getByRole('button', { name: 'vs previous' }).click();
        await page.getByText('edited').waitFor();
        await page.getByRole('button', { name: 'Overwrite', exact: true }).click();
        await page.getByText('edited').waitFor({ state: 'detached' });
        await open('/bills');
        await open('/megabill?view=' + id);
        same([await page.locator('button[aria-pressed=true]', { hasText: 'Area' }).count(), await page.getByRole('button', { name: 'vs previous' }).getAttribute('aria-pressed')], [1, 'false'], 'a bare address of a view is the whole view');
        await page.locator('.viewname').click();
        await page.getByRole('button', { name: 'Rename Weekly <b>services</b>' }).click();
        await page.getByLabel(/^New name/).fill('Services by week');
        await page.getByRole('button', { name: 'Rename', exact: true }).click();
        await page.locator('.viewlist .line', { hasText: 'Services by week' }).waitFor();
        await page.getByRole('button', { name: /^Delete Services by week/ }).click();
        await page.locator('.viewlist .line', { hasText: 'Services by week' }).waitFor({ state: 'detached' });
        await page.getByRole('status').getByRole('button', { name: 'Undo' }).click();
        await until('the view is back', async () => (await api('GET', '/api/views')).json.views.some((v) => v.name === 'Services by week'));
        await page.keyboard.press('Escape');
        await open('/megabill');
        await page.locator('.viewname').click();
        await page.locator('.viewlist .line', { hasText: 'Services by week' }).click();
        await until('applied', () => q('per') === 'week');
    });
    await test('a saved view is copied as query-by-view', async () => {
        const view = (await api('GET', '/api/views')).json.views.find((v) => v.name === 'Services by week');
        await open('/megabill?view=' + view.id);
        await page.getByRole('button', { name: 'More', exact: true }).click();
        await page.getByRole('button', { name: 'Copy as API call' }).click();
        await until('the call', async () => (await page.evaluate(() => navigator.clipboard.readText())).includes(`/v1/cost/query-by-view' `));
        that((await page.evaluate(() => navigator.clipboard.readText())).includes(view.id), 'its id');
    });

    /* ---- keyboard ---- */
    await test('Ctrl K, ? and g lead everywhere, Esc closes', async () => {
        await open('/megabill');
        await page.keyboard.press('Control+K');
        await page.getByRole('combobox', { name: 'Search' }).fill('treemap');
        await page.keyboard.press('Enter');
        await until('the picture', () => q('chart') === 'treemap');
        await page.keyboard.press('?');
        await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('dialog', { name: 'Keyboard' }).waitFor({ state: 'detached' });
        for (const [key, path] of [['b', '/bills'], ['t', '/tokens'], ['p', '/settings'], ['m', '/megabill']]) {
            await page.keyboard.press('g');
            await page.keyboard.press(key);
            await until(path, () => new URL(page.url()).pathname === path);
        }
    });
    await test('the focus is always seen', async () => {
        await open('/megabill');
        for (let i = 0; i < 25; i++) {
            await page.keyboard.press('Tab');
            const seen = await page.evaluate(() => {
                const e = document.activeElement;
                return !e || e === document.body || getComputedStyle(e).outlineStyle !== 'none' || e.textContent;
            });
            that(seen === true, `no outline on ${seen}`);
        }
    });

    /* ---- bills ---- */
    const drop = async (file, source) => {
        await page.getByLabel('Source', { exact: true }).fill(source);
        await page.locator('input[type=file]').setInputFiles(file);
    };
    if (SAMPLE && existsSync(SAMPLE)) {
        await test('the FOCUS sample is uploaded and goes live, with its control totals', async () => {
            await open('/bills');
            await drop(SAMPLE, 'sample');
            await page.locator('.job.done, .job[data-job=done]').first().waitFor({ timeout: 60_000 });
            await page.getByRole('row', { name: /live focus_sample\.csv/ }).waitFor();
            await page.getByRole('button', { name: /^Details of the load of focus_sample/ }).first().click();
            const d = page.getByRole('dialog', { name: 'Load' });
            await d.getByRole('table', { name: 'Control totals' }).waitFor();
            const text = await d.textContent();
            for (const want of ['20.52022672899', '14.97651418586', '20.39090575119']) that(text.includes(want), `${want} of SOURCE.md in ${text.slice(0, 600)}`);
            await page.keyboard.press('Escape');
            await open('/megabill?date=2024-09-01..2024-09-30&cost=unblendedCost&by=Global:cost_center_type:billing_dimension');
            that((await rowNames()).includes('AWS'), 'its rows are in MegaBill');
        });
        await test('the same file again changes nothing and says so', async () => {
            await open('/bills');
            await drop(SAMPLE, 'sample');
            await page.getByRole('row', { name: /unchanged focus_sample/ }).or(page.locator('.job', { hasText: /nothing changed|unchanged|already/i })).first().waitFor({ timeout: 60_000 });
        });
    } else {
        skip('the FOCUS sample is uploaded and goes live, with its control totals', 'SHARED is not set');
        skip('the same file again changes nothing and says so', 'SHARED is not set');
    }
    await test('a broken bill is refused with its row, column and reason', async () => {
        await open('/bills');
        await drop(focus('broken.csv', [{}, {}, { cost: 'twelve' }]), 'broken');
        const card = page.locator('.job.failed', { hasText: 'broken.csv' });
        await card.waitFor({ timeout: 60_000 });
        const text = await card.textContent();
        that(/Cost/.test(text) && /twelve|number/.test(text), text);
    });
    await test('a file dropped on the page is uploaded', async () => {
        await open('/bills');
        await page.getByLabel('Source', { exact: true }).fill('dropped');
        const content = readFileSync(focus('dropped.csv', [{ ServiceName: 'Dropped Service' }]), 'utf8');
        const transfer = await page.evaluateHandle((text) => {
            const t = new DataTransfer();
            t.items.add(new File([text], 'dropped.csv', { type: 'text/csv' }));
            return t;
        }, content);
        await page.locator('.drop').dispatchEvent('drop', { dataTransfer: transfer });
        await page.locator('.job', { hasText: 'dropped.csv' }).and(page.locator('.done')).waitFor({ timeout: 60_000 });
        await page.getByRole('row', { name: /dropped/ }).first().waitFor();
    });

    /* ---- tokens ---- */
    await test('a token is generated, shown once, works, and is revoked', async () => {
        await open('/tokens');
        await page.getByRole('button', { name: 'Generate token' }).first().click();
        await page.getByLabel('Description').fill('the page test');
        await page.getByLabel('Expires after').selectOption({ label: '7 days' });
        await page.getByRole('button', { name: 'Generate', exact: true }).click();
        const d = page.getByRole('dialog', { name: 'Token generated' });
        await d.waitFor();
        const [id, secret] = await d.locator('code').evaluateAll((c) => c.slice(0, 2).map((x) => x.textContent));
        await d.getByRole('button', { name: 'Copy Secret key' }).click();
        same(await page.evaluate(() => navigator.clipboard.readText()), secret);
        const ask = (s) => fetch(server.base + '/v1/view', { headers: { 'x-finout-client-id': id, 'x-finout-secret-key': s } });
        const good = await ask(secret);
        same(good.status, 200);
        that(JSON.stringify(await good.json()).includes('Services by week'), 'it sees the view');
        same((await ask(secret + 'x')).status, 401);
        const body = /-d '(.*)'/.exec(call)?.[1].replace(/'\\''/g, "'");
        const copied = await fetch(server.base + '/v2/data/cost-usage/generate-query', { method: 'POST', headers: { 'Content-Type': 'application/json', 'x-finout-client-id': id, 'x-finout-secret-key': secret }, body });
        same(copied.status, 200, 'the copied call ' + body);
        await d.getByRole('button', { name: 'I have kept it' }).click();
        await page.getByRole('row', { name: /the page test/ }).waitFor();
        that(!(await page.content()).includes(secret), 'the secret is not shown again');
        await page.getByRole('button', { name: 'Revoke the page test' }).click();
        await page.getByRole('button', { name: 'Revoke for good' }).click();
        await page.getByText('revoked').first().waitFor();
        await until('the token is dead', async () => (await ask(secret)).status === 401);
    });

    /* ---- states ---- */
    await test('an error names its reason, its request and a way out', async () => {
        demo.aside = true;
        await page.route('**/api/query', (r) => r.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify({ requestId: 'abc-123', error: 'BUSY', message: 'the server is busy', hint: 'Try again in a moment.' }) }));
        await page.goto('/megabill?cost=blendedCost');
        const alert = page.getByRole('alert');
        await alert.waitFor();
        for (const t of ['The server is busy', 'Try again in a moment', 'abc-123']) that((await alert.textContent()).includes(t), t);
        await page.unroute('**/api/query');
        await alert.getByRole('button', { name: 'Try again' }).click();
        await settled();
        demo.aside = false;
        that((await page.locator('tfoot').count()) === 1 || (await page.getByRole('alert').count()) === 1, 'answered');
    });
    await test('nothing matches: each filter can be taken away by one click', async () => {
        await open('/megabill?filter=' + encodeURIComponent(JSON.stringify({ AND: [{ costCenter: 'Global', key: 'service', type: 'billing_dimension', operator: 'oneOf', value: ['no such service'] }] })));
        await page.getByText('No cost matches').waitFor();
        await page.getByRole('button', { name: /^Without Services is no such service/ }).click();
        await settled();
        that((await total()) !== null, 'a table again');
    });
    await test('a role that may only look has its buttons off, with the reason', async () => {
        const c = await context({ storageState: await main.storageState() });
        const p = await c.newPage();
        await p.route('**/api/session', async (r) => {
            const res = await r.fetch();
            await r.fulfill({ response: res, json: { ...(await res.json()), permissions: ['cost.query', 'views.view', 'costcenters.view'] } });
        });
        await open('/megabill', p);
        const save = p.getByRole('button', { name: 'Save view' });
        same(await save.getAttribute('aria-disabled'), 'true');
        that((await save.getAttribute('title')).includes('views.manage'), 'the reason');
        await open('/bills', p);
        same(await p.getByRole('button', { name: 'Choose files' }).getAttribute('aria-disabled'), 'true');
        await c.close();
    });
    await test('an address that leads nowhere says so inside the frame', async () => {
        await open('/megabill');
        await page.evaluate(() => { history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate')); });
        await page.getByText('There is no such screen').waitFor();
    });
    await test("the vendor's deep link is understood", async () => {
        await page.goto('/app/total-cost?accountId=x&filters=' + encodeURIComponent(JSON.stringify({ key: 'cost_center_type', type: 'billing_dimension', operator: 'oneOf', value: ['AWS'] })));
        await page.waitForURL('**/megabill?filter=*');
        await settled();
        same(JSON.parse(q('filter')), { costCenter: 'Global', key: 'cost_center_type', type: 'billing_dimension', operator: 'oneOf', value: ['AWS'] });
    });
    await test('a session that ended leads to sign in and back', async () => {
        const c = await context({});
        const p = await c.newPage();
        await p.goto('/bills?source=demo');
        await p.waitForURL('**/signin?back=*');
        await p.getByLabel('E-mail').fill(EMAIL);
        await p.getByLabel('Password').fill(PASSWORD);
        await p.click('button.primary');
        await p.waitForURL('**/bills?source=demo');
        await c.close();
    });

    /* ---- every screen, both themes, both widths ---- */
    const LEAF = { costCenter: 'Global', key: 'cost_center_type', type: 'billing_dimension', operator: 'oneOf', value: ['AWS', 'GCP'] };
    const loads = (await api('GET', '/api/loads')).json.loads;
    const view = (await api('GET', '/api/views')).json.views.find((v) => v.name === 'Services by week');
    const SCREENS = [
        ['megabill', '/megabill'],
        ['filtered', '/megabill?chart=area&filter=' + encodeURIComponent(JSON.stringify({ AND: [LEAF] }))],
        ['tags', '/megabill?chart=line&by=Global:team:tag'],
        ['pie', '/megabill?chart=pie'],
        ['treemap', '/megabill?chart=treemap'],
        ['accumulated', '/megabill?per=accumulated'],
        ['pivot', '/megabill?pivot=1&by=Global:cost_center_type:billing_dimension&by=Global:service:billing_dimension'],
        ['long', '/megabill?top=1000&by=Global:resource_id:resource'],
        ['view', '/megabill?view=' + (view?.id ?? '')],
        ['empty', '/megabill?filter=' + encodeURIComponent(JSON.stringify({ AND: [{ ...LEAF, value: ['none'] }] }))],
        ['when', '/megabill', async (p) => p.locator('.bar button').first().click()],
        ['by', '/megabill', async (p) => p.getByRole('button', { name: /^by/ }).click()],
        ['filter', '/megabill', async (p) => p.getByRole('button', { name: /^\+ Filter/ }).click()],
        ['tree', '/megabill?filter=' + encodeURIComponent(JSON.stringify({ OR: [LEAF, { AND: [LEAF, { ...LEAF, operator: 'notOneOf' }] }] })), async (p) => p.getByRole('button', { name: '3 conditions' }).click()],
        ['views', '/megabill', async (p) => p.locator('.viewname').click()],
        ['more', '/megabill', async (p) => p.getByRole('button', { name: 'More', exact: true }).click()],
        ['explain', '/megabill', async (p) => { await p.locator('table.bill tbody button.number').first().click(); await p.getByRole('dialog').getByRole('table').waitFor(); }],
        ['palette', '/megabill', async (p) => p.keyboard.press('Control+K')],
        ['help', '/megabill', async (p) => p.keyboard.press('?')],
        ['bills', '/bills'],
        ['load', '/bills?load=' + loads[0].id],
        ['refused', '/bills?load=' + (loads.find((l) => l.state === 'failed')?.id ?? loads[0].id)],
        ['tokens', '/tokens'],
        ['generate', '/tokens', async (p) => p.getByRole('button', { name: 'Generate token' }).first().click()],
        ['settings', '/settings'],
    ];
    demo.aside = true;
    const state = await main.storageState();
    for (const width of [1440, 390])
        for (const scheme of ['light', 'dark'])
            await test(`every screen, ${scheme}, ${width} wide: axe finds nothing, nothing is wider than the window`, async () => {
                const c = await context({ viewport: { width, height: width === 390 ? 844 : 1000 }, colorScheme: scheme, storageState: state });
                const p = await c.newPage();
                const wrong = [];
                for (const [name, to, act] of SCREENS) {
                    try {
                        await open(to, p);
                        if (act) await act(p);
                        await settled(p).catch(() => undefined);
                        await p.waitForTimeout(150);
                        await p.screenshot({ path: join(screens, `${name}-${scheme}-${width}.png`) });
                        await axe(p, name);
                        const wide = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
                        if (wide > 0) throw new Error(`${name} is ${wide} px wider than the window`);
                        const cut = await p.evaluate(() => [...document.querySelectorAll('svg')].flatMap((s) => {
                            const room = s.getBoundingClientRect();
                            return [...s.querySelectorAll('text')].filter((t) => {
                                const r = t.getBoundingClientRect();
                                return r.left < room.left - 2 || r.right > room.right + 2;
                            }).map((t) => t.textContent);
                        }));
                        if (cut.length) throw new Error(`${name}: cut off at the side of its chart: ${cut[0]}`);
                    } catch (e) {
                        wrong.push(e.message);
                    }
                }
                if (width === 390) {
                    await open('/megabill', p);
                    await p.getByRole('button', { name: 'Menu' }).click();
                    await p.screenshot({ path: join(screens, `nav-${scheme}-${width}.png`) });
                    await axe(p, 'nav').catch((e) => wrong.push(e.message));
                    await p.getByRole('dialog').getByRole('link', { name: 'Bills' }).click();
                    await p.waitForURL('**/bills');
                }
                await c.close();
                const out = await context({ viewport: { width, height: width === 390 ? 844 : 1000 }, colorScheme: scheme });
                const o = await out.newPage();
                for (const [name, to] of [['signin', '/signin'], ['link', '/signin#not-a-link']]) {
                    await o.goto('about:blank');
                    await o.goto(to);
                    await o.getByRole('button').first().waitFor();
                    await o.screenshot({ path: join(screens, `${name}-${scheme}-${width}.png`) });
                    await axe(o, name).catch((e) => wrong.push(e.message));
                }
                await out.close();
                that(wrong.length === 0, wrong.join(' || '));
            });
    await test('the screens are in the folder of this run', async () => {
        that(readdirSync(screens).length >= SCREENS.length * 4, `${readdirSync(screens).length} pictures`);
    });
    demo.aside = false;

    /* ---- what bills say stays text ---- */
    await test('text from bills is never anything but text', async () => {
        const rows = VECTORS.flatMap((v, i) => [{ cost: `${9000 - i}.5`, day: isoDay(-3), ServiceName: v, SubAccountName: v, RegionName: v, ResourceId: v, ResourceName: v, ChargeDescription: v, Tags: JSON.stringify({ team: v, [v]: 'x' }) }]);
        run('load', '--data', data, '--source', 'canary <b>', focus('canary.csv', rows));
        await until('the new rows', async () => (await api('POST', '/api/values', { costCenter: 'Global', key: 'service', type: 'billing_dimension', search: 'onerror' })).json.values.length > 0);
        for (const to of ['/megabill', '/megabill?by=Global:team:tag', '/megabill?chart=pie', '/megabill?chart=treemap', '/megabill?per=accumulated', '/megabill?chart=line&by=Global:resource_id:resource&by=Global:team:tag', '/bills']) {
            await open(to);
            await page.waitForTimeout(250);
        }
        await open('/megabill');
        that((await rowNames()).includes(VECTORS[0]), 'shown as it is');
        await page.locator('table.bill tbody tr').nth(2).hover();
        await page.locator('table.bill tbody button.number').first().click();
        await page.getByRole('dialog').getByRole('table').waitFor();
        await page.keyboard.press('Escape');
        await page.keyboard.press('/');
        await page.getByRole('combobox', { name: 'Filter by' }).fill('script');
        await page.keyboard.press('Escape');
        await page.keyboard.press('Control+K');
        await page.getByRole('combobox', { name: 'Search' }).fill('<');
        await page.keyboard.press('Escape');
        same(await page.evaluate(() => document.querySelectorAll('main img, main iframe, main script, main b b').length), 0, 'elements from text');
    });
    await test('a chosen theme holds, whatever the system says', async () => {
        await open('/settings');
        await page.getByRole('button', { name: 'Dark', exact: true }).click();
        await page.reload();
        await settled();
        same(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(22, 21, 19)');
        await page.getByRole('button', { name: 'System', exact: true }).click();
    });
    await test('a password is changed, and the new one signs in', async () => {
        await open('/settings');
        await page.getByLabel('Password now').fill(PASSWORD);
        await page.getByLabel('New password').fill(PASSWORD + ' twice');
        await page.getByRole('button', { name: 'Change password' }).click();
        await page.getByText('Password changed').waitFor();
        const c = await context({});
        const p = await c.newPage();
        await p.goto('/signin');
        await p.getByLabel('E-mail').fill(EMAIL);
        await p.getByLabel('Password').fill(PASSWORD + ' twice');
        await p.click('button.primary');
        await p.waitForURL('**/megabill');
        await c.close();
    });
} catch (e) {
    report('the tests of the page ran to their end', false, e.stack);
} finally {
    writeFileSync(join(tmp, 'broken.txt'), demo.broken.join('\n'));
    await demo.end();
}
