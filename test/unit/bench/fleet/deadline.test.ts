import { afterEach, describe, expect, test } from '@jest/globals';
import { Deadline, within } from '../../../../bench/fleet/deadline.ts';

const forever = new Promise<never>(() => undefined);

describe('a deadline', () => {
  const told: string[] = [];
  let deadline: Deadline;
  const start = (minutes: number): Deadline =>
    (deadline = new Deadline(minutes, (text) => told.push(text), 'fleet', 'a smaller one: --nodes 100'));
  afterEach(() => deadline.close());

  test('says what was being done when it passed, and what to do', async () => {
    start(1e-4).doing('binding');
    const passed = within(deadline.signal, forever);
    await expect(passed).rejects.toThrow(/after 0.0001 minutes.*about: binding\..*--nodes 100/);
    expect(told).toEqual(['binding']);
    expect(() => deadline.doing('more')).toThrow('binding');
    expect(() => deadline.tell('a last word')).not.toThrow();
  });

  test('can be brought about by what nobody waits for', async () => {
    const waits = within(start(1).signal, forever);
    deadline.fail(new Error('a host fell silent'));
    await expect(waits).rejects.toThrow('a host fell silent');
  });

  test('leaves nothing behind that would end another run', () => {
    const before = process.listenerCount('SIGINT');
    start(1).close();
    expect(process.listenerCount('SIGINT')).toBe(before);
    expect(deadline.signal.aborted).toBe(false);
  });
});

describe('work within a signal', () => {
  const life = new AbortController();

  test('ends as it ends', async () => {
    await expect(within(life.signal, Promise.resolve(1))).resolves.toBe(1);
    await expect(within(life.signal, Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  test('is not waited for once that is aborted', async () => {
    await expect(within(AbortSignal.abort(new Error('over')), forever)).rejects.toThrow('over');
  });
});
