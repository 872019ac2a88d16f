import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Lab, poll } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { rowsOf } from '../unit/cli/explain/rows.ts';
import { manifest } from '../unit/cli/manifest-text.ts';
import { ROOT } from '../unit/cli/vmnetctl.ts';
import { explained, GUEST_OPTIONS, Recording, SCENE } from './explain-recording.ts';

const { describe } = requires(root, executable('tcpdump'), executable('ethtool'), executable('ping'));

const ENGINE = ['--engine', 'ts'] as const;

describe('explain, of what tcpdump writes', () => {
  let lab: Lab;
  let recording: Recording;
  let policy: string;

  beforeAll(async () => {
    lab = await Lab.create('explainfmt');
    recording = await Recording.open(lab);
    policy = join(lab.scratch, 'policy.yaml');
    writeFileSync(policy, manifest());
  }, 30_000);
  afterAll(async () => {
    await lab?.close();
  }, 30_000);

  /** tcpdump in the world, listening; its packets go to standard output unless `options` say otherwise. */
  async function listening(...options: readonly string[]): Promise<ChildProcess> {
    const words = ['tcpdump', '-n', '-U', '--immediate-mode', '-Z', 'root', ...options];
    const child = recording.world.spawn(words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await poll('tcpdump', () => said.includes('listening on'), { detail: () => said });
    return child;
  }

  const ping = (): Promise<unknown> =>
    recording.guest.run(['ping', '-n', '-c', '1', '-W', '2', '-s', '200', SCENE.elsewhere]);

  /** Pings while tcpdump writes a file of two frames. */
  async function recorded(name: string, ...options: readonly string[]): Promise<string> {
    const file = join(lab.scratch, name);
    const child = await listening('-w', file, '-c', '2', ...options, 'ip');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await ping();
    await ended;
    return file;
  }

  test.each([
    ['microseconds', [], /\.\d{6}000Z$/],
    ['nanoseconds', ['--time-stamp-precision=nano'], /\.\d{9}Z$/],
    ['60 bytes of each frame', ['-s', '60'], /Z$/],
  ])('%s', async (name, options, time) => {
    const file = await recorded(`${name}.pcap`, '-i', 'tap', ...options);
    const { rows, code } = await explained(file, policy, ...ENGINE);
    const echo = rows.filter(({ summary }) => summary.includes('ICMP echo'));
    expect(echo.map(({ direction, reason }) => `${direction} ${reason}`)).toEqual([
      'from-vm Protocol',
      'to-vm Protocol',
    ]);
    for (const row of rows) expect(row.time).toMatch(time);
    expect(echo.map(({ frameBytes }) => frameBytes)).toEqual([242, 242]);
    expect(code).toBe(0);
  });

  test('20 bytes of each frame are too few for an echo request, and that is said', async () => {
    const file = await recorded('tiny.pcap', '-i', 'tap', '-s', '20');
    const { rows, code } = await explained(file, policy, ...ENGINE);
    expect(rows.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ['unknown', 'CaptureTruncated'],
      ['unknown', 'CaptureTruncated'],
    ]);
    expect(code).toBe(1);
  });

  test('a capture on "any" has no MACs: how to capture anew', async () => {
    const file = await recorded('any.pcap', '-i', 'any');
    const { code, stdout, stderr } = await explained(file, policy, ...ENGINE);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('Linux "cooked"');
    expect(stderr).toContain('tcpdump -i vmn-');
  });

  test('tcpdump -w - | vmnetctl explain --pcap -: each frame as it comes; the end of one is the end of both', async () => {
    const tcpdump = await listening('-i', 'tap', '-w', '-', 'icmp');
    const words = ['src/cli/main.ts', 'explain', '--policy', policy, '--pcap', '-', '-o', 'json'];
    const child = spawn(process.execPath, [...words, ...ENGINE, ...GUEST_OPTIONS], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    tcpdump.stdout?.pipe(child.stdin);
    for (const frames of [2, 4]) {
      await ping();
      await poll('the ping', () => rowsOf(said.slice(0, said.lastIndexOf('\n') + 1)).length === frames, {
        detail: () => said,
        deadlineMs: 20_000,
      });
    }
    tcpdump.kill('SIGINT');
    expect(await ended).toBe(0);
  });
});
