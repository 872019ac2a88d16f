import { setImmediate as turn } from 'node:timers/promises';
import { printable } from '../../api/printable.ts';
import { ApiError, isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Outcome } from '../../kube/controller/controller.ts';
import type { EventRecorder } from '../../kube/events/recorder.ts';
import { onlyStatus } from '../../kube/only-status.ts';
import { keyOf } from '../../kube/resource.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { CLOSED_FINALIZER, FIELD_MANAGER, NETWORKS } from '../kinds.ts';
import type { Attachment, Network } from '../kinds.ts';
import { NOTHING_WRITTEN, refusalText, together, writeAttachments } from './attachment-pass.ts';
import type { PassResult } from './attachment-pass.ts';
import type { PlannedUpdate } from './attachment-plan.ts';
import { AttachmentWriter, isRefusal } from './attachment-writer.ts';
import type { SealingMaterial } from './attachment-writer.ts';
import type { SelectedVm } from './binding.ts';
import { cardsOf } from './card.ts';
import type { Card } from './card.ts';
import type { Fleet } from './fleet.ts';
import type { HostState } from './host-health.ts';
import { judge } from './judgement.ts';
import type { KnownSecrets } from './known-secrets.ts';
import { LOOK_AGAIN_MS } from './missing-hosts.ts';
import type { MissingHosts } from './missing-hosts.ts';
import { Hastened, Passes } from './passes.ts';
import type { Signals } from './passes.ts';
import { planEvents } from './network-events.ts';
import type { Written } from './network-events.ts';
import { within } from '../../lib/time-limit.ts';
import { planNetwork, planOrphans } from './plan.ts';
import type { NetworkActions, NetworkPlanInput } from './plan.ts';
import { NO_SECRET, UNREAD } from './secret-state.ts';
import type { SecretState } from './secret-state.ts';
import { planStatus } from './status.ts';
import type { PlannedStatus } from './status.ts';
import type { WrittenView } from './written-view.ts';

