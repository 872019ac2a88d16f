import { parseIpv4Address } from '../../api/v1alpha1/ipv4-address.ts';
import { parseMacAddress } from '../../api/v1alpha1/mac-address.ts';
import { GATEWAY_ADDRESS, GATEWAY_MAC, identityOf } from '../../agent/wiring/identity.ts';
import { keyOf } from '../../controller/vmnetwork/plan.ts';
import { encodePolicy } from '../../native/policy-abi.ts';
import { chooseNetwork, chooseVm, intentOf, readNetworkFile } from '../manifest/network-file.ts';
import { escapeText } from '../terminal/escape.ts';
import { usageError } from '../usage-error.ts';
import type { Sides } from './judgement.ts';

/** The options that say which policy frames are judged by. */
export interface PolicySource {
  readonly policy: string;
  readonly network?: string;
  readonly vm?: string;
  readonly guestMac?: string;
  readonly guestAddress?: string;
  readonly gatewayMac?: string;
}

/** A policy ready for the filter, and what it was made of. */
export interface ExplainedPolicy {
  /** Null when the network is refused: the VM is denied. */
  readonly bytes: Uint8Array | null;
  readonly sides: Sides;
  readonly shown: ShownPolicy;
}

/** The policy as people and scripts see it. */
export interface ShownPolicy {
  readonly network: string;
  readonly vm: string;
  readonly guestMac: string;
  readonly guestAddress: string;
  /** Where the guest address comes from; `assumed` means that the machine where it runs may have given another. */
  readonly guestAddressFrom: 'option' | 'record' | 'assumed';
  readonly gatewayMac: string;
  readonly gatewayAddress: string;
  readonly endpoint: { readonly address: string; readonly port: number } | null;
  readonly strictWireGuard: boolean;
  readonly quarantined: boolean;
  /** Why this network gives the VM nothing at all; null when it is in force. */
  readonly denied: string | null;
}

/** What this host knows of the VM beyond the manifest. */
export interface HostKnowledge {
  /** The address that the VM was given; null without a record. */
  recordedAddress(vm: string): string | null;
  /** The address that the VM would be given on a host where no other VM has it. */
  likelyAddress(vm: string): string;
}

/** Throws ManifestError and InputError for the manifest, VMN_USAGE for the options. */
export function explainedPolicy(source: PolicySource, host: HostKnowledge): ExplainedPolicy {
  const { networks, classes } = readNetworkFile(source.policy);
  const network = chooseNetwork(networks, source.network);
  const vm = chooseVm(network, source.vm);
  const { intent, reason } = intentOf(network, classes, vm);
  const recorded = host.recordedAddress(vm);
  const shown: ShownPolicy = {
    network: keyOf(network),
    vm,
    guestMac: mac(source.guestMac, '--guest-mac') ?? identityOf(vm).guestMac,
    guestAddress: address(source.guestAddress, '--guest-address') ?? recorded ?? host.likelyAddress(vm),
    guestAddressFrom: source.guestAddress !== undefined ? 'option' : recorded !== null ? 'record' : 'assumed',
    gatewayMac: mac(source.gatewayMac, '--gateway-mac') ?? GATEWAY_MAC,
    gatewayAddress: GATEWAY_ADDRESS,
    endpoint: intent?.endpoint ?? null,
    strictWireGuard: network.spec.wireGuard.strict,
    quarantined: network.spec.desiredState === 'Quarantined',
    denied: intent === null ? reason : null,
  };
  return { bytes: intent === null ? null : encode(shown, intent.endpoint), sides: shown, shown };
}

function encode(shown: ShownPolicy, endpoint: { address: string; port: number }): Uint8Array {
  return encodePolicy({
    flags: { quarantined: shown.quarantined, strictWireGuard: shown.strictWireGuard },
    generation: 1n,
    guestMac: shown.guestMac,
    gatewayMac: shown.gatewayMac,
    guestAddress: shown.guestAddress,
    gatewayAddress: shown.gatewayAddress,
    mode: 'Filtered',
    endpoint,
    previous: null,
  });
}

function mac(text: string | undefined, option: string): string | null {
  if (text === undefined) return null;
  const parsed = parseMacAddress(text.toLowerCase());
  if (parsed === null)
    throw usageError('Give the MAC of one card, for example 02:76:1f:00:a2:4c.', `${option} ${text}`);
  return parsed;
}

function address(text: string | undefined, option: string): string | null {
  if (text === undefined) return null;
  const parsed = parseIpv4Address(text);
  if (parsed === null) throw usageError('Give an IPv4 address, for example 100.64.0.5.', `${option} ${text}`);
  return parsed;
}

/** One or two lines for the person at the terminal: what the frames are judged against. */
export function describePolicy({ shown }: ExplainedPolicy): string {
  const guest = `${shown.vm} ${shown.guestMac} ${shown.guestAddress}`;
  const target = shown.endpoint ? `${shown.endpoint.address}:${shown.endpoint.port}` : 'nothing';
  const flags = [shown.strictWireGuard ? 'strict' : 'any UDP', ...(shown.quarantined ? ['quarantined'] : [])];
  const lines = [`${shown.network}: ${guest} → ${target} (${flags.join(', ')})`];
  if (shown.denied !== null) lines.push(`the VM is denied: ${shown.denied}`);
  if (shown.guestAddressFrom === 'assumed') {
    lines.push('the guest address is assumed, for this host has no record of the VM; give --guest-address');
  }
  return lines.map((line) => escapeText(line)).join('\n');
}
