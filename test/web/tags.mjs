/*
 * tags.mjs - virtual tags as people use them, against the real server: a tag is built, reordered, staged,
 * published and found in MegaBill. Every cost is checked against sums of plain questions about the bill.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asker, axe, chromiumPath, farthing, isoDay, PASSWORD, report, same, screens, settle, site, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath || !farthing || !existsSync(farthing)) {
    report('chromium and the program are there', false, `${chromiumPath} ${farthing}`);
    process.exit(1);
}
const demo = await site('tags-data', 40000);
const main = await demo.context({});
const page = await main.newPage();
page.setDefaultTimeout(15_000);
const api = asker(page);
const settled = () => settle(page);
const open = async (to, p = page) => {
    await p.goto(to);
    await settle(p);
};
const e10 = (s) => {
    const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(s);
    return BigInt(sign + whole + part.padEnd(10, '0'));
};
const key = (name) => ({ costCenter: 'Global', key: name, type: 'billing_dimension' });
const is = (name, ...values) => ({ ...key(name), operator: 'oneOf', value: values });
const isNot = (name, ...values) => ({ ...key(name), operator: 'notOneOf', value: values });
/** The cost of the last 30 days under a filter: the independent figure. */
const cost = async (filters) => {
    const r = await api('POST', '/api/query', { date: { relativeRange: 'last30Days', type: 'day' }, granularity: 'accumulated', groupBy: [], previous: false, ...(filters ? { filters } : {}) });
    same(r.status, 200, 'the plain question');
    return e10(r.json.total.total);
};
/** What the preview on the screen says: cost of each value. */
const previewed = async () => Object.fromEntries((await page.locator('.values tr[data-value]').evaluateAll((all) => all.map((r) => [r.dataset.value, r.querySelector('[data-cost]').dataset.cost]))).map(([v, c]) => [v, e10(c)]));
const equalCosts = (got, want, what) => same(Object.fromEntries(Object.entries(got).map(([k, v]) => [k, v.toString()]).sort()), Object.fromEntries(Object.entries(want).filter(([, v]) => v !== undefined).map(([k, v]) => [k, v.toString()]).sort()), what);
const rule = (n) => page.locator('[data-rule]').nth(n);
const add = async (n, { k, values, to }) => {
    await page.getByRole('button', { name: '+ Add rule' }).click();
    const r = rule(n);
    await r.getByRole('button', { name: 'Choose a key' }).click();
    await page.getByRole('combobox', { name: 'Key' }).fill(k);
    await page.keyboard.press('Enter');
    await r.getByRole('button', { name: 'Choose values' }).click();
    for (const v of values) {
        await page.getByRole('combobox', { name: 'Values' }).fill(v);
        await page.locator('.picklist li', { hasText: v }).first().waitFor();
        await page.keyboard.press('Enter');
    }
    await page.keyboard.press('Escape');
    await r.getByLabel(`Text: value of rule ${n + 1}`).fill(to);
};
const publish = async (doc) => {
    const r = await api('POST', '/api/tags?setAsLive=true', { kind: 'rules', category: '', folderId: null, defaultValue: 'Untagged', rules: [], allocations: [], endpoints: [], ...doc });
    same(r.status, 201, JSON.stringify(r.json));
    return r.json.id;
};

