import { systemEngines } from '../../agent/userspace/engine-machine.ts';
import type { EngineView } from '../../agent/userspace/engine-view.ts';
import { type EngineKeeper, Engines } from '../../agent/userspace/engines.ts';
import { withEngine } from '../../agent/userspace/subject.ts';
import { systemControl } from '../../agent/vm-control/system-control.ts';
import type { AttachmentPaths } from '../../agent/wiring/paths.ts';
import type { AttachmentRecord, RecordStore } from '../../agent/wiring/record.ts';
import { systemClock } from '../../lib/clock.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import type { Drained } from './drain.ts';
import type { TapInUse } from './in-use.ts';

/*
 * VMs on userspace engines, when their host is left. An engine gets deny-all, which is read back, as a tap does; one that does not
 * answer is ended, which closes its VM just as well.
 */

/** The engines of this host, each as it is now. The caller closes what is asked about them. */
export interface EnginesHere {
  readonly inUse: readonly TapInUse[];
  /** Ends those that no VM has. */
  endIdle(): Promise<{ readonly what: string; readonly on: string }[]>;
}

interface EnginePorts {
  readonly records: Pick<RecordStore, 'list'>;
  readonly engines: EngineKeeper;
  readonly isClaimed: (record: AttachmentRecord) => boolean;
}

/** The real ones. Nobody is told of what they tell meanwhile. */
export function systemEngineKeeper(paths: AttachmentPaths): Engines {
  const ignore = (): void => undefined;
  const machine = systemEngines(systemControl(systemClock));
  return new Engines({ machine, clock: systemClock, paths, onChange: ignore, onEvent: ignore });
}

/** One engine's failure is that engine's. */
export async function drainEngines({ records, engines }: Omit<EnginePorts, 'isClaimed'>): Promise<Drained[]> {
  const held = withEngine(records.list());
  const views = await engines.look(held);
  const drained: Drained[] = [];
  for (const record of held) {
    const { tap, vm } = record;
    const view = views.get(tap) ?? { state: 'ended' };
    try {
      if (!isClosed(view)) await close(record, view, engines);
      drained.push({ tap, vm, pins: tap, outcome: isClosed(view) ? 'was-closed' : 'closed', error: null });
    } catch (error) {
      if (!isVmnError(error)) throw error;
      const { code, message, remedy } = error;
      drained.push({ tap, vm, pins: tap, outcome: 'failed', error: { code, message, remedy } });
    }
  }
  return drained;
}

export async function enginesHere({ records, engines, isClaimed }: EnginePorts): Promise<EnginesHere> {
  const held = withEngine(records.list());
  const views = await engines.look(held);
  const viewOf = ({ tap }: AttachmentRecord): EngineView => views.get(tap) ?? { state: 'ended' };
  const isUsed = (record: AttachmentRecord): boolean => {
    const view = viewOf(record);
    return (
      isClaimed(record) || view.state === 'silent' || (view.state === 'answers' && view.guests.length > 0)
    );
  };
  return {
    inUse: held.filter(isUsed).map((record) => useOf(record, viewOf(record))),
    endIdle: async () => {
      const idle = held.filter((record) => !isUsed(record));
      for (const record of idle) await engines.end(record);
      return idle.map(({ tap }) => ({ what: 'engine', on: tap }));
    },
  };
}

function useOf({ tap, vm, claim }: AttachmentRecord, view: EngineView): TapInUse {
  const guests = view.state === 'answers' ? view.guests.map(({ pid }) => pid) : [];
  const pids = guests.length > 0 || claim === null ? guests : [claim.pid];
  return { tap, vm, pins: tap, closed: isClosed(view), pids, why: 'is on a userspace engine' };
}

function isClosed(view: EngineView): boolean {
  return (
    view.state === 'ended' || view.state === 'starting' || (view.state === 'answers' && view.policy === null)
  );
}

async function close(record: AttachmentRecord, view: EngineView, engines: EngineKeeper): Promise<void> {
  if (view.state !== 'answers') return engines.end(record);
  const { hasPolicy } = await engines.control(record.tap).deny();
  if (!hasPolicy) return;
  throw new VmnError('VMN_READ_BACK', { attempted: 'close the userspace engine', on: record.tap });
}
