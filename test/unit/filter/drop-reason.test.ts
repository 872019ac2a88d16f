import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  FIRST_DROP,
  isDrop,
  isViolation,
  reasonMetric,
  reasonName,
  REASONS,
  reasonOf,
  ruleOf,
} from '../../../src/filter/drop-reason.ts';

const project = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

interface Row {
  number: number;
  symbol: string;
  name: string;
}

/** The rows of VMN_REASONS in reason.h, in their order. */
function headerRows(): Row[] {
  const rows = project('native/include/vmn/reason.h').matchAll(/^\tX\((\d+), ([A-Z0-9_]+), "(\w+)"\)/gm);
  return [...rows].map(([, number = '', symbol = '', name = '']) => ({
    number: Number(number),
    symbol,
    name,
  }));
}

interface Section extends Omit<Row, 'symbol'> {
  summary: string;
  guestSees: string;
  remedy: string;
  metric: string;
  violation: boolean;
}

/** The sections of docs/drop-reasons.md, in their order. */
function documentedSections(): Section[] {
  const sections = project('docs/drop-reasons.md').matchAll(
    /^### (\d+) (\w+)\n\n(.+)\n\n\*\*The guest sees:\*\* (.+)\n\n\*\*What to do:\*\* (.+)\n\n\*\*In metrics:\*\* `reason="(\w+)"`(\. Counts as a violation\.)?\n/gm,
  );
  return [...sections].map(
    ([, number = '', name = '', summary = '', guestSees = '', remedy = '', metric = '', violation]) => ({
      number: Number(number),
      name,
      summary,
      guestSees,
      remedy,
      metric,
      violation: violation !== undefined,
    }),
  );
}

/** The drops that reason.h does not count as violations. */
function harmlessSymbols(): string[] {
  const [, definition = ''] =
    /#define VMN_HARMLESS_REASONS((?:.*\\\n)*.*)/.exec(project('native/include/vmn/reason.h')) ?? [];
  return [...definition.matchAll(/VMN_REASON_BIT\((\w+)\)/g)].map(([, symbol = '']) => symbol);
}

/** How often a section begins, whether or not the rest of it is as it should be. */
const headings = (): number => [...project('docs/drop-reasons.md').matchAll(/^### /gm)].length;

describe('reasons', () => {
  test('the header was read whole', () => {
    const lines = project('native/include/vmn/reason.h').match(/^\tX\(/gm) ?? [];
    expect(headerRows()).toHaveLength(lines.length);
    expect(lines.length).toBeGreaterThan(30);
  });

  test('reason.h and drop-reason.ts are the same table', () => {
    expect(REASONS.map(({ number, symbol, name }) => ({ number, symbol, name }))).toEqual(headerRows());
  });

  test('docs/drop-reasons.md says of each what drop-reason.ts says', () => {
    expect(documentedSections()).toEqual(
      REASONS.map(({ number, name, summary, guestSees, remedy, metric, violation }) => ({
        number,
        name,
        summary,
        guestSees,
        remedy,
        metric,
        violation,
      })),
    );
    expect(headings()).toBe(REASONS.length);
  });

  test('numbers, symbols and names are unique, ascend and fit the counters', () => {
    const numbers = REASONS.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(new Set(REASONS.map(({ symbol }) => symbol)).size).toBe(REASONS.length);
    expect(new Set(REASONS.map(({ name }) => name)).size).toBe(REASONS.length);
    const slots = Number(/#define VMN_REASON_SLOTS (\d+)/.exec(project('native/include/vmn/abi.h'))?.[1]);
    expect(Math.max(...numbers)).toBeLessThan(slots);
  });

  // Numbers are for ever: dashboards and saved counters depend on them. Add at the end, never edit.
  test('no number has changed its meaning', () => {
    expect(REASONS.map(({ number, name }) => `${number} ${name}`)).toEqual([
      '0 Allowed',
      '1 AllowedPreviousEndpoint',
      '2 ArpAnswered',
      '3 AllowedFlow',
      '4 AllowedUnsampled',
      '5 AllowedDirect',
      '16 NoPolicy',
      '17 PolicyAbi',
      '18 Quarantined',
      '19 FrameTooShort',
      '20 SourceMac',
      '21 DestinationMac',
      '22 GroupMac',
      '23 Vlan',
      '24 EtherType',
      '25 ArpMalformed',
      '26 ArpSpoofed',
      '27 ArpNotGateway',
      '28 ArpFromHost',
      '29 Ipv6',
      '30 IpVersion',
      '31 IpHeaderLength',
      '32 IpOptions',
      '33 IpTotalLength',
      '34 IpFragment',
      '35 IpChecksum',
      '36 IpTtl',
      '37 SourceAddress',
      '38 Protocol',
      '39 UdpLength',
      '40 DestinationAddress',
      '41 DestinationPort',
      '42 PreviousEndpointExpired',
      '43 SourcePort',
      '44 NotWireGuard',
      '45 SuperFrame',
      '46 ChecksumOffload',
      '47 PacketTooBig',
      '48 BitRate',
      '49 PacketRate',
      '50 IcmpToEndpoint',
      '51 DeniedNetwork',
    ]);
  });

  test('what passes is below 16, everything else is a drop', () => {
    const firstDrop = /#define VMN_REASON_FIRST_DROP (\d+)/.exec(project('native/include/vmn/reason.h'))?.[1];
    expect(Number(firstDrop)).toBe(FIRST_DROP);
    expect(REASONS.filter(({ number }) => !isDrop(number)).map(({ symbol }) => symbol)).toEqual([
      'ALLOWED',
      'ALLOWED_PREVIOUS',
      'ARP_ANSWERED',
      'ALLOWED_FLOW',
      'ALLOWED_UNSAMPLED',
      'ALLOWED_DIRECT',
    ]);
  });

  // Dashboards and alerts ask for them by name: the label is the symbol, and no symbol changes.
  test('the metric label is the symbol in lower case', () => {
    expect(REASONS.map(({ metric }) => metric)).toEqual(
      headerRows().map(({ symbol }) => symbol.toLowerCase()),
    );
    for (const { number, metric } of REASONS) expect(reasonMetric(number)).toBe(metric);
  });

  test('violations are the drops that reason.h does not call harmless', () => {
    expect(harmlessSymbols()).toHaveLength(16);
    const drops = headerRows().filter(({ number }) => isDrop(number));
    const violations = drops.filter(({ symbol }) => !harmlessSymbols().includes(symbol));
    expect(REASONS.filter(({ number }) => isViolation(number)).map(({ symbol }) => symbol)).toEqual(
      violations.map(({ symbol }) => symbol),
    );
  });

  test('a number from a newer filter has a name and is a drop', () => {
    expect(reasonOf(63)).toBeUndefined();
    expect(reasonName(63)).toBe('Reason63');
    expect(reasonMetric(63)).toBe('reason_63');
    expect(isViolation(63)).toBe(true);
    expect(isViolation(5)).toBe(false);
    expect(ruleOf(63)).toMatch(/does not know/);
    expect(isDrop(63)).toBe(true);
  });

  test('every reason has its rule', () => {
    for (const { number, name, rule } of REASONS) {
      expect([name, ruleOf(number)]).toEqual([name, rule]);
      expect(reasonName(number)).toBe(name);
    }
  });
});
