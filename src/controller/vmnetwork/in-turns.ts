/**
 * Runs `task` for each item, `width` at a time, in order. After the first failure no more are begun; those under way are
 * awaited, and of what failed that of the first item is thrown: the same each time, whichever answer comes first.
 */
export async function inTurns<T>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const failures = new Map<number, unknown>();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length && failures.size === 0) {
      const index = next++;
      try {
        await task(items[index] as T);
      } catch (error) {
        failures.set(index, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  if (failures.size > 0) throw failures.get(Math.min(...failures.keys()));
}
