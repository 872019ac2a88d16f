import { z } from 'zod';

const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const MESSAGE = 'must be a MAC address: six lower-case hexadecimal pairs separated by colons';

/** MAC address of one card: canonical spelling, not a group address (lowest bit of the first byte), not all zero. */
export const macAddressSchema = z
  .string()
  .max(17, MESSAGE)
  .regex(MAC_PATTERN, MESSAGE)
  .refine((text) => !MAC_PATTERN.test(text) || isUnicast(text), {
    error: 'must be the address of one card, neither a group address nor all zero',
  })
  .brand<'MacAddress'>()
  .meta({
    description: 'MAC address of one network card, lower case.',
    examples: ['02:76:1f:00:a2:4c'],
    remedy: 'Write it as 02:76:1f:00:a2:4c; the first pair has to be even.',
  });

/** A unicast MAC address in its one canonical spelling. */
export type MacAddress = z.infer<typeof macAddressSchema>;

/** The address, or null if `text` is not the canonical spelling of a unicast address. */
export function parseMacAddress(text: string): MacAddress | null {
  return MAC_PATTERN.test(text) && isUnicast(text) ? (text as MacAddress) : null;
}

function isUnicast(text: string): boolean {
  return (Number.parseInt(text.slice(0, 2), 16) & 1) === 0 && text !== '00:00:00:00:00:00';
}
