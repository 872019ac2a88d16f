import { formedText } from './formed-text.ts';

/** QEMU tells this one of each VM that was given none (RFC 9562, the Nil UUID): it tells no VM from another. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const NOT_NIL = 'must not be the Nil UUID, which QEMU reports of every VM that was given none';
const NOT_NIL_REMEDY =
  'Start the VM with a UUID of its own (QEMU -uuid) and name that, or select it by names or matchLabels.';

/** SMBIOS UUID, in its one canonical spelling. */
export const uuidSchema = formedText({
  pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  maxLength: 64,
  form: 'must be a UUID in lower case, in groups of 8-4-4-4-12 hexadecimal digits',
  remedy: 'Write it as 6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11.',
}).meta({ description: 'SMBIOS UUID of a VM.', examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'] });

/** One that a VM can be selected by. */
export const vmUuidSchema = uuidSchema
  .refine((text) => text !== NIL_UUID, { error: NOT_NIL, params: { remedy: NOT_NIL_REMEDY } })
  .meta({
    'x-kubernetes-validations': [{ rule: `self != '${NIL_UUID}'`, message: `${NOT_NIL}. ${NOT_NIL_REMEDY}` }],
  });
