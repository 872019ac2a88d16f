/** Two networks that want one VM: who has it keeps it, else the older gets it, the other is told, and nobody ever has it twice. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  ATTACHMENTS,
  conditionOf,
  machine,
  NETWORKS,
  Stage,
  uuidOf,
  type Attachment,
  type Machine,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
const agents: ScriptedAgent[] = [];

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  await stage.controller();
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(async () => {
  expect(stage.refusals).toEqual([]);
  expect(stage.witness.doubles).toEqual([]);
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

/** A VM of a name of its own on a host of its own. */
async function vmOnHost(
  cards = 1,
): Promise<{ vm: Machine; agent: ScriptedAgent; selector: { names: string[] } }> {
  const vm = machine(stage.name('vm'), { cards });
  const agent = await stage.agent({ machines: [vm] });
  agents.push(agent);
  return { vm, agent, selector: { names: [vm.name] } };
}

const gone = (object: unknown): boolean => object === null;

/** When each attachment of a network was first and last there, by the order of writes that the witness saw. */
function lifeOf(key: string): { born: number; dead: number } {
  const at = (type: string): number =>
    stage.witness.seen.findIndex((line) => line.startsWith(`${type} ${key} `));
  return { born: at('ADDED'), dead: at('DELETED') };
}

describe('of two networks that match one VM', () => {
  test('the older keeps it; the younger says so, and takes over once the older is gone and its host has closed', async () => {
    const namespace = await stage.namespace();
    const { selector } = await vmOnHost(2);
    // The name of the older sorts last, so that it is age that decides.
    await stage.network(namespace, 'z-older', { selector });
    await stage.untilReady(namespace, 'z-older');
    await stage.nextSecond();
    await stage.network(namespace, 'a-younger', { selector });
    const refused = await stage.untilCondition(namespace, 'a-younger', 'Bound', 'False', 'Conflict');
    expect(conditionOf(refused, 'Bound')?.message).toContain('z-older');
    expect(conditionOf(refused, 'Ready')?.status).toBe('False');
    expect(conditionOf(refused, 'Accepted')?.status).toBe('True');
    expect(await stage.attachments(namespace, 'a-younger')).toEqual([]);
    const older = await stage.untilReady(namespace, 'z-older');
    expect(conditionOf(older, 'Bound')?.status).toBe('True');

    const before = await stage.attachments(namespace, 'z-older');
    await stage.remove(namespace, 'z-older');
    await stage.untilReady(namespace, 'a-younger');
    const after = await stage.attachments(namespace, 'a-younger');
    expect(after).toHaveLength(2);
    for (const { metadata, spec } of after) {
      const former = before.find((one) => one.spec.interface.mac === spec.interface.mac);
      const closed = lifeOf(`${namespace}/${former!.metadata.name}`).dead;
      expect(closed).toBeGreaterThan(-1);
      expect(lifeOf(`${namespace}/${metadata.name}`).born).toBeGreaterThan(closed);
      expect(spec.policy.previousEndpoint).toBeUndefined();
    }
  });

  test('the younger waits for as long as the host of the older says nothing', async () => {
    const namespace = await stage.namespace();
    const { selector, agent } = await vmOnHost();
    await stage.network(namespace, 'older', { selector });
    await stage.untilReady(namespace, 'older');
    await stage.nextSecond();
    await stage.network(namespace, 'younger', { selector });
    await stage.untilCondition(namespace, 'younger', 'Bound', 'False', 'Conflict');

    agent.behave({ releases: false });
    await stage.remove(namespace, 'older');
    await stage.untilAttachments(namespace, 'older', 'an answered farewell', ([one]) => {
      return conditionOf(one, 'Enforced')?.status === 'False';
    });
    // Something else that the controller does after it has seen that answer.
    const other = await vmOnHost();
    await stage.network(namespace, 'other', { selector: other.selector });
    await stage.untilReady(namespace, 'other');
    expect(await stage.attachments(namespace, 'younger')).toEqual([]);
    const deleting = await stage.admin.get<Network>(NETWORKS, { namespace, name: 'older' });
    expect(deleting.metadata.finalizers).toEqual(['vmnetwork.io/closed']);

    agent.behave({ releases: true });
    await stage.untilReady(namespace, 'younger');
    expect(await stage.admin.find(NETWORKS, { namespace, name: 'older' })).toBeNull();
  });

  test('of the same second, the first by namespace and name has it', async () => {
    const namespace = await stage.namespace();
    await stage.nextSecond();
    const names = ['c', 'a', 'b'];
    const vmName = stage.name('vm');
    const selector = { names: [vmName] };
    const made = await Promise.all(names.map((name) => stage.network(namespace, name, { selector })));
    const first = [...made].sort((left, right) => {
      const [one, other] = [left, right].map(
        ({ metadata }) => `${metadata.creationTimestamp!} ${metadata.name}`,
      );
      return one! < other! ? -1 : 1;
    })[0]!;
    agents.push(await stage.agent({ machines: [machine(vmName)] }));
    await stage.untilReady(namespace, first.metadata.name);
    for (const name of names.filter((one) => one !== first.metadata.name)) {
      await stage.untilCondition(namespace, name, 'Bound', 'False', 'Conflict');
      expect(await stage.attachments(namespace, name)).toEqual([]);
    }
  });

  test('the younger keeps what nobody else wants', async () => {
    const namespace = await stage.namespace();
    const labels = { rack: stage.name('rack') };
    const [wanted, free] = [machine(stage.name('vm'), { labels }), machine(stage.name('vm'), { labels })];
    agents.push(await stage.agent({ machines: [wanted, free] }));
    await stage.network(namespace, 'older', { selector: { names: [wanted.name] } });
    await stage.untilReady(namespace, 'older');
    await stage.nextSecond();
    await stage.network(namespace, 'younger', { selector: { matchLabels: labels } });
    await stage.untilCondition(namespace, 'younger', 'Bound', 'False', 'Conflict');
    const attached = (await stage.attachments(namespace, 'younger')).map(({ spec }) => spec.vm.name);
    expect(attached).not.toContain(wanted.name);
    expect((await stage.attachments(namespace, 'older')).map(({ spec }) => spec.vm.name)).toEqual([
      wanted.name,
    ]);
  });

  test('a network of another tenant is not named', async () => {
    const [mine, theirs] = [await stage.namespace('mine'), await stage.namespace('secret-tenant')];
    const { selector } = await vmOnHost();
    await stage.network(theirs, 'secret-network', { selector });
    await stage.untilReady(theirs, 'secret-network');
    await stage.nextSecond();
    await stage.network(mine, 'net', { selector });
    const refused = await stage.untilCondition(mine, 'net', 'Bound', 'False', 'Conflict');
    expect(JSON.stringify(refused.status)).not.toMatch(/secret/);
    const events = await stage.admin.ask<{ items: object[] }>(
      'GET',
      `/apis/events.k8s.io/v1/namespaces/${mine}/events`,
    );
    expect(JSON.stringify(events.items)).not.toMatch(/secret/);
  });

  test('an older one that is refused keeps its claim: the VM is denied, not passed on', async () => {
    const namespace = await stage.namespace();
    const { selector } = await vmOnHost();
    await stage.network(namespace, 'older', { selector, className: 'not-there' });
    await stage.untilCondition(namespace, 'older', 'Accepted', 'False', 'ClassNotFound');
    await stage.nextSecond();
    await stage.network(namespace, 'younger', { selector });
    await stage.untilCondition(namespace, 'younger', 'Bound', 'False', 'Conflict');
    expect(await stage.attachments(namespace, 'younger')).toEqual([]);
    expect(await stage.attachments(namespace, 'older')).toEqual([]);
  });

  test('an older one that comes to select a VM which the younger has does not get it until that one is gone', async () => {
    const namespace = await stage.namespace();
    const { selector, vm } = await vmOnHost();
    await stage.network(namespace, 'older', { selector: { names: [stage.name('absent')] } });
    await stage.nextSecond();
    await stage.network(namespace, 'younger', { selector });
    await stage.untilReady(namespace, 'younger');
    const [held] = await stage.attachments(namespace, 'younger');

    await stage.edit(namespace, 'older', { selector });
    const refused = await stage.untilCondition(namespace, 'older', 'Bound', 'False', 'Conflict');
    expect(conditionOf(refused, 'Bound')?.message).toContain('younger, which holds it or is older');
    expect(conditionOf(refused, 'Ready')?.status).toBe('False');
    expect(await stage.attachments(namespace, 'older')).toEqual([]);
    // The very same attachment, and nobody touched it.
    const [kept] = await stage.attachments(namespace, 'younger');
    expect(kept?.metadata).toMatchObject({ uid: held?.metadata.uid, generation: held?.metadata.generation });
    const younger = await stage.untilReady(namespace, 'younger');
    expect(conditionOf(younger, 'Bound')?.status).toBe('True');

    await stage.remove(namespace, 'younger');
    await stage.untilReady(namespace, 'older');
    const [attachment] = await stage.attachments(namespace, 'older');
    expect(attachment?.spec.vm.name).toBe(vm.name);
    const closed = lifeOf(`${namespace}/${held!.metadata.name}`).dead;
    expect(lifeOf(`${namespace}/${attachment!.metadata.name}`).born).toBeGreaterThan(closed);
  });

  test('one that lets go of a VM hands it over, and does not get it back', async () => {
    const namespace = await stage.namespace();
    const { selector } = await vmOnHost();
    await stage.network(namespace, 'older', { selector });
    await stage.untilReady(namespace, 'older');
    await stage.nextSecond();
    await stage.network(namespace, 'younger', { selector });
    await stage.untilCondition(namespace, 'younger', 'Bound', 'False', 'Conflict');

    await stage.edit(namespace, 'older', { selector: { names: [stage.name('absent')] } });
    await stage.untilReady(namespace, 'younger');
    await stage.edit(namespace, 'older', { selector });
    await stage.untilCondition(namespace, 'older', 'Bound', 'False', 'Conflict');
    await stage.untilReady(namespace, 'younger');
    expect(await stage.attachments(namespace, 'older')).toEqual([]);
  });

  test('a VM that migrates stays with the one that has it', async () => {
    const namespace = await stage.namespace();
    const vm = machine(stage.name('vm'), { uuid: uuidOf(stage.name('uuid')) });
    const [from, to] = await Promise.all([stage.agent({ machines: [vm] }), stage.agent()]);
    agents.push(from, to);
    await stage.network(namespace, 'older', { selector: { names: [stage.name('absent')] } });
    await stage.nextSecond();
    await stage.network(namespace, 'younger', { selector: { names: [vm.name] } });
    await stage.untilReady(namespace, 'younger');
    await stage.edit(namespace, 'older', { selector: { names: [vm.name] } });
    await stage.untilCondition(namespace, 'older', 'Bound', 'False', 'Conflict');

    await to.has([vm]);
    await stage.untilAttachments(namespace, 'younger', 'one on each host', (all) => all.length === 2);
    await from.has([machine(stage.name('vm'))]);
    const [left] = await stage.untilAttachments(namespace, 'younger', 'one', (all) => all.length === 1);
    expect(left?.spec.nodeName).toBe(to.nodeName);
    await stage.untilReady(namespace, 'younger');
    expect(await stage.attachments(namespace, 'older')).toEqual([]);
  });

  test('by a label, neither is told which VMs the other tenant has', async () => {
    const [mine, theirs] = [await stage.namespace('mine'), await stage.namespace('theirs')];
    const labels = { rack: stage.name('rack') };
    const names = ['secret-1', 'secret-2'].map((name) => stage.name(name));
    const agent = await stage.agent({
      nodeName: stage.name('secret-host'),
      machines: names.map((name) => machine(name, { labels })),
    });
    agents.push(agent);
    await stage.network(theirs, 'net', { selector: { names } });
    await stage.untilReady(theirs, 'net');
    await stage.nextSecond();
    await stage.network(mine, 'net', { selector: { matchLabels: labels } });
    const refused = await stage.untilCondition(mine, 'net', 'Bound', 'False', 'Conflict');
    expect(conditionOf(refused, 'Bound')?.message).toContain('2 of the VMs');
    expect(JSON.stringify(refused.status)).not.toMatch(/secret/);
  });

  test('ten of them, deleted one after the other, never have it at the same time', async () => {
    const namespace = await stage.namespace();
    const { selector } = await vmOnHost();
    const names = Array.from({ length: 10 }, (_, index) => `net-${String(index)}`);
    for (const name of names) await stage.network(namespace, name, { selector });
    for (const name of names) {
      await stage.remove(namespace, name);
      await stage.until<Network>(`${name} to be gone`, NETWORKS, { namespace, name }, gone);
    }
    const { items } = await stage.admin.list<Attachment>(ATTACHMENTS, { namespace });
    expect(items).toEqual([]);
  });
});
