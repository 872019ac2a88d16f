import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { laneRefusal } from '../../../scripts/testing/lane.ts';
import { giveOut, laneCount } from '../../../scripts/testing/lanes.ts';
import { TIERS, type Tier } from '../../../scripts/testing/tier.ts';
import { poll } from '../../support/lab/poll.ts';
import { optional, root } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';
import { RunnerSandbox } from './runner-sandbox.ts';

// Each run starts a Jest for each file.
jest.setTimeout(120_000);

const KERNEL = TIERS.find(({ name }) => name === 'kernel')!;

describe('files given out to lanes', () => {
  const tier: Tier = { ...KERNEL, longest: ['c', 'e'], alone: ['b'] };
  const files = ['a', 'b', 'c', 'd', 'e'].map((name) => `test/kernel/${name}.test.ts`);

  /** What happened, in order; a file takes as many turns as `turns` says, one if it says nothing. */
  async function given(
    count: number,
    turns: Record<string, number> = {},
    onFile: (name: string) => void = () => undefined,
    signal = new AbortController().signal,
  ): Promise<string[]> {
    const seen: string[] = [];
    const worker = (number: number) => ({
      run: async (file: string) => {
        const name = file.at(-'a.test.ts'.length) ?? '';
        seen.push(`${number}+${name}`);
        onFile(name);
        for (let turn = 0; turn < (turns[name] ?? 1); turn++) await new Promise(setImmediate);
        seen.push(`${number}-${name}`);
      },
      end: () => Promise.resolve(void seen.push(`${number} ends`)),
    });
    await giveOut(tier, files, count, worker, signal);
    return seen;
  }

  test('the longest first, each to the lane that is free, and last those that must be alone', async () => {
    const seen = await given(2, { c: 10 });
    expect(seen.slice(0, 6)).toEqual(['1+c', '2+e', '2-e', '2+a', '2-a', '2+d']);
    expect(seen.slice(-5)).toEqual(['1-c', '1 ends', '1+b', '1-b', '1 ends']);
  });

  test('all of them to one lane, one after another', async () => {
    const begun = (await given(1)).filter((event) => event.includes('+'));
    expect(begun).toEqual(['1+c', '1+e', '1+a', '1+d', '1+b']);
  });

  test('none once it is interrupted, and the lanes end', async () => {
    const interrupt = new AbortController();
    const seen = await given(2, {}, (name) => name === 'e' && interrupt.abort('enough'), interrupt.signal);
    expect(seen.filter((event) => event.includes('+'))).toEqual(['1+c', '2+e']);
    expect(seen).toEqual(expect.arrayContaining(['1 ends', '2 ends']));
  });

  test('as many lanes as the tier has, unless it is said otherwise', () => {
    expect(laneCount({ ...KERNEL, lanes: 1 }, undefined)).toBe(1);
    expect(laneCount(KERNEL, '0')).toBe(0);
    expect(laneCount(TIERS[0]!, '2')).toBe(0);
  });
});

const refusal = root.met ? laneRefusal() : null;
const lanes = { met: refusal === null, reason: `no lanes: ${refusal ?? ''}` };

