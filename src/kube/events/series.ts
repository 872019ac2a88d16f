import { randomBytes } from 'node:crypto';
import { cutText } from '../../lib/cut-text.ts';
import { microTime } from '../../lib/micro-time.ts';
import { type KubeEvent, type ObjectReference } from './kube-event.ts';

const NOTE_BYTES = 1024;
const WORD_BYTES = 128;
const NAME_LENGTH = 253;

export type EventBody = Pick<
  KubeEvent,
  | 'type'
  | 'reason'
  | 'action'
  | 'note'
  | 'regarding'
  | 'related'
  | 'reportingController'
  | 'reportingInstance'
>;

/** Occurrences of one event, and how many of them the API server knows of. */
export class Series {
  readonly #body: EventBody;
  readonly #first: Date;
  #name: string;
  #count = 1;
  #lastObserved: Date;
  /** Occurrences that were written; 0 if the object is not there. */
  #written = 0;

  constructor(body: EventBody, now: Date) {
    this.#body = body;
    this.#first = now;
    this.#lastObserved = now;
    this.#name = nameFor(body.regarding);
  }

  get namespace(): string {
    // Events of what lives in no namespace stand in this one: the API server asks for it.
    return this.#body.regarding.namespace ?? 'default';
  }

  get name(): string {
    return this.#name;
  }

  /** The API server has the object. */
  get exists(): boolean {
    return this.#written > 0;
  }

  /** There is something that the API server has not been told. */
  get behind(): boolean {
    return this.#written < this.#count;
  }

  get count(): number {
    return this.#count;
  }

  again(now: Date): void {
    this.#count += 1;
    this.#lastObserved = now;
  }

  /** `count` occurrences were written. */
  wrote(count: number): void {
    this.#written = count;
  }

  /** The object is gone (events live for an hour), or its name is taken: the next write makes a new one. */
  renew(): void {
    this.#written = 0;
    this.#name = nameFor(this.#body.regarding);
  }

  toObject(): KubeEvent {
    const { note, reason, action, reportingInstance } = this.#body;
    return {
      ...this.#body,
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: this.namespace, name: this.#name },
      eventTime: microTime(this.#first),
      note: cutText(note, NOTE_BYTES),
      reason: cutText(reason, WORD_BYTES),
      action: cutText(action, WORD_BYTES),
      reportingInstance: cutText(reportingInstance, WORD_BYTES),
      // The API server takes no series of one.
      ...(this.#count > 1 ? { series: this.#series() } : {}),
    };
  }

  /** Of an event only its series may change. */
  toPatch(): object {
    return { series: this.#series() };
  }

  #series() {
    return { count: this.#count, lastObservedTime: microTime(this.#lastObserved) };
  }
}

/** What makes two occurrences the same. Also the note: a count beside a text that no longer holds would mislead. */
export function identityOf(body: EventBody): string {
  const { type, reason, action, note, regarding, related } = body;
  return JSON.stringify([type, reason, action, note, objectKey(regarding), related && objectKey(related)]);
}

/** Names an object and not a later one of the same name; its versions are one. */
export function objectKey(reference: ObjectReference): string {
  const { apiVersion, kind, namespace = '', name, uid = '' } = reference;
  return JSON.stringify([apiVersion, kind, namespace, name, uid]);
}

function nameFor({ name }: ObjectReference): string {
  const suffix = `.${randomBytes(8).toString('hex')}`;
  // A name that is cut after a dot or a hyphen would not be one.
  return name.slice(0, NAME_LENGTH - suffix.length).replace(/[^a-z0-9]+$/, '') + suffix;
}