export interface ReconcilerPorts {
  /** Fenced: it writes only while this process leads. */
  readonly client: KubeClient;
  readonly networks: WrittenView<Network>;
  readonly fleet: Fleet;
  readonly missing: MissingHosts;
  readonly secrets: KnownSecrets;
  readonly recorder: EventRecorder;
  /** The network is to be looked at again. */
  readonly enqueue: (key: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A count of dropped packets alone is written this often at most. */
const COUNT_EVERY_MS = 60_000;
/** What depends on the wall clock is looked at this often, for that clock may be set. */
const WALL_CLOCK_CHECK_MS = 60_000;
/** The cache lacks what the server has; its event brings the key back, this is for when it does not. */
const CACHE_LAG_MS = 5_000;
const PATIENCE_MS = 5_000;
/** Answers to a status that will not be taken the next time either: invalid, forbidden, too large. */
const REFUSED: ReadonlySet<number> = new Set([400, 403, 413, 422]);
/** What the API server says, with a 500, when etcd does not take an object. */
const TOO_LARGE = /request is too large/;
/** A network of so many attachments takes some milliseconds to plan for. */
const MUCH = 1_000;
/** As long as a range may be kept from going (class/range-keeper.ts). */
const EARLY_MS = 15_000;
const NO_KEY: SealingMaterial = { secret: NO_SECRET, key: null };

type Hosts = ReadonlyMap<string, HostState>;
type Names = ReadonlySet<string>;
const NONE: Names = new Set();

/** Brings one VMNetwork, named by `namespace/name`, from whatever it is to what `planNetwork` says. */
export class NetworkReconciler {
  readonly #ports: ReconcilerPorts;
  readonly #writer: AttachmentWriter;
  /** When the status of a network was last written, monotonic. */
  readonly #statusWrittenMs = new Map<string, number>();
  readonly #passes: Passes;

  constructor(ports: ReconcilerPorts) {
    this.#ports = ports;
    this.#passes = new Passes(ports.clock);
    this.#writer = new AttachmentWriter(ports.client, ports.fleet.parts.attachments, ports.enqueue);
  }

  /**
   * The key is urgent. If people changed the network since its pass began, that pass does not open anything more, nor wait for an
   * answer to what it sent: a kill switch would wait with it. Where there is nothing to close yet it is waited for.
   */
  hasten(key: string): void {
    const { networks, fleet } = this.#ports;
    if (fleet.parts.attachments.ofNetwork(key).length === 0) return;
    this.#passes.hasten(key, networks.get(key));
  }

  async reconcile(key: string, closing: AbortSignal): Promise<Outcome> {
    const { networks } = this.#ports;
    const network = networks.get(key);
    try {
      return await this.#passes.during(key, network, closing, (signals) =>
        network === undefined
          ? this.#bury(key, { closing, opening: closing })
          : this.#bring(key, network, signals),
      );
    } catch (error) {
      if (error instanceof Hastened) return { requeueAfterMs: 1, unfinished: true };
      if (isConflict(error) || isNotFound(error)) networks.forget(key);
      // What we were about to change is gone; the cache is about to show it.
      if (isNotFound(error)) return { requeueAfterMs: CACHE_LAG_MS };
      throw error;
    }
  }

  /** The network is no more; what is left of it goes. */
  async #bury(key: string, signals: Signals): Promise<Outcome> {
    const { fleet, secrets } = this.#ports;
    this.#statusWrittenMs.delete(key);
    secrets.forget(key);
    let hosts: Hosts = new Map();
    const close = (gone: Names) => {
      const attachments = fleet.parts.attachments.ofNetwork(key);
      hosts = this.#hosts(attachments, [], gone);
      return writeAttachments(this.#writer, null, planOrphans(attachments, hosts), NO_KEY, signals);
    };
    let pass = await close(NONE);
    if (this.#isToAsk(key, hosts))
      pass = together(pass, await close(await this.#ask(key, hosts, signals.closing)));
    if (pass.error !== null) throw pass.error;
    return again(pass, [soonMs(pass, hosts)]);
  }

  /**
   * What closes is planned from what is known and goes first: it waits for no answer about a host, a Secret or a write that is
   * in doubt. Then all is planned anew with the answers.
   */
  async #bring(key: string, network: Network, signals: Signals): Promise<Outcome> {
    const { opening } = signals;
    const { secrets } = this.#ports;
    const secret = secrets.known(key, network);
    const known = await this.#observe(key, network, NONE, secret ?? UNREAD);
    const mustRead = needsKey(known.actions);
    if (secret !== null && !mustRead && !this.#isToAsk(key, known.hosts)) {
      return this.#carryOut(key, network, known, NO_KEY, NOTHING_WRITTEN, signals);
    }
    const closed = await this.#close(key, network, known, signals);

    const gone = await this.#ask(key, known.hosts, opening);
    let look = await secrets.look(key, network, mustRead, opening);
    try {
      let observed = await this.#observe(key, network, gone, look.state);
      if (needsKey(observed.actions) && look.key === null) {
        look = await secrets.look(key, network, true, opening);
        observed = await this.#observe(key, network, gone, look.state);
      }
      const material = { secret: look.state, key: look.key };
      return await this.#carryOut(key, network, observed, material, closed, signals);
    } finally {
      look.key?.fill(0);
    }
  }

  /** What can be done before the Secret was looked at. Where nothing but new attachments is due, that is nothing. */
  async #close(key: string, network: Network, known: Observed, signals: Signals): Promise<PassResult> {
    const { remove, release, update } = known.actions;
    if (remove.length + release.length + update.length === 0) return NOTHING_WRITTEN;
    const { actions } = needsKey(known.actions) ? await this.#observe(key, network, NONE, UNREAD) : known;
    return writeAttachments(this.#writer, null, withoutLook(actions), NO_KEY, signals);
  }

  /** @param closed what was written before */
  async #carryOut(
    key: string,
    network: Network,
    observed: Observed,
    material: SealingMaterial,
    closed: PassResult,
    signals: Signals,
  ): Promise<Outcome> {
    const { secrets, clock, fleet } = this.#ports;
    const { actions, hosts } = observed;
    const { pass, current } = await this.#write(network, actions, material, signals);
    const all = together(closed, pass);
    const status = this.#statusOf(key, current, observed, all.written);
    if (actions.removeFinalizer) await this.#writeFinalizer(current, false, signals.closing);
    else await this.#writeStatus(key, current, status, signals.opening);
    this.#tell(network, status, all.written);
    if (all.error !== null) throw all.error;
    const graceMs =
      actions.dueMs === null
        ? null
        : Math.min(Math.max(actions.dueMs - clock.nowMs(), 1), WALL_CLOCK_CHECK_MS);
    const countMs = status.countWaits ? this.#countInMs(key) : null;
    const { judgement } = observed;
    const earlyMs = judgement.verdict === 'refused' && judgement.early === true ? EARLY_MS : null;
    const doubtMs = fleet.parts.attachments.doubtEndsInMs(key);
    return again(all, [soonMs(all, hosts), graceMs, countMs, earlyMs, doubtMs, secrets.dueInMs(key)]);
  }

  /** Writes what was planned. What closes does not wait for the network's own finalizer; what is new comes after it. */
  async #write(
    network: Network,
    { remove, release, update, create, addFinalizer }: NetworkActions,
    material: SealingMaterial,
    signals: Signals,
  ): Promise<{ pass: PassResult; current: Network }> {
    const closing = { remove, release, update };
    const closed = await writeAttachments(this.#writer, null, closing, material, signals);
    if (closed.error !== null) return { pass: closed, current: network };
    // What is not sent is not in doubt.
    signals.opening.throwIfAborted();
    let current = network;
    try {
      if (addFinalizer) current = await this.#writeFinalizer(network, true, signals.opening);
    } catch (error) {
      if (!isRefusal(error) || isConflict(error) || isNotFound(error)) throw error;
      const failure = create.length === 0 ? undefined : refusalText(error);
      return { pass: { ...closed, written: { ...closed.written, failure }, error }, current };
    }
    const opening = { remove: [], release: [], create };
    const opened = await writeAttachments(this.#writer, current, opening, material, signals);
    return { pass: together(closed, opened), current };
  }

  /** What is there and what to do about it. Where that is much, others have their turn before and after. */
  async #observe(key: string, network: Network, gone: Names, secret: SecretState): Promise<Observed> {
    const isMuch = this.#ports.fleet.parts.attachments.countOf(key) >= MUCH;
    if (isMuch) await turn();
    const observed = this.#observeNow(key, network, gone, secret);
    if (isMuch) await turn();
    return observed;
  }

  #observeNow(key: string, network: Network, gone: Names, secret: SecretState): Observed {
    const { fleet, clock } = this.#ports;
    const { attachments: view, clusterRanges, vms: index } = fleet.parts;
    const vms = fleet.selected(network);
    const judgement = judge(network, fleet.classOf(network), clusterRanges(), secret);
    const attachments = view.ofNetwork(key);
    const input = {
      network,
      judgement,
      secret,
      vms,
      hosts: this.#hosts(attachments, vms, gone),
      attachments,
      isTaken: (card: Card) => view.isTaken(card, key),
      isReported: (card: Card) => {
        const reported = index.get(card.nodeName, card.vmId);
        return reported !== undefined && cardsOf(reported).some(({ mac }) => mac === card.mac);
      },
      inDoubt: view.inDoubt(key),
      nowMs: clock.nowMs(),
    };
    return { ...input, actions: planNetwork(input) };
  }

  async #writeFinalizer(network: Network, present: boolean, signal: AbortSignal): Promise<Network> {
    const { client, networks } = this.#ports;
    const others = (network.metadata.finalizers ?? []).filter((name) => name !== CLOSED_FINALIZER);
    const finalizers = present ? [...others, CLOSED_FINALIZER] : others;
    const object = { ...network, metadata: { ...network.metadata, finalizers } };
    const written = await client.update(NETWORKS, object, { fieldManager: FIELD_MANAGER, signal });
    networks.written(written);
    return written;
  }

