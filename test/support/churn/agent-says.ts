import type { AgentProcess } from '../stage/agent-process.ts';

/** What the agent makes of the VMs, a line each, for the message of what failed. */
export async function agentSays(agent: AgentProcess): Promise<string> {
  if (!agent.running) return 'the agent ended';
  const status = await agent.status();
  if (status === null) return 'the agent does not answer';
  const lines = status.attachments.map(({ tap, vm, state, guestAddress, message }) =>
    [tap, vm, state, guestAddress ?? 'no address', message].join(' '),
  );
  return ['the agent has', ...lines].join('\n');
}
