import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { cardsOf, type KnownTaps } from './cards.ts';
import type { HostVm, VmDirectory } from './directory.ts';
import type { CardFact, VmFacts } from './facts.ts';
import { identityOf, processId } from './identity.ts';
import { Inquiries } from './inquiries.ts';
import type { Machine } from './machine.ts';
import { type FoundVm, reportOf } from './report.ts';
import { type Seen, type SeenVm, Sight, type Stranger } from './sight.ts';
import type { HeldTap } from './taps.ts';

/*
 * Theory of operation
 *
 * A look reads what the kernel shows (sight.ts): which processes are QEMU, which taps they hold, where those are. It is cheap
 * where nothing changed and takes place soon after an event: links of a namespace, the name of a namespace, the end of a
 * process; and, because not everything has an event, each `resyncMs` with nothing relied on. What VMs say of themselves is
 * asked meanwhile (inquiries.ts), and so is who else holds taps (holders.ts); their answers lead to one more look. The list
 * is made anew each time from what is known, and told only when it differs.
 *
 * Nothing on the host is changed by any of this.
 */

export interface FoundVmsOptions {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** At most one look each, ms. */
  readonly paceMs?: number;
  readonly resyncMs?: number;
}

const PACE_MS = 50;
const RESYNC_MS = 30_000;

/** Every VM of this host, whoever started it: QEMUs, and whatever else holds a tap. */
export class FoundVms implements VmDirectory {
  readonly #machine: Machine;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #paceMs: number;
  readonly #resyncMs: number;
  readonly #sight: Sight;
  readonly #inquiries: Inquiries;
  /** By process: which tap was whose, for those that are renamed. */
  #known: ReadonlyMap<string, KnownTaps> = new Map();
  #list: readonly HostVm[] = [];
  #told = '[]';
  #problems: readonly string[] = [];
  #handlers: readonly (() => void)[] = [];
  #timer: Timer | null = null;
  #resync: Timer | null = null;
  #lastLookMs = -Infinity;
  /** When it was first told, since the last look, that something changed; null: it was not. */
  #eventNs: bigint | null = null;
  #toldNs: bigint;
  #closed = false;

  constructor({ machine, clock, log, paceMs = PACE_MS, resyncMs = RESYNC_MS }: FoundVmsOptions) {
    this.#machine = machine;
    this.#clock = clock;
    this.#log = log;
    this.#paceMs = paceMs;
    this.#resyncMs = resyncMs;
    this.#toldNs = clock.monotonicNs();
    const soon = (): void => this.#lookSoon();
    this.#sight = new Sight(machine, clock, soon);
    this.#inquiries = new Inquiries(machine, clock, soon);
  }

  list(): readonly HostVm[] {
    return this.#list;
  }

  problems(): readonly string[] {
    return this.#problems;
  }

  /** When the kernel told of what led to the last change, or the look began that found it (CLOCK_MONOTONIC). */
  get toldNs(): bigint {
    return this.#toldNs;
  }

  onChange(handler: () => void): void {
    this.#handlers = [...this.#handlers, handler];
  }

  /** The first look is over when this returns; what monitors tell comes later. */
  start(): void {
    this.#lookThoroughly();
  }

  /** Resolves when what was asked of VMs at the start has been answered, or will not be, and is in the list. Never rejects. */
  async settled(): Promise<void> {
    await this.#inquiries.idle();
    if (!this.#closed) this.#look(false);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#resync?.cancel();
    this.#inquiries.close();
    this.#sight.close();
    this.#handlers = [];
  }

  #lookSoon(): void {
    this.#eventNs ??= this.#clock.monotonicNs();
    if (this.#closed || this.#timer !== null) return;
    const delayMs = Math.max(0, this.#lastLookMs + this.#paceMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = null;
      this.#look(false);
    });
  }

  #lookThoroughly(): void {
    if (this.#closed) return;
    this.#resync = this.#clock.setTimer(this.#resyncMs, () => this.#lookThoroughly());
    this.#look(true);
  }

