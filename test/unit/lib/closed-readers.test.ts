import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'closed-readers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The writing end of a pipe that nobody reads: each write fails, whenever it comes. */
function pipeWithoutReader(name: string): number {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  const both = openSync(path, 'r+');
  const writing = openSync(path, 'w');
  closeSync(both);
  return writing;
}

async function run(words: readonly string[], stdio: readonly [number | 'pipe', number | 'pipe']) {
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', ...stdio] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (more: string) => (text += more));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, text };
}

test.each([['src/agent/main.ts'], ['src/controller/main.ts'], ['src/cli/main.ts']])(
  '%s --help with no reader ends well, and says nothing',
  async (program) => {
    const gone = pipeWithoutReader(`out-${program.replaceAll('/', '-')}`);
    try {
      expect(await run([program, '--help'], [gone, 'pipe'])).toEqual({ code: 0, text: '' });
    } finally {
      closeSync(gone);
    }
  },
);

test.each([['src/agent/main.ts'], ['src/controller/main.ts']])(
  '%s with no reader of its errors keeps its exit code',
  async (program) => {
    const gone = pipeWithoutReader(`err-${program.replaceAll('/', '-')}`);
    try {
      expect(await run([program, '--nonsense'], ['pipe', gone])).toEqual({ code: 2, text: '' });
    } finally {
      closeSync(gone);
    }
  },
);
