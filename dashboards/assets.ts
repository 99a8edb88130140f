import { readFileSync } from 'node:fs';
import { Hono } from 'hono';

const files = {
  'console.css': 'text/css; charset=utf-8',
  'refresh.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/** The pages' own files, read once: nothing is loaded from elsewhere. */
export function assetRoutes(): Hono {
  const routes = new Hono();
  for (const [name, type] of Object.entries(files)) {
    const content = readFileSync(new URL(`./pages/${name}`, import.meta.url), 'utf8');
    routes.get(`/${name}`, (context) => context.body(content, 200, { 'Content-Type': type }));
  }
  return routes;
}
