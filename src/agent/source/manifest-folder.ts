import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../api/manifest.ts';
import { ERRORS, isExhaustion, remedyOfExhaustion } from '../../lib/errors.ts';
import { errnoOf } from '../host/errno.ts';
import { FolderWatch } from '../host/folder-watch.ts';
import { readManifestFile } from './manifest-file.ts';
import { combineManifests, illegibleFolder, illegibleManifest, judgeManifest } from './manifest-set.ts';
import type { ManifestFile, ManifestSet } from './manifest-set.ts';

/*
 * Theory of operation
 *
 * The folder is the truth and is read as a whole. inotify (FolderWatch) only says "look again", after a short pause in
 * which an editor finishes its writing; because not everything is told (another file system is mounted there, a file is written by
 * another name of it), a slow timer looks as well, and a faster one while inotify, descriptors or memory have run out. A look costs one readdir and one lstat
 * a file; a file is read and parsed again only when its identity, size or times moved, or when it was last read within a clock tick
 * of a change (the next change might bear the same times). Whatever cannot be read is a Problem and gives no intent. But where it is
 * this process that has no descriptor or no memory left, nothing is known against what was read before: it holds until there is one.
 */

export interface ManifestFolderOptions {
  readonly dir: string;
  /** Called after every look that found the folder changed. */
  readonly onChange: () => void;
  /** Quiet time after a notification before the folder is read, ms. */
  readonly debounceMs?: number;
  /** Interval of the look that does not depend on notifications, ms. */
  readonly rescanMs: number;
}

interface CachedFile {
  /** Identity, size and times of the file as it was read. */
  readonly stat: string;
  /** Stat and content in one: moves whenever what the file says may have moved. */
  readonly signature: string;
  /** Read so soon after its last change that another change might bear the same times. */
  readonly racy: boolean;
  /** This process lacked what it takes to read it. */
  readonly scarce: boolean;
  readonly manifest: ManifestFile;
}

const DEFAULT_DEBOUNCE_MS = 50;
/** Of a folder that always changes: it is read all the same, so often, ms. */
const LONGEST_DEBOUNCE_MS = 1000;
/** Interval of the look while nothing tells of changes, or that what was lacking is there again, ms. */
const UNTOLD_MS = 5000;
/** Coarser than the clock that stamps files on any kernel we run on. */
const RACY_MS = 100;

export class ManifestFolder {
  readonly #dir: string;
  readonly #onChange: () => void;
  readonly #debounceMs: number;
  readonly #rescanMs: number;
  readonly #cache = new Map<string, CachedFile>();
  #current: ManifestSet = combineManifests([]);
  /** What was read when the folder could last be listed. */
  #listed: ManifestSet | null = null;
  #signature = '';
  #watch: FolderWatch | null = null;
  #debounce: NodeJS.Timeout | null = null;
  /** Until when a look may be put off. */
  #debounceEndMs = 0;
  #rescan: NodeJS.Timeout | null = null;

  constructor(options: ManifestFolderOptions) {
    this.#dir = options.dir;
    this.#onChange = options.onChange;
    this.#debounceMs = options.debounceMs ?? DEFAULT_DEBOUNCE_MS;
    this.#rescanMs = options.rescanMs;
  }

  /** Reads once and watches from then on. Never throws: a missing folder is a problem in `current()`. */
  start(): void {
    // Watch first, then read: a change in between is seen twice rather than never.
    this.#watch = new FolderWatch(this.#dir, () => this.#lookSoon());
    this.#look();
  }

  /** What the folder said at the last look. */
  current(): ManifestSet {
    return this.#current;
  }

