import { describe, expect, test } from '@jest/globals';
import type { CountedFilter, Look } from '../../../src/cli/filters/look.ts';
import { look } from '../../../src/cli/filters/look.ts';
import { type Interval, intervals } from '../../../src/cli/top/intervals.ts';
import { rateTable, screen, short } from '../../../src/cli/top/rate-table.ts';
import { ratesBetween } from '../../../src/cli/top/rates.ts';
import type { CounterLine } from '../../../src/native/counters.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { countedFilter as filter, countLine as line } from './counted-filter.ts';
import { scratch } from './scratch.ts';

const files = scratch();
const plain = (_: unknown, text: string): string => text;
const at = (atMs: number, ...filters: CountedFilter[]): Look => ({ atMs, filters });
const DESTINATION = 40;
const SOURCE_MAC = 20;
const ALLOWED = 0;

describe('rates', () => {
  const of = (before: CounterLine[], now: CounterLine[], afterMs = 2000) => {
    const [rates] = ratesBetween(at(1000, filter(before)), at(1000 + afterMs, filter(now))).vms;
    if (rates === undefined) throw new Error('no rates');
    return rates;
  };

  test('are by the true length of the interval, in packets and bits', () => {
    const { fromVm, toVm } = of([line(ALLOWED, 10n, 1000n)], [line(ALLOWED, 30n, 3000n)], 2500);
    expect(fromVm.allowed).toEqual({ packetsPerSecond: 8, bitsPerSecond: 6400 });
    expect(toVm).toEqual({
      allowed: { packetsPerSecond: 0, bitsPerSecond: 0 },
      dropped: toVm.dropped,
      reasons: [],
    });
  });

  test('tell allowed from dropped, directions apart, the most frequent reason first', () => {
    const now = [
      line(ALLOWED, 4n),
      line(SOURCE_MAC, 2n),
      line(DESTINATION, 6n),
      { ...line(DESTINATION, 1n), direction: 'to-vm' as const },
    ];
    const { fromVm, toVm } = of([], now);
    expect(fromVm.allowed.packetsPerSecond).toBe(2);
    expect(fromVm.dropped.packetsPerSecond).toBe(4);
    expect(fromVm.reasons.map(({ reason, packetsPerSecond }) => [reason, packetsPerSecond])).toEqual([
      ['DestinationAddress', 3],
      ['SourceMac', 1],
    ]);
    expect(toVm.dropped.packetsPerSecond).toBe(0.5);
  });

  test('what only an audit let pass was allowed, and has its reason', () => {
    const { fromVm } = of([], [{ ...line(DESTINATION, 2n), audited: true }]);
    expect(fromVm.allowed.packetsPerSecond).toBe(1);
    expect(fromVm.dropped.packetsPerSecond).toBe(0);
    expect(fromVm.reasons).toMatchObject([
      { reason: 'DestinationAddress', audited: true, packetsPerSecond: 1 },
    ]);
  });

  test('a filter that was made anew counts from zero: all of its counters, not only those that went back', () => {
    const { fromVm } = of(
      [line(ALLOWED, 100n), line(DESTINATION, 2n)],
      [line(ALLOWED, 6n), line(DESTINATION, 4n)],
    );
    expect(fromVm.allowed.packetsPerSecond).toBe(3);
    expect(fromVm.dropped.packetsPerSecond).toBe(2);
  });

  test('a filter that was not there before has no rate yet, one that is gone has none any more', () => {
    const other = filter([line(ALLOWED, 9n)], { vm: 'b', pinDir: '/b' });
    expect(ratesBetween(at(0), at(1000, other)).vms).toEqual([]);
    expect(ratesBetween(at(0, other), at(1000)).vms).toEqual([]);
  });

  test('the busiest come first', () => {
    const quiet = filter([]);
    const busy = filter([], { vm: 'busy', pinDir: '/busy' });
    const now = at(1000, quiet, { ...busy, counts: [line(DESTINATION, 9n)] });
    expect(ratesBetween(at(0, quiet, busy), now).vms.map(({ vm }) => vm)).toEqual(['busy', 'a']);
  });
});

