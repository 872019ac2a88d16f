import { isVmnError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { HostProblem } from '../attachment/pass.ts';
import { LockBusy } from '../host/lock.ts';
import type { PatientPorts } from '../wiring/closed-tap.ts';
import { guestKeyOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { RecordState } from '../wiring/record.ts';
import { makeNextKey } from './key-rotation.ts';

export interface RotationPorts {
  readonly ports: Pick<PatientPorts, 'whenStateLockIsFree' | 'withStateLock' | 'records'>;
  readonly paths: Pick<AttachmentPaths, 'stateDir'>;
  readonly log: Pick<Logger, 'info'>;
}

/** What became of the requests of one pass. */
export interface AnsweredRotations {
  readonly problems: readonly HostProblem[];
  /** Somebody holds the state lock: to be done again soon. */
  readonly unfinished: boolean;
}

/**
 * Makes the next key of each VM whose network asks for another one by its annotation, once for each request; the present one stays in
 * force until the VM starts (key-rotation.ts). One without a key has nothing to replace: its first one answers the request
 * (`answeredAtStart`).
 *
 * @param rotations by `namespace/name` of the network
 */
export async function answerRotations(
  seen: readonly { readonly observed: { readonly record: RecordState } | null }[],
  rotations: ReadonlyMap<string, string>,
  options: RotationPorts,
): Promise<AnsweredRotations> {
  const problems: HostProblem[] = [];
  let unfinished = false;
  for (const { observed } of rotations.size === 0 ? [] : seen) {
    const record = observed?.record.state === 'ok' ? observed.record.record : null;
    const asked = rotations.get(record?.network ?? '');
    if (record?.guest === undefined || asked === undefined || record.rotation === asked) continue;
    try {
      const { ports } = options;
      await ports.whenStateLockIsFree(() => ports.withStateLock(() => answer(record.tap, asked, options)));
    } catch (error) {
      if (error instanceof LockBusy) unfinished = true;
      else if (isVmnError(error)) problems.push({ on: record.tap, error });
      else throw error;
    }
  }
  return { problems, unfinished };
}

function answer(key: string, asked: string, { ports: { records }, paths, log }: RotationPorts): void {
  const found = records.read(key);
  if (found.state === 'unreadable') throw found.error;
  if (found.state === 'absent' || found.record.rotation === asked) return;
  const { record } = found;
  const keys = makeNextKey(guestKeyOf(paths, key));
  if (keys === null) return;
  const guest = { publicKey: keys.present.publicKey, nextPublicKey: keys.next.publicKey };
  records.write({ ...record, guest, rotation: asked });
  log.info({ on: key, vm: record.vm, nextPublicKey: guest.nextPublicKey }, 'next key, as asked for');
}
