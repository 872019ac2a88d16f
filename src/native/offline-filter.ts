/**
 * The filter in this kernel, attached to nothing and pinned nowhere: for trying frames on it, as `vmnetctl explain
 * --engine ebpf` does. Needs the capabilities that loading it needs. It remembers flows, limits and violations as a VM's
 * filter does; its descriptors go with `close()` or with the process.
 */
import { addon } from './addon.ts';
import type { Direction } from './filter-engine.ts';
import { loading } from './kernel-attempt.ts';
import { attempt } from './native-failure.ts';
import { checkedPolicy } from './policy-abi.ts';
import { type TestRun, type TestRunMeta, tryFrame } from './test-run.ts';

export interface OfflineFilter {
  /** The 128 bytes of a policy; null, as at first, is deny-all. */
  setPolicy(policy: Uint8Array | null): void;
  /**
   * Time is the kernel's: a previous endpoint is within its grace when `previous_until_ns` is after now.
   * @throws VmnError VMN_TEST_RUN for a frame that cannot be tried (cannotRun of test-run.ts)
   */
  run(direction: Direction, frame: Uint8Array, meta?: TestRunMeta): TestRun;
  /** Idempotent. */
  close(): void;
}

/** @throws VmnError VMN_BPF_LOAD, VMN_BPF_MAP, VMN_CAPABILITY, VMN_KERNEL_FEATURE */
export function openOfflineFilter(): OfflineFilter {
  const filter = attempt(loading('load the filter'), () => addon().openOfflineFilter());
  return {
    setPolicy(policy) {
      attempt({ code: 'VMN_BPF_MAP', attempted: 'set the policy of the offline filter' }, () => {
        filter.setPolicy(checkedPolicy(policy));
      });
    },
    run: (direction, frame, meta = {}) =>
      tryFrame('offline filter', direction, frame, meta, (...args) => filter.run(...args)),
    close() {
      filter.close();
    },
  };
}
