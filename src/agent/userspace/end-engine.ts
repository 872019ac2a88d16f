import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { ClosedTapPorts } from '../wiring/closed-tap.ts';
import { isClaimAlive } from '../wiring/closed-tap.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { AttachmentRecord } from '../wiring/record.ts';
import type { EngineMachine } from './engine-machine.ts';
import { removeEngineFolder } from './engine-folder.ts';
import { enginePlaceOf } from './engine-place.ts';

/** A process that was sent SIGKILL is gone within moments. */
const END_MS = 5000;

type EngineRecord = NonNullable<AttachmentRecord['engine']>;

/**
 * Ends the engine, that process and no other. One that was started, and whose starter died before it noted which process it is,
 * is asked to quit: it never had a policy. Throws VMN_NAT_UNREACHABLE when it does not end.
 */
export async function endEngine(
  record: string,
  { process }: EngineRecord,
  paths: Pick<AttachmentPaths, 'runDir'>,
  machine: Pick<EngineMachine, 'hold' | 'connect'>,
): Promise<void> {
  const { control } = enginePlaceOf(paths, record);
  if (process === null) return quit(control, machine);
  const handle = machine.hold(process);
  if (handle === null) return;
  try {
    handle.signal('SIGKILL');
    if (await handle.endsWithin(END_MS, new AbortController().signal)) return;
  } finally {
    handle.close();
  }
  throw new VmnError('VMN_NAT_UNREACHABLE', {
    attempted: `end the userspace engine, pid ${process.pid}`,
    on: control,
  });
}

async function quit(path: string, machine: Pick<EngineMachine, 'connect'>): Promise<void> {
  try {
    const control = await machine.connect(path);
    await control.quit();
    control.close();
  } catch (error) {
    // Nobody is there.
    if (!isVmnError(error)) throw error;
  }
}

/**
 * The record says no more that its VM has an engine, and its sockets go. False: somebody claimed it meanwhile, or started another,
 * and nothing was done. Under the state lock.
 */
export function forgetEngine(
  before: Pick<AttachmentRecord, 'tap' | 'engine'>,
  paths: Pick<AttachmentPaths, 'runDir'>,
  { kernel, records }: Pick<ClosedTapPorts, 'kernel' | 'records'>,
  own: number | null = null,
): boolean {
  const found = records.read(before.tap);
  if (found.state !== 'ok') return false;
  const { engine, ...record } = found.record;
  const isSame = engine?.process?.startTicks === before.engine?.process?.startTicks;
  const isClaimed = record.claim?.pid !== own && isClaimAlive(kernel, record.claim);
  if (engine === undefined || !isSame || isClaimed) return false;
  removeEngineFolder(paths, before.tap);
  records.write(record);
  return true;
}
