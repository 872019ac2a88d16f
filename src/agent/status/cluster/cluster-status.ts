import type { Problem } from '../../../api/manifest.ts';
import type { KubeClient } from '../../../kube/client.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { VmnError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { EventRecorder } from '../../../kube/events/recorder.ts';
import type { FilterEvent } from '../../../native/filter-engine.ts';
import type { PassResult } from '../../attachment/pass.ts';
import type { VmDirectory } from '../../discovery/directory.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import type { AttachmentObject } from '../../source/cluster/kinds.ts';
import { attachmentProblem } from '../problems.ts';
import { cardKeyOf } from '../../wiring/card-key.ts';
import type { SealedKeys } from '../../source/cluster/sealed-keys.ts';
import type { AgentStatus } from '../status.ts';
import { AttachmentPublisher } from './attachment-publisher.ts';
import { attachmentReport, unverifiedReport } from './attachment-report.ts';
import type { AttachmentReport } from './attachment-report.ts';
import { AttachmentEvents } from './events.ts';
import { EndedVms } from './events-ended.ts';
import type { CardFound } from './events-ended.ts';
import { UndeclaredCards } from './events-undeclared.ts';
import { Heartbeat } from './heartbeat.ts';
import { NodePublisher } from './node-publisher.ts';
import { nodeReport } from './node-report.ts';
import type { HostFacts } from './node-report.ts';
import type { PacketCounts } from './packet-counts.ts';
import { ViolationTuples } from './violation-tuples.ts';

export interface ClusterStatusPorts {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly namespace: string;
  readonly facts: HostFacts;
  /** Why nothing can be pinned now; null: it can be. */
  readonly bpffsFault: () => VmnError | null;
  readonly vms: VmDirectory;
  readonly sealedKeys: SealedKeys;
  readonly present: (key: string) => AttachmentObject | undefined;
  readonly recorder: EventRecorder;
  readonly counters: (tap: string) => PacketCounts | null;
  /** See SourcePorts. */
  readonly overdueMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A pass takes milliseconds, at worst the time limits of what it calls. One that is late by this much does not come. */
const STALLED_MS = 30_000;

type Reports = ReadonlyMap<string, { readonly uid: string; readonly report: AttachmentReport }>;

/** Says to the cluster what this host does: statuses of attachments, its VMNetworkNode, and that it lives. */
export class ClusterStatus {
  readonly #ports: ClusterStatusPorts;
  readonly #attachments: AttachmentPublisher;
  readonly #node: NodePublisher;
  readonly #heartbeat: Heartbeat;
  readonly #tuples = new ViolationTuples();
  readonly #events: AttachmentEvents;
  readonly #ended = new EndedVms();
  readonly #undeclared = new UndeclaredCards();
  /** Attachments whose specs ask for the quarantine. */
  #killSwitches: ReadonlySet<string> = new Set();
  #reports: Reports = new Map();
  /** Pins and VM of each attachment that has a card here. */
  #cards: ReadonlyMap<string, { readonly tap: string; readonly vm: string }> = new Map();
  #problems: readonly string[] = [];
  /** What keeps single attachments from being as wanted. */
  #failing: readonly Problem[] = [];
  #passed = false;

