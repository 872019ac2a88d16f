import { isVmnError } from '../../../lib/errors.ts';
import { type OfflineFilter, openOfflineFilter } from '../../../native/offline-filter.ts';
import { encodePolicy, type Policy } from '../../../native/policy-abi.ts';
import type { TestRun } from '../../../native/test-run.ts';
import type { Engine, EngineVerdict, FrameToJudge } from './engine.ts';

/** VMN_MARK_ANSWER of native/include/vmn/abi.h; a test compares. */
export const MARK_ANSWER = 0x00200000;

/** TC_ACT_… of linux/pkt_cls.h, as the programs use them. */
const VERDICTS: Readonly<Record<number, EngineVerdict['verdict']>> = { [-1]: 'allow', 2: 'drop', 7: 'reply' };

const FOREVER = (1n << 64n) - 1n;

/** The programs that a tap would get, in this kernel, attached to nothing. Needs root. */
export class EbpfEngine implements Engine {
  readonly name = 'ebpf';
  /** Throws VMN_CAPABILITY and what else keeps the kernel from taking the programs. */
  readonly #filter: OfflineFilter = openOfflineFilter();
  #policy: Policy | null = null;
  #graceRuns: boolean | null = null;

  use(policy: Policy | null): void {
    this.#policy = policy;
    this.#graceRuns = null;
    if (policy?.previous == null) this.#write(policy);
  }

  judge({ direction, bytes, nowNs, ownAnswer }: FrameToJudge): EngineVerdict | null {
    this.#keepGrace(nowNs);
    const run = this.#run(() => this.#filter.run(direction, bytes, { mark: ownAnswer ? MARK_ANSWER : 0 }));
    if (run === null) return null;
    const { action, reason: reasonCode, audited, nonce } = run;
    const verdict = VERDICTS[action];
    if (verdict === undefined) throw new Error(`the program returned ${action}`);
    return { verdict, reasonCode, audited, nonce };
  }

  close(): void {
    this.#filter.close();
  }

  /** The kernel goes by its own clock: grace by that of the capture is all of time, or none. */
  #keepGrace(nowNs: bigint): void {
    const previous = this.#policy?.previous;
    if (this.#policy === null || previous == null) return;
    const runs = nowNs < previous.untilNs;
    if (runs === this.#graceRuns) return;
    this.#graceRuns = runs;
    this.#write({ ...this.#policy, previous: { ...previous, untilNs: runs ? FOREVER : 0n } });
  }

  #write(policy: Policy | null): void {
    this.#filter.setPolicy(policy === null ? null : encodePolicy(policy));
  }

  /** Null for a frame that the kernel takes for no test: too short, too long. */
  #run(run: () => TestRun): TestRun | null {
    try {
      return run();
    } catch (error) {
      if (isVmnError(error, 'VMN_TEST_RUN')) return null;
      throw error;
    }
  }
}
