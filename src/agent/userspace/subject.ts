import { VmnError } from '../../lib/errors.ts';
import { natPolicyHash } from '../../native/nat-control-abi.ts';
import { encodePolicy } from '../../native/policy-abi.ts';
import type { Policy } from '../../native/policy-abi.ts';
import { act } from '../attachment/act.ts';
import type { Outcome } from '../attachment/act.ts';
import { listRecords } from '../attachment/observe.ts';
import type { Action } from '../attachment/plan.ts';
import type { RoundPorts, RoundSubject } from '../attachment/rounds.ts';
import { isClaimAlive } from '../wiring/closed-tap.ts';
import type { AttachmentRecord, RecordState } from '../wiring/record.ts';
import { forgetEngine } from './end-engine.ts';
import type { EngineKeeper } from './engines.ts';
import { enginePlaceOf } from './engine-place.ts';
import type { EngineView } from './engine-view.ts';
import { observedEngine } from './observe.ts';
import { planEngine } from './plan.ts';

interface EngineHost {
  readonly records: ReadonlyMap<string, RecordState>;
  readonly engines: ReadonlyMap<string, EngineView>;
}

/** The VMs on userspace engines, as rounds are made over them. */
export function userspaceEngines(ports: RoundPorts, engines: EngineKeeper): RoundSubject<EngineHost> {
  const { kernel, records, paths } = ports;
  return {
    observeHost: async () => {
      const { records: found } = listRecords(records);
      return { records: found, engines: await engines.look(withEngine(found)) };
    },
    observe: (tap, host) => {
      const record = host.records.get(tap) ?? { state: 'absent' };
      const isClaimed = record.state === 'ok' && isClaimAlive(kernel, record.record.claim);
      return observedEngine(tap, record, host.engines.get(tap), isClaimed);
    },
    plan: (_tap, desired, observed, context) => planEngine(desired, observed, context),
    place: (tap) => ({ pinDir: enginePlaceOf(paths, tap).control, tap, record: tap }),
    act: (action, place, { record }) => {
      if (record.state !== 'ok') throw new TypeError('an engine without a record');
      return actOn(record.record, action, ports, engines) ?? act(action, place, ports, paths);
    },
  };
}

/** The records of VMs that have an engine. */
export function withEngine(records: ReadonlyMap<string, RecordState>): AttachmentRecord[] {
  return [...records.values()].flatMap((state) =>
    state.state === 'ok' && state.record.engine !== undefined ? [state.record] : [],
  );
}

/** Null: it is nothing that concerns the engine. */
function actOn(
  record: AttachmentRecord,
  action: Action,
  ports: RoundPorts,
  engines: EngineKeeper,
): Promise<Outcome> | null {
  switch (action.kind) {
    case 'write-policy':
      return writePolicy(record.tap, action.policy, engines);
    case 'end-engine':
      return engines.end(record).then(() => 'done');
    case 'release-engine':
      return release(record, ports, engines);
    case 'note-network':
    case 'note-violations':
    case 'end-vm':
      return null;
    default:
      throw new TypeError(`${action.kind} is nothing that is done to an engine`);
  }
}

/** The engine says what is in force now, secret included: it must be this policy and no other. */
async function writePolicy(tap: string, policy: Policy | null, engines: EngineKeeper): Promise<Outcome> {
  const control = engines.control(tap);
  const bytes = policy === null ? null : encodePolicy(policy);
  const { hasPolicy, policyHash } = await (bytes === null ? control.deny() : control.setPolicy(bytes));
  const isInForce = bytes === null ? !hasPolicy : policyHash === natPolicyHash(bytes);
  if (isInForce) return 'done';
  const cause = new Error('the userspace engine says that another policy is in force');
  throw new VmnError('VMN_READ_BACK', { attempted: 'write the policy', on: tap, cause });
}

/** First the process: a record without one would be a VM that may have a tap. */
async function release(record: AttachmentRecord, ports: RoundPorts, engines: EngineKeeper): Promise<Outcome> {
  const { paths } = ports;
  await engines.end(record);
  const forget = (): boolean => ports.withStateLock(() => forgetEngine(record, paths, ports));
  return (await ports.whenStateLockIsFree(forget)) ? 'done' : 'in-use';
}
