import { readdirSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bpffsFault } from '../../native/bpffs.ts';
import { ensureBpffs } from '../../native/filter-engine.ts';
import { errnoOf } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { lockFolder, type FolderLock } from './lock.ts';

/**
 * The folder for pins, which belongs to one agent at a time. Its lock goes by the folder's inode, so a folder that was removed and
 * made anew, by whomever, has to be taken anew: before anything is pinned there, and before what is pinned there is believed.
 */
export class PinRoot {
  readonly #root: string;
  #lock: FolderLock | null = null;

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes it, if need be, and takes it. Idempotent. Throws VMN_AGENT_RUNNING, VMN_BPFFS_MISSING, VMN_BPFFS_PRIVATE, VMN_CAPABILITY. */
  take(): void {
    for (;;) {
      ensureBpffs(this.#root);
      if (this.takeIfThere()) return;
    }
  }

  /** Takes the one that is there; false: there is none. Throws VMN_AGENT_RUNNING. */
  takeIfThere(): boolean {
    if (this.#lock?.isAt(this.#root) === true) return true;
    if (contentOf(this.#root) === null) return false;
    const lock = lockFolder(this.#root);
    this.#lock?.release();
    this.#lock = lock;
    return true;
  }

  /**
   * The same kernel, of which pins are read and made only while the folder is ours. It stays while the agent does. Where the file system
   * was unmounted, its folder is reached by way of the lock: what is pinned there is in force all the same, and must not be taken for gone.
   */
  guarding(kernel: Kernel): Kernel {
    return {
      ...kernel,
      listPins: (root) => {
        const away = this.#away();
        if (away !== null) return kernel.listPins(away);
        this.takeIfThere();
        return kernel.listPins(root);
      },
      attachFilter: (pinDir, ifindex) => {
        if (this.#away() === null) this.take();
        return kernel.attachFilter(this.#at(pinDir), ifindex);
      },
      replaceFilter: (pinDir, ifindex, policy) => kernel.replaceFilter(this.#at(pinDir), ifindex, policy),
      readBack: (pinDir) => kernel.readBack(this.#at(pinDir)),
      writePolicy: (pinDir, policy) => kernel.writePolicy(this.#at(pinDir), policy),
      violations: (pinDir) => kernel.violations(this.#at(pinDir)),
      tunnel: (pinDir) => kernel.tunnel(this.#at(pinDir)),
      counters: (pinDir) => kernel.counters(this.#at(pinDir)),
      isReplacing: (pinDir) => kernel.isReplacing(this.#at(pinDir)),
      removePins: (pinDir, options) => kernel.removePins(this.#at(pinDir), options),
      setPinsAside: (pinDir) => kernel.setPinsAside(this.#at(pinDir)),
      removeSharedPins: (root) => {
        if (this.#away() !== null || (contentOf(root) ?? []).length === 0) return;
        kernel.removeSharedPins(root);
        this.take();
      },
    };
  }

  #at(pinDir: string): string {
    const away = this.#away();
    return away === null ? pinDir : join(away, basename(pinDir));
  }

  /** Where our folder is to be had while no BPF file system is mounted where it should be; null: one is. */
  #away(): string | null {
    if (this.#lock === null || this.#lock.isAt(this.#root)) return null;
    return bpffsFault(this.#root)?.code === 'VMN_BPFFS_MISSING' ? this.#lock.held : null;
  }

  /** Lets go, and removes the folder if nothing is pinned there. Idempotent. */
  release(): void {
    if (this.#lock === null) return;
    try {
      if (this.#lock.isAt(this.#root)) rmdirSync(this.#root);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
    this.#lock.release();
    this.#lock = null;
  }
}

/** Null: it is not there. */
function contentOf(root: string): string[] | null {
  try {
    return readdirSync(root);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}
