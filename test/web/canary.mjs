/*
 * canary.mjs - security.md BR: more than 300 texts that would be scripts, planted in every text of a bill and in every name a
 * person can give; then every screen, both themes, and what opens from them. No dialog, no policy violation, no exception.
 */
import { asker, chromiumPath, focus, isoDay, PASSWORD, run, site, test, that, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const ELEMENTS = ['img src=x', 'svg', 'iframe src="javascript:alert(1)"', 'video src=x', 'audio src=x', 'body', 'input autofocus', 'select autofocus', 'textarea autofocus', 'details open', 'object data=x', 'embed src=x', 'marquee', 'a href="javascript:alert(1)"', 'form action="javascript:alert(1)"', 'math', 'table background=x', 'link rel=stylesheet href=x', 'meta http-equiv=refresh content="0;url=javascript:alert(1)"', 'style'];
const EVENTS = ['onerror', 'onwheel', 'onload', 'onfocus', 'ontoggle', 'onmouseover', 'onanimationstart', 'onpointerenter', 'onbegin'];
const BREAKS = ['', '"', "'", '">', "'>", '</script>', '</title>', '</style>', '</textarea>', '-->', ']]>', '`', '\\', '&quot;>', '\u2028'];
const VECTORS = [...new Set([
    ...ELEMENTS.flatMap((e) => EVENTS.map((on) => `<${e} ${on}=alert(1)>`)),
    ...BREAKS.flatMap((b) => ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', 'javascript:alert(1)', '${alert(1)}', '{{constructor.constructor("alert(1)")()}}', ';alert(1)//', '<svg><script>alert&#40;1)</script>', '\' onclick=alert(1) x=\'', '" onclick="alert(1)" x="', '=cmd|\' /C calc\'!A0'].map((v) => b + v)),
])];
const s = await site('canary', 2000);
const context = await s.context({});
const page = await context.newPage();
page.setDefaultTimeout(20_000);
const api = asker(page);
const settle = (p) => until('the answer', () => p.evaluate(() => !document.querySelector('[aria-busy="true"], .skeleton, .stale, main .bone')));

await page.goto('/signin#' + s.link);
for (const i of [0, 1]) await page.locator('input[type=password]').nth(i).fill(PASSWORD);
await page.click('button.primary');
await page.waitForURL('**/megabill');

await test(`canary: ${VECTORS.length} vectors in every text of a bill and every name`, async () => {
    that(VECTORS.length >= 300, `${VECTORS.length} of them`);
    run('load', '--data', s.data, '--source', 'x"><img src=x onerror=alert(1)>', focus('canary-all.csv', VECTORS.map((v, i) => ({
        cost: `${9000000 + i}.5`, day: isoDay(-3), BillingAccountName: v, ChargeDescription: v, CommitmentDiscountName: v, InvoiceIssuerName: v, ProviderName: v, PublisherName: v,
        RegionId: v, RegionName: v, ResourceId: v, ResourceName: v, ResourceType: v, ServiceName: v, SkuId: v, SkuPriceId: v, SubAccountId: v, SubAccountName: v, AvailabilityZone: v,
        Tags: JSON.stringify({ team: v, [v.slice(0, 100)]: v }),
    }))));
    const bad = '<img src=x onerror=alert(1)>"\'';
    const made = [];
    for (const [path, body] of [['/api/views', { name: bad, question: {} }], ['/api/tokens', { description: bad, role: 'read-only', allRows: true }],
        ['/api/admin/roles', { name: bad, description: bad, permissions: ['cost.query'] }], ['/api/admin/groups', { name: bad, description: bad }],
        ['/api/admin/users', { email: 'canary@example.com', name: bad, roles: ['basic'] }], ['/api/tag-folders', { name: bad }]]) {
        const a = await api('POST', path, body);
        made.push(`${path} ${a.status}`);
        that(a.status < 300 || a.status === 400, `${path}: ${a.status} ${JSON.stringify(a.json).slice(0, 200)}`);
    }
    that(made.filter((m) => m.endsWith('201')).length >= 4, made.join(', '));
    await until('the new rows', async () => (await api('POST', '/api/values', { costCenter: 'Global', key: 'service', type: 'billing_dimension', search: 'onerror' })).json.values.length > 0);
});

const SCREENS = ['/megabill', '/megabill?by=Global:team:tag', '/megabill?by=Global:resource_id:resource&by=Global:team:tag', '/megabill?chart=line', '/megabill?chart=pie', '/megabill?chart=treemap', '/megabill?chart=area&by=Global:region',
    '/megabill?per=accumulated', '/bills', '/quality', '/virtual-tags', '/telemetry', '/custom-costs', '/drilldowns', '/connections', '/connections/new', '/tokens', '/settings',
    '/admin', '/admin/roles', '/admin/groups', '/admin/vault', '/admin/security', '/admin/audit', '/views', '/nowhere/<img src=x onerror=alert(1)>'];
for (const colorScheme of ['light', 'dark'])
    await test(`canary: every screen in ${colorScheme}: text stays text`, async () => {
        const c = await s.context({ colorScheme, storageState: await context.storageState() });
        const p = await c.newPage();
        p.setDefaultTimeout(20_000);
        for (const to of SCREENS) {
            await p.goto(to);
            await p.getByRole('heading', { level: 1 }).first().waitFor().catch(() => undefined);
            await settle(p);
            const foreign = await p.evaluate(() => [...document.querySelectorAll('main script, main iframe, main object, main embed, main video, main audio, main marquee, main math, main [onerror], main [onload], main [onclick], main a[href^="javascript:"], main form[action]')].map((e) => e.outerHTML.slice(0, 120)));
            that(foreign.length === 0, `${to}: ${foreign[0]}`);
        }
        await c.close();
    });

await test('canary: what opens from a screen: filter, explain, search, menus', async () => {
    await page.goto('/megabill');
    await settle(page);
    await settle(page);
    await until('the vectors, shown as they are', async () => (await page.locator('main').innerText()).includes('alert(1)'));
    await page.locator('table.bill tbody tr').nth(2).hover();
    await page.locator('table.bill tbody button.number').first().click();
    await page.getByRole('dialog').getByRole('table').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    await page.getByRole('combobox', { name: 'Filter by' }).fill('<img');
    await page.waitForTimeout(300);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+K');
    await page.getByRole('combobox', { name: 'Search' }).fill('<');
    await page.waitForTimeout(300);
    await page.keyboard.press('Escape');
    await page.goto('/admin/audit');
    await settle(page);
    await page.getByRole('button', { name: /Details/ }).first().click();
});
await s.end();