  #statusOf(key: string, network: Network, observed: Observed, { failure }: Written): PlannedStatus {
    const { actions } = observed;
    const countIsDue = this.#countInMs(key) === 0;
    return planStatus({ ...observed, network, plan: actions, failure, countIsDue });
  }

  async #writeStatus(
    key: string,
    network: Network,
    { status, changed }: PlannedStatus,
    signal: AbortSignal,
  ): Promise<void> {
    if (!changed) return;
    const { client, networks, clock } = this.#ports;
    const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal } as const;
    try {
      // The answer is the whole object.
      const written = (await client.update(NETWORKS, onlyStatus(network, status), options)) as Network;
      networks.written(written);
    } catch (error) {
      this.#tellUnwritten(network, error);
      throw error;
    }
    this.#statusWrittenMs.set(key, clock.monotonicMs());
  }

  /** What people read of the network is old then. The log has each try; of the Events one is a series. */
  #tellUnwritten(network: Network, error: unknown): void {
    if (!(error instanceof ApiError) || !(REFUSED.has(error.status) || TOO_LARGE.test(error.message))) return;
    const note = `${printable(error.message, 512)}. What the status says is old. It is tried again about once a minute.`;
    this.#ports.recorder.event(network, 'Warning', 'FailedToUpdateStatus', 'UpdateStatus', note);
  }

  #tell(network: Network, { status, changed }: PlannedStatus, written: Written): void {
    const wrote = written.created + written.updated + written.removed > 0 || written.failure !== undefined;
    if (!changed && !wrote) return;
    const { recorder, log } = this.#ports;
    for (const { type, reason, action, note } of planEvents(network.status, status, written)) {
      recorder.event(network, type, reason, action, note);
      log.info({ network: keyOf(network), reason }, note);
    }
  }

  /** @param gone of those that are missing, who was declared gone */
  #hosts(attachments: readonly Attachment[], vms: readonly SelectedVm[], gone: Names): Hosts {
    const names = [...attachments.map(({ spec }) => spec.nodeName), ...vms.map(({ nodeName }) => nodeName)];
    const stateOf = (name: string): HostState => {
      const state = this.#ports.fleet.hostState(name);
      return isMissing(state) && gone.has(name) ? { ...state, health: 'gone' } : state;
    };
    return new Map(names.map((name) => [name, stateOf(name)]));
  }

  #isToAsk(key: string, hosts: Hosts): boolean {
    return hasMissing(hosts) || this.#ports.fleet.parts.attachments.isLate(key);
  }

  /**
   * Asks what became of writes that the cache does not show, and which of the missing hosts were declared gone. That nobody
   * answers is no failure.
   */
  async #ask(key: string, hosts: Hosts, signal: AbortSignal): Promise<Names> {
    const { fleet, client, missing, clock, log } = this.#ports;
    const { attachments } = fleet.parts;
    try {
      await within(clock, PATIENCE_MS, signal, (limited) => attachments.settle(key, client, limited));
    } catch (err) {
      signal.throwIfAborted();
      log.warn({ err, network: key }, 'nobody can tell now what became of earlier writes');
    }
    const gone = new Set<string>();
    for (const [name, state] of hosts) {
      if (isMissing(state) && (await missing.isGone(name, attachments.onNode(name), signal))) gone.add(name);
    }
    return gone;
  }

  #countInMs(key: string): number {
    const writtenMs = this.#statusWrittenMs.get(key);
    if (writtenMs === undefined) return 0;
    return Math.max(writtenMs + COUNT_EVERY_MS - this.#ports.clock.monotonicMs(), 0);
  }
}

