import type { Clock } from '../lib/clock.ts';
import type { Problem } from '../api/manifest.ts';
import { isVmnError, VmnError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { isViolation } from '../filter/drop-reason.ts';
import type { FilterEvent } from '../native/filter-engine.ts';
import { ReconcileLoop } from './attachment/loop.ts';
import { reconcile } from './attachment/pass.ts';
import type { PassPorts, PassResult } from './attachment/pass.ts';
import { RetryTable } from './attachment/retry.ts';
import type { RoundMemory } from './attachment/rounds.ts';
import type { Nft } from './host/nft.ts';
import { Paced } from './host/paced.ts';
import { OwnVms } from './discovery/own-vms.ts';
import type { IntentSource, OpenSource } from './source/source.ts';
import { announceChanges } from './status/announce.ts';
import { ConditionHistory } from './status/condition-history.ts';
import { DropEventFeed, toDropEvent } from './status/drop-events.ts';
import { hostProblem } from './status/problems.ts';
import { reportStatus, unverifiedStatus } from './status/report.ts';
import { StatusServer } from './status/server.ts';
import { ViolationLog } from './status/violation-log.ts';
import type { AgentInfo, AgentStatus } from './status/status.ts';
import type { ClosedTapPorts } from './wiring/closed-tap.ts';
import type { OpenedUplinks } from './wiring/opened-uplinks.ts';
import { socketPathOf } from './wiring/paths.ts';
import type { AttachmentPaths } from './wiring/paths.ts';

export interface Closable {
  close(): void;
}

/** The machine, as the agent needs it; see host/ for the real one. */
export interface AgentPorts extends ClosedTapPorts {
  readonly nft: Nft;
  readonly uplinks: OpenedUplinks;
  readonly clock: Clock;
  readonly log: Logger;
  /** 16 bytes that no guest can know. */
  newSecret(): Uint8Array;
  /** Calls back when links, addresses or routes of the host may have changed. */
  watchLinks(onChange: () => void): Closable;
  /** Calls back when the host's nftables rule set may have changed, by this agent too. */
  watchGuard(onChange: () => void): Closable;
  /** Reads the ring buffer of the filters, which must exist. */
  openEvents(onEvent: (event: FilterEvent) => void): Closable;
}

export interface AgentSettings {
  readonly info: AgentInfo;
  readonly paths: AttachmentPaths;
  readonly nodeName: string;
  readonly resyncMs: number;
  readonly openSource: OpenSource;
}

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
  readonly #settings: AgentSettings;
  readonly #ports: AgentPorts;
  readonly #vms = new OwnVms();
  readonly #source: IntentSource;
  readonly #loop: ReconcileLoop;
  readonly #guardChanged = new Paced(GUARD_PACE_MS, () => this.#loop.request());
  readonly #feed = new DropEventFeed();
  readonly #violations = new ViolationLog();
  readonly #history: ConditionHistory;
  readonly #memory: RoundMemory = { retries: new RetryTable(), generations: new Map() };
  #status: AgentStatus | null = null;
  #server: StatusServer | null = null;
  #links: Closable | null = null;
  #guard: Closable | null = null;
  #events: Closable | null = null;
  #eventsFault: string | null = null;

  constructor(settings: AgentSettings, ports: AgentPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#history = new ConditionHistory(ports.clock);
    this.#loop = new ReconcileLoop({
      pass: () => this.#pass(),
      nextRetryNs: () => this.#memory.retries.nextRetryNs(),
      clock: ports.clock,
      log: ports.log,
      resyncMs: settings.resyncMs,
    });
    this.#source = settings.openSource({
      onChange: () => this.#loop.request(),
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
      healthy: () => this.#loop.idleMs < 3 * this.#settings.resyncMs + 10_000,
    });
    this.#source.start();
    this.#links = this.#ports.watchLinks(() => this.#loop.request());
    this.#guard = this.#ports.watchGuard(() => this.#guardChanged.call());
    this.#loop.request();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#links?.close();
    this.#links = null;
    this.#guard?.close();
    this.#guard = null;
    this.#guardChanged.close();
    await this.#loop.stop();
    await this.#source.close();
    this.#vms.close();
    this.#closeEvents();
    await this.#server?.close();
    this.#server = null;
  }

  async #pass(): Promise<void> {
    let result: PassResult;
    try {
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
    this.#vms.observed(result.attachments);
    const now = this.#ports.clock.now().toISOString();
    const status = reportStatus(this.#settings.info, result, this.#history, this.#violations, now);
    this.#show(status);
    this.#source.passed(status, result);
  }

  #unverified(problem: Problem): void {
    if (this.#status !== null) this.#show(unverifiedStatus(this.#status, problem));
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

  #onEvent(event: FilterEvent): void {
    const violation = event.direction === 'from-vm' && isViolation(event.reason);
    if (violation || this.#feed.listeners > 0) {
      const drop = toDropEvent(event, this.#status, this.#ports.clock);
      if (violation) {
        this.#violations.note(drop);
        this.#source.violated(drop.vm, event);
      }
      this.#feed.publish(drop);
    }
    // The answer comes from the kernel's count, in a pass; this is only the call for one.
    if (event.kind === 'violations') this.#loop.request();
  }
}