test('the table', () => {
  const before = at(0, filter([]), filter([], { vm: 'b', tap: 'vnet3', pinDir: '/b' }));
  const now = at(
    1000,
    filter([line(ALLOWED, 12_345n, 1_500_000n), line(DESTINATION, 7n), line(SOURCE_MAC, 3n)]),
    filter([{ ...line(DESTINATION, 1n, 60n), audited: true }], { vm: 'b', tap: 'vnet3', pinDir: '/b' }),
  );
  const { vms } = ratesBetween(before, now);
  expect(rateTable(vms, plain)).toBe(
    [
      'VM  TAP             DIRECTION  ALLOWED/S  BIT/S  DROPPED/S  TOP REASON',
      'a   vmn-0123456789  from-vm          12k    12M         10  DestinationAddress',
      'a   vmn-0123456789  to-vm              0      0          0  -',
      'b   vnet3           from-vm            1    480          0  DestinationAddress (audit, passed)',
      'b   vnet3           to-vm              0      0          0  -',
      '',
    ].join('\n'),
  );
  const painted = rateTable(vms, (tone, text) => `<${tone}>${text}`);
  expect(painted.match(/<bad> *10 /g)).toHaveLength(1);
  expect(painted.match(/<bad>/g)).toHaveLength(1);
  expect(rateTable([], plain)).toBe('VM  TAP  DIRECTION  ALLOWED/S  BIT/S  DROPPED/S  TOP REASON\n');
});

test.each([
  [0, '0'],
  [0.001, '0.1'],
  [0.5, '0.5'],
  [9.99, '9.9'],
  [12.9, '12'],
  [999.9, '999'],
  [1000, '1k'],
  [1_250, '1.2k'],
  [34_900_000, '34M'],
  [9.6e9, '9.6G'],
])('%d is shown as %s', (value, text) => {
  expect(short(value)).toBe(text);
});

test('a screen: drawn anew on a terminal, one after the other elsewhere, and but one with --once', () => {
  const interval = { time: '2026-01-31T12:00:00Z', seconds: 1.002, vms: [] };
  const text = `2026-01-31T12:00:00Z, over 1.002 s\n${rateTable([], plain)}`;
  expect(screen(interval, { isTerminal: true, paint: plain }, true)).toBe(`\u001b[H\u001b[J${text}`);
  expect(screen(interval, { isTerminal: false, paint: plain }, true)).toBe(`${text}\n`);
  for (const isTerminal of [true, false])
    expect(screen(interval, { isTerminal, paint: plain }, false)).toBe(text);
});

describe('intervals', () => {
  const start = { nowMs: Date.parse('2026-01-31T12:00:00Z'), monotonicMs: 0 };

  async function collect(count: number, abortAfter = Infinity): Promise<Interval[]> {
    const clock = new FakeClock(start);
    const abort = new AbortController();
    // Ever faster, so that each interval has a rate of its own.
    const sent = (): bigint => BigInt((clock.monotonicMs() / 1000) ** 2);
    const take = (): Look => at(clock.monotonicMs(), filter([line(ALLOWED, sent())]));
    const seen: Interval[] = [];
    const all = (async () => {
      for await (const interval of intervals(take, clock, { intervalMs: 2000, count }, abort.signal)) {
        seen.push(interval);
        if (seen.length === abortAfter) abort.abort();
      }
    })();
    await clock.advance(9000);
    if (count !== Infinity) abort.abort();
    await all;
    return seen;
  }

  test('one, then it ends', async () => {
    expect(await collect(1)).toMatchObject([
      {
        time: '2026-01-31T12:00:02.000Z',
        seconds: 2,
        vms: [{ fromVm: { allowed: { packetsPerSecond: 2 } } }],
      },
    ]);
  });

  test('several, each since the one before', async () => {
    const rates = (await collect(3)).map(({ vms }) => vms[0]?.fromVm.allowed.packetsPerSecond);
    expect(rates).toEqual([2, 6, 10]);
  });

  test('without a number until they are interrupted', async () => {
    expect(await collect(Infinity, 4)).toHaveLength(4);
  });
});

describe('a look', () => {
  const ports = (pinDir: string, told: string[]) => ({
    filters: () => [filter([]), filter([], { pinDir })],
    counters: (dir: string) => {
      if (dir === pinDir) throw new VmnError('VMN_BPF_MAP', { attempted: 'read the counters' });
      return [line(ALLOWED, 1n)];
    },
    monotonicMs: () => 5,
    unreadable: (_: unknown, message: string) => void told.push(message),
  });

  test('a filter that cannot be read is told of, and the others are read all the same', () => {
    const told: string[] = [];
    expect(look(ports(files.folder, told))).toMatchObject({
      atMs: 5,
      filters: [{ counts: [{ packets: 1n }] }],
    });
    expect(told).toEqual([expect.stringContaining('cannot read the counters')]);
  });

  test('one that went meanwhile is no failure', () => {
    const told: string[] = [];
    expect(look(ports('/nonexistent/pins', told)).filters).toHaveLength(1);
    expect(told).toEqual([]);
  });
});
