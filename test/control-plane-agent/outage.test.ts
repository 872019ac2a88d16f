/** A host of a cluster when parts of the cluster, or its agent, are away: the flow goes on, all else stays closed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll } from '../support/lab/index.ts';
import { isWrite } from '../support/control-plane/fault.ts';
import { oncePoliciesAreInForce } from '../support/scripted-agent/policies-in-force.ts';
import { conditionOf } from '../support/scripted-agent/objects.ts';
import { attachmentOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { ClusterLab, type RunningVm } from '../support/stage/cluster-lab.ts';
import { describe } from '../support/stage/cluster-needs.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VmTraffic } from '../support/stage/vm-traffic.ts';
import type { AgentStatus } from '../../src/agent/status/status.ts';

const { b } = RentalLab;

describe('a host of a cluster', () => {
  let lab: ClusterLab;
  let agent: AgentProcess;
  let vm: RunningVm;
  let traffic: VmTraffic | undefined;
  let tenant: string;

  beforeAll(async () => {
    lab = await ClusterLab.open('outage');
    tenant = await lab.stage.namespace();
    await lab.stage.controller();
    agent = lab.startAgent();
    vm = await lab.startVm('one');
    await lab.network(tenant, 'one');
    await lab.stage.untilReady(tenant, 'one', 30_000);
  }, 120_000);
  afterAll(async () => {
    await traffic?.stop();
    await lab?.close();
  }, 60_000);

  const isEnforced = (status: AgentStatus): boolean => attachmentOf(status, 'one')?.state === 'Enforced';
  const onlyTheConsumer = async (): Promise<void> => {
    const { a, b: atB, x } = await traffic!.look();
    expect([a > 0, atB, x]).toEqual([true, 0, 0]);
  };
  const checkpoint = (): string => join(lab.rental.home.stateDir, 'wishes.checkpoint');

  test('at rest its agent writes nothing but its Lease, and its log nothing at all', async () => {
    const renewals = (): number => lab.proxy.count({ verb: 'update', resource: 'leases' });
    const awaitMore = (more: number, from = renewals()) =>
      poll(`${String(more)} renewals`, () => renewals() >= from + more, { deadlineMs: 60_000 });
    // What led to this is told by then.
    await awaitMore(1);
    const before = lab.proxy.requests.filter(isWrite).length;
    const { log } = agent;
    await awaitMore(3);
    const written = lab.proxy.requests.filter(isWrite).slice(before);
    expect([...new Set(written.map(({ resource }) => resource))]).toEqual(['leases']);
    expect(agent.log).toBe(log);
  }, 120_000);

  describe('[ER-3] while the API server is away', () => {
    beforeAll(async () => {
      traffic = await VmTraffic.start(lab.rental, vm, agent);
      await lab.stage.plane.kill9ApiServer();
    }, 30_000);

    test('the flow goes on, and nothing else passes', onlyTheConsumer, 30_000);

    test('a new agent enforces what was last known, without a gap, and says what it misses', async () => {
      await agent.end('SIGKILL');
      agent = lab.startAgent();
      await agent.until('the policy', isEnforced);
      const status = await agent.until('the problem', ({ problems }) => problems.length > 0, 60_000);
      expect(status.problems).toEqual([expect.objectContaining({ code: 'VMN_API_UNREACHABLE' })]);
      expect(agent.log).not.toContain('"change"');
      await onlyTheConsumer();
    }, 90_000);

    test('a VM that starts meanwhile is closed', async () => {
      const late = await lab.startVm('late');
      const status = await agent.until('the VM', (seen) => attachmentOf(seen, 'late')?.inUse === true);
      expect(attachmentOf(status, 'late')).toMatchObject({ state: 'Denied', enforced: null });
      late.close();
    }, 30_000);

    test('a damaged checkpoint: everything is denied, nothing removed, the problem named', async () => {
      await agent.end('SIGTERM');
      const text = readFileSync(checkpoint(), 'utf8');
      writeFileSync(checkpoint(), text.replace('203.0.113.10', '203.0.113.11'));
      agent = lab.startAgent();
      const status = await agent.until('denial', (seen) => attachmentOf(seen, 'one')?.state === 'Denied');
      expect(status.problems[0]).toMatchObject({ code: 'VMN_STATE_UNREADABLE', file: 'checkpoint' });
      expect(attachmentOf(status, 'one')).toMatchObject({ inUse: true });
      expect(await traffic!.look()).toEqual({ a: 0, b: 0, x: 0 });
      // As it was: the next start goes by it again.
      await agent.end('SIGTERM');
      writeFileSync(checkpoint(), text);
      agent = lab.startAgent();
      await agent.until('the policy', isEnforced);
      await onlyTheConsumer();
    }, 60_000);

    test('it comes back: what changes from then on arrives', async () => {
      await lab.stage.plane.restartApiServer();
      await oncePoliciesAreInForce(() => lab.stage.edit(tenant, 'one', { consumerEndpoint: b }), 60_000);
      await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified', 60_000);
      const { a, b: atB, x } = await traffic!.look();
      expect([a, atB > 0, x]).toEqual([0, true, 0]);
      await agent.until('no problem', ({ problems }) => problems.length === 0, 60_000);
    }, 150_000);
  });

  test('its agent is killed: the flow goes on; its networks say AgentStale once the Lease is over; a new one is Enforced', async () => {
    await agent.end('SIGKILL');
    const { a, b: atB, x } = await traffic!.look();
    expect([a, atB > 0, x]).toEqual([0, true, 0]);
    // 40 s of the Lease, and the two questions of the controller.
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'Unknown', 'AgentStale', 120_000);
    expect((await traffic!.look()).b).toBeGreaterThan(0);
    agent = lab.startAgent();
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified', 60_000);
    expect(agent.log).not.toContain('"change"');
    await lab.stage.untilReady(tenant, 'one');
  }, 240_000);

  test('its VMNetworkNode is deleted under a living agent: the VM is closed, and bound again once the host says it lives', async () => {
    const { VM_NODES } = await import('../support/scripted-agent/kinds.ts');
    await lab.stage.admin.delete(VM_NODES, { name: lab.nodeName });
    await lab.stage.untilAttachments(tenant, 'one', 'their end', (all) => all.length === 0, 60_000);
    await agent.until('denial', (seen) => attachmentOf(seen, 'one')?.state === 'Denied');
    expect(await traffic!.look()).toEqual({ a: 0, b: 0, x: 0 });
    // Anything that is to be said of the host makes it again.
    const other = await lab.startVm('other');
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified', 60_000);
    expect(
      conditionOf(await lab.stage.network(tenant, 'other', { selector: { names: ['other'] } }), 'Ready'),
    ).toBeUndefined();
    await lab.stage.untilReady(tenant, 'other', 60_000);
    other.close();
  }, 180_000);

  test('[ER-3] the API server comes back with nothing at all: the flow goes on until it says that nothing is wanted, and what is applied anew is enforced', async () => {
    await lab.stage.edit(tenant, 'one', { consumerEndpoint: b });
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified', 60_000);
    traffic ??= await VmTraffic.start(lab.rental, vm, agent);
    const onlyB = async (): Promise<void> => {
      const { a, b: atB, x } = await traffic!.look();
      expect([a, atB > 0, x]).toEqual([0, true, 0]);
    };
    const sinceMs = performance.now();
    await lab.stage.plane.emptyEtcd();
    await onlyB();
    await lab.stage.install();
    await lab.stage.plane.ensureNamespace(tenant);
    // Its credential is of the cluster that was; so it is told nothing, and changes nothing.
    await onlyB();
    expect(isEnforced((await agent.status())!)).toBe(true);
    await agent.end('SIGTERM');
    await lab.renewCredential();
    await lab.stage.controller();
    agent = lab.startAgent();
    await agent.until('denial', (seen) => attachmentOf(seen, 'one')?.state === 'Denied', 60_000);
    expect(await traffic.look()).toEqual({ a: 0, b: 0, x: 0 });
    await lab.network(tenant, 'one', { consumerEndpoint: b });
    await lab.stage.untilReady(tenant, 'one', 60_000);
    await onlyB();
    // No storm, by all who ask: the agents of one host.
    const seconds = (performance.now() - sinceMs) / 1000;
    expect(lab.proxy.count({}, sinceMs)).toBeLessThan(60 + 10 * seconds);
  }, 240_000);
});
