import { describe, expect, test } from '@jest/globals';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { file } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';
import { ADDON_PATH } from '../../../src/native/addon.ts';
import { arp, ethernet, GATEWAY_MAC, ipv4, pcap, udp, wireGuard } from './frame-builder.ts';
import { invoke } from './invoke.ts';
import { manifest } from './manifest-text.ts';
import { scratch } from './scratch.ts';
import { vmnetctl } from './vmnetctl.ts';

const files = scratch();
const built = requires(file(ADDON_PATH, 'make build'));

const MAC = identityOf('rental-7f3a').guestMac;
const ADDRESS = '100.64.0.5';
const fromVm = (payload: number[], etherType = 0x0800): Uint8Array =>
  ethernet(payload, { source: MAC, etherType });
const toVm = (payload: number[]): Uint8Array => ethernet(payload, { source: GATEWAY_MAC, destination: MAC });
const initiation = fromVm(ipv4(udp(wireGuard(1, 148))));
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');

const FRAMES: Uint8Array[] = [
  initiation,
  toVm(ipv4(udp(wireGuard(2, 92), 51900, 41000), { from: '203.0.113.10', to: ADDRESS })),
  fromVm(ipv4(udp([1, 2, 3], 5000, 53), { to: '8.8.8.8' })),
  fromVm(ipv4(udp(wireGuard(1, 148), 41000, 51901))),
  fromVm(ipv4(udp([1, 2, 3]))),
  fromVm(ipv4(udp(wireGuard(1, 148)), { from: '100.64.0.6' })),
  ethernet(ipv4(udp(wireGuard(1, 148))), { source: '02:00:00:00:00:09' }),
  arp({ senderMac: MAC }),
  Uint8Array.of(1, 2, 3),
];

/** The last frame's ARP has our MAC inside only; the header needs it, too. */
FRAMES[7] = Uint8Array.from(FRAMES[7] ?? []);
FRAMES[7].set(
  MAC.split(':').map((part) => parseInt(part, 16)),
  6,
);

const explain = (...args: string[]) =>
  invoke(['explain', '--policy', files.write('p.yaml', manifest()), '--state-dir', '/nonexistent', ...args]);

interface Answer {
  policy: { guestAddress: string; guestAddressFrom: string; denied: string | null };
  frames: {
    number: number;
    direction: string;
    verdict: string;
    reason: string;
    rule: string;
    time: string | null;
  }[];
  counts: object;
}

