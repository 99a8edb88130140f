import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { images } from './images.ts';
import { lintDockerfile } from './lint-dockerfile.ts';

const worker = readFileSync(new URL('../../Dockerfile.worker', import.meta.url), 'utf8');

test('the Dockerfiles have nothing wrong with them', () => {
  for (const { dockerfile } of images)
    assert.equal(lintDockerfile(readFileSync(new URL(`../../${dockerfile}`, import.meta.url), 'utf8')), []);
});

/** What is replaced by what, and the complaint about it. */
const mistakes: readonly [mistake: string, from: string | RegExp, to: string, complaint: RegExp][] = [
  ['a base that moves', '24.21.0-bookworm-slim', 'latest', /not an image of an exact version/],
  ['another base in a stage', /FROM \$\{NODE_IMAGE\}$/m, 'FROM debian:12', /instead of \$\{NODE_IMAGE\}/],
  ['npm install', 'npm ci', 'npm install', /lacks npm ci/],
  ['development packages', '--omit=dev ', '', /lacks --omit=dev/],
  ['scripts of packages', '--ignore-scripts ', '', /lacks --ignore-scripts/],
  ['a build in the last stage', 'USER 1000', 'RUN apt-get install curl\nUSER 1000', /builds in the last stage/],
  ['the whole folder', 'COPY core ./core', 'COPY . .', /whatever lies in the folder/],
  ['an archive from elsewhere', 'COPY core ./core', 'ADD https://example.com/x.tar /', /fetches or unpacks/],
  ['root', 'USER 1000:1000', 'USER root', /two numbers above 0/],
  ['no user', 'USER 1000:1000\n', '', /runs as root/],
  [
    'a shell around the process',
    'CMD ["node", "workers/main.ts"]',
    'CMD node workers/main.ts',
    /CMD goes through a shell/,
  ],
  ['no health check', /^HEALTHCHECK[^]*?\]\n/m, '', /has no HEALTHCHECK/],
  ['a label too few', 'org.opencontainers.image.revision', 'revision', /no label org.opencontainers.image.revision/],
  ['a secret that stays', 'NODE_ENV=production', 'NPM_TOKEN=x NODE_ENV=production', /for all to read/],
  ['a frontend to pull', /^/, '# syntax=docker/dockerfile:1\n', /pulls a frontend/],
  ['a linked copy', 'COPY core', 'COPY --link core', /COPY --link/],
];

test(`each of ${mistakes.length} mistakes in a Dockerfile is noticed`, () => {
  for (const [mistake, from, to, complaint] of mistakes) {
    const source = worker.replace(from, to);
    assert.is.not(source, worker, `${mistake} was not seeded`);
    assert.match(lintDockerfile(source).join('\n'), complaint, mistake);
  }
});

test.run();
