import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { capture, Lab, mustRun, poll } from '../support/lab/index.ts';

const LAB = fileURLToPath(new URL('../support/lab/index.ts', import.meta.url));

/** False for a zombie too: nobody may be there to collect an orphan. */
function isRunning(pid: number): boolean {
  const file = `/proc/${String(pid)}/stat`;
  return existsSync(file) && !/\) [ZX] /.test(readFileSync(file, 'utf8'));
}

describe('the lab', () => {
  const labs: Lab[] = [];
  afterEach(async () => {
    for (const lab of labs.splice(0)) await lab.close();
  });

  async function pair() {
    const lab = await Lab.create('t');
    labs.push(lab);
    const a = await lab.namespace('a');
    const b = await lab.namespace('b');
    await lab.connect(a, b, { nameA: 'va', nameB: 'vb', addressA: '192.0.2.1/24', addressB: '192.0.2.2/24' });
    return { lab, a, b };
  }

  test('a frame sent at one end is in the capture of the other, whole and once', async () => {
    const { a, b } = await pair();
    const seen = await capture(b, 'vb');
    const frame = Buffer.from(`ffffffffffff02000000000188b6${'ab'.repeat(50)}`, 'hex');
    await a.sendFrames('va', [frame]);
    await seen.drain();
    expect(seen.frames().map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual([frame.toString('hex')]);
    await seen.stop();
  });

  test('a capture shows nothing of what its filter leaves out, and drain still ends', async () => {
    const { a, b } = await pair();
    const seen = await capture(b, 'vb', 'udp port 9');
    await a.sendFrames('va', [Buffer.from(`ffffffffffff02000000000188b6${'ab'.repeat(50)}`, 'hex')]);
    await seen.drain();
    expect(seen.frames()).toEqual([]);
  });

  test('an impossible capture fails instead of seeing nothing', async () => {
    const { a } = await pair();
    await expect(capture(a, 'nosuch0')).rejects.toThrow(/nosuch0/);
  });

  test('close ends children and removes namespaces and files', async () => {
    const { lab, a } = await pair();
    const child = a.spawn(['sleep', '1000'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    await lab.close();
    await ended;
    expect(existsSync(a.path)).toBe(false);
    expect(existsSync(lab.scratch)).toBe(false);
    await lab.close();
  });

  test('a lab whose maker is killed with -9 goes too', async () => {
    const script = `
      const { Lab } = await import(${JSON.stringify(LAB)});
      const lab = await Lab.create('k');
      const a = await lab.namespace('a');
      const child = a.spawn(['sleep', '1000'], { stdio: 'ignore' });
      console.log(JSON.stringify({ id: a.id, path: a.path, scratch: lab.scratch, pid: child.pid }));
      setInterval(() => {}, 1000);`;
    const maker = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    maker.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await poll('the lab in another process', () => said.includes('\n'));
    const made = JSON.parse(said) as { id: string; path: string; scratch: string; pid: number };
    expect(await mustRun(['ip', 'netns', 'list'])).toContain(made.id);
    maker.kill('SIGKILL');
    await poll('the end of the lab', () => !existsSync(made.scratch));
    expect(existsSync(made.path)).toBe(false);
    await poll('the end of its child', () => !isRunning(made.pid));
  });
});
