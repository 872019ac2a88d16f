import type { Clock } from '../lib/clock.ts';
import type { Problem } from '../api/manifest.ts';
import { isVmnError, VmnError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { isViolation } from '../filter/drop-reason.ts';
import type { FilterEvent } from '../native/filter-engine.ts';
import { LookAgain } from './attachment/look-again.ts';
import { ReconcileLoop } from './attachment/loop.ts';
import { reconcile } from './attachment/pass.ts';
import type { HostProblem, PassMemory, PassPorts, PassResult } from './attachment/pass.ts';
import { Losses } from './attachment/losses.ts';
import { RetryTable } from './attachment/retry.ts';
import type { TapHolder } from './host/kernel.ts';
import type { Nft } from './host/nft.ts';
import { Paced } from './host/paced.ts';
import type { TouchedFolders } from './host/touched-folders.ts';
import type { Sites } from './host/site.ts';
import { AllVms } from './discovery/all-vms.ts';
import type { VmDirectory } from './discovery/directory.ts';
import { OwnVms } from './discovery/own-vms.ts';
import { answerRotations } from './guest/asked-rotations.ts';
import { answersIn, guestWishes, withGuests } from './guest/guest-wishes.ts';
import { heldSeed, seesFile } from './guest/held-seed.ts';
import { Provisioning } from './guest/provisioning.ts';
import { Exposure } from './found/exposure.ts';
import { WatchedSites } from './found/site-watch.ts';
import type { CableStore } from './vm-control/cable-file.ts';
import { cableWishes, withCables } from './vm-control/cable-wishes.ts';
import { Cables } from './vm-control/cables.ts';
import { Endings } from './vm-control/endings.ts';
import type { ControlMachine } from './vm-control/machine.ts';
import { AgentHealth, ailmentOf } from './metrics/health.ts';
import type { PassObserver } from './metrics/pass-observer.ts';
import type { IntentSource, OpenSource } from './source/source.ts';
import { announceChanges } from './status/announce.ts';
import { ConditionHistory } from './status/condition-history.ts';
import { DropEventFeed, toDropEvent } from './status/drop-events.ts';
import { attachmentOf, servedBy } from './status/event-card.ts';
import { directoryProblem, hostProblem } from './status/problems.ts';
import { reportStatus, unverifiedStatus } from './status/report.ts';
import { StatusServer } from './status/server.ts';
import { isEvidence } from './status/firewall-bypass.ts';
import { nothingTold } from './status/attachment-status.ts';
import type { AgentInfo, AgentStatus } from './status/status.ts';
import type { PatientPorts } from './wiring/closed-tap.ts';
import type { OpenedUplinks } from './wiring/opened-uplinks.ts';
import { pinDirOf, recordsDirOf, socketPathOf } from './wiring/paths.ts';
import type { Engine } from './wiring/verify.ts';
import type { EngineMachine } from './userspace/engine-machine.ts';
import { Engines } from './userspace/engines.ts';
import type { AttachmentPaths } from './wiring/paths.ts';

export interface Closable {
  close(): void;
}

/** The machine, as the agent needs it; see host/ for the real one. */
export interface AgentPorts extends PatientPorts {
  readonly nft: Nft;
  readonly uplinks: OpenedUplinks;
  readonly clock: Clock;
  readonly log: Logger;
  /** For what is done to VMs for their violations. */
  readonly control: ControlMachine;
  readonly cables: CableStore;
  /** Every VM of this host, whoever started it. */
  readonly found: VmDirectory & { settled(): Promise<void>; readonly toldNs: bigint };
  /** The network namespaces that they are in. */
  readonly sites: Sites;
  /** Of VMs on engines in user space. */
  readonly userspace: EngineMachine;
  /** What filters their cards on this kernel. */
  readonly engine: Engine;
  /** Null: nobody else is told of passes. */
  readonly observer: PassObserver | null;
  /** Why nothing can be pinned now; null: it can be. See native/bpffs.ts. */
  bpffsFault(): VmnError | null;
  /** 16 bytes that no guest can know. */
  newSecret(): Uint8Array;
  /** Calls back when links, addresses, routes, routing rules or settings of the host may have changed. */
  watchLinks(onChange: () => void): Closable;
  /** Calls back when the host's nftables rule set may have changed, by this agent too. */
  watchGuard(onChange: () => void): Closable;
  /** Calls back when somebody touched pins or records. */
  watchFolders(onTouch: () => void): Pick<TouchedFolders, 'watch' | 'close'>;
  /** Reads the ring buffer of the filters, which must exist. */
  openEvents(onEvent: (event: FilterEvent) => void): Closable;
}

export interface AgentSettings {
  readonly info: AgentInfo;
  readonly paths: AttachmentPaths;
  readonly nodeName: string;
  readonly resyncMs: number;
  /** Of --managed-interfaces. */
  readonly managedPatterns: readonly string[];
  readonly openSource: OpenSource;
}

/** A monitor that does not answer is not waited for: its VM's cards are denied until it does. */
const SETTLING_MS = 2_000;

/**
 * Some hosts change their rule set all the time, and one whose guard does not stay as written would be told of each
 * attempt to mend it.
 */
const GUARD_PACE_MS = 500;

/**
 * One agent: wishes in, enforcement and status out. `close()` stops reading and answering, and leaves everything in the
 * kernel as it is.
 */
export class Agent {
  /** Whether it lives, and does what it is there for. */
  readonly health: AgentHealth;
  readonly #settings: AgentSettings;
  readonly #ports: AgentPorts;
  readonly #own = new OwnVms();
  readonly #sites: WatchedSites;
  readonly #vms: VmDirectory;
  readonly #source: IntentSource;
  readonly #loop: ReconcileLoop;
  readonly #endings: Endings;
  readonly #engines: Engines;
  readonly #cables: Cables;
  readonly #guests: Provisioning;
  readonly #guardChanged = new Paced(GUARD_PACE_MS, () => this.#loop.request());
  readonly #feed = new DropEventFeed();
  readonly #told = nothingTold();
  readonly #history: ConditionHistory;
  readonly #again = new LookAgain();
  readonly #memory: PassMemory;
  #status: AgentStatus | null = null;
  #server: StatusServer | null = null;
  #links: Closable | null = null;
  #guard: Closable | null = null;
  #folders: ReturnType<AgentPorts['watchFolders']> | null = null;
  #events: Closable | null = null;
  #eventsFault: string | null = null;

  constructor(settings: AgentSettings, ports: AgentPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#history = new ConditionHistory(ports.clock);
    this.#memory = {
      retries: new RetryTable(),
      generations: new Map(),
      losses: new Losses(),
      exposure: new Exposure(ports.clock.monotonicNs()),
      guardedSites: new Set(),
    };
    this.#engines = new Engines({
      machine: ports.userspace,
      clock: ports.clock,
      paths: settings.paths,
      onChange: () => this.#loop.request(),
      onEvent: (record, event) => this.#onEvent(event, record),
    });
    this.#vms = new AllVms(this.#own, ports.found, ports.engine, () => this.#engines.served);
    this.#sites = new WatchedSites(ports.sites, () => this.#linksChanged());
    this.#loop = new ReconcileLoop({
      pass: () => this.#pass(),
      nextRetryNs: () => this.#nextNs(),
      clock: ports.clock,
      log: ports.log,
      resyncMs: settings.resyncMs,
    });
    const { control: machine, cables: store, clock, log } = ports;
    const onChange = (): void => this.#loop.request();
    this.#endings = new Endings({ machine, clock, log, onChange });
    this.#cables = new Cables({ machine, store, clock, log, onChange });
    const { paths } = settings;
    this.#guests = new Provisioning({ machine, ports, paths, heldSeed, seesFile, clock, log, onChange });
    this.health = new AgentHealth(
      () => this.#loop.idleMs,
      settings.resyncMs,
      () => ports.bpffsFault()?.message ?? null,
    );
    this.#source = settings.openSource({
      onChange: () => this.#loop.requestAtOnce(),
      overdueMs: () => this.#loop.overdueMs,
      vms: this.#vms,
    });
  }

  /** The latest status; null before the first pass ended. */
  get status(): AgentStatus | null {
    return this.#status;
  }

  async start(): Promise<void> {
    this.#server = await StatusServer.listen({
      socketPath: socketPathOf(this.#settings.paths),
      status: () => this.#status,
      events: this.#feed,
      ailment: () => ailmentOf(this.health.live),
      unready: () => ailmentOf(this.health.ready),
    });
    this.#vms.start();
    // What is in force stays so until it is known which cards there are: a VM may have to be asked for them.
    await this.#settled();
    this.#ports.found.onChange(() => this.#linksChanged(this.#ports.found.toldNs));
    this.#source.start();
    this.#links = this.#ports.watchLinks(() => this.#linksChanged());
    this.#guard = this.#ports.watchGuard(() => this.#guardChanged.call());
    this.#folders = this.#ports.watchFolders(() => this.#loop.request());
    this.#loop.request();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#links?.close();
    this.#links = null;
    this.#guard?.close();
    this.#guard = null;
    this.#folders?.close();
    this.#folders = null;
    this.#guardChanged.close();
    await this.#loop.stop();
    this.#engines.close();
    await this.#endings.close();
    await this.#cables.close();
    await this.#guests.close();
    await this.#source.close();
    this.#vms.close();
    this.#sites.close();
    this.#closeEvents();
    await this.#server?.close();
    this.#server = null;
  }

  #settled(): Promise<void> {
    const { clock, found } = this.#ports;
    return new Promise((resolve) => {
      const timer = clock.setTimer(SETTLING_MS, resolve);
      void found.settled().then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** When something is to be looked at that nobody tells of; null: nothing. */
  #nextNs(): bigint | null {
    const { retries, losses } = this.#memory;
    return [retries.nextRetryNs(), losses.nextNs(), this.#again.nextNs(), this.#cables.nextNs()].reduce(
      earlier,
    );
  }

  #linksChanged(toldNs = this.#ports.clock.monotonicNs()): void {
    this.#memory.exposure.noticed(toldNs);
    this.#loop.request();
  }

  async #pass(): Promise<void> {
    let result: PassResult;
    this.#ports.observer?.began();
    try {
      this.#watchFolders();
      result = await reconcile((host) => this.#source.wanted(host), this.#memory, this.#passPorts());
    } catch (cause) {
      const error = isVmnError(cause)
        ? cause
        : new VmnError('VMN_READ_BACK', { attempted: 'make a pass', cause });
      this.#unverified(hostProblem({ on: 'host', error }));
      throw cause;
    }
    if (result.attachments.some(({ observed }) => observed?.pinned === true)) this.#openEvents();
    if (result.attachments.some(({ unfinished }) => unfinished === true)) this.#loop.request();
    this.#own.observed(result.attachments);
    const { attachments, problems, unfinished } = result;
    this.#again.passed(attachments, problems, unfinished, this.#ports.clock.monotonicNs());
    const now = this.#ports.clock.now().toISOString();
    this.#cables.keep(cableWishes(result.attachments, (tap, site) => this.#holdersOf(tap, site)));
    result = { ...result, attachments: withCables(result.attachments, this.#cables) };
    const { guests } = result.wanted;
    this.#guests.keep(
      guestWishes(result.attachments, guests, this.#vms.list(), (pins) => this.#answersOf(pins)),
    );
    result = { ...result, attachments: withGuests(result.attachments, this.#guests) };
    const rotated = await answerRotations(result.attachments, result.wanted.rotations, {
      ...{ ports: this.#ports, paths: this.#settings.paths, log: this.#ports.log },
    });
    if (rotated.unfinished) this.#loop.request();
    this.health.passed(result);
    result = {
      ...result,
      problems: [...result.problems, ...rotated.problems, ...this.#hostProblems()],
    };
    const status = reportStatus(this.#settings.info, result, this.#history, this.#told, now);
    this.#show(status);
    this.#ports.observer?.passed(status, result);
    this.#source.passed(status, result);
  }

  /** Before a pass reads them: what is touched while it does so leads to one more. */
  #watchFolders(): void {
    const { paths } = this.#settings;
    const pins = this.#ports.kernel.listPins(paths.bpffs).map((name) => pinDirOf(paths, name));
    this.#folders?.watch([recordsDirOf(paths), paths.bpffs, ...pins]);
  }

  /** What is wrong with the host whatever a pass did. */
  #hostProblems(): HostProblem[] {
    const error = this.#ports.bpffsFault();
    const unpinnable = error === null ? [] : [{ on: this.#settings.paths.bpffs, error }];
    const unseen = [...this.#vms.problems(), ...this.#sites.problems()].map(directoryProblem);
    return [...unpinnable, ...unseen];
  }

  #holdersOf(tap: string, site: string | null): readonly TapHolder[] {
    const kernel = site === null ? this.#ports.kernel : this.#sites.kernelOf(site);
    return kernel?.tapHolders(tap) ?? [];
  }

  /** Frames that passed to a guest; null: its filter cannot be read now. */
  #answersOf(pins: string): bigint | null {
    const { kernel } = this.#ports;
    try {
      return answersIn(kernel.counters(pinDirOf(this.#settings.paths, pins)));
    } catch (error) {
      if (isVmnError(error)) return null;
      throw error;
    }
  }

  #unverified(problem: Problem): void {
    if (this.#status !== null) this.#show(unverifiedStatus(this.#status, problem));
    this.health.failed();
    this.#ports.observer?.failed(this.#status);
    this.#source.failed(problem);
  }

  #show(status: AgentStatus): void {
    announceChanges(this.#status, status, this.#ports.log);
    this.#status = status;
  }

  #passPorts(): PassPorts {
    const { log } = this.#ports;
    return {
      ...this.#ports,
      paths: this.#settings.paths,
      nodeName: this.#settings.nodeName,
      managedPatterns: this.#settings.managedPatterns,
      vms: this.#vms,
      sites: this.#sites,
      endings: this.#endings,
      engines: this.#engines,
      onChange: (what, on, vm) => log.info({ change: what, on, ...(vm === null ? {} : { vm }) }, 'changed'),
      onLastDetached: () => this.#closeEvents(),
    };
  }

  /** Drops are seen from the first attachment on. Failing to see them is no reason not to enforce. */
  #openEvents(): void {
    if (this.#events !== null) return;
    try {
      this.#events = this.#ports.openEvents((event) => this.#onEvent(event));
      this.#eventsFault = null;
    } catch (error) {
      if (!isVmnError(error)) throw error;
      if (this.#eventsFault !== error.message)
        this.#ports.log.warn({ err: error }, 'no events of dropped frames');
      this.#eventsFault = error.message;
    }
  }

  #closeEvents(): void {
    this.#events?.close();
    this.#events = null;
  }

  /** `record`: of the engine that tells, if it is not the kernel. */
  #onEvent(event: FilterEvent, record: string | null = null): void {
    const violation = event.direction === 'from-vm' && isViolation(event.reason);
    if (violation || isEvidence(event) || this.#feed.listeners > 0) {
      const attachments = this.#status?.attachments ?? [];
      const attachment = record === null ? attachmentOf(event, attachments) : servedBy(record, attachments);
      const drop = toDropEvent(event, attachment, this.#ports.clock);
      if (violation && attachment !== null) {
        this.#told.violations.note(attachment.pins, drop);
        this.#source.violated(attachment.pins, event);
      }
      // Whose tunnel came up has our firewall in force: before that it is any boot's business.
      const hasFirewall = attachment?.guest !== undefined && attachment.tunnel.lastHandshake !== undefined;
      if (hasFirewall && this.#told.bypass.note(attachment.pins, event, drop)) this.#loop.request();
      this.#feed.publish(drop);
    }
    // The answer comes from the kernel's count, in a pass; this is only the call for one.
    if (event.kind === 'violations') this.#loop.request();
  }
}

function earlier(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}
