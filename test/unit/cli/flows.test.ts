import { describe, expect, test } from '@jest/globals';
import type { SeenStatus } from '../../../src/cli/agent/agent-status.ts';
import type { CountedFilter, Look } from '../../../src/cli/filters/look.ts';
import { flowsText } from '../../../src/cli/flows/flow-text.ts';
import { vmFlows } from '../../../src/cli/flows/passages.ts';
import { lastRefused } from '../../../src/cli/flows/refused.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { attachment, status } from './agent-server.ts';
import { countedFilter as filter, countLine as line } from './counted-filter.ts';
import { policy } from './explain/policy.ts';

const at = (atMs: number, ...filters: CountedFilter[]): Look => ({ atMs, filters });
const { pinDir } = filter([]);
const conntrack = new Map([[pinDir, policy({ mode: 'Conntrack', generation: 4n })]]);

describe('flows of a VM', () => {
  const before = at(0, filter([line(0, 1n), line(3, 10n)]));
  const now = at(
    2000,
    filter([
      line(0, 3n),
      line(3, 110n),
      line(2, 5n),
      line(40, 1n),
      line(21, 2n),
      { ...line(40, 9n), audited: true },
      { ...line(3, 7n), direction: 'to-vm' },
    ]),
  );

  test('ends by the policy in the kernel; counts by the way, ARP left out, dropped in one', () => {
    const [flows] = vmFlows(before, now, conntrack);
    expect(flows).toMatchObject({
      mode: 'Conntrack',
      generation: 4n,
      guest: '100.64.0.5',
      endpoint: '203.0.113.10:51900',
      previousEndpoint: null,
    });
    expect(
      flows?.passages.map(({ direction, way, packets, packetsPerSecond }) => [
        direction,
        way,
        packets,
        packetsPerSecond,
      ]),
    ).toEqual([
      ['from-vm', 'Allowed', 3n, 1],
      ['from-vm', 'AllowedFlow', 110n, 50],
      ['from-vm', 'audited', 9n, 4.5],
      ['from-vm', 'dropped', 3n, 1.5],
      ['to-vm', 'AllowedFlow', 7n, 3.5],
    ]);
  });

  test('without a policy nothing passes and no ends are made up', () => {
    const [flows] = vmFlows(before, now, new Map([[pinDir, null]]));
    expect(flows).toMatchObject({ mode: null, generation: null, guest: null, endpoint: null });
  });

  test('a filter that was not there before has counts and no rates', () => {
    const [flows] = vmFlows(at(0), now, conntrack);
    expect(flows?.passages.map(({ packetsPerSecond }) => packetsPerSecond)).toEqual([0, 0, 0, 0, 0]);
  });
});

test('the table, and what was refused last', () => {
  const previous = { address: '198.51.100.7', port: 51820, untilNs: 1n };
  const looked = at(
    1000,
    filter([line(0, 3n), line(3, 110n), { ...line(21, 2n), direction: 'to-vm' }]),
    filter([], { vm: 'b', pinDir: '/b' }),
  );
  const policies = new Map([[pinDir, policy({ mode: 'Conntrack', previous })]]);
  const refused = [
    { vm: 'a', time: '2026-01-31T12:00:00Z', reason: 'Ipv6', summary: 'IPv6 \u001b[2J', audited: true },
  ];
  expect(flowsText(vmFlows(looked, looked, policies), refused)).toBe(
    [
      'VM  MODE            GUEST       ENDPOINT                                    DIRECTION  FRAMES           PACKETS  BYTES  PACKETS/S',
      'a   Conntrack       100.64.0.5  203.0.113.10:51900, was 198.51.100.7:51820  from-vm    judged in full         3    300          0',
      'a   Conntrack       100.64.0.5  203.0.113.10:51900, was 198.51.100.7:51820  from-vm    of a known flow      110  11000          0',
      'a   Conntrack       100.64.0.5  203.0.113.10:51900, was 198.51.100.7:51820  to-vm      dropped                2    200          0',
      'b   nothing passes  -           -                                           -          -                      -      -          -',
      '',
      'LAST REFUSED',
      'TIME                  VM  REASON                FRAME',
      '2026-01-31T12:00:00Z  a   Ipv6 (audit, passed)  IPv6 \\x1b[2J',
      '',
    ].join('\n'),
  );
  expect(flowsText([], null)).toBe(
    'VM  MODE  GUEST  ENDPOINT  DIRECTION  FRAMES  PACKETS  BYTES  PACKETS/S\n',
  );
});

describe('what was refused last', () => {
  const seen = (time: string) => ({ time, reason: 'Ipv6', summary: 'IPv6', audited: false });
  const violations = (...times: string[]) => ({ crossings: 0, quarantinedAt: null, last: times.map(seen) });
  const answering =
    (...attachments: ReturnType<typeof attachment>[]) =>
    () =>
      Promise.resolve(status({ attachments }) as unknown as SeenStatus);

  test('of the wanted VM, the newest last', async () => {
    const ask = answering(
      attachment({ vm: 'a', violations: violations('3', '9') }),
      attachment({ vm: 'b', violations: violations('5') }),
    );
    const times = async (isWanted: (it: { vm: string }) => boolean) =>
      (await lastRefused(ask, isWanted))?.map(({ vm, time }) => [vm, time]);
    expect(await times(() => true)).toEqual([
      ['a', '3'],
      ['b', '5'],
      ['a', '9'],
    ]);
    expect(await times(({ vm }) => vm === 'b')).toEqual([['b', '5']]);
  });

  test('an agent that tells it otherwise is not guessed at; none at all is null; a bug is a bug', async () => {
    const strange = () =>
      Promise.resolve({ attachments: [{ vm: 'a', tap: 'x', violations: 7 }] } as unknown as SeenStatus);
    expect(await lastRefused(strange, () => true)).toEqual([]);
    const silent = () => Promise.reject(new VmnError('VMN_AGENT_UNREACHABLE', { attempted: 'ask' }));
    expect(await lastRefused(silent, () => true)).toBeNull();
    await expect(
      lastRefused(
        () => Promise.reject(new TypeError('bug')),
        () => true,
      ),
    ).rejects.toThrow('bug');
  });
});
