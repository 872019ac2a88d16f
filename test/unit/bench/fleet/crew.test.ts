import { describe, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { crew } from '../../../../bench/fleet/crew.ts';

const never = new AbortController().signal;

describe('a crew', () => {
  test('does everything once, never more at a time than it may', async () => {
    let present = 0;
    let most = 0;
    const done: number[] = [];
    await crew([1, 2, 3, 4, 5, 6, 7], 3, never, async (item) => {
      present += 1;
      most = Math.max(most, present);
      await turn();
      present -= 1;
      done.push(item);
    });
    expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  test('begins nothing more after a failure, and tells of it when nobody works any more', async () => {
    const begun: number[] = [];
    let ended = 0;
    const work = crew([1, 2, 3, 4, 5], 2, never, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('no');
      await turn();
      ended += 1;
    });
    await expect(work).rejects.toThrow('no');
    expect(begun).toEqual([1, 2]);
    expect(ended).toBe(1);
  });

  test('ends with the signal', async () => {
    const life = new AbortController();
    const begun: number[] = [];
    const work = crew([1, 2, 3], 1, life.signal, (item) => {
      begun.push(item);
      life.abort(new Error('time is up'));
      return Promise.resolve();
    });
    await expect(work).rejects.toThrow('time is up');
    expect(begun).toEqual([1]);
  });

  test('has nothing to do with nothing', async () => {
    await expect(crew([], 4, never, () => Promise.reject(new Error('why')))).resolves.toBeUndefined();
  });
});
