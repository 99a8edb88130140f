import { html } from 'hono/html';
import type { Markup } from './format.ts';
import { page } from './layout.ts';

/** A page that only says something: not found, failed. */
export const messagePage = (at: Date, title: string, text: string): Markup =>
  page(
    { title, at, path: '', live: false },
    html`<h1>${title}</h1>
      <p>${text}</p>`,
  );
