import { type Axis, linearAxis, logAxis } from './axis.ts';
import { colourOf, drawing, element, frame, label, readable } from './svg.ts';

export interface Series {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

export interface LinesOptions {
  xUnit: string;
  yUnit: string;
  /** Logarithmic where the values span powers of ten. */
  xLog?: boolean;
  yLog?: boolean;
}

/** Lines over one pair of axes, each named at its last point. */
export function drawLines(title: string, options: LinesOptions, series: readonly Series[]): string {
  const nameWidth = 110;
  const plotWidth = frame.width - frame.left - frame.right - nameWidth;
  const plotHeight = frame.height - frame.top - frame.bottom;
  const points = series.flatMap((each) => each.points);
  const x = axisFor(
    points.map(([value]) => value),
    plotWidth,
    options.xLog,
  );
  const y = axisFor(
    points.map(([, value]) => value),
    plotHeight,
    options.yLog,
  );
  const px = (value: number) => frame.left + x.at(value);
  const py = (value: number) => frame.top + plotHeight - y.at(value);
  const right = frame.left + plotWidth;
  const grid = [
    ...y.ticks.flatMap((tick) => [
      element('line', { x1: frame.left, x2: right, y1: py(tick), y2: py(tick), class: 'line' }),
      label(frame.left - 8, py(tick) + 4, readable(tick), { 'text-anchor': 'end' }),
    ]),
    ...x.ticks.map((tick) => label(px(tick), frame.top + plotHeight + 18, readable(tick), { 'text-anchor': 'middle' })),
  ];
  const drawn = series.flatMap((each, index) => {
    const last = each.points.at(-1);
    if (last === undefined) return [];
    const path = each.points.map(([px0, py0]) => `${Math.round(px(px0) * 10) / 10},${Math.round(py(py0) * 10) / 10}`);
    return [
      element('polyline', { points: path.join(' '), fill: 'none', stroke: colourOf(index), 'stroke-width': 2 }),
      ...each.points.map(([px0, py0]) => element('circle', { cx: px(px0), cy: py(py0), r: 3, fill: colourOf(index) })),
      label(px(last[0]) + 8, py(last[1]) + 4, each.name),
    ];
  });
  const captions = [
    label(frame.left + plotWidth / 2, frame.height - 14, options.xUnit, { 'text-anchor': 'middle' }),
    label(frame.left - 52, frame.top - 8, options.yUnit),
  ];
  return drawing(title, [...grid, ...drawn, ...captions]);
}

function axisFor(values: readonly number[], pixels: number, log = false): Axis {
  return log ? logAxis(Math.min(...values), Math.max(...values), pixels) : linearAxis(Math.max(...values), pixels);
}
