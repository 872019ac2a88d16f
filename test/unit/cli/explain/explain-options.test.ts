import { spawn } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { poll } from '../../../support/lab/poll.ts';
import { arp, GUEST_MAC, handshake, pcap, type PcapFrame } from '../frame-builder.ts';
import { invoke } from '../invoke.ts';
import { manifest } from '../manifest-text.ts';
import { scratch } from '../scratch.ts';
import { ROOT, vmnetctl } from '../vmnetctl.ts';
import { rowsOf } from './rows.ts';

const files = scratch();

const GUEST = ['--guest-mac', GUEST_MAC, '--guest-address', '100.64.0.5'];
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');
const explain = (policy: string, ...args: string[]) =>
  invoke(['explain', '--policy', files.write('p.yaml', policy), '--state-dir', '/nonexistent', ...args]);
const capture = (...frames: readonly PcapFrame[]): string[] => [
  '--pcap',
  files.write('tap.pcap', pcap(frames)),
];
const ONLY_A_CLASS =
  'apiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: default}\nspec: {}\n';

describe('what explain goes by', () => {
  const by = ['--engine', 'ts'];
  const frame = ['--frame', hex(handshake())];

  test('--fail-on-drop makes a drop the exit code', async () => {
    const dropped = ['--frame', hex(handshake({ to: '8.8.8.8' })), ...by, ...GUEST, '--fail-on-drop'];
    expect(await explain(manifest(), ...dropped)).toMatchObject({ code: 1 });
    expect(await explain(manifest(), ...frame, ...by, ...GUEST, '--fail-on-drop')).toMatchObject({ code: 0 });
  });

  test('without a record the address is assumed, and that is said, with JSON too', async () => {
    for (const format of ['table', 'json']) {
      const { stderr } = await explain(manifest(), ...frame, ...by, '-o', format);
      expect(stderr).toMatch(/the guest address 100\.64\.\d+\.\d+ is assumed/);
    }
  });

  test('a network that is refused lets nothing pass', async () => {
    const policy = manifest({ more: '  enforcement: Audit\n' });
    const { code, stdout, stderr } = await explain(policy, ...frame, ...by, ...GUEST);
    expect(stdout).toContain('NoPolicy');
    expect(stderr).toMatch(/the VM is denied: VMNetwork tenant-a\/rental-7f3a is refused: spec\.enforcement/);
    expect(code).toBe(0);
  });

  test('limits are left out for frames without a time, and that is said', async () => {
    const policy = manifest({ more: '  limits: {packetsPerSecond: 1}\n' });
    const { stdout, stderr } = await explain(policy, ...frame, ...frame, ...frame, ...by, ...GUEST);
    expect(stdout.match(/Allowed/g)).toHaveLength(3);
    expect(stderr).toContain('limits are left out');
  });

  test('an empty capture has no frames and no fault', async () => {
    expect(await explain(manifest(), ...capture(), ...by)).toEqual({
      code: 0,
      stdout: '',
      stderr: 'the capture holds no frames\n',
    });
    expect(await explain(manifest(), ...capture(), ...by, '-o', 'json')).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('a capture that is cut off: the frames before, then the error', async () => {
    const whole = pcap([{ bytes: handshake() }, { bytes: handshake() }]);
    const cut = files.write('cut.pcap', whole.subarray(0, whole.length - 3));
    const { code, stdout, stderr } = await explain(manifest(), '--pcap', cut, ...by, ...GUEST, '-o', 'json');
    expect(rowsOf(stdout)).toHaveLength(1);
    expect(stderr).toMatch(/^vmnetctl: \S+cut\.pcap: the file ends within frame 2\n {2}\S/);
    expect(code).toBe(3);
  });

  test('a capture from standard input, judged as it comes', async () => {
    const policy = files.write('p.yaml', manifest());
    const words = ['explain', '--policy', policy, '--pcap', '-', ...by, ...GUEST];
    const outcome = await vmnetctl(words, { input: pcap([{ bytes: handshake() }]) });
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain('Allowed');
  });

  test('a live capture: what came is said before more comes', async () => {
    const policy = files.write('p.yaml', manifest());
    const words = [
      'src/cli/main.ts',
      'explain',
      '--policy',
      policy,
      '--pcap',
      '-',
      ...by,
      ...GUEST,
      '-o',
      'json',
    ];
    const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const capture = pcap([{ bytes: handshake() }, { bytes: arp() }]);
    child.stdin.write(capture.subarray(0, 24 + 16 + 190 + 7));
    await poll('the first frame', () => rowsOf(said).length === 1, { deadlineMs: 20_000 });
    child.stdin.end(capture.subarray(24 + 16 + 190 + 7));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(rowsOf(said).map(({ reason }) => reason)).toEqual(['Allowed', 'ArpAnswered']);
  });

  test('100,000 frames take little memory and time', async () => {
    const policy = files.write('p.yaml', manifest());
    const many = files.write('many.pcap', pcap(new Array(100_000).fill({ bytes: handshake() })));
    const words = ['explain', '--policy', policy, '--pcap', many, ...by, ...GUEST, '-o', 'json'];
    const begin = performance.now();
    const outcome = await vmnetctl(words, {
      prefix: ['/usr/bin/env', 'NODE_OPTIONS=--max-old-space-size=64'],
    });
    expect(outcome.code).toBe(0);
    expect(outcome.stdout.split('\n')).toHaveLength(100_001);
    expect(performance.now() - begin).toBeLessThan(30_000);
  });
});

describe('what explain refuses', () => {
  test.each<[string, string[], number, string]>([
    ['bad hex', ['--frame', '0102zz'], 2, "--frame: 'z' at digit 5 is not a hex digit"],
    ['odd hex', ['--frame', '012'], 2, 'an odd number of hex digits'],
    ['hostile hex', ['--frame', '\u001b[2J'], 2, "'\\x1b' at digit 1"],
    ['no frame', ['--frame', ''], 2, 'the frame is empty'],
    [
      'a capture that is not there',
      ['--pcap', '/nonexistent'],
      3,
      '/nonexistent: cannot be read: no such file',
    ],
    ['a capture that is empty', ['--pcap', '/dev/null'], 3, 'the file is empty'],
    ['a folder', ['--pcap', '/'], 3, 'it is a folder'],
    ['an endless device', ['--pcap', '/dev/zero'], 3, 'not a capture'],
    [
      'a bad MAC',
      ['--frame', '00', '--guest-mac', '1:2'],
      2,
      '--guest-mac 1:2 is not the MAC of a network card',
    ],
    [
      'a group MAC',
      ['--frame', '00', '--gateway-mac', '03:00:00:00:00:01'],
      2,
      'is not the MAC of a network card',
    ],
    ['a bad address', ['--frame', '00', '--guest-address', '010.0.0.1'], 2, 'is not an IPv4 address'],
    ['an IPv6 address', ['--frame', '00', '--guest-address', 'fd00::5'], 2, 'is an IPv6 address'],
    ['a host name', ['--frame', '00', '--guest-address', 'vm.example'], 2, 'vmnetctl status'],
    ['an unknown VM', ['--frame', '00', '--vm', 'x'], 2, '--vm x is none of tenant-a/rental-7f3a'],
    ['an unknown network', ['--frame', '00', '--network', 'x'], 2, '--network: tenant-a/rental-7f3a'],
    ['an unknown engine', ['--frame', '00', '--engine', 'rust'], 2, 'Give ebpf, c, ts or all'],
    ['no engine', ['--frame', '00', '--engine', ''], 2, 'Give ebpf, c, ts or all'],
    ['a bad seed', ['--frame', '00', '--seed', '-1'], 2, 'Give a whole number'],
    ['no previous endpoint', ['--frame', '00', '--previous-endpoint', '1.2.3.4'], 2, 'ADDRESS:PORT'],
    ['its port 0', ['--frame', '00', '--previous-endpoint', '1.2.3.4:0'], 2, 'ADDRESS:PORT'],
  ])('%s', async (_, args, code, message) => {
    const outcome = await explain(manifest(), '--engine', 'ts', ...args);
    expect(outcome.stderr).toContain(message);
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  });

  test('what cannot be read is all that is said', async () => {
    const { stderr } = await explain(manifest(), '--engine', 'ts', '--pcap', '/nonexistent');
    expect(stderr).toBe(
      'vmnetctl: /nonexistent: cannot be read: no such file\n  Check the name and the permissions.\n',
    );
  });

  test('an invalid manifest: its problems, and nothing is judged', async () => {
    const outcome = await explain(manifest({ endpoint: '1.2.3' }), '--frame', '00');
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toMatch(/p\.yaml:5: spec\.consumerEndpoint\.address must be/);
    expect(outcome.stderr).toContain('remedy:');
  });

  test('a manifest without a VMNetwork', async () => {
    const outcome = await explain(ONLY_A_CLASS, '--frame', '00');
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toContain('holds no VMNetwork');
  });

  test('a manifest that is not there', async () => {
    const outcome = await invoke(['explain', '--policy', '/nonexistent', '--frame', '00']);
    expect(outcome).toMatchObject({ code: 3, stdout: '' });
  });

  test('two things from standard input', async () => {
    const outcome = await invoke(['explain', '--policy', '-', '--pcap', '-']);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toContain('both to come from standard input');
  });
});
