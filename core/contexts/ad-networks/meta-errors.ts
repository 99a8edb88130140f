import { z } from 'zod';
import { type NetworkAnswer, type ReadRefusal, type Refusal, byStatus } from './http.ts';

const failed = z.looseObject({
  error: z.looseObject({
    message: z.string().default(''),
    code: z.number().default(0),
    error_subcode: z.number().optional(),
    is_transient: z.boolean().default(false),
    error_user_msg: z.string().optional(),
  }),
});
const usage = z.record(z.string(), z.array(z.looseObject({ estimated_time_to_regain_access: z.number().default(0) })));

/** Application, page, user, account, and the limits of single use cases. */
const LIMITS = new Set([4, 17, 32, 613, 80000, 80001, 80002, 80003, 80004, 80005, 80006, 80008, 80009, 80014]);
const TOKENS = new Set([102, 190, 10, 200, 294]);
/** Unknown error and service temporarily unavailable: it may have been done all the same. */
const INSIDE = new Set([1, 2]);

export const readMetaRefusal: ReadRefusal = (answer) => {
  const body = failed.safeParse(answer.json);
  if (!body.success) return answer.status >= 400 ? byStatus(answer) : undefined;
  const { code, error_subcode: subcode, message, error_user_msg: explained, is_transient: transient } = body.data.error;
  const said = `${code}${subcode === undefined ? '' : `/${subcode}`}: ${explained ?? message}`.slice(0, 300);
  const kind = kindOf(code, transient);
  return { kind, said, ...(kind === 'limited' ? { retryAfterMs: regainMs(answer) } : {}) };
};

function kindOf(code: number, transient: boolean): Refusal['kind'] {
  if (LIMITS.has(code)) return 'limited';
  if (TOKENS.has(code)) return 'unauthorized';
  if (INSIDE.has(code)) return 'unknown';
  // What the network itself calls transient was refused, not done: a conflict with another change.
  return transient ? 'conflict' : 'rejected';
}

/** The usage header counts in minutes, and is missing more often than not. */
function regainMs({ headers }: NetworkAnswer): number | undefined {
  try {
    const parsed = usage.parse(JSON.parse(headers.get('x-business-use-case-usage') ?? '{}'));
    const minutes = Object.values(parsed).flatMap((cases) => cases.map((each) => each.estimated_time_to_regain_access));
    const longest = Math.max(0, ...minutes);
    return longest > 0 ? longest * 60_000 : undefined;
  } catch {
    return undefined;
  }
}
