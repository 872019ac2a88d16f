import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acquireLock, LockBusy, RecurringLock, withFileLock } from '../../../src/agent/host/lock.ts';

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

  test('who waits for it later lets the event loop turn, and has it when it is free', async () => {
    const other = acquireLock(path, { wait: true });
    const lock = new RecurringLock(path);
    const order: string[] = [];
    const work = lock.later(() => order.push('who waited'));
    await new Promise((resolve) => setTimeout(resolve, 1));
    order.push('the holder');
    other.release();
    await work;
    expect(order).toEqual(['the holder', 'who waited']);
    expect(existsSync(path)).toBe(false);
  });

  test('one that is not free in time: nothing is done, and it is not waited for again until it was had', async () => {
    const other = acquireLock(path, { wait: true });
    const lock = new RecurringLock(path);
    const done: string[] = [];
    const work = (): Promise<unknown> => lock.later(() => done.push('work'));
    await expect(work()).rejects.toThrow(LockBusy);
    // Told before the next turn of the event loop.
    const turn = new Promise((resolve) => setImmediate(resolve, 'a turn'));
    await expect(Promise.race([work(), turn])).rejects.toThrow(LockBusy);
    other.release();
    expect(done).toEqual([]);
    await work();
    expect(done).toEqual(['work']);
    // From here on it is.
    const again = acquireLock(path, { wait: true });
    const waiting = work();
    await new Promise((resolve) => setTimeout(resolve, 1));
    again.release();
    await waiting;
    expect(done).toEqual(['work', 'work']);
  });

  test('what takes it within work that has it does not wait, and it is let go when that throws', async () => {
    const lock = new RecurringLock(path);
    await expect(lock.later(() => lock.with(() => 42))).resolves.toBe(42);
    const work = lock.later(() => {
      throw new Error('inside');
    });
    await expect(work).rejects.toThrow('inside');
    expect(existsSync(path)).toBe(false);
    expect(lock.with(() => existsSync(path))).toBe(true);
  });

  test('one that cannot be had is an error where it is taken', async () => {
    writeFileSync(join(dir, 'run'), 'a file');
    const lock = new RecurringLock(path);
    await expect(lock.later(() => 42)).resolves.toBe(42);
    const code = 'VMN_STATE_UNREADABLE';
    await expect(lock.later(() => lock.with(() => 42))).rejects.toThrow(expect.objectContaining({ code }));
  });
});
