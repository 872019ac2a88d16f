import { type FSWatcher, watch } from 'node:fs';

/**
 * Folders that nobody but the agent should write to: calls back when somebody did, the agent too. Each is told of once, until it is
 * watched anew: whoever is told reads all of them again, and that is what it says before it does so. What is not there, or where
 * inotify ran out, is not watched.
 */
export class TouchedFolders {
  readonly #onTouch: () => void;
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(onTouch: () => void) {
    this.#onTouch = onTouch;
  }

  /** These and no others, from now on: to be called before they are read. */
  watch(paths: Iterable<string>): void {
    const wanted = new Set(paths);
    for (const path of this.#watchers.keys()) if (!wanted.has(path)) this.#forget(path);
    for (const path of wanted) if (!this.#watchers.has(path)) this.#begin(path);
  }

  /** Idempotent. */
  close(): void {
    this.watch([]);
  }

  #begin(path: string): void {
    const told = (): void => {
      // Another one may be there by now, and a watch follows the inode.
      if (this.#watchers.get(path) !== watcher) return;
      this.#forget(path);
      this.#onTouch();
    };
    let watcher: FSWatcher;
    try {
      watcher = watch(path, { persistent: false }, told);
    } catch {
      return;
    }
    watcher.on('error', told);
    this.#watchers.set(path, watcher);
  }

  #forget(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
  }
}
