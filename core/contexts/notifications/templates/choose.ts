import { builtinTemplate } from './builtin.ts';
import type { TemplateSource } from './render.ts';

/** A merchant's own template: its newest version in one locale. */
export interface MerchantTemplate {
  templateId: string;
  channel: string;
  locale: string;
  version: number;
  category: string;
  subject: string;
  text: string;
  html: string | null;
}

export interface ChosenTemplate {
  source: TemplateSource;
  category: string;
  locale: string;
  /** `merchant:3` or `builtin:1`. */
  version: string;
}

/** `de-AT` → `de-AT`, `de`, `en`. */
export function localesFor(locale: string): string[] {
  const parts = locale.split('-');
  const locales = parts.map((_, index) => parts.slice(0, parts.length - index).join('-'));
  return [...new Set([...locales, 'en'])];
}

/**
 * The template in the best language there is: for each locale from the most to the least exact, the merchant's own, then
 * the built-in one. Undefined when nobody has a template of this id.
 */
export function chooseTemplate(
  own: readonly MerchantTemplate[],
  wanted: { templateId: string; channel: string; locale: string },
): ChosenTemplate | undefined {
  const builtin = builtinTemplate(wanted.templateId);
  for (const locale of localesFor(wanted.locale)) {
    const found = own.find(
      (each) =>
        each.templateId === wanted.templateId &&
        each.channel === wanted.channel &&
        each.locale.toLowerCase() === locale.toLowerCase(),
    );
    if (found !== undefined) {
      const source = { subject: found.subject, text: found.text, html: found.html ?? undefined };
      return { source, category: found.category, locale: found.locale, version: `merchant:${found.version}` };
    }
    const source = builtin?.texts[locale];
    if (builtin !== undefined && source !== undefined)
      return { source, category: builtin.category, locale, version: `builtin:${builtin.version}` };
  }
  return undefined;
}
