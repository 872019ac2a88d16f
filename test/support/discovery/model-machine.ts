import type { CommandLine } from '../../../src/agent/discovery/argv/command-line.ts';
import type { VmFacts } from '../../../src/agent/discovery/facts.ts';
import type {
  Closable,
  Link,
  Machine,
  NamedNetns,
  NetnsOrigin,
  TunFile,
} from '../../../src/agent/discovery/machine.ts';
import { parseMacAddress } from '../../../src/api/v1alpha1/mac-address.ts';
import { VmnError } from '../../../src/lib/errors.ts';

/** The namespace of the agent. */
export const OWN = 1;

interface ModelNamespace {
  name: string | null;
  readonly links: Map<number, Link>;
  readonly watches: Set<() => void>;
  descriptors: number;
}

export interface ModelTap {
  netns: number;
  ifindex: number;
}

export interface ModelCard {
  readonly id: string;
  readonly mac: string;
}

export interface ModelProcess {
  readonly pid: number;
  readonly startTicks: string;
  program: string;
  words: string[];
  netns: number;
  pod: boolean;
  readonly taps: Map<number, ModelTap>;
  /** Card and tap that a monitor would tell of: backend id to descriptor. */
  readonly cards: Map<string, { mac: string; fd: number | null; kind: string }>;
  monitor: 'none' | 'free' | 'held';
  readonly watches: Set<() => void>;
}

/** A machine in memory, with events as the kernel has them, and with what has none. */
export class ModelMachine implements Machine {
  readonly processes = new Map<number, ModelProcess>();
  readonly namespaces = new Map<number, ModelNamespace>();
  readonly #bareNames = new Map<string, number>();
  readonly #nameWatches = new Set<() => void>();
  /** Descriptors of namespaces that are open, to their inodes. */
  readonly #open = new Map<number, number>();
  #last = 1000;
  /** Looking into other processes, or other namespaces, is not allowed. */
  blind = false;
  confined = false;
  /** Events are late: nobody is told of anything. */
  silent = false;
  /** How often each VM was asked about itself. */
  readonly asked = new Map<number, number>();

  constructor() {
    this.namespaces.set(OWN, { name: null, links: new Map(), watches: new Set(), descriptors: 0 });
  }

  /** Nothing of it is still watched or open. */
  get isLetGo(): boolean {
    const watched = [...this.namespaces.values(), ...this.processes.values()].some(
      ({ watches }) => watches.size > 0,
    );
    return !watched && this.#nameWatches.size === 0 && this.#open.size === 0;
  }

  next(): number {
    return ++this.#last;
  }

