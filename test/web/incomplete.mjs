/* incomplete.mjs - days that one source has not delivered yet: hatched in every picture over time, left out of comparisons. */
import { join } from 'node:path';
import { axe, chromium, chromiumPath, focus, isoDay, run, same, screens, serve, settle, test, that, tmp } from './lib.mjs';

const data = join(tmp, 'incomplete-data');
const link = /\/signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'ann@example.com'))?.[1];
const days = (first, last, more) => Array.from({ length: first - last + 1 }, (_, i) => ({ day: isoDay(i - first), ...more }));
run('load', '--data', data, '--source', 'aws', focus('in-aws.csv', days(40, 1, { cost: '10.00', ServiceName: 'EC2' })));
run('load', '--data', data, '--source', 'gcp', focus('in-gcp.csv', days(40, 4, { cost: '4.00', ServiceName: 'BigQuery', ProviderName: 'GCP' })));
const server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
const errors = [];
page.on('pageerror', (e) => errors.push(e.message));
const span = `date=${isoDay(-9)}..${isoDay(0)}`;
/* Shapes that are filled with a pattern: the band of each incomplete day, and partial bars. */
const hatches = () => page.evaluate(() => document.querySelectorAll('.canvas svg path[fill^="url(#"]').length);
/* Marks of the series that can be seen: bars, areas. */
const marks = () => page.evaluate(() => [...document.querySelectorAll('.canvas svg path')].filter((x) => /^(#|rgb)/.test(x.getAttribute('fill') ?? '') && x.getBoundingClientRect().width > 6 && x.getBoundingClientRect().height > 6).length);
try {
    await page.goto(`${server.base}/signin#${link}`);
    await page.locator('input[type=password]').first().fill('a long enough passphrase 7');
    const again = page.locator('input[type=password]').nth(1);
    if (await again.count()) await again.fill('a long enough passphrase 7');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'MegaBill' }).waitFor();

    await test('the comparison is of complete days on both sides, and says so', async () => {
        await page.goto(`${server.base}/megabill?${span}`);
        await settle(page);
        // six complete days at 14.00 against the six before: nothing changed; the whole period against ten days would be -16 %
        const change = page.locator('.kpi', { hasText: 'Change' });
        that(/\$0\.00/.test(await change.innerText()) && /complete days/.test(await change.innerText()), await change.innerText());
        const r = await page.locator('tr[data-row="BigQuery"]').innerText();
        that(/\$24\.00/.test(r) && /0\.0%/.test(r), r);
        await page.getByText(/gcp is not known further; comparisons leave these days out/).waitFor();
    });
    for (const kind of ['bar', 'area', 'line'])
        for (const scheme of ['light', 'dark'])
            await test(`incomplete days are hatched, ${kind}, ${scheme}`, async () => {
                await page.emulateMedia({ colorScheme: scheme });
                for (const width of [390, 1440]) {
                    await page.setViewportSize({ width, height: 900 });
                    await page.goto(`${server.base}/megabill?${span}&chart=${kind}`);
                    await settle(page);
                    await page.locator('.canvas svg').waitFor();
                    that((await hatches()) >= 4, `${await hatches()} hatched shapes for four incomplete days`);
                    that(kind === 'line' || (await marks()) >= (kind === 'bar' ? 12 : 2), `${await marks()} marks are drawn`);
                    await page.getByText(/incomplete: after/).waitFor();
                    await page.screenshot({ path: join(screens, `incomplete-${kind}-${scheme}-${width}.png`) });
                    await axe(page, `incomplete ${kind} ${scheme} ${width}`);
                    that((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `wider than ${width}`);
                }
            });
    await test('complete days are not hatched', async () => {
        await page.goto(`${server.base}/megabill?date=${isoDay(-20)}..${isoDay(-4)}`);
        await settle(page);
        await page.locator('.canvas svg').waitFor();
        same(await hatches(), 0);
        same(await page.getByText(/incomplete: /).count(), 0);
    });
    await test('incomplete days bring no error to the console', async () => same(errors, []));
} finally {
    await browser.close();
    await server.stop();
}