  #look(thorough: boolean): void {
    this.#lastLookMs = this.#clock.monotonicMs();
    const eventNs = this.#eventNs ?? this.#clock.monotonicNs();
    this.#eventNs = null;
    const before = { list: this.#list, problems: this.#problems };
    try {
      const seen = this.#sight.look(thorough);
      this.#inquiries.keep(seen.vms.map(({ process }) => process));
      const found = this.#found(seen, thorough);
      this.#keepProblems(seen, found);
      this.#keepList(reportOf([...found, ...seen.strangers.map(strangerOf)]));
      if (seen.unfinished) this.#lookSoon();
    } catch (error) {
      // Out of descriptors, for example. What was last seen stays, for nothing is opened by it; the slow look tries again.
      this.#sayProblems([`the VMs of this host cannot be looked for: ${String(error)}`]);
    }
    if (this.#list === before.list && this.#problems === before.problems) return;
    this.#toldNs = eventNs;
    for (const handler of this.#handlers) handler();
  }

  #found(seen: Seen, thorough: boolean): FoundVm[] {
    const known = new Map<string, KnownTaps>();
    const found = seen.vms.map((vm) => {
      const { process, taps, illegible } = vm;
      const { facts, current } = this.#factsOf(vm, thorough);
      const key = processId(process);
      const before = this.#known.get(key) ?? new Map();
      const input = { process, facts, current, taps, illegible, known: before };
      const { cards, known: now, unexplained } = cardsOf(input);
      known.set(key, now);
      if (unexplained) this.#inquiries.unexplained(process);
      const { pid, startTicks, pod, commandLine } = process;
      const said = { name: facts.name, uuid: facts.uuid, inPod: pod !== null };
      const identity = identityOf(said, process);
      return { process: { pid, startTicks }, identity, incoming: commandLine.incoming, cards };
    });
    this.#known = known;
    return found;
  }

  #factsOf({ process, taps }: SeenVm, thorough: boolean): { facts: VmFacts; current: boolean } {
    const answer = this.#inquiries.factsOf(process, signatureOf(taps), thorough);
    const { facts: started, hostDevices } = process.commandLine;
    const facts = answer === null ? started : withStart(answer.facts, started);
    // libvirt names them itself, with their addresses.
    const handedOver = facts.cards.some(({ passthrough }) => passthrough === true)
      ? []
      : hostDevices.filter((address) => this.#machine.isNetworkDevice(address)).map(() => HANDED_OVER);
    return {
      facts: handedOver.length === 0 ? facts : { ...facts, cards: [...facts.cards, ...handedOver] },
      current: answer?.current ?? false,
    };
  }

  #keepProblems(seen: Seen, found: readonly FoundVm[]): void {
    const odd = found.flatMap(({ identity }) => identity.oddName ?? []);
    const illegible = seen.vms.flatMap(({ illegible }) => illegible ?? []);
    this.#sayProblems([...new Set([...seen.problems, ...odd, ...illegible])].sort());
  }

  #sayProblems(problems: readonly string[]): void {
    if (isDeepStrictEqual(problems, this.#problems)) return;
    for (const problem of problems) {
      if (!this.#problems.includes(problem)) this.#log.warn({ problem }, 'VMs of this host: not all is seen');
    }
    this.#problems = problems;
  }

  #keepList(list: readonly HostVm[]): void {
    const text = JSON.stringify(list);
    if (text === this.#told) return;
    this.#told = text;
    this.#list = list;
  }
}

const HANDED_OVER: CardFact = { device: 'vfio-pci', mac: null, backends: [], passthrough: true };

/** Moves with every tap that is taken, dropped, renamed or moved. */
function signatureOf(taps: readonly HeldTap[]): string {
  return taps.map(({ fds, name, key }) => `${fds.join(':')} ${name} ${key ?? ''}`).join('\n');
}

/** What only the start tells: descriptors that were handed over, and who it is where the monitor does not say. */
function withStart(facts: VmFacts, started: VmFacts): VmFacts {
  const fds = new Map(started.backends.map((backend) => [backend.id, backend.fds]));
  return {
    ...facts,
    name: facts.name ?? started.name,
    uuid: facts.uuid ?? started.uuid,
    backends: facts.backends.map((backend) =>
      backend.fds.length > 0 ? backend : { ...backend, fds: fds.get(backend.id) ?? [] },
    ),
  };
}

/** Something else than QEMU that holds taps. */
function strangerOf({ holder, taps }: Stranger): FoundVm {
  const { pid, startTicks, program } = holder;
  const id = processId(holder);
  const unsupported = `held by ${program} (pid ${pid}), which is no QEMU: the MAC address of its card is not known`;
  return {
    process: { pid, startTicks },
    identity: { id, name: id, uuid: null, namespace: null, oddName: null },
    incoming: false,
    cards: taps.map(({ link, reason }) => {
      return { mac: '', link, unsupported: reason ?? unsupported, pid, startTicks };
    }),
  };
}
