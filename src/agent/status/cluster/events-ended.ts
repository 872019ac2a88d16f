import type { AttachmentResult } from '../../attachment/rounds.ts';

/** What a pass found of an attachment's card; `gone`: it is not on this host. */
export type CardFound = AttachmentResult | 'gone' | null;

/** Which VMs were ended for their violations: their records said which process is to end, and then that it has. */
export class EndedVms {
  #toEnd: ReadonlySet<string> = new Set();

  /** By attachment. Those whose VMs ended since the last pass. */
  passed(found: ReadonlyMap<string, CardFound>): readonly string[] {
    const states = [...found].map(([key, card]) => ({
      key,
      state: card === 'gone' ? 'ended' : stateOf(card),
    }));
    const keysOf = (wanted: string) => states.filter(({ state }) => state === wanted).map(({ key }) => key);
    const ended = keysOf('ended').filter((key) => this.#toEnd.has(key));
    this.#toEnd = new Set(keysOf('to end'));
    return ended;
  }
}

function stateOf(result: AttachmentResult | null): 'to end' | 'ended' | 'not' {
  const record = result?.observed?.record;
  const violations = record?.state === 'ok' ? record.record.violations : undefined;
  if (violations === undefined || violations.quarantinedAt === null) return 'not';
  if (!violations.toEnd) return 'ended';
  return violations.holder === undefined ? 'not' : 'to end';
}
