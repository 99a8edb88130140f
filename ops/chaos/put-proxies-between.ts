import { type Proxy, startProxy } from '../../core/testing/proxy.ts';
import type { StackAddresses } from '../local/process-environment.ts';
import type { Teardown } from '../local/teardown.ts';
import type { NetworkTarget } from './schedule-faults.ts';

export type Proxies = Readonly<Record<NetworkTarget, Proxy>>;

/** A proxy before every server that the processes of a stack use, and the addresses at which they then find them. */
export async function putProxiesBetween(
  direct: StackAddresses,
  teardown: Teardown,
): Promise<{ proxies: Proxies; addresses: StackAddresses }> {
  const before = (url: string) => startProxy(Number(new URL(url).port));
  const [postgres, redis, aws, dynamodb] = await Promise.all([
    before(direct.databaseUrl('laneway_worker')),
    before(direct.redisUrl),
    before(direct.emulatorEndpoint),
    before(direct.dynamodbEndpoint),
  ]);
  const proxies: Proxies = { postgres, redis, aws, dynamodb };
  teardown.add(undefined, async () => {
    await Promise.all(Object.values(proxies).map((proxy) => proxy[Symbol.asyncDispose]()));
  });
  return {
    proxies,
    addresses: {
      ...direct,
      redisUrl: at(direct.redisUrl, redis),
      emulatorEndpoint: at(direct.emulatorEndpoint, aws),
      dynamodbEndpoint: at(direct.dynamodbEndpoint, dynamodb),
      databaseUrl: (role) => at(direct.databaseUrl(role), postgres),
    },
  };
}

/** Everything but the port stays as it is written: an endpoint must not grow a slash. */
const at = (url: string, { port }: Proxy): string => url.replace(/:\d+(?=\/|$)/, `:${port}`);
