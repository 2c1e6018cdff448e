/* telemetry.ts - the telemetries of the account, fetched once for every editor that chooses one. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, asError, get } from '../lib/api';
import type { Telemetry } from './types';

export function useTelemetry(): Telemetry[] | ApiError | null {
    const [state, setState] = useState<Telemetry[] | ApiError | null>(null);
    useEffect(() => {
        const stop = new AbortController();
        get<{ telemetry: Telemetry[] }>('/api/telemetry', stop.signal).then((r) => setState(r.telemetry)).catch((e: unknown) => {
            if (!(e instanceof DOMException)) setState(asError(e));
        });
        return () => stop.abort();
    }, []);
    return state;
}
export const fieldsOf = (t: Telemetry | undefined): string[] => (t ? [t.field, ...t.additionalFields].filter(Boolean) : []);
