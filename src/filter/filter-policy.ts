import type { Ipv4Address } from '../packet/ipv4-address.ts';
import type { MacAddress } from '../packet/mac-address.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointLookup } from './endpoint-allowlist.ts';

/** What one VM may do: struct vmn_policy of native/include/vmn/abi.h in terms of what it means. */
export interface FilterPolicy {
  /** Kill switch: nothing passes, whatever else is set. */
  readonly quarantined: boolean;
  /** Only datagrams with the shape of WireGuard pass. */
  readonly strictWireGuard: boolean;
  readonly guestMac: MacAddress;
  readonly guestAddress: Ipv4Address;
  readonly gatewayMac: MacAddress;
  readonly gatewayAddress: Ipv4Address;
  /** Whom the VM may speak to. */
  readonly endpoints: EndpointLookup;
  /** Whom it could speak to before the last change, and may until a moment (CLOCK_MONOTONIC) comes. */
  readonly previous: { readonly endpoint: Endpoint; readonly untilNs: bigint } | null;
}

/**
 * What a filter finds when it looks for its policy: one; nothing, because nobody has decided yet; or one that was
 * written for another version of the filter or says something that this version does not know.
 */
export type PolicyInForce = FilterPolicy | 'none' | 'foreign';
