import { endianness } from 'node:os';
import { udpEndpoint } from '../../../src/filter/endpoint.ts';
import { EndpointAllowlist } from '../../../src/filter/endpoint-allowlist.ts';
import type { FilterMode, FilterPolicy, PolicyInForce } from '../../../src/filter/filter-policy.ts';
import { Ipv4Address } from '../../../src/packet/ipv4-address.ts';
import { MacAddress } from '../../../src/packet/mac-address.ts';
import { CAST, OTHER_VM, STRANGER } from '../frames/cast.ts';
import { Mode, policyBytes, type Destination, type PolicyFields } from '../frames/policy-bytes.ts';
import type { Dice } from './dice.ts';

/** One policy for both: as the bytes that the C reads, and as what the reference is told. */
export interface GeneratedPolicy {
  fields: PolicyFields;
  bytes: Uint8Array | null;
  inForce: PolicyInForce;
}

/** Where generated time begins; endings of grace lie around it. */
export const NOW = 1_000_000_000_000n;
const SECOND = 1_000_000_000n;

const NOBODY: Destination = { address: '0.0.0.0', port: 0 };
/** What Direct lets pass is not judged by the other rules, which are to be reached as well. */
const MODES_BY_WEIGHT = [
  Mode.filtered,
  Mode.conntrack,
  Mode.sampled,
  Mode.filtered,
  Mode.conntrack,
  Mode.sampled,
  Mode.direct,
];

/** VMN_DENIED_MAX. */
const MOST_DENIED = 512;
const PORTS = [1, 255, 256, 51820, 51900, 47306 /* 51896 with its bytes swapped */, 65535];
const ADDRESSES = [
  CAST.endpoint.address,
  CAST.previous.address,
  STRANGER.address,
  '1.0.0.0',
  '255.255.255.254',
];

/** @param measured whether it may have limits and a violation threshold */
export function generatePolicy(dice: Dice, measured = true): GeneratedPolicy {
  const endpoint = { address: dice.pick(ADDRESSES), port: dice.pick(PORTS) };
  const fields: PolicyFields = {
    guestMac: dice.pick([CAST.guestMac, OTHER_VM.mac, '00:00:00:00:00:01']),
    gatewayMac: dice.pick([CAST.gatewayMac, CAST.gatewayMac, '02:76:aa:bb:cc:dc', 'fe:ff:ff:ff:ff:ff']),
    guestAddress: dice.pick([CAST.guestAddress, OTHER_VM.address, '0.0.0.1', '255.255.255.255']),
    gatewayAddress: dice.pick([CAST.gatewayAddress, CAST.gatewayAddress, '0.0.0.0']),
    strict: dice.chance(0.4),
    quarantined: dice.chance(0.03),
    audit: dice.chance(0.2),
    mode: dice.pick(MODES_BY_WEIGHT),
    generation: dice.pick([0n, 1n, 2n, 2n ** 32n, 2n ** 64n - 1n]),
    secret: dice.bytes(16),
    samplePerMillion: dice.pick([0, 1, 100_000, 500_000, 999_999, 1_000_000, 0xffff_ffff]),
    maxPacketBytes: dice.pick([0, 0, 59, 60, 576, 1500, 65_535, 0xffff_ffff]),
    endpoint: dice.chance(0.03) ? NOBODY : endpoint,
    denied: generateDenied(dice),
    ...(measured && generateLimits(dice)),
  };
  if (dice.chance(0.5)) {
    const untilNs = NOW + dice.pick([-NOW, -1n, 5n * SECOND, 60n * SECOND, 3600n * SECOND]);
    fields.previous = { ...previousOf(dice, endpoint), untilNs };
  }
  return generated(dice, fields);
}

/** A later policy of the same VM: something about it is new, if only its generation. */
export function changedPolicy(dice: Dice, { fields }: GeneratedPolicy, measured = true): GeneratedPolicy {
  const generation = ((fields.generation ?? 0n) + 1n) % 2n ** 64n;
  const other = { address: dice.pick(ADDRESSES), port: dice.pick(PORTS) };
  const changed = dice.pick<Partial<PolicyFields>>([
    {},
    { generation, endpoint: other },
    { generation },
    { mode: dice.pick(MODES_BY_WEIGHT) },
    { denied: generateDenied(dice) },
    { secret: dice.bytes(16) },
    { audit: dice.chance(0.5) },
    measured ? generateLimits(dice) : {},
  ]);
  return generated(dice, { ...fields, ...changed });
}