  constructor(ports: ClusterStatusPorts) {
    this.#ports = ports;
    this.#events = new AttachmentEvents(ports.recorder);
    this.#attachments = new AttachmentPublisher({
      ...ports,
      counters: (key) => this.#ofCard(key, ({ tap }) => ports.counters(tap)),
      violations: (key) => this.#ofCard(key, ({ tap }) => this.#tuples.of(tap)) ?? [],
      written: (key, object, before) => this.#events.written(object, before, this.#killSwitches.has(key)),
    });
    this.#node = new NodePublisher(ports);
    this.#heartbeat = new Heartbeat({ ...ports, ailment: () => this.#ailment() });
  }

  /** Several signs of life in a row were not taken. */
  get isUnheard(): boolean {
    return this.#heartbeat.failures > 1;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#ports.vms.onChange(() => this.#offerNode(null));
    await Promise.all([this.#attachments.run(signal), this.#node.run(signal), this.#heartbeat.run(signal)]);
  }

  /** @param asked what the pass was asked for, judged */
  passed(asked: readonly JudgedAttachment[], status: AgentStatus, result: PassResult): void {
    const results = new Map(result.attachments.map((one) => [one.tap, one]));
    const seen = new Map(status.attachments.map((one) => [one.pins, one]));
    const found = foundCards(result);
    const reports = new Map<string, { uid: string; report: AttachmentReport }>();
    const cards = new Map<string, { tap: string; vm: string }>();
    const onHost = new Map<string, CardFound>();
    for (const judged of asked) {
      const { attachment, place } = judged;
      const tap = place.at === 'tap' ? place.tap : pinsOf(judged, found);
      const [became, said] = [results.get(tap), seen.get(tap)];
      const outcome = became && said ? { result: became, seen: said } : null;
      const report = attachmentReport(judged, outcome, this.#ports.sealedKeys.faultOf(attachment));
      reports.set(attachment.key, { uid: attachment.uid, report });
      onHost.set(attachment.key, place.at === 'nowhere' ? 'gone' : (became ?? null));
      if (outcome !== null) cards.set(attachment.key, { tap, vm: outcome.seen.vm });
    }
    const quarantined = asked.filter(
      ({ attachment }) => attachment.spec?.policy.desiredState === 'Quarantined',
    );
    this.#killSwitches = new Set(quarantined.map(({ attachment }) => attachment.key));
    for (const key of this.#ended.passed(onHost)) {
      const object = this.#ports.present(key);
      if (object !== undefined) this.#events.terminated(object);
    }
    this.#tellUndeclared(status);
    this.#reports = reports;
    this.#cards = cards;
    this.#tuples.keepOnly(new Set(status.attachments.map(({ pins }) => pins)));
    this.#attachments.offer(reports);
    this.#problems = result.problems.map(({ on, error }) => `${on}: ${error.message}`);
    this.#failing = result.attachments.flatMap((one) => attachmentProblem(one) ?? []);
    this.#passed = true;
    this.#heartbeat.nudge();
    this.#offerNode(null);
  }

  /** A pass failed as a whole. */
  failed(message: string): void {
    if (!this.#passed) return;
    const unverified = [...this.#reports].map(
      ([key, { uid, report }]) => [key, { uid, report: unverifiedReport(report, message) }] as const,
    );
    this.#attachments.offer(new Map(unverified));
    this.#offerNode(message);
  }

  /** A frame of the card that has these pins broke a rule, now. */
  violated(pins: string, event: FilterEvent): void {
    this.#tuples.note(pins, event, this.#ports.clock.now().toISOString());
    for (const [key, card] of this.#cards) if (card.tap === pins) this.#attachments.look(key);
  }

  /** Somebody wrote an attachment, perhaps we. */
  written(key: string): void {
    this.#attachments.look(key);
  }

  /** Of this host, for there is no other object that it could be told of. Nothing is lost while that is not known. */
  #tellUndeclared({ attachments }: AgentStatus): void {
    const { object } = this.#node;
    if (object === null) return;
    for (const note of this.#undeclared.passed(attachments, this.#ports.clock.monotonicMs()))
      this.#events.undeclared(object, note);
  }

  #offerNode(failure: string | null): void {
    if (!this.#passed) return;
    const { facts, vms } = this.#ports;
    const bpffsFault = this.#ports.bpffsFault();
    const features = { ...NO_FEATURES, ...facts.features, bpffs: bpffsFault?.code !== 'VMN_BPFFS_MISSING' };
    const reported = vms.list().map((vm) => vm.reported);
    const state = { failure, bpffsFault, problems: this.#problems, failing: this.#failing };
    this.#node.offer(nodeReport({ ...facts, features }, reported, state));
  }

  #ofCard<T>(key: string, read: (card: { readonly tap: string; readonly vm: string }) => T): T | null {
    const card = this.#cards.get(key);
    return card === undefined ? null : read(card);
  }

  #ailment(): string | null {
    if (!this.#passed) return 'no pass has ended yet since the API server told what is wanted';
    return this.#ports.overdueMs() > STALLED_MS ? 'passes stand still' : null;
  }
}

const NO_FEATURES = { btf: false, tcx: false, clsact: false, ringbuf: false, bpffs: false };

/** Pins of the links of others, by the card that is on them; where none is bound, by the one whose policy is in force there. */
function foundCards({ attachments }: PassResult): Map<string, string> {
  const pins = new Map<string, string>();
  for (const { found, tap } of attachments)
    if (found?.inForceFor != null) pins.set(cardKeyOf(found.inForceFor), tap);
  for (const { found, tap } of attachments) if (found?.card != null) pins.set(cardKeyOf(found.card), tap);
  return pins;
}

function pinsOf({ attachment: { card } }: JudgedAttachment, found: ReadonlyMap<string, string>): string {
  return card === null ? '' : (found.get(cardKeyOf(card)) ?? '');
}
