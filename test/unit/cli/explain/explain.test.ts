import { describe, expect, test } from '@jest/globals';
import { file } from '../../../support/requirement.ts';
import { requires } from '../../../support/skip.ts';
import { ADDON_PATH } from '../../../../src/native/addon.ts';
import {
  arp,
  ethernet,
  GATEWAY_MAC,
  GUEST_MAC,
  handshake,
  ipv4,
  pcap,
  type PcapFrame,
  udp,
  wireGuard,
} from '../frame-builder.ts';
import { invoke } from '../invoke.ts';
import { manifest } from '../manifest-text.ts';
import { scratch } from '../scratch.ts';
import { rowsOf } from './rows.ts';

const files = scratch();
const built = requires(file(ADDON_PATH, 'make build'));

const GUEST = ['--guest-mac', GUEST_MAC, '--guest-address', '100.64.0.5'];
const toVm = (payload: number[]): Uint8Array =>
  ethernet(payload, { source: GATEWAY_MAC, destination: GUEST_MAC });
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');

const FRAMES: Uint8Array[] = [
  handshake(),
  toVm(ipv4(udp(wireGuard(2, 92), 51900, 41000), { from: '203.0.113.10', to: '100.64.0.5' })),
  ethernet(ipv4(udp([1, 2, 3], 5000, 53), { to: '8.8.8.8' })),
  handshake({ port: 51901 }),
  ethernet(ipv4(udp([1, 2, 3]))),
  handshake({ from: '100.64.0.6' }),
  ethernet(ipv4(udp(wireGuard(1, 148))), { source: '02:00:00:00:00:09' }),
  arp(),
  Uint8Array.of(1, 2, 3),
  new Uint8Array(),
];

const explain = (policy: string, ...args: string[]) =>
  invoke(['explain', '--policy', files.write('p.yaml', policy), '--state-dir', '/nonexistent', ...args]);
const capture = (...frames: readonly (PcapFrame | Uint8Array)[]): string[] => {
  const all = frames.map((frame) => (frame instanceof Uint8Array ? { bytes: frame } : frame));
  return ['--pcap', files.write('tap.pcap', pcap(all))];
};

