/* currencies.mjs - the currencies screen on a bill in two currencies: what is missing, a rate, a file with wrong lines, history, MegaBill. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asker, axe, chromium, chromiumPath, run, same, screens, serve, settle, test, that, tmp, until } from './lib.mjs';

const HEADER = 'BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName';
const row = (day, cost, currency, service) => `${cost},${cost},${cost},${cost},b1,${currency},2026-05-01T00:00:00Z,Usage,${day}T00:00:00Z,AWS,${service}`;
const file = (name, text) => {
    const path = join(tmp, name);
    writeFileSync(path, text);
    return path;
};
const data = join(tmp, 'currencies-data');
const link = /\/signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'ann@example.com'))?.[1];
run('load', '--data', data, '--source', 'aws', file('eur.csv', [HEADER, row('2026-05-03', '100', 'EUR', 'EC2'), row('2026-05-06', '10', 'EUR', 'S3'), row('2026-05-03', '7.25', 'USD', 'EC2')].join('\n') + '\n'));
const server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
const errors = [];
page.on('pageerror', (e) => errors.push(e.message));
const MAY = '?date=2026-05-01..2026-05-31&previous=0';
try {
    await page.goto(`${server.base}/signin#${link}`);
    await page.locator('input[type=password]').first().fill('a long enough passphrase 7');
    const again = page.locator('input[type=password]').nth(1);
    if (await again.count()) await again.fill('a long enough passphrase 7');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'MegaBill' }).waitFor();
    const ask = asker(page);

    await test('currencies say what is missing, and a question says it too', async () => {
        await page.getByRole('link', { name: 'Currencies' }).first().click();
        const r = page.getByRole('region', { name: 'Currencies of the bills' });
        await r.getByText('missing from 3 May 2026').waitFor();
        that(/US Dollar/.test(await r.innerText()), await r.innerText());
        const a = await ask('POST', '/api/query', { date: { from: '2026-05-01', to: '2026-05-31' } });
        same(a.status, 422);
        that(/EUR and USD/.test(a.json.message), a.json.message);
    });
    await test('a rate that is entered makes the question answerable', async () => {
        await page.getByRole('button', { name: 'Enter a rate' }).click();
        const d = page.getByRole('dialog');
        same(await d.getByLabel('1 of').inputValue(), 'EUR');
        await d.getByLabel('is', { exact: true }).fill('nonsense');
        await d.getByLabel('From').fill('2026-05-01');
        await d.getByRole('button', { name: 'Enter the rate' }).click();
        await d.getByText(/rate must be a number above 0/).waitFor();
        await d.getByLabel('is', { exact: true }).fill('1.10');
        await d.getByRole('button', { name: 'Enter the rate' }).click();
        await page.getByRole('region', { name: 'Table of rates' }).getByRole('row', { name: /1 May 2026 EUR to USD 1\.1/ }).waitFor();
        await page.getByRole('region', { name: 'Currencies of the bills' }).getByText('complete').waitFor();
        const a = await ask('POST', '/api/query', { date: { from: '2026-05-01', to: '2026-05-31' } });
        same([a.json.currency, a.json.converted, a.json.total.total], ['USD', ['EUR'], '128.25']); // 110 * 1.10 + 7.25
    });
    await test('a file is tried: wrong lines stand with their numbers, and nothing is saved', async () => {
        await page.getByRole('button', { name: 'Upload CSV' }).click();
        const d = page.getByRole('dialog');
        const read = d.getByRole('button', { name: 'Read the rates' });
        await d.locator('input[type=file]').setInputFiles(file('bad.csv', 'day,currency,rate\n2026-05-05,EUR,"1,12"\n2026-05-06,EUR,1.12\n2026-02-29,EUR,1.1\n'));
        const wrong = d.getByRole('region', { name: 'Lines that are wrong' });
        await wrong.getByRole('row', { name: /^4 day must be a day/ }).waitFor();
        await wrong.getByRole('row', { name: /^2 rate must be a number/ }).waitFor();
        that(await read.isDisabled(), 'a file with wrong lines cannot be read');
        await page.screenshot({ path: join(screens, 'currencies-wrong.png') });
        await axe(page, 'wrong lines');
        await d.locator('input[type=file]').setInputFiles(file('good.csv', 'day,currency,rate\n2026-05-05,EUR,1.12\n2026-05-01,EUR,1.1\n'));
        await d.getByText('2 rates: 1 new, 0 changed, 1 as they are.').waitFor();
        await read.click();
        await page.getByRole('region', { name: 'Table of rates' }).getByRole('row', { name: /5 May 2026/ }).waitFor();
    });
    await test('MegaBill shows the converted amounts, another currency, and the original ones', async () => {
        await page.goto(`${server.base}/megabill${MAY}`);
        await settle(page);
        same(await page.locator('[data-total]').getAttribute('data-total'), '128.45'); // 100 * 1.10 + 10 * 1.12 + 7.25
        await page.getByRole('button', { name: /USD.*from EUR/ }).click();
        await page.getByRole('dialog', { name: 'In which currency' }).getByRole('button', { name: /^EUR/ }).click();
        await settle(page);
        await until('euros', async () => (await page.locator('[data-total]').getAttribute('data-total')) === '116.5909090909'); // 110 + 7.25 / 1.10
        that(new URL(page.url()).searchParams.get('currency') === 'EUR', page.url());
        await page.getByRole('button', { name: /^EUR/ }).first().click();
        await page.getByRole('dialog', { name: 'In which currency' }).getByRole('button', { name: /^Original/ }).click();
        await settle(page);
        await page.getByText('Each amount is in the currency of its bill').waitFor();
        const cells = await page.locator('table.bill tbody tr').allInnerTexts();
        that(cells.some((c) => /EUR[\s\S]*EC2[\s\S]*€100\.00/.test(c)) && cells.some((c) => /USD[\s\S]*EC2[\s\S]*\$7\.25/.test(c)), cells.join(' | '));
        same(await page.locator('[data-total]').count(), 0, 'no total over two currencies');
        await page.screenshot({ path: join(screens, 'megabill-original.png') });
        await axe(page, 'original currencies');
    });
    await test('a rate ends, comes back, and the history has it all; the account can change its currency', async () => {
        await page.goto(`${server.base}/currencies`);
        await page.getByRole('button', { name: 'End the rate of EUR to USD of 5 May 2026' }).click();
        await page.getByText('The rate of 5 May 2026 ended').waitFor();
        await page.getByRole('button', { name: 'Undo' }).click();
        await page.getByRole('button', { name: 'End the rate of EUR to USD of 5 May 2026' }).waitFor();
        await page.getByRole('button', { name: 'History' }).click();
        const h = page.getByRole('region', { name: 'History of rates' });
        await until('three rows', async () => (await h.getByRole('row').count()) === 4);
        await page.getByRole('button', { name: 'Rates', exact: true }).click();
        await page.getByLabel('Currency of the account').selectOption('EUR');
        await page.getByText('Costs are shown in EUR').waitFor();
        const a = await ask('POST', '/api/query', { date: { from: '2026-05-01', to: '2026-05-31' } });
        same([a.json.currency, a.json.total.total], ['EUR', '116.5909090909']);
        await page.getByLabel('Currency of the account').selectOption('USD');
        await page.getByText('Costs are shown in USD').waitFor();
    });
    for (const scheme of ['light', 'dark'])
        for (const width of [1440, 390])
            await test(`currencies, ${scheme}, ${width} wide: axe finds nothing, nothing is wider than the window`, async () => {
                await page.emulateMedia({ colorScheme: scheme });
                await page.setViewportSize({ width, height: 900 });
                for (const [name, path, region] of [['currencies', '/currencies', 'Table of rates'], ['currencies-history', '/currencies?tab=history', 'History of rates']]) {
                    await page.goto(server.base + path);
                    await page.getByRole('region', { name: region }).waitFor();
                    await page.screenshot({ path: join(screens, `${name}-${scheme}-${width}.png`) });
                    await axe(page, name);
                    that((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${name} is wider than ${width}`);
                }
                await page.goto(server.base + '/currencies');
                await page.getByRole('button', { name: 'Enter a rate' }).click();
                await page.getByRole('dialog').waitFor();
                await page.getByRole('dialog').getByRole('button', { name: 'Of an invoice' }).click();
                await page.screenshot({ path: join(screens, `currencies-enter-${scheme}-${width}.png`) });
                await axe(page, 'enter a rate');
            });
    await test('currencies have no error in the console', async () => same(errors, []));
} finally {
    await browser.close();
    await server.stop();
}
