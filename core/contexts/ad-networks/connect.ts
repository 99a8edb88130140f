import { fixedToken, refreshedToken } from './access-tokens.ts';
import { createGoogleAds } from './google-ads.ts';
import { createMeta } from './meta.ts';
import type { AdNetwork } from './network.ts';
import { createTiktok } from './tiktok.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface AdNetworkCredentials {
  google_ads: { clientId: string; clientSecret: string; refreshToken: string; loginCustomerId?: string | undefined };
  meta: { token: string };
  tiktok: { token: string };
}

const hosts = {
  google_ads: 'https://googleads.googleapis.com',
  googleToken: 'https://oauth2.googleapis.com/token',
  dataManager: 'https://datamanager.googleapis.com',
  meta: 'https://graph.facebook.com',
  tiktok: 'https://business-api.tiktok.com',
};

/** The networks at the addresses their documentation gives, or all of them under `baseUrl`, as the local fakes are. */
export function connectAdNetworks(options: {
  baseUrl: string | undefined;
  credentials: AdNetworkCredentials;
  clock: Clock;
}): readonly AdNetwork[] {
  const { baseUrl, credentials, clock } = options;
  const at = (network: 'google_ads' | 'meta' | 'tiktok') =>
    baseUrl === undefined ? hosts[network] : `${baseUrl}/${network}`;
  const { loginCustomerId, ...google } = credentials.google_ads;
  const tokenUrl = baseUrl === undefined ? hosts.googleToken : `${baseUrl}/google_ads/token`;
  return [
    createGoogleAds({
      baseUrl: at('google_ads'),
      dataManagerUrl: baseUrl === undefined ? hosts.dataManager : `${baseUrl}/google_ads/datamanager`,
      tokens: refreshedToken({ ...google, url: tokenUrl }, clock),
      loginCustomerId,
    }),
    createMeta({ baseUrl: at('meta'), tokens: fixedToken(credentials.meta.token) }),
    createTiktok({ baseUrl: at('tiktok'), tokens: fixedToken(credentials.tiktok.token) }),
  ];
}

/** One secret for all networks: enough for the local fakes, which give an account to whoever comes with any. */
export const sameCredentials = (token: string): AdNetworkCredentials => ({
  google_ads: { clientId: 'laneway', clientSecret: token, refreshToken: token },
  meta: { token },
  tiktok: { token },
});
