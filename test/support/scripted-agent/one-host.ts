import { machine } from './machine.ts';
import type { Attachment, Machine } from './objects.ts';
import type { ScriptedAgent } from './scripted-agent.ts';
import type { NetworkSpec, Stage } from './stage.ts';

/** A network `net` in a namespace of its own, ready, with the one card of the one VM of a host of its own. */
export interface OneHost {
  readonly namespace: string;
  readonly vm: Machine;
  readonly agent: ScriptedAgent;
  readonly attachment: Attachment;
  /** Of the attachment. */
  readonly place: { readonly namespace: string; readonly name: string };
}

export interface OneHostOptions {
  /** What the agent's Lease promises. */
  readonly leaseSeconds?: number;
  /** To become ready. */
  readonly deadlineMs?: number;
}

/** @param spec what differs from other tests' networks, without the selector */
export async function oneHost(
  stage: Stage,
  spec: Omit<Partial<NetworkSpec>, 'selector'> = {},
  { leaseSeconds, deadlineMs }: OneHostOptions = {},
): Promise<OneHost> {
  const namespace = await stage.namespace();
  const vm = machine(stage.name('vm'));
  const agent = await stage.agent({ machines: [vm], ...(leaseSeconds !== undefined && { leaseSeconds }) });
  await stage.network(namespace, 'net', { ...spec, selector: { names: [vm.name] } });
  await stage.untilReady(namespace, 'net', deadlineMs);
  const [attachment] = await stage.attachments(namespace, 'net');
  if (attachment === undefined) throw new Error(`${namespace}/net is ready and has no attachment`);
  return { namespace, vm, agent, attachment, place: { namespace, name: attachment.metadata.name } };
}
