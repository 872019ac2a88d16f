import type { Policy } from '../../native/policy-abi.ts';
import type { Link, ReadBack, TapHolder } from '../host/kernel.ts';
import type { TunnelSigns } from '../host/tunnel-signs.ts';
import type { Beside } from '../wiring/beside.ts';
import type { EngineView } from '../userspace/engine-view.ts';
import type { RecordState } from '../wiring/record.ts';

/** One attachment as the kernel and the state folder show it at one moment. Nothing in it is remembered. */
export interface ObservedAttachment {
  readonly tap: string;
  readonly record: RecordState;
  readonly link: ObservedLink | null;
  /** Of a VM on a userspace engine instead of a tap; it has no link, and the filter is what the engine was read to have. */
  readonly engine?: EngineView;
  readonly filter: ReadBack;
  /** What is wrong with how the programs are attached to `link`; null when nothing is, or there is no link. */
  readonly fault: string | null;
  /** What else is at the hooks of `link`. */
  readonly beside: Beside;
  /** The attached programs are those of this build. */
  readonly currentProgram: boolean;
  /** Pins of a half-done program replacement lie about. */
  readonly stagedReplacement: boolean;
  /** There are pins of any kind. */
  readonly pinned: boolean;
  /** The policy in force when `filter.policyState` is `set` and its bytes are exactly what we would write. */
  readonly policy: Policy | null;
  /** How often the threshold of violations was reached since the maps were made; null when that cannot be told. */
  readonly crossings: number | null;
  /** What the filter saw of the tunnel; null when it does not look, or cannot be asked. */
  readonly tunnel: TunnelSigns | null;
  /** Who holds the tap, looked for only when the VM is to be ended for its violations. */
  readonly holders: readonly TapHolder[];
  /** Kernel settings of the tap that are not as they should be; paths under /proc/sys. */
  readonly wrongSettings: readonly string[];
  /** Destinations of our routes over this link. */
  readonly routes: readonly string[];
  readonly neighbours: readonly { readonly address: string; readonly mac: string }[];
  /** The process that claimed the tap is alive, or a tear-down in this pass found that somebody holds the tap. */
  readonly claimed: boolean;
}

export interface ObservedLink extends Link {
  /** It carries our alias; `vm` is null when the alias holds only a key. Null: not ours. */
  readonly owner: { readonly vm: string | null } | null;
}

/**
 * A process holds the tap, or is about to. A tap that is down shows no carrier even when it is held; removing one
 * therefore takes hold of it first, which fails when somebody else has it.
 */
export function isInUse(observed: Pick<ObservedAttachment, 'claimed' | 'link'>): boolean {
  return observed.claimed || (observed.link?.carrier ?? false);
}
