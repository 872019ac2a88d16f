import { setTimeout as delay } from 'node:timers/promises';
import { isVmnError } from '../../lib/errors.ts';
import type { SeenAttachment, SeenStatus } from '../agent/agent-status.ts';

/** What became of the wait, to be told in one line. */
export type EnforcedState =
  | { readonly state: 'enforced'; readonly endpoint: string }
  /** As asked for, and the host does not hold every frame to it: modes Sampled and Audit. */
  | { readonly state: 'programmed'; readonly endpoint: string }
  | { readonly state: 'closed'; readonly why: string };

export interface WaitPorts {
  status(signal: AbortSignal): Promise<SeenStatus>;
  /** Folder that is suggested when no agent runs. */
  readonly manifests: string;
}

const POLL_INTERVAL_MS = 100;
/** An agent started by the line before this one needs about half a second until it answers. */
const AGENT_START_MS = 1500;

/**
 * Asks the agent until it reports the VM's policy as enforced, for at most `timeoutMs`. Never throws for an agent that
 * is missing or slow: the VM is closed then, which is safe, and the answer says why.
 */
export async function waitEnforced(
  vm: string,
  timeoutMs: number,
  ports: WaitPorts,
  signal: AbortSignal,
): Promise<EnforcedState> {
  const deadline = performance.now() + timeoutMs;
  const agentDeadline = performance.now() + Math.min(timeoutMs, AGENT_START_MS);
  for (;;) {
    const answer = await look(vm, ports, signal);
    const final =
      answer.state !== 'closed' || performance.now() >= (answer.noAgent ? agentDeadline : deadline);
    if (final || signal.aborted) return answer;
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function look(
  vm: string,
  ports: WaitPorts,
  signal: AbortSignal,
): Promise<EnforcedState & { readonly noAgent: boolean }> {
  let status: SeenStatus;
  try {
    status = await ports.status(signal);
  } catch (error) {
    if (!isVmnError(error, 'VMN_AGENT_UNREACHABLE')) throw error;
    return {
      state: 'closed',
      noAgent: true,
      why: `no agent is running; start vmnet-agent --manifests ${ports.manifests}`,
    };
  }
  const attachment = status.attachments.find((item) => item.vm === vm);
  if (attachment?.state === 'Enforced' || attachment?.state === 'Programmed') {
    const state = attachment.state === 'Enforced' ? 'enforced' : 'programmed';
    return { state, noAgent: false, endpoint: endpointOf(attachment, status) };
  }
  return { state: 'closed', noAgent: false, why: closedBecause(vm, status, attachment) };
}

/** As the agent tells, which may have read a newer manifest than we did. */
function endpointOf(attachment: SeenAttachment, status: SeenStatus): string {
  const network = status.networks.find(
    ({ namespace, name }) => `${namespace}/${name}` === attachment.network,
  );
  return network?.endpoint ? `${network.endpoint.address}:${network.endpoint.port}` : 'its endpoint';
}

function closedBecause(vm: string, status: SeenStatus, attachment: SeenAttachment | undefined): string {
  if (attachment === undefined || attachment.network === null) {
    const { manifests } = status.agent;
    return manifests === null
      ? `the cluster has no VMNetworkAttachment for VM ${vm} yet; apply its VMNetwork`
      : `no VMNetwork in ${manifests} selects VM ${vm}; put the manifest there`;
  }
  return `${attachment.state}${attachment.message === '' ? '' : `: ${attachment.message}`}; see vmnetctl status`;
}
