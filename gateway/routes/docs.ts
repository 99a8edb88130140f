import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { GatewayEnv } from '../context.ts';
import { openApiDocument } from '../openapi-document.ts';

/** Served from node_modules; everything else in that package stays unreachable. */
const assets = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);
const CACHED_FOR_A_DAY = 'public, max-age=86400';

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Laneway API</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <noscript>This page needs JavaScript; the document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/show.js"></script>
  </body>
</html>
`;

/** A file of its own, so that the page's policy can forbid inline scripts. */
const show = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
});
`;

/** `/openapi.json` and a page to browse it, all from this process: nothing is loaded from elsewhere. */
export function addDocsRoutes(app: Hono<GatewayEnv>): void {
  app.use(
    '/docs/*',
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        // Swagger UI sets style attributes and draws its icons from data URLs.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
      // Whether there is TLS in front is not known here, and a local gateway has none.
      strictTransportSecurity: false,
    }),
  );
  app.get('/', (c) => c.redirect('/docs'));
  app.get('/openapi.json', (c) => c.json(openApiDocument()));
  app.get('/docs', (c) => c.html(page));
  app.get('/docs/show.js', (c) =>
    c.body(show, 200, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': CACHED_FOR_A_DAY }),
  );
  const root = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  app.get('/docs/:file', async (c) => {
    const file = c.req.param('file');
    const type = assets.get(file);
    if (type === undefined) return c.notFound();
    const content = await readFile(join(root, file));
    return c.body(new Uint8Array(content), 200, { 'content-type': type, 'cache-control': CACHED_FOR_A_DAY });
  });
}
