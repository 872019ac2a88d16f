import { describe, expect, test } from '@jest/globals';
import { VmnError } from '../../../src/lib/errors.ts';
import type { DropEvent } from '../../../src/agent/status/status.ts';
import { countTable, type FrameCount, increases } from '../../../src/cli/drops/counter-table.ts';
import { KernelCounts } from '../../../src/cli/drops/kernel-counts.ts';
import type { HostFilter } from '../../../src/cli/filters/host-filters.ts';
import { isDrop, reasonName } from '../../../src/filter/drop-reason.ts';
import { type FollowedDrop, followDrops } from '../../../src/cli/drops/follow.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const count = (change: Partial<FrameCount> = {}): FrameCount => ({
  vm: 'a',
  tap: 'vmn-0123456789',
  direction: 'from-vm',
  reason: 'SourceMac',
  audited: false,
  packets: 5n,
  bytes: 300n,
  ...change,
});

test('the kernel counts for every filter, that on a tap of others too: by VM or by interface, each for itself', () => {
  const filter = (vm: string, tap: string): HostFilter => {
    return { vm, tap, pinDir: `/bpf/${tap}`, ifindex: null, elsewhere: false };
  };
  const list = [filter('a', 'vmn-0123456789'), filter('uuid-b', 'vnet0'), filter('if-7-3', 'if-7-3')];
  const filters = {
    list: () => list,
    named: (name: string) => list.filter(({ vm, tap }) => vm === name || tap === name),
  };
  const lines = [
    { direction: 'from-vm' as const, reason: 20, audited: false, packets: 5n, bytes: 300n },
    { direction: 'from-vm' as const, reason: 0, audited: false, packets: 1n, bytes: 60n },
  ];
  const counts = new KernelCounts(filters, () => lines, { name: reasonName, isDrop });
  expect(counts.read(null, false)).toEqual(list.map(({ vm, tap }) => count({ vm, tap })));
  for (const name of ['uuid-b', 'vnet0'])
    expect(counts.read(name, false, true)).toEqual([count({ vm: 'uuid-b', tap: 'vnet0' })]);
  expect(counts.read('a', true).map(({ packets }) => packets)).toEqual([5n, 1n]);
});

test('the table is sorted by VM, then by number', () => {
  const counts = [
    count({ vm: 'b' }),
    count({ reason: 'Ipv6', packets: 9n }),
    count(),
    count({ reason: 'Protocol', audited: true, packets: 1n }),
    count({ vm: '', tap: 'vmn-ffffffffff', direction: 'to-vm', packets: 2n ** 63n }),
  ];
  expect(countTable(counts)).toBe(
    [
      'VM              DIRECTION  REASON                                PACKETS  BYTES',
      'vmn-ffffffffff  to-vm      SourceMac                 9223372036854775808    300',
      'a               from-vm    Ipv6                                        9    300',
      'a               from-vm    SourceMac                                   5    300',
      'a               from-vm    Protocol (audit, passed)                    1    300',
      'b               from-vm    SourceMac                                   5    300',
      '',
    ].join('\n'),
  );
});

test('no drops is a heading only', () => {
  expect(countTable([])).toBe('VM  DIRECTION  REASON  PACKETS  BYTES\n');
});

describe('increases', () => {
  test.each<[string, FrameCount[], FrameCount[], FrameCount[]]>([
    ['none', [count()], [count()], []],
    ['more', [count()], [count({ packets: 7n, bytes: 400n })], [count({ packets: 2n, bytes: 100n })]],
    ['a new reason', [], [count()], [count()]],
    [
      'a tap made anew',
      [count()],
      [count({ packets: 1n, bytes: 60n })],
      [count({ packets: 1n, bytes: 60n })],
    ],
    ['audited ones apart', [count({ audited: true })], [count()], [count()]],
    ['directions apart', [count({ direction: 'to-vm' })], [count()], [count()]],
    ['a VM that is gone', [count()], [], []],
  ])('%s', (_, before, now, more) => {
    expect(increases(before, now)).toEqual(more);
  });
});

describe('followDrops', () => {
  const clock = new FakeClock({ nowMs: Date.parse('2026-01-31T12:00:00Z'), monotonicMs: 0 });
  const event: DropEvent = {
    time: '2026-01-31T11:59:59Z',
    vm: 'a',
    network: null,
    direction: 'from-vm',
    reason: 'Ipv6',
    summary: 'IPv6',
    frameBytes: 90,
  };

  async function take(
    ports: Omit<Parameters<typeof followDrops>[0], 'clock'>,
    wanted: number,
  ): Promise<FollowedDrop[]> {
    const abort = new AbortController();
    const seen: FollowedDrop[] = [];
    for await (const drop of followDrops({ ...ports, clock }, abort.signal)) {
      seen.push(drop);
      if (seen.length === wanted) abort.abort();
    }
    return seen;
  }

  test('gives the events of the agent', async () => {
    const notes: string[] = [];
    const events = async function* (): AsyncGenerator<DropEvent> {
      yield await Promise.resolve(event);
      yield { ...event, vm: 'b' };
    };
    const seen = await take({ events, counts: () => [], note: (text) => notes.push(text) }, 2);
    expect(seen.map(({ vm }) => vm)).toEqual(['a', 'b']);
    expect(notes).toEqual([]);
  });

  test('without an agent gives what the counters gained since it began', async () => {
    const notes: string[] = [];
    const looks = [[count({ packets: 100n })], [count({ packets: 103n, bytes: 480n })]];
    // eslint-disable-next-line require-yield -- an agent that is not there yields nothing
    const events = async function* (): AsyncGenerator<DropEvent> {
      await Promise.resolve();
      throw new VmnError('VMN_AGENT_UNREACHABLE', { attempted: 'ask' });
    };
    const seen = await take(
      { events, counts: () => looks.shift() ?? [], note: (text) => notes.push(text) },
      1,
    );
    expect(seen).toEqual([
      {
        time: '2026-01-31T12:00:00.000Z',
        vm: 'a',
        direction: 'from-vm',
        reason: 'SourceMac',
        audited: false,
        kind: 'drop',
        summary: '3 more frames, 180 bytes',
      },
    ]);
    expect(notes).toEqual(['no agent answers: following the counters of the kernel']);
  });

  test('other errors are not taken for an absent agent', async () => {
    // eslint-disable-next-line require-yield -- fails before the first event
    const events = async function* (): AsyncGenerator<DropEvent> {
      await Promise.resolve();
      throw new TypeError('bug');
    };
    await expect(take({ events, counts: () => [], note: () => undefined }, 1)).rejects.toThrow('bug');
  });
});
