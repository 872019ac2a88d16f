/** A VM of a cluster from `vmnetctl run` to its end: the real API server, controller, agent and kernel, with traffic all along. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBack } from '../../src/native/filter-engine.ts';
import { decodePolicy, type Policy } from '../../src/native/policy-abi.ts';
import { poll } from '../support/lab/index.ts';
import { ApiClient } from '../support/scripted-agent/api-client.ts';
import { accessOf } from '../support/scripted-agent/access.ts';
import type { ControllerProcess } from '../support/scripted-agent/controller-process.ts';
import { ATTACHMENTS, CLASSES, NETWORKS, VM_NODES } from '../support/scripted-agent/kinds.ts';
import { conditionOf, type Attachment, type AnyObject } from '../support/scripted-agent/objects.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { ClusterLab, type RunningVm } from '../support/stage/cluster-lab.ts';
import { describe } from '../support/stage/cluster-needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VmTraffic } from '../support/stage/vm-traffic.ts';

const AGENT = fileURLToPath(new URL('../../bin/vmnet-agent', import.meta.url));
const { a, b } = RentalLab;

describe('a VM of a cluster', () => {
  let lab: ClusterLab;
  let agent: AgentProcess;
  let controller: ControllerProcess;
  let vm: RunningVm;
  let traffic: VmTraffic;
  let tenant: string;

  beforeAll(async () => {
    lab = await ClusterLab.open('attach');
    tenant = await lab.stage.namespace();
    controller = await lab.stage.controller();
    // No resync within the tests: what is found in time was told, or looked for.
    agent = lab.startAgent(['--resync-seconds', '3600']);
    vm = await lab.startVm('one');
    traffic = await VmTraffic.start(lab.rental, vm, agent);
  }, 120_000);
  afterAll(async () => {
    await traffic?.stop();
    await lab?.close();
  }, 60_000);
  afterEach(() => {
    expect(lab.stage.witness.doubles).toEqual([]);
    // Whatever the agent asked for it was allowed to.
    expect(lab.proxy.requests.filter(({ status }) => status === 403 || status === 422)).toEqual([]);
  });

  const inKernel = (): Policy | null => {
    const leave = moveInto(lab.rental.host);
    try {
      const { policy } = readBack(join(lab.rental.home.bpffs, vm.tap));
      return policy === null ? null : decodePolicy(policy);
    } finally {
      leave();
    }
  };
  const said = (attachment: Attachment | undefined, type: string): string => {
    const condition = conditionOf(attachment, type);
    const { generation } = attachment?.metadata ?? {};
    return condition?.observedGeneration === generation
      ? `${condition?.status ?? ''} ${condition?.reason ?? ''}`
      : '';
  };
  const untilSaid = (type: string, what: string): Promise<Attachment> =>
    lab.untilAttachment(tenant, 'one', `${type} to be ${what}`, (one) => said(one, type) === what);
  const apply = (kind: typeof ATTACHMENTS, { metadata }: Attachment, spec: object): Promise<AnyObject> =>
    lab.stage.admin.mergePatch(kind, { name: metadata.name, namespace: metadata.namespace! }, { spec });

  const asAtFirst = async (): Promise<void> => {
    await lab.stage.edit(tenant, 'one', {
      consumerEndpoint: a,
      endpointGraceSeconds: 0,
      desiredState: 'Active',
    });
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified');
  };

  test('no way to the API server is an error that says so, before anything is done', async () => {
    // On a host of its own: this one has an agent.
    const { wan, home } = lab.rental;
    const paths = [
      '--state-dir',
      `${home.stateDir}-2`,
      '--run-dir',
      `${home.runDir}-2`,
      '--bpffs',
      `${home.bpffs}-2`,
    ];
    const outcome = await wan.exec([AGENT, '--kubeconfig', '/nowhere/kubeconfig', ...paths]);
    expect([outcome.code, outcome.stderr]).toEqual([3, expect.stringContaining('/nowhere/kubeconfig')]);
  }, 30_000);

  test('that no network names is reported, and reaches nobody', async () => {
    const node = await poll('the VM on its VMNetworkNode', async () => {
      const found = await lab.node();
      return found?.status?.virtualMachines?.length === 1 ? found : null;
    });
    expect(node.status?.virtualMachines).toEqual([
      { id: 'one', name: 'one', labels: {}, interfaces: [{ mac: vm.mac, name: vm.tap, engine: 'tcx' }] },
    ]);
    expect(node.status).toMatchObject({ conditions: [{ type: 'Ready', status: 'True' }, {}, {}] });
    expect(node.status?.sealingKey).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(await traffic.look()).toEqual({ a: 0, b: 0, x: 0 });
  }, 30_000);

  test('its network becomes Ready, Enforced by what was read back, and only its endpoint is reached', async () => {
    await lab.network(tenant, 'one');
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified');
    await lab.stage.untilReady(tenant, 'one');
    const attachment = await lab.attachmentOf(tenant, 'one');
    expect(attachment?.status).toMatchObject({
      engine: 'tcx',
      interface: { name: vm.tap },
      exposureMilliseconds: 0,
      enforced: { policyHash: attachment?.spec.hash, policyGeneration: 1 },
    });
    expect(inKernel()).toMatchObject({ endpoint: a, previous: null });
    const { a: atA, b: atB, x } = await traffic.look();
    expect([atA > 0, atB, x]).toEqual([true, 0, 0]);
  }, 40_000);

  test('what it tried is told: who was spoken to, and how often', async () => {
    const { status } = await lab.untilAttachment(
      tenant,
      'one',
      'the evidence',
      (one) => (one.status?.counters?.dropped ?? 0) > 0 && tuplesOf(one).length > 0,
      90_000,
    );
    const spokenTo = tuplesOf({ status }).map(
      ({ address, port, protocol }) => `${protocol} ${address}:${String(port)}`,
    );
    expect(['UDP 192.0.2.66:51900', 'UDP 198.51.100.20:51820']).toEqual(expect.arrayContaining(spokenTo));
    expect(status?.counters).toMatchObject({ droppedByReason: expect.anything() });
  }, 120_000);

  test('another endpoint with grace: both at first, then the new one alone', async () => {
    await asAtFirst();
    await lab.stage.edit(tenant, 'one', { consumerEndpoint: b, endpointGraceSeconds: 4 });
    await poll('the new endpoint in the kernel', () => inKernel()?.endpoint?.port === b.port);
    expect(inKernel()?.previous).toMatchObject({ ...a });
    const deadlineNs = inKernel()?.previous?.untilNs ?? 0n;
    // Never longer than it was asked for.
    expect(Number(deadlineNs - process.hrtime.bigint()) / 1e9).toBeLessThan(4.1);
    await poll('the end of the grace', () => process.hrtime.bigint() > deadlineNs);
    const { a: atA, b: atB, x } = await traffic.look();
    expect([atA, atB > 0, x]).toEqual([0, true, 0]);
    // The controller writes the attachment again, without it; that is no write into the kernel any more.
    await lab.untilAttachment(tenant, 'one', 'the second step', ({ spec }) => !spec.policy.previousEndpoint);
    await lab.stage.untilReady(tenant, 'one');
    expect(inKernel()?.previous?.untilNs).toBe(deadlineNs);
  }, 60_000);

  test('during the grace the old endpoint is reached as well, and nobody else', async () => {
    await asAtFirst();
    await lab.stage.edit(tenant, 'one', { consumerEndpoint: b, endpointGraceSeconds: 3600 });
    await poll('the new endpoint in the kernel', () => inKernel()?.endpoint?.port === b.port);
    const both = await traffic.look();
    expect([both.a > 0, both.b > 0, both.x]).toEqual([true, true, 0]);
    await lab.stage.edit(tenant, 'one', { consumerEndpoint: b, endpointGraceSeconds: 0 });
    await poll('the end of the grace', () => inKernel()?.previous === null);
    expect((await traffic.look()).a).toBe(0);
  }, 60_000);

  test('the kill switch: nothing passes, Enforced says so; and back', async () => {
    await asAtFirst();
    await lab.stage.edit(tenant, 'one', { desiredState: 'Quarantined' });
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Quarantined');
    expect(await traffic.look()).toEqual({ a: 0, b: 0, x: 0 });
    await lab.stage.edit(tenant, 'one', { desiredState: 'Active' });
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified');
    expect((await traffic.look()).a).toBeGreaterThan(0);
  }, 40_000);

  describe('without a controller, by the word of its host alone', () => {
    beforeAll(async () => {
      await asAtFirst();
      await controller.end('SIGKILL');
    }, 30_000);
    afterAll(async () => {
      controller = await lab.stage.controller();
      await lab.stage.untilReady(tenant, 'one', 30_000);
    }, 60_000);

    test('its class comes to forbid the endpoint: denied', async () => {
      await lab.stage.admin.mergePatch(CLASSES, { name: 'default' }, { spec: { deniedPorts: [a.port] } });
      const attachment = await untilSaid('Programmed', 'False DeniedByClass');
      expect(attachment.status?.enforced).toBeUndefined();
      expect(await traffic.look()).toEqual({ a: 0, b: 0, x: 0 });
      await lab.stage.admin.mergePatch(CLASSES, { name: 'default' }, { spec: { deniedPorts: [] } });
      await untilSaid('Enforced', 'True Verified');
      expect((await traffic.look()).a).toBeGreaterThan(0);
    }, 40_000);

    test('its class goes: denied', async () => {
      const found = await lab.stage.admin.get<AnyObject & { status?: object }>(CLASSES, { name: 'default' });
      await lab.stage.admin.delete(CLASSES, { name: 'default' });
      await untilSaid('Programmed', 'False ClassNotFound');
      expect((await traffic.look()).a).toBe(0);
      const { resourceVersion: _version, uid: _uid, ...metadata } = found.metadata;
      const made = await lab.stage.admin.create(CLASSES, { ...found, metadata });
      // Until it says which ranges the cluster has, it could forbid any.
      await untilSaid('Programmed', 'False Pending');
      const status = { ...found.status };
      await lab.stage.admin.replace(CLASSES, { name: 'default', subresource: 'status' }, { ...made, status });
      await untilSaid('Enforced', 'True Verified');
    }, 40_000);

    test('its policy moves and its hash does not: denied, whoever wrote that', async () => {
      const attachment = (await lab.attachmentOf(tenant, 'one'))!;
      const { policyGeneration, policy } = attachment.spec;
      const moved = { policy: { consumerEndpoint: b }, policyGeneration: policyGeneration + 1 };
      await apply(ATTACHMENTS, attachment, moved);
      await untilSaid('Programmed', 'False Invalid');
      expect(await traffic.look()).toEqual({ a: 0, b: 0, x: 0 });
      const restored = {
        policy: { consumerEndpoint: policy.consumerEndpoint },
        policyGeneration: policyGeneration + 2,
      };
      await apply(ATTACHMENTS, attachment, restored);
      await untilSaid('Enforced', 'True Verified');
    }, 40_000);

    test('[K8-3] the credential of its agent writes nothing of another node', async () => {
      const agentsOwn = new ApiClient(accessOf(await lab.agentKubeconfig()), 'test-agent');
      const other = lab.stage.name('host');
      const { metadata: _own, ...attachment } = (await lab.attachmentOf(tenant, 'one'))!;
      const place = { name: 'foreign', namespace: tenant };
      const foreign = await lab.stage.admin.create<Attachment>(ATTACHMENTS, {
        ...attachment,
        metadata: place,
        spec: { ...attachment.spec, nodeName: other },
      });
      const answer = { ...foreign, ...(attachment.status && { status: attachment.status }) };
      const node = {
        apiVersion: foreign.apiVersion!,
        kind: 'VMNetworkNode',
        metadata: { name: other },
        spec: {},
      };
      try {
        const refused = { status: 403 };
        const write = agentsOwn.replace(ATTACHMENTS, { ...place, subresource: 'status' }, answer);
        await expect(write).rejects.toMatchObject(refused);
        await expect(agentsOwn.create(VM_NODES, node)).rejects.toMatchObject(refused);
      } finally {
        agentsOwn.close();
        await lab.stage.admin.delete(ATTACHMENTS, place);
      }
    }, 30_000);

    test('a second attachment for its card: both denied', async () => {
      const attachment = (await lab.attachmentOf(tenant, 'one'))!;
      const rival = { ...attachment, metadata: { name: 'rival', namespace: tenant } };
      const made = await lab.stage.admin.create<Attachment>(ATTACHMENTS, rival);
      await untilSaid('Programmed', 'False Conflict');
      expect((await traffic.look()).a).toBe(0);
      await lab.stage.admin.delete(ATTACHMENTS, { name: made.metadata.name, namespace: tenant });
      await untilSaid('Enforced', 'True Verified');
      lab.stage.witness.doubles.splice(0);
    }, 40_000);
  });

  test('its network is deleted while it runs: denied, and everything of the network goes', async () => {
    await lab.stage.remove(tenant, 'one');
    await lab.stage.until(
      'the end of the network',
      NETWORKS,
      { namespace: tenant, name: 'one' },
      (one) => one === null,
    );
    expect(await lab.stage.attachments(tenant, 'one')).toEqual([]);
    expect(inKernel()).toBeNull();
    expect(await traffic.look()).toEqual({ a: 0, b: 0, x: 0 });
  }, 40_000);

  test('another network gets it, and nothing of the former is left', async () => {
    await lab.network(tenant, 'next', {
      selector: { names: ['one'] },
      consumerEndpoint: b,
      endpointGraceSeconds: 3600,
    });
    await lab.stage.untilReady(tenant, 'next');
    expect(inKernel()).toMatchObject({ endpoint: b, previous: null });
    const { a: atA, b: atB, x } = await traffic.look();
    expect([atA, atB > 0, x]).toEqual([0, true, 0]);
  }, 40_000);

  test('it ends: its attachment goes, and its tap with it', async () => {
    await traffic.stop();
    // A process that ends lets go of its files before it is gone: the pass that is told of the one must find the other.
    const before = Date.now();
    vm.letGo();
    await agent.until('a pass that saw it', ({ attachments }) =>
      attachments.some(({ enforced }) => Date.parse(enforced?.verifiedAt ?? '') > before),
    );
    vm.close();
    await lab.stage.untilAttachments(tenant, 'next', 'their end', (all) => all.length === 0, 30_000);
    await poll(
      'the end of the tap',
      async () => !(await lab.rental.host.run(['ip', 'link'])).includes(vm.tap),
    );
    const node = await lab.node();
    expect(node?.status?.virtualMachines ?? []).toEqual([]);
  }, 60_000);
});

function tuplesOf({ status }: { status?: Attachment['status'] | undefined }) {
  const { lastViolations = [] } = (status ?? {}) as { lastViolations?: Tuple[] };
  return lastViolations;
}

interface Tuple {
  protocol: string;
  address: string;
  port: number;
}
