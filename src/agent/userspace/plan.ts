import { ERRORS } from '../../lib/errors.ts';
import type { DesiredAttachment } from '../attachment/desired.ts';
import { isInUse } from '../attachment/observed.ts';
import type { ObservedAttachment } from '../attachment/observed.ts';
import { enforce, NOTHING } from '../attachment/plan.ts';
import type { Blocked, Plan, PlanContext } from '../attachment/plan.ts';

/*
 * Theory of operation
 *
 * `vmnetctl run --engine userspace` starts vmn-nat, notes its process in the record, and starts QEMU on its socket. From then on the
 * agent is who decides what it lets pass, as it does of a tap, and reads it back:
 *
 *   about to be started            -> nothing                                   nothing passes yet
 *   it answers, as it should       -> enforce(), the plan of every attachment   Enforced | Denied
 *   it answers, and is not confined-> write-policy(null), end-engine            EngineLost
 *   it is silent                   -> end-engine, unless the last wish of the   EngineLost
 *                                     same network may go on
 *   it has ended                   -> nothing: the VM has no network            EngineLost
 *   nobody claims it, no VM has it -> release-engine: it ends, and the record forgets it; the VM is one without a tap from then on
 *
 * Nothing here starts an engine. QEMU does not connect anew to a stream that has ended (before 8.0), so another engine would serve
 * nobody: the VM stays closed until it is started anew. An agent that starts finds the engine by its record; there is nothing else to
 * adopt, for policy, confinement and process are read back at every look.
 */

/** Pure. */
export function planEngine(
  desired: DesiredAttachment,
  observed: ObservedAttachment,
  context: PlanContext,
): Plan {
  const { engine, record } = observed;
  if (engine === undefined || record.state !== 'ok') return NOTHING;
  // Whether a VM has a silent one is not known.
  if (!isInUse(observed) && engine.state !== 'silent')
    return { ...NOTHING, actions: [{ kind: 'release-engine' }] };
  switch (engine.state) {
    case 'starting':
      return { ...NOTHING, blocked: lost('the userspace engine is being started') };
    case 'ended':
      return {
        ...NOTHING,
        blocked: lost('the userspace engine has ended: the VM has no network until it is started anew'),
      };
    case 'silent': {
      const blocked = lost(`the userspace engine cannot be read back: ${engine.why}`);
      return {
        ...NOTHING,
        blocked,
        actions: mayGoOn(desired, record.record.network) ? [] : [{ kind: 'end-engine' }],
      };
    }
    case 'answers': {
      if (engine.fault !== null) {
        const blocked = lost(`the userspace engine is not confined as it must be: ${engine.fault}`);
        return { ...NOTHING, blocked, actions: [{ kind: 'end-engine' }] };
      }
      const intent = desired.want === 'program' ? desired.intent : null;
      // The guard is for what passes the host's kernel by a tap.
      return enforce(intent, observed, record.record, 0, { ...context, guarded: true });
    }
  }
}

/** What it may let pass yet is an older wish of the network that holds the VM. */
function mayGoOn(desired: DesiredAttachment, network: string | null): boolean {
  return desired.want === 'program' && !desired.intent.quarantined && desired.intent.network === network;
}

function lost(message: string): Blocked {
  return { code: 'VMN_NAT_UNREACHABLE', message, remedy: ERRORS.VMN_NAT_UNREACHABLE.remedy };
}
