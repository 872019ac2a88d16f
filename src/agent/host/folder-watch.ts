import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Folders that come and go while they are looked at are given up after so many tries. */
const MOST_TRIES = 16;

/**
 * Calls back when something comes into the folder at `path`, leaves it or is written there, and when another folder, or none, is at
 * `path`: a watch follows the inode, not the name, hence the folder above is watched for the name, or while that is not there either
 * the nearest one for the way to it. Not told: that a folder further up was given another name, or was mounted over; and nothing where
 * inotify ran out.
 */
export class FolderWatch {
  readonly #path: string;
  readonly #onChange: () => void;
  #folder: FSWatcher | null = null;
  #way: FSWatcher | null = null;
  /** Of the folder that is watched; null: none is. */
  #watched: string | null = null;

  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
    this.#watch();
  }

  /** Changes in the folder that is at the path now are told. */
  get isWatching(): boolean {
    return this.#watched !== null && this.#watched === identityOf(this.#path);
  }

  /** For whoever looks now and then all the same. */
  renew(): void {
    if (!this.isWatching) this.#watch();
  }

  /** Idempotent. */
  close(): void {
    this.#folder?.close();
    this.#way?.close();
    this.#folder = null;
    this.#way = null;
    this.#watched = null;
  }

  #watch(): void {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      this.close();
      const before = identityOf(this.#path);
      this.#folder = watcherOf(this.#path, () => {
        this.renew();
        this.#onChange();
      });
      if (this.#folder !== null) this.#watched = before;
      const awaited = this.#watchWay();
      // It may have come, gone or been replaced before all of this was watched.
      const isSettled =
        before === identityOf(this.#path) && (before !== null || identityOf(awaited) === null);
      if (isSettled) return;
    }
  }

  /** Watches the nearest folder above ours that is there; what is waited for in it. */
  #watchWay(): string {
    let awaited = this.#path;
    for (;;) {
      const folder = dirname(awaited);
      const names = [basename(awaited), basename(folder)];
      // Told of the folder itself, the name is its own.
      this.#way = watcherOf(folder, (name) => {
        if (name !== null && !names.includes(name)) return;
        this.#watch();
        this.#onChange();
      });
      if (this.#way !== null || folder === dirname(folder)) return awaited;
      awaited = folder;
    }
  }
}

/** Null: it is not there, or inotify ran out. */
function watcherOf(path: string, onEvent: (name: string | null) => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, (_what, name) => onEvent(name));
    // It went, or inotify ran out.
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}

function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}
