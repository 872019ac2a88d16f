import { describe, expect, test } from '@jest/globals';
import { jsonReport, lineWidth, tableReport } from '../../../../src/cli/explain/report/report.ts';
import { Output } from '../../../../src/cli/terminal/output.ts';
import { explanation } from './explanation.ts';

const sink = { write: () => true, once: () => undefined };
const output = new Output(sink, sink, {});
const table = (columns = 120, showEngine = false) => tableReport(output, { lineWidth: columns, showEngine });

const LONGEST = {
  number: 100_000,
  summary:
    'IPv4 255.255.255.255:65535 > 255.255.255.255:65535 UDP 65507 bytes WireGuard handshake initiation',
  verdict: 'unknown',
  reason: 'PreviousEndpointExpired',
  decidingField: 'ethernet.destination',
  found: '02:76:aa:bb:cc:dd',
  wanted: '02:76:6d:6e:00:01',
  capturedBytes: 60,
} as const;

describe('the table', () => {
  test('what matters first, what is long is cut, and what is cut shows', () => {
    const drop = { verdict: 'drop', reason: 'DestinationAddress', reasonCode: 40 } as const;
    const why = { decidingField: 'ipv4.destination', found: '8.8.8.8', wanted: '203.0.113.10' };
    expect(table()([explanation(), explanation({ number: 2, ...drop, ...why })])).toBe(
      [
        '#  DIR      FRAME                                       VERDICT  REASON              BECAUSE',
        '1  from-vm  100.64.0.5:41000 > 203.0.113.10:51900 UDP…  allow    Allowed             endpoint 203.0.113.10:51900',
        '2  from-vm  100.64.0.5:41000 > 203.0.113.10:51900 UDP…  drop     DestinationAddress  ipv4.destination 8.8.8.8, wanted…',
        '',
      ].join('\n'),
    );
  });

  test.each([100, 120, 200])('no line is longer than %i columns, whatever is in it', (columns) => {
    for (const showEngine of [false, true]) {
      const text = table(
        columns,
        showEngine,
      )([explanation(LONGEST), explanation({ ...LONGEST, engine: 'ebpf' })]);
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
      expect(text).toContain('PreviousEndpointExpired');
      expect(text).toContain('255.255.255.255:65535 >');
    }
  });

  test('wide cuts nothing', () => {
    const text = table(Infinity)([explanation(LONGEST)]);
    expect(text).toContain('UDP 65507 bytes WireGuard handshake initiation [60 of 190 bytes captured]');
    expect(text).toContain('ethernet.destination 02:76:aa:bb:cc:dd, wanted 02:76:6d:6e:00:01');
  });

  test('engines are named where there are several, and audited frames are marked', () => {
    const text = table(120, true)([explanation({ audited: true, reason: 'Protocol' })]);
    expect(text).toMatch(
      /^# +DIR +FRAME +ENGINE +VERDICT +REASON +BECAUSE\n1 +from-vm .* c +audit +Protocol /,
    );
  });

  test('the heading stands above the first part only', () => {
    const report = table();
    expect(report([explanation()])).toContain('BECAUSE');
    expect(report([explanation()])).not.toContain('BECAUSE');
  });

  test('is as wide as the terminal, but never narrower than 100 columns; 120 without one', () => {
    expect([null, 80, 100, 173].map(lineWidth)).toEqual([120, 100, 100, 173]);
  });
});

test('JSON: one object a line, in one order, safe to print', () => {
  const text = jsonReport([explanation(), explanation({ summary: 'a\u001b[2J\n' })]);
  const lines = text.split('\n');
  expect(lines).toHaveLength(3);
  expect(Object.keys(JSON.parse(lines[0] ?? '') as object).slice(0, 10)).toEqual([
    'index',
    'direction',
    'engine',
    'verdict',
    'reason',
    'reasonCode',
    'audited',
    'decidingField',
    'found',
    'wanted',
  ]);
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ summary: 'a\u001b[2J\n' });
  expect(text.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
});
