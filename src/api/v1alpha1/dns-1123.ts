import { formedText } from './formed-text.ts';

/**
 * Names exactly as Kubernetes takes them (apimachinery, util/validation): lower-case letters, digits, `-`, and `.` between
 * the parts of a subdomain. Unlike RFC 1123 it bounds the whole subdomain only, not each part.
 */
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

export const DNS_LABEL_PATTERN = new RegExp(`^${LABEL}$`);
export const DNS_SUBDOMAIN_PATTERN = new RegExp(`^${LABEL}([.]${LABEL})*$`);

const RULE = 'lower-case letters, digits and "-", beginning and ending with a letter or digit';

/** One label, at most 63 characters: namespaces. */
export const dnsLabelSchema = formedText({
  pattern: DNS_LABEL_PATTERN,
  maxLength: 63,
  form: `must be a DNS label: ${RULE}, at most 63 characters`,
  remedy: 'Write it like tenant-a.',
}).meta({ description: 'DNS label (RFC 1123), at most 63 characters.', examples: ['tenant-a'] });

/** Labels joined by dots, at most 253 characters: names of objects and nodes. */
export const dnsSubdomainSchema = formedText({
  pattern: DNS_SUBDOMAIN_PATTERN,
  maxLength: 253,
  form: `must be a DNS name: ${RULE}, parts separated by dots, at most 253 characters`,
  remedy: 'Write it like rental-7f3a or node-3.example.com.',
}).meta({ description: 'DNS subdomain (RFC 1123), at most 253 characters.', examples: ['rental-7f3a'] });
