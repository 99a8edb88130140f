import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { builtinTemplate, builtinTemplates } from './builtin.ts';
import { chooseTemplate, localesFor } from './choose.ts';
import { checkTemplate, render } from './render.ts';
import { LanewayError } from '../../../runtime/errors.ts';

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof LanewayError ? `${error.code}: ${error.message}` : String(error);
  }
  return 'nothing thrown';
};

test('a value is escaped in HTML and stands as it is in text; a subject stays one line', () => {
  const hostile = { name: '<script>alert("1")</script>', subject: 'Hello\r\nBcc: everybody@example.com' };
  const source = { subject: '{{ subject }}', text: 'Dear {{ name }}', html: '<p>{{ name }}</p>' };
  assert.equal(render(source, hostile), {
    subject: 'Hello Bcc: everybody@example.com',
    text: 'Dear <script>alert("1")</script>',
    html: '<p>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;</p>',
  });
});

test('a template that names what the payload lacks, or that no engine can read, says where', () => {
  assert.match(
    codeOf(() => render({ subject: 's', text: '{{ amount }}' }, {})),
    /^notifications.template_invalid: text: undefined variable: amount/,
  );
  assert.match(
    codeOf(() => checkTemplate({ subject: '{% if %}', text: '' })),
    /^notifications.template_invalid: subject:/,
  );
  assert.match(
    codeOf(() => render({ subject: '', text: '{{ a.constructor }}' }, { a: {} })),
    /undefined variable/,
  );
  assert.match(
    codeOf(() => render({ subject: '', text: '{% render "/etc/passwd" %}' }, {})),
    /^notifications.template_invalid: text:/,
  );
});

test('a loop that never ends is stopped', () => {
  const endless = '{% for i in (1..1000000000) %}x{% endfor %}';
  assert.match(
    codeOf(() => render({ subject: '', text: endless }, {})),
    /limit exceeded/,
  );
});

test('the language falls back from the region to the language to English', () => {
  assert.equal(localesFor('de-AT'), ['de-AT', 'de', 'en']);
  assert.equal(localesFor('zh-Hant-TW'), ['zh-Hant-TW', 'zh-Hant', 'zh', 'en']);
  const chosen = (locale: string, templateId = 'payment-failed') =>
    chooseTemplate([], { templateId, channel: 'email', locale })?.locale;
  assert.equal([chosen('de-AT'), chosen('fr'), chosen('de', 'affiliate-flagged')], ['de', 'en', 'en']);
  assert.is(chosen('de', 'no-such-template'), undefined);
});

test('a merchant’s own template goes before the built-in one of the same language only', () => {
  const own = {
    templateId: 'payment-failed',
    channel: 'email',
    locale: 'en',
    version: 3,
    category: 'billing',
    subject: 'Ours',
    text: 'ours',
    html: null,
  };
  const chosen = (locale: string, channel = 'email') =>
    chooseTemplate([own], { templateId: 'payment-failed', channel, locale })?.version;
  assert.equal([chosen('en'), chosen('de'), chosen('en', 'sms')], ['merchant:3', 'builtin:1', 'builtin:1']);
});

test('every built-in template can be parsed', () => {
  for (const { texts } of builtinTemplates) for (const source of Object.values(texts)) checkTemplate(source);
  assert.is(new Set(builtinTemplates.map(({ templateId }) => templateId)).size, builtinTemplates.length);
});

test('owners read what could not be brought to a network, in each language', () => {
  const filling = { name: 'Germany', campaignName: 'Sale', network: 'meta', reason: 'no targeting' };
  const textsOf = (templateId: string) =>
    Object.values(builtinTemplate(templateId)?.texts ?? {}).map((source) => render(source, filling).text);
  assert.equal(textsOf('ad-set-failed'), [
    'meta does not hold the ad set “Germany” of the campaign “Sale” as you want it: no targeting',
    'meta hat die Anzeigengruppe „Germany“ der Kampagne „Sale“ nicht so, wie Sie es wünschen: no targeting',
  ]);
  assert.equal(textsOf('ad-failed'), [
    'meta does not hold the ad “Germany” of the campaign “Sale” as you want it: no targeting',
    'meta hat die Anzeige „Germany“ der Kampagne „Sale“ nicht so, wie Sie es wünschen: no targeting',
  ]);
});

test.run();
