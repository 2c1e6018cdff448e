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

type Screen = () => JSX.Element;
/** A screen that is a file of its own, fetched when somebody goes there. */
function later(fetchScreen: () => Promise<Screen>): Screen {
    let Known: Screen | null = null;
    return function Later(): JSX.Element {
        const [Now, setNow] = useState<Screen | null>(() => Known);
        const [failed, setFailed] = useState(false);
        useEffect(() => {
            if (Now || failed) return;
            fetchScreen().then((s) => {
                Known = s;
                setNow(() => s);
            }).catch(() => setFailed(true));
        }, [Now, failed]);
        if (Now) return <Now />;
        if (failed) return <section class="card"><Empty what="This screen could not be fetched"><p>The server did not send its file. It may have been updated: load the page again.</p><p><button type="button" onClick={() => location.reload()}>Load again</button></p></Empty></section>;
        return <section class="card"><Skeleton rows={8} label="Fetching the screen" /></section>;
    };
}
const VirtualTags = later(() => import('./pages/tags').then((m) => m.VirtualTags));
const TagPage = later(() => import('./pages/tag').then((m) => m.TagPage));
const TelemetryScreen = later(() => import('./pages/telemetry').then((m) => m.TelemetryCentre));
const CustomCostScreen = later(() => import('./pages/customcosts').then((m) => m.CustomCosts));
const Drilldowns = later(() => import('./pages/drilldowns').then((m) => m.Drilldowns));

const SCREENS: Record<string, Screen> = {
    '/': MegaBill, '/megabill': MegaBill, '/bills': Bills, '/tokens': Tokens, '/settings': Profile, '/views': MegaBill, '/app': MegaBill, '/app/total-cost': MegaBill,
    '/virtual-tags': VirtualTags, '/telemetry': TelemetryScreen, '/custom-costs': CustomCostScreen, '/drilldowns': Drilldowns,
};
/* Screens whose address goes on with the id of one thing. */
const UNDER: [prefix: string, screen: Screen][] = [['/bills/', Bills], ['/virtual-tags/', TagPage], ['/admin', Admin]];

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
