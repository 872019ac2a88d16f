/** A VM that somebody else started, on a tap that somebody else made, in a cluster: the real API server, controller, agent and kernel. */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { readBack } from '../../src/native/filter-engine.ts';
import { poll } from '../support/lab/index.ts';
import type { Destination } from '../support/frames/policy-bytes.ts';
import type { ControllerProcess } from '../support/scripted-agent/controller-process.ts';
import { ATTACHMENTS, NETWORKS } from '../support/scripted-agent/kinds.ts';
import { conditionOf, type Attachment } from '../support/scripted-agent/objects.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { ClusterLab } from '../support/stage/cluster-lab.ts';
import { describe } from '../support/stage/cluster-needs.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, b, x } = RentalLab;
const FAR = { a, b, x };
const MAC = '52:54:00:cd:00:01';
const NAME = 'found-in-cluster';

describe('a VM that somebody else started, in a cluster', () => {
  let lab: ClusterLab;
  let agent: AgentProcess;
  let controller: ControllerProcess;
  let vm: FoundVm;
  let tenant: string;
  let counters: Record<keyof typeof FAR, PortCounter>;

  beforeAll(async () => {
    lab = await ClusterLab.open('cfound');
    const { host, consumerA, consumerB, internet } = lab.rental;
    counters = {
      a: await PortCounter.place(consumerA, 'eth0', {}),
      b: await PortCounter.place(consumerB, 'eth0', {}),
      x: await PortCounter.place(internet, 'eth0', {}),
    };
    tenant = await lab.stage.namespace();
    controller = await lab.stage.controller();
    agent = lab.startAgent(['--managed-interfaces', 'fnd*']);
    await agent.until('the first pass', () => true, 30_000);
    await host.run(['ip', 'link', 'add', 'br-found', 'up', 'type', 'bridge']);
    await makeTap(host, 'fnd0', 'br-found');
    vm = FoundVm.start(host, NAME, [{ tap: 'fnd0', mac: MAC }]);
  }, 120_000);
  afterAll(async () => {
    await vm?.kill();
    await lab?.close();
  }, 60_000);
  afterEach(() => {
    expect(lab.proxy.requests.filter(({ status }) => status === 403 || status === 422)).toEqual([]);
  });

  const pins = async (): Promise<string> => {
    const status = await agent.until('the tap', ({ attachments }) =>
      attachments.some(({ tap }) => tap === 'fnd0'),
    );
    return status.attachments.find(({ tap }) => tap === 'fnd0')!.pins;
  };
  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(lab.rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const policyState = async (): Promise<string> => {
    const folder = join(lab.rental.home.bpffs, await pins());
    return onHost(() => readBack(folder).policyState);
  };
  const reached = async (): Promise<Record<keyof typeof FAR, number>> => {
    const status = await agent.status();
    const guestAddress = status?.attachments.find(({ tap }) => tap === 'fnd0')?.guestAddress ?? '100.64.0.9';
    const before = await total();
    for (let round = 0; round < 10; round += 1)
      for (const [at, to] of Object.values<Destination>(FAR).entries())
        writeSync(vm.fd(), vm.datagram(guestAddress, to, 41_000 + at));
    const after = await total();
    return { a: after.a - before.a, b: after.b - before.b, x: after.x - before.x };
  };
  const total = async (): Promise<Record<keyof typeof FAR, number>> => {
    const count = async (counter: PortCounter): Promise<number> =>
      (await counter.seen())['all']?.packets ?? 0;
    return { a: await count(counters.a), b: await count(counters.b), x: await count(counters.x) };
  };
  const said = (attachment: Attachment | undefined, type: string): string => {
    const condition = conditionOf(attachment, type);
    return `${condition?.status ?? ''} ${condition?.reason ?? ''}`;
  };
  const untilSaid = (network: string, type: string, what: string): Promise<Attachment> =>
    lab.untilAttachment(tenant, network, `${type} to be ${what}`, (one) => said(one, type) === what);

  test('is reported with its card, and reaches nobody before a network names it', async () => {
    const node = await poll('the VM on its VMNetworkNode', async () => {
      const found = await lab.node();
      return found?.status?.virtualMachines?.some(({ name }) => name === NAME) === true ? found : null;
    });
    const reported = node.status?.virtualMachines?.find(({ name }) => name === NAME);
    expect(reported).toEqual({
      id: NAME,
      name: NAME,
      labels: {},
      interfaces: [{ mac: MAC, name: 'fnd0', engine: 'tcx' }],
    });
    expect(await policyState()).toBe('empty');
    expect(await reached()).toEqual({ a: 0, b: 0, x: 0 });
  }, 40_000);

  test('is bound by its network, Enforced by what was read back, and reaches its endpoint alone', async () => {
    await lab.network(tenant, NAME);
    await lab.stage.untilCondition(tenant, NAME, 'Enforced', 'True', 'Verified');
    await lab.stage.untilReady(tenant, NAME);
    const attachment = await lab.attachmentOf(tenant, NAME);
    expect(attachment?.status).toMatchObject({
      engine: 'tcx',
      interface: { name: 'fnd0' },
      exposureMilliseconds: expect.any(Number),
      enforced: { policyHash: attachment?.spec.hash },
    });
    expect(await reached()).toEqual({ a: 10, b: 0, x: 0 });
  }, 40_000);

  test('a second attachment for its card: both denied', async () => {
    // It would remove the rival.
    await controller.end('SIGKILL');
    const attachment = (await lab.attachmentOf(tenant, NAME))!;
    const rival = { ...attachment, metadata: { name: 'rival', namespace: tenant } };
    const made = await lab.stage.admin.create<Attachment>(ATTACHMENTS, rival);
    await untilSaid(NAME, 'Programmed', 'False Conflict');
    expect(await policyState()).toBe('empty');
    expect((await reached()).a).toBe(0);
    await lab.stage.admin.delete(ATTACHMENTS, { name: made.metadata.name, namespace: tenant });
    await untilSaid(NAME, 'Enforced', 'True Verified');
    lab.stage.witness.doubles.splice(0);
    controller = await lab.stage.controller();
    await lab.stage.untilReady(tenant, NAME, 30_000);
  }, 60_000);

  test('its agent is killed and another starts: nothing is attached anew, and status says what it did', async () => {
    const before = (await lab.attachmentOf(tenant, NAME))?.status as Exposed;
    const folder = join(lab.rental.home.bpffs, await pins());
    const links = (): unknown =>
      onHost(() => [readBack(folder).fromVm?.linkId, readBack(folder).toVm?.linkId]);
    const linkIds = links();
    await agent.end('SIGKILL');
    agent = lab.startAgent(['--managed-interfaces', 'fnd*']);
    await agent.until('it to be enforced again', ({ attachments }) =>
      attachments.some(({ tap, state }) => tap === 'fnd0' && state === 'Enforced'),
    );
    expect(links()).toEqual(linkIds);
    expect(await reached()).toEqual({ a: 10, b: 0, x: 0 });
    const after = (await lab.attachmentOf(tenant, NAME))?.status as Exposed;
    expect(after.exposureMilliseconds).toBe(before.exposureMilliseconds);
  }, 40_000);

  test('its network is deleted while it runs: denied, read back, and only then let go', async () => {
    await lab.stage.remove(tenant, NAME);
    await lab.stage.until(
      'the end of the network',
      NETWORKS,
      { namespace: tenant, name: NAME },
      (one) => one === null,
    );
    expect(await policyState()).toBe('empty');
    expect(await reached()).toEqual({ a: 0, b: 0, x: 0 });
  }, 40_000);

  test('it ends: its attachment goes, its interface stays closed, its address is given up', async () => {
    await lab.network(tenant, 'again', { selector: { names: [NAME] }, consumerEndpoint: b });
    await lab.stage.untilReady(tenant, 'again');
    await vm.kill();
    await lab.stage.untilAttachments(tenant, 'again', 'their end', (all) => all.length === 0, 30_000);
    await poll('the interface to be closed', async () => (await policyState()) === 'empty');
    await poll(
      'the end of its record',
      async () => !(await lab.rental.host.run(['ls', lab.rental.home.stateDir, '-R'])).includes('card-'),
    );
  }, 60_000);
});

interface Exposed {
  exposureMilliseconds?: number;
}
