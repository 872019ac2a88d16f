import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acquireLock, withFileLock } from '../../../src/agent/host/lock.ts';

const LOCK_MODULE = new URL('../../../src/agent/host/lock.ts', import.meta.url).href;

describe('the lock files', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vmn-lock-'));
    path = join(dir, 'run', 'agent.lock');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('one holder at a time; released, the file is gone', () => {
    const lock = acquireLock(path, { wait: false });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(() => acquireLock(path, { wait: false })).toThrow(
      expect.objectContaining({ code: 'VMN_AGENT_RUNNING' }),
    );
    lock.release();
    lock.release();
    expect(existsSync(path)).toBe(false);
    acquireLock(path, { wait: false }).release();
  });

  test('a file that somebody left behind is no holder', () => {
    withFileLock(path, () => undefined);
    writeFileSync(path, '');
    expect(withFileLock(path, () => 42)).toBe(42);
  });

  test('is let go when the body throws', () => {
    expect(() =>
      withFileLock(path, () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    withFileLock(path, () => undefined);
  });

  test('a folder that cannot be made is an error', () => {
    writeFileSync(join(dir, 'run'), 'a file');
    expect(() => acquireLock(path, { wait: true })).toThrow(
      expect.objectContaining({ code: 'VMN_STATE_UNREADABLE' }),
    );
  });

  test('processes that contend for it, each removing the file, are never inside together', async () => {
    const counter = join(dir, 'counter');
    writeFileSync(counter, '0');
    const script = `
      const { withFileLock } = await import(${JSON.stringify(LOCK_MODULE)});
      const { readFileSync, writeFileSync } = await import('node:fs');
      for (let turn = 0; turn < 300; turn += 1) {
        withFileLock(${JSON.stringify(path)}, () => {
          const value = Number(readFileSync(${JSON.stringify(counter)}, 'utf8'));
          for (const end = performance.now() + 0.05; performance.now() < end; ) ;
          writeFileSync(${JSON.stringify(counter)}, String(value + 1));
        });
      }`;
    const run = promisify(execFile);
    const child = (): Promise<unknown> => run(process.execPath, ['--input-type=module', '--eval', script]);
    await Promise.all([child(), child(), child()]);
    expect(readFileSync(counter, 'utf8')).toBe('900');
    expect(existsSync(path)).toBe(false);
  }, 30_000);
});
