/** The Events by which an agent tells what became of an attachment: the real API server, with the chart's roles and guardrails. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeSync } from 'node:fs';
import { fromGuest, STRANGER } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { EVENTS } from '../support/scripted-agent/kinds.ts';
import type { AnyObject } from '../support/scripted-agent/objects.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { ClusterLab, type RunningVm } from '../support/stage/cluster-lab.ts';
import { describe } from '../support/stage/cluster-needs.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, b } = RentalLab;

type ToldEvent = AnyObject & {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid?: string };
  readonly reportingController: string;
  readonly reportingInstance: string;
};

describe('Events of an agent', () => {
  let lab: ClusterLab;
  let agent: AgentProcess;
  let vm: RunningVm;
  let tenant: string;

  beforeAll(async () => {
    lab = await ClusterLab.open('events');
    tenant = await lab.stage.namespace();
    await lab.stage.controller();
    agent = lab.startAgent();
    vm = await lab.startVm('one');
    await lab.network(tenant, 'one');
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified');
  }, 120_000);
  afterAll(async () => {
    await lab?.close();
  }, 60_000);

  async function told(): Promise<ToldEvent[]> {
    const { items } = await lab.stage.admin.list<ToldEvent>(EVENTS, { namespace: tenant });
    return items.filter(({ reportingController }) => reportingController === 'vmnetwork.io/agent');
  }
  /** Type and reason of each, sorted. */
  const untilTold = (...wanted: string[]): Promise<unknown> => {
    let last: string[] = [];
    const detail = (): string => `${last.join(', ')}\n${lab.logs}`;
    const isTold = async (): Promise<boolean> => {
      last = (await told()).map(({ type, reason }) => `${type} ${reason}`).sort();
      return JSON.stringify(last) === JSON.stringify([...wanted].sort());
    };
    return poll(`Events ${wanted.join(', ')}`, isTold, { deadlineMs: 20_000, detail });
  };
  const FIRST = ['Normal Attached', 'Normal EnforcementVerified'];

  test('say that it is attached, of the attachment and by this host', async () => {
    await untilTold(...FIRST);
    const { metadata } = (await lab.attachmentOf(tenant, 'one'))!;
    const { name, uid } = metadata;
    for (const event of await told()) {
      expect(event).toMatchObject({
        reportingInstance: lab.nodeName,
        regarding: { kind: 'VMNetworkAttachment', name, uid },
        note: expect.stringContaining(`${a.address}:${String(a.port)}`),
      });
    }
  }, 40_000);

  test('say that it has a new policy', async () => {
    await lab.stage.edit(tenant, 'one', { consumerEndpoint: b });
    await untilTold(...FIRST, 'Normal PolicyUpdated');
  }, 40_000);

  test('say once that it tried what it may not, and that it was quarantined', async () => {
    const status = await agent.until('its address', ({ attachments }) => attachments.length === 1);
    const cast = castOf(status, 'one', b);
    for (const destination of [STRANGER.address, a.address, '192.0.2.66'])
      writeSync(vm.fd, fromGuest(cast, { ip: { destination } }));
    await agent.until(
      'the violations seen',
      ({ attachments }) => attachments[0]?.violations.last.length === 3,
    );
    // What was seen goes along with the next change.
    await lab.stage.edit(tenant, 'one', { desiredState: 'Quarantined' });
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Quarantined');
    const policies = ['Normal PolicyUpdated', 'Normal PolicyUpdated'];
    await untilTold(...FIRST, ...policies, 'Normal Quarantined', 'Warning Violation');
  }, 60_000);

  test('are not told again by an agent that starts anew, and take no right that it has not', async () => {
    const before = (await told()).map(({ metadata }) => metadata.name);
    await agent.end('SIGTERM');
    agent = lab.startAgent();
    await agent.until('its attachment', ({ attachments }) => attachments[0]?.state === 'Enforced');
    await lab.stage.edit(tenant, 'one', { desiredState: 'Active' });
    await lab.stage.untilCondition(tenant, 'one', 'Enforced', 'True', 'Verified');
    await poll('the Event of the edit', async () => (await told()).length > before.length);
    const fresh = (await told()).filter(({ metadata }) => !before.includes(metadata.name));
    expect(fresh.map(({ reason }) => reason)).toEqual(['PolicyUpdated']);
    expect(lab.proxy.requests.filter(({ status }) => status === 403 || status === 422)).toEqual([]);
  }, 60_000);
});
