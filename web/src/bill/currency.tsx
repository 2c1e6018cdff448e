/* currency.tsx - which currency the answer is in: the account's, another by the same rates, or each amount in its own. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { go, may } from '../app';
import { get } from '../lib/api';
import type { Currencies } from '../pages/currencies';
import { Choice } from '../parts/choice';
import { Panel } from '../parts/panel';
import type { Result } from './result';

const names = new Intl.DisplayNames(['en'], { type: 'currency' });
const ORIGINAL = 'original';

export function CurrencyPanel({ value, shown, account, onPick }: { value: string; shown: Result | null; account: string; onPick: (currency: string) => void }): JSX.Element {
    const [known, setKnown] = useState<string[]>([]);
    const fetchKnown = (open: boolean): void => {
        if (open && may('account.view'))
            get<Currencies>('/api/currencies').then((v) => setKnown([...new Set([...v.bills.map((b) => b.currency), ...v.pairs.flatMap((p) => [p.currency, p.target])])].sort())).catch(() => undefined);
    };
    const others = [...new Set([...known, ...(value && value !== ORIGINAL ? [value] : [])])].filter((c) => c !== account);
    const label = value === ORIGINAL ? 'Original' : value || (shown && !shown.mixed ? shown.currency : account);
    const from = shown?.answer.converted ?? [];
    return (
        <Panel title="In which currency" onOpen={fetchKnown} label={<>{label}{from.length ? <span class="soft" title={`Converted from ${from.join(', ')} by the rates of their days`}> from {from.length > 2 ? `${from.length} currencies` : from.join(', ')}</span> : null}</>}>
            {(close) => (
                <>
                    <Choice value={value} items={[
                        ['', account, 'The account\u2019s currency'],
                        ...others.map((c): [string, string, string] => [c, c, names.of(c) ?? '']),
                        [ORIGINAL, 'Original', 'Each amount in the currency of its bill, by billing currency'],
                    ]} onPick={(c) => { close(); onPick(c); }} />
                    {may('account.view') ? <p class="small"><a href="/currencies" onClick={(e) => { e.preventDefault(); go('/currencies'); }}>Rates and the account's currency</a></p> : null}
                </>
            )}
        </Panel>
    );
}
