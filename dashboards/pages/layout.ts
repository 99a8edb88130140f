import { html } from 'hono/html';
import type { Panel } from '../panels.ts';
import type { Markup } from './format.ts';
import { moment } from './format.ts';

export interface PageOptions {
  title: string;
  at: Date;
  /** Marks the entry of the navigation. */
  path: string;
  search?: string;
  /** Reloads the main part every few seconds while the page is visible. */
  live: boolean;
}

const navigation = [
  { path: '/', text: 'Overview' },
  { path: '/queues', text: 'Queues' },
  { path: '/dead-letters', text: 'Dead letters' },
];

export function page({ title, at, path, search, live }: PageOptions, content: Markup): Markup {
  const links = navigation.map(
    (entry) => html`<a href="${entry.path}" ${entry.path === path ? html`aria-current="page"` : ''}>${entry.text}</a>`,
  );
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Laneway</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/console.css" />
        ${live ? html`<script src="/assets/refresh.js" defer></script>` : ''}
      </head>
      <body>
        <header>
          <a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22" />Laneway</a>
          <nav>${links}</nav>
          <form action="/search" role="search">
            <input
              type="search"
              name="q"
              value="${search ?? ''}"
              maxlength="200"
              aria-label="Search"
              placeholder="Merchant, event or correlation id"
            />
          </form>
          <span class="freshness" id="freshness">${moment(at)} UTC</span>
        </header>
        <main>${content}</main>
      </body>
    </html>`;
}

export interface Column<Row> {
  head: string;
  cell: (row: Row) => Markup | string;
  /** Right-aligned figures. */
  numeric?: boolean;
}

/** A table, or `empty` where there are no rows. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): Markup {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  const alignment = (column: Column<Row>) => (column.numeric === true ? html` class="numeric"` : '');
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${columns.map((column) => html`<th scope="col" ${alignment(column)}>${column.head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${columns.map((column) => html`<td ${alignment(column)}>${column.cell(row)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A titled part of a page; where its source failed, it says so in place of the content. */
export function section<T>(title: string, panel: Panel<T>, content: (value: T) => Markup): Markup {
  return html`<section>
    <h2>${title}</h2>
    ${panel.ok ? content(panel.value) : html`<p class="failed">Not available: ${panel.error}</p>`}
  </section>`;
}

export type Tone = 'good' | 'warn' | 'bad' | 'plain';

export const badge = (text: string, tone: Tone): Markup => html`<span class="badge ${tone}">${text}</span>`;

export const tile = (label: string, value: string, note: string, tone: Tone = 'plain'): Markup =>
  html`<div class="tile ${tone}">
    <span class="label">${label}</span><strong>${value}</strong><span class="note">${note}</span>
  </div>`;
