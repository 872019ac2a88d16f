import { type Cidr, networkAddress, parseCidr } from '../../api/v1alpha1/cidr.ts';
import type { WireGuard } from '../../api/v1alpha1/wireguard.ts';
import { InputError } from '../input-error.ts';

/** Of a VMNetwork's spec what the consumer's end has to agree with. Fields mean what they mean there. */
export interface NetworkFacts {
  readonly namespace: string;
  readonly name: string;
  /** Undefined with mode Direct. */
  readonly endpoint: { readonly address: string; readonly port: number } | undefined;
  readonly wireGuard: Pick<
    WireGuard,
    'peerPublicKey' | 'presharedKeySecretRef' | 'addresses' | 'allowedIPs' | 'mtu'
  >;
}

/** One network card of a VM of that network. */
export interface VmFacts {
  /** Null where only its attachment is known. */
  readonly vm: string | null;
  /** Name of the VMNetworkAttachment; null on a host without a cluster. */
  readonly attachment: string | null;
  /** Null: its host has published none. */
  readonly publicKey: string | null;
  /** What takes its place at the VM's next start. */
  readonly nextPublicKey?: string | undefined;
  /** Inside the tunnel; undefined: those of the network's spec. */
  readonly addresses?: readonly Cidr[] | undefined;
}

/** What the consumer needs; `-o json` prints it as it is. */
export interface PeerConfig {
  readonly network: { readonly namespace: string; readonly name: string };
  /** Where the VMs look for the consumer. */
  readonly endpoint: { readonly address: string; readonly port: number };
  readonly interface: {
    /** Of the consumer's own private key, as spec.wireGuard.peerPublicKey has it. */
    readonly publicKey: string;
    readonly listenPort: number;
    /** Empty: the network does not tell. */
    readonly addresses: readonly string[];
    /** What the VMs may reach through the tunnel. */
    readonly reachableByVms: readonly string[];
    readonly mtu: number;
  };
  readonly presharedKeySecretRef: {
    readonly namespace: string;
    readonly name: string;
    readonly key: string;
  } | null;
  readonly peers: readonly Peer[];
  /** What keeps this from being whole, a sentence each with what to do. */
  readonly problems: readonly string[];
}

export interface Peer {
  readonly vm: string | null;
  readonly attachment: string | null;
  readonly publicKey: string;
  /** What takes its place at the VM's next start; absent: nothing does. */
  readonly nextPublicKey?: string;
  readonly allowedIPs: readonly string[];
}

/**
 * Joins what the network asks for with what the hosts published. Pure.
 *
 * WireGuard gives an address to one peer only: a later one that names it too would take it from the first. So the first
 * keeps it here, and the other is told of in `problems`.
 * @param vms in the order in which they are listed
 * @throws InputError (refused) where there is nothing to connect to
 */
export function peerConfig(network: NetworkFacts, vms: readonly VmFacts[]): PeerConfig {
  const { namespace, name, endpoint, wireGuard } = network;
  const { peerPublicKey, presharedKeySecretRef, allowedIPs, mtu } = wireGuard;
  const on = `VMNetwork ${namespace}/${name}`;
  if (endpoint === undefined) {
    const remedy =
      'Set spec.consumerEndpoint and a mode other than Direct: else the VMs have no one place to call.';
    throw new InputError(on, 'spec.consumerEndpoint is not in force', remedy, 'refused');
  }
  if (peerPublicKey === undefined) {
    const remedy = "Set it to the consumer's public key, as `wg pubkey < private.key` prints it.";
    throw new InputError(
      on,
      'spec.wireGuard.peerPublicKey is not set: guests get no tunnel',
      remedy,
      'refused',
    );
  }
  const told = vms.filter(({ publicKey }) => publicKey !== null);
  if (told.length === 0) throw new InputError(on, noKey(vms), NO_KEY_REMEDY, 'refused');
  const problems = vms.filter(({ publicKey }) => publicKey === null).map(keyless);
  const peers = peersOf(told, wireGuard.addresses, problems);
  return {
    network: { namespace, name },
    endpoint: { address: endpoint.address, port: endpoint.port },
    interface: {
      publicKey: peerPublicKey,
      listenPort: endpoint.port,
      addresses: ownAddresses(allowedIPs),
      reachableByVms: allowedIPs,
      mtu,
    },
    presharedKeySecretRef:
      presharedKeySecretRef === undefined
        ? null
        : { namespace, name: presharedKeySecretRef.name, key: presharedKeySecretRef.key },
    peers,
    problems,
  };
}

/** How a peer is called for people. */
export function titleOf({ vm, attachment }: Pick<Peer, 'vm' | 'attachment'>): string {
  const names = [
    ...(vm === null ? [] : [`VM ${vm}`]),
    ...(attachment === null ? [] : [`attachment ${attachment}`]),
  ];
  return names.join(', ');
}

const NO_KEY_REMEDY =
  'A VM gets its key when its agent provisions it: see `vmnetctl status` on its host, or the condition GuestProvisioned in ' +
  '`kubectl describe vmnetwork`. The agent must be of a version that does this.';

function noKey(vms: readonly VmFacts[]): string {
  if (vms.length === 0) return 'no VM with a public key is bound to it';
  return `none of its VMs has a public key yet (${vms.map(titleOf).join('; ')})`;
}

function keyless(vm: VmFacts): string {
  return `${titleOf(vm)} has no public key yet and is left out: ask again once it was provisioned.`;
}

function peersOf(vms: readonly VmFacts[], ofNetwork: readonly Cidr[], problems: string[]): Peer[] {
  const holders = new Map<string, string>();
  return vms.flatMap(({ vm, attachment, publicKey, nextPublicKey, addresses = ofNetwork }) => {
    if (publicKey === null) return [];
    const title = titleOf({ vm, attachment });
    const wanted = [...new Set(addresses.map(allowedIp))];
    const allowedIPs = wanted.filter((address) => !holders.has(address));
    for (const address of wanted) {
      const holder = holders.get(address);
      if (holder !== undefined) problems.push(contested(title, address, holder));
      else holders.set(address, title);
    }
    if (wanted.length === 0)
      problems.push(`${title} has no address inside the tunnel: set spec.wireGuard.addresses.`);
    const next = nextPublicKey === undefined ? {} : { nextPublicKey };
    return [{ vm, attachment, publicKey, ...next, allowedIPs }];
  });
}

function contested(title: string, address: string, holder: string): string {
  return `${title} has ${address} like ${holder}, and WireGuard gives an address to one peer only: give each VM a VMNetwork of its own.`;
}

/** An address that is written with the length of its network is one address; a whole network is routed to the VM. */
function allowedIp(cidr: Cidr): string {
  const parsed = parseCidr(cidr);
  if (parsed === null) return cidr;
  return networkAddress(parsed) === parsed.address ? cidr : `${parsed.address}/32`;
}

/** Where the VMs reach one address only, that is the consumer's. */
function ownAddresses(allowedIPs: readonly string[]): string[] {
  const [only] = allowedIPs;
  return only !== undefined && allowedIPs.length === 1 && only.endsWith('/32') ? [only] : [];
}
