/** `end_date_time`: masks name fields as the protocol buffers do. */
export const googleMask = (update: Record<string, unknown>): string =>
  Object.keys(update)
    .filter((field) => field !== 'resourceName')
    .map((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
    .join(',');
