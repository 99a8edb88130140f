/** One line of a plot: a name and its points, in the order in which they are drawn. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
}

const width = 640;
const height = 360;
const margin = { left: 64, right: 24, top: 48, bottom: 56 };
const ticks = 5;

/** An SVG of lines with their points over linear axes that begin at 0. Plain text: the same input, the same bytes. */
export function plotLines({ title, xLabel, yLabel, series }: PlotOptions): string {
  const all = series.flatMap(({ points }) => points);
  const [xTop, yTop] = [roundUp(Math.max(0, ...all.map(([x]) => x))), roundUp(Math.max(0, ...all.map(([, y]) => y)))];
  const plotWidth = width - margin.left - margin.right;
  const plotHeight = height - margin.top - margin.bottom;
  const x = (value: number) => round(margin.left + (plotWidth * value) / xTop);
  const y = (value: number) => round(margin.top + plotHeight - (plotHeight * value) / yTop);
  const steps = Array.from({ length: ticks + 1 }, (_, index) => index / ticks);

  const grid = steps.flatMap((share) => [
    `<line x1="${margin.left}" y1="${y(yTop * share)}" x2="${width - margin.right}" y2="${y(yTop * share)}" stroke="#ddd"/>`,
    text(margin.left - 8, y(yTop * share) + 4, label(yTop * share), 'end'),
    text(x(xTop * share), height - margin.bottom + 20, label(xTop * share), 'middle'),
  ]);
  const lines = series.flatMap(({ colour, points }) => [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map((p) => `${x(p[0])},${y(p[1])}`).join(' ')}"/>`,
    ...points.map((p) => `<circle cx="${x(p[0])}" cy="${y(p[1])}" r="3.5" fill="${colour}"/>`),
  ]);
  const legend = series.flatMap(({ name, colour }, index) => [
    `<rect x="${margin.left + 12}" y="${margin.top + 8 + 20 * index}" width="12" height="12" fill="${colour}"/>`,
    text(margin.left + 30, margin.top + 18 + 20 * index, name, 'start'),
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${width / 2}" y="24" text-anchor="middle" font-size="15">${escapeXml(title)}</text>`,
    ...grid,
    ...lines,
    ...legend,
    text(margin.left + plotWidth / 2, height - 12, xLabel, 'middle'),
    `<text transform="translate(16 ${margin.top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escapeXml(yLabel)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

const text = (x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${escapeXml(content)}</text>`;

const round = (value: number): number => Math.round(value * 10) / 10;
const label = (value: number): string => String(Math.round(value * 100) / 100);

/** To the next 1, 2 or 5 times a power of ten, so that axes end at a figure that people like. */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

const escapeXml = (raw: string): string => raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
