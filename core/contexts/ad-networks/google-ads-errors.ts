import { z } from 'zod';
import { type ReadRefusal, type Refusal, byStatus } from './http.ts';

const googleError = z.looseObject({
  code: z.number().optional(),
  message: z.string().default(''),
  status: z.string().default(''),
  details: z
    .array(
      z.looseObject({
        errors: z
          .array(
            z.looseObject({
              errorCode: z.record(z.string(), z.string()).default({}),
              message: z.string().default(''),
              location: z.unknown().optional(),
              details: z
                .looseObject({
                  quotaErrorDetails: z.looseObject({ retryDelay: z.string().optional() }).optional(),
                })
                .optional(),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});
const failed = z.looseObject({ error: googleError });

/** `"1.500s"`, as protobuf writes durations in JSON. */
const durationMs = (text: string | undefined): number | undefined => {
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(text ?? '')?.[1]);
  return Number.isFinite(seconds) ? Math.ceil(seconds * 1_000) : undefined;
};

/** By error code: what is not here is refused for good. */
const kinds: Readonly<Record<string, Refusal['kind']>> = {
  RESOURCE_EXHAUSTED: 'limited',
  RESOURCE_TEMPORARILY_EXHAUSTED: 'limited',
  CONCURRENT_MODIFICATION: 'conflict',
  DATA_CONSTRAINT_VIOLATION: 'conflict',
  TRANSIENT_ERROR: 'unknown',
  INTERNAL_ERROR: 'unknown',
  DEADLINE_EXCEEDED: 'unknown',
  OAUTH_TOKEN_EXPIRED: 'unauthorized',
  OAUTH_TOKEN_INVALID: 'unauthorized',
  OAUTH_TOKEN_REVOKED: 'unauthorized',
  OAUTH_TOKEN_DISABLED: 'unauthorized',
  USER_PERMISSION_DENIED: 'unauthorized',
  CUSTOMER_NOT_ENABLED: 'unauthorized',
  // Our tag is in the name, so that only an earlier call of ours can have taken it: it is to be looked up.
  DUPLICATE_CAMPAIGN_NAME: 'unknown',
};

const statusKinds: Readonly<Record<string, Refusal['kind']>> = {
  UNAUTHENTICATED: 'unauthorized',
  PERMISSION_DENIED: 'unauthorized',
  RESOURCE_EXHAUSTED: 'limited',
  ABORTED: 'conflict',
  UNAVAILABLE: 'away',
  INTERNAL: 'unknown',
  UNKNOWN: 'unknown',
  DEADLINE_EXCEEDED: 'unknown',
};

/** Errors of a stream come wrapped in an array; the pause that is asked for lies deep inside. */
export const readGoogleAdsRefusal: ReadRefusal = (answer) => {
  if (answer.status < 400) return undefined;
  const body = failed.safeParse(Array.isArray(answer.json) ? answer.json[0] : answer.json);
  return body.success ? refusalOf(body.data.error) : byStatus(answer);
};

/** Also of `partialFailureError`, which has the same shape and comes with a success. */
export function refusalOf(given: unknown): Refusal {
  const error = googleError.parse(given);
  const errors = error.details.flatMap((detail) => detail.errors);
  const named = errors.flatMap(({ errorCode }) =>
    Object.entries(errorCode).map(([family, code]) => ({ family, code })),
  );
  const known = named.find(({ code }) => Object.hasOwn(kinds, code));
  const kind = (known === undefined ? undefined : kinds[known.code]) ?? statusKinds[error.status] ?? 'rejected';
  const said = errors
    .map(({ errorCode, message }) => `${Object.values(errorCode).join()}: ${message}`)
    .join('; ')
    .slice(0, 300);
  const retryAfterMs = errors.map(({ details }) => durationMs(details?.quotaErrorDetails?.retryDelay)).find(Boolean);
  return { kind, said: said === '' ? error.message : said, retryAfterMs };
}
