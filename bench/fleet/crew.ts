import { inTurns } from '../../src/controller/vmnetwork/in-turns.ts';

/** As `inTurns`: at most `width` at a time, in their order, until the first failure; the signal ends it too. */
export function crew<T>(
  items: readonly T[],
  width: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  return inTurns(items, width, async (item) => {
    signal.throwIfAborted();
    await work(item);
  });
}
