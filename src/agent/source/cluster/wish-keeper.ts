import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../../../api/manifest.ts';
import type { Informer, InformerEvent } from '../../../kube/reflector/informer.ts';
import { keyOf } from '../../../kube/resource.ts';
import type { Clock, Timer } from '../../../lib/clock.ts';
import type { VmnError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import { hostProblem } from '../../status/problems.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import type { AttachmentObject, ClassObject } from './kinds.ts';
import { savedAttachment, savedClass, wishedAttachment, wishedClass } from './wishes.ts';
import type { WishedAttachment, WishedClass } from './wishes.ts';

/*
 * Theory of operation
 *
 * Two caches follow the API server. What they show becomes a wish only once it is in the checkpoint (checkpoint-file.ts), as a
 * whole, and not before both have been filled: classes without attachments, or half of either, mean nothing.
 *
 *   start       the checkpoint, or nothing
 *   both synced, and after each change that matters: checkpoint, then wishes, then a pass
 *
 * A change of status, which is mostly our own, matters to nobody here. Nothing is forgotten because the server is away.
 */

/** What is wanted, and since when it is known. */
export interface Wishes {
  readonly attachments: readonly WishedAttachment[];
  /** By name. */
  readonly classes: ReadonlyMap<string, WishedClass>;
  /** `nothing`: the server has not answered, and there is no checkpoint that could be read. */
  readonly from: 'nothing' | 'checkpoint' | 'server';
  /** The wall clock was this far when they were written down; 0: they were not. */
  readonly savedMs: number;
}

export interface WishKeeperPorts {
  readonly attachments: Pick<Informer<AttachmentObject>, 'store' | 'onEvent' | 'synced'>;
  readonly classes: Pick<Informer<ClassObject>, 'store' | 'onEvent' | 'synced'>;
  readonly file: CheckpointFile;
  readonly nodeName: string;
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const NOTHING: Wishes = { attachments: [], classes: new Map(), from: 'nothing', savedMs: 0 };
/** Many changes at once are written down together; the first of them at once. */
const PACE_MS = 50;
/** A checkpoint that could not be written is tried again after this time. */
const WRITE_AGAIN_MS = 30_000;

export class WishKeeper {
  readonly #ports: WishKeeperPorts;
  /** As the caches show them, by key. */
  readonly #attachments = new Map<string, WishedAttachment>();
  readonly #classes = new Map<string, WishedClass>();
  #due: Timer | null = null;
  #acceptedMs = -Infinity;
  #wishes: Wishes = NOTHING;
  #fault: VmnError | null = null;
  #writeAgain: Timer | null = null;
  #synced = false;
  #closed = false;

  constructor(ports: WishKeeperPorts) {
    this.#ports = ports;
  }

  /** Those that may be enforced. */
  get wishes(): Wishes {
    return this.#wishes;
  }

  problems(): Problem[] {
    return this.#fault === null ? [] : [hostProblem({ on: 'checkpoint', error: this.#fault })];
  }

  /** Reads the checkpoint, and listens to the caches from then on. They are started by somebody else. */
  start(): void {
    this.#recall();
    const { attachments, classes } = this.#ports;
    attachments.onEvent((event) => this.#onAttachment(event));
    classes.onEvent((event) => this.#onClass(event));
    Promise.all([attachments.synced(), classes.synced()]).then(
      () => {
        this.#synced = true;
        this.#accept();
      },
      // They ended before they were filled: so did we.
      () => undefined,
    );
  }

  close(): void {
    this.#closed = true;
    this.#due?.cancel();
    this.#writeAgain?.cancel();
  }

  #recall(): void {
    const { file, nodeName, log } = this.#ports;
    const found = file.read(nodeName);
    if (found.state === 'damaged') this.#fault = found.error;
    if (found.state !== 'ok') return;
    const { attachments, classes, savedAt } = found.checkpoint;
    this.#wishes = {
      attachments: attachments.map(wishedAttachment),
      classes: new Map(classes.map((saved) => [saved.name, wishedClass(saved)])),
      from: 'checkpoint',
      savedMs: Date.parse(savedAt),
    };
    log.info(
      { attachments: attachments.length, savedAt },
      'goes by the checkpoint until the API server answers',
    );
  }

  #onAttachment({ type, object, previous }: InformerEvent<AttachmentObject>): void {
    const key = keyOf(object);
    if (type === 'deleted') this.#attachments.delete(key);
    else if (type === 'added' || previous === undefined || isAnother(object, previous)) {
      const wished = wishedAttachment(savedAttachment(object));
      // The server selects by node; nobody else's is enforced here whatever it sends.
      if (wished.spec !== null && wished.spec.nodeName !== this.#ports.nodeName)
        this.#attachments.delete(key);
      else this.#attachments.set(key, wished);
    } else return;
    this.#changed();
  }

  #onClass({ type, object }: InformerEvent<ClassObject>): void {
    const { name } = object.metadata;
    if (type === 'deleted') this.#classes.delete(name);
    else this.#classes.set(name, wishedClass(savedClass(object)));
    this.#changed();
  }

  #changed(): void {
    const { clock } = this.#ports;
    const pauseMs = this.#acceptedMs + PACE_MS - clock.monotonicMs();
    this.#due ??= clock.setTimer(Math.max(0, pauseMs), () => this.#accept());
  }

  #accept(): void {
    this.#due?.cancel();
    this.#due = null;
    if (!this.#synced || this.#closed) return;
    const { file, nodeName, clock, onChange, log } = this.#ports;
    this.#acceptedMs = clock.monotonicMs();
    const attachments = [...this.#attachments.values()];
    const classes = [...this.#classes.values()];
    const isSaved = this.#wishes.savedMs > 0 && this.#fault === null && this.#says(attachments, classes);
    if (isSaved && this.#wishes.from === 'server') return;
    let { savedMs } = this.#wishes;
    if (!isSaved) {
      const savedAt = clock.now().toISOString();
      const saved = <T>(items: readonly { readonly saved: T }[]) => items.map((item) => item.saved);
      const before = this.#fault;
      this.#fault = file.write({
        nodeName,
        savedAt,
        attachments: saved(attachments),
        classes: saved(classes),
      });
      if (this.#fault !== null && before === null) log.error({ err: this.#fault }, 'no checkpoint');
      savedMs = this.#fault === null ? Date.parse(savedAt) : 0;
      this.#writeAgain?.cancel();
      this.#writeAgain = this.#fault === null ? null : clock.setTimer(WRITE_AGAIN_MS, () => this.#accept());
    }
    const byName = new Map(classes.map((one) => [one.name, one]));
    this.#wishes = { attachments, classes: byName, from: 'server', savedMs };
    onChange();
  }

  /** Whether the wishes of now are these. What was parsed once and did not change is the same object. */
  #says(attachments: readonly WishedAttachment[], classes: readonly WishedClass[]): boolean {
    const { wishes } = this;
    return (
      textOf(wishes.attachments) === textOf(attachments) &&
      textOf([...wishes.classes.values()]) === textOf(classes)
    );
  }
}

/** Sorted: caches and files have orders of their own. */
function textOf(items: readonly { readonly saved: unknown }[]): string {
  return items
    .map(({ saved }) => textOfOne(saved))
    .sort()
    .join('\n');
}

const texts = new WeakMap<object, string>();

function textOfOne(saved: unknown): string {
  if (typeof saved !== 'object' || saved === null) return JSON.stringify(saved);
  const known = texts.get(saved);
  if (known !== undefined) return known;
  const text = JSON.stringify(saved);
  texts.set(saved, text);
  return text;
}

/**
 * More than its status is another. By what it says: a server whose store was restored gives generations anew, and then one of the
 * same number may want something else.
 */
function isAnother(object: AttachmentObject, previous: AttachmentObject): boolean {
  return !isDeepStrictEqual(savedAttachment(object), savedAttachment(previous));
}
