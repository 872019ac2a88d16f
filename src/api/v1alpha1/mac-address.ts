import type { z } from 'zod';
import { formedText } from './formed-text.ts';

/** MAC address of one card: canonical spelling, not a group address (lowest bit of the first byte), not all zero. */
const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const NOT_ONE_CARD = 'must be the address of one card, neither a group address nor all zero';
const REMEDY = 'Write it as 02:76:1f:00:a2:4c; the first pair has to be even.';

export const macAddressSchema = formedText({
  pattern: MAC_PATTERN,
  maxLength: 64,
  form: 'must be a MAC address: six lower-case hexadecimal pairs separated by colons',
  remedy: REMEDY,
})
  .refine((text) => !MAC_PATTERN.test(text) || isUnicast(text), { error: NOT_ONE_CARD })
  .brand<'MacAddress'>()
  .meta({
    description: 'MAC address of one network card, lower case.',
    examples: ['02:76:1f:00:a2:4c'],
    'x-kubernetes-validations': [
      {
        rule: "!self.matches('^.[13579bdf]') && self != '00:00:00:00:00:00'",
        message: `${NOT_ONE_CARD}. ${REMEDY}`,
      },
    ],
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