requires(optional(root), optional(lanes)).describe('the kernel tier in lanes', () => {
  const sandbox = new RunnerSandbox();
  const notes = mkdtempSync(join(tmpdir(), 'vmnetwork-lanes-'));
  afterAll(() => {
    sandbox.remove();
    rmSync(notes, { recursive: true });
  });
  const note = (name: string): string => join(notes, name);
  const OK = `test('is well', () => {});`;
  /** In a source: how to wait, and what there is to see. */
  const TOOLS = `
    import { execFileSync, spawn } from 'node:child_process';
    import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
    const until = async (is) => { while (!is()) await new Promise((resolve) => setTimeout(resolve, 20)); };
    const commands = () => readdirSync('/proc').filter((name) => /^\\d+$/.test(name))
      .map((pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'utf8'); } catch { return ''; } });
    const interfaces = () => readdirSync('/sys/class/net');
  `;
  /** A process of the whole machine that has this word in its command line. */
  const isRunning = (word: string): boolean =>
    readdirSync('/proc').some((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
      } catch {
        return false;
      }
    });

  test('two files run at once, and neither sees the processes, names, pins and interfaces of the other', async () => {
    /** It shows something of itself, and looks around when the other has done so too. */
    const neighbour = (own: string, other: string): string => `${TOOLS}
      test('sees nothing of ${other}', async () => {
        execFileSync('ip', ['tuntap', 'add', '${own}', 'mode', 'tap']);
        const child = spawn('sleep', ['1000'], { argv0: '${own}' });
        mkdirSync('/run/netns/${own}');
        mkdirSync('/sys/fs/bpf/vmn-${own}');
        writeFileSync('${notes}/${own}', '');
        await until(() => existsSync('${notes}/${other}'));
        expect(commands().filter((command) => command.startsWith('${other}'))).toEqual([]);
        expect(interfaces().sort()).toEqual(['${own}', 'lo']);
        expect(readdirSync('/run/netns')).toEqual(['${own}']);
        expect(readdirSync('/sys/fs/bpf')).toContain('vmn-${own}');
        expect(readdirSync('/sys/fs/bpf')).not.toContain('vmn-${other}');
        expect(readFileSync('/proc/self/mounts', 'utf8')).toContain(' /sys/fs/cgroup');
        child.kill('SIGKILL');
        execFileSync('ip', ['link', 'delete', '${own}']);
        for (const folder of ['/run/netns/', '/sys/fs/bpf/vmn-']) rmdirSync(folder + '${own}');
      });`;
    const sources = { 'kernel/a': neighbour('lane-a', 'lane-b'), 'kernel/b': neighbour('lane-b', 'lane-a') };
    const { output, results } = await sandbox.run('kernel', sources, { VMN_LANES: '2' });
    expect(output).toContain('2 passed, 0 failed, 0 skipped');
    expect(results.tiers[0]?.tests.map(({ file }) => file)).toEqual(
      ['a', 'b'].map((name) => `test/kernel/${name}.test.ts`),
    );
    // Of each the lines stand together.
    expect(output).toMatch(/^ {2}test\/kernel\/b\.test\.ts\n( {4}ok .*\n)? {2}ok test\/kernel\/b\.test\.ts/m);
    expect(readdirSync('/sys/fs/bpf').filter((name) => name.startsWith('vmn-lane-'))).toEqual([]);
  });

  test('what a file leaves in its lane is told and is a failed test in CI; the next file does not see it', async () => {
    const leaves = `${TOOLS}
      test('leaves a process', () => {
        spawn('sleep', ['1234'], { detached: true, stdio: 'ignore' }).unref();
        mkdirSync('/run/netns/left-there');
      });`;
    const sees = `${TOOLS}
      test('sees nothing', () => expect(readdirSync('/run/netns')).toEqual([]));`;
    const sources = { 'kernel/a': leaves, 'kernel/b': sees };
    const { last, results } = await sandbox.run('kernel', sources, { VMN_LANES: '1', CI: 'true' });
    expect(last).toBe('2 passed, 1 failed, 0 skipped');
    const failed = results.tiers[0]?.tests.find(({ status }) => status === 'failed');
    expect(failed?.failure).toContain('network namespace left-there (test/kernel/a.test.ts)');
    expect(failed?.failure).toMatch(/process \d+ sleep 1234 \(test\/kernel\/a\.test\.ts\)/);
    expect(isRunning('sleep\u00001234')).toBe(false);
  });

  test('a lane that dies is a failed test of its file, and the others run all the same', async () => {
    const dies = `test('ends its lane', () => process.kill(process.ppid, 'SIGKILL'));`;
    const sources = { 'kernel/a': dies, 'kernel/b': OK };
    const { last, results } = await sandbox.run('kernel', sources, { VMN_LANES: '1' });
    expect(last).toBe('1 passed, 1 failed, 0 skipped');
    expect(results.tiers[0]?.tests[0]).toMatchObject({
      ...{ status: 'failed', file: 'test/kernel/a.test.ts' },
      failure: expect.stringContaining('its lane ended'),
    });
  });

  test('an interrupted run ends all lanes, and leaves nothing', async () => {
    const hangs = (own: string): string => `${TOOLS}
      test('hangs', async () => {
        spawn('sleep', ['1000'], { argv0: '${own}' });
        await until(() => commands().some((command) => command.startsWith('${own}')));
        writeFileSync('${notes}/${own}', '');
        await until(() => false);
      }, 100_000);`;
    const sources = { 'kernel/a': hangs('lane-stuck-a'), 'kernel/b': hangs('lane-stuck-b'), 'kernel/c': OK };
    const { status, output } = await sandbox.run('kernel', sources, { VMN_LANES: '2' }, async (pid) => {
      const areThere = (): boolean =>
        ['lane-stuck-a', 'lane-stuck-b'].every((name) => existsSync(note(name)));
      await poll('both to hang', areThere, { deadlineMs: 60_000 });
      process.kill(pid, 'SIGTERM');
    });
    expect(status).toBe(1);
    expect(output).toContain('kernel: interrupted');
    expect(output).not.toContain('c.test.ts');
    expect(isRunning('lane-stuck-')).toBe(false);
  });

  test('where unshare is refused they run one after another, and it is said why', async () => {
    const words = 'unshare: unshare failed: Operation not permitted';
    writeFileSync(note('unshare'), `#!/bin/sh\necho '${words}' >&2\nexit 1\n`, { mode: 0o755 });
    const path = { PATH: `${notes}:${process.env['PATH'] ?? ''}` };
    const { last, output } = await sandbox.run('kernel', { 'kernel/a': OK, 'kernel/b': OK }, path);
    expect(last).toBe('2 passed, 0 failed, 0 skipped');
    expect(output).toContain(words);
  });
});
