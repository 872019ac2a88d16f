import { GATEWAY_ADDRESS, GATEWAY_MAC, identityOf } from '../../../agent/wiring/identity.ts';
import { parseIpv4Address } from '../../../api/v1alpha1/ipv4-address.ts';
import { parseMacAddress } from '../../../api/v1alpha1/mac-address.ts';
import { usageError } from '../../usage-error.ts';
import type { PolicyOptions } from './policy-options.ts';
import type { WantedPolicy } from './wanted-policy.ts';

/** Where the guest address comes from; `assumed`: the machine where the VM runs may have given it another. */
export type AddressOrigin = 'option' | 'attachment' | 'record' | 'assumed';

/** The two ends of the link that frames were seen on. */
export interface Guest {
  readonly guestMac: string;
  readonly guestAddress: string;
  readonly guestAddressFrom: AddressOrigin;
  readonly gatewayMac: string;
  readonly gatewayAddress: string;
}

/** What this host knows of the VM beyond the file. */
export interface HostKnowledge {
  /** The address that the VM was given; null without a record. */
  recordedAddress(vm: string): string | null;
  /** The address that the VM would be given on a host where no other VM has it. */
  likelyAddress(vm: string): string;
}

/** Options go before the file, the file before this host's records. Throws VMN_USAGE for the options. */
export function guestOf(options: PolicyOptions, { vm, card }: WantedPolicy, host: HostKnowledge): Guest {
  return {
    guestMac: mac(options.guestMac, '--guest-mac') ?? card.guestMac ?? identityOf(vm).guestMac,
    ...guestAddress(options, { vm, card }, host),
    gatewayMac: mac(options.gatewayMac, '--gateway-mac') ?? card.gatewayMac ?? GATEWAY_MAC,
    gatewayAddress: card.gatewayAddress ?? GATEWAY_ADDRESS,
  };
}

function guestAddress(
  options: PolicyOptions,
  { vm, card }: Pick<WantedPolicy, 'vm' | 'card'>,
  host: HostKnowledge,
): Pick<Guest, 'guestAddress' | 'guestAddressFrom'> {
  if (options.guestAddress !== undefined)
    return { guestAddress: address(options.guestAddress), guestAddressFrom: 'option' };
  if (card.guestAddress !== undefined)
    return { guestAddress: card.guestAddress, guestAddressFrom: 'attachment' };
  const recorded = host.recordedAddress(vm);
  if (recorded !== null) return { guestAddress: recorded, guestAddressFrom: 'record' };
  return { guestAddress: host.likelyAddress(vm), guestAddressFrom: 'assumed' };
}

/** As people write it: upper case and dashes are fine. */
function mac(text: string | undefined, option: string): string | null {
  if (text === undefined) return null;
  const parsed = parseMacAddress(text.toLowerCase().replaceAll('-', ':'));
  if (parsed !== null) return parsed;
  throw usageError(
    `${option} ${text} is not the MAC of a network card`,
    'Give six pairs of hex digits, for example 02:76:1f:00:a2:4c; group addresses belong to no card.',
  );
}

function address(text: string): string {
  const parsed = parseIpv4Address(text);
  if (parsed !== null) return parsed;
  const why = text.includes(':') ? 'is an IPv6 address, and guests have IPv4 ones' : 'is not an IPv4 address';
  throw usageError(
    `--guest-address ${text} ${why}`,
    'Give the one that `vmnetctl status` shows for the VM, for example 100.64.0.5.',
  );
}
