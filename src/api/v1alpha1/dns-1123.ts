import { z } from 'zod';

/** Names as Kubernetes takes them (RFC 1123): lower-case letters, digits, `-`, and `.` between the parts of a subdomain. */
const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

export const DNS_LABEL_PATTERN = new RegExp(`^${LABEL}$`);
export const DNS_SUBDOMAIN_PATTERN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

const RULE = 'lower-case letters, digits and "-", beginning and ending with a letter or digit';

/** One label, at most 63 characters: namespaces. */
export const dnsLabelSchema = z
  .string()
  .max(63)
  .regex(DNS_LABEL_PATTERN, `must be a DNS label: ${RULE}, at most 63 characters`)
  .meta({ description: 'DNS label (RFC 1123), at most 63 characters.', examples: ['tenant-a'] });

/** Labels joined by dots, at most 253 characters: names of objects and nodes. */
export const dnsSubdomainSchema = z
  .string()
  .max(253)
  .regex(
    DNS_SUBDOMAIN_PATTERN,
    `must be a DNS name: ${RULE}, parts separated by dots, each at most 63 characters`,
  )
  .meta({ description: 'DNS subdomain (RFC 1123), at most 253 characters.', examples: ['rental-7f3a'] });