interface Observed extends NetworkPlanInput {
  readonly actions: NetworkActions;
}

function needsKey({ create, update }: NetworkActions): boolean {
  return [...create, ...update].some(({ sealing }) => sealing.kind === 'seal');
}

/**
 * What of a plan can be done before the Secret was looked at. A guest is not told to give up its tunnel for want of a look, unless
 * nothing passes anyway.
 */
function withoutLook({ remove, release, update }: NetworkActions) {
  const isSafe = ({ attachment, policy }: PlannedUpdate): boolean => {
    if (policy === null || policy.desiredState === 'Quarantined') return true;
    return (policy.wireGuard === undefined) === (attachment.spec.policy.wireGuard === undefined);
  };
  return { remove, release, update: update.filter(isSafe) };
}

function hasMissing(hosts: Hosts): boolean {
  return [...hosts.values()].some(isMissing);
}

function isMissing({ health, since }: HostState): boolean {
  return health === 'unknown' && since === undefined;
}

function soonMs({ more, raced }: PassResult, hosts: Hosts): number | null {
  if (more) return 1;
  if (raced) return CACHE_LAG_MS;
  return hasMissing(hosts) ? LOOK_AGAIN_MS : null;
}

function again({ more, raced }: PassResult, delays: readonly (number | null)[]): Outcome {
  const due = delays.filter((delay) => delay !== null);
  if (due.length === 0) return undefined;
  return { requeueAfterMs: Math.max(1, Math.min(...due)), unfinished: more || raced };
}
