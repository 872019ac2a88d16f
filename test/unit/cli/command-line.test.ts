import { spawn } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { root } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';
import type { Check } from '../../../src/cli/doctor/check.ts';
import { handshake, pcap } from './frame-builder.ts';
import { invoke } from './invoke.ts';
import { manifest } from './manifest-text.ts';
import { scratch } from './scratch.ts';
import { ROOT, vmnetctl } from './vmnetctl.ts';

const files = scratch();
const NOBODY = 65_534;

describe('usage errors exit with 2 and touch nothing', () => {
  test.each<[string, string[], string]>([
    ['no command', [], 'Usage: vmnetctl'],
    ['an unknown command', ['foo'], "unknown command 'foo'"],
    ['an unknown option', ['status', '--foo'], "unknown option '--foo'"],
    ['an unknown format', ['status', '-o', 'yaml'], 'json, table'],
    ['an argument too many', ['version', 'x'], 'too many arguments'],
    ['a missing argument', ['validate'], "missing required argument 'file'"],
    ['explain by nothing', ['explain', '--frame', '00'], 'there is no policy to judge by'],
    [
      'explain by two',
      ['explain', '--frame', '00', '--policy', 'x', '--live', 'y'],
      'both --policy and --live are given',
    ],
    [
      'explain by the kernel, and more',
      ['explain', '--frame', '00', '--live', 'y', '--guest-mac', 'z'],
      '--guest-mac has no meaning with --live',
    ],
    ['an interval too short', ['top', '--interval', '0'], 'Give seconds from 0.1 to 3600'],
    ['intervals that are none', ['top', '-n', '0'], 'Give a whole number from 1 on'],
    ['once and several times', ['top', '--once', '-n', '2'], "option '--once' cannot be used with"],
    ['two VMs', ['flows', 'a', 'b'], 'too many arguments'],
    ['a bad pool', ['status', '--pool', '100.64.0.0/33'], 'Give a network such as'],
    ['a bad wait', ['run', '-f', 'x', '--wait-enforced', '-1', '--', 'q'], 'Give seconds from 0 to 600'],
    ['run without QEMU', ['run', '-f', 'x'], "missing required argument 'command'"],
    ['run without a file', ['run', '--', 'qemu'], "required option '-f, --file <file>'"],
    ['a hostile option', ['status', '--\u001b[2J\u202e'], '--\\x1b[2J\\u{202e}'],
  ])('%s', async (_, args, message) => {
    const outcome = await invoke(args);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  });

  test.each([
    [[], 'there is nothing to judge'],
    [['--frame', '00', '--pcap', 'x'], 'both --frame and --pcap are given'],
  ])('explain with %j: what is wrong stands first, then what to do', async (args, fault) => {
    const policy = files.write('p.yaml', manifest());
    expect(await invoke(['explain', '--policy', policy, ...args])).toEqual({
      code: 2,
      stdout: '',
      stderr: `vmnetctl: ${fault} [VMN_USAGE]\n  Give either --frame or --pcap.\n`,
    });
  });
});

test.each([
  [[]],
  [['run']],
  [['status']],
  [['drops']],
  [['flows']],
  [['top']],
  [['explain']],
  [['peer-config']],
  [['validate']],
  [['doctor']],
  [['version']],
])('vmnetctl %j --help goes to standard output and documents the exit codes', async (command) => {
  const outcome = await invoke([...command, '--help']);
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect(outcome.stdout).toContain('Exit codes:');
  if (command.length > 0) expect(outcome.stdout).toContain(`  vmnetctl ${command[0] ?? ''}`);
});

test.each(['--version', '-V'])('vmnetctl %s', async (option) => {
  expect(await invoke([option])).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
});

test('vmnetctl help, and help for a command, say what --help says', async () => {
  expect(await invoke(['help'])).toEqual(await invoke(['--help']));
  expect(await invoke(['help', 'drops'])).toEqual(await invoke(['drops', '--help']));
  expect(await invoke(['help', 'nonsense'])).toMatchObject({ code: 2, stdout: '' });
});

requires(root).test('version as a user: what is built is not "not built"', async () => {
  const { code, stdout } = await vmnetctl(['version'], { uid: NOBODY });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^filter +(built; its tags show as root|not built: make build)$/m);
});

test('version', async () => {
  const { code, stdout } = await invoke(['version', '-o', 'json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ vmnetctl: '0.1.0', node: process.version });
});

test('doctor says what is there, what for, and for what is missing what to do', async () => {
  const { code, stdout } = await invoke(['doctor', '-o', 'json']);
  const answer = JSON.parse(stdout) as { ok: boolean; findings: Record<string, Omit<Check, 'name'>> };
  expect(Object.keys(answer.findings)).toEqual(expect.arrayContaining(['hook', 'CAP_BPF', 'bpffs', 'guard']));
  for (const { purpose, needed, found, remedy } of Object.values(answer.findings)) {
    expect(purpose).not.toBe('');
    if (found === 'yes') expect(remedy).toBe('');
    else if (needed) expect(remedy).not.toBe('');
  }
  expect(code).toBe(answer.ok ? 0 : 3);
  expect((await invoke(['doctor'])).stdout).toMatch(/^WHAT +FOR +NEEDED +FOUND +DETAIL +REMEDY\n/);
});

describe('run refuses before anything is made', () => {
  const nowhere = ['--state-dir', '/nonexistent', '--run-dir', '/nonexistent', '--bpffs', '/nonexistent'];
  const run = (file: string, ...command: string[]) =>
    invoke(['run', ...nowhere, '-f', file, '--', ...command]);

  test('an invalid manifest', async () => {
    const outcome = await run(files.write('bad.yaml', manifest({ endpoint: '1.2.3' })), 'true');
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('spec.consumerEndpoint.address');
  });

  test('a manifest that is missing', async () => {
    const outcome = await run('/nonexistent.yaml', 'true');
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toContain('/nonexistent.yaml: cannot be read: no such file');
  });

  test('QEMU that is not there', async () => {
    const outcome = await run(files.write('good.yaml', manifest()), 'qemu-system-nonsense');
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toContain('[VMN_QEMU_MISSING]');
    expect(outcome.stderr).toContain('qemu-system-nonsense');
  });

  test('a network card of its own', async () => {
    const outcome = await run(files.write('good.yaml', manifest()), 'qemu-system-nonsense', '-nic', 'user');
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain('-nic user');
  });

  const asRoot = requires(root);
  asRoot.test('a user who is not root', async () => {
    const words = ['run', ...nowhere, '-f', '-', '--', 'true'];
    const outcome = await vmnetctl(words, { uid: NOBODY, input: manifest() });
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toContain('[VMN_NOT_ROOT]');
  });

  for (const command of ['drops', 'status', 'flows', 'top']) {
    asRoot.test(`${command} needs root to read the kernel, too`, async () => {
      const outcome = await vmnetctl([command, '--run-dir', '/nonexistent'], { uid: NOBODY });
      expect(outcome).toMatchObject({ code: 3, stdout: '' });
      expect(outcome.stderr).toContain('[VMN_NOT_ROOT]');
    });
  }
});

test('a reader that leaves ends the command quietly', async () => {
  const policy = files.write('p.yaml', manifest());
  const capture = files.write('many.pcap', pcap(new Array(20_000).fill({ bytes: handshake() })));
  const child = spawn(
    process.execPath,
    ['src/cli/main.ts', 'explain', '--policy', policy, '--pcap', capture, '--engine', 'ts'],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).toBe(0);
  expect(stderr).not.toMatch(/EPIPE|bug/);
});
