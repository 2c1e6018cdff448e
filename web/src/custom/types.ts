/* types.ts - custom costs as the page's API says them (doc/page-api.md "Custom costs"). Money is decimal text. */
import { decNear, exact } from '../lib/dec';
import type { Filter } from '../lib/types';

export type Recurrence = 'once' | 'daily' | 'weekly' | 'monthly' | 'yearly';
export const RECURRENCES: [Recurrence, string][] = [['once', 'Once'], ['daily', 'Every day'], ['weekly', 'Every week'], ['monthly', 'Every month'], ['yearly', 'Every year']];
export interface EntryBody {
    name: string;
    service?: string;
    amount?: string | null;
    currency?: string;
    recurrence?: Recurrence;
    start: string;
    end?: string | null;
    spread?: 'on-date' | 'amortize';
    dimensions?: Record<string, string>;
    note?: string;
    percent?: string | null;
    filters?: Filter | Record<string, never> | null;
    costType?: string;
}
export interface Entry extends EntryBody {
    id: string;
    createdBy: string;
    createdAt: string;
    updatedBy: string;
    updatedAt: string;
}
export interface Center {
    id: string;
    name: string;
    kind: 'csv' | 'focus';
    mapping: Record<string, string> | null;
    error: string | null;
    files: number;
    days: number;
    rows: number;
    lastFileAt: string | null;
}
export interface DayCost {
    day: string;
    cost: string;
    currency?: string;
}
/** An amount as it was typed, with its currency; amounts may be finer than the ledger's ten decimals. */
export function amountOf(amount: string, currency: string): string {
    try {
        return exact(decNear(amount), currency);
    } catch {
        return `${amount} ${currency}`;
    }
}
export const amountText = (e: EntryBody, currency: string): string => (e.percent ? `${e.percent}% of other cost` : e.amount ? amountOf(e.amount, e.currency || currency) : '');
export function recurrenceText(e: EntryBody): string {
    if (e.percent) return 'every day';
    const r = (RECURRENCES.find(([id]) => id === (e.recurrence ?? 'once'))?.[1] ?? '').toLowerCase();
    return e.spread === 'amortize' ? `${r}, spread over its days` : r;
}
