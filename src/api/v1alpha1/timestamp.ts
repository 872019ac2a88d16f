import { formedText } from './formed-text.ts';

const DAY =
  '((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))';
const OF_DAY = '([01][0-9]|2[0-3]):[0-5][0-9]';

/**
 * A point in time (RFC 3339), as strict as its grammar: seconds are there, T and Z are upper case, no leap second. A 29 February
 * in any year is 1 March to whoever reads it. Without `format: date-time`, with which the API server takes a list for a time.
 */
export const timestampSchema = formedText({
  pattern: new RegExp(`^[0-9]{4}-${DAY}T${OF_DAY}:[0-5][0-9]([.][0-9]{1,9})?(Z|[-+]${OF_DAY})$`),
  maxLength: 64,
  form: 'must be a time as in RFC 3339',
  remedy: 'Write it as 2026-01-31T12:00:00Z.',
}).meta({ description: 'A time (RFC 3339).', examples: ['2026-01-31T12:00:00Z'] });
