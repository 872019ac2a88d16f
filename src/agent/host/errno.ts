/**
 * The errno name of what a call of Node's threw (`ENOENT`), or null. By shape, not by class: the same error may come from
 * another realm.
 */
export function errnoOf(cause: unknown): string | null {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return null;
  return typeof cause.code === 'string' ? cause.code : null;
}
