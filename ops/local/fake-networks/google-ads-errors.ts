/** Errors as Google Ads writes them: the reason lies in `details`, the pause it asks for deeper still. */
export interface GoogleAdsFault {
  /** `{ campaignError: 'DUPLICATE_CAMPAIGN_NAME' }` */
  errorCode: Record<string, string>;
  message: string;
  /** Which of the request's operations. */
  operation?: number;
  details?: Record<string, unknown>;
}

const FAILURE = 'type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure';

/** `google.rpc.Status`, as the body of an error and as `partialFailureError`. */
export const statusOf = (code: number, faults: readonly GoogleAdsFault[], requestId: string) => ({
  code,
  message: faults[0]?.message ?? 'Request failed.',
  details: [
    {
      '@type': FAILURE,
      errors: faults.map(({ errorCode, message, operation, details }) => ({
        errorCode,
        message,
        ...(operation === undefined
          ? {}
          : { location: { fieldPathElements: [{ fieldName: 'mutate_operations', index: operation }] } }),
        ...(details === undefined ? {} : { details }),
      })),
      requestId,
    },
  ],
});

/** gRPC codes with the HTTP status that REST gives them. */
const statuses = {
  INVALID_ARGUMENT: { http: 400, code: 3 },
  UNAUTHENTICATED: { http: 401, code: 16 },
  PERMISSION_DENIED: { http: 403, code: 7 },
  NOT_FOUND: { http: 404, code: 5 },
  ABORTED: { http: 409, code: 10 },
  RESOURCE_EXHAUSTED: { http: 429, code: 8 },
  INTERNAL: { http: 500, code: 13 },
} as const;
export type GoogleAdsStatus = keyof typeof statuses;

export function errorResponse(status: GoogleAdsStatus, faults: readonly GoogleAdsFault[], requestId: string): Response {
  const { http, code } = statuses[status];
  const { message, details } = statusOf(code, faults, requestId);
  return Response.json(
    { error: { code: http, message, status, details } },
    { status: http, headers: { 'request-id': requestId } },
  );
}

export const quotaFault: GoogleAdsFault = {
  errorCode: { quotaError: 'RESOURCE_TEMPORARILY_EXHAUSTED' },
  message: 'Too many requests. Retry in 1 second.',
  details: {
    quotaErrorDetails: { rateScope: 'ACCOUNT', rateName: 'Requests per service per method', retryDelay: '1s' },
  },
};
