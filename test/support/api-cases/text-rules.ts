/** For every rule that a schema states in CEL about a text or a map of labels: what breaks it, and what just does not. */
import type { Changes } from './change.ts';
import { KEY, UUID } from './full-objects.ts';
import type { CrdSchema, FieldPair } from './field-pairs.ts';

export interface RuleCases {
  readonly refused: readonly unknown[];
  readonly accepted: readonly unknown[];
}

/** Letters that look right, marks that are not seen, what ends a C string or a line. */
const HOSTILE = ['а', 'ä', 'a\u0000', 'a\n', '\u202ea', 'a\u200b', '\u001b[2J', '💥', 'a b', ' a', 'a '];
const ALL_ZERO_KEY = `${'A'.repeat(43)}=`;
const KEYS: RuleCases = {
  refused: [KEY.slice(0, -1), KEY.replace('x', '-'), KEY.replace('8Dg=', '8Dh='), 'c2hvcnQ=', '', ...HOSTILE],
  accepted: [`${'B'.repeat(42)}A=`],
};
const DNS_NAMES = {
  refused: ['Rental', 'a_b', '-a', 'a-', 'a..b', 'a.-b', '.a', 'a.', ...HOSTILE],
  accepted: ['a', '0', 'a-b', 'a.b', 'a'.repeat(253)],
};
const HEX_DIGITS = '0123456789abcdef'.repeat(4);

