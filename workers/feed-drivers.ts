import type { Kysely } from 'kysely';
import { refreshedToken } from '../core/contexts/ad-networks/access-tokens.ts';
import type { AdNetworkCredentials } from '../core/contexts/ad-networks/connect.ts';
import { BUILD_DESTINATION, createFeedBuildDriver } from '../core/contexts/catalog/feeds/build-driver.ts';
import { SUBMISSION, createFeedSubmitDriver } from '../core/contexts/catalog/feeds/submit-driver.ts';
import { findSales } from '../core/contexts/promotions/find-sales.ts';
import type { Database } from '../core/database/tables.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import type { Clock } from '../core/runtime/clock.ts';

/** By the kind of their destination. Feeds go to the catalogs at the addresses their documentation gives, or to all of them under `baseUrl`. */
export function createFeedDrivers(options: {
  db: Kysely<Database>;
  baseUrl: string | undefined;
  credentials: AdNetworkCredentials;
  clock: Clock;
}): Record<string, DestinationDriver> {
  const { db, baseUrl, credentials, clock } = options;
  const { loginCustomerId: _, ...google } = credentials.google_ads;
  const tokens = refreshedToken(
    { ...google, url: baseUrl === undefined ? 'https://oauth2.googleapis.com/token' : `${baseUrl}/google_ads/token` },
    clock,
  );
  return {
    [BUILD_DESTINATION]: createFeedBuildDriver({ db, readSales: findSales, clock }),
    [SUBMISSION]: createFeedSubmitDriver({
      db,
      merchantApi: {
        baseUrl: baseUrl === undefined ? 'https://merchantapi.googleapis.com' : `${baseUrl}/merchant-api`,
        token: (signal) => tokens.get(signal),
      },
      metaCatalog: {
        baseUrl: baseUrl === undefined ? 'https://graph.facebook.com/v26.0' : `${baseUrl}/meta-catalog`,
        token: () => Promise.resolve(credentials.meta.token),
      },
      clock,
    }),
  };
}
