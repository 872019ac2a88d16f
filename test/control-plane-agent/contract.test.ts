/** The rows of the agent's contract that take a cluster; see test/kernel/contract for the others, and for what sends and what watches. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CHART, Helm, SYSTEM_NAMESPACE } from '../support/chart/helm.ts';
import { ContractHost, type ContractVm, type Traffic } from '../support/contract/contract-host.ts';
import { poll } from '../support/lab/index.ts';
import type { ControllerProcess } from '../support/scripted-agent/controller-process.ts';
import { EVENTS } from '../support/scripted-agent/kinds.ts';
import { conditionOf, type AnyObject } from '../support/scripted-agent/objects.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { ClusterLab } from '../support/stage/cluster-lab.ts';
import { describe } from '../support/stage/cluster-needs.ts';
import { vmnetctl, type Outcome } from '../unit/cli/vmnetctl.ts';

const OWN = 'cc-own';
const FOUND = 'cc-found';
const NAMES = [OWN, FOUND];
const NOTHING = { own: 0, found: 0 };

describe('what must hold in a cluster when', () => {
  let lab: ClusterLab;
  let host: ContractHost;
  let agent: AgentProcess;
  let controller: ControllerProcess;
  let tenant: string;
  let vms: ContractVm[];

  beforeAll(async () => {
    lab = await ClusterLab.open('ccontract');
    host = await ContractHost.on(lab.rental);
    tenant = await lab.stage.namespace();
    controller = await lab.stage.controller();
    agent = lab.startAgent(ContractHost.patterns);
    await agent.until('the first pass', () => true, 60_000);
    const found = await host.startFound(FOUND);
    const running = await lab.startVm(OWN);
    vms = [found, await host.plugOwn(OWN, running.fd)];
    for (const name of NAMES) await lab.network(tenant, name);
    for (const name of NAMES) await lab.stage.untilReady(tenant, name, 60_000);
  }, 180_000);
  afterEach(async () => {
    const leaked = await host.farEnds.leaked();
    await host.farEnds.forget();
    expect(leaked).toEqual({});
  }, 30_000);
  afterAll(async () => {
    await host?.stop();
    await lab?.close();
  }, 60_000);

  const goesOn = ({ written, arrived }: Traffic): void => {
    expect(Object.values(written.a).every((count) => count > 0)).toBe(true);
    expect(arrived).toEqual({ a: written.a, b: NOTHING });
  };
  const enforced = async (name: string): Promise<string> => {
    const condition = conditionOf(await lab.attachmentOf(tenant, name), 'Enforced');
    return `${condition?.status ?? ''} ${condition?.reason ?? ''}`;
  };
  const untilAll = async (status: string, reason: string): Promise<void> => {
    for (const name of NAMES)
      await lab.stage.untilCondition(tenant, name, 'Enforced', status, reason, 150_000);
  };
  const renewals = (): number => lab.proxy.count({ verb: 'update', resource: 'leases' });

  test('[contract 3] controller away: allowed flow continues, all else denied, status unchanged', async () => {
    await controller.end('SIGKILL');
    goesOn(
      await host.during(vms, async () => {
        const before = renewals();
        await poll('two signs of life', () => renewals() >= before + 2, { deadlineMs: 90_000 });
      }),
    );
    for (const name of NAMES) expect(await enforced(name)).toBe('True Verified');
    controller = await lab.stage.controller();
    await untilAll('True', 'Verified');
  }, 150_000);

  test('[contract 3] API server away: allowed flow continues, all else denied, status unchanged, then Unknown', async () => {
    goesOn(
      await host.during(vms, async () => {
        lab.proxy.inject({ do: 'drop' });
        lab.proxy.cutConnections();
        for (const name of NAMES) expect(await enforced(name)).toBe('True Verified');
        await untilAll('Unknown', 'AgentStale');
      }),
    );
    lab.proxy.heal();
    goesOn(await host.during(vms, () => untilAll('True', 'Verified')));
  }, 300_000);

  /** Those that are as wanted, once there are some. */
  const eventsOf = (namespace: string, wanted: (event: ToldEvent) => boolean): Promise<ToldEvent[]> =>
    poll(
      'an Event',
      async () => {
        const { items } = await lab.stage.admin.list<ToldEvent>(EVENTS, { namespace });
        const found = items.filter(wanted);
        return found.length === 0 ? null : found;
      },
      { deadlineMs: 90_000, everyMs: 200, detail: () => lab.logs },
    );

  test('[contract 6] program detached by someone: denied, then restored, all else denied; Enforced=False is told, and an Event', async () => {
    const before = (await agent.status())!;
    // A link without its pin ends.
    for (const vm of vms)
      unlinkSync(join(lab.rental.home.bpffs, host.on(before, vm)?.pins ?? '', 'link_from_vm'));
    // An Event of a loss is told when the API server has taken a status that says Enforced=False.
    for (const name of NAMES) {
      const { metadata } = (await lab.attachmentOf(tenant, name))!;
      await eventsOf(
        tenant,
        ({ regarding, reason }) => regarding.uid === metadata.uid && reason === 'EnforcementLost',
      );
    }
    await untilAll('True', 'Verified');
    goesOn(await host.during(vms, () => undefined));
  }, 240_000);

  const untilSent = ({ stream }: ContractVm): Promise<unknown> =>
    poll('the new VM to send', () => host.guests.written(stream).all > 100, { deadlineMs: 60_000 });

  test('[contract 4] new tap that nobody declared: denied, all else denied; listed on VMNetworkNode, and an Event', async () => {
    const stranger = await host.startFound('cc-odd');
    goesOn(
      await host.during(vms, async () => {
        await untilSent(stranger);
        const isListed = async (): Promise<boolean> =>
          (await lab.node())?.status?.virtualMachines?.some(({ name }) => name === stranger.name) === true;
        await poll('the VM on its VMNetworkNode', isListed, { deadlineMs: 60_000 });
        // Events of what has no namespace are in this one.
        const told = await eventsOf('default', ({ reason }) => reason === 'Undeclared');
        expect(told.map(({ note }) => note)).toEqual([expect.stringContaining(`VM ${stranger.name}`)]);
        expect(told[0]?.regarding).toMatchObject({ name: lab.nodeName });
      }),
    );
    await host.end(stranger);
  }, 240_000);

  /** The last one: nothing of the release is left after it. */
  test('[contract 13] helm uninstall: whatever is not allowed stays denied; after drain all is denied, until the VMs have ended', async () => {
    const { plane } = lab.stage;
    const helm = new Helm(plane.helm, plane.folder, plane.adminKubeconfig);
    const release = ['vmnetwork', `--namespace=${SYSTEM_NAMESPACE}`];
    // What the stage has applied becomes a release.
    const install = await helm.run(['upgrade', '--install', ...release, CHART, '--take-ownership']);
    expect([install.code, install.stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    const cli = (...words: string[]): Promise<Outcome> =>
      vmnetctl([...words, ...lab.rental.home.paths], { prefix: lab.rental.host.enter([]) });

    goesOn(
      await host.during(vms, async () => {
        const { code, stderr } = await helm.run(['uninstall', ...release]);
        expect([code, stderr]).toEqual([0, '']);
        // Its identity and its rights are gone while it still runs, and then its pods end.
        const gone = { api: '/apis/apps/v1/namespaces/vmnetwork-system/daemonsets/vmnetwork-agent' };
        expect((await plane.kubectl(['get', '--raw', gone.api])).code).not.toBe(0);
        await agent.until('another pass', () => true);
        await controller.end('SIGTERM');
        await agent.end('SIGTERM');
      }),
    );
    goesOn(await host.during(vms, () => undefined));
    // One that comes now, on a tap that nobody closes any more but the guard.
    const late = await host.startFound('cc-late');
    goesOn(await host.during(vms, () => untilSent(late)));
    await host.end(late);

    const drained = await cli('drain');
    expect([drained.code, drained.stderr]).toEqual([0, '']);
    expect((await host.during(vms, () => undefined)).arrived).toEqual({ a: NOTHING, b: NOTHING });
    const refused = await cli('uninstall');
    expect(refused.code).not.toBe(0);
    expect((await host.during(vms, () => undefined)).arrived).toEqual({ a: NOTHING, b: NOTHING });
  }, 240_000);
});

type ToldEvent = AnyObject & {
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid?: string };
};
