import { expect, test } from '@jest/globals';
import type { Explanation } from '../../../../src/cli/explain/judge/explanation.ts';
import { Tally } from '../../../../src/cli/explain/report/tally.ts';
import { explanation } from './explanation.ts';

const drop = { verdict: 'drop', reason: 'Ipv6', reasonCode: 29 } as const;
const unknown = { verdict: 'unknown', reason: 'NotShown', reasonCode: null } as const;

function tallied(...frames: readonly (readonly Partial<Explanation>[])[]): Tally {
  const tally = new Tally();
  frames.forEach((rows, index) =>
    tally.add(rows.map((row) => explanation({ index, number: index + 1, ...row }))),
  );
  return tally;
}

test('frames by what became of them, and the reasons of drops, the most frequent first', () => {
  const reply = { verdict: 'reply', reason: 'ArpAnswered', reasonCode: 2 } as const;
  const audited = { reason: 'Protocol', reasonCode: 38, audited: true };
  const address = { verdict: 'drop', reason: 'SourceMac', reasonCode: 20 } as const;
  const tally = tallied([{}], [reply], [address], [drop], [drop], [audited], [unknown]);
  expect(tally.summary).toBe(
    '7 frames: 1 allowed, 1 answered, 1 passed for the audit, 3 dropped, 1 not judged (2 Ipv6, 1 SourceMac, 1 Protocol)',
  );
  expect([tally.frames, tally.dropped, tally.unknown]).toEqual([7, 3, 1]);
  expect(tallied([{}]).summary).toBe('1 frame: 1 allowed, 0 dropped');
  expect(tallied().summary).toBe('the capture holds no frames');
});

test('engines that say the same of every frame are not worth a line', () => {
  const tally = tallied([{}, { engine: 'ts' }], [drop, { ...drop, engine: 'ts' }]);
  expect([tally.comparison, tally.firstDifference]).toEqual([[], null]);
});

test.each<[string, Partial<Explanation>, string]>([
  ['verdict', { verdict: 'allow', audited: true }, 'c says drop Ipv6, ts says audited Ipv6'],
  ['reason', { reason: 'EtherType', reasonCode: 26 }, 'c says drop Ipv6, ts says drop EtherType'],
])('engines that differ in the %s', (_, change, said) => {
  const tally = tallied(
    [{}, { engine: 'ts' }],
    [drop, { ...drop, engine: 'ts', ...change }],
    [drop, { engine: 'ts' }],
  );
  expect(tally.comparison).toEqual([`engines differ on 2 frames, first frame 2: ${said}`]);
  expect(tally.firstDifference?.number).toBe(2);
});

test('an engine that could not be shown a frame does not differ, and is counted', () => {
  const tally = tallied([{ engine: 'ebpf', ...unknown }, drop]);
  expect([tally.comparison, tally.dropped, tally.unknown]).toEqual([
    ['1 frame could not be shown to every engine'],
    1,
    0,
  ]);
});
