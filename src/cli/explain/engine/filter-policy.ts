import { type Endpoint, udpEndpoint } from '../../../filter/endpoint.ts';
import { EndpointAllowlist } from '../../../filter/endpoint-allowlist.ts';
import type { FilterPolicy } from '../../../filter/filter-policy.ts';
import type { Policy, PolicyEndpoint } from '../../../native/policy-abi.ts';
import { Ipv4Address } from '../../../packet/ipv4-address.ts';
import { MacAddress } from '../../../packet/mac-address.ts';

/** The policy of the C filter in the terms of the reference. */
export function filterPolicyOf({ flags, endpoint, previous, denied = [], ...policy }: Policy): FilterPolicy {
  return {
    ...policy,
    ...flags,
    guestMac: macOf(policy.guestMac),
    guestAddress: addressOf(policy.guestAddress),
    gatewayMac: macOf(policy.gatewayMac),
    gatewayAddress: addressOf(policy.gatewayAddress),
    endpoints: new EndpointAllowlist(endpoint === null ? [] : [udp(endpoint)]),
    previous: previous === null ? null : { endpoint: udp(previous), untilNs: previous.untilNs },
    denied: denied.map(({ first, last }) => ({ first: addressOf(first), last: addressOf(last) })),
  };
}

function udp({ address, port }: PolicyEndpoint): Endpoint {
  return udpEndpoint(addressOf(address), port);
}

function macOf(text: string): MacAddress {
  const mac = MacAddress.fromText(text);
  if (mac === null) throw new TypeError(`not a MAC address: ${text}`);
  return mac;
}

function addressOf(text: string): Ipv4Address {
  const address = Ipv4Address.fromText(text);
  if (address === null) throw new TypeError(`not an IPv4 address: ${text}`);
  return address;
}
