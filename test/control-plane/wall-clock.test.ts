/** The wall clock of the controller's host is set while it works: by hours ahead, and back again. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  LEASES,
  needsFaketime,
  oneHost,
  Stage,
  SYSTEM,
  WallClock,
  type AnyObject,
  type Attachment,
  type ControllerProcess,
  type Endpoint,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const HOURS = 2 * 3600;
const SECOND: Endpoint = { address: '198.51.100.7', port: 51820 };
const GRACE_SECONDS = 3;

interface Lease extends AnyObject {
  spec: { holderIdentity?: string; leaseTransitions?: number };
}

const needs = needsControlPlane('helm');
const { describe } = requires(needs, needsFaketime);

let stage: Stage;
let controller: ControllerProcess;
const clock = new WallClock();

beforeAll(async () => {
  if (!needs.met || !needsFaketime.met) return;
  stage = await Stage.raise();
  controller = await stage.controller({ flags: ['--lease-seconds=5'], env: clock.env });
  await poll('the controller to lead', () => controller.leads(), { deadlineMs: 20_000 });
});

afterAll(async () => {
  await stage?.strike();
  clock.close();
});

afterEach(() => {
  clock.set(0);
  expect(stage.complaints).toEqual([]);
});

const lease = (): Promise<Lease | null> =>
  stage.admin.find<Lease>(LEASES, { namespace: SYSTEM, name: 'vmnetwork-controller' });

/** When the Lease was last renewed, ms ahead of us: what the controller takes for the time. */
async function ahead(): Promise<number> {
  const renewed = ((await lease())?.spec as { renewTime?: string } | undefined)?.renewTime;
  return Date.parse(renewed ?? '') - Date.now();
}

async function setAhead(seconds: number): Promise<void> {
  clock.set(seconds);
  const near = async (): Promise<boolean> => Math.abs((await ahead()) - seconds * 1000) < 60_000;
  await poll(`a renewal by a clock ${String(seconds)} s ahead`, near, { deadlineMs: 10_000 });
}

describe('a wall clock that is set', () => {
  test('[ER-3] ahead and back takes the lead from nobody, and no host for dead', async () => {
    const { namespace, attachment: before } = await oneHost(stage);
    const held = await lease();
    await setAhead(HOURS);
    // Its hosts' renewals are two hours old by that clock.
    await oneHost(stage);
    await setAhead(0);
    // And now its own past lies in the future.
    await oneHost(stage);

    const after = await lease();
    expect(after?.spec.holderIdentity).toBe(held?.spec.holderIdentity);
    expect(after?.spec.leaseTransitions).toBe(held?.spec.leaseTransitions);
    expect(await controller.leads()).toBe(true);
    const [attachment] = await stage.attachments(namespace, 'net');
    expect(attachment?.spec).toEqual(before.spec);
    expect(attachment?.metadata.uid).toBe(before.metadata.uid);
    expect(controller.log).not.toContain('"health":"stale"');
    await stage.untilReady(namespace, 'net');
  });

  test.each([
    ['back', HOURS, 0],
    ['ahead', 0, HOURS],
  ])(
    '%s in the middle of a grace does not make it longer than twice what was asked for',
    async (_, from, to) => {
      await setAhead(from);
      const { namespace } = await oneHost(stage, { endpointGraceSeconds: GRACE_SECONDS });
      await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
      const withOld = ([one]: Attachment[]): boolean => one?.spec.policy.previousEndpoint !== undefined;
      await stage.untilAttachments(namespace, 'net', 'the old endpoint beside the new one', withOld);
      const since = performance.now();
      clock.set(to);
      await stage.untilAttachments(namespace, 'net', 'the old one dropped', (all) => !withOld(all));
      expect(performance.now() - since).toBeLessThan(2 * GRACE_SECONDS * 1000 + 2000);
      await stage.untilReady(namespace, 'net');
    },
  );
});
