import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { allocateAddress } from '../../../src/agent/wiring/address-pool.ts';
import { DEFAULT_POOL, identityOf } from '../../../src/agent/wiring/identity.ts';
import type { AgentStatus, AttachmentStatus } from '../../../src/agent/status/status.ts';
import { linkByName } from '../../../src/native/rtnetlink.ts';
import { openTap } from '../../../src/native/tap.ts';
import { ROOT, vmnetctl } from '../../unit/cli/vmnetctl.ts';
import { poll, type Namespace } from '../lab/index.ts';
import type { AgentHome, AgentProcess } from '../stage/agent-process.ts';
import { FoundVm, makeTap } from '../stage/found-vm.ts';
import { apply, withdraw } from '../stage/manifest.ts';
import { moveInto } from '../stage/own-namespace.ts';
import { RentalLab } from '../stage/rental-lab.ts';
import { FarEnds, type Arrived } from './far-ends.ts';
import { guestFrames, LAN, type Kind, type Place } from './guest-frames.ts';
import { Guests } from './guests.ts';

export const BRIDGE = 'br-lan';
/** Taps of others that are managed are called so. An agent looks at all of the machine: in each run they are called otherwise. */
const FOUND_TAPS = `ct${(process.pid % 36 ** 4).toString(36)}`;
const NEIGHBOUR_TAP = 'mate0';
const VMNETCTL = join(ROOT, 'bin', 'vmnetctl');

/** What nobody waits for unless the machine is busy. */
const PATIENCE_MS = 45_000;
/** Frames of a guest, of which it has some 15 kinds that it sends in turn. */
const ENOUGH = 100;

/** A VM that sends all the time. */
export interface ContractVm {
  readonly kind: Kind;
  readonly name: string;
  readonly tap: string;
  /** Of the sending. */
  readonly stream: number;
  readonly fd: number;
  readonly found: FoundVm | null;
}

/** A VM that `vmnetctl run` was told to start. */
export interface Launcher {
  said(): string;
  end(): Promise<void>;
}

/**
 * A host as a VM manager has it: a bridge with the host's address, a machine of the host's own network on it and a VM that is none
 * of ours; it forwards between all of them. Its guests send, all the time, to both consumers and whatever is forbidden.
 */
export class ContractHost {
  /** Words of an agent: which taps of others are managed. */
  static readonly patterns = ['--managed-interfaces', `${FOUND_TAPS}*`];
  readonly rental: RentalLab;
  readonly guests = new Guests();
  readonly #neighbour: number;
  readonly #vms = new Set<ContractVm>();
  #farEnds: FarEnds | null = null;
  #serial = 0;

  private constructor(rental: RentalLab) {
    this.rental = rental;
    this.#neighbour = this.inside(() => openTap(NEIGHBOUR_TAP));
  }

  /** Has been seen to notice at each of the far ends what leaks. */
  static async open(name: string): Promise<ContractHost> {
    return ContractHost.on(await RentalLab.open(name));
  }

  /** Closes the lab, too. */
  static async on(rental: RentalLab): Promise<ContractHost> {
    try {
      const lan = await addLan(rental);
      const contract = new ContractHost(rental);
      const where = { rental, lan, bridge: BRIDGE, neighbourTap: NEIGHBOUR_TAP };
      contract.#farEnds = await FarEnds.watch({ ...where, taps: ['vmn-*', `${FOUND_TAPS}*`] });
      await contract.#seeLeaks();
      return contract;
    } catch (error) {
      await rental.close();
      throw error;
    }
  }