/** By how the rule's message begins. */
const CASES: Readonly<Record<string, RuleCases>> = {
  'must be a DNS name': { refused: ['', ...DNS_NAMES.refused], accepted: DNS_NAMES.accepted },
  'must be the DNS name of a node, or empty': {
    refused: DNS_NAMES.refused,
    accepted: ['', ...DNS_NAMES.accepted],
  },
  'must be a VM name': {
    refused: ['', '-a', 'a-', 'a,process=b', 'a/b', '../a', '.', ...HOSTILE],
    accepted: ['a', 'A', 'a_b.c:d+e@f-0', '0'.repeat(253)],
  },
  'must be a UUID': {
    refused: [
      '',
      UUID.toUpperCase(),
      UUID.replaceAll('-', ''),
      `{${UUID}}`,
      UUID.replace('6', 'g'),
      ...HOSTILE,
    ],
    accepted: [UUID.replaceAll(/[0-9a-f]/g, '1'), 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  },
  'must not be the Nil UUID': {
    refused: ['00000000-0000-0000-0000-000000000000'],
    accepted: ['00000000-0000-0000-0000-000000000001', '10000000-0000-0000-0000-000000000000'],
  },
  'must be an IPv4 address: four': {
    refused: [
      '',
      '010.0.0.1',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '1.2.3.04',
      '0x7f.0.0.1',
      '2130706433',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1.2.3.4\n',
      '1.2.3.4\u0000',
      '１.2.3.4',
      '1.2.3.٤',
      '1。2.3.4',
      '::1',
      '::ffff:1.2.3.4',
      '::ffff:102:304',
      'localhost',
      'example.com',
      '1.2.3.4:80',
      '1.2.3.4/32',
      '-1.2.3.4',
      '1..2.3',
      '1.2.3.4%eth0',
    ],
    accepted: ['1.2.3.4', '9.20.199.255', '192.0.2.250'],
  },
  'must be an address that a consumer can have, not one of "this network"': {
    refused: ['0.0.0.0', '0.255.255.255'],
    accepted: ['1.0.0.0'],
  },
  'must be an address that a consumer can have, not one of loopback': {
    refused: ['127.0.0.0', '127.0.0.1', '127.255.255.255'],
    accepted: ['126.255.255.255', '128.0.0.0'],
  },
  'must be an address that a consumer can have, not one of link-local': {
    refused: ['169.254.0.0', '169.254.169.254', '169.254.255.255'],
    accepted: ['169.253.255.255', '169.255.0.0', '16.9.254.1'],
  },
  'must be an address that a consumer can have, not one of multicast': {
    refused: ['224.0.0.0', '229.1.1.1', '230.1.1.1', '239.255.255.255'],
    accepted: ['223.255.255.255', '22.4.0.0'],
  },
  'must be an address that a consumer can have, not one of reserved': {
    refused: ['240.0.0.0', '249.1.1.1', '250.1.1.1', '255.255.255.255'],
    accepted: ['223.255.255.255', '24.0.0.0', '25.5.5.5'],
  },
  'must be an IPv4 address and a prefix length': {
    refused: [
      '',
      '10.99.0.0',
      '10.99.0.0/',
      '10.99.0.0/33',
      '10.99.0.0/024',
      '10.99.0.0/-1',
      '10.99.0.0/24/8',
      '010.0.0.0/8',
      '10.0/8',
      'fd00::/64',
      '::ffff:10.0.0.0/104',
      '10.0.0.0 /8',
      ...HOSTILE,
    ],
    accepted: ['0.0.0.0/0', '10.0.0.0/8', '255.255.255.255/32'],
  },
  'must name a whole network': {
    refused: ['10.99.0.2/24', '0.0.0.1/0', '10.0.0.1/31', '128.0.0.0/0'],
    accepted: ['10.99.0.2/32', '10.99.0.0/24', '10.0.0.0/31', '128.0.0.0/1'],
  },
  'must be a WireGuard key': KEYS,
  'must be an X25519 public key': KEYS,
  'must not be the all-zero key': { refused: [ALL_ZERO_KEY], accepted: [`${'A'.repeat(42)}E=`] },
  'must be a key of a Secret': {
    refused: ['', '.', '..', '..a', 'a/b', 'a:b', ...HOSTILE],
    accepted: ['a', '.a', 'a..b', 'A_b-c.d', '_', 'a'.repeat(253)],
  },
  'must be a label value': {
    refused: ['-a', 'a-', 'a/b', '.', ...HOSTILE],
    accepted: ['', 'a', 'A_b.c-d', 'a'.repeat(63)],
  },
  'each key must be a label key': {
    refused: [
      '',
      '/a',
      'a/',
      'a/b/c',
      'A.io/a',
      'a..b/c',
      '-a/b',
      'a_b/c',
      'a'.repeat(64),
      `${'a'.repeat(254)}/b`,
      ...HOSTILE,
    ].map((key) => ({ [key]: 'x' })),
    accepted: ['A', 'x.io/team', 'a'.repeat(63), `${'a'.repeat(253)}/b`, 'constructor'].map((key) => ({
      [key]: 'x',
    })),
  },
  'must be a MAC address': {
    refused: [
      '',
      '02:76:1F:00:a2:4c',
      '02-76-1f-00-a2-4c',
      '2:76:1f:0:a2:4c',
      '02:76:1f:00:a2',
      '02:76:1f:00:a2:4c:00',
      '02761f00a24c',
      '02:76:1f:00:a2:4g',
      ...HOSTILE,
    ],
    accepted: ['00:00:00:00:00:01', 'fe:ff:ff:ff:ff:ff'],
  },
  'must be the address of one card': {
    refused: ['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', '03:76:1f:00:a2:4c'],
    accepted: ['02:00:00:00:00:00', '00:00:00:00:00:01', '10:00:00:00:00:00'],
  },
  'must be the name of a network interface': {
    refused: ['', 'a/b', ...HOSTILE],
    accepted: ['eth0', 'vmn-0123456789', 'bridge100@!', 'a'.repeat(64)],
  },
  'must be one line of printable ASCII': {
    refused: HOSTILE.filter((text) => /[^ -~]/.test(text)),
    accepted: ['', 'a b', '~!'],
  },
  'must be base64': {
    refused: ['a-b', 'a===', 'a=a', ...HOSTILE],
    accepted: ['', 'ab+/==', 'a'.repeat(1024)],
  },
  'must be a time as in RFC 3339': {
    refused: [
      '',
      'yesterday',
      '2026-01-31',
      '2026-01-31T12:00Z',
      '2026-01-31T12:00:00',
      '2026-01-31 12:00:00Z',
      '2026-01-31t12:00:00z',
      '2026-02-30T12:00:00Z',
      '2026-13-01T12:00:00Z',
      '2026-01-31T24:00:00Z',
      '2026-01-31T12:00:60Z',
      '2026-01-31T12:00:00+24:00',
      '2026-01-31T12:00:00.Z',
      '1769860800',
      ...HOSTILE,
    ],
    accepted: ['2026-01-31T12:00:00.123456789Z', '2026-12-31T23:59:59+13:45', '0001-01-01T00:00:00Z'],
  },
  'must be 64 hexadecimal digits': {
    refused: ['', HEX_DIGITS.slice(1), HEX_DIGITS.toUpperCase(), HEX_DIGITS.replace('0', 'g'), ...HOSTILE],
    accepted: [HEX_DIGITS],
  },
};

export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

export function rulesOf(schema: CrdSchema): readonly CelRule[] {
  return (schema['x-kubernetes-validations'] as CelRule[] | undefined) ?? [];
}

/** Of everything below `path`; a rule about a single field that has no cases above is an error. */
export function textRulePairs(schema: CrdSchema, path: string): FieldPair[] {
  const own =
    schema.properties === undefined
      ? rulesOf(schema)
          .filter(({ rule }) => !rule.includes('oldSelf'))
          .flatMap((rule) => pairsOf(rule, path))
      : [];
  const children = Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    textRulePairs(child, `${path}.${name}`),
  );
  const items = schema.items === undefined ? [] : textRulePairs(schema.items, `${path}[0]`);
  const values = schema.additionalProperties;
  return [
    ...own,
    ...children,
    ...items,
    ...(values === undefined ? [] : textRulePairs(values, `${path}.key`)),
  ];
}

/** For a rule about a single field; undefined for one that has no cases here. */
export function casesOf({ message }: CelRule): RuleCases | undefined {
  return Object.entries(CASES).find(([begin]) => message.startsWith(begin))?.[1];
}

function pairsOf(celRule: CelRule, path: string): FieldPair[] {
  const { message } = celRule;
  const cases = casesOf(celRule);
  if (cases === undefined) throw new Error(`${path}: no cases in text-rules.ts for "${message}"`);
  const says = new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const at = (value: unknown): Changes => ({ [path]: value });
  const count = Math.max(cases.refused.length, cases.accepted.length);
  return Array.from({ length: count }, (_, i): FieldPair => {
    const refused = cases.refused[i % cases.refused.length];
    const accepted = cases.accepted[i % cases.accepted.length];
    const title = `${path}: ${JSON.stringify(refused)?.slice(0, 60)} breaks "${message.slice(0, 40)}…"`;
    return { title, refused: at(refused), says, accepted: at(accepted) };
  });
}
