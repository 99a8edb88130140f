/** What went wrong and what to do about it; printed without a stack. */
export class PrepareError extends Error {}

/** On stderr: commands that print JSON have stdout to themselves. */
export const say = (text) => process.stderr.write(`laneway: ${text}\n`);
