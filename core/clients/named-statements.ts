import { createHash } from 'node:crypto';
import pg from 'pg';

/** Prepared statements live in every connection's server process: few enough that they cost no memory worth naming. */
const MAX_NAMED = 200;
const names = new Map<string, string>();

/**
 * The name for a text, from its second use on: a text whose length varies with its input comes once and is not worth a
 * plan. The same text has the same name in every process.
 */
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known === '' ? names.set(text, hashOf(text)).get(text) : known;
  if (names.size < MAX_NAMED) names.set(text, '');
  return undefined;
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 24);

/** What pg says when no answer came within `query_timeout`. */
const NO_ANSWER = 'Query read timeout';
/** SQLSTATE of a write on a server that only answers reads: after a failover, what was the primary. */
const READ_ONLY = '25006';

/**
 * A client that has the server keep the plans of statements with parameters: planning a statement of the engine costs more
 * than running it, and there are few of them. And one that gives a connection up which the pool had better not lend again: on
 * which no answer came in time, so that the next question would wait behind one that nobody answers, or which a failover left
 * at a server that takes no writes, where it would stay for as long as somebody tries.
 */
export class NamedStatementsClient extends pg.Client {
  // pg's overloads are wider than can be written once, hence `never` in both places; all but one call pass through as they are.
  override query(...args: unknown[]): never {
    const [text, values, ...rest] = args;
    const query: (...all: never[]) => unknown = super.query.bind(this);
    const name = typeof text === 'string' && Array.isArray(values) && values.length > 0 ? nameOf(text) : undefined;
    const answer: unknown = Reflect.apply(query, this, name === undefined ? args : [{ name, text, values }, ...rest]);
    if (answer instanceof Promise)
      answer.catch((error: unknown) => {
        if (!(error instanceof Error)) return;
        if (error.message === NO_ANSWER) this.abandon('Postgres gave no answer');
        else if ('code' in error && error.code === READ_ONLY) this.abandon('the server takes no writes');
      });
    return answer as never;
  }

  /** Ends the connection without a word to the server. */
  abandon(reason: string): void {
    this.connection.stream.destroy(new Error(`Connection terminated, since ${reason}`));
  }
}
