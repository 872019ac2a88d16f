import { printable } from '../../api/printable.ts';
import { isConflict, isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { ApiError } from '../../kube/api-error.ts';
import type { Network } from '../kinds.ts';
import type { AttachmentPlan, PlannedUpdate } from './attachment-plan.ts';
import { isRefusal, NoPlace } from './attachment-writer.ts';
import type { AttachmentWriter, SealingMaterial } from './attachment-writer.ts';
import { inTurns } from './in-turns.ts';
import type { Written } from './network-events.ts';
import type { Signals } from './passes.ts';

/** What became of the attachments of one pass. */
export interface PassResult {
  readonly written: Written;
  /** The plan asked for more than one pass does. */
  readonly more: boolean;
  /** Somebody, nearly always the agent, wrote meanwhile. The event of that may bring the key back, or be another network's. */
  readonly raced: boolean;
  /** What the server refused; to be tried again after the status says so. */
  readonly error: Error | null;
}

export const NOTHING_WRITTEN: PassResult = {
  written: { created: 0, updated: 0, removed: 0 },
  more: false,
  raced: false,
  error: null,
};

/** Writes of one kind in one pass; the rest comes with the next, so that one network cannot keep a worker for minutes. */
const MOST_WRITES = 200;
/** Requests of one pass at the same time, at most. */
export const REQUESTS_AT_A_TIME = 8;

type Plan = Pick<AttachmentPlan, 'remove' | 'release'> & Partial<Pick<AttachmentPlan, 'update' | 'create'>>;

/**
 * Does to the attachments what was planned: first what closes, then what changes, then what is new. One that somebody wrote
 * meanwhile is passed over, for among a thousand there is always one; of the first that the server refuses the others wait.
 */
export async function writeAttachments(
  writer: AttachmentWriter,
  network: Network | null,
  { remove, release, update = [], create = [] }: Plan,
  material: SealingMaterial,
  { closing, opening }: Signals,
): Promise<PassResult> {
  const counts = { created: 0, updated: 0, removed: 0 };
  let more = false;
  let raced = false;
  const each = async <T>(items: readonly T[], write: (item: T) => Promise<void>): Promise<void> => {
    more ||= items.length > MOST_WRITES;
    await inTurns(items.slice(0, MOST_WRITES), REQUESTS_AT_A_TIME, async (item) => {
      try {
        await write(item);
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error;
        raced = true;
      }
    });
  };
  try {
    await each(remove, async (attachment) => {
      await writer.remove(attachment, closing);
      counts.removed += 1;
    });
    await each(release, (attachment) => writer.release(attachment, closing));
    await each(update, async (planned) => {
      // Whichever comes first, the other meets a newer version: a change given up cannot undo what the next pass writes.
      await writer.update(planned, material, isClosing(planned) ? closing : opening);
      if (planned.policy !== null) counts.updated += 1;
    });
    await each(create, async (planned) => {
      if (network === null) throw new TypeError('there is no network to make attachments for');
      if (await writer.create(network, planned, material, { closing, opening })) counts.created += 1;
      else raced = true;
    });
    return { written: counts, more, raced, error: null };
  } catch (error) {
    if (!isRefusal(error) && !(error instanceof NoPlace)) throw error;
    return { written: { ...counts, failure: refusalText(error) }, more, raced, error };
  }
}

function isClosing({ policy }: PlannedUpdate): boolean {
  return policy?.desiredState === 'Quarantined';
}

/** What the server said, and who can do something about it. */
export function refusalText(error: ApiError | NoPlace): string {
  const remedy = isForbidden(error)
    ? 'Ask whoever sets the quotas, policies and rights of this namespace.'
    : 'If it stays so, ask the provider.';
  return `${printable(error.message, 512)}. ${remedy} It is tried again about once a minute.`;
}

/** What two steps of one pass came to. */
export function together(a: PassResult, b: PassResult): PassResult {
  const failure = a.written.failure ?? b.written.failure;
  return {
    written: {
      created: a.written.created + b.written.created,
      updated: a.written.updated + b.written.updated,
      removed: a.written.removed + b.written.removed,
      ...(failure === undefined ? {} : { failure }),
    },
    more: a.more || b.more,
    raced: a.raced || b.raced,
    error: a.error ?? b.error,
  };
}
