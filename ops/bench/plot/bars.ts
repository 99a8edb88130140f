import { linearAxis } from './axis.ts';
import { colourOf, drawing, element, frame, label, readable } from './svg.ts';

export interface Bar {
  name: string;
  value: number;
  /** The smallest and largest measurement, drawn as a line through the bar's end. */
  min?: number;
  max?: number;
}

const barHeight = 26;
const gap = 14;
const nameWidth = 210;
const valueWidth = 90;

/** Horizontal bars, one below the other, the longest name in reach of the eye. */
export function drawBars(title: string, unit: string, bars: readonly Bar[]): string {
  const height = frame.top + bars.length * (barHeight + gap) + frame.bottom - 12;
  const pixels = frame.width - nameWidth - valueWidth;
  const axis = linearAxis(Math.max(...bars.map((bar) => Math.max(bar.value, bar.max ?? 0))), pixels);
  const base = frame.top + bars.length * (barHeight + gap);
  const grid = axis.ticks.flatMap((tick) => {
    const x = nameWidth + axis.at(tick);
    return [
      element('line', { x1: x, x2: x, y1: frame.top - 6, y2: base, class: 'line' }),
      label(x, base + 16, readable(tick), { 'text-anchor': 'middle' }),
    ];
  });
  const drawn = bars.flatMap((bar, index) => {
    const y = frame.top + index * (barHeight + gap);
    const middle = y + barHeight / 2;
    const spread =
      bar.min === undefined || bar.max === undefined
        ? []
        : [
            element('line', {
              x1: nameWidth + axis.at(bar.min),
              x2: nameWidth + axis.at(bar.max),
              y1: middle,
              y2: middle,
              class: 'spread',
            }),
          ];
    return [
      label(nameWidth - 10, middle + 4, bar.name, { 'text-anchor': 'end' }),
      element('rect', {
        x: nameWidth,
        y,
        width: Math.max(1, axis.at(bar.value)),
        height: barHeight,
        rx: 3,
        fill: colourOf(index),
      }),
      ...spread,
      label(nameWidth + axis.at(Math.max(bar.value, bar.max ?? 0)) + 8, middle + 4, readable(bar.value)),
    ];
  });
  const caption = label(nameWidth + pixels / 2, base + 36, unit, { 'text-anchor': 'middle' });
  return drawing(title, [...grid, ...drawn, caption], { ...frame, height });
}
