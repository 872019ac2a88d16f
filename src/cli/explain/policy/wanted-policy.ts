import type { PolicyIntent } from '../../../controller/vmnetwork/plan.ts';
import type { PolicyEndpoint } from '../../../native/policy-abi.ts';

/** What the policy file says, whichever kind it holds. */
export interface WantedPolicy {
  /** `namespace/name` of the VMNetwork, or of the VMNetworkAttachment. */
  readonly object: string;
  readonly vm: string;
  /** Null when the network is refused: the VM is denied. */
  readonly intent: PolicyIntent | null;
  /** Why there is no intent. */
  readonly denied: string;
  readonly generation: bigint;
  readonly card: KnownCard;
  readonly previous: PreviousEndpoint | null;
}

/** What the file tells of the network card; a VMNetwork tells nothing. */
export interface KnownCard {
  readonly guestMac?: string;
  readonly guestAddress?: string;
  readonly gatewayMac?: string;
  readonly gatewayAddress?: string;
}

/** The endpoint before the last change, and when its grace is over. */
export interface PreviousEndpoint extends PolicyEndpoint {
  /** `ms`: since the epoch. `graceSeconds`: that long after the first frame. */
  readonly until: { readonly ms: number } | { readonly graceSeconds: number };
}
