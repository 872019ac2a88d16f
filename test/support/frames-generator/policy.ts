import { udpEndpoint } from '../../../src/filter/endpoint.ts';
import { EndpointAllowlist } from '../../../src/filter/endpoint-allowlist.ts';
import type { PolicyInForce } from '../../../src/filter/filter-policy.ts';
import { Ipv4Address } from '../../../src/packet/ipv4-address.ts';
import { MacAddress } from '../../../src/packet/mac-address.ts';
import { CAST, OTHER_VM, STRANGER } from '../frames/cast.ts';
import { policyBytes, type Destination, type PolicyFields } from '../frames/policy-bytes.ts';
import type { Dice } from './dice.ts';

/** One policy for both: as the bytes that the C reads, and as what the reference is told. */
export interface GeneratedPolicy {
  fields: PolicyFields;
  bytes: Uint8Array | null;
  inForce: PolicyInForce;
}

/** Endings of grace lie around this moment. */
export const NOW = 1_000_000_000_000n;

const NOBODY: Destination = { address: '0.0.0.0', port: 0 };
const PORTS = [1, 255, 256, 51820, 51900, 47306 /* 51896 with its bytes swapped */, 65535];
const ADDRESSES = [
  CAST.endpoint.address,
  CAST.previous.address,
  STRANGER.address,
  '1.0.0.0',
  '255.255.255.254',
];

export function generatePolicy(dice: Dice): GeneratedPolicy {
  const endpoint = { address: dice.pick(ADDRESSES), port: dice.pick(PORTS) };
  const fields: PolicyFields = {
    guestMac: dice.pick([CAST.guestMac, OTHER_VM.mac, '00:00:00:00:00:01']),
    gatewayMac: dice.pick([CAST.gatewayMac, CAST.gatewayMac, '02:76:aa:bb:cc:dc', 'fe:ff:ff:ff:ff:ff']),
    guestAddress: dice.pick([CAST.guestAddress, OTHER_VM.address, '0.0.0.1', '255.255.255.255']),
    gatewayAddress: dice.pick([CAST.gatewayAddress, CAST.gatewayAddress, '0.0.0.0']),
    strict: dice.chance(0.4),
    quarantined: dice.chance(0.03),
    endpoint: dice.chance(0.03) ? NOBODY : endpoint,
  };
  if (dice.chance(0.5)) {
    const untilNs = NOW + dice.pick([-NOW, -1n, 0n, 1n, 1n, 60_000_000_000n]);
    fields.previous = { ...previousOf(dice, endpoint), untilNs };
  }
  const bytes = policyBytes(fields);
  if (dice.chance(0.02)) return { fields, bytes: null, inForce: 'none' };
  if (dice.chance(0.05)) return { fields, bytes: foreign(dice, fields), inForce: 'foreign' };
  return { fields, bytes, inForce: inForce(fields) };
}

/** Another address, another port of the same, or the endpoint itself. */
function previousOf(dice: Dice, endpoint: Destination): Destination {
  const other = { address: dice.pick(ADDRESSES), port: dice.pick(PORTS) };
  return dice.pick([other, other, { ...endpoint, port: other.port }, endpoint]);
}

/** An ABI number, a mode or a flag that this version does not know. */
function foreign(dice: Dice, fields: PolicyFields): Uint8Array {
  const bytes = policyBytes(fields);
  const view = new DataView(bytes.buffer);
  const strange = dice.pick([0, 2, 0x0100_0000, 0xffff_ffff]);
  const flags = [4, 7, 0x8000_0000];
  const [offset, value] = dice.pick([
    [0, strange],
    [36, strange],
    [4, dice.pick(flags)],
  ] as const);
  view.setUint32(offset, value, new Uint8Array(Uint16Array.of(1).buffer)[0] === 1);
  return bytes;
}

/** What the reference is told of a policy. */
export function inForce(fields: PolicyFields): PolicyInForce {
  const { previous } = fields;
  return {
    quarantined: fields.quarantined === true,
    strictWireGuard: fields.strict === true,
    guestMac: mac(fields.guestMac),
    gatewayMac: mac(fields.gatewayMac),
    guestAddress: address(fields.guestAddress),
    gatewayAddress: address(fields.gatewayAddress),
    endpoints: new EndpointAllowlist(fields.endpoint.port === 0 ? [] : [endpointOf(fields.endpoint)]),
    previous: previous === undefined ? null : { endpoint: endpointOf(previous), untilNs: previous.untilNs },
  };
}

const endpointOf = (destination: Destination): ReturnType<typeof udpEndpoint> =>
  udpEndpoint(address(destination.address), destination.port);

export function mac(text: string): MacAddress {
  const parsed = MacAddress.fromText(text);
  if (parsed === null) throw new Error(`not a MAC address: ${text}`);
  return parsed;
}

export function address(text: string): Ipv4Address {
  const parsed = Ipv4Address.fromText(text);
  if (parsed === null) throw new Error(`not an address: ${text}`);
  return parsed;
}
