/* costtypes.mjs - the cost types screen: FairShare switched on with its job, a discount entered, MegaBill with both. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axe, chromium, chromiumPath, run, same, screens, serve, test, that, tmp, until } from './lib.mjs';

const HEADER = 'BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName,SkuId,ResourceId,PricingCategory';
const row = (resource, cost, list, service = 'Amazon EC2') => `${cost},${cost},${list},${list},b1,USD,2026-08-01T00:00:00Z,Usage,2026-08-02T00:00:00Z,AWS,${service},m5.large,${resource},${cost === list ? 'Standard' : 'Committed'}`;
const file = join(tmp, 'costtypes.csv');
writeFileSync(file, [HEADER, row('i-a', '2.304', '2.304'), row('i-b', '1.440', '2.304'), row('i-c', '0.840', '1.152'), row('s', '200', '200', 'AWS Support')].join('\n') + '\n');
const data = join(tmp, 'costtypes-data');
const link = /\/signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'ann@example.com'))?.[1];
run('load', '--data', data, '--source', 'aws-main', file);
const server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
const errors = [];
page.on('pageerror', (e) => errors.push(e.message));
try {
    await page.goto(`${server.base}/signin#${link}`);
    await page.locator('input[type=password]').first().fill('a long enough passphrase 7');
    const again = page.locator('input[type=password]').nth(1);
    if (await again.count()) await again.fill('a long enough passphrase 7');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'MegaBill' }).waitFor();
    const api = (method, path, body) => page.evaluate(async ([m, p, b]) => {
        const r = await fetch(p, { method: m, headers: { 'X-Requested-With': 'farthing', 'Content-Type': 'application/json' }, body: b === null ? undefined : JSON.stringify(b) });
        return { status: r.status, body: await r.json().catch(() => null) };
    }, [method, path, body ?? null]);
    const total = async (costType) => (await api('POST', '/api/query', { date: { from: Date.UTC(2026, 7, 1), to: Date.UTC(2026, 7, 31), type: 'day' }, costType, granularity: 'accumulated', groupBy: [{ costCenter: 'Global', key: 'resource_id', type: 'resource' }] })).body;
    const tag = await api('POST', '/api/tags', { name: 'Discounts', kind: 'rules', defaultValue: 'Untagged', rules: [{ to: 'EC2 deal', filters: { costCenter: 'Global', key: 'service', type: 'billing_dimension', operator: 'is', value: 'Amazon EC2' } }] });
    that(tag.status === 201, 'the tag');

    await test('FairShare is switched on, tells how far it is, and shares evenly', async () => {
        await page.goto(`${server.base}/cost-types`);
        const card = page.getByRole('region', { name: 'FairShare' });
        await card.getByLabel('The same SKU').check();
        await card.getByRole('button', { name: 'Switch FairShare on' }).click();
        await page.getByRole('row', { name: /Net FairShare/ }).waitFor();
        await until('it is on', async () => (await card.locator('.badge').first().innerText()) === 'on');
        const groups = Object.fromEntries((await total('fairShareCost')).groups.map((g) => [g.values[0], g.total]));
        same(groups, { s: '200.00', 'i-a': '1.8336', 'i-b': '1.8336', 'i-c': '0.9168' });
    });
    await test('a discount is entered, refused where it is wrong, and shown everywhere', async () => {
        await page.goto(`${server.base}/cost-types`);
        const card = page.getByRole('region', { name: /Discounts/ });
        await card.getByLabel('EDP tag').selectOption({ label: 'Discounts' });
        await card.getByRole('button', { name: 'Add a discount' }).click();
        await card.getByLabel('Value of discount 1').fill('EC2 deal');
        await card.getByLabel('Number of EC2 deal').fill('110');
        await card.getByLabel('Show all numbers with discounts').check();
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByRole('alert').getByText('a percentage is from 0 to 100').waitFor();
        same(await card.getByLabel('Number of EC2 deal').getAttribute('aria-invalid'), 'true');
        await card.getByLabel('Number of EC2 deal').fill('10');
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByText('The cost types are saved').waitFor();
        same((await total('netAmortizedCost')).total.total, '204.1256'); /* 4.584 less a tenth, and 200 */
        same((await total('listCost')).total.total, '205.76');
        await page.goto(`${server.base}/megabill`);
        await page.getByText('with discounts').first().waitFor();
    });
    await test('what is not offered is in no picker', async () => {
        await page.goto(`${server.base}/cost-types`);
        await page.getByLabel('Blended Cost is offered', { exact: true }).uncheck();
        await page.getByLabel('Amortized Cost is the default', { exact: true }).check();
        await page.getByRole('button', { name: 'Save', exact: true }).click();
        await page.getByText('The cost types are saved').first().waitFor();
        await page.goto(`${server.base}/megabill`);
        await page.getByRole('button', { name: /^Amortized/ }).click();
        await page.getByRole('button', { name: /^Net FairShare/ }).waitFor();
        same(await page.getByRole('button', { name: /^Blended/ }).count(), 0);
    });
    for (const scheme of ['light', 'dark'])
        for (const width of [1440, 390])
            await test(`cost types, ${scheme}, ${width} wide: axe finds nothing, nothing is wider than the window`, async () => {
                await page.emulateMedia({ colorScheme: scheme });
                await page.setViewportSize({ width, height: 900 });
                await page.goto(`${server.base}/cost-types`);
                await page.getByRole('row', { name: /Net FairShare/ }).waitFor();
                await page.getByLabel('Value of discount 1').waitFor();
                await page.screenshot({ path: join(screens, `costtypes-${scheme}-${width}.png`), fullPage: true });
                await axe(page, 'cost types');
                that((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `wider than ${width}`);
            });
    await test('who may only look can change nothing', async () => {
        const invited = await api('POST', '/api/admin/users', { email: 'ro@example.com', name: 'Ro', roles: ['read-only'] });
        const secret = /#(\S+)/.exec(JSON.stringify(invited.body))?.[1]?.replace(/["}].*$/, '');
        const other = await browser.newContext();
        const looks = await other.newPage();
        await looks.goto(`${server.base}/signin#${secret}`);
        await looks.locator('input[type=password]').first().fill('a long enough passphrase 8');
        const twice = looks.locator('input[type=password]').nth(1);
        if (await twice.count()) await twice.fill('a long enough passphrase 8');
        await looks.keyboard.press('Enter');
        await looks.getByRole('heading', { name: 'MegaBill' }).waitFor();
        await looks.goto(`${server.base}/cost-types`);
        await looks.getByRole('row', { name: /Net FairShare/ }).waitFor();
        same(await looks.getByRole('button', { name: 'Save', exact: true }).getAttribute('aria-disabled'), 'true');
        that(await looks.getByLabel('Show all numbers with discounts').isDisabled(), 'the switch is off for who only looks');
        await other.close();
    });
    await test('cost types have no error in the console', async () => same(errors, []));
} finally {
    await browser.close();
    await server.stop();
}
