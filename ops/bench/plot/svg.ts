/** A small SVG writer for the figures of the documentation. Numbers only and text that is escaped; no script, no font file. */

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export const frame: Frame = { width: 720, height: 320, left: 64, right: 24, top: 44, bottom: 56 };

/** Hues that can be told apart by those who see few colours, on light and on dark. */
const palette = ['#2f7ed8', '#d9822b', '#3a9d5d', '#a061c9', '#c2453f', '#7a8190'];

export const colourOf = (index: number): string => palette[index % palette.length] ?? '#7a8190';

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (char) => escapes[char] ?? char);

type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? shortNumber(value) : escapeXml(value)}"`)
    .join('');
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

const shortNumber = (value: number): string => String(Math.round(value * 100) / 100);

export const label = (x: number, y: number, text: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escapeXml(text));

/**
 * The whole figure. The text takes the reader's colour scheme; a figure shown as an image has no other way to know it.
 */
export function drawing(title: string, parts: readonly string[], { width, height }: Frame = frame): string {
  const style = [
    'text{font:12px system-ui,sans-serif;fill:#24292f}',
    '.title{font-size:14px;font-weight:600}',
    '.line{stroke:#d0d7de;stroke-width:1}',
    '.spread{stroke:#24292f;stroke-width:1.5}',
    '@media (prefers-color-scheme: dark){text{fill:#e6edf3}.line{stroke:#3d444d}.spread{stroke:#e6edf3}}',
  ].join('');
  const content = [element('style', {}, style), label(12, 24, title, { class: 'title' }), ...parts];
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': title,
    },
    content.join('\n'),
  )}\n`;
}

/** 12,300 for people; below ten with as many digits as say something. */
export function readable(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(2)));
}