  close(): void {
    if (this.#debounce !== null) clearTimeout(this.#debounce);
    if (this.#rescan !== null) clearTimeout(this.#rescan);
    this.#debounce = null;
    this.#rescan = null;
    this.#watch?.close();
    this.#watch = null;
  }

  #look(): void {
    this.#watch?.renew();
    const { set, signature, scarce } = this.#read();
    this.#lookLater(scarce);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#current = set;
    this.#onChange();
  }

  #lookLater(scarce: boolean): void {
    if (this.#watch === null) return;
    if (this.#rescan !== null) clearTimeout(this.#rescan);
    const isTold = this.#watch.isWatching && !scarce;
    const delayMs = isTold ? this.#rescanMs : Math.min(this.#rescanMs, UNTOLD_MS);
    this.#rescan = setTimeout(() => this.#look(), delayMs);
  }

  /** `scarce`: something could not be read for want of descriptors or memory. */
  #read(): { set: ManifestSet; signature: string; scarce: boolean } {
    let names: string[];
    try {
      names = readdirSync(this.#dir).filter(isManifestName).sort();
    } catch (cause) {
      const scarce = isExhaustion(cause);
      const before = scarce ? this.#listed : null;
      const problem = folderProblem(this.#dir, cause, before !== null);
      const set =
        before === null
          ? illegibleFolder(problem)
          : { ...before, problems: [...before.problems, problem], complete: false };
      return { set, signature: `illegible ${problem.message}`, scarce };
    }
    const present = new Set(names);
    for (const name of this.#cache.keys()) if (!present.has(name)) this.#cache.delete(name);
    const files = names.flatMap((name) => this.#file(name) ?? []);
    this.#listed = combineManifests(files.map(({ manifest }) => manifest));
    return { set: this.#listed, signature: signatureOf(files), scarce: files.some((file) => file.scarce) };
  }

  #file(name: string): CachedFile | null {
    const path = join(this.#dir, name);
    const before = this.#cache.get(name);
    const found = fileStat(path);
    // Vanished between readdir and here: as if it had never been listed.
    if (found === null) return null;
    if (before?.stat === found.stat && !before.racy) return before;

    const { text, problem, scarce = false } = readManifestFile(path, name);
    if (scarce && before?.stat === found.stat) return { ...before, scarce };
    const cached: CachedFile = {
      stat: found.stat,
      signature: createHash('sha256')
        .update(text ?? JSON.stringify(problem))
        .digest('hex'),
      scarce,
      racy: scarce || Date.now() - found.changedMs < RACY_MS,
      manifest:
        problem === undefined
          ? judgeManifest(text, name, before?.manifest)
          : illegibleManifest(problem, name, before?.manifest),
    };
    this.#cache.set(name, cached);
    return cached;
  }

  #lookSoon(): void {
    const nowMs = performance.now();
    if (this.#debounce === null) this.#debounceEndMs = nowMs + LONGEST_DEBOUNCE_MS;
    else clearTimeout(this.#debounce);
    const delayMs = Math.min(this.#debounceMs, Math.max(0, this.#debounceEndMs - nowMs));
    this.#debounce = setTimeout(() => {
      this.#debounce = null;
      this.#look();
    }, delayMs);
  }
}

/** YAML and JSON files that are not hidden; editors keep their drafts in hidden files or with other endings. */
export function isManifestName(name: string): boolean {
  return !name.startsWith('.') && /\.(ya?ml|json)$/.test(name);
}

function signatureOf(files: readonly CachedFile[]): string {
  return files.map(({ signature, manifest }) => `${manifest.file} ${signature}`).join('\n') || 'empty';
}

/** A file that is replaced has another inode, one that is written another ctime. */
function fileStat(path: string): { stat: string; changedMs: number } | null {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, mode } = lstatSync(path, { bigint: true });
    const changedMs = Number(ctimeNs / 1_000_000n);
    return { stat: [dev, ino, size, mtimeNs, ctimeNs, mode].join(':'), changedMs };
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    return { stat: String(cause), changedMs: 0 };
  }
}

function folderProblem(dir: string, cause: unknown, isKnown: boolean): Problem {
  const code = errnoOf(cause) ?? String(cause);
  const meanwhile = isKnown ? 'what it said before holds until it can' : 'every VM is denied until it can';
  return {
    file: dir,
    message: `the manifests folder cannot be read (${code}); ${meanwhile}`,
    remedy: remedyOfExhaustion(cause) ?? ERRORS.VMN_FOLDER_UNREADABLE.remedy,
    code: 'VMN_FOLDER_UNREADABLE',
  };
}
