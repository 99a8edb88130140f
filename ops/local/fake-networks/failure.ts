/** How this server itself, in contrast to the networks it imitates, says no. */
export const failure = (code: string, message: string) => ({ error: { code, message } });