  /** In the host's network namespace. */
  inside<T>(work: () => T): T {
    const leave = moveInto(this.rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  }

  get farEnds(): FarEnds {
    return this.#farEnds!;
  }

  /** One of its agents, with more in its environment, by way of another command, with more flags. */
  start(
    env: Readonly<Record<string, string>> = {},
    wrapper: readonly string[] = [],
    more: readonly string[] = [],
  ): AgentProcess {
    const { home, host, lab } = this.rental;
    const cache = `NODE_COMPILE_CACHE=${join(lab.scratch, 'compiled')}`;
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const spawn: Namespace['spawn'] = (argv, options) =>
      host.spawn(['env', cache, ...words, ...wrapper, ...argv], options);
    const started = Object.create(home, { host: { value: { spawn } } }) as AgentHome;
    return started.start([...ContractHost.patterns, ...more]);
  }

  /** Puts the standing guard in place, as a host does when it boots. */
  async guard(): Promise<void> {
    const { home, host } = this.rental;
    const outcome = await vmnetctl(['guard', 'apply', ...ContractHost.patterns, ...home.paths], {
      prefix: host.enter([]),
    });
    if (outcome.code !== 0) throw new Error(`no guard: ${outcome.stderr}`);
  }

  /** `vmnetctl run` of a VM, whose QEMU is one that only says that it runs. */
  launch(name: string): Launcher {
    const { home, host } = this.rental;
    const words = ['run', ...home.paths, '-f', join(home.manifests, `${name}.yaml`)];
    const qemu = ['sh', '-c', 'echo QEMU runs; exec sleep 1000'];
    const child = host.spawn([VMNETCTL, ...words, '--wait-enforced', '60', '--', ...qemu], { stdio: 'pipe' });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
    return {
      said: () => said,
      end: async () => {
        child.kill('SIGTERM');
        await poll('the end of the VM', () => child.exitCode !== null || child.signalCode !== null);
      },
    };
  }

  /** Makes the tap of a VM as somebody else does, puts it into the bridge, and starts the VM, which sends at once. */
  async startFound(name: string, tapName = `${FOUND_TAPS}${name}`): Promise<ContractVm> {
    this.#serial += 1;
    const serial = this.#serial;
    const mac = `52:54:00:c0:${hex(serial >> 8)}:${hex(serial)}`;
    await makeTap(this.rental.host, tapName, BRIDGE);
    const found = FoundVm.start(this.rental.host, name, [{ tap: tapName, mac }]);
    const address = allocateAddress(`${name}/${mac}`, DEFAULT_POOL, new Set());
    const fd = found.fd();
    const stream = await this.guests.plug(fd, guestFrames({ kind: 'found', serial, mac, address }));
    return this.#add({ kind: 'found', name, tap: tapName, stream, fd, found });
  }

  /** Waits for the tap that an agent, or `vmnetctl run`, makes for a VM, and sends as soon as it can be opened. */
  async startOwn(name: string, isFutile: () => boolean = () => false): Promise<ContractVm | null> {
    const look = (): number | 'futile' | null =>
      this.inside(() => openOwn(name)) ?? (isFutile() ? 'futile' : null);
    const fd = await poll(`the tap of ${name}`, look, { everyMs: 1, deadlineMs: PATIENCE_MS });
    return fd === 'futile' ? null : this.plugOwn(name, fd);
  }

  /** A VM whose tap was opened by somebody sends from now on. */
  async plugOwn(name: string, fd: number): Promise<ContractVm> {
    this.#serial += 1;
    const serial = this.#serial;
    const { tap, guestMac: mac } = identityOf(name);
    const address = allocateAddress(name, DEFAULT_POOL, new Set());
    const stream = await this.guests.plug(fd, guestFrames({ kind: 'own', serial, mac, address }));
    return this.#add({ kind: 'own', name, tap, stream, fd, found: null });
  }

  declare(name: string, place: Place, more: readonly string[] = []): void {
    apply(this.rental.home, { name, endpoint: RentalLab[place], more });
  }

  retract(name: string): void {
    withdraw(this.rental.home, name);
  }

  /** It ends; a tap of somebody else's goes with it. */
  async end(vm: ContractVm): Promise<void> {
    if (!this.#vms.delete(vm)) return;
    await this.guests.unplug(vm.stream);
    if (vm.found === null) return closeSync(vm.fd);
    await vm.found.kill();
    await this.rental.host.run(['ip', 'link', 'del', vm.tap]);
  }

  /**
   * Datagrams that were written by each of the VMs to a consumer meanwhile, and how many of them did not arrive; nothing is on its
   * way before or after. At least some frames of each kind are written.
   */
  async during(vms: readonly ContractVm[], work: () => unknown): Promise<Traffic> {
    const sum = (place: Place, kind: Kind): number =>
      vms
        .filter((vm) => vm.kind === kind)
        .reduce((all, vm) => all + this.guests.written(vm.stream)[place], 0);
    const begun = vms.map(({ stream }) => this.guests.written(stream).all);
    await this.guests.pause();
    const before = await this.#atRest();
    const writtenBefore = tallied(sum);
    await this.guests.resume();
    await work();
    await this.#enough(vms, begun);
    await this.guests.pause();
    const written = difference(tallied(sum), writtenBefore);
    const arrived = difference(await this.#atRest(), before);
    await this.guests.resume();
    return { written, arrived };
  }

  /** What reaches the consumers from now on. */
  async reached(vms: readonly ContractVm[]): Promise<Traffic['arrived']> {
    return (await this.during(vms, () => undefined)).arrived;
  }

  /** The attachment of a VM in a status. */
  on(status: AgentStatus, { tap }: Pick<ContractVm, 'tap'>): AttachmentStatus | undefined {
    return status.attachments.find((attachment) => attachment.tap === tap);
  }

  /** Nobody sends any more, and no VM runs. */
  async stop(): Promise<void> {
    await this.guests.stop();
    for (const vm of this.#vms) if (vm.found !== null) await vm.found.kill();
    closeSync(this.#neighbour);
  }

  async close(): Promise<void> {
    await this.stop();
    for (const { found, fd } of this.#vms) if (found === null) closeSync(fd);
    await this.rental.close();
  }

  #add(vm: ContractVm): ContractVm {
    this.#vms.add(vm);
    return vm;
  }

  /** A tap that nothing closes, in the bridge: what its guest sends comes out at every far end. */
  async #seeLeaks(): Promise<void> {
    const open = await this.startFound('control', 'control0');
    const places = ['consumer A', 'consumer B', 'the wire', 'the internet', 'the LAN', 'the bridge'];
    const all = [...places, 'the host', 'the neighbour VM'].sort();
    const seen = async (): Promise<string[]> => Object.keys(await this.farEnds.leaked()).sort();
    await poll('leaks at every far end', async () => (await seen()).join() === all.join(), {
      everyMs: 100,
      deadlineMs: PATIENCE_MS,
      detail: () => `expected ${all.join()}`,
    });
    await this.end(open);
    await this.#atRest();
    await this.farEnds.forget();
  }

  /** Once nothing arrives any more. */
  async #atRest(): Promise<Traffic['arrived']> {
    let last = '';
    const isRest = async (): Promise<Arrived | null> => {
      const arrived = await this.farEnds.arrived();
      const before = last;
      last = JSON.stringify(arrived);
      return last === before ? arrived : null;
    };
    return poll('rest at the consumers', isRest, { deadlineMs: PATIENCE_MS });
  }

  async #enough(vms: readonly ContractVm[], begun: readonly number[]): Promise<void> {
    const isEnough = (): boolean =>
      vms.every(({ stream }, at) => this.guests.written(stream).all >= (begun[at] ?? 0) + ENOUGH);
    await poll('traffic', isEnough, { deadlineMs: PATIENCE_MS });
  }
}

type Tallied = Record<Place, Record<Kind, number>>;

export interface Traffic {
  readonly written: Tallied;
  readonly arrived: Tallied;
}

function tallied(count: (place: Place, kind: Kind) => number): Tallied {
  const by = (place: Place): Record<Kind, number> => ({
    own: count(place, 'own'),
    found: count(place, 'found'),
  });
  return { a: by('a'), b: by('b') };
}

function difference(after: Tallied, before: Tallied): Tallied {
  return tallied((place, kind) => after[place][kind] - before[place][kind]);
}

/** The tap of a VM as QEMU would take it; null while there is none that somebody verified. TUNSETIFF on a name that is gone makes a new one. */
function openOwn(name: string): number | null {
  const { tap, alias } = identityOf(name);
  const isOurs = (): boolean => linkByName(tap)?.alias === alias;
  if (!isOurs()) return null;
  try {
    const fd = openTap(tap);
    if (isOurs()) return fd;
    closeSync(fd);
  } catch {
    // Its maker has it yet.
  }
  return null;
}

async function addLan(rental: RentalLab): Promise<Namespace> {
  const { lab, host } = rental;
  const lan = await lab.namespace('lan');
  // Without snooping it does not announce itself by IGMP.
  const quiet = ['type', 'bridge', 'mcast_snooping', '0'];
  await host.run(['ip', 'link', 'add', BRIDGE, 'address', LAN.hostMac, ...quiet]);
  await lab.connect(host, lan, { nameA: 'tolan', nameB: 'card', macB: LAN.machineMac });
  await host.run(['ip', 'link', 'set', 'tolan', 'master', BRIDGE]);
  await host.run(['ip', 'address', 'add', `${LAN.host}/24`, 'dev', BRIDGE]);
  await host.run(['ip', 'link', 'set', BRIDGE, 'up']);
  await makeTap(host, NEIGHBOUR_TAP, BRIDGE);
  for (const device of ['all', 'default', BRIDGE]) await host.sysctl(`net.ipv4.conf.${device}.rp_filter`, 0);
  for (const device of ['default', BRIDGE]) await host.sysctl(`net.ipv4.conf.${device}.forwarding`, 1);
  // It hears and says nothing, and nobody asks for it: whatever is seen there came from a guest.
  await lan.run(['ip', 'link', 'set', 'card', 'arp', 'off']);
  const known = ['lladdr', LAN.machineMac, 'dev', BRIDGE, 'nud', 'permanent'];
  await host.run(['ip', 'neighbour', 'add', LAN.machine, ...known]);
  return lan;
}

function hex(byte: number): string {
  return (byte & 255).toString(16).padStart(2, '0');
}
