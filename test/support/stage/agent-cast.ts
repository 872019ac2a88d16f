import type { AgentStatus } from '../../../src/agent/status/status.ts';
import { CAST, type Cast } from '../frames/cast.ts';
import type { Destination } from '../frames/policy-bytes.ts';
import { attachmentOf } from './agent-process.ts';

/** A cast whose guest is the VM of a running agent. */
export interface RealCast extends Cast {
  tap: string;
}

/** Who plays, as the agent's status tells it. */
export function castOf(status: AgentStatus, vm: string, endpoint: Destination): RealCast {
  const attachment = attachmentOf(status, vm);
  if (attachment?.guestAddress == null)
    throw new Error(`no guest address of ${vm} in ${JSON.stringify(status)}`);
  const { mac, guestAddress, gatewayAddress, gatewayMac, tap } = attachment;
  return { ...CAST, guestMac: mac, guestAddress, gatewayAddress, gatewayMac, endpoint, tap };
}
