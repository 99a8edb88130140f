/**
 * `end_date_time,responsive_search_ad.headlines`: masks name fields as the protocol buffers do, and of a message its fields one by
 * one, since Google refuses one that names the message (FIELD_HAS_SUBFIELDS).
 */
export const googleMask = (update: Record<string, unknown>): string =>
  Object.entries(update)
    .filter(([field]) => field !== 'resourceName')
    .flatMap(([field, value]) => leavesOf(snake(field), value))
    .join(',');

const snake = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function leavesOf(path: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  const parts = Object.entries(value);
  return parts.length === 0 ? [path] : parts.flatMap(([field, part]) => leavesOf(`${path}.${snake(field)}`, part));
}
