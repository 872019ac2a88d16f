import { expect, test } from '@jest/globals';
import { inTurns } from '../../../src/controller/vmnetwork/in-turns.ts';
import { settle } from '../../support/fake-clock.ts';

/** Tasks that end when they are told to, by the number of their item. */
function scene() {
  const begun: number[] = [];
  const ends = new Map<number, (error?: Error) => void>();
  const run = inTurns([0, 1, 2, 3, 4], 3, (item) => {
    begun.push(item);
    return new Promise((resolve, reject) => {
      ends.set(item, (error) => (error === undefined ? resolve() : reject(error)));
    });
  });
  return { begun, run, end: (item: number, error?: Error) => ends.get(item)?.(error) };
}

test('as many as there is width for are under way, the next when one ends', async () => {
  const { begun, run, end } = scene();
  expect(begun).toEqual([0, 1, 2]);
  end(1);
  await settle();
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const item of [0, 2, 3]) end(item);
  await settle();
  end(4);
  await run;
});

test('after a failure none is begun, and what is thrown does not depend on which answer came first', async () => {
  const { begun, run, end } = scene();
  let ended = false;
  const watched = run.finally(() => (ended = true));
  watched.catch(() => undefined);
  end(2, new Error('of the third'));
  await settle();
  expect(ended).toBe(false);
  end(1, new Error('of the second'));
  end(0);
  await expect(watched).rejects.toThrow('of the second');
  expect(begun).toEqual([0, 1, 2]);
});
