/**
 * One token a comment could hide in or behind: quoted strings, template literals, regular expressions (only where an
 * expression may begin; elsewhere `/` divides) and comments. Strings come first, so that `'http://x'` is no comment.
 */
const token =
  /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[^]|[^`\\])*`|(?<=(?:^|[(,=:[!&|?{};+\n]|=>|\breturn|\btypeof)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*|\/\/[^\n]*|\/\*[^]*?\*\//g;

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

/** The source with each comment turned into spaces: offsets and line numbers stay as they were. */
export function stripComments(source: string): string {
  return source.replace(token, (text) => (text.startsWith('//') || text.startsWith('/*') ? blank(text) : text));
}

/**
 * As above, with the contents of quoted strings and regular expressions blanked too. Template literals stay, because
 * `${…}` in them is code.
 */
export function stripCommentsAndStrings(source: string): string {
  return source.replace(token, (text) => (text.startsWith('`') ? text : blank(text)));
}
