/*
 * main.tsx - starts the page: trusted types, the session, the screen the address names.
 *
 * The default policy lets through what the chart renderer does when it empties a node (an empty string)
 * and nothing else: text from bills can reach the document as text only.
 */
import { render, type JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { boot, go, place, start } from './app';
import { ApiError } from './lib/api';
import { useCell } from './lib/cell';
import { Admin } from './pages/admin';
import { Bills } from './pages/bills';
import { MegaBill } from './pages/megabill';
import { Profile } from './pages/profile';
import { SignIn } from './pages/signin';
import { Tokens } from './pages/tokens';
import { Empty, Failure, Logo, Skeleton } from './parts/basic';
import { Proof } from './parts/proof';
import { Shell, Toasts } from './parts/shell';

interface TrustedTypes {
    createPolicy(name: string, rules: { createHTML: (s: string) => string }): unknown;
}
(globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('default', {
    createHTML(s) {
        if (s === '') return s;
        throw new TypeError('no HTML from text');
    },
});

/** A screen that is fetched when it is first opened. */
function later(name: string, fetchIt: () => Promise<{ default: () => JSX.Element }>): () => JSX.Element {
    let got: (() => JSX.Element) | null = null;
    return function Later(): JSX.Element {
        const [, ready] = useState(got !== null);
        const [failed, setFailed] = useState(false);
        useEffect(() => {
            if (!got)
                void fetchIt().then((m) => {
                    got = m.default;
                    ready(true);
                }, () => setFailed(true));
        }, []);
        if (got) {
            const Screen = got;
            return <Screen />;
        }
        return <section class="card">{failed ? <Failure what={`${name} could not be fetched`} error={new ApiError(0, 'could not reach the server', null, null, null, null)} retry={() => location.reload()} /> : <Skeleton rows={4} label={`Fetching ${name}`} />}</section>;
    };
}
const Quality = later('Data quality', () => import('./pages/quality'));
const Currencies = later('Currencies', () => import('./pages/currencies'));
const AllAccounts = later('All accounts', () => import('./pages/allaccounts'));
const Connections = later('Sources', () => import('./pages/connections'));
const VirtualTags = later('Virtual tags', () => import('./pages/tags').then((m) => ({ default: m.VirtualTags })));
const TagPage = later('The tag', () => import('./pages/tag').then((m) => ({ default: m.TagPage })));
const TelemetryScreen = later('Telemetry', () => import('./pages/telemetry').then((m) => ({ default: m.TelemetryCentre })));
const CustomCostScreen = later('Custom costs', () => import('./pages/customcosts').then((m) => ({ default: m.CustomCosts })));
const CostTypes = later('Cost types', () => import('./pages/costtypes'));
const Drilldowns = later('Drilldown', () => import('./pages/drilldowns').then((m) => ({ default: m.Drilldowns })));

type Screen = () => JSX.Element;
const SCREENS: Record<string, Screen> = {
    '/': MegaBill,
    '/megabill': MegaBill,
    '/bills': Bills,
    '/quality': Quality,
    '/tokens': Tokens,
    '/settings': Profile,
    '/views': MegaBill,
    '/app': MegaBill,
    '/app/total-cost': MegaBill,
    '/virtual-tags': VirtualTags,
    '/telemetry': TelemetryScreen,
    '/custom-costs': CustomCostScreen,
    '/cost-types': CostTypes,
    '/drilldowns': Drilldowns,
    '/connections': Connections,
    '/currencies': Currencies,
    '/all-accounts': AllAccounts,
    '/admin': Admin,
};
/* Screens whose address goes on with the id of one thing. */
const UNDER: [prefix: string, screen: Screen][] = [
    ['/bills/', Bills],
    ['/virtual-tags/', TagPage],
    ['/connections/', Connections],
    ['/admin/', Admin],
];

function Page(): JSX.Element {
    const state = useCell(boot);
    const { path } = useCell(place);
    useEffect(() => {
        if (state === 'in' && (path === '/signin' || path === '/join')) go('/megabill', true);
    }, [state, path]);
    if (state === 'loading') return <main class="signin" aria-busy="true"><Logo size={34} /></main>;
    if (state === 'out') return <><SignIn /><Toasts /></>;
    if (state instanceof ApiError) return <main class="signin"><section class="card"><Failure what="Farthing does not answer" error={state} retry={() => void start()} /></section></main>;
    const Screen = UNDER.find(([p]) => path.startsWith(p))?.[1] ?? SCREENS[path];
    return (
        <>
            <Shell>{Screen ? <Screen /> : <section class="card"><Empty what="There is no such screen"><p><code>{path}</code> leads nowhere. <a href="/megabill" onClick={(e) => { e.preventDefault(); go('/megabill'); }}>Go to MegaBill</a></p></Empty></section>}</Shell>
            <Proof />
            <Toasts />
        </>
    );
}

render(<Page />, document.getElementById('page') as HTMLElement);
void start();
