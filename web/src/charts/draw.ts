/*
 * draw.ts - the pictures, by ECharts with its SVG renderer; a chunk of its own, fetched after the frame.
 *
 * No component of ECharts that writes HTML is used: the tooltip and the legend are the page's own.
 */
import { BarChart, LineChart, PieChart, TreemapChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { axisLabel } from '../lib/dec';
import type { Drawing, Events, Model, Series } from './model';

use([BarChart, LineChart, PieChart, TreemapChart, GridComponent, SVGRenderer]);

interface Paint {
    line: string;
    faint: string;
    ink: string;
    card: string;
    series: string[];
    font: string;
}
function paint(): Paint {
    const css = getComputedStyle(document.documentElement);
    const v = (name: string): string => css.getPropertyValue(name).trim();
    return {
        line: v('--line'), faint: v('--faint'), ink: v('--ink'), card: v('--card'),
        series: Array.from({ length: 9 }, (_, i) => v(`--c${i}`)),
        font: getComputedStyle(document.body).fontFamily,
    };
}
const hex = (c: string): [number, number, number] => {
    const h = c.length === 4 ? c.replace(/#(.)(.)(.)/, '#$1$1$2$2$3$3') : c;
    return [1, 3, 5].map((i) => parseInt(h.slice(i, i + 2), 16)) as [number, number, number];
};
/** Black or white, whichever reads better on c. */
function inkOn(c: string): string {
    const [r, g, b] = hex(c).map((x) => (x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4)) as [number, number, number];
    const l = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    return 1.05 / (l + 0.05) > (l + 0.05) / 0.05 ? '#fff' : '#000';
}

function overTime(m: Model, p: Paint, width: number): EChartsCoreOption {
    const pivot = m.labels.length === 1;
    const line = !pivot && (m.kind === 'line' || m.kind === 'area');
    const labels = pivot ? m.series.map((s) => s.label) : m.labels;
    const gap = labels.length > 70 ? 0 : 0.8;
    const hatch = { symbol: 'rect', symbolSize: 1, color: p.card, dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -Math.PI / 4 };
    const bar = (s: Series) => ({
        type: 'bar', name: s.id, stack: 'all', barCategoryGap: labels.length > 70 ? '8%' : '20%', barMaxWidth: 56,
        data: s.values.map((v, i) => (m.partial[i] ? { value: v, itemStyle: { decal: hatch, opacity: 0.75 } } : v)),
        itemStyle: { color: p.series[s.colour], borderColor: p.card, borderWidth: gap, borderRadius: 1.5 },
        emphasis: { focus: 'series', itemStyle: { color: p.series[s.colour] } },
        blur: { itemStyle: { opacity: 0.28 } },
    });
    const curve = (s: Series) => ({
        type: 'line', name: s.id, data: s.values.map((v, i) => (m.empty[i] ? null : v)), showSymbol: s.values.length < 2, symbol: 'circle', symbolSize: 5, triggerLineEvent: true,
        ...(m.kind === 'area' ? { stack: 'all' } : {}),
        lineStyle: { width: m.kind === 'area' ? 1 : 1.8, color: p.series[s.colour] },
        itemStyle: { color: p.series[s.colour] },
        ...(m.kind === 'area' ? { areaStyle: { color: p.series[s.colour], opacity: 0.85 } } : {}),
        emphasis: { focus: 'series', lineStyle: { width: m.kind === 'area' ? 1 : 2.6 } },
        blur: { lineStyle: { opacity: 0.2 }, areaStyle: { opacity: 0.2 } },
    });
    /* Days of which not everything is known: a hatched band behind whatever is drawn, also where nothing is. */
    const band = {
        type: 'bar', name: 'incomplete', xAxisIndex: 1, yAxisIndex: 1, silent: true, z: 0, barWidth: '100%', animation: false,
        data: m.partial.map((x) => (x ? 1 : '-')),
        itemStyle: { color: p.line, decal: { symbol: 'rect', symbolSize: 1, color: p.faint, dashArrayX: [1, 0], dashArrayY: [1.5, 6], rotation: -Math.PI / 4 } }, blur: { itemStyle: { opacity: 1 } },
    };
    const hatched = !pivot && m.partial.some(Boolean);
    const each = width / Math.max(1, m.series.length); /* a bar's own names under it, or in the table alone */
    return {
        animation: false,
        textStyle: { fontFamily: p.font, fontSize: 11.5 },
        grid: { left: 4, right: 4, top: 10, bottom: 0, containLabel: true },
        /* the second axes are the band's: bars on one axis make room for each other */
        xAxis: [{
            type: 'category', data: labels, boundaryGap: !line, axisTick: { show: false }, axisLine: { lineStyle: { color: p.line } },
            axisLabel: { color: p.faint, hideOverlap: true, fontSize: 11.5, ...(pivot ? { show: each >= 56, width: Math.min(110, each - 8), overflow: 'truncate', interval: 0 } : {}) },
        }, { type: 'category', data: labels, boundaryGap: !line, show: false }],
        yAxis: [{
            type: 'value', splitNumber: 4, splitLine: { lineStyle: { color: p.line } },
            axisLabel: { color: p.faint, fontSize: 11.5, formatter: (v: number) => axisLabel(v, m.currency) },
        }, { type: 'value', min: 0, max: 1, show: false }],
        series: pivot
            ? [{
                type: 'bar', name: 'groups', barMaxWidth: 56,
                data: m.series.map((s) => ({ value: s.total, name: s.id, itemStyle: { color: p.series[s.colour], borderRadius: 1.5 } })),
                emphasis: { focus: 'self' }, blur: { itemStyle: { opacity: 0.28 } },
            }]
            : [...(line ? m.series.map(curve) : m.series.map(bar)), ...(hatched ? [band] : [])],
    };
}

/* Below this width (px) a pie's names do not fit beside it: the table under it has them, in the same colours. */
const ROOM_FOR_NAMES = 520;

function parts(m: Model, p: Paint, width: number): EChartsCoreOption {
    const data = m.series.filter((s) => s.total > 0).map((s) => ({ name: s.id, value: s.total, label: s, itemStyle: { color: p.series[s.colour] as string } }));
    const whole = data.reduce((n, d) => n + d.value, 0);
    const text = (d: (typeof data)[number]): string => `${d.label.label}  ${((d.value / whole) * 100).toFixed(1)}%`;
    const named = width >= ROOM_FOR_NAMES;
    const common = { animation: false, textStyle: { fontFamily: p.font, fontSize: 11.5 } };
    if (m.kind === 'pie')
        return {
            ...common,
            series: [{
                type: 'pie', radius: ['52%', '84%'], center: ['50%', '50%'], startAngle: 90, itemStyle: { borderColor: p.card, borderWidth: 1.5 },
                emphasis: { focus: 'self', scaleSize: 3 }, blur: { itemStyle: { opacity: 0.28 } },
                labelLine: { lineStyle: { color: p.line }, length: 8, length2: 8 },
                data: data.map((d) => ({
                    name: d.name, value: d.value, itemStyle: d.itemStyle,
                    label: { show: named && d.value / whole >= 0.02, color: p.ink, formatter: () => text(d), width: 170, overflow: 'truncate' },
                    labelLine: { show: named && d.value / whole >= 0.02 },
                })),
            }],
        };
    return {
        ...common,
        series: [{
            type: 'treemap', left: 0, right: 0, top: 6, bottom: 4, roam: false, nodeClick: false, breadcrumb: { show: false },
            itemStyle: { borderColor: p.card, borderWidth: 0, gapWidth: 2 }, emphasis: { focus: 'self' }, blur: { itemStyle: { opacity: 0.4 } },
            data: data.map((d) => ({
                name: d.name, value: d.value, itemStyle: d.itemStyle,
                label: { show: true, color: inkOn(d.itemStyle.color), formatter: () => text(d), overflow: 'truncate', position: 'insideTopLeft', distance: 8 },
            })),
        }],
    };
}

export function draw(el: HTMLElement, events: Events): Drawing {
    const chart = init(el, null, { renderer: 'svg' });
    let model: Model | null = null;
    let series: string | null = null;
    let lit: string | null = null;

    const idOf = (e: unknown): string | null => {
        const p = e as { seriesName?: string; name?: string; componentType?: string; seriesType?: string };
        if (p.componentType !== 'series') return null;
        if (p.seriesType === 'pie' || p.seriesType === 'treemap') return p.name || null;
        if (p.seriesName === 'groups') return p.name ?? null;
        return p.seriesName ?? null;
    };
    const resolveId = (e: unknown): string | null => {
        const id = idOf(e);
        const i = (e as { dataIndex?: number }).dataIndex;
        if (model && model.labels.length === 1 && model.kind !== 'pie' && model.kind !== 'treemap' && i !== undefined) return model.series[i]?.id ?? null;
        return model?.series.some((s) => s.id === id) ? id : null;
    };
    // A mark is entered after the pointer has moved onto it: what was said of the move is said again.
    let last: { bucket: number; x: number; y: number } | null = null;
    const say = (): void => {
        const beside = last !== null && last.bucket < 0 && series === null;
        events.onHover(last === null || beside ? null : { ...last, series });
    };
    chart.on('mouseover', (e: unknown) => {
        series = resolveId(e);
        say();
    });
    chart.on('mouseout', () => {
        series = null;
    });
    chart.on('click', (e: unknown) => {
        const id = resolveId(e);
        if (id !== null) events.onPick(id);
    });
    const zr = chart.getZr();
    zr.on('mousemove', (e) => {
        if (!model) return;
        const x = e.offsetX;
        const y = e.offsetY;
        if (model.kind === 'pie' || model.kind === 'treemap') last = { bucket: -1, x, y };
        else if (!chart.containPixel({ gridIndex: 0 }, [x, y])) last = null;
        else {
            const at = chart.convertFromPixel({ gridIndex: 0 }, [x, y]);
            const n = Math.round(Array.isArray(at) ? (at[0] as number) : Number(at));
            if (model.labels.length === 1) {
                series = model.series[n]?.id ?? null;
                last = series === null ? null : { bucket: 0, x, y };
            } else last = n >= 0 && n < model.labels.length ? { bucket: n, x, y } : null;
        }
        say();
    });
    // Leaving is heard by the page: this event comes after the pointer has entered a row already.
    zr.on('globalout', () => {
        last = null;
        series = null;
    });

    const act = (type: string, id: string): void => {
        if (!model) return;
        if (model.kind === 'pie' || model.kind === 'treemap') chart.dispatchAction({ type, seriesIndex: 0, name: id });
        else if (model.labels.length === 1) chart.dispatchAction({ type, seriesIndex: 0, dataIndex: model.series.findIndex((s) => s.id === id) });
        else chart.dispatchAction({ type, seriesName: id });
    };
    const show = (m: Model): void => {
        const p = paint();
        chart.setOption(m.kind === 'pie' || m.kind === 'treemap' ? parts(m, p, chart.getWidth()) : overTime(m, p, chart.getWidth()), true);
    };
    return {
        update(m) {
            model = m;
            show(m);
        },
        highlight(id) {
            if (lit === id || !model) return;
            if (lit !== null) act('downplay', lit);
            lit = id !== null && model.series.some((s) => s.id === id) ? id : null;
            if (lit !== null) act('highlight', lit);
        },
        resize() {
            const before = chart.getWidth();
            chart.resize();
            if (model && before !== chart.getWidth() && (model.kind === 'pie' || model.labels.length === 1)) show(model);
        },
        close: () => chart.dispose(),
    };
}
