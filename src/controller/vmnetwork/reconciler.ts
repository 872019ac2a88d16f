import { isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Outcome } from '../../kube/controller/controller.ts';
import type { EventRecorder } from '../../kube/events/recorder.ts';
import { keyOf } from '../../kube/resource.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { CLOSED_FINALIZER, FIELD_MANAGER, HOST_NODES, NETWORKS } from '../kinds.ts';
import type { Attachment, HostNode, Network } from '../kinds.ts';
import { writeAttachments } from './attachment-pass.ts';
import { AttachmentWriter } from './attachment-writer.ts';
import { cardsOf } from './card.ts';
import type { Card } from './card.ts';
import type { Fleet } from './fleet.ts';
import type { HostState } from './host-health.ts';
import { judge } from './judgement.ts';
import type { KnownSecrets, SecretLook } from './known-secrets.ts';
import { planEvents } from './network-events.ts';
import type { Written } from './network-events.ts';
import { planNetwork, planOrphans } from './plan.ts';
import type { NetworkActions, NetworkPlanInput } from './plan.ts';
import { NO_SECRET } from './secret-state.ts';
import type { SelectedVm } from './binding.ts';
import { planStatus } from './status.ts';
import type { PlannedStatus } from './status.ts';
import type { WrittenView } from './written-view.ts';

export interface ReconcilerPorts {
  /** Fenced: it writes only while this process leads. */
  readonly client: KubeClient;
  readonly networks: WrittenView<Network>;
  readonly fleet: Fleet;
  readonly secrets: KnownSecrets;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A count of dropped packets alone is written this often at most. */
const COUNT_EVERY_MS = 60_000;
/** What depends on the wall clock is looked at this often, for that clock may be set. */
const WALL_CLOCK_CHECK_MS = 60_000;
/** The cache lacks what the server has; its event brings the key back, this is for when it does not. */
const CACHE_LAG_MS = 5_000;

/** Brings one VMNetwork, named by `namespace/name`, from whatever it is to what `planNetwork` says. */
export class NetworkReconciler {
  readonly #ports: ReconcilerPorts;
  readonly #writer: AttachmentWriter;
  /** When the status of a network was last written, monotonic. */
  readonly #statusWrittenMs = new Map<string, number>();

  constructor(ports: ReconcilerPorts) {
    this.#ports = ports;
    this.#writer = new AttachmentWriter(ports.client, ports.fleet.parts.attachments);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Outcome> {
    const { client, networks, fleet } = this.#ports;
    try {
      await fleet.parts.attachments.settle(key, client, signal);
      const network = networks.get(key);
      return network === undefined ? await this.#bury(key, signal) : await this.#bring(key, network, signal);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) networks.forget(key);
      // What we were about to change is gone; the cache is about to show it.
      if (isNotFound(error)) return { requeueAfterMs: CACHE_LAG_MS };
      throw error;
    }
  }

  /** The network is no more; what is left of it goes. */
  async #bury(key: string, signal: AbortSignal): Promise<Outcome> {
    this.#statusWrittenMs.delete(key);
    this.#ports.secrets.forget(key);
    const attachments = this.#ports.fleet.parts.attachments.ofNetwork(key);
    if (attachments.length === 0) return undefined;
    const hosts = await this.#hosts(attachments, [], signal);
    const plan = planOrphans(attachments, hosts);
    const nothing = { secret: NO_SECRET, key: null };
    const { more, raced, error } = await writeAttachments(this.#writer, null, plan, nothing, signal);
    if (error !== null) throw error;
    return again([more ? 1 : null, raced ? CACHE_LAG_MS : null]);
  }

  async #bring(key: string, network: Network, signal: AbortSignal): Promise<Outcome> {
    const { fleet, secrets, clock } = this.#ports;
    const hosts = await this.#hosts(fleet.parts.attachments.ofNetwork(key), fleet.selected(network), signal);
    let look = await secrets.look(key, network, false, signal);
    try {
      let observed = this.#observe(key, network, hosts, look);
      if (needsKey(observed.actions) && look.key === null) {
        look = await secrets.look(key, network, true, signal);
        observed = this.#observe(key, network, hosts, look);
      }
      const { actions } = observed;
      const current = actions.addFinalizer ? await this.#writeFinalizer(network, true, signal) : network;
      const material = { secret: look.state, key: look.key };
      const pass = await writeAttachments(this.#writer, current, actions, material, signal);
      const { written, error } = pass;
      const status = this.#statusOf(key, current, observed, written);
      const latest = actions.removeFinalizer
        ? current
        : await this.#writeStatus(key, current, status, signal);
      if (actions.removeFinalizer) await this.#writeFinalizer(latest, false, signal);
      this.#tell(network, status, written);
      if (error !== null) throw error;
      const isLate = pass.raced || [...hosts.values()].some(({ health }) => health === 'unknown');
      const graceMs =
        actions.dueMs === null
          ? null
          : Math.min(Math.max(actions.dueMs - clock.nowMs(), 1), WALL_CLOCK_CHECK_MS);
      const countMs = status.countWaits ? this.#countInMs(key) : null;
      const soon = pass.more ? 1 : isLate ? CACHE_LAG_MS : null;
      return again([soon, graceMs, countMs, secrets.dueInMs(key)]);
    } finally {
      look.key?.fill(0);
    }
  }

  #observe(key: string, network: Network, hosts: ReadonlyMap<string, HostState>, look: SecretLook): Observed {
    const { fleet, clock } = this.#ports;
    const { attachments: view, clusterRanges, vms: index } = fleet.parts;
    const vms = fleet.selected(network);
    const judgement = judge(network, fleet.classOf(network), clusterRanges(), look.state);
    const attachments = view.ofNetwork(key);
    const input = {
      network,
      judgement,
      secret: look.state,
      vms,
      // A host whose VM came to be selected since then is heard of in the next pass.
      hosts,
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
  ): Promise<Network> {
    if (!changed) return network;
    const { client, networks, clock } = this.#ports;
    const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal } as const;
    const written = await client.update(NETWORKS, { ...network, status }, options);
    networks.written(written);
    this.#statusWrittenMs.set(key, clock.monotonicMs());
    return written;
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

  /** What is known of the hosts of these; the server is asked about those that the cache lacks. */
  async #hosts(
    attachments: readonly Attachment[],
    vms: readonly SelectedVm[],
    signal: AbortSignal,
  ): Promise<Map<string, HostState>> {
    const { fleet, client } = this.#ports;
    const hosts = new Map<string, HostState>();
    const names = [...attachments.map(({ spec }) => spec.nodeName), ...vms.map(({ nodeName }) => nodeName)];
    for (const name of new Set(names)) {
      let state = fleet.hostState(name);
      if (state.health === 'unknown') {
        // A list, not a get: that the kind itself is missing says nothing about a host, and fails here.
        const selection = { fieldSelector: `metadata.name=${name}`, limit: 1 };
        const found = await client.list<HostNode>(HOST_NODES, selection, signal);
        if (found.items.length === 0) fleet.declareGone(name);
        state = fleet.hostState(name);
      }
      hosts.set(name, state);
    }
    return hosts;
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

function again(delays: readonly (number | null)[]): Outcome {
  const due = delays.filter((delay) => delay !== null);
  return due.length === 0 ? undefined : { requeueAfterMs: Math.max(1, Math.min(...due)) };
}
