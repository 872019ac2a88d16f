/**
 * The native addon: loaded here and nowhere else, when it is first needed. What each function does is said where the
 * facades of this folder offer it; arguments are checked there, and failures become VmnErrors there.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { VmnError } from '../lib/errors.ts';
import type { TunnelSeen } from './tunnel.ts';

export interface NativeHook {
  linkId: number;
  programId: number;
  programTag: string;
  ifindex: number;
  kind: 'tcx' | 'clsact';
  ingress: boolean;
  first: boolean;
  others: NativeOtherProgram[];
}

export interface NativeOtherProgram {
  programId: number;
  name: string;
}

export interface NativeReadBack {
  fromVm: NativeHook | null;
  toVm: NativeHook | null;
  policyState: 'empty' | 'set' | 'unknown';
  policy: Uint8Array | null;
}

export interface NativeTestRun {
  action: number;
  reason: number;
  nonce: bigint;
  audited: boolean;
  mark: number;
  frame: Uint8Array;
}

export interface NativeOfflineFilter {
  setPolicy(policy: Uint8Array | null): void;
  run(fromVm: boolean, frame: Uint8Array, mark: number, gsoSize: number, vlan: boolean): NativeTestRun;
  close(): void;
}

export interface NativeParsedFrame {
  failure?: string;
  destination?: string;
  source?: string;
  etherType?: number;
  payloadOffset?: number;
  vlan?: boolean;
  arp?: {
    operation: number;
    senderMac: string;
    senderAddress: string;
    targetMac: string;
    targetAddress: string;
  };
  ipv4?: {
    headerBytes: number;
    totalBytes: number;
    fragmentField: number;
    ttl: number;
    protocol: number;
    source: string;
    destination: string;
    payloadOffset: number;
  };
  transport?: { sourcePort: number; destinationPort: number; udpBytes: number; payloadOffset: number };
}

export interface NativeLink {
  ifindex: number;
  name: string;
  mac: string;
  alias: string;
  up: boolean;
  carrier: boolean;
  mtu: number;
  master: number;
  kind: string;
}

export interface NativeRoute {
  destination: string;
  prefixLength: number;
  ifindex: number;
  protocol: number;
}

export interface NativeWay {
  ifindex: number;
  name: string;
  local: boolean;
  gateway?: string;
  source?: string;
}

export interface NativeNeighbour {
  address: string;
  mac: string;
  permanent: boolean;
}

export interface NativeTunFile {
  fd: number;
  kind: 'tap' | 'tun' | 'macvtap';
  name: string;
  netns: number;
}

export interface NativeUnixSocket {
  path: string;
  listening: boolean;
  peerPid: number;
}

export interface Closable {
  close(): void;
}

/** native/addon; each file there exports the functions of one group. */
export interface NativeAddon {
  /** `hookKind`: 0 the better one that the kernel has, 1 tcx, 2 clsact. */
  attachFilter(pinDir: string, ifindex: number, hookKind: number): void;
  replaceFilter(pinDir: string, ifindex: number, hookKind: number, policy: Uint8Array | null): void;
  writePolicy(pinDir: string, policy: Uint8Array | null): void;
  removeFilter(pinDir: string, attachedToo: boolean): void;
  readBack(pinDir: string): NativeReadBack;
  /** `[slot, packets, bytes]` */
  counters(pinDir: string): [number, bigint, bigint][];
  crossings(pinDir: string): bigint;
  tunnel(pinDir: string): TunnelSeen | null;
  tunnelIn(state: BigUint64Array): TunnelSeen;
  programTags(): { fromVm: string; toVm: string };
  testRun(
    pinDir: string,
    fromVm: boolean,
    frame: Uint8Array,
    mark: number,
    gsoSize: number,
    vlan: boolean,
  ): NativeTestRun;
  openOfflineFilter(): NativeOfflineFilter;

  judge(
    fromVm: boolean,
    policy: Uint8Array | null,
    state: BigUint64Array | null,
    frame: Uint8Array,
    nowNs: bigint,
    nonce: bigint,
    pendingChecksumOffset: number,
    superFrame: number,
    segmentBytes: number,
    vlanInMetadata: boolean,
    ownAnswer: boolean,
  ): number;
  filterStateBytes(): number;
  parseFrame(frame: Uint8Array): NativeParsedFrame;
  /** `struct` to its size, `struct.field` to its offset, constants to their value: the compiler's view of vmn/abi.h. */
  abiLayout(): Record<string, number>;

  createTap(name: string): { fd: number; ifindex: number };
  persistTap(fd: number, owner: number | null): void;
  openTap(name: string, vnetHeader: boolean, offloads: number): { fd: number; ifindex: number };

  links(): NativeLink[];
  linksIn(netns: number): NativeLink[];
  linkByName(name: string): NativeLink;
  setLink(
    ifindex: number,
    mac: string | null,
    alias: string | null,
    mtu: number,
    up: boolean | null,
    leaveMaster: boolean,
  ): void;
  deleteLink(ifindex: number): void;
  routes(protocol: number): NativeRoute[];
  addRoute(destination: string, prefixLength: number, ifindex: number, protocol: number, scope: number): void;
  deleteRoute(
    destination: string,
    prefixLength: number,
    ifindex: number,
    protocol: number,
    scope: number,
  ): void;
  routeTo(address: string): NativeWay;
  neighbours(ifindex: number): NativeNeighbour[];
  setNeighbour(ifindex: number, address: string, mac: string): void;
  deleteNeighbour(ifindex: number, address: string): void;

  /** `fds` null: all. */
  tunFiles(pid: number, fds: Int32Array | null): NativeTunFile[];
  tunNetns(pid: number, fd: number): number;
  unixSockets(pid: number): NativeUnixSocket[];
  watchProcessEnd(pid: number, onEnd: () => void): Closable;
  openProcess(pid: number): number;
  signalProcess(process: number, signal: number): void;
  watchProcess(process: number, onEnd: () => void): Closable;

  setNetns(path: string): void;
  inNetns<T>(netns: number, work: () => T): T;
  lockFile(path: string, wait: boolean): number;
  mountBpffs(path: string): void;

  probeBpf(): void;
  probeMapInMap(): void;
  probeRingBuffer(): void;
  probeKernelMemory(): void;
  probeTcx(): void;
  probeClsact(): void;

  openEvents(path: string, onEvent: (bytes: Uint8Array) => void): Closable;
  watchLinks(onChange: () => void): Closable;
  watchLinksIn(netns: number | null, onChange: () => void): Closable;
  watchNftables(onChange: () => void): Closable;
  nftablesGeneration(): number;

  returnFreedMemory(): void;
}

/** The program of the userspace engine, where `make build` puts it. */
export const ENGINE_PATH = fileURLToPath(new URL('../../build/native/vmn-nat', import.meta.url));
/** Where `make build` puts it. */
export const ADDON_PATH = fileURLToPath(new URL('../../build/native/vmnet.node', import.meta.url));

let loaded: NativeAddon | undefined;

/** @throws VmnError VMN_NATIVE_MISSING when it is not built, or built for another machine. */
export function addon(): NativeAddon {
  loaded ??= loadAddon(ADDON_PATH);
  return loaded;
}

/** For addon() and its test. */
export function loadAddon(path: string): NativeAddon {
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (cause) {
    throw new VmnError('VMN_NATIVE_MISSING', { attempted: 'load the native addon', on: path, cause });
  }
}
