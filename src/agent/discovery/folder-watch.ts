import { existsSync, type FSWatcher, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Closable } from './machine.ts';

/** Folders that come and go while they are looked at are given up after so many tries. */
const MOST_TRIES = 16;

/**
 * Calls back when something comes into the folder at `path` or leaves it, and when the folder itself comes or goes: while it is not
 * there the nearest folder above it is watched for the way to it. Where nothing can be watched (inotify ran out) nothing is told.
 */
export class FolderWatch implements Closable {
  readonly #path: string;
  readonly #onChange: () => void;
  #watcher: FSWatcher | null = null;

  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
    this.#watch();
  }

  /** Idempotent. */
  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  #watch(): void {
    this.close();
    let path = this.#path;
    /** What is waited for in the folder that is watched; null: that folder is the one. */
    let awaited: string | null = null;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      this.#watcher = this.#watcherOf(path, awaited);
      const isGone = this.#watcher === null;
      if (isGone && path === dirname(path)) return;
      // It may have come since it was looked for.
      const next = isGone ? dirname(path) : awaited === null ? path : join(path, awaited);
      if (!isGone && (awaited === null || !existsSync(next))) return;
      this.close();
      path = next;
      awaited = path === this.#path ? null : this.#stepFrom(path);
    }
  }

  /** The name below `folder` that leads to ours. */
  #stepFrom(folder: string): string {
    let path = this.#path;
    while (dirname(path) !== folder) path = dirname(path);
    return basename(path);
  }

  #watcherOf(path: string, awaited: string | null): FSWatcher | null {
    try {
      const watcher = watch(path, { persistent: false }, (_what, name) => {
        if (awaited !== null && name !== null && name !== awaited) return;
        if (awaited !== null || !existsSync(this.#path)) this.#watch();
        this.#onChange();
      });
      // It went, or inotify ran out.
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return null;
    }
  }
}