  makeNetns(name: string | null): number {
    const inode = this.next();
    this.namespaces.set(inode, { name, links: new Map(), watches: new Set(), descriptors: 0 });
    if (name !== null && !this.#bareNames.delete(name)) this.#tell(this.#nameWatches);
    return inode;
  }

  /** As it is before `makeNetns` mounts a namespace over it, of which nobody is told. */
  makeName(name: string): void {
    this.#bareNames.set(name, this.next());
    this.#tell(this.#nameWatches);
  }

  /** Without its name it lives as long as somebody is in it, or has it open. */
  unnameNetns(inode: number): void {
    const namespace = this.namespaces.get(inode);
    if (namespace === undefined || inode === OWN) return;
    namespace.name = null;
    this.#tell(this.#nameWatches);
    this.#collect(inode);
  }

  makeTap(netns: number, name: string, alias = ''): ModelTap {
    const ifindex = this.next();
    const link: Link = {
      ifindex,
      name,
      mac: '02:00:00:00:00:01',
      alias,
      up: true,
      carrier: false,
      master: 0,
      mtu: 1500,
      kind: 'tun',
    };
    this.#there(netns).links.set(ifindex, link);
    this.#changed(netns);
    return { netns, ifindex };
  }

  nameOf({ netns, ifindex }: ModelTap): string | null {
    return this.namespaces.get(netns)?.links.get(ifindex)?.name ?? null;
  }

  rename(tap: ModelTap, name: string): void {
    const link = this.#there(tap.netns).links.get(tap.ifindex);
    if (link !== undefined) link.name = name;
    this.#changed(tap.netns);
  }

  move(tap: ModelTap, netns: number): void {
    const link = this.#there(tap.netns).links.get(tap.ifindex);
    if (link === undefined || !this.namespaces.has(netns)) return;
    const from = tap.netns;
    this.#there(from).links.delete(tap.ifindex);
    tap.netns = netns;
    tap.ifindex = this.next();
    this.#there(netns).links.set(tap.ifindex, { ...link, ifindex: tap.ifindex });
    this.#changed(from);
    this.#changed(netns);
  }

  deleteTap(tap: ModelTap): void {
    this.#there(tap.netns).links.delete(tap.ifindex);
    for (const { taps } of this.processes.values())
      for (const [fd, held] of taps) if (held === tap) taps.delete(fd);
    this.#changed(tap.netns);
  }

  fork(program: string, netns: number, words: string[] = [program]): ModelProcess {
    const pid = this.next();
    const process: ModelProcess = {
      pid,
      startTicks: String(pid * 10),
      program,
      words,
      netns,
      pod: false,
      taps: new Map(),
      cards: new Map(),
      monitor: 'none',
      watches: new Set(),
    };
    this.processes.set(pid, process);
    return process;
  }

  hold(process: ModelProcess, fd: number, tap: ModelTap): void {
    process.taps.set(fd, tap);
    this.#carrier(tap);
  }

  /** As QEMU does with a tap that it is given: what it can offload changes. */
  setUp({ netns }: ModelTap): void {
    this.#changed(netns);
  }

  drop(process: ModelProcess, fd: number): void {
    const tap = process.taps.get(fd);
    process.taps.delete(fd);
    if (tap !== undefined) this.#carrier(tap);
  }

  kill(process: ModelProcess): void {
    this.processes.delete(process.pid);
    for (const [fd] of [...process.taps]) this.drop(process, fd);
    this.#tell(process.watches);
    this.#collect(process.netns);
  }

  pids(): number[] {
    return [...this.processes.keys()];
  }

  programOf(pid: number): string | null {
    return this.processes.get(pid)?.program ?? null;
  }

  startOf(pid: number): string | null {
    return this.processes.get(pid)?.startTicks ?? null;
  }

  commandLineOf(pid: number): string[] {
    return this.processes.get(pid)?.words ?? [];
  }

  cgroupsOf(pid: number): string {
    return this.processes.get(pid)?.pod === true
      ? '0::/kubepods/pod0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60/x'
      : '0::/';
  }

  netnsOf(pid: number): number | null {
    return this.processes.get(pid)?.netns ?? null;
  }

  tunFiles(pid: number, fds?: readonly number[]): TunFile[] {
    const process = this.processes.get(pid);
    if (process === undefined) throw new VmnError('VMN_NETLINK', { attempted: 'look' });
    if (this.blind)
      throw new VmnError('VMN_CAPABILITY', { attempted: 'look', remedy: 'needs CAP_SYS_PTRACE' });
    const looked = [...process.taps].filter(([fd]) => fds?.includes(fd) ?? true);
    return looked.map(([fd, tap]) => ({
      fd,
      kind: 'tap',
      name: this.nameOf(tap) ?? '',
      netns: tap.netns,
    }));
  }

  watchEnd(pid: number, onEnd: () => void): Closable {
    const watches = this.processes.get(pid)?.watches;
    if (watches === undefined) throw new VmnError('VMN_NETLINK', { attempted: 'watch' });
    return this.#watch(watches, onEnd);
  }

  isNetworkDevice(): boolean {
    return true;
  }

  async ask(pid: number, { facts }: CommandLine): Promise<VmFacts | null> {
    this.asked.set(pid, (this.asked.get(pid) ?? 0) + 1);
    await Promise.resolve();
    const process = this.processes.get(pid);
    if (process?.monitor !== 'free') return null;
    return {
      name: facts.name,
      uuid: facts.uuid,
      cards: [...process.cards].map(([id, { mac }]) => ({
        device: 'nic',
        mac: parseMacAddress(mac),
        backends: [id],
      })),
      backends: [...process.cards].map(([id, { fd, kind }]) => {
        return { id, kind, interface: null, fds: fd === null ? [] : [fd] };
      }),
    };
  }

  ownNetns(): number {
    return OWN;
  }

  namedNetns(): NamedNetns[] {
    const path = (name: string): string => `/run/netns/${name}`;
    const bare = [...this.#bareNames].map(([name, inode]) => ({ path: path(name), inode, mounted: false }));
    const named = [...this.namespaces].flatMap(([inode, { name }]) =>
      name === null ? [] : [{ path: path(name), inode, mounted: true }],
    );
    return [...bare, ...named];
  }

  watchNamedNetns(onChange: () => void): Closable {
    return this.#watch(this.#nameWatches, onChange);
  }

  openNetns(origin: NetnsOrigin): { fd: number; inode: number } {
    const inode = this.#inodeOf(origin);
    const namespace = inode === undefined ? undefined : this.namespaces.get(inode);
    if (inode === undefined || namespace === undefined) throw new Error('ENOENT');
    const fd = this.next();
    namespace.descriptors += 1;
    this.#open.set(fd, inode);
    return { fd, inode };
  }

  closeNetns(fd: number): void {
    const inode = this.#open.get(fd);
    if (inode === undefined) throw new Error('closed twice');
    this.#open.delete(fd);
    this.#there(inode).descriptors -= 1;
    this.#collect(inode);
  }

  linksIn(fd: number | null): Link[] {
    return [...this.#behind(fd).links.values()].map((link) => ({ ...link }));
  }

  watchLinksIn(fd: number | null, onChange: () => void): Closable {
    return this.#watch(this.#behind(fd).watches, onChange);
  }

  #behind(fd: number | null): ModelNamespace {
    if (fd !== null && this.confined)
      throw new VmnError('VMN_CAPABILITY', { attempted: 'look', remedy: 'needs CAP_SYS_ADMIN' });
    return this.#there(fd === null ? OWN : (this.#open.get(fd) ?? -1));
  }

  #inodeOf(origin: NetnsOrigin): number | undefined {
    if ('path' in origin) return this.namedNetns().find(({ path }) => path === origin.path)?.inode;
    const process = this.processes.get(origin.pid);
    return 'fd' in origin ? process?.taps.get(origin.fd)?.netns : process?.netns;
  }

  #there(inode: number): ModelNamespace {
    const namespace = this.namespaces.get(inode);
    if (namespace === undefined) throw new Error(`no namespace ${String(inode)}`);
    return namespace;
  }

  #carrier(tap: ModelTap): void {
    const link = this.namespaces.get(tap.netns)?.links.get(tap.ifindex);
    if (link === undefined) return;
    const held = [...this.processes.values()].some(({ taps }) => [...taps.values()].includes(tap));
    if (link.carrier === held) return;
    link.carrier = held;
    this.#changed(tap.netns);
  }

  #collect(inode: number): void {
    const namespace = this.namespaces.get(inode);
    if (namespace === undefined || inode === OWN || namespace.name !== null || namespace.descriptors > 0)
      return;
    if ([...this.processes.values()].some(({ netns }) => netns === inode)) return;
    for (const { taps } of this.processes.values())
      for (const [fd, tap] of taps) if (tap.netns === inode) taps.delete(fd);
    this.namespaces.delete(inode);
  }

  #changed(inode: number): void {
    this.#tell(this.#there(inode).watches);
  }

  #tell(watches: ReadonlySet<() => void>): void {
    if (!this.silent) for (const watch of [...watches]) watch();
  }

  #watch(watches: Set<() => void>, callback: () => void): Closable {
    const watch = (): void => callback();
    watches.add(watch);
    return { close: () => void watches.delete(watch) };
  }
}
