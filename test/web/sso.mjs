/*
 * sso.mjs - single sign-on as people use it, against a real provider (test/sso/provider.mjs): the administrator connects it, tests it, puts
 * it into use; somebody signs in and out by the button; an account that is here already is connected; SCIM keys; only single sign-on.
 */
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { axe, chromium, chromiumPath, notice, run, same, screens, secret, serve, skip, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const peers = join(process.env.FARTHING_ROOT ?? process.cwd(), 'test/sso');
if (!existsSync(join(peers, 'node_modules'))) {
    skip('sso', 'test/sso/node_modules is missing: script/bootstrap test');
    process.exit(0);
}
const SECRET = secret('the secret of a client in a browser test');
const EMAIL = 'ann@example.com';
const PASSWORD = 'seven copper kettles whistle';
process.env.FARTHING_ALLOW_HOSTS = '127.0.0.1';
const port = await new Promise((ok) => { const s = createServer().listen(0, '127.0.0.1', () => { const p = s.address().port; s.close(() => ok(p)); }); });
const data = join(tmp, 'sso-data');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', EMAIL))[1];
const server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const broken = [];
async function person(user, options = {}) {
    const c = await browser.newContext({ viewport: { width: 1440, height: 1000 }, baseURL: server.base, extraHTTPHeaders: { 'x-test-user': user }, ...options });
    notice(c);
    const p = await c.newPage();
    p.setDefaultTimeout(15_000);
    p.on('pageerror', (e) => broken.push(e.message));
    return p;
}
const settled = (p) => until('the answer', () => p.evaluate(() => !document.querySelector('[aria-busy="true"], .skeleton, .stale, main .bone')));
const home = (p) => p.getByRole('navigation', { name: 'Main' }).first().waitFor();
const totp = (seed) => {
    const bits = [...seed].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
    const mac = createHmac('sha1', Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))).update(counter).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
};
let provider;
const admin = await person('u-ann');
await admin.goto(`/signin#${link}`);
await admin.getByLabel('Password', { exact: true }).fill(PASSWORD);
await admin.getByLabel('The same again').fill(PASSWORD);
await admin.getByRole('button', { name: /Set password/ }).click();
await home(admin);

