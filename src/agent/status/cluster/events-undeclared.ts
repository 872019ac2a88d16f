import type { AttachmentStatus } from '../status.ts';

/** A VM appears before the network that names it is bound to it: only one that waits longer is worth an Event, ms. */
const PATIENCE_MS = 10_000;

type Seen = Pick<AttachmentStatus, 'vm' | 'tap' | 'pins' | 'mac' | 'state' | 'network' | 'ifindex' | 'inUse'>;

interface Waiting {
  readonly sinceMs: number;
  readonly told: boolean;
}

/** Which network cards are closed because nobody declared them. Each is told of once, for as long as this agent runs. */
export class UndeclaredCards {
  readonly #waiting = new Map<string, Waiting>();

  /**
   * What a pass saw; returns a sentence for each card that is to be told of now.
   *
   * @param nowMs monotonic
   */
  passed(attachments: readonly Seen[], nowMs: number): readonly string[] {
    const undeclared = new Map(attachments.filter(isUndeclared).map((one) => [keyOf(one), one]));
    for (const key of this.#waiting.keys()) if (!undeclared.has(key)) this.#waiting.delete(key);
    return [...undeclared].flatMap(([key, card]) => {
      const { sinceMs, told } = this.#waiting.get(key) ?? { sinceMs: nowMs, told: false };
      const isDue = !told && nowMs - sinceMs >= PATIENCE_MS;
      this.#waiting.set(key, { sinceMs, told: told || isDue });
      return isDue ? [noteOf(card)] : [];
    });
  }
}

function isUndeclared({ state, network, ifindex, inUse }: Seen): boolean {
  return state === 'Denied' && network === null && ifindex !== 0 && inUse;
}

function keyOf({ pins, ifindex, vm, mac }: Seen): string {
  return [pins, ifindex, vm, mac].join(' ');
}

function noteOf({ vm, tap, mac }: Seen): string {
  const whose = vm === '' ? 'of no VM that is known' : `VM ${vm}${mac === '' ? '' : `, network card ${mac}`}`;
  return `${tap}: no VMNetwork names it (${whose}); nothing passes`;
}
