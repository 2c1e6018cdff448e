/* metric.tsx - which telemetry gives the weights, by which of its fields, joined to which key: for reallocation and relational tags. */
import type { JSX } from 'preact';
import { keyItems, keyOf } from '../bill/by';
import { go } from '../app';
import { ApiError } from '../lib/api';
import { longDay } from '../lib/day';
import { keyLabel } from '../lib/question';
import type { KeyInfo, KeyRef } from '../lib/types';
import { Panel } from '../parts/panel';
import { PickList } from '../parts/picklist';
import { fieldsOf } from './telemetry';
import type { Telemetry } from './types';

export interface Metric {
    kpiCenterId?: string;
    metricName?: string;
    field?: string;
    joinField?: string;
    joinKey?: KeyRef;
    carryDays?: number;
}
interface Props {
    m: Metric;
    all: Telemetry[] | ApiError | null;
    keys: KeyInfo[] | null;
    /** Reallocation takes one field as the key of the split; a relational tag names its outputs itself. */
    withField: boolean;
    withCarry: boolean;
    onChange: (part: Metric) => void;
}
export function MetricEditor({ m, all, keys, withField, withCarry, onChange }: Props): JSX.Element {
    if (all === null) return <div class="bone" role="status" aria-label="Fetching telemetries" />;
    if (all instanceof ApiError) return <p class="problem" role="alert">The telemetries could not be fetched: {all.message}</p>;
    const list = all.filter((t) => t.isActive || t.id === m.kpiCenterId);
    const t = all.find((x) => x.id === m.kpiCenterId);
    const fields = fieldsOf(t);
    if (list.length === 0) return <p class="small">There is no telemetry yet. <a href="/telemetry" onClick={(e) => { e.preventDefault(); go('/telemetry'); }}>Bring one in</a>, then choose it here.</p>;
    return (
        <div class="fields">
            <label>Telemetry<select value={m.kpiCenterId ?? ''} onChange={(e) => {
                const n = all.find((x) => x.id === e.currentTarget.value);
                onChange({ kpiCenterId: e.currentTarget.value, metricName: n?.metricNames[0] ?? '', ...(withField ? { field: n?.field ?? '' } : {}), joinField: '' });
            }}><option value="">Choose</option>{list.map((x) => <option key={x.id} value={x.id}>{x.name}{x.isActive ? '' : ' (inactive)'}</option>)}</select></label>
            {t ? <label>Metric<select value={m.metricName ?? ''} onChange={(e) => onChange({ metricName: e.currentTarget.value })}>{t.metricNames.map((n) => <option key={n} value={n}>{n}{t.unit ? ` (${t.unit})` : ''}</option>)}</select></label> : null}
            {t && withField ? <label>Allocation key<select value={m.field || t.field} onChange={(e) => onChange({ field: e.currentTarget.value })}>{fields.map((f) => <option key={f} value={f}>{f}</option>)}</select></label> : null}
            {t && fields.length > 1 ? (
                <label>Join field<select value={m.joinField ?? ''} onChange={(e) => onChange({ joinField: e.currentTarget.value })}><option value="">none: one ratio for all cost</option>{fields.filter((f) => !withField || f !== (m.field || t.field)).map((f) => <option key={f} value={f}>{f}</option>)}</select></label>
            ) : null}
            {m.joinField ? (
                <div class="field"><span>equals the key</span>
                    <Panel float class="pick" title="Join key" name={`Key joined to ${m.joinField}: ${m.joinKey?.key ? keyLabel(m.joinKey, keys) : 'Choose a key'}`} label={m.joinKey?.key ? keyLabel(m.joinKey, keys) : 'Choose a key'}>
                        {(close) => <PickList label="Join key" placeholder="Search keys and tags" items={keyItems(keys)} empty="No key has this name." onPick={(id) => { const k = keyOf(keys, id); if (k) onChange({ joinKey: k }); close(); }} />}
                    </Panel></div>
            ) : null}
            {withCarry ? <label>Carry the last ratio forward<select value={String(m.carryDays ?? 7)} onChange={(e) => onChange({ carryDays: Number(e.currentTarget.value) })}>{[0, 1, 3, 7, 14, 31].map((d) => <option key={d} value={String(d)}>{d === 0 ? 'not at all' : d === 1 ? 'one day' : `up to ${d} days`}</option>)}</select></label> : null}
            {t ? <p class="small soft">{t.firstDay && t.lastDay ? `Points from ${longDay(t.firstDay)} to ${longDay(t.lastDay)}.` : 'No point yet.'} Days without a point stay where they are and are flagged.</p> : null}
        </div>
    );
}
