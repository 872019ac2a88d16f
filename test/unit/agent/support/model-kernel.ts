import type {
  HostRoute,
  Kernel,
  Link,
  ReadBack,
  RouteAnswer,
  TapHolder,
} from '../../../../src/agent/host/kernel.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import type { ErrorCode } from '../../../../src/lib/errors.ts';
import type { CounterLine } from '../../../../src/native/counters.ts';
import type { TunnelSigns } from '../../../../src/agent/host/tunnel-signs.ts';
import { policyHash } from '../../../../src/native/policy-abi.ts';

// Long because it is one machine: links, programs, policies, routes and settings refer to each other throughout.

/** Ends the process that is calling, wherever it is: what SIGKILL is to the real one. */
export class Crash extends Error {}

interface ModelLink {
  readonly ifindex: number;
  name: string;
  mac: string;
  alias: string;
  up: boolean;
  mtu: number;
  persistent: boolean;
  /** Held by a process that is not ours. */
  heldByQemu: boolean;
  readonly ours: boolean;
  /** Of taps that others made: what may be done to them may be done to any such. */
  readonly foreignTap?: boolean;
  /** Ifindex of its bridge. */
  master?: number;
}

interface Slot {
  policy: Uint8Array | null;
}

interface Program {
  readonly tag: string;
  readonly slot: Slot;
}

/** A tcx link. It lives as long as it is pinned; `ifindex` is 0 once its device is gone or somebody detached it. */
interface Attachment {
  readonly id: number;
  ifindex: number;
  program: Program;
  /** Its interface is in another namespace. */
  away?: boolean;
}

interface PinSet {
  slot: Slot | null;
  from: Attachment | null;
  to: Attachment | null;
  staged: boolean;
  /** How often the VM reached its threshold of violations. */
  crossings: number;
  /** What it saw of the tunnel; absent: it does not look. */
  tunnel?: TunnelSigns;
  counters?: CounterLine[];
}

type Side = 'from' | 'to';
const SIDES: readonly Side[] = ['from', 'to'];

/**
 * A kernel in memory, in the steps in which the real one changes. Before each step it may fail (an error the caller
 * sees) or the calling process may die: its descriptors close, what was only half done stays, and no `finally` of it has
 * any effect. `check` is called between all steps.
 */
export class ModelKernel implements Kernel {
  readonly modelLinks = new Map<number, ModelLink>();
  readonly pins = new Map<string, PinSet>();
  readonly routeTable: HostRoute[] = [];
  readonly neighbourTable: { ifindex: number; address: string; mac: string }[] = [];
  readonly own = new Set(['127.0.0.0/8', '192.0.2.99/32']);
  readonly settings = new Map<string, string>();
  readonly processes = new Map<number, string>();
  /** Who holds which tap, as /proc shows it. */
  readonly holders = new Map<string, TapHolder[]>();
  readonly #fds = new Map<number, number>();
  tag = 'aaaa';
  sharedPins = false;
  /** Numbers of interfaces that left this namespace and are still somewhere. */
  readonly away = new Set<number>();
  /** Interfaces whose programs were taken away by somebody else and not restored yet. */
  readonly robbed = new Set<number>();
  check: () => void = () => undefined;
  /** Steps done since the start. */
  steps = 0;
  #nextId = 10;
  #failIn: number | null = null;
  #crashIn: number | null = null;
  #dead = false;

  constructor() {
    this.settings.set('net/ipv4/conf/all/forwarding', '0');
    this.addForeignLink('eth0');
  }

  /** The n-th step from now fails. */
  failIn(steps: number): void {
    this.#failIn = steps;
  }

  /** The process dies before the n-th step from now. */
  crashIn(steps: number): void {
    this.#crashIn = steps;
  }

