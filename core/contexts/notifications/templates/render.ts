import { Liquid, type Template as Parsed } from 'liquidjs';
import { LanewayError } from '../../../runtime/errors.ts';

/** What a notification is made of, in Liquid. */
export interface TemplateSource {
  subject: string;
  text: string;
  html?: string | undefined;
}

export interface Rendered {
  subject: string;
  text: string;
  html: string | null;
}

/** Characters, milliseconds and objects: no loop in a merchant's own template keeps a lane busy. */
const limits = { parseLimit: 50_000, renderLimit: 1_000, memoryLimit: 2_000_000 };
const common = { strictVariables: true, strictFilters: true, ownPropertyOnly: true, ...limits };
// No file system, so that a template can include nothing.
const nothing = { templates: {} };
const plain = new Liquid({ ...common, ...nothing });
/** Every value that a payload brings into HTML is escaped, unless the template itself says `raw`. */
const escaping = new Liquid({ ...common, ...nothing, outputEscape: 'escape' });

const MAX_SUBJECT = 200;

/**
 * Fills a template in. Synchronous and bounded in time and memory. Throws `notifications.template_invalid` when the
 * template cannot be parsed or names a value that the payload does not have.
 */
export function render(source: TemplateSource, values: Readonly<Record<string, unknown>>): Rendered {
  const fill = (engine: Liquid, part: string, text: string): string => {
    try {
      const rendered: unknown = engine.renderSync(parsed(engine, text), values);
      return String(rendered);
    } catch (error) {
      throw invalid(part, error);
    }
  };
  return {
    // A line break in a subject would be a header of its own in the mail.
    subject: fill(plain, 'subject', source.subject)
      .replaceAll(/[\r\n\t]+/g, ' ')
      .trim()
      .slice(0, MAX_SUBJECT),
    text: fill(plain, 'text', source.text),
    html: source.html === undefined ? null : fill(escaping, 'html', source.html),
  };
}

/** Throws `notifications.template_invalid` with where the fault lies. */
export function checkTemplate(source: TemplateSource): void {
  for (const [part, text] of Object.entries(source)) {
    if (typeof text !== 'string') continue;
    try {
      plain.parse(text);
    } catch (error) {
      throw invalid(part, error);
    }
  }
}

const invalid = (part: string, error: unknown) =>
  new LanewayError(
    'notifications.template_invalid',
    `${part}: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500),
    { cause: error },
  );

/** Parsed templates by text: the built-in ones and those in use. */
const MAX_KEPT = 500;
const kept = new Map<string, Parsed[]>();

function parsed(engine: Liquid, text: string): Parsed[] {
  const key = `${engine === plain ? 'plain' : 'html'}\n${text}`;
  const found = kept.get(key);
  if (found !== undefined) return found;
  const fresh = engine.parse(text);
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(key, fresh);
  return fresh;
}