function generated(dice: Dice, fields: PolicyFields): GeneratedPolicy {
  if (dice.chance(0.02)) return { fields, bytes: null, inForce: 'none' };
  if (dice.chance(0.05)) return { fields, bytes: foreign(dice, fields), inForce: 'foreign' };
  return { fields, bytes: policyBytes(fields), inForce: isForeign(fields) ? 'foreign' : inForce(fields) };
}

/** Mode Direct that denies nobody, or audits: such a policy drops everything. */
function isForeign({ mode, denied = [], audit }: PolicyFields): boolean {
  return mode === Mode.direct && (denied.length === 0 || audit === true);
}

/** Ranges that hold the people of the policy or end beside them, few or as many as there is room for; now and then none. */
function generateDenied(dice: Dice): NonNullable<PolicyFields['denied']> {
  if (dice.chance(0.05)) return [];
  const count = dice.chance(0.2) ? MOST_DENIED : 1 + dice.below(6);
  const person = address(dice.pick(ADDRESSES)).value;
  let next = dice.chance(0.5) ? Math.max(0, person - dice.below(4)) : dice.below(2 ** 16);
  const denied: { first: string; last: string }[] = [];
  while (denied.length < count) {
    const first = next + dice.below(2);
    const last = first + dice.pick([0, 0, 1, 3, 0xff_ffff]);
    if (last > 0xffff_ffff) break;
    denied.push({
      first: Ipv4Address.fromNumber(first).toString(),
      last: Ipv4Address.fromNumber(last).toString(),
    });
    next = last + 2 + (dice.chance(0.5) ? dice.below(2 ** 20) : 0);
  }
  return denied.length > 0 ? denied : [{ first: '255.255.255.255', last: '255.255.255.255' }];
}

/** Within what user space writes, and beyond: the filter has to stay safe, and both have to mean the same. */
function generateLimits(dice: Dice): Partial<PolicyFields> {
  return {
    egressBitsPerSecond: dice.pick([0, 0, 0, 1, 50_000, 1_000_000, 100_000_000_000, 2 ** 63]),
    packetsPerSecond: dice.pick([0, 0, 0, 1, 40, 5000, 1_000_000_000, 2 ** 53]),
    violation: dice.pick([
      { threshold: 0, windowMs: 0 },
      { threshold: 0, windowMs: 10_000 },
      { threshold: 1, windowMs: 1 },
      { threshold: 2, windowMs: 0 },
      { threshold: 1, windowMs: 1000 },
      { threshold: 5, windowMs: 700 },
      { threshold: 30, windowMs: 10_000 },
    ]),
  };
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
  const strange = dice.pick([0, 5, 0x0100_0000, 0x0200_0000, 0xffff_ffff]);
  const [offset, value] = dice.pick([
    [0, dice.pick([strange, 1, 2, 4])],
    [36, strange],
    [4, dice.pick([8, 15, 0x8000_0000])],
  ] as const);
  view.setUint32(offset, value, endianness() === 'LE');
  return bytes;
}

const MODES: Readonly<Record<number, FilterMode>> = {
  [Mode.filtered]: 'Filtered',
  [Mode.conntrack]: 'Conntrack',
  [Mode.sampled]: 'Sampled',
  [Mode.direct]: 'Direct',
};

/** What the reference is told of a policy of this version. */
export function inForce(fields: PolicyFields): FilterPolicy {
  const { previous } = fields;
  const mode = MODES[fields.mode ?? Mode.filtered];
  if (mode === undefined) throw new Error(`no mode of this version: ${String(fields.mode)}`);
  return {
    generation: fields.generation ?? 1n,
    mode,
    quarantined: fields.quarantined === true,
    strictWireGuard: fields.strict === true,
    audit: fields.audit === true,
    guestMac: mac(fields.guestMac),
    gatewayMac: mac(fields.gatewayMac),
    guestAddress: address(fields.guestAddress),
    gatewayAddress: address(fields.gatewayAddress),
    endpoints: new EndpointAllowlist(fields.endpoint.port === 0 ? [] : [endpointOf(fields.endpoint)]),
    previous: previous === undefined ? null : { endpoint: endpointOf(previous), untilNs: previous.untilNs },
    denied: (fields.denied ?? []).map(({ first, last }) => ({ first: address(first), last: address(last) })),
    secret: fields.secret ?? new Uint8Array(16),
    samplePerMillion: fields.samplePerMillion ?? 0,
    maxPacketBytes: fields.maxPacketBytes ?? 0,
    limits: {
      egressBitsPerSecond: fields.egressBitsPerSecond ?? 0,
      packetsPerSecond: fields.packetsPerSecond ?? 0,
    },
    violation: fields.violation ?? { threshold: 0, windowMs: 0 },
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