try {
    await page.goto('/signin#' + demo.link);
    await page.locator('input[type=password]').nth(1).waitFor();
    await page.locator('input[type=password]').nth(0).fill(PASSWORD);
    await page.locator('input[type=password]').nth(1).fill(PASSWORD);
    await page.click('button.primary');
    await page.waitForURL('**/megabill');
    await settled();

    const total = await cost(null);
    const aws = await cost(is('cost_center_type', 'AWS'));
    const gcp = await cost(is('cost_center_type', 'GCP'));
    const azure = await cost(is('cost_center_type', 'Azure'));
    that(aws > 0n && gcp > 0n && azure > 0n, 'the demo bill has three clouds');
    let id = '';

    await test('a tag of three rules: the preview adds up, to the last digit, while it is built', async () => {
        await open('/virtual-tags');
        await page.getByRole('button', { name: /^Create virtual tag/ }).click();
        await page.getByRole('button', { name: /^Virtual tag/ }).click();
        await page.getByLabel('Name', { exact: true }).fill('Cloud bearer');
        await add(0, { k: 'cost center', values: ['AWS'], to: 'Cloud A' });
        await add(1, { k: 'cost center', values: ['AWS', 'GCP'], to: 'Cloud B' });
        await add(2, { k: 'cost center', values: ['Azure'], to: 'Cloud C' });
        await until('the preview of three rules', async () => Object.keys(await previewed()).includes('Cloud C'));
        await settled();
        equalCosts(await previewed(), { 'Cloud A': aws, 'Cloud B': gcp, 'Cloud C': azure, Untagged: total - aws - gcp - azure === 0n ? undefined : total - aws - gcp - azure }, 'values');
        same(e10(await rule(0).locator('[data-matched]').getAttribute('data-matched')).toString(), aws.toString(), 'matched by rule 1');
        same(e10(await rule(1).locator('[data-matched]').getAttribute('data-matched')).toString(), gcp.toString(), 'matched by rule 2');
        same(e10(await rule(1).locator('[data-shadowed]').getAttribute('data-shadowed')).toString(), aws.toString(), 'rule 2 would have caught what rule 1 did');
    });
    await test('reordered by keyboard, the preview moves and the dead rule is flagged', async () => {
        await page.locator('[data-grip]').nth(1).focus();
        await page.keyboard.press('ArrowUp');
        await until('the first rule catches both', async () => (await previewed())['Cloud B'] === aws + gcp);
        await settled();
        that(!(await previewed())['Cloud A'], 'nothing is left for the other');
        that((await rule(1).textContent()).includes('all taken above'), 'it is flagged');
        that((await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) === 'Move rule 1', 'the focus went along');
        that(await page.getByRole('button', { name: '1 without effect' }).isVisible(), 'and counted');
    });
    await test('reordered by drag, it moves back', async () => {
        for (let n = await page.locator('[data-toggle][aria-expanded=true]').count(); n > 0; n--) await page.locator('[data-toggle][aria-expanded=true]').first().click();
        await page.locator('[data-grip]').nth(1).dragTo(rule(0).locator('.rulehead'), { targetPosition: { x: 200, y: 4 } });
        await until('the old figures', async () => (await previewed())['Cloud A'] === aws);
        await settled();
        equalCosts({ b: (await previewed())['Cloud B'] }, { b: gcp }, 'the second rule');
    });
    await test('leaving unsaved work asks, and staying keeps it', async () => {
        await page.getByRole('link', { name: 'Bills' }).click();
        await page.getByRole('dialog').getByText('are not saved').waitFor();
        await page.getByRole('button', { name: 'Stay' }).click();
        same(await page.getByLabel('Name', { exact: true }).inputValue(), 'Cloud bearer');
        await page.goBack();
        await page.getByRole('dialog').getByText('are not saved').waitFor();
        await page.keyboard.press('Escape');
        that(page.url().includes('/virtual-tags/new'), 'the address stays as well');
        same(await page.locator('[data-rule]').count(), 3);
    });
    await test('staged, it changes nothing for anybody', async () => {
        await page.keyboard.press('Control+s');
        await page.getByLabel('What changes, for the history').fill('three clouds');
        await page.getByRole('button', { name: 'Save as staged' }).click();
        await page.waitForURL((u) => /\/virtual-tags\/[0-9a-f-]{36}$/.test(u.pathname));
        id = new URL(page.url()).pathname.split('/').pop();
        await page.getByText('This tag is only staged').waitFor();
        that(!(await api('GET', '/api/keys')).json.keys.some((k) => k.key === id), 'it is no key yet');
    });
    await test('published from its versions, it is a key to group by in MegaBill, with the same figures', async () => {
        await page.getByRole('button', { name: 'Compare or publish' }).click();
        await page.getByRole('dialog').getByText('three clouds').waitFor();
        await page.getByRole('button', { name: /^Publish the version/ }).click();
        await page.getByRole('dialog').getByText('live', { exact: true }).waitFor();
        await page.keyboard.press('Escape');
        await open('/megabill');
        await page.getByRole('button', { name: /^by/ }).click();
        await page.getByRole('combobox', { name: 'Group by' }).fill('cloud bearer');
        await page.keyboard.press('Enter');
        await page.keyboard.press('Escape');
        await until('both keys', () => new URL(page.url()).searchParams.getAll('by').length === 2);
        await page.getByRole('button', { name: /^by/ }).click();
        await page.getByRole('button', { name: /^Do not group by Services/ }).click();
        await page.keyboard.press('Escape');
        await settled();
        const shown = Object.fromEntries(await page.locator('table.bill tbody tr[data-row]').evaluateAll((rows) => rows.map((r) => [r.dataset.row, r.querySelector('td button.number').title])));
        const exact = (s) => BigInt(s.replace(/[^0-9.]/g, '').replace(/(\d+)\.(\d+)/, (_, a, b) => a + b.padEnd(10, '0')));
        equalCosts(Object.fromEntries(['Cloud A', 'Cloud B', 'Cloud C'].map((v) => [v, exact(shown[v])])), { 'Cloud A': aws, 'Cloud B': gcp, 'Cloud C': azure }, 'groups');
        same(e10(await page.locator('tfoot td[data-total]').getAttribute('data-total')).toString(), total.toString(), 'a tag never changes the total');
    });
    await test('any cell says which rule caught it', async () => {
        await page.locator('tr[data-row="Cloud B"] td button.number').first().click();
        const drawer = page.getByRole('dialog');
        await drawer.getByText('Which rule of Cloud bearer caught it').waitFor();
        await drawer.locator('.caught li').first().waitFor();
        that((await drawer.locator('.caught').textContent()).includes('Rule 2'), 'rule 2 gives Cloud B');
        await page.keyboard.press('Escape');
        await open(page.url().replace(/^[^?]*/, '/megabill') + '&pivot=1');
        await page.locator('tr[data-row="Cloud B"] td button.number').first().click();
        await page.getByRole('dialog').locator('.caught li').first().waitFor();
        that((await page.getByRole('dialog').textContent()).includes('1 day'), 'of one day');
        await page.keyboard.press('Escape');
    });
    await test('a new version shows what it moves, is restored, and the history keeps both', async () => {
        await open('/virtual-tags/' + id);
        await page.locator('[data-toggle]').nth(0).click();
        await page.getByLabel('Text: value of rule 1').fill('Amazon');
        await until('the moves', async () => (await page.locator('.moves').textContent().catch(() => '')).includes('Amazon'));
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        that((await page.locator('.savediff').textContent()).includes('Amazon'), 'the difference is shown before it is saved');
        await page.getByRole('button', { name: 'Save and make live' }).click();
        await page.getByText('saved and live').waitFor();
        await page.getByRole('button', { name: 'Versions', exact: true }).click();
        await page.getByRole('dialog').locator('.changes li').first().waitFor();
        that((await page.getByRole('dialog').locator('.changes').textContent()).includes('Amazon'), 'two versions are compared');
        await page.getByRole('button', { name: /^Restore the version/ }).first().click();
        await page.getByText('restored as it was').waitFor();
        await page.keyboard.press('Escape');
        await settled();
        that((await page.locator('.rulelist').textContent()).includes('Cloud A'), 'the old rule is back');
    });
    await test('values that differ in case only are pointed out, and mended by one click', async () => {
        await open('/virtual-tags/' + id);
        await page.locator('[data-toggle]').nth(1).click();
        await page.getByLabel('Text: value of rule 2').fill('cloud a');
        await page.getByText('are two different values').waitFor();
        await page.getByRole('button', { name: 'Use Cloud A', exact: true }).click();
        same(await page.getByText('are two different values').count(), 0);
        await page.getByRole('link', { name: 'Bills' }).click();
        await page.getByRole('button', { name: 'Leave and lose it' }).click();
        await page.waitForURL('**/bills');
    });
    await test('a thousand rules: found, moved to the end, only those in sight in the page', async () => {
        const many = await publish({ name: 'Thousand', rules: Array.from({ length: 1000 }, (_, i) => ({ to: `Value ${i % 50}`, filters: { AND: [is('service', `Service ${i}`)] } })) });
        await open('/virtual-tags/' + many);
        that((await page.locator('[data-rule]').count()) < 400, 'not all are in the page');
        await page.getByRole('textbox', { name: 'Find rules' }).fill('Service 777');
        await until('one rule', async () => (await page.locator('[data-rule]').count()) === 1);
        that((await page.locator('[data-rule]').textContent()).includes('Value 27'), 'the right one');
        await page.getByRole('textbox', { name: 'Find rules' }).fill('');
        await page.locator('[data-grip]').first().focus();
        await page.keyboard.press('End');
        await until('the focus at the end', () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') === 'Move rule 1000'));
        await page.getByRole('button', { name: 'Actions for rule 1000', exact: true }).click();
        await page.getByLabel('Move to place').fill('1');
        await page.getByRole('button', { name: 'Move', exact: true }).click();
        await until('it is first again', () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') === 'Move rule 1'));
    });
    await test('folders, rename, duplicate, delete with undo, and what is used cannot go', async () => {
        await publish({ name: 'Reader', rules: [{ to: 'x', filters: { AND: [{ costCenter: 'virtualTag', key: id, type: 'virtual_tag', operator: 'oneOf', value: ['Cloud A'] }] } }] });
        await open('/virtual-tags?tab=custom');
        const act = async (tag, what) => {
            await page.getByRole('button', { name: `Actions for ${tag}`, exact: true }).click();
            await page.locator('.panel.float').getByRole('button', { name: what, exact: true }).click();
        };
        await page.getByRole('button', { name: /^Create virtual tag/ }).click();
        await page.getByRole('dialog', { name: 'Create' }).getByRole('button', { name: 'Folder' }).click();
        await page.getByRole('dialog').getByLabel('Name').fill('Finance');
        await page.getByRole('button', { name: 'Create', exact: true }).click();
        await act('Thousand', 'Move to a folder');
        await page.getByRole('dialog').getByRole('button', { name: 'Finance' }).click();
        await until('it is in the folder', async () => (await page.locator('tr[data-tag="Thousand"]').textContent()).includes('Finance'));
        await act('Thousand', 'Rename');
        await page.getByRole('dialog').getByLabel('Name').fill('Many');
        await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
        await page.locator('tr[data-tag="Many"]').waitFor();
        await act('Many', 'Duplicate');
        await page.locator('tr[data-tag="Many (copy)"]').waitFor();
        await act('Many (copy)', 'Delete');
        await until('it is gone', async () => (await page.locator('tr[data-tag="Many (copy)"]').count()) === 0);
        await page.getByRole('button', { name: 'Undo' }).click();
        await page.locator('tr[data-tag="Many (copy)"]').waitFor();
        await act('Cloud bearer', 'Delete');
        await page.getByRole('dialog').getByText('is still needed').waitFor();
        that((await page.getByRole('dialog').textContent()).includes('Reader'), 'what needs it is named');
        await page.keyboard.press('Escape');
        await page.getByLabel('Choose Many (copy)').check();
        await page.getByLabel('Choose Many', { exact: true }).check();
        await page.getByRole('group', { name: 'With the chosen tags' }).getByRole('button', { name: 'Delete' }).click();
        await until('both are gone', async () => (await page.locator('tr[data-tag^="Many"]').count()) === 0);
    });
    await test('a click goes down the path of the account, the crumbs lead back', async () => {
        const r = await api('PUT', '/api/drilldowns', { paths: [{ costCenter: 'AWS', keys: [key('region'), key('service')] }] });
        same(r.status, 200, JSON.stringify(r.json));
        await open('/megabill?by=Global:cost_center_type:billing_dimension');
        await page.locator('table.bill tbody button.name', { hasText: 'AWS' }).first().click();
        await until('regions', () => new URL(page.url()).searchParams.get('by')?.includes('region'));
        await settled();
        const first = await page.locator('table.bill tbody tr[data-row]').first().getAttribute('data-row');
        await page.locator('table.bill tbody button.name').first().click();
        await until('services', () => new URL(page.url()).searchParams.get('by') === null);
        await settled();
        const crumbs = page.getByRole('navigation', { name: 'The way down' });
        that((await crumbs.textContent()).includes(first), 'the region is a crumb');
        await crumbs.getByRole('button', { name: 'AWS' }).click();
        await until('regions again', () => new URL(page.url()).searchParams.get('by')?.includes('region'));
        await settled();
        same(e10(await page.locator('tfoot td[data-total]').getAttribute('data-total')).toString(), aws.toString(), 'of AWS');
        await crumbs.getByRole('button', { name: /^All/ }).click();
        await until('no filter', () => new URL(page.url()).searchParams.get('filter') === null);
    });
    await test('paths are edited by keyboard and reset', async () => {
        await open('/drilldowns');
        const path = page.getByRole('region', { name: 'Path of All cost centers' });
        await path.getByRole('button', { name: /^Move Regions up/ }).click();
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByText('Drilldown paths saved').waitFor();
        same((await api('GET', '/api/drilldowns')).json.paths.find((p) => /global/i.test(p.costCenter)).keys[1].key, 'region');
        await path.getByRole('button', { name: /^reset/ }).click();
        await path.getByText('default', { exact: true }).waitFor();
    });
    await test('a dictionary: a file with faults names its lines and changes nothing, a good one is live', async () => {
        await open('/virtual-tags/new?kind=dictionary');
        await page.getByLabel('Name', { exact: true }).fill('Catalogue');
        await page.getByRole('button', { name: /^Source key/ }).click();
        await page.getByRole('combobox', { name: 'Source key' }).fill('cost center');
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('button', { name: 'Save and make live' }).click();
        await page.waitForURL((u) => /\/virtual-tags\/[0-9a-f-]{36}$/.test(u.pathname));
        const bad = join(tmp, 'bad.csv');
        writeFileSync(bad, 'source,destination,from,to\nAWS,One,,\nAWS,Two,,\nGCP,Three,2026-02-30,\n');
        await page.getByLabel('CSV file').setInputFiles(bad);
        await page.locator('.faults td').first().waitFor();
        const lines = await page.locator('.faults tbody tr td:first-child').allTextContents();
        that(lines.includes('3') || lines.includes('2'), `the doubled source is named: ${lines.join()}`);
        that(lines.includes('4'), `the bad date is named: ${lines.join()}`);
        const good = join(tmp, 'good.csv');
        writeFileSync(good, 'source,destination,from,to\nAWS,Mine,,\nGCP,Mine,,\n');
        await page.getByLabel('CSV file').setInputFiles(good);
        await page.getByText('2 rows are live').waitFor();
        await until('the preview', async () => (await previewed())['Mine'] === aws + gcp);
    });
    await test('predefined tags are read only and can be duplicated', async () => {
        await open('/virtual-tags?tab=finout');
        const first = page.locator('tr[data-tag]').first();
        const name = await first.getAttribute('data-tag');
        await first.getByRole('link').click();
        await page.getByRole('button', { name: 'Duplicate to change' }).waitFor();
        same(await page.getByRole('button', { name: '+ Add rule' }).count(), 0, 'no way to change it');
        await page.getByRole('button', { name: 'Duplicate to change' }).click();
        await page.getByRole('heading', { name: `${name} (copy)` }).waitFor();
        await page.getByRole('button', { name: '+ Add rule' }).waitFor();
    });

    await test('a hierarchy: two levels above a key, each one a key of its own', async () => {
        await open('/virtual-tags/new?kind=hierarchy');
        await page.getByLabel('Name', { exact: true }).fill('Organisation');
        await page.getByRole('button', { name: /^Base key/ }).click();
        await page.getByRole('combobox', { name: 'Base key' }).fill('cost center');
        await page.keyboard.press('Enter');
        await page.getByLabel('Name of level 1').fill('Department');
        await page.getByRole('button', { name: '+ Add a level above' }).click();
        await page.getByLabel('Name of level 2').fill('Vice president');
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('button', { name: 'Save and make live' }).click();
        await page.waitForURL((u) => /\/virtual-tags\/[0-9a-f-]{36}$/.test(u.pathname));
        const file = join(tmp, 'organisation.csv');
        writeFileSync(file, 'base,Department,Vice president\nAWS,Payments,Zoë\nGCP,Payments,Zoë\nAzure,Ads,Zoë\n');
        await page.getByLabel('CSV file').setInputFiles(file);
        await page.getByText('3 rows are live').waitFor();
        const levels = (await api('GET', `/api/tags/${page.url().split('/').pop()}`)).json.hierarchy.levels;
        for (const [level, want] of [[0, { Payments: aws + gcp, Ads: azure }], [1, { 'Zoë': aws + gcp + azure }]]) {
            const r = await api('POST', '/api/query', { date: { relativeRange: 'last30Days', type: 'day' }, granularity: 'accumulated', groupBy: [{ costCenter: 'virtualTag', key: levels[level].id, type: 'virtual_tag' }] });
            const got = Object.fromEntries(r.json.groups.map((g) => [g.values[0], e10(g.total)]));
            for (const [v, c] of Object.entries(want)) that(got[v] - c <= 1n && c - got[v] <= 1n, `${v}: ${got[v]} and ${c}`);
        }
    });
    await test('rules from CSV: a wrong line is named, a right file is staged, and published', async () => {
        const tag = await publish({ name: 'From a file', rules: [{ to: 'Old', filters: { AND: [is('cost_center_type', 'AWS')] } }] });
        await open(`/virtual-tags/${tag}`);
        await page.getByRole('button', { name: 'More', exact: true }).click();
        await page.getByRole('button', { name: /Import rules/ }).click();
        const head = 'rank,value,costCenter,keyPath,operator,values,logic,from,to\n';
        const bad = join(tmp, 'rules-bad.csv');
        writeFileSync(bad, head + '1,New,Global,cost_center_type,looksLike,AWS,,,\n');
        await page.getByRole('dialog').getByLabel('File').setInputFiles(bad);
        await page.getByRole('button', { name: 'Check and stage' }).click();
        await page.getByRole('dialog').getByRole('alert').waitFor();
        same((await api('GET', `/api/tags/${tag}`)).json.rules[0].to, 'Old', 'nothing changed');
        const csv = await page.evaluate(async (id) => (await fetch(`/api/tags/${id}/rules.csv`)).text(), tag);
        const good = join(tmp, 'rules-good.csv');
        writeFileSync(good, csv.replace('Old', 'New'));
        await page.getByRole('dialog').getByLabel('File').setInputFiles(good);
        await page.getByRole('button', { name: 'Check and stage' }).click();
        await page.getByText(/^Staged: 1 changed/).waitFor();
        same((await api('GET', `/api/tags/${tag}`)).json.rules[0].to, 'Old', 'staged is not live');
        const staged = (await api('GET', `/api/tags/${tag}`)).json.stagedVersion;
        same((await api('POST', `/api/tags/${tag}/versions/${staged}/publish`, {})).status, 200, 'published');
        same((await api('GET', `/api/tags/${tag}`)).json.rules[0].to, 'New');
    });
    await test('what is known of values: a field of our own is kept', async () => {
        const tag = await publish({ name: 'Owned', rules: [{ to: 'Cloud', filters: { AND: [is('cost_center_type', 'AWS')] } }] });
        await open(`/virtual-tags/${tag}?tab=values`);
        await page.getByLabel('Name of a new field').fill('owner');
        await page.getByRole('button', { name: 'Add', exact: true }).click();
        await page.getByLabel('owner of Cloud').fill('Zoë <script>');
        await page.getByRole('button', { name: 'Save fields' }).click();
        await page.getByText('Fields of the values saved').waitFor();
        same((await api('GET', `/api/tags/${tag}/metadata`)).json.metadata.Cloud.customMetadata, { owner: 'Zoë <script>' });
    });

    await test('telemetry: added, fed by CSV, a wrong row is named, its points are drawn', async () => {
        await open('/telemetry');
        await page.getByRole('button', { name: 'Add telemetry' }).first().click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name').fill('Warehouse queries');
        await dialog.getByLabel(/^Fields/).fill('team, cluster');
        await dialog.getByLabel(/^Metrics/).fill('queries');
        await dialog.getByRole('button', { name: 'Add', exact: true }).click();
        const csv = join(tmp, 'queries.csv');
        writeFileSync(csv, 'date,team,cluster,queries\n' + Array.from({ length: 20 }, (_, i) => isoDay(-1 - i)).map((d) => `${d},Pay,c1,60\n${d},Ads,c1,40\n`).join('') + '2026-02-30,Pay,c1,4\n');
        await page.getByLabel('CSV files').setInputFiles(csv);
        await page.getByRole('dialog').getByText('40 points on 20 days, 1 rows rejected').waitFor();
        await page.getByRole('dialog').getByText(/^line 42/).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('button', { name: 'Warehouse queries', exact: true }).click();
        await until('the lines', () => page.evaluate(() => document.querySelectorAll('dialog .canvas svg path').length > 4));
        same(await page.getByRole('dialog').locator('tbody tr').count(), 40, 'every point is listed');
        await page.keyboard.press('Escape');
    });
    await test('a relational tag: cost of one cloud by team and cluster of the telemetry, the pairs stay together', async () => {
        await open('/virtual-tags/new?kind=relational');
        await page.getByLabel('Name', { exact: true }).fill('Warehouse');
        await page.locator('select').filter({ hasText: 'Warehouse queries' }).selectOption({ label: 'Warehouse queries' });
        await page.getByRole('button', { name: '+ Add a key' }).click();
        await page.getByRole('button', { name: '+ Add a key' }).click();
        await page.getByLabel('Name of output 1').fill('Warehouse team');
        await page.getByLabel('Name of output 2').fill('Warehouse cluster');
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('button', { name: 'Save and make live' }).click();
        await page.waitForURL((u) => /\/virtual-tags\/[0-9a-f-]{36}$/.test(u.pathname));
        const outputs = (await api('GET', `/api/tags/${page.url().split('/').pop()}`)).json.relation.outputs;
        const vt = (o) => ({ costCenter: 'virtualTag', key: o.id, type: 'virtual_tag' });
        const date = { from: isoDay(-5), to: isoDay(-5), type: 'day' };
        const whole = e10((await api('POST', '/api/query', { date, granularity: 'accumulated', groupBy: [] })).json.total.total);
        const r = await api('POST', '/api/query', { date, granularity: 'accumulated', groupBy: [vt(outputs[0]), vt(outputs[1])] });
        const got = Object.fromEntries(r.json.groups.map((g) => [g.values.join(), e10(g.total)]));
        same(Object.keys(got).sort().join(' '), 'Ads,c1 Pay,c1');
        // 60 and 40 of 100 queries that day
        that((got['Pay,c1'] * 10n - whole * 6n) ** 2n <= 100n * 10000n, `${got['Pay,c1']} of ${whole}`);
        same(String(got['Pay,c1'] + got['Ads,c1']), String(whole), 'nothing is lost');
    });
    await test('reallocation: a value is given away by percentages, nothing is lost, and the flow is drawn', async () => {
        const shared = await publish({ name: 'Bearer', rules: [{ to: 'Shared', filters: { AND: [is('cost_center_type', 'AWS')] } }, { to: 'One', filters: { AND: [is('cost_center_type', 'GCP')] } }, { to: 'Two', filters: { AND: [is('cost_center_type', 'Azure')] } }] });
        await open(`/virtual-tags/${shared}?tab=reallocation`);
        await page.getByRole('button', { name: '+ Reallocate a value' }).click();
        await page.getByRole('button', { name: /^Value to reallocate/ }).click();
        await page.getByRole('combobox', { name: 'Value to reallocate' }).fill('Shared');
        await page.keyboard.press('Enter');
        await page.getByLabel('Strategy of Shared').selectOption('fixed');
        await page.getByRole('button', { name: /^Target 1/ }).click();
        await page.getByRole('combobox', { name: 'Target 1' }).fill('One');
        await page.keyboard.press('Enter');
        await page.getByLabel('Percent of target 1').fill('60');
        that(await page.getByText('40% stays on Shared').isVisible(), 'what is left is said');
        await page.locator('[data-difference]').waitFor();
        await settled();
        same(e10(await page.locator('[data-difference]').getAttribute('data-difference')).toString(), '0', 'before and after are the same');
        const row = async (v) => page.locator(`tr[data-value="${v}"] td`).evaluateAll((all) => all.map((c) => c.title).filter(Boolean).map((t) => t.replace(/[^0-9.]/g, '')));
        const after = { One: e10((await row('One'))[1]), Two: e10((await row('Two'))[1]), Shared: e10((await row('Shared'))[1]) };
        same((after.One + after.Two + after.Shared).toString(), (aws + gcp + azure).toString(), 'all of it is there');
        const near = (a, b, what) => that((a > b ? a - b : b - a) < 10_000_000n, `${what}: ${a} and ${b}`); // each line is split for itself
        near(after.One, gcp + (aws * 60n) / 100n, '60 % went to One');
        same(after.Two.toString(), azure.toString(), 'Two has what it had');
        await until('the flow', () => page.evaluate(() => document.querySelectorAll('.picture svg path').length > 2));
        await page.getByLabel('Percent of target 1').fill('120');
        await page.getByText('is more than there is').waitFor();
        await page.getByRole('link', { name: 'Bills' }).click();
        await page.getByRole('button', { name: 'Leave and lose it' }).click();
    });
    await test('a custom cost: its days add up before it is saved, then it is in the bill, and undo takes it out', async () => {
        await open('/custom-costs');
        await page.getByRole('button', { name: 'Add entry' }).first().click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name', { exact: true }).fill('Licence');
        await dialog.getByLabel('Service', { exact: true }).fill('Licences');
        await dialog.getByLabel('Amount', { exact: true }).fill('100');
        await dialog.getByLabel('Its cost falls').selectOption('amortize');
        await dialog.getByLabel('First day').fill(isoDay(-9));
        await dialog.getByLabel('Last day').fill(isoDay(-3));
        await until('the lines', async () => (await dialog.locator('.madedays li').count()) === 7);
        await settled();
        same(e10(await dialog.locator('[data-total]').getAttribute('data-total')).toString(), e10('100').toString(), 'the total');
        const e18 = (t) => BigInt(t.replace(/\.(\d+)$/, (_, d) => d.padEnd(18, '0')).padEnd(t.includes('.') ? 0 : t.length + 18, '0'));
        const days = await dialog.locator('.madedays li').evaluateAll((all) => all.map((x) => x.dataset.cost));
        same(days.reduce((n, d) => n + e18(d), 0n).toString(), e18('100').toString(), 'the days add up to it');
        await dialog.getByRole('button', { name: '+ Dimension' }).click();
        await dialog.getByLabel('Name of dimension 1').fill('team');
        await dialog.getByLabel('Value of dimension 1').fill('Payments');
        await dialog.getByRole('button', { name: 'Add', exact: true }).click();
        await page.locator('tr[data-entry="Licence"]').waitFor();
        await until('it is in the bill', async () => (await cost(is('cost_center_type', 'Custom Cost'))) === e10('100'));
        await page.getByRole('button', { name: 'Undo', exact: true }).click();
        await until('it is out again', async () => (await cost(is('cost_center_type', 'Custom Cost'))) === 0n);
        await page.locator('tr[data-entry="Licence"]').waitFor({ state: 'detached' });
    });
    await test('a cost center by file: columns mapped, tried, then in the bill; taken out and back', async () => {
        await open('/custom-costs');
        await page.getByRole('button', { name: 'Add cost center' }).first().click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name of the cost center').fill('Oslo');
        const csv = join(tmp, 'oslo.csv');
        writeFileSync(csv, `when;amount;rack\n${isoDay(-4)};12.50;r1\n${isoDay(-3)};7.25;r2\n`);
        await dialog.locator('input[type=file]').setInputFiles(csv);
        await dialog.getByRole('button', { name: 'Next' }).click();
        await dialog.getByLabel('What when is').selectOption('UsageDate');
        await dialog.getByLabel('What amount is').selectOption('Cost');
        await dialog.getByRole('button', { name: 'Try it' }).click();
        await dialog.locator('[data-total]').waitFor();
        same(e10(await dialog.locator('[data-total]').getAttribute('data-total')).toString(), e10('19.75').toString(), 'what it would bring');
        same((await cost(is('cost_center_type', 'Custom Cost'))).toString(), '0', 'a trial brings nothing');
        await dialog.getByRole('button', { name: 'Put it into the bill' }).click();
        await page.locator('tr[data-center="Oslo"]').waitFor();
        await until('it is in the bill', async () => (await cost(is('cost_center_type', 'Custom Cost'))) === e10('19.75'));
        await page.getByRole('button', { name: 'Oslo', exact: true }).click();
        await page.getByRole('button', { name: 'Take out oslo.csv' }).click();
        await until('it is out', async () => (await cost(is('cost_center_type', 'Custom Cost'))) === 0n);
        await page.getByRole('dialog').getByRole('button', { name: /^Undo the last change of oslo/ }).click();
        await until('it is back', async () => (await cost(is('cost_center_type', 'Custom Cost'))) === e10('19.75'));
        await page.keyboard.press('Escape');
    });

    /* ---- every screen, both themes, both widths ---- */
    const SCREENS = [
        ['tags', '/virtual-tags'],
        ['tags-folders', '/virtual-tags', async (p) => p.getByRole('button', { name: /^in / }).click()],
        ['tags-graph', '/virtual-tags', async (p) => { await p.getByRole('button', { name: 'Dependencies' }).click(); await p.waitForTimeout(500); }],
        ['tag', '/virtual-tags/' + id],
        ['tag-rule', '/virtual-tags/' + id, async (p) => p.locator('[data-toggle]').nth(1).click()],
        ['tag-values', '/virtual-tags/' + id + '?tab=values'],
        ['tag-reallocation', '/virtual-tags/' + id + '?tab=reallocation', async (p) => p.getByRole('button', { name: '+ Reallocate a value' }).click()],
        ['tag-versions', '/virtual-tags/' + id, async (p) => p.getByRole('button', { name: 'Versions', exact: true }).click()],
        ['tag-new', '/virtual-tags/new'],
        ['tag-relational', '/virtual-tags/new?kind=relational'],
        ['tag-dictionary', '/virtual-tags/new?kind=dictionary'],
        ['tag-hierarchy', '/virtual-tags/new?kind=hierarchy'],
        ['drilldowns', '/drilldowns'],
        ['telemetry', '/telemetry'],
        ['telemetry-new', '/telemetry', async (p) => p.getByRole('button', { name: 'Add telemetry' }).first().click()],
        ['custom-costs', '/custom-costs'],
        ['custom-entry', '/custom-costs', async (p) => { await p.getByRole('button', { name: 'Add entry' }).first().click(); await p.getByLabel('Amount', { exact: true }).fill('1200'); await p.getByLabel('How often').selectOption('monthly'); }],
        ['custom-center', '/custom-costs', async (p) => p.getByRole('button', { name: 'Add cost center' }).first().click()],
    ];
    demo.aside = true;
    const state = await main.storageState();
    for (const width of [1440, 390])
        for (const scheme of ['light', 'dark'])
            await test(`every screen of virtual tags, ${scheme}, ${width} wide: axe finds nothing, nothing is wider than the window`, async () => {
                const c = await demo.context({ viewport: { width, height: width === 390 ? 844 : 1000 }, colorScheme: scheme, storageState: state });
                const wrong = [];
                for (const [name, to, act] of SCREENS) {
                    const p = await c.newPage();
                    try {
                        await open(to, p);
                        if (act) await act(p);
                        await settle(p).catch(() => undefined);
                        await p.waitForTimeout(150);
                        await p.screenshot({ path: join(screens, `${name}-${scheme}-${width}.png`) });
                        await axe(p, name);
                        const wide = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
                        if (wide > 0) throw new Error(`${name} is ${wide} px wider than the window`);
                    } catch (e) {
                        wrong.push(e.message);
                    }
                    await p.close({ runBeforeUnload: false });
                }
                await c.close();
                that(wrong.length === 0, wrong.join(' || '));
            });
    demo.aside = false;
} catch (e) {
    report('the tests of virtual tags ran to their end', false, e.stack);
} finally {
    await demo.end();
}
