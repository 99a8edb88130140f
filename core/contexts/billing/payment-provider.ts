import { z } from 'zod';
import { LanewayError } from '../../runtime/errors.ts';

/** One attempt to collect an invoice. */
export interface Charge {
  amountMinor: number;
  currency: string;
  paymentMethod: string;
  /** Finds the charge again: `merchant/invoice/attempt`. */
  reference: string;
}

export interface ChargeResult {
  providerId: string;
  /** Why the card was not charged; null when it was. */
  declineCode: string | null;
}

/**
 * Who moves the money. Throws `effect.unavailable`, `effect.limited` and `effect.outcome_unknown` as drivers do; a card that
 * is declined is a result.
 */
export interface PaymentProvider {
  charge(charge: Charge, idempotencyKey: string, signal: AbortSignal): Promise<ChargeResult>;
  /** As it stands now: what was declined may have gone through since. */
  find(reference: string, signal: AbortSignal): Promise<ChargeResult | undefined>;
}

const chargeAnswer = z.looseObject({
  id: z.string().min(1),
  status: z.enum(['succeeded', 'failed']),
  failure_code: z.string().nullable(),
});
const chargeList = z.looseObject({ data: z.array(chargeAnswer) });
const refusal = z.looseObject({
  error: z.looseObject({ type: z.string(), code: z.string().optional(), message: z.string() }),
});

const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

const resultOf = ({ id, status, failure_code }: z.infer<typeof chargeAnswer>): ChargeResult => ({
  providerId: id,
  declineCode: status === 'succeeded' ? null : (failure_code ?? 'declined'),
});

/** A provider whose API has charges, idempotency keys and a list by reference. */
export function createPaymentProvider({ baseUrl, token }: { baseUrl: string; token: string }): PaymentProvider {
  const call = async (
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    write?: { key: string; body: unknown },
  ) => {
    let status: number;
    let answer: unknown;
    let retryAfter: string | null;
    try {
      const response = await fetch(baseUrl + path, {
        method,
        signal,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${token}`,
          ...(write === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': write.key }),
        },
        ...(write === undefined ? {} : { body: JSON.stringify(write.body) }),
      });
      status = response.status;
      retryAfter = response.headers.get('retry-after');
      answer = await response.json();
    } catch (error) {
      throw notAnswered(method, error);
    }
    if (status < 300) return answer;
    throw refused(method, status, answer, retryAfter);
  };
  return {
    async charge({ amountMinor, currency, paymentMethod, reference }, idempotencyKey, signal) {
      const body = { amount: amountMinor, currency, payment_method: paymentMethod, reference };
      const answer = await call('POST', '/payments/v1/charges', signal, { key: idempotencyKey, body });
      return resultOf(parsed(chargeAnswer, answer, 'effect.outcome_unknown'));
    },
    async find(reference, signal) {
      const answer = await call('GET', `/payments/v1/charges?reference=${encodeURIComponent(reference)}`, signal);
      const { data } = parsed(chargeList, answer, 'effect.unavailable');
      const found = data.find(({ status }) => status === 'succeeded') ?? data[0];
      return found === undefined ? undefined : resultOf(found);
    },
  };
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown, code: 'effect.outcome_unknown' | 'effect.unavailable'): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new LanewayError(code, 'the payment provider answered something that it does not document', {
    retry: 'backoff',
    cause: result.error,
  });
}

const codeOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : '';

const notAnswered = (method: string, error: unknown): LanewayError =>
  new LanewayError(
    method === 'GET' || NOT_SENT.has(codeOf(error)) ? 'effect.unavailable' : 'effect.outcome_unknown',
    `no answer from the payment provider: ${error instanceof Error ? error.message : String(error)}`,
    { retry: 'backoff', cause: error },
  );

function refused(method: string, status: number, answer: unknown, retryAfter: string | null): LanewayError {
  const said = refusal.safeParse(answer).data?.error;
  const message = `the payment provider answered ${status}: ${said?.message ?? 'nothing that it documents'}`;
  const seconds = Number(retryAfter);
  const detail = retryAfter !== null && seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {};
  // 409: the same key is being worked at this moment. It was not carried out twice, and will have an answer soon.
  if (status === 409 || status === 503)
    return new LanewayError('effect.unavailable', message, { retry: 'backoff', detail });
  if (status === 429) return new LanewayError('effect.limited', message, { retry: 'backoff', detail });
  if (status >= 500 && method !== 'GET')
    return new LanewayError('effect.outcome_unknown', message, { retry: 'backoff' });
  if (status >= 500) return new LanewayError('effect.unavailable', message, { retry: 'backoff' });
  return new LanewayError('effect.rejected', message);
}
