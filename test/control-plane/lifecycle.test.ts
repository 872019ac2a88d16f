/** A network goes only when its hosts have closed; and what somebody else does to its objects is put right. */
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { needsControlPlane, type FaultProxy, type SeenRequest } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  ATTACHMENTS,
  conditionOf,
  machine,
  NETWORKS,
  Stage,
  VM_NODES,
  type Attachment,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const FINALIZER = 'vmnetwork.io/closed';
/** How long an idle controller is watched for writes. */
const IDLE_MS = 5000;

const LEASE_SECONDS = 5;

const needs = needsControlPlane('kubectl', 'helm');
const { describe, test } = requires(needs);

let stage: Stage;
let proxy: FaultProxy;
const agents: ScriptedAgent[] = [];

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  proxy = await stage.plane.faultProxy();
  await stage.controller({
    kubeconfig: await stage.controllerKubeconfig(proxy.url),
    flags: [`--lease-seconds=${String(LEASE_SECONDS)}`],
  });
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(async () => {
  expect(stage.refusals).toEqual([]);
  expect(stage.witness.doubles).toEqual([]);
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

const gone = (object: unknown): boolean => object === null;

/** A ready network with one VM, and its agent. */
async function readyNetwork(): Promise<{
  namespace: string;
  agent: ScriptedAgent;
  attachment: Attachment;
  place: { namespace: string; name: string };
}> {
  const namespace = await stage.namespace();
  const vm = machine(stage.name('vm'));
  const agent = await stage.agent({ machines: [vm] });
  agents.push(agent);
  await stage.network(namespace, 'net', { selector: { names: [vm.name] } });
  await stage.untilReady(namespace, 'net');
  const [attachment] = await stage.attachments(namespace, 'net');
  return { namespace, agent, attachment: attachment!, place: { namespace, name: attachment!.metadata.name } };
}

describe('deleting a network', () => {
  test('waits until the host says that the VM reaches nothing any more', async () => {
    const { namespace, agent, attachment, place } = await readyNetwork();
    agent.behave({ answers: false });
    await stage.remove(namespace, 'net');
    await stage.until<Attachment>('the attachment to be deleted', ATTACHMENTS, place, (one) => {
      return one?.metadata.deletionTimestamp !== undefined;
    });
    const waiting = await stage.admin.get<Network>(NETWORKS, { namespace, name: 'net' });
    expect(waiting.metadata.finalizers).toEqual([FINALIZER]);
    const shown = await stage.plane.mustKubectl(['get', 'vmnetwork', '-n', namespace]);
    expect(shown).toContain('net');

    agent.behave({ answers: true });
    await stage.until<Network>('the network to be gone', NETWORKS, { namespace, name: 'net' }, gone);
    expect(await stage.attachments(namespace, 'net')).toEqual([]);
    const last = agent.attachments.get(`${namespace}/${attachment.metadata.name}`);
    expect(last).toBeUndefined();
  });

  test('of one whose VM has gone meanwhile needs no more than the word of its host', async () => {
    const { namespace, agent } = await readyNetwork();
    await agent.has([]);
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
    await stage.remove(namespace, 'net');
    await stage.until<Network>('the network to be gone', NETWORKS, { namespace, name: 'net' }, gone);
  });

  test('does not wait for a host that an administrator has declared gone', async () => {
    const { namespace, agent } = await readyNetwork();
    await agent.die();
    await stage.remove(namespace, 'net');
    await stage.untilAttachments(namespace, 'net', 'one that waits', ([one]) => {
      return one?.metadata.deletionTimestamp !== undefined;
    });
    await stage.admin.delete(VM_NODES, { name: agent.nodeName });
    await stage.until<Network>('the network to be gone', NETWORKS, { namespace, name: 'net' }, gone);
  });

  test('that never had a VM is a matter of a moment', async () => {
    const namespace = await stage.namespace();
    await stage.network(namespace, 'net', { selector: { names: [stage.name('absent')] } });
    await stage.untilCondition(namespace, 'net', 'Bound', 'False', 'NoMatch');
    await stage.plane.mustKubectl(['delete', 'vmnetwork', 'net', '-n', namespace, '--timeout=10s']);
  });

  test('and making it anew under its name closes the VM in between', async () => {
    const { namespace, attachment, agent } = await readyNetwork();
    const former = await stage.admin.get<Network>(NETWORKS, { namespace, name: 'net' });
    agent.behave({ delayMs: 300 });
    await stage.remove(namespace, 'net');
    await stage.until<Network>('the network to be gone', NETWORKS, { namespace, name: 'net' }, gone);
    const made = await stage.network(namespace, 'net', { selector: former.spec['selector'] as never });
    await stage.untilReady(namespace, 'net');
    const [next] = await stage.attachments(namespace, 'net');
    expect(next?.metadata.name).toBe(attachment.metadata.name);
    expect(next?.metadata.uid).not.toBe(attachment.metadata.uid);
    expect(next?.metadata.ownerReferences?.[0]?.uid).toBe(made.metadata.uid);
  });
});

test('a VM that was started anew keeps its attachment, whatever its host calls the card now', async () => {
  const { namespace, agent, attachment, place } = await readyNetwork();
  const vm = machine(attachment.spec.vm.name);
  expect(attachment.spec.interface).toEqual({ mac: vm.interfaces[0]!.mac });
  await agent.has([{ ...vm, interfaces: vm.interfaces.map((card) => ({ ...card, name: 'vnet7' })) }]);
  const now = await stage.until<Attachment>('its new name', ATTACHMENTS, place, (one) => {
    return one?.status?.interface?.name === 'vnet7';
  });
  expect(now?.metadata.uid).toBe(attachment.metadata.uid);
  expect(now?.metadata.generation).toBe(attachment.metadata.generation);
  await stage.untilReady(namespace, 'net');
});

describe('what others do', () => {
  test('a tenant who strips the finalizer gets rid of the network, never of the closing', async () => {
    const { namespace, agent, attachment, place } = await readyNetwork();
    agent.behave({ answers: false });
    await stage.remove(namespace, 'net');
    await stage.admin.mergePatch(NETWORKS, { namespace, name: 'net' }, { metadata: { finalizers: null } });
    await stage.until<Network>('the network to be gone', NETWORKS, { namespace, name: 'net' }, gone);
    const orphan = await stage.until<Attachment>(
      'the attachment to be deleted',
      ATTACHMENTS,
      place,
      (one) => {
        return one?.metadata.deletionTimestamp !== undefined;
      },
    );
    expect(orphan?.metadata.finalizers).toEqual([FINALIZER]);

    // Who comes next has to wait for the host all the same.
    await stage.network(namespace, 'next', { selector: { names: [attachment.spec.vm.name] } });
    await stage.untilCondition(namespace, 'next', 'Accepted', 'True');
    expect(await stage.attachments(namespace, 'next')).toEqual([]);
    agent.behave({ answers: true });
    await stage.untilReady(namespace, 'next');
  });

  test('a finalizer that was stripped from a living network comes back', async () => {
    const { namespace } = await readyNetwork();
    await stage.admin.mergePatch(NETWORKS, { namespace, name: 'net' }, { metadata: { finalizers: null } });
    await stage.until<Network>('the finalizer', NETWORKS, { namespace, name: 'net' }, (network) => {
      return network?.metadata.finalizers?.includes(FINALIZER) === true;
    });
  });

  test('a status edited by hand is put right', async () => {
    const { namespace, agent } = await readyNetwork();
    agent.behave({ programs: false });
    const honest = await stage.untilCondition(namespace, 'net', 'Ready', 'False');
    const conditions = honest.status!.conditions!.map((one) => ({ ...one, status: 'True', reason: 'Trust' }));
    const lie = { ...honest.status, conditions, attachments: { desired: 9, enforced: 9, summary: '9/9' } };
    const status = { namespace, name: 'net', subresource: 'status' } as const;
    await stage.admin.mergePatch(NETWORKS, status, { status: lie });
    const righted = await stage.untilCondition(namespace, 'net', 'Ready', 'False');
    expect(conditionOf(righted, 'Enforced')?.status).not.toBe('True');
    expect(righted.status?.attachments).toMatchObject({ desired: 1, enforced: 0 });

    await stage.admin.mergePatch(NETWORKS, status, { status: null });
    const again = await stage.untilCondition(namespace, 'net', 'Programmed', 'False');
    expect(again.status?.attachments).toMatchObject({ desired: 1 });
  });

  test('a policy edited by hand is put right', async () => {
    const { namespace, attachment, place } = await readyNetwork();
    const { policy, policyGeneration, hash } = attachment.spec;
    const elsewhere = { address: '198.51.100.66', port: 1194 };
    const spec = {
      policy: { ...policy, consumerEndpoint: elsewhere },
      policyGeneration: policyGeneration + 1,
    };
    // The guardrail for writers lets an administrator through.
    const edited = await stage.admin.mergePatch<Attachment>(ATTACHMENTS, place, { spec });
    const righted = await stage.until<Attachment>('the policy of the network', ATTACHMENTS, place, (one) => {
      return one?.spec.policy.consumerEndpoint?.address === policy.consumerEndpoint?.address;
    });
    expect(righted?.spec.hash).toBe(hash);
    expect(righted?.spec.policyGeneration).toBeGreaterThan(edited.spec.policyGeneration);
    // A wrong turn is not a change of the consumer's address: nothing of it stays allowed.
    expect(righted?.spec.policy.previousEndpoint).toBeUndefined();
    await stage.untilReady(namespace, 'net');
  });

  test('an attachment deleted by hand is closed, and made anew', async () => {
    const { namespace, attachment, place } = await readyNetwork();
    await stage.admin.delete(ATTACHMENTS, place);
    const next = await stage.until<Attachment>('another attachment', ATTACHMENTS, place, (one) => {
      return one !== null && one.metadata.uid !== attachment.metadata.uid;
    });
    expect(next?.metadata.finalizers).toEqual([FINALIZER]);
    await stage.untilReady(namespace, 'net');
  });

  test('an attachment that belongs to no network is closed and removed', async () => {
    const { namespace, attachment, agent } = await readyNetwork();
    const vm = machine(stage.name('vm'));
    await agent.has([machine(attachment.spec.vm.name), vm]);
    const name = `stray-${'0'.repeat(10)}`;
    const spec = {
      ...attachment.spec,
      vm: { id: vm.id, name: vm.name },
      interface: { mac: vm.interfaces[0]!.mac },
      policy: { ...attachment.spec.policy, network: 'stray' },
    };
    const stray = {
      apiVersion: 'vmnetwork.io/v1alpha1',
      kind: 'VMNetworkAttachment',
      metadata: { name, namespace },
    };
    await stage.admin.create<Attachment>(ATTACHMENTS, { ...stray, spec });
    await stage.until<Attachment>('the stray to be gone', ATTACHMENTS, { namespace, name }, gone);
  });
});

describe('at rest', () => {
  test('nothing is written, and hardly anything asked', async () => {
    const { namespace, place } = await readyNetwork();
    await stage.network(namespace, 'waiting', { selector: { names: [stage.name('absent')] } });
    await stage.network(namespace, 'refused', { selector: { names: ['x'] }, className: 'not-there' });
    await stage.untilCondition(namespace, 'waiting', 'Bound', 'False');
    await stage.untilCondition(namespace, 'refused', 'Accepted', 'False');
    const versions = async (): Promise<(string | undefined)[]> => {
      const networks = await stage.admin.list<Network>(NETWORKS);
      const attachment = await stage.admin.get<Attachment>(ATTACHMENTS, place);
      return [...networks.items, attachment].map(({ metadata }) => metadata.resourceVersion);
    };
    // Events may still be on their way.
    const asked = (sinceMs: number): SeenRequest[] =>
      proxy.requests.filter(({ atMs, resource }) => atMs >= sinceMs && resource !== 'leases');
    await poll('one quiet second', () => asked(performance.now() - 1000).length === 0);

    const before = await versions();
    const since = performance.now();
    await poll('the idle time', () => performance.now() - since > IDLE_MS, { deadlineMs: 2 * IDLE_MS });
    expect(asked(since).map(({ verb, path }) => `${verb} ${path}`)).toEqual([]);
    expect(await versions()).toEqual(before);
    // The Lease of the leader is all that moves: renewed a few times in its length.
    const renewals = proxy.requests.filter(({ atMs, resource }) => atMs >= since && resource === 'leases');
    expect(renewals.length).toBeGreaterThan(0);
    expect(renewals.length).toBeLessThanOrEqual(12 * Math.ceil(IDLE_MS / 1000 / LEASE_SECONDS));
  });
});