describe.each(['ts', 'c'])('vmnetctl explain --engine %s', (engine) => {
  const tested = engine === 'c' ? built.test : test;
  const by = ['--engine', engine, ...GUEST];

  tested('a line for each frame of a capture', async () => {
    const { code, stdout, stderr } = await explain(manifest(), ...capture(...FRAMES), ...by, '--wide');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect(rows).toEqual([
      ['#', 'DIR', 'FRAME', 'VERDICT', 'REASON', 'BECAUSE'],
      [
        '1',
        'from-vm',
        '100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
        'allow',
        'Allowed',
        'endpoint 203.0.113.10:51900',
      ],
      [
        '2',
        'to-vm',
        '203.0.113.10:51900 > 100.64.0.5:41000 UDP 92 bytes WireGuard handshake response',
        'allow',
        'Allowed',
        'endpoint 203.0.113.10:51900',
      ],
      [
        '3',
        'from-vm',
        '100.64.0.5:5000 > 8.8.8.8:53 UDP 3 bytes DNS',
        'drop',
        'DestinationAddress',
        'ipv4.destination 8.8.8.8, wanted 203.0.113.10',
      ],
      [
        '4',
        'from-vm',
        '100.64.0.5:41000 > 203.0.113.10:51901 UDP 148 bytes WireGuard handshake initiation',
        'drop',
        'DestinationPort',
        'udp.destinationPort 51901, wanted 51900',
      ],
      [
        '5',
        'from-vm',
        '100.64.0.5:41000 > 203.0.113.10:51900 UDP 3 bytes',
        'drop',
        'NotWireGuard',
        'wireguard.length 3, wanted at least 32',
      ],
      [
        '6',
        'from-vm',
        '100.64.0.6:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
        'drop',
        'SourceAddress',
        'ipv4.source 100.64.0.6, wanted 100.64.0.5',
      ],
      [
        '7',
        'from-vm',
        '100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
        'drop',
        'SourceMac',
        `ethernet.source 02:00:00:00:00:09, wanted ${GUEST_MAC}`,
      ],
      [
        '8',
        'from-vm',
        `ARP who has 169.254.1.1, asks 100.64.0.5 at ${GUEST_MAC}`,
        'reply',
        'ArpAnswered',
        'arp.targetAddress 169.254.1.1',
      ],
      [
        '9',
        'from-vm',
        '3 bytes, too short for Ethernet',
        'drop',
        'FrameTooShort',
        'frame.length 3, wanted at least 14',
      ],
      [
        '10',
        'from-vm',
        '0 bytes, too short for Ethernet',
        'drop',
        'FrameTooShort',
        'frame.length 0, wanted at least 14',
      ],
    ]);
    expect(code).toBe(0);
    expect(stderr).toBe(
      `tenant-a/rental-7f3a: rental-7f3a ${GUEST_MAC} 100.64.0.5 → 203.0.113.10:51900 (Filtered, strict)\n` +
        '10 frames: 2 allowed, 1 answered, 7 dropped (2 FrameTooShort, 1 DestinationAddress, 1 DestinationPort, ' +
        '1 NotWireGuard, 1 SourceAddress, 1 SourceMac)\n',
    );
  });

  tested('as JSON: one object a line and nothing else', async () => {
    const at = { bytes: handshake(), seconds: 1_767_225_600, fraction: 7 };
    const { code, stdout, stderr } = await explain(manifest(), ...capture(at, arp()), ...by, '-o', 'json');
    expect(rowsOf(stdout)).toMatchObject([
      {
        index: 0,
        number: 1,
        direction: 'from-vm',
        engine,
        verdict: 'allow',
        reason: 'Allowed',
        reasonCode: 0,
        audited: false,
        decidingField: 'endpoint',
        found: '203.0.113.10:51900',
        wanted: null,
        time: '2026-01-01T00:00:00.000007000Z',
        frameBytes: 190,
        capturedBytes: 190,
      },
      { index: 1, verdict: 'reply', reason: 'ArpAnswered', reasonCode: 2 },
    ]);
    expect([code, stderr]).toEqual([0, '']);
  });

  tested('Conntrack: a flow is known after its first frame, both ways', async () => {
    const policy = manifest({ more: '  mode: Conntrack\n' });
    const other = ethernet(ipv4(udp(wireGuard(1, 148), 41001)));
    const frames = [handshake(), handshake(), FRAMES[1] ?? [], other, handshake({ to: '8.8.8.8' })];
    const { stdout } = await explain(policy, ...capture(...(frames as Uint8Array[])), ...by, '-o', 'json');
    expect(rowsOf(stdout).map(({ reason }) => reason)).toEqual([
      'Allowed',
      'AllowedFlow',
      'AllowedFlow',
      'Allowed',
      'DestinationAddress',
    ]);
  });

  tested(
    'Sampled: the same seed draws the same frames, another seed others; about as many as asked',
    async () => {
      const policy = manifest({ more: '  mode: Sampled\n  sampling: {ratePerMillion: 500000}\n' });
      const astray = capture(...new Array<Uint8Array>(400).fill(handshake({ to: '8.8.8.8' })));
      const drawn = async (seed: string): Promise<string> => {
        const { stdout } = await explain(policy, ...astray, ...by, '--seed', seed, '-o', 'json');
        return rowsOf(stdout)
          .map(({ reason }) =>
            reason === 'AllowedUnsampled' ? '-' : reason === 'DestinationAddress' ? 'x' : '?',
          )
          .join('');
      };
      const [one, again, two] = [await drawn('1'), await drawn('1'), await drawn('2')];
      expect(again).toBe(one);
      expect(two).not.toBe(one);
      // Fixed by the seed: binomial, n = 400, p = 1/2, five standard deviations are 50.
      expect(Math.abs(one.replaceAll('-', '').length - 200)).toBeLessThan(50);
      expect(one).not.toContain('?');
    },
  );

  tested('Audit: what would be dropped passes, and says so; a false sender does not', async () => {
    const policy = manifest({ more: '  enforcement: Audit\n  className: lenient\n' }) + LENIENT;
    const frames = [handshake({ to: '8.8.8.8' }), handshake({ from: '100.64.0.6' })];
    const { stdout, code } = await explain(policy, ...capture(...frames), ...by, '-o', 'json');
    expect(rowsOf(stdout)).toMatchObject([
      { verdict: 'allow', reason: 'DestinationAddress', audited: true },
      { verdict: 'drop', reason: 'SourceAddress', audited: false },
    ]);
    expect(code).toBe(0);
  });

  tested('limits go by the clock of the capture', async () => {
    const policy = manifest({ more: '  limits: {packetsPerSecond: 20}\n' });
    const frames = [0, 0, 10, 20_000, 61_000].map((fraction) => ({
      bytes: handshake(),
      seconds: 5,
      fraction,
    }));
    const { stdout } = await explain(policy, ...capture(...frames), ...by, '-o', 'json');
    expect(rowsOf(stdout).map(({ reason }) => reason)).toEqual([
      'Allowed',
      'PacketRate',
      'Allowed',
      'PacketRate',
      'Allowed',
    ]);
  });

  tested('a clock that goes back does not fill the buckets', async () => {
    const policy = manifest({ more: '  limits: {packetsPerSecond: 20}\n' });
    const frames = [60, 5, 4, 60].map((seconds) => ({ bytes: handshake(), seconds, fraction: 0 }));
    const { stdout } = await explain(policy, ...capture(...frames), ...by, '-o', 'json');
    expect(rowsOf(stdout).map(({ reason }) => reason)).toEqual([
      'Allowed',
      'PacketRate',
      'PacketRate',
      'PacketRate',
    ]);
  });

  tested('the previous endpoint passes until its grace ends', async () => {
    const policy = manifest({ more: '  endpointGraceSeconds: 30\n' });
    const frames = [100, 129, 130, 131].map((seconds) => ({
      bytes: handshake({ to: '198.51.100.7' }),
      seconds,
      fraction: 0,
    }));
    const previous = ['--previous-endpoint', '198.51.100.7:51900'];
    const { stdout } = await explain(policy, ...capture(...frames), ...by, ...previous, '-o', 'json');
    expect(rowsOf(stdout).map(({ reason }) => reason)).toEqual([
      'AllowedPreviousEndpoint',
      'AllowedPreviousEndpoint',
      'PreviousEndpointExpired',
      'PreviousEndpointExpired',
    ]);
  });

  tested('a quarantined VM exchanges nothing', async () => {
    const policy = manifest({ more: '  desiredState: Quarantined\n' });
    expect((await explain(policy, '--frame', hex(handshake()), ...by)).stdout).toContain('Quarantined');
  });

  tested('packets longer than the MTU of the tap', async () => {
    const frame = ethernet(ipv4(udp(wireGuard(4, 1488))));
    expect((await explain(manifest(), '--frame', hex(frame), ...by)).stdout).toContain('PacketTooBig');
  });

  tested('an ARP answer equal to the filter’s own passes towards the VM, any other does not', async () => {
    const answer = (senderAddress: string): Uint8Array => {
      const frame = arp({ operation: 2, senderMac: GATEWAY_MAC, senderAddress, targetAddress: '100.64.0.5' });
      frame.set(toVm([]).subarray(0, 12));
      frame.set(toVm([]).subarray(0, 6), 32);
      return frame;
    };
    const both = ['--frame', hex(answer('169.254.1.1')), '--frame', hex(answer('169.254.1.2'))];
    const { stdout } = await explain(manifest(), ...both, ...by, '-o', 'json');
    expect(rowsOf(stdout).map(({ reason, verdict }) => [verdict, reason])).toEqual([
      ['allow', 'ArpAnswered'],
      ['drop', 'ArpFromHost'],
    ]);
  });

  tested('--direction overrides the guess', async () => {
    const args = ['--frame', hex(handshake()), '--direction', 'to-vm', '-o', 'json'];
    expect(rowsOf((await explain(manifest(), ...args, ...by)).stdout)[0]).toMatchObject({
      direction: 'to-vm',
      reason: 'SourceMac',
    });
  });

  tested('a frame that was cut short is judged where the rest does not matter', async () => {
    const frames = [
      { bytes: handshake().subarray(0, 40), frameBytes: 190 },
      { bytes: handshake({ port: 53 }).subarray(0, 46), frameBytes: 190 },
      { bytes: ethernet([], { etherType: 0x86dd }), frameBytes: 900 },
    ];
    const { code, stdout } = await explain(manifest(), ...capture(...frames), ...by, '-o', 'json');
    expect(rowsOf(stdout)).toMatchObject([
      {
        verdict: 'unknown',
        reason: 'CaptureTruncated',
        reasonCode: null,
        decidingField: 'capture.length',
        rule: 'only 40 of 190 bytes were captured, 46 are needed',
      },
      { verdict: 'drop', reason: 'DestinationPort' },
      { verdict: 'drop', reason: 'Ipv6' },
    ]);
    expect(code).toBe(1);
  });
});

const LENIENT =
  '---\napiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: lenient}\nspec: {allowAudit: true}\n';

built.describe('several engines', () => {
  test('each frame gives a line an engine; they agree, and the exit code is 0', async () => {
    const { code, stdout, stderr } = await explain(
      manifest(),
      ...capture(...FRAMES),
      ...GUEST,
      '--engine',
      'c,ts',
      '-o',
      'json',
    );
    const rows = rowsOf(stdout);
    expect(rows.map(({ index, engine }) => `${index} ${engine}`)).toEqual(
      FRAMES.flatMap((_, index) => [`${index} c`, `${index} ts`]),
    );
    expect([code, stderr]).toEqual([0, '']);
  });

  test('in mode Sampled they draw the same frames', async () => {
    const policy = manifest({ more: '  mode: Sampled\n  sampling: {ratePerMillion: 300000}\n' });
    const astray = capture(...new Array<Uint8Array>(200).fill(handshake({ to: '8.8.8.8' })));
    const { code, stderr } = await explain(policy, ...astray, ...GUEST, '--engine', 'c,ts');
    expect([code, stderr.includes('differ')]).toEqual([0, false]);
  });
});
