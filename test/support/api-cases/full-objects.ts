/** Objects of each kind in which every field is present, at values that leave room on both sides. */
import { API_VERSION } from '../../../src/api/v1alpha1/index.ts';

export type Kind = 'VMNetwork' | 'VMNetworkClass' | 'VMNetworkAttachment' | 'VMNetworkNode';

export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: { readonly name: string; readonly namespace?: string } & Record<string, unknown>;
  readonly spec: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
}

export const KEY = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
export const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const HASH = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const TIME = '2026-01-31T12:00:00Z';

const CONDITION = {
  type: 'Enforced',
  status: 'True',
  reason: 'Verified',
  message: 'read back',
  observedGeneration: 3,
  lastTransitionTime: TIME,
};

const TUNNEL = {
  peerPublicKey: KEY,
  addresses: ['10.99.0.2/32'],
  allowedIPs: ['10.99.0.0/24'],
  dns: ['10.99.0.1'],
  persistentKeepaliveSeconds: 20,
  mtu: 1400,
};

const SPECS: Readonly<Record<Kind, Record<string, unknown>>> = {
  VMNetwork: {
    className: 'default',
    mode: 'Sampled',
    consumerEndpoint: { address: '203.0.113.10', port: 51900 },
    endpointGraceSeconds: 30,
    selector: { names: ['vm'], uuids: [UUID], matchLabels: { team: 'blue' }, nodeName: 'node-3' },
    sampling: { ratePerMillion: 5000 },
    violation: { action: 'Quarantine', threshold: 5, windowSeconds: 60 },
    enforcement: 'Enforce',
    desiredState: 'Active',
    limits: { egressBitsPerSecond: 1000, packetsPerSecond: 100 },
    wireGuard: { ...TUNNEL, presharedKeySecretRef: { name: 'psk', key: 'psk' }, strict: true },
    cloudInit: { delivery: 'VendorData' },
  },
  VMNetworkClass: {
    allowedModes: ['Filtered', 'Direct'],
    deniedDestinations: {
      networks: ['198.51.100.0/24'],
      clusterRanges: true,
      privateRanges: true,
      sharedRange: true,
    },
    deniedPorts: [53],
    // 0 is "no bound", so that every default goes with it.
    limits: {
      default: { egressBitsPerSecond: 1, packetsPerSecond: 1 },
      maximum: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
    },
    vmOwnership: 'Namespace',
    allowAudit: true,
    allowNonStrict: true,
    maximumViolationAction: 'Quarantine',
  },
  VMNetworkAttachment: {
    nodeName: 'node-3',
    vm: { id: UUID, name: 'vm', uuid: UUID },
    interface: { mac: '02:76:1f:00:a2:4c' },
    policy: {
      network: 'full',
      className: 'default',
      mode: 'Sampled',
      enforcement: 'Enforce',
      desiredState: 'Active',
      consumerEndpoint: { address: '203.0.113.10', port: 51900 },
      previousEndpoint: { address: '198.51.100.7', port: 51820, until: TIME },
      strictWireGuard: true,
      sampling: { ratePerMillion: 5000 },
      limits: { egressBitsPerSecond: 1000, packetsPerSecond: 100 },
      violation: { action: 'Quarantine', threshold: 5, windowSeconds: 60 },
      guestAddress: '100.64.0.5',
      gatewayAddress: '169.254.1.1',
      gatewayMac: '02:76:6d:6e:00:01',
      wireGuard: TUNNEL,
      cloudInit: { delivery: 'VendorData' },
    },
    policyGeneration: 7,
    hash: HASH,
    sealedPresharedKey: {
      recipient: KEY,
      secretUid: UUID,
      secretResourceVersion: '4711',
      ciphertext: 'q83vEjRWeJCrze8SNFZ4kA==',
    },
  },
  VMNetworkNode: {},
};

const STATUSES: Readonly<Record<Kind, Record<string, unknown>>> = {
  VMNetwork: {
    observedGeneration: 3,
    conditions: [CONDITION],
    endpoint: '203.0.113.10:51900',
    attachments: { desired: 1, enforced: 1, summary: '1/1' },
    droppedPackets: 42,
    tunnel: { lastHandshake: TIME },
    peers: [{ attachment: 'full-0', publicKey: KEY, addresses: ['10.99.0.2/32'] }],
  },
  VMNetworkClass: { clusterRanges: ['10.96.0.0/12'] },
  VMNetworkAttachment: {
    observedGeneration: 3,
    conditions: [CONDITION],
    engine: 'tcx',
    interface: { name: 'vmn-0123456789', ifindex: 17, netns: 'net:[4026531840]' },
    enforced: {
      policyHash: HASH,
      policyGeneration: 7,
      programTag: 'a04f5eef06a7f555',
      linkId: 31,
      verifiedAt: TIME,
    },
    exposureMilliseconds: 0,
    counters: { allowed: 123456, dropped: 42, droppedByReason: { DestinationAddress: 42 } },
    lastViolations: [
      {
        time: TIME,
        direction: 'FromVM',
        protocol: 'TCP',
        address: '192.0.2.1',
        port: 443,
        reason: 'DestinationAddress',
        packets: 3,
      },
    ],
    guest: { publicKey: KEY, addresses: ['10.99.0.2/32'] },
    tunnel: { lastHandshake: TIME },
  },
  VMNetworkNode: {
    platform: { os: 'Linux', architecture: 'amd64', kernel: '6.12.48+deb13-amd64' },
    versions: { agent: '0.1.0', program: 'a04f5eef06a7f555' },
    features: { btf: true, tcx: true, clsact: true, ringbuf: true, bpffs: true },
    sealingKey: KEY,
    conditions: [{ ...CONDITION, type: 'Ready' }],
    virtualMachineCount: 1,
    virtualMachines: [
      {
        id: UUID,
        name: 'vm',
        uuid: UUID,
        namespace: 'tenant-a',
        labels: { team: 'blue' },
        interfaces: [
          { mac: '02:76:1f:00:a2:4c', name: 'vmn-0123456789', engine: 'tcx', unsupported: 'no tap' },
        ],
      },
    ],
  },
};

export const CLUSTER_KINDS: readonly Kind[] = ['VMNetworkClass', 'VMNetworkNode'];

/** A new object; nothing is shared with the one before. */
export function fullObject(kind: Kind, namespace: string): ApiObject {
  const metadata = CLUSTER_KINDS.includes(kind) ? { name: 'full' } : { name: 'full', namespace };
  const parts = structuredClone({ spec: SPECS[kind], status: STATUSES[kind] });
  return { apiVersion: API_VERSION, kind, metadata, ...parts };
}
