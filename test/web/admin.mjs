/*
 * admin.mjs - administration as people use it: invite, activate, row rules and what they let through, view as, a role,
 * the second factor, the audit log; every screen in both themes and both widths with axe; what a role may not is off.
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { axe, chromium, chromiumPath, focus, notice, run, same, screens, serve, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const EMAIL = 'admin@example.com';
const PASSWORD = 'seven copper kettles whistle';
const data = join(tmp, 'admin-data');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', EMAIL))[1];
run('load', '--data', data, '--source', 'bill', focus('admin.csv', [{ ServiceName: 'Visible', cost: '30.00' }, { ServiceName: 'Hidden Canary', cost: '70.00', Tags: '{"team":"secret-canary"}' }]));
const server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const broken = [];
async function person(options = {}) {
    const c = notice(await browser.newContext({ viewport: { width: 1440, height: 1000 }, baseURL: server.base, ...options }));
    const p = await c.newPage();
    p.setDefaultTimeout(15_000);
    p.on('pageerror', (e) => broken.push(e.message));
    return p;
}
const settled = (p) => until('the answer', () => p.evaluate(() => !document.querySelector('[aria-busy="true"], .skeleton, .stale, main .bone')));
async function activate(p, secret, password = PASSWORD) {
    await p.goto(`/signin#${secret}`);
    await p.getByLabel('Password', { exact: true }).fill(password);
    await p.getByLabel('The same again').fill(password);
    await p.getByRole('button', { name: /Set password/ }).click();
    await p.getByRole('navigation', { name: 'Main' }).first().waitFor();
    await p.getByRole('heading', { level: 1 }).first().waitFor();
}
const totp = (secret) => {
    const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
    const mac = createHmac('sha1', key).update(counter).digest();
    const o = mac[19] & 15;
    return String((mac.readUInt32BE(o) & 0x7fffffff) % 1e6).padStart(6, '0');
};
const admin = await person();
await activate(admin, link);
let invited = '';
const user = await person();

await test('admin: a user is invited and activates the account', async () => {
    await admin.goto('/admin');
    await admin.getByRole('button', { name: 'Invite user' }).click();
    const d = admin.getByRole('dialog', { name: 'Invite user' });
    await d.getByLabel('E-mail').fill('ben@example.com');
    await d.getByRole('button', { name: 'Invite', exact: true }).click();
    invited = await admin.getByRole('dialog', { name: 'A link to hand on' }).locator('code').innerText();
    await admin.getByRole('button', { name: 'Done' }).click();
    await admin.getByRole('row', { name: /ben@example.com/ }).getByText('invited').waitFor();
    await user.goto(`/signin#${invited.split('#')[1]}`);
    await user.getByText('you are invited to').waitFor();
    await activate(user, invited.split('#')[1], 'orchid lantern gravel');
});

await test('admin: a row rule is built, shows what it lets through, and acts', async () => {
    await admin.goto('/admin/groups');
    await admin.getByRole('button', { name: 'Allow data access rules' }).click();
    await admin.getByRole('button', { name: 'Switch off' }).waitFor();
    await user.goto('/megabill');
    await settled(user);
    that(!(await user.locator('main').innerText()).includes('Canary'), 'who is in no group sees nothing');
    await admin.getByRole('button', { name: 'Create group' }).click();
    const d = admin.getByRole('dialog', { name: 'Create group' });
    await d.getByLabel('Name', { exact: true }).fill('Team Visible');
    await d.getByRole('checkbox', { name: /ben/ }).check();
    await d.getByRole('button', { name: 'By a rule' }).click();
    await d.getByRole('button', { name: 'Build the rule' }).click();
    const b = admin.getByRole('dialog', { name: 'Only what' });
    await b.getByRole('button', { name: 'Choose a key' }).click();
    await b.getByRole('combobox', { name: 'Key' }).fill('service');
    await b.getByRole('option', { name: /^Service/ }).first().click();
    await b.getByRole('button', { name: 'Choose values' }).click();
    await b.getByRole('option', { name: /Visible/ }).first().click();
    await b.getByRole('dialog', { name: 'Values' }).getByRole('button', { name: 'Close' }).or(b.getByRole('heading', { name: 'Only what' })).first().click();
    await b.getByRole('button', { name: 'Apply', exact: true }).click();
    await d.getByText('1 of 2 rows').waitFor();
    await axe(admin, 'the group');
    await admin.screenshot({ path: join(screens, 'admin-group.png') });
    await d.getByRole('button', { name: 'Create', exact: true }).click();
    await admin.getByRole('row', { name: /Team Visible/ }).waitFor();
    await user.goto('/megabill');
    await user.getByText('Visible').first().waitFor();
    await settled(user);
    const seen = await user.locator('body').innerText();
    that(!seen.includes('Canary') && !seen.includes('70.00') && !seen.includes('100.00'), 'hidden rows show nowhere');
});

await test('admin: an administrator looks through other eyes and changes nothing', async () => {
    await admin.goto('/admin');
    await admin.getByRole('button', { name: /Actions for ben/ }).click();
    await admin.getByRole('button', { name: 'View as this user' }).click();
    await admin.getByText('You look through the eyes of').waitFor();
    await settled(admin);
    that(!(await admin.locator('main').innerText()).includes('Canary'), 'the same rows');
    await admin.getByRole('button', { name: 'Own eyes again' }).click();
    await admin.getByRole('heading', { name: 'Administration' }).waitFor();
});

await test('admin: a role is made from the matrix and given', async () => {
    await admin.goto('/admin/roles');
    await admin.getByRole('button', { name: 'Create new role' }).click();
    const d = admin.getByRole('dialog', { name: 'Create new role' });
    await d.getByLabel('Name', { exact: true }).fill('Auditor');
    await d.getByRole('checkbox', { name: 'Read the audit log' }).check();
    await d.getByRole('button', { name: 'Create', exact: true }).click();
    await admin.getByRole('button', { name: 'Auditor' }).waitFor();
});

await test('admin: what a role may not is off and says why', async () => {
    await user.goto('/admin');
    const invite = user.getByRole('button', { name: 'Invite user' });
    same(await invite.getAttribute('aria-disabled'), 'true');
    that((await invite.getAttribute('title')).includes('users.invite'), 'the reason');
    await user.goto('/admin/audit');
    await user.getByText('is for administrators').waitFor();
});

await test('admin: the second factor is set up and asked for', async () => {
    await user.goto('/settings');
    await user.getByRole('button', { name: 'Set up' }).click();
    const secret = await user.locator('#mfa ~ * code, section:has(#mfa) code').first().innerText();
    await user.getByLabel('Code').fill(totp(secret));
    await user.getByRole('button', { name: 'Switch on' }).click();
    const codes = (await user.getByRole('dialog', { name: 'Recovery codes' }).locator('code').innerText()).split(/\s+/);
    same(codes.length, 10);
    const other = await person();
    await other.goto('/signin');
    await other.getByLabel('E-mail').fill('ben@example.com');
    await other.getByLabel('Password').fill('orchid lantern gravel');
    await other.getByRole('button', { name: 'Sign in' }).click();
    await other.getByRole('heading', { name: 'Your code' }).waitFor();
    await axe(other, 'the code');
    await other.getByLabel('Code', { exact: true }).fill(codes[0]);
    await other.getByRole('button', { name: 'Go on' }).click();
    await other.getByRole('navigation', { name: 'Main' }).first().waitFor();
});

await test('admin: the audit log tells it', async () => {
    await admin.goto('/admin/audit');
    await admin.getByLabel('Search the audit log').fill('user.invite');
    await admin.getByRole('row', { name: /user\.invite/ }).first().getByRole('button', { name: /Details/ }).click();
    await admin.getByText('ben@example.com').first().waitFor();
});

for (const colorScheme of ['light', 'dark'])
    for (const width of [1440, 390])
        await test(`admin: every screen in ${colorScheme} at ${width}`, async () => {
            const p = await person({ colorScheme, viewport: { width, height: 900 }, storageState: await admin.context().storageState() });
            for (const path of ['/admin', '/admin/roles', '/admin/groups', '/admin/security', '/admin/mail', '/admin/audit', '/settings', '/tokens']) {
                await p.goto(path);
                await p.getByRole('heading', { level: 1 }).first().waitFor();
                await settled(p);
                await axe(p, `${path} ${colorScheme} ${width}`);
                await p.screenshot({ path: join(screens, `admin${path.replaceAll('/', '-')}-${colorScheme}-${width}.png`) });
                that(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${path} fits ${width}`);
            }
            await p.context().close();
        });

await test('admin: a forgotten password', async () => {
    const p = await person();
    await p.goto('/signin');
    await p.getByRole('button', { name: 'Forgotten password' }).click();
    await p.getByLabel('E-mail').fill('nobody@example.com');
    await p.getByRole('button', { name: 'Send me a link' }).click();
    await p.getByText('This installation sends no mail').waitFor();
    await axe(p, 'forgotten');
});
await test('admin: nothing broke', async () => same(broken, []));
await browser.close();
await server.stop();
