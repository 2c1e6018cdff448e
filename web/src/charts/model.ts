/* model.ts - what a picture is drawn from; floats, for drawing only. */
import type { ChartKind } from '../lib/types';

export interface Series {
    id: string;
    label: string;
    colour: number;
    values: number[];
    total: number;
}
export interface Model {
    kind: ChartKind;
    currency: string;
    labels: string[];
    partial: boolean[];
    /** Buckets of which nothing is known yet: a curve ends before them. */
    empty: boolean[];
    series: Series[];
    title: string;
}
export interface Events {
    /** bucket -1: the pointer is on a part that has no bucket; null series: beside every mark. */
    onHover: (at: { bucket: number; series: string | null; x: number; y: number } | null) => void;
    onPick: (series: string) => void;
}
export interface Drawing {
    update(model: Model): void;
    highlight(series: string | null): void;
    resize(): void;
    close(): void;
}
