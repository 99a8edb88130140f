import type { StartOptions } from './options.ts';
import type { Stack } from './stack-file.ts';

/** Single quotes protect everything in a shell but a single quote. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A campaign on one network, as the first demo merchant. */
export const firstCampaign = ({ gatewayUrl, merchants }: Stack) => ({
  url: `${gatewayUrl}/v1/campaigns`,
  headers: { authorization: `Bearer ${merchants[0]?.apiKey ?? ''}`, 'content-type': 'application/json' },
  body: JSON.stringify({ name: 'Winter sale', adNetworkIds: ['meta'], dailyBudgetMinor: 5_000, currency: 'EUR' }),
});

/** The same, to be pasted into a shell. */
export function curlLine(stack: Stack): string {
  const { url, headers, body } = firstCampaign(stack);
  const given = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  return ['curl -sS', url, ...given, `-d ${quoted(body)}`].join(' ');
}

/** What a person needs to look around, once everything runs. */
export function welcome(stack: Stack, { demo }: Pick<StartOptions, 'demo'>): string {
  const [merchant] = stack.merchants;
  const rows: [string, string][] = [
    ['Gateway', stack.gatewayUrl],
    ['API docs', stack.docsUrl],
    ['Console', stack.opsUrl],
    ['Bull Board', stack.bullBoardUrl],
    ['Mailbox', stack.mailboxUrl],
    ['Operators log in as', `${stack.opsLogin.user} / ${stack.opsLogin.password}`],
    ['Demo merchant', merchant?.id ?? ''],
    ['API key', merchant?.apiKey ?? ''],
  ];
  return [
    '',
    'Laneway is running.',
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(21)}${value}`),
    '',
    'Create a campaign:',
    '',
    `  ${curlLine(stack)}`,
    '',
    demo ? 'A gentle demo load runs (leave it out with --no-demo). Stop with Ctrl-C.' : 'Stop with Ctrl-C.',
    '',
  ].join('\n');
}
