import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestResults } from '../../../scripts/testing/test-results.ts';
import { projectRoot } from './source-files.ts';

const HEAD = `
import { expect, test } from '@jest/globals';
import { testWhen, requires } from '../support/skip.ts';
`;

/** A project with the real runner and tests of our choice, so that the runner can be seen to fail. */
export class RunnerSandbox {
  readonly folder = mkdtempSync(join(tmpdir(), 'vmnetwork-runner-'));

  constructor() {
    for (const copied of ['scripts', 'test/support/skip.ts', 'jest.config.js', 'package.json']) {
      cpSync(join(projectRoot, copied), join(this.folder, copied), { recursive: true });
    }
    symlinkSync(join(projectRoot, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /**
   * Runs a tier with no other tests than these: sources by name, such as `unit/a`. `during` is called with the process id of
   * the runner.
   */
  async run(
    tier: string,
    sources: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>> = {},
    during: (pid: number) => Promise<void> = async () => undefined,
  ) {
    const tierFolder = join(this.folder, 'test', tier);
    rmSync(tierFolder, { recursive: true, force: true });
    for (const [name, source] of Object.entries(sources)) {
      const path = join(this.folder, 'test', `${name}.test.ts`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, HEAD + source);
    }
    const { CI: _ci, ...inherited } = process.env;
    const runner = spawn(process.execPath, ['scripts/test.ts', tier], {
      cwd: this.folder,
      env: { ...inherited, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    runner.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    runner.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = once(runner, 'close') as Promise<[number | null]>;
    await during(runner.pid ?? 0);
    const [status] = await closed;
    const results = JSON.parse(
      readFileSync(join(this.folder, 'build', 'test-results.json'), 'utf8'),
    ) as TestResults;
    return { status, output: stdout + stderr, last: stdout.trimEnd().split('\n').at(-1), results };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
