import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { Lab, type Namespace } from '../lab/index.ts';
import { moveInto } from '../stage/own-namespace.ts';
import { Qemu, type QemuOptions } from './qemu.ts';
import { WatchedVms } from './watched-vms.ts';

/**
 * A namespace that stands for the host, with this thread in it and discovery at work, for all tests of a file. The VMs
 * that a test starts end with it.
 */
export class WatchedHost {
  lab!: Lab;
  host!: Namespace;
  vms!: WatchedVms;
  readonly #running: Qemu[] = [];
  #leave: (() => void) | null = null;

  /** To be made where a file describes its tests. */
  constructor(name: string) {
    beforeAll(async () => {
      this.lab = await Lab.create(name);
      this.host = await this.lab.namespace('host');
      this.#leave = moveInto(this.host);
      this.vms = new WatchedVms();
    }, 30_000);
    afterEach(async () => {
      for (const qemu of this.#running.splice(0)) await qemu.kill();
    });
    afterAll(async () => {
      this.vms?.close();
      this.#leave?.();
      await this.lab?.close();
    }, 30_000);
  }

  start(words: readonly string[], options: QemuOptions & { namespace?: Namespace } = {}): Qemu {
    const { namespace = this.host, ...rest } = options;
    const qemu = new Qemu(namespace, words, rest);
    this.#running.push(qemu);
    return qemu;
  }
}
