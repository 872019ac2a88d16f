import { policyHash } from '../../native/policy-abi.ts';
import type { ObservedAttachment } from '../attachment/observed.ts';
import { policyOf } from '../attachment/observe.ts';
import type { ReadBack } from '../host/kernel.ts';
import type { RecordState } from '../wiring/record.ts';
import type { EngineView } from './engine-view.ts';

/**
 * A VM on an engine in the terms of all attachments: it has no link and no programs, and the policy is the one that the engine was
 * read to have. Pure. `engine` undefined: the record says no more that there is one.
 */
export function observedEngine(
  tap: string,
  record: RecordState,
  engine: EngineView | undefined,
  isClaimed: boolean,
): ObservedAttachment {
  const filter = filterOf(engine);
  const guests = engine?.state === 'answers' ? engine.guests : [];
  return {
    tap,
    record,
    ...(engine === undefined ? {} : { engine }),
    link: null,
    filter,
    fault: null,
    beside: { former: [], ours: [], foreign: [] },
    currentProgram: true,
    stagedReplacement: false,
    pinned: false,
    policy: policyOf(filter),
    tunnel: null,
    crossings: engine?.state === 'answers' ? Number(engine.status.crossings) : null,
    holders: guests,
    wrongSettings: [],
    routes: [],
    neighbours: [],
    claimed: isClaimed || guests.length > 0,
  };
}

/** What ended lets nothing pass. Of what cannot be asked nothing is known. */
function filterOf(engine: EngineView | undefined): ReadBack {
  const nothing = { fromVm: null, toVm: null, policy: null, policyHash: null };
  if (engine === undefined || engine.state === 'ended' || engine.state === 'starting')
    return { ...nothing, policyState: 'empty' };
  if (engine.state === 'silent') return { ...nothing, policyState: 'unknown' };
  const { policy } = engine;
  if (policy === null) return { ...nothing, policyState: 'empty' };
  return { ...nothing, policyState: 'set', policy, policyHash: policyHash(policy) };
}
