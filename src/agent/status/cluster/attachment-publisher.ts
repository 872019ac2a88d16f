import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import { canonicalJson } from '../../../controller/vmnetwork/plan/canonical-json.ts';
import { isConflict, isNotFound } from '../../../kube/api-error.ts';
import type { KubeClient } from '../../../kube/client.ts';
import { compareVersions } from '../../../kube/reflector/resource-version.ts';
import { refOf } from '../../../kube/resource.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import { ATTACHMENTS, FIELD_MANAGER } from '../../source/cluster/kinds.ts';
import type { AttachmentObject } from '../../source/cluster/kinds.ts';
import type { AttachmentReport } from './attachment-report.ts';
import { changeBetween, completeStatus } from './attachment-write.ts';
import type { Coarse } from './attachment-write.ts';
import type { PacketCounts } from './packet-counts.ts';
import type { ViolationSeen } from './violation-tuples.ts';
import { WriteQueue } from './write-queue.ts';
import type { PlannedWrite } from './write-queue.ts';

export interface AttachmentPublisherPorts {
  readonly client: KubeClient;
  /** The attachment as the cache shows it. */
  readonly present: (key: string) => AttachmentObject | undefined;
  /** What its filter counted, read from the kernel now; null: it cannot be read. */
  readonly counters: (key: string) => PacketCounts | null;
  readonly violations: (key: string) => readonly ViolationSeen[];
  /** The API server took a status in the place of `before`. */
  readonly written: (key: string, object: AttachmentObject, before: AttachmentObject['status']) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: (() => number) | undefined;
}

/** What moves with traffic is written no more often than this. */
const COARSE_MS = 60_000;
/** And read: a little more often, so that the look after a minute does not find the counts of the look before. */
const COUNTS_MS = 55_000;

interface Offer {
  readonly uid: string;
  readonly report: AttachmentReport;
  readonly text: string;
}

/**
 * Keeps the status of this host's attachments as it is offered: written only when it differs from what stands, as a whole, and
 * only on the version that was read. What moves with traffic waits its minute, or goes along.
 */
export class AttachmentPublisher {
  readonly #ports: AttachmentPublisherPorts;
  readonly #queue: WriteQueue;
  readonly #offers = new Map<string, Offer>();
  /** What the server answered last, while the cache is behind it. */
  readonly #answers = new Map<string, AttachmentObject>();
  /** When the kernel was asked for its counts, and what it said. */
  readonly #counts = new Map<string, { readonly atMs: number; readonly counts: PacketCounts | null }>();
  /** When counts were last written, by uid. */
  readonly #wroteCoarseMs = new Map<string, number>();

  constructor(ports: AttachmentPublisherPorts) {
    this.#ports = ports;
    const { clock, log, random } = ports;
    this.#queue = new WriteQueue({
      name: 'attachment-status',
      plan: (key) => this.#plan(key),
      clock,
      log,
      random,
    });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  /** What is to be said of all attachments there are; of others nothing is said any more. */
  offer(reports: ReadonlyMap<string, { readonly uid: string; readonly report: AttachmentReport }>): void {
    for (const [key, { uid, report }] of reports) {
      const before = this.#offers.get(key);
      const text = textOf(report);
      this.#offers.set(key, { uid, report, text });
      if (before?.uid !== uid || before.text !== text) this.#queue.add(key);
    }
    for (const [key, { uid }] of this.#offers) {
      if (reports.has(key)) continue;
      this.#offers.delete(key);
      this.#answers.delete(key);
      this.#counts.delete(key);
      this.#wroteCoarseMs.delete(uid);
      this.#queue.forget(key);
    }
  }

  /** There may be something to write although nothing new was offered: somebody else wrote, or a frame was dropped. */
  look(key: string): void {
    if (this.#offers.has(key)) this.#queue.add(key);
  }

  async #plan(key: string): Promise<PlannedWrite> {
    // Reading counters takes system calls; a host full of VMs is not read in one go.
    await new Promise((resolve) => setImmediate(resolve));
    const offer = this.#offers.get(key);
    const base = this.#newest(key);
    if (offer === undefined || base?.metadata.uid !== offer.uid) return { write: null, againMs: null };
    const { clock } = this.#ports;
    const { uid, report } = offer;
    const complete = (freshMs: number) =>
      completeStatus(report, this.#coarseOf(key, freshMs), base.status, clock.now());
    const change = changeBetween(base.status, complete(COUNTS_MS));
    if (change === 'none') return { write: null, againMs: COARSE_MS };
    const waitMs = COARSE_MS - (clock.monotonicMs() - (this.#wroteCoarseMs.get(uid) ?? -Infinity));
    if (change === 'coarse' && waitMs > 0) return { write: null, againMs: waitMs };
    const status = complete(0);
    return { write: (signal) => this.#write(key, base, status, signal), againMs: COARSE_MS };
  }

  async #write(
    key: string,
    base: AttachmentObject,
    status: VmNetworkAttachmentStatus,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, clock, written } = this.#ports;
    try {
      const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal } as const;
      const answer = await client.update(ATTACHMENTS, { ...base, status }, options);
      this.#answers.set(key, answer);
      this.#wroteCoarseMs.set(base.metadata.uid ?? '', clock.monotonicMs());
      written(key, answer, base.status);
    } catch (error) {
      if (isNotFound(error)) return;
      if (isConflict(error)) {
        const ref = refOf(key);
        this.#answers.set(key, await client.get<AttachmentObject>(ATTACHMENTS, ref, signal));
      }
      throw error;
    }
  }

  #newest(key: string): AttachmentObject | undefined {
    const cached = this.#ports.present(key);
    const answer = this.#answers.get(key);
    if (cached === undefined || answer === undefined) return cached;
    const { uid, resourceVersion = '' } = answer.metadata;
    const order = compareVersions(resourceVersion, cached.metadata.resourceVersion ?? '');
    if (uid === cached.metadata.uid && order !== null && order > 0) return answer;
    this.#answers.delete(key);
    return cached;
  }

  /** @param freshMs how old counts may be */
  #coarseOf(key: string, freshMs: number): Coarse {
    const nowMs = this.#ports.clock.monotonicMs();
    const known = this.#counts.get(key);
    const isFresh = known !== undefined && nowMs - known.atMs < freshMs;
    const counters = isFresh ? known.counts : this.#ports.counters(key);
    if (!isFresh) this.#counts.set(key, { atMs: nowMs, counts: counters });
    return { counters, lastViolations: this.#ports.violations(key) };
  }
}

/** Without when it was read back, which is another time after each pass, and without what moves with traffic. */
function textOf({ enforced, tunnel: _tunnel, ...report }: AttachmentReport): string {
  return canonicalJson({
    ...report,
    enforced: enforced === undefined ? null : { ...enforced, verifiedAt: '' },
  });
}
