import { formedText } from './formed-text.ts';

/** SMBIOS UUID, in its one canonical spelling. */
export const uuidSchema = formedText({
  pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  maxLength: 64,
  form: 'must be a UUID in lower case, in groups of 8-4-4-4-12 hexadecimal digits',
  remedy: 'Write it as 6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11.',
}).meta({ description: 'SMBIOS UUID of a VM.', examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'] });
