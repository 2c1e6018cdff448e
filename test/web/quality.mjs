/* quality.mjs - the data quality page on a bill with a gap that was restated, and its invoice entered. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axe, chromium, chromiumPath, run, same, screens, serve, test, that, tmp, until } from './lib.mjs';

const HEADER = 'BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName,InvoiceId';
const row = (day, cost, invoice) => `${cost},${cost},${cost},${cost},b1,EUR,2026-08-01T00:00:00Z,Usage,${day}T00:00:00Z,AWS,EC2,${invoice}`;
const bill = (name, rows) => {
    const file = join(tmp, name);
    writeFileSync(file, [HEADER, ...rows.map((r) => row(...r))].join('\n') + '\n');
    return file;
};
const data = join(tmp, 'quality-data');
const link = /\/signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'ann@example.com'))?.[1];
run('load', '--data', data, '--source', 'aws-main', bill('q1.csv', [['2026-08-01', '10', 'I-1'], ['2026-08-03', '5.25', 'I-1']]));
run('load', '--data', data, '--source', 'aws-main', bill('q2.csv', [['2026-08-01', '10', 'I-1'], ['2026-08-03', '6.75', 'I-1'], ['2026-08-04', '3', '']]));
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

    await test('data quality shows the gap and the restatement', async () => {
        await page.goto(`${server.base}/quality`);
        await page.getByRole('row', { name: /aws-main/ }).waitFor();
        await page.getByText('No bill row on 2 Aug.').waitFor();
        const r = page.getByRole('region', { name: 'Restatements of aws-main' }).getByRole('row', { name: /August 2026/ });
        that(/15\.25.*19\.75.*4\.50/s.test(await r.innerText()), await r.innerText());
        await r.getByRole('button').click();
        await page.getByRole('dialog').getByText('3 Aug 2026').waitFor();
        await page.keyboard.press('Escape');
    });
    await test('a month is reconciled against an entered invoice', async () => {
        await page.getByRole('button', { name: 'Reconcile' }).click();
        const r = page.getByRole('row', { name: /August 2026/ });
        await r.getByText('differs').waitFor();
        await r.getByRole('button').click();
        const d = page.getByRole('dialog');
        await d.getByLabel('Invoice number').fill('2026-77');
        await d.getByLabel('Amount in EUR').fill('19.75');
        await d.getByRole('button', { name: 'Enter invoice' }).click();
        await d.getByText('as entered').waitFor();
        await page.keyboard.press('Escape');
        await until('the month is equal', async () => /equal/.test(await r.innerText()));
    });
    for (const scheme of ['light', 'dark'])
        for (const width of [1440, 390])
            await test(`data quality, ${scheme}, ${width} wide: axe finds nothing, nothing is wider than the window`, async () => {
                await page.emulateMedia({ colorScheme: scheme });
                await page.setViewportSize({ width, height: 900 });
                for (const [name, path] of [['quality', '/quality'], ['reconcile', '/quality?tab=reconcile']]) {
                    await page.goto(server.base + path);
                    await page.getByRole('row', { name: /aws-main/ }).first().waitFor();
                    await page.screenshot({ path: join(screens, `${name}-${scheme}-${width}.png`) });
                    await axe(page, name);
                    that((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${name} is wider than ${width}`);
                }
                await page.getByRole('button', { name: /^Show/ }).click();
                await page.getByRole('dialog').waitFor();
                await page.screenshot({ path: join(screens, `month-${scheme}-${width}.png`) });
                await axe(page, 'month');
            });
    await test('data quality has no error in the console', async () => same(errors, []));
} finally {
    await browser.close();
    await server.stop();
}