await test('sso: a provider is connected, tested, tried and put into use', async () => {
    await admin.goto('/admin/sso');
    await admin.getByText('No identity provider yet').waitFor();
    await admin.getByRole('button', { name: 'Connect by OpenID Connect' }).click();
    let d = admin.getByRole('dialog', { name: 'Connect by OpenID Connect' });
    await d.getByLabel('Name', { exact: true }).fill('Acme login');
    await d.getByLabel('Issuer').fill(`http://127.0.0.1:${port}`);
    await d.getByLabel('Client ID').fill('farthing');
    await d.getByLabel('Client secret').fill(SECRET);
    await d.getByLabel('Scopes').fill('openid email profile groups');
    await d.getByRole('button', { name: 'Map a group' }).click();
    await d.getByLabel('Group 1', { exact: true }).fill('finops');
    await d.getByLabel('Role of group 1').selectOption('basic');
    await axe(admin, 'connecting');
    await d.getByRole('button', { name: 'Save' }).click();
    d = admin.getByRole('dialog', { name: 'Acme login' });
    const redirect = (await d.locator('.copyfield', { hasText: 'Redirect URI' }).first().locator('code').innerText()).trim();
    that(redirect.startsWith(server.base + '/api/sso/') && redirect.endsWith('/callback'), redirect);
    await d.getByRole('button', { name: 'Test the set-up' }).click();
    await d.getByText(/could not|refused|not reachable|connect/i).first().waitFor(); // nobody is there yet
    const file = join(tmp, 'peers', 'sso-web.json');
    mkdirSync(join(tmp, 'peers'), { recursive: true });
    writeFileSync(file, JSON.stringify({ kid: 'one', accounts: {
        'u-ben': { email: 'ben@example.com', email_verified: true, name: 'Ben Quay', groups: ['finops'] },
        'u-ann': { email: EMAIL, email_verified: true, name: 'Ann', groups: [] } },
    client: { client_id: 'farthing', client_secret: SECRET, response_types: ['code'], grant_types: ['authorization_code'], redirect_uris: [redirect], scope: 'openid email profile groups' } }));
    provider = spawn('node', ['provider.mjs', String(port), file], { cwd: peers, stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((ok) => provider.stdout.once('data', ok));
    await d.getByRole('button', { name: 'Test the set-up' }).click();
    await d.getByText('The provider answers as it should').waitFor();
    await axe(admin, 'tested');
    await admin.screenshot({ path: join(screens, 'sso-tested.png') });
    await d.getByRole('button', { name: 'Sign in as a test' }).click();
    const outcome = admin.getByRole('dialog', { name: 'What the test came to' });
    await outcome.getByText('wait until the link is approved').waitFor();
    await outcome.getByText(EMAIL).waitFor();
    await axe(admin, 'the outcome');
    await outcome.getByRole('button', { name: 'Done' }).click();
    await admin.getByRole('button', { name: 'Acme login' }).click();
    await d.getByRole('button', { name: 'Put into use' }).click();
    await d.getByRole('button', { name: 'Switch off' }).waitFor();
    await d.getByRole('button', { name: 'Close' }).first().click();
    await admin.getByRole('row', { name: /Acme login/ }).getByText('in use').waitFor();
});

const ben = await person('u-ben');
await test('sso: somebody signs in by the button, with roles of the groups, and out', async () => {
    await ben.goto('/signin?back=/settings');
    await ben.getByRole('link', { name: 'Continue with Acme login' }).waitFor();
    await axe(ben, 'sign in');
    await ben.screenshot({ path: join(screens, 'sso-signin.png') });
    await ben.getByRole('link', { name: 'Continue with Acme login' }).click();
    await ben.getByRole('heading', { name: 'Profile' }).waitFor();
    await ben.getByText('ben@example.com').first().waitFor();
    that(/basic/.test(await ben.locator('main').innerText()), 'the role of the group');
    await ben.getByRole('region', { name: 'Single sign-on' }).getByText('Acme login').waitFor();
    await ben.getByRole('button', { name: 'Sign out' }).first().click();
    await ben.getByRole('heading', { name: 'Sign in' }).waitFor();
});

await test('sso: an account that is here already is connected by its owner', async () => {
    const stranger = await person('u-ann');
    await stranger.goto('/signin');
    await stranger.getByRole('link', { name: 'Continue with Acme login' }).click();
    await stranger.getByRole('alert').getByText('There is an account with your address already').waitFor();
    await axe(stranger, 'a link that waits');
    await stranger.screenshot({ path: join(screens, 'sso-waits.png') });
    await admin.goto('/admin/sso');
    await admin.getByRole('heading', { name: 'Links that wait' }).waitFor();
    await admin.getByRole('row', { name: /u-ann/ }).getByText(EMAIL).waitFor();
    await admin.goto('/settings');
    await admin.getByRole('button', { name: 'Connect Acme login' }).click();
    await admin.getByText('You are connected').waitFor();
    await stranger.goto('/signin');
    await stranger.getByRole('link', { name: 'Continue with Acme login' }).click();
    await home(stranger);
    await stranger.context().close();
});

await test('sso: a provisioning key is made, shown once, turned over and ended', async () => {
    await admin.goto('/admin/sso');
    await admin.getByLabel('Name of the provider').fill('Okta');
    await admin.getByRole('button', { name: 'Make a key' }).click();
    const d = admin.getByRole('dialog', { name: 'The provisioning key' });
    const first = secret((await d.locator('code').innerText()).trim());
    await axe(admin, 'the key');
    await d.getByRole('button', { name: 'Done' }).click();
    const ask = (key) => fetch(`${server.base}/scim/v2/Users?count=1`, { headers: { authorization: `Bearer ${key}` } }).then((r) => r.status);
    same(await ask(first), 200);
    await admin.getByRole('button', { name: 'New key for Okta' }).click();
    const second = secret((await d.locator('code').innerText()).trim());
    that(second !== first, 'another key');
    await d.getByRole('button', { name: 'Done' }).click();
    same([await ask(first), await ask(second)], [200, 200]);
    await admin.getByRole('button', { name: 'Delete Okta' }).click();
    await until('the key is void', async () => (await ask(second)) === 401);
});

await test('sso: only single sign-on, but for who may break the glass', async () => {
    await admin.goto('/admin/sso');
    await admin.getByRole('button', { name: 'Refuse passwords' }).click();
    await admin.getByText('must be able to sign in without single sign-on').waitFor();
    await admin.goto('/settings');
    await admin.getByRole('button', { name: 'Set up' }).click();
    const seed = await admin.locator('section:has(#mfa) code').first().innerText();
    await admin.getByLabel('Code').fill(totp(seed));
    await admin.getByRole('button', { name: 'Switch on' }).click();
    await admin.getByRole('dialog', { name: 'Recovery codes' }).waitFor();
    await admin.goto('/admin/sso');
    await admin.getByRole('button', { name: 'Refuse passwords' }).click();
    await admin.getByText('On: passwords are refused').waitFor();
    const out = await person('u-ben');
    await out.goto('/signin');
    await out.getByRole('link', { name: 'Continue with Acme login' }).waitFor();
    that((await out.getByLabel('Password').count()) === 0, 'no password is asked for');
    await axe(out, 'only single sign-on');
    await out.screenshot({ path: join(screens, 'sso-only.png') });
    await out.getByRole('button', { name: 'Sign in with a password' }).click();
    await out.getByLabel('Password').waitFor();
    await out.context().close();
    await admin.getByRole('button', { name: 'Take passwords again' }).click();
    await admin.getByText('Off: people may sign in with a password').waitFor();
});

for (const colorScheme of ['light', 'dark'])
    for (const width of [1440, 390])
        await test(`sso: the screens in ${colorScheme} at ${width}`, async () => {
            const p = await person('u-ann', { colorScheme, viewport: { width, height: 900 }, storageState: await admin.context().storageState() });
            const fits = async (what) => that(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${what} fits ${width}`);
            await p.goto('/admin/sso');
            await p.getByRole('button', { name: 'Acme login' }).waitFor();
            await settled(p);
            await axe(p, `/admin/sso ${colorScheme} ${width}`);
            await fits('/admin/sso');
            await p.screenshot({ path: join(screens, `sso-admin-${colorScheme}-${width}.png`), fullPage: true });
            await p.getByRole('button', { name: 'Acme login' }).click();
            await p.getByRole('dialog', { name: 'Acme login' }).waitFor();
            await axe(p, `the connection ${colorScheme} ${width}`);
            await p.screenshot({ path: join(screens, `sso-connection-${colorScheme}-${width}.png`) });
            await p.getByRole('dialog', { name: 'Acme login' }).getByRole('button', { name: 'Close' }).first().click();
            await p.getByRole('button', { name: 'Connect by SAML 2.0' }).click();
            await axe(p, `SAML ${colorScheme} ${width}`);
            await p.screenshot({ path: join(screens, `sso-saml-${colorScheme}-${width}.png`) });
            await p.goto('/settings');
            await p.getByRole('region', { name: 'Single sign-on' }).waitFor();
            await axe(p, `/settings ${colorScheme} ${width}`);
            await fits('/settings');
            await p.context().close();
        });
await test('sso: nothing broke', async () => same(broken, []));
provider?.kill();
await browser.close();
await server.stop();
