import type { TapHolder } from '../../../../src/agent/host/kernel.ts';
import type { EndProgress, VmEndings } from '../../../../src/agent/vm-control/endings.ts';
import { isVmnError, type VmnError } from '../../../../src/lib/errors.ts';
import type { ModelKernel } from './model-kernel.ts';

/** Ends the processes of a model kernel: at once, or when told to. */
export class ModelEndings implements VmEndings {
  /** Those that were begun to be ended, in their order. */
  readonly begun: TapHolder[] = [];
  /** What is begun goes on until `finish`. */
  slow = false;
  /** What is begun fails with this. */
  failure: VmnError | null = null;
  readonly #kernel: ModelKernel;
  readonly #underWay = new Set<string>();

  constructor(kernel: ModelKernel) {
    this.#kernel = kernel;
  }

  progressOf(process: TapHolder): EndProgress {
    if (this.#underWay.has(String(process.pid))) return 'under-way';
    const alive = [...this.#kernel.holders.values()]
      .flat()
      .some(({ pid, startTicks }) => pid === process.pid && startTicks === process.startTicks);
    if (!alive) return 'ended';
    return this.begun.some(({ pid }) => pid === process.pid) && this.failure !== null
      ? this.failure
      : 'alive';
  }

  begin(process: TapHolder): void {
    this.begun.push(process);
    if (this.failure !== null) return;
    if (this.slow) this.#underWay.add(String(process.pid));
    else this.#end(process);
  }

  /** What is under way is over. */
  finish(): void {
    this.#underWay.clear();
    for (const process of this.begun) this.#end(process);
  }

  /** The agent died: what it was about to do is not done. */
  forget(): void {
    this.#underWay.clear();
  }

  #end(process: TapHolder): void {
    try {
      this.#kernel.endProcess(process);
    } catch (error) {
      if (!isVmnError(error)) throw error;
    }
  }
}