built.describe('vmnetctl explain', () => {
  test('the filter itself judges each frame of a capture', async () => {
    const capture = files.write('tap.pcap', pcap(FRAMES.map((bytes) => ({ bytes }))));
    const { code, stdout, stderr } = await explain('--pcap', capture, '--guest-address', ADDRESS);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect(rows.map((row) => row.slice(0, 5))).toEqual([
      ['#', 'DIRECTION', 'VERDICT', 'REASON', 'FRAME'],
      [
        '1',
        'from-vm',
        'allow',
        'Allowed',
        'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
      ],
      [
        '2',
        'to-vm',
        'allow',
        'Allowed',
        'IPv4 203.0.113.10:51900 > 100.64.0.5:41000 UDP 92 bytes WireGuard handshake response',
      ],
      ['3', 'from-vm', 'drop', 'DestinationAddress', 'IPv4 100.64.0.5:5000 > 8.8.8.8:53 UDP 3 bytes DNS'],
      [
        '4',
        'from-vm',
        'drop',
        'DestinationPort',
        'IPv4 100.64.0.5:41000 > 203.0.113.10:51901 UDP 148 bytes WireGuard handshake initiation',
      ],
      ['5', 'from-vm', 'drop', 'NotWireGuard', 'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 3 bytes'],
      [
        '6',
        'from-vm',
        'drop',
        'SourceAddress',
        'IPv4 100.64.0.6:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation',
      ],
      [
        '7',
        'from-vm',
        'drop',
        'SourceMac',
        'IPv4 100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation [02:00:00:00:00:09 > 02:76:6d:6e:00:01]',
      ],
      ['8', 'from-vm', 'allow', 'ArpAnswered', `ARP who has 169.254.1.1, asks 100.64.0.5 at ${MAC}`],
      ['9', 'from-vm', 'drop', 'FrameTooShort', '3 bytes, too short for Ethernet'],
    ]);
    expect(rows.slice(1).every((row) => (row[5] ?? '').length > 10)).toBe(true);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `tenant-a/rental-7f3a: rental-7f3a ${MAC} 100.64.0.5 → 203.0.113.10:51900 (strict)\n3 allowed, 6 dropped\n`,
    );
  });

  test('as JSON', async () => {
    const capture = files.write(
      'tap.pcap',
      pcap([{ bytes: initiation, seconds: 1_767_225_600, fraction: 7 }]),
    );
    const { code, stdout, stderr } = await explain(
      '--pcap',
      capture,
      '--guest-address',
      ADDRESS,
      '-o',
      'json',
    );
    const answer = JSON.parse(stdout) as Answer;
    expect(answer.frames).toMatchObject([
      {
        number: 1,
        direction: 'from-vm',
        verdict: 'allow',
        reason: 'Allowed',
        time: '2026-01-01T00:00:00.000007000Z',
      },
    ]);
    expect(answer).toMatchObject({
      policy: { guestAddress: ADDRESS, guestAddressFrom: 'option', denied: null },
      counts: { allowed: 1, dropped: 0, unknown: 0 },
    });
    expect([code, stderr]).toEqual([0, '']);
  });

  test('frames given by hand, several; exit code 0 when all pass', async () => {
    const frame = ['--frame', hex(initiation)];
    expect(await explain(...frame, ...frame, '--guest-address', ADDRESS)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('2 allowed, 0 dropped') as unknown,
    });
  });

  test('without a record the address is assumed, and said so', async () => {
    const { stderr, code } = await explain('--frame', hex(initiation));
    expect(stderr).toContain('the guest address is assumed');
    expect(code).toBe(1);
  });

  test('an ARP answer equal to the filter’s own passes towards the VM, any other does not', async () => {
    const answer = (sender: string): Uint8Array => {
      const mac = MAC.split(':').map((part) => parseInt(part, 16));
      const gateway = GATEWAY_MAC.split(':').map((part) => parseInt(part, 16));
      const body = [
        0,
        1,
        8,
        0,
        6,
        4,
        0,
        2,
        ...gateway,
        ...sender.split('.').map(Number),
        ...mac,
        100,
        64,
        0,
        5,
      ];
      return ethernet(body, { source: GATEWAY_MAC, destination: MAC, etherType: 0x0806 });
    };
    const both = ['--frame', hex(answer('169.254.1.1')), '--frame', hex(answer('169.254.1.2'))];
    const { stdout } = await explain(...both, '--guest-address', ADDRESS, '-o', 'json');
    expect((JSON.parse(stdout) as Answer).frames.map(({ reason }) => reason)).toEqual([
      'ArpAnswered',
      'ArpFromHost',
    ]);
  });

  test('--direction overrides the guess', async () => {
    const { stdout } = await explain('--frame', hex(initiation), '--direction', 'to-vm', '-o', 'json');
    expect((JSON.parse(stdout) as Answer).frames[0]).toMatchObject({
      direction: 'to-vm',
      reason: 'SourceMac',
    });
  });

  test('a network that this version refuses lets nothing pass', async () => {
    const policy = files.write('sampled.yaml', manifest({ more: '  mode: Sampled\n' }));
    const args = ['explain', '--policy', policy, '--guest-address', ADDRESS, '--frame', hex(initiation)];
    const { code, stdout, stderr } = await invoke(args);
    expect(stdout).toContain('NoPolicy');
    expect(stderr).toContain(
      'the VM is denied: VMNetwork tenant-a/rental-7f3a is refused: spec.mode (Sampled)',
    );
    expect(code).toBe(1);
  });

  test('a quarantined VM exchanges nothing', async () => {
    const policy = files.write('q.yaml', manifest({ more: '  desiredState: Quarantined\n' }));
    const args = ['explain', '--policy', policy, '--guest-address', ADDRESS, '--frame', hex(initiation)];
    expect((await invoke(args)).stdout).toContain('Quarantined');
  });

  test('a capture that is cut off: the frames before, then the error', async () => {
    const whole = pcap([{ bytes: initiation }, { bytes: initiation }]);
    const capture = files.write('cut.pcap', whole.subarray(0, whole.length - 3));
    for (const format of ['table', 'json']) {
      const outcome = await explain('--pcap', capture, '--guest-address', ADDRESS, '-o', format);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain('the file ends within frame 2');
      if (format === 'json') expect((JSON.parse(outcome.stdout) as Answer).frames).toHaveLength(1);
    }
  });

  test('an empty capture has no frames and no fault', async () => {
    const capture = files.write('empty.pcap', pcap([]));
    const outcome = await explain('--pcap', capture, '-o', 'json');
    expect(outcome.code).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ frames: [], counts: { allowed: 0, dropped: 0 } });
  });

  test('a capture from standard input', async () => {
    const policy = files.write('p.yaml', manifest());
    const words = ['explain', '--policy', policy, '--pcap', '-', '--guest-address', ADDRESS];
    const outcome = await vmnetctl(words, { input: pcap([{ bytes: initiation }]) });
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain('Allowed');
  });
});

describe('what explain refuses', () => {
  test.each<[string, string[], number, string]>([
    ['bad hex', ['--frame', '0102zz'], 1, "'z' at digit 5 is not a hex digit"],
    ['odd hex', ['--frame', '012'], 1, 'an odd number of hex digits'],
    ['hostile hex', ['--frame', '\u001b[2J'], 1, "'\\x1b' at digit 1"],
    ['no frame', ['--frame', ''], 1, 'the frame is empty'],
    [
      'a capture that is not there',
      ['--pcap', '/nonexistent'],
      1,
      '/nonexistent: cannot be read: no such file',
    ],
    ['a capture that is empty', ['--pcap', '/dev/null'], 1, 'the file is empty'],
    ['a folder', ['--pcap', '/'], 1, 'it is a folder'],
    ['a bad MAC', ['--frame', '00', '--guest-mac', '1:2'], 2, 'Give the MAC of one card'],
    ['a bad address', ['--frame', '00', '--guest-address', '010.0.0.1'], 2, 'Give an IPv4 address'],
    ['an unknown VM', ['--frame', '00', '--vm', 'x'], 2, '--vm: rental-7f3a'],
    ['an unknown network', ['--frame', '00', '--network', 'x'], 2, '--network: tenant-a/rental-7f3a'],
  ])('%s', async (_, args, code, message) => {
    const outcome = await explain(...args);
    expect(outcome.stderr).toContain(message);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  });

  test('an invalid manifest: its problems, and nothing is judged', async () => {
    const policy = files.write('bad.yaml', manifest({ endpoint: '1.2.3' }));
    const outcome = await invoke(['explain', '--policy', policy, '--frame', '00']);
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toContain(`${policy}:5: spec.consumerEndpoint.address must be`);
    expect(outcome.stderr).toContain('remedy:');
  });

  test('a manifest without a VMNetwork', async () => {
    const policy = files.write(
      'class.yaml',
      'apiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: default}\nspec: {}\n',
    );
    const outcome = await invoke(['explain', '--policy', policy, '--frame', '00']);
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toContain('holds no VMNetwork');
  });
});
