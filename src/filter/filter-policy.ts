import type { Ipv4Address } from '../packet/ipv4-address.ts';
import type { MacAddress } from '../packet/mac-address.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointLookup } from './endpoint-allowlist.ts';

/**
 * How much of what a guest sends and hears is judged; strategy.ts has what each comes to.
 * - `Filtered`: every frame by every rule
 * - `Conntrack`: the first frame of a flow by every rule, later ones as part of the flow
 * - `Sampled`: who the guest is, every frame; whom it talks to, a random part of them
 * - `Direct`: who the guest is and whom nobody may talk to, every frame; whom it talks to otherwise, none
 */
export type FilterMode = 'Filtered' | 'Conntrack' | 'Sampled' | 'Direct';

/** What one VM may do: struct vmn_policy of native/include/vmn/abi.h in terms of what it means. */
export interface FilterPolicy {
  /** Moves with every change: flows of another generation are not known any more. */
  readonly generation: bigint;
  readonly mode: FilterMode;
  /** Kill switch: nothing passes, whatever else is set. */
  readonly quarantined: boolean;
  /** Only datagrams with the shape of WireGuard pass. */
  readonly strictWireGuard: boolean;
  /** Whom the guest talks to is counted and not enforced. Who it is, is. */
  readonly audit: boolean;
  readonly guestMac: MacAddress;
  readonly guestAddress: Ipv4Address;
  readonly gatewayMac: MacAddress;
  readonly gatewayAddress: Ipv4Address;
  /** Whom the VM may speak to. */
  readonly endpoints: EndpointLookup;
  /** Whom it could speak to before the last change, and may until a moment (CLOCK_MONOTONIC) comes. */
  readonly previous: { readonly endpoint: Endpoint; readonly untilNs: bigint } | null;
  /** 16 bytes that the guest cannot know: what is drawn by, and what flows are remembered under. */
  readonly secret: Uint8Array;
  /** Mode Sampled: of a million frames so many are judged in full; 0 to 1,000,000. */
  readonly samplePerMillion: number;
  /** Mode Direct: whom no guest may talk to. Of a policy that denies nobody, or only audits, a filter finds `foreign`. */
  readonly denied: readonly DeniedRange[];
  /** IPv4 total length of one packet; 0: no limit. */
  readonly maxPacketBytes: number;
  /** What the VM may send, Ethernet headers included; 0: no limit. */
  readonly limits: { readonly egressBitsPerSecond: number; readonly packetsPerSecond: number };
  /** So many violations within the window are an event of their own; threshold 0: never. */
  readonly violation: { readonly threshold: number; readonly windowMs: number };
}

/** Both ends are denied too. */
export interface DeniedRange {
  readonly first: Ipv4Address;
  readonly last: Ipv4Address;
}

/**
 * What a filter finds when it looks for its policy: one; nothing, because nobody has decided yet; or one that was
 * written for another version of the filter or says something that this version does not know.
 */
export type PolicyInForce = FilterPolicy | 'none' | 'foreign';
