import type { Problem } from '../../../api/manifest.ts';
import type { KubeClient } from '../../../kube/client.ts';
import type { EventRecorder } from '../../../kube/events/recorder.ts';
import { informer } from '../../../kube/reflector/informer.ts';
import type { Informer } from '../../../kube/reflector/informer.ts';
import { keyOf } from '../../../kube/resource.ts';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { ERRORS } from '../../../lib/errors.ts';
import type { VmnError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { FilterEvent } from '../../../native/filter-engine.ts';
import type { PassResult } from '../../attachment/pass.ts';
import { ClusterStatus } from '../../status/cluster/cluster-status.ts';
import type { HostFacts } from '../../status/cluster/node-report.ts';
import type { PacketCounts } from '../../status/cluster/packet-counts.ts';
import type { AgentStatus } from '../../status/status.ts';
import type { IntentSource, SourcePorts } from '../source.ts';
import type { HostView, Wanted } from '../wanted.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import { clusterWanted } from './cluster-wanted.ts';
import { GraceDeadlines } from './grace-deadlines.ts';
import { judgeAttachments } from './judge.ts';
import type { JudgedAttachment } from './judge.ts';
import { ATTACHMENTS, CLASSES } from './kinds.ts';
import type { AttachmentObject, ClassObject } from './kinds.ts';
import type { SealedKeys } from './sealed-keys.ts';
import { WishKeeper } from './wish-keeper.ts';

export interface ClusterSourcePorts extends SourcePorts {
  readonly client: KubeClient;
  readonly nodeName: string;
  /** Of the Lease. */
  readonly namespace: string;
  readonly checkpoint: CheckpointFile;
  readonly sealedKeys: SealedKeys;
  /** What was wrong before it began, for as long as it runs. */
  readonly problems: readonly Problem[];
  readonly facts: HostFacts;
  /** Why nothing can be pinned now, such that it outlives the agent; null: it can be. */
  readonly bpffsFault: () => VmnError | null;
  /** What the filter of a tap counted; null: it cannot be read. */
  readonly counters: (tap: string) => PacketCounts | null;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A server that answers at once is no problem worth a line in the log. */
const PATIENCE_MS = 5_000;
const FLUSH_MS = 1_000;

/** The attachments of this node, and everything that is told to the cluster about them and about this host. */
export class ClusterSource implements IntentSource {
  readonly #ports: ClusterSourcePorts;
  readonly #attachments: Informer<AttachmentObject>;
  readonly #classes: Informer<ClassObject>;
  readonly #keeper: WishKeeper;
  readonly #deadlines = new GraceDeadlines();
  readonly #status: ClusterStatus;
  readonly #life = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #startedMs = 0;
  #patience: Timer | null = null;
  /** What the pass under way, or the last one, was asked for. */
  #asked: readonly JudgedAttachment[] = [];

  constructor(ports: ClusterSourcePorts) {
    const { client, nodeName, clock, log, checkpoint: file, onChange } = ports;
    this.#ports = ports;
    const fieldSelector = `spec.nodeName=${nodeName}`;
    this.#attachments = informer<AttachmentObject>(client, ATTACHMENTS, { fieldSelector, clock, log });
    this.#classes = informer<ClassObject>(client, CLASSES, { clock, log });
    const caches = { attachments: this.#attachments, classes: this.#classes };
    this.#keeper = new WishKeeper({ ...caches, file, nodeName, onChange, clock, log });
    this.#status = new ClusterStatus({ ...ports, present: (key) => this.#attachments.store.get(key) });
  }

  start(): void {
    const { signal } = this.#life;
    const { clock, onChange } = this.#ports;
    this.#startedMs = clock.monotonicMs();
    this.#patience = clock.setTimer(PATIENCE_MS + 1, onChange);
    this.#keeper.start();
    this.#attachments.onEvent(({ type, object }) => {
      if (type === 'updated') this.#status.written(keyOf(object));
    });
    this.#work = Promise.all([
      this.#attachments.start(signal),
      this.#classes.start(signal),
      this.#status.run(signal),
    ]);
    // What fails without having been foreseen is a bug; the agent goes on enforcing what it knows.
    this.#work.catch((err: unknown) =>
      this.#ports.log.error({ err }, 'does not follow the cluster any more'),
    );
  }

  wanted(host: HostView): Wanted {
    const { wishes } = this.#keeper;
    const { vms } = this.#ports;
    const instant = { nowNs: host.nowNs, nowMs: host.nowMs, seenMs: wishes.savedMs };
    this.#asked = judgeAttachments({
      attachments: wishes.attachments,
      classes: wishes.classes,
      host,
      vms: vms.list(),
      untilNs: (uid, previous) => this.#deadlines.of(uid, previous, instant),
    });
    const uids = new Set(wishes.attachments.map(({ uid }) => uid));
    this.#deadlines.keepOnly(uids);
    this.#ports.sealedKeys.keepOnly(uids);
    const { sealedKeys } = this.#ports;
    const isComplete = wishes.from !== 'nothing';
    return clusterWanted(this.#asked, isComplete, this.#problems(), (one) => sealedKeys.offerOf(one));
  }

  passed(status: AgentStatus, result: PassResult): void {
    // Before the server has answered there is nobody to tell, and what is there may be of another day.
    if (this.#keeper.wishes.from === 'server') this.#status.passed(this.#asked, status, result);
  }

  failed(problem: Problem): void {
    this.#status.failed(problem.message);
  }

  violated(pins: string, event: FilterEvent): void {
    this.#status.violated(pins, event);
  }

  async close(): Promise<void> {
    this.#patience?.cancel();
    this.#keeper.close();
    this.#life.abort();
    await this.#work.catch(() => undefined);
    await this.#flush();
  }

  /** Events are worth no longer a wait. */
  async #flush(): Promise<void> {
    const { clock, recorder } = this.#ports;
    const limit = new AbortController();
    const timer = clock.setTimer(FLUSH_MS, () => limit.abort());
    await recorder.flush(limit.signal);
    timer.cancel();
  }

  #problems(): Problem[] {
    return [...this.#ports.problems, ...this.#keeper.problems(), ...this.#silence()];
  }

  #silence(): Problem[] {
    const { from } = this.#keeper.wishes;
    const waitedMs = this.#ports.clock.monotonicMs() - this.#startedMs;
    const isSilent = from === 'server' ? this.#status.isUnheard : waitedMs > PATIENCE_MS;
    if (!isSilent) return [];
    const code = 'VMN_API_UNREACHABLE';
    return [{ file: 'API server', message: SILENCE[from], remedy: ERRORS[code].remedy, code }];
  }
}

const SILENCE = {
  nothing:
    'has not told what is wanted here, and no earlier wishes are known: every VM is denied until it does',
  checkpoint: 'has not told what is wanted here since the agent started: what it last said is enforced',
  server: 'does not take what this host says: what it last said is enforced',
};