  /** Nothing goes wrong any more, and the process (a new one, if the last died) runs. */
  calm(): void {
    this.#failIn = null;
    this.#crashIn = null;
    this.#dead = false;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** One step that may go wrong; also for the parts of the machine that are modelled elsewhere. */
  step(code: ErrorCode, attempted: string): void {
    if (this.#dead) throw new Crash(attempted);
    this.steps += 1;
    this.check();
    if (this.#crashIn !== null && --this.#crashIn <= 0) {
      this.#crashIn = null;
      this.#die();
      throw new Crash(attempted);
    }
    if (this.#failIn !== null && --this.#failIn <= 0) {
      this.#failIn = null;
      throw new VmnError(code, { attempted, cause: new Error('as the test wished') });
    }
  }

  addForeignLink(name: string, alias = ''): number {
    const ifindex = (this.#nextId += 1);
    const link = { ifindex, name, mac: '02:00:00:00:00:01', alias, up: true, mtu: 1500, persistent: true };
    this.modelLinks.set(ifindex, { ...link, heldByQemu: false, ours: false });
    this.settings.set(`net/ipv4/conf/${name}/forwarding`, '0');
    return ifindex;
  }

  /** Somebody makes a tap, up, as QEMU or `ip tuntap` does it. */
  addForeignTap(name: string, given: { ifindex?: number; up?: boolean; master?: number } = {}): number {
    const ifindex = given.ifindex ?? (this.#nextId += 1);
    const { up = true, master = 0 } = given;
    const link = {
      ifindex,
      name,
      mac: '02:00:00:00:00:03',
      alias: '',
      up,
      mtu: 1500,
      persistent: true,
      master,
    };
    this.modelLinks.set(ifindex, { ...link, heldByQemu: true, ours: false, foreignTap: true });
    return ifindex;
  }

  /** Somebody removes an interface, or its last descriptor is closed. */
  removeForeign(ifindex: number): void {
    this.#remove(ifindex);
  }

  /** It leaves this network namespace; its programs go on, on an interface of the same number. */
  moveAway(ifindex: number): void {
    this.modelLinks.delete(ifindex);
    this.#flush(ifindex);
    this.away.add(ifindex);
    for (const set of this.pins.values())
      for (const side of SIDES) if (set[side]?.ifindex === ifindex) set[side].away = true;
  }

  /** Somebody takes a program off an interface. */
  rob(name: string, side: Side): void {
    for (const set of this.pins.values()) {
      const attachment = set[side];
      if (attachment === null || attachment.ifindex === 0) continue;
      if (this.modelLinks.get(attachment.ifindex)?.name !== name) continue;
      this.robbed.add(attachment.ifindex);
      attachment.ifindex = 0;
    }
  }

  /** Both programs of an interface, as they run. */
  attached(ifindex: number): { from: Attachment | null; to: Attachment | null } {
    const find = (side: Side): Attachment | null =>
      [...this.pins.values()]
        .map((set) => set[side])
        .find((item) => item?.ifindex === ifindex && item.away !== true) ?? null;
    return { from: find('from'), to: find('to') };
  }

  byName(name: string): ModelLink | undefined {
    return [...this.modelLinks.values()].find((link) => link.name === name);
  }

  programTags(): { fromVm: string; toVm: string } {
    return { fromVm: `${this.tag}f`, toVm: `${this.tag}t` };
  }

  links(): Link[] {
    this.step('VMN_NETLINK', 'list');
    return [...this.modelLinks.values()].map((link) => this.#show(link));
  }

  linkByName(name: string): Link | null {
    this.step('VMN_NETLINK', 'look up');
    const link = this.byName(name);
    return link === undefined ? null : this.#show(link);
  }

  setLink(
    ifindex: number,
    change: { mac?: string; alias?: string; up?: boolean; mtu?: number; master?: null },
  ): void {
    this.step('VMN_NETLINK', 'set link');
    const link = this.#link(ifindex);
    if (!link.ours && (link.foreignTap !== true || change.alias !== undefined))
      throw new Error(`${link.name} is not ours`);
    Object.assign(link, change, change.master === null ? { master: 0 } : {});
    if (change.up === false) this.#flush(ifindex);
  }

  deleteLink(ifindex: number): void {
    this.step('VMN_NETLINK', 'delete link');
    if (this.modelLinks.get(ifindex)?.ours === false) throw new Error('not ours');
    this.#remove(ifindex);
  }

  createTap(name: string): { fd: number; ifindex: number } {
    this.step('VMN_TUN_MISSING', 'create tap');
    if (this.byName(name) !== undefined)
      throw new VmnError('VMN_TAP_IN_USE', { attempted: 'create', on: name });
    const ifindex = (this.#nextId += 1);
    const link = {
      ifindex,
      name,
      mac: '02:00:00:00:00:02',
      alias: '',
      up: false,
      mtu: 1400,
      persistent: false,
    };
    this.modelLinks.set(ifindex, { ...link, heldByQemu: false, ours: true });
    this.settings.set(`net/ipv4/conf/${name}/forwarding`, '0');
    const fd = (this.#nextId += 1);
    this.#fds.set(fd, ifindex);
    return { fd, ifindex };
  }

  persistTap(fd: number): void {
    this.step('VMN_NETLINK', 'persist');
    this.#link(this.#fds.get(fd) ?? 0).persistent = true;
  }

  openTap(name: string): number {
    this.step('VMN_TUN_MISSING', 'open tap');
    const link = this.byName(name);
    if (link === undefined) throw new VmnError('VMN_NETLINK', { attempted: 'open', on: name });
    if (link.heldByQemu) throw new VmnError('VMN_TAP_IN_USE', { attempted: 'open', on: name });
    const fd = (this.#nextId += 1);
    this.#fds.set(fd, link.ifindex);
    return fd;
  }

  closeTap(fd: number): void {
    // The kernel closed it already when the process died.
    if (this.#dead) return;
    const ifindex = this.#fds.get(fd);
    this.#fds.delete(fd);
    if (ifindex !== undefined) this.#vanish(ifindex);
  }

  attachFilter(pinDir: string, ifindex: number): ReadBack {
    this.step('VMN_BPF_ATTACH', 'remove stale pins');
    const old = this.pins.get(pinDir);
    if (old !== undefined && SIDES.some((side) => old[side]?.away === true)) throw busy('attach', pinDir);
    if (old !== undefined && SIDES.some((side) => old[side]?.ifindex === ifindex)) {
      throw new VmnError('VMN_BPF_ATTACH', { attempted: 'attach', on: 'attached already' });
    }
    this.pins.delete(pinDir);
    try {
      this.step('VMN_BPF_LOAD', 'load');
      const set: PinSet = { slot: { policy: null }, from: null, to: null, staged: false, crossings: 0 };
      this.pins.set(pinDir, set);
      this.sharedPins = true;
      for (const side of SIDES) {
        this.step('VMN_BPF_ATTACH', `attach ${side}`);
        set[side] = this.#attach(ifindex, side, set.slot as Slot);
      }
    } catch (error) {
      if (!(error instanceof Crash)) this.pins.delete(pinDir);
      throw error;
    }
    this.robbed.delete(ifindex);
    return this.readBack(pinDir);
  }

  replaceFilter(pinDir: string, ifindex: number, policy: Uint8Array | null): ReadBack {
    this.step('VMN_BPF_LOAD', 'load the replacement');
    const before = this.pins.get(pinDir);
    if (before !== undefined && SIDES.some((side) => before[side]?.away === true))
      throw busy('replace', pinDir);
    const set = this.pins.get(pinDir) ?? { slot: null, from: null, to: null, staged: false, crossings: 0 };
    this.pins.set(pinDir, set);
    this.sharedPins = true;
    set.staged = true;
    const fresh: Slot = { policy: null };
    for (const side of SIDES) {
      if (set[side]?.ifindex === ifindex) continue;
      this.step('VMN_BPF_ATTACH', `attach the missing ${side}`);
      set[side] = this.#attach(ifindex, side, fresh);
    }
    this.robbed.delete(ifindex);
    this.step('VMN_BPF_MAP', 'write the fresh policy');
    fresh.policy = policy;
    const old = { from: set.from?.program, to: set.to?.program };
    try {
      for (const side of SIDES) {
        this.step('VMN_BPF_ATTACH', `update ${side}`);
        const attachment = set[side];
        if (attachment !== null) attachment.program = { tag: this.#tagOf(side), slot: fresh };
      }
    } catch (error) {
      if (!(error instanceof Crash)) {
        // As the real one: back to the old programs where there were any, else closed.
        fresh.policy = null;
        for (const side of SIDES) {
          const program = old[side];
          const attachment = set[side];
          if (attachment !== null && program !== undefined) attachment.program = program;
        }
        set.staged = false;
      }
      throw error;
    }
    this.step('VMN_BPF_ATTACH', 'take over the pins');
    set.slot = fresh;
    set.staged = false;
    return this.readBack(pinDir);
  }

  readBack(pinDir: string): ReadBack {
    this.step('VMN_READ_BACK', 'read back');
    const set = this.pins.get(pinDir);
    const slot = set?.slot ?? null;
    const hook = (side: Side): ReadBack['fromVm'] => {
      const attachment = set?.[side] ?? null;
      if (attachment === null) return null;
      const attachPoint = side === 'from' ? 'tcx/ingress' : 'tcx/egress';
      const { id, ifindex, program } = attachment;
      return {
        linkId: id,
        programId: id,
        programTag: program.tag,
        ifindex,
        attachPoint,
        first: ifindex !== 0 && attachment.away !== true,
        others: this.#others(attachment, side),
      };
    };
    const mixed = SIDES.some((side) => (set?.[side]?.program.slot ?? slot) !== slot);
    const known = slot !== null && !mixed;
    const policy = known ? slot.policy : null;
    return {
      fromVm: hook('from'),
      toVm: hook('to'),
      policy,
      policyState: !known ? 'unknown' : policy === null ? 'empty' : 'set',
      policyHash: policy === null ? null : policyHash(policy),
    };
  }

  writePolicy(pinDir: string, policy: Uint8Array | null): void {
    this.step('VMN_BPF_MAP', policy === null ? 'empty the policy' : 'write the policy');
    const set = this.pins.get(pinDir);
    if (set === undefined || set.slot === null)
      throw new VmnError('VMN_BPF_MAP', { attempted: 'write', on: pinDir });
    const slots = SIDES.flatMap((side) => set[side]?.program.slot ?? []);
    if (policy !== null && slots.some((slot) => slot !== set.slot)) {
      throw new VmnError('VMN_READ_BACK', { attempted: 'write', on: pinDir });
    }
    if (policy === null) for (const slot of slots) slot.policy = null;
    set.slot.policy = policy;
  }

  violations(pinDir: string): { crossings: bigint } {
    this.step('VMN_BPF_MAP', 'read the violations');
    const set = this.pins.get(pinDir);
    if (set === undefined)
      throw new VmnError('VMN_BPF_MAP', { attempted: 'read the violations', on: pinDir });
    return { crossings: BigInt(set.crossings) };
  }

  tunnel(pinDir: string): TunnelSigns | null {
    this.step('VMN_BPF_MAP', 'read what was seen of the tunnel');
    return this.pins.get(pinDir)?.tunnel ?? null;
  }

  counters(pinDir: string): CounterLine[] {
    this.step('VMN_BPF_MAP', 'read the counters');
    return [...(this.pins.get(pinDir)?.counters ?? [])];
  }

  isReplacing(pinDir: string): boolean {
    return this.pins.get(pinDir)?.staged ?? false;
  }

  listPins(root: string): string[] {
    this.step('VMN_BPFFS_MISSING', 'list pins');
    return [...this.pins.keys()].map((path) => path.slice(root.length + 1));
  }

  removePins(pinDir: string, { attachedToo = false } = {}): void {
    this.step('VMN_BPF_ATTACH', 'remove pins');
    const set = this.pins.get(pinDir);
    if (!attachedToo && set !== undefined && SIDES.some((side) => (set[side]?.ifindex ?? 0) !== 0)) {
      throw new VmnError('VMN_BPF_ATTACH', { attempted: 'remove pins', on: 'attached' });
    }
    this.pins.delete(pinDir);
  }

  setPinsAside(pinDir: string): void {
    this.step('VMN_BPF_MAP', 'set the pins aside');
    const set = this.pins.get(pinDir);
    if (set === undefined) return;
    this.pins.delete(pinDir);
    this.pins.set(`${pinDir}_aside_${(this.#nextId += 1).toString(16)}`, set);
  }

  removeSharedPins(): void {
    this.step('VMN_BPF_MAP', 'remove shared pins');
    if (this.pins.size === 0) this.sharedPins = false;
  }

  managedRoutes(): HostRoute[] {
    this.step('VMN_NETLINK', 'list routes');
    return [...this.routeTable];
  }

  foreignRoutes(): HostRoute[] {
    return [{ destination: '198.51.100.0', prefixLength: 24, ifindex: 1 }];
  }

  ownNetworks(): string[] {
    this.step('VMN_NETLINK', 'list own networks');
    return [...this.own];
  }

  addRoute(address: string, ifindex: number): void {
    this.step('VMN_NETLINK', 'add route');
    if (!this.#link(ifindex).up)
      throw new VmnError('VMN_NETLINK', { attempted: 'add route', on: 'link is down' });
    if (this.routeTable.some(({ destination }) => destination === address)) {
      throw new VmnError('VMN_NETLINK', { attempted: 'add route', on: 'exists' });
    }
    this.routeTable.push({ destination: address, prefixLength: 32, ifindex });
  }

  deleteRoute(address: string, ifindex: number): void {
    this.step('VMN_NETLINK', 'delete route');
    removeWhere(this.routeTable, (route) => route.destination === address && route.ifindex === ifindex);
  }

  routeTo(address: string): RouteAnswer | null {
    if (address === '192.0.2.99') return { ifindex: 1, name: 'lo', local: true };
    return { ifindex: this.byName('eth0')?.ifindex ?? 0, name: 'eth0', local: false };
  }

  neighbours(ifindex: number): { address: string; mac: string }[] {
    this.step('VMN_NETLINK', 'list neighbours');
    return this.neighbourTable.filter((entry) => entry.ifindex === ifindex);
  }

  setNeighbour(ifindex: number, address: string, mac: string): void {
    this.step('VMN_NETLINK', 'set neighbour');
    removeWhere(this.neighbourTable, (entry) => entry.ifindex === ifindex && entry.address === address);
    this.neighbourTable.push({ ifindex, address, mac });
  }

  deleteNeighbour(ifindex: number, address: string): void {
    this.step('VMN_NETLINK', 'delete neighbour');
    removeWhere(this.neighbourTable, (entry) => entry.ifindex === ifindex && entry.address === address);
  }

  readSetting(path: string): string | null {
    return this.settings.get(path) ?? null;
  }

  writeSetting(path: string, value: string): void {
    this.step('VMN_SYSCTL', `set ${path}`);
    this.settings.set(path, value);
  }

  processStart(pid: number): string | null {
    return this.processes.get(pid) ?? null;
  }

  processAgeMs(): number {
    return 0;
  }

  tapHolders(tap: string): TapHolder[] {
    return this.holders.get(tap) ?? [];
  }

  /** As a signal does. */
  endProcess({ pid, startTicks }: TapHolder): void {
    this.step('VMN_CAPABILITY', 'end the process');
    for (const [tap, holders] of this.holders) {
      if (!holders.some((holder) => holder.pid === pid && holder.startTicks === startTicks)) continue;
      this.holders.delete(tap);
      const link = this.byName(tap);
      if (link !== undefined) link.heldByQemu = false;
    }
  }

  #die(): void {
    this.#dead = true;
    const held = [...this.#fds.values()];
    this.#fds.clear();
    for (const ifindex of held) this.#vanish(ifindex);
  }

  /** A tap that is not persistent goes with its last descriptor. */
  #vanish(ifindex: number): void {
    const link = this.modelLinks.get(ifindex);
    if (link === undefined || link.persistent || [...this.#fds.values()].includes(ifindex)) return;
    this.#remove(ifindex);
  }

  #remove(ifindex: number): void {
    const link = this.modelLinks.get(ifindex);
    this.modelLinks.delete(ifindex);
    this.robbed.delete(ifindex);
    this.#flush(ifindex);
    if (link !== undefined) this.settings.delete(`net/ipv4/conf/${link.name}/forwarding`);
    for (const set of this.pins.values()) {
      for (const side of SIDES) if (set[side]?.ifindex === ifindex) set[side].ifindex = 0;
    }
  }

  #flush(ifindex: number): void {
    removeWhere(this.routeTable, (route) => route.ifindex === ifindex);
    removeWhere(this.neighbourTable, (entry) => entry.ifindex === ifindex);
  }

  #attach(ifindex: number, side: Side, slot: Slot): Attachment {
    this.#link(ifindex);
    return { id: (this.#nextId += 1), ifindex, program: { tag: this.#tagOf(side), slot } };
  }

  /** Programs of other pins at the same hook. */
  #others({ id, ifindex, away }: Attachment, side: Side): { programId: number; name: string }[] {
    if (ifindex === 0) return [];
    return [...this.pins.values()]
      .flatMap((set) => set[side] ?? [])
      .filter((other) => other.id !== id && other.ifindex === ifindex && other.away === away)
      .map((other) => ({ programId: other.id, name: side === 'from' ? 'vmn_from_vm' : 'vmn_to_vm' }));
  }

  #tagOf(side: Side): string {
    const tags = this.programTags();
    return side === 'from' ? tags.fromVm : tags.toVm;
  }

  #link(ifindex: number): ModelLink {
    const link = this.modelLinks.get(ifindex);
    if (link === undefined)
      throw new VmnError('VMN_NETLINK', { attempted: 'find the link', on: String(ifindex) });
    return link;
  }

  #show(link: ModelLink): Link {
    const { ifindex, name, mac, alias, up, mtu } = link;
    const held = link.heldByQemu || [...this.#fds.values()].includes(ifindex);
    return {
      ifindex,
      name,
      mac,
      alias,
      up,
      mtu,
      carrier: up && held,
      master: link.master ?? 0,
      kind: link.name === 'eth0' ? '' : 'tun',
    };
  }
}

/** As the addon fails where the pinned filter guards another interface. */
function busy(attempted: string, on: string): VmnError {
  const cause = Object.assign(new Error('busy'), { code: 'EBUSY', errno: 16, syscall: 'bpf(BPF_OBJ_GET)' });
  return new VmnError('VMN_BPF_ATTACH', { attempted, on, cause });
}

function removeWhere<T>(items: T[], matches: (item: T) => boolean): void {
  for (let index = items.length - 1; index >= 0; index -= 1) {
    const item = items[index];
    if (item !== undefined && matches(item)) items.splice(index, 1);
  }
}
