import { secretNames } from '../settings.ts';

export const exampleAccount = '123456789012';

/** A configuration that is complete and belongs to nobody: what the checks of every stack run with. */
export const exampleConfig: Readonly<Record<string, string>> = {
  'aws:region': 'eu-central-1',
  'laneway:accountId': exampleAccount,
  'laneway:domain': 'lanes.example.com',
  'laneway:hostedZoneId': 'Z0123456789EXAMPLE',
  'laneway:mailDomain': 'mail.lanes.example.com',
  'laneway:release': '2026-11-24.1',
  'laneway:operationsEmail': 'operations@example.com',
  'laneway:developmentEmail': 'development@example.com',
  'laneway:monthlyBudgetUsd': '3500',
  'laneway:oidcIssuer': 'https://login.example.com',
  'laneway:oidcAuthorizationEndpoint': 'https://login.example.com/authorize',
  'laneway:oidcTokenEndpoint': 'https://login.example.com/token',
  'laneway:oidcUserInfoEndpoint': 'https://login.example.com/userinfo',
  'laneway:oidcClientId': 'laneway-console',
  'laneway:databaseCaBundle': '-----BEGIN CERTIFICATE-----\nexample\n-----END CERTIFICATE-----\n',
  'laneway:paymentUrl': 'https://payments.example.com',
  'laneway:paymentToken': 'example-payment-token-0123456789abcdef',
  'laneway:pagerDutyEndpoint': 'https://events.pagerduty.com/integration/example/enqueue',
  'laneway:opsgenieEndpoint': 'https://api.opsgenie.com/v1/json/amazonsns?apiKey=example',
  ...Object.fromEntries(secretNames.map((name) => [`laneway:${name}`, `example-${name}-0123456789abcdef`])),
};

export const exampleSecretKeys: readonly string[] = [
  ...secretNames.map((name) => `laneway:${name}`),
  'laneway:paymentToken',
  'laneway:pagerDutyEndpoint',
  'laneway:opsgenieEndpoint',
];
