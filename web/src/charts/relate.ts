/*
 * relate.ts - pictures of what leads to what: the flow of cost (sankey) and dependencies (graph).
 *
 * A chunk of its own beside draw.ts; the two share the core of ECharts. No HTML is ever written: names
 * are SVG text.
 */
import { GraphChart, SankeyChart } from 'echarts/charts';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([GraphChart, SankeyChart, SVGRenderer]);

export interface FlowNode {
    id: string;
    label: string;
    colour: number;
    depth: number;
}
export interface Flow {
    kind: 'flow';
    nodes: FlowNode[];
    links: { from: string; to: string; value: number; text: string }[];
}
export interface NetNode {
    id: string;
    label: string;
    colour: number;
    x: number;
    y: number;
    faded: boolean;
}
export interface Net {
    kind: 'net';
    nodes: NetNode[];
    links: { from: string; to: string; strong: boolean }[];
}
export interface Related {
    update(m: Flow | Net): void;
    resize(): void;
    close(): void;
}

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function flow(m: Flow, wide: boolean): EChartsCoreOption {
    const label = new Map(m.nodes.map((n) => [n.id, n.label]));
    const deepest = Math.max(...m.nodes.map((n) => n.depth));
    return {
        series: [{
            type: 'sankey', left: 4, right: wide ? 190 : 110, top: 8, bottom: 8, nodeWidth: 10, nodeGap: 9, draggable: false, layoutIterations: 32,
            emphasis: { focus: 'adjacency' },
            label: { color: css('--ink'), formatter: (p: { name: string }) => label.get(p.name) ?? '', width: wide ? 180 : 100, overflow: 'truncate' },
            lineStyle: { color: 'source', opacity: 0.32, curveness: 0.5 },
            data: m.nodes.map((n) => ({ name: n.id, depth: n.depth, itemStyle: { color: css(`--c${n.colour}`), borderWidth: 0 }, label: { position: n.depth === deepest ? 'right' : 'insideLeft', ...(n.depth === deepest ? {} : { distance: 16 }) } })),
            links: m.links.map((l) => ({ source: l.from, target: l.to, value: l.value })),
        }],
    };
}

function net(m: Net, width: number, height: number): EChartsCoreOption {
    const card = css('--card');
    const most = (k: 'x' | 'y'): number => Math.max(1, ...m.nodes.map((n) => n[k]));
    const [w, h] = [most('x'), most('y')];
    // Two unseen nodes in the corners make the picture's units the window's pixels.
    const corner = (id: string, x: number, y: number) => ({ id, name: '', x, y, symbolSize: 0, label: { show: false } });
    return {
        series: [{
            type: 'graph', layout: 'none', roam: true, left: 0, right: 0, top: 0, bottom: 0, scaleLimit: { min: 0.4, max: 4 },
            edgeSymbol: ['none', 'arrow'], edgeSymbolSize: 7, symbolSize: 16, emphasis: { focus: 'adjacency' },
            label: { show: true, position: 'bottom', color: css('--ink'), width: 150, overflow: 'truncate' },
            data: [corner('\u0000a', 0, 0), corner('\u0000b', width, height), ...m.nodes.map((n) => ({ id: n.id, name: n.label, x: w > 1 ? 90 + (n.x / w) * (width - 180) : width / 2, y: h > 1 ? 26 + (n.y / h) * (height - 70) : height / 2, itemStyle: { color: css(`--c${n.colour}`), borderColor: card, borderWidth: 2, opacity: n.faded ? 0.35 : 1 }, label: { opacity: n.faded ? 0.55 : 1 } }))],
            links: m.links.map((l) => ({ source: l.from, target: l.to, lineStyle: { color: l.strong ? css('--accent') : css('--edge'), width: l.strong ? 2 : 1, curveness: 0.06 } })),
        }],
    };
}

export function relate(el: HTMLElement, events: { onPick: (id: string) => void; onHover: (text: string | null, x: number, y: number) => void }): Related {
    const chart = init(el, null, { renderer: 'svg' });
    let model: Flow | Net | null = null;
    chart.on('click', (e: unknown) => {
        const p = e as { dataType?: string; data?: { id?: string; name?: string } };
        if (p.dataType === 'node') events.onPick(p.data?.id ?? p.data?.name ?? '');
    });
    chart.on('mousemove', (e: unknown) => {
        const p = e as { dataType?: string; dataIndex?: number; event?: { offsetX: number; offsetY: number } };
        if (model?.kind !== 'flow' || !p.event) return;
        const text = p.dataType === 'edge' ? model.links[p.dataIndex ?? -1]?.text : null;
        events.onHover(text ?? null, p.event.offsetX, p.event.offsetY);
    });
    chart.on('mouseout', () => events.onHover(null, 0, 0));
    return {
        update(m) {
            model = m;
            const common = { animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 } };
            chart.setOption({ ...common, ...(m.kind === 'flow' ? flow(m, el.clientWidth > 560) : net(m, el.clientWidth, el.clientHeight)) }, true);
        },
        resize() {
            chart.resize();
            if (model) this.update(model);
        },
        close: () => chart.dispose(),
    };
}
