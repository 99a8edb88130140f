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

/**
 * A client that has the server keep the plans of statements with parameters: planning a statement of the engine costs more
 * than running it, and there are few of them. And one that gives a connection up on which no answer came in time: pg leaves
 * it as it is, and whoever gets it next from the pool waits behind the question that nobody answers.
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
        if (error instanceof Error && error.message === NO_ANSWER) this.abandon();
      });
    return answer as never;
  }

  /** Ends the connection without a word to the server. */
  abandon(): void {
    this.connection.stream.destroy(new Error('Connection terminated, since Postgres gave no answer'));
  }
}
