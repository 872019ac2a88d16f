/** As many as the API shows; a guest chooses how many kinds there are. */
export const MOST_KINDS = 8;

/**
 * Adds one of a kind as the latest, and lets one go when there are too many: the oldest of the reason that has the most. So a scan,
 * which is one reason and many destinations, crowds out itself and no single frame of another reason. In order of time.
 */
export function keepKind<Kind>(
  kinds: Map<string, Kind>,
  key: string,
  kind: Kind,
  reasonOf: (kind: Kind) => string,
): void {
  // Taken out first, so that the order is that of the last time.
  kinds.delete(key);
  kinds.set(key, kind);
  if (kinds.size <= MOST_KINDS) return;
  const counts = new Map<string, number>();
  for (const one of kinds.values()) counts.set(reasonOf(one), (counts.get(reasonOf(one)) ?? 0) + 1);
  const most = Math.max(...counts.values());
  const [oldest] = [...kinds].find(([, one]) => counts.get(reasonOf(one)) === most) ?? [];
  if (oldest !== undefined) kinds.delete(oldest);
}
