import { randomBytes } from 'node:crypto';

export interface MetaFault {
  code: number;
  subcode?: number;
  message: string;
  title?: string;
  transient?: boolean;
  status?: number;
}

/** Nearly every error of the Graph API is an HTTP 400; what it is lies in `code` and `error_subcode`. */
export function metaError({ code, subcode, message, title, transient = false, status = 400 }: MetaFault): Response {
  const error = {
    message,
    type: code === 190 ? 'OAuthException' : 'FacebookApiException',
    code,
    ...(subcode === undefined ? {} : { error_subcode: subcode }),
    is_transient: transient,
    ...(title === undefined ? {} : { error_user_title: title, error_user_msg: message }),
    fbtrace_id: randomBytes(8).toString('base64url'),
  };
  return Response.json({ error }, { status });
}

export const noSuchObject = (id: string): Response =>
  metaError({
    code: 100,
    subcode: 33,
    message: `Unsupported request. Object with ID '${id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation`,
  });

/** What an account has used of its allowance, in percent, as every answer says. */
export const usageHeaders = (account: string, percent: number): Record<string, string> => ({
  'x-app-usage': JSON.stringify({ call_count: percent, total_cputime: 1, total_time: 1 }),
  'x-business-use-case-usage': JSON.stringify({
    [account]: [
      {
        type: 'ads_management',
        call_count: percent,
        total_cputime: 1,
        total_time: 1,
        estimated_time_to_regain_access: percent >= 100 ? 1 : 0,
      },
    ],
  }),
});
