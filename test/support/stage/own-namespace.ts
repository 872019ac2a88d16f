import { closeSync, openSync } from 'node:fs';
import { setNetns } from '../../../src/native/process.ts';
import type { Namespace } from '../lab/index.ts';

/**
 * Moves this thread, and whatever it spawns from now on, into a namespace, so that the native facades work on its
 * interfaces. Returns the way back.
 */
export function moveInto(namespace: Namespace): () => void {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  setNetns(namespace.path);
  let away = true;
  return () => {
    if (!away) return;
    away = false;
    setNetns(`/proc/self/fd/${String(home)}`);
    closeSync(home);
  };
}
