/**
 * The API server works, and says no to one thing for long: a quota is used up, a Secret cannot be read. Whom it concerns is
 * told and waits, what closes a VM goes through, all others notice nothing, and it heals by itself.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import {
  isWrite,
  needsControlPlane,
  type FaultProxy,
  type SeenRequest,
} from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  conditionOf,
  machine,
  NETWORKS,
  oneHost,
  SECRETS,
  Stage,
  type AnyObject,
  type Kind,
  type Network,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const QUOTAS: Kind = { root: '/api/v1', plural: 'resourcequotas' };
const COUNTED = 'count/vmnetworkattachments.vmnetwork.io';
/** How long it is refused: many times the first back-offs. */
const REFUSED_MS = 20_000;
/** Whatever failed is tried again within 70 s. */
const HEALED_WITHIN_MS = 90_000;

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let proxy: FaultProxy;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  proxy = await stage.plane.faultProxy();
  await stage.controller({ kubeconfig: await stage.controllerKubeconfig(proxy.url) });
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(async () => {
  proxy.heal();
  expect(stage.complaints).toEqual([]);
  await stage.closeAgents();
});

/** The API server's own admission counts; what kube-controller-manager would publish of the quota is written by hand. */
async function limitAttachments(namespace: string, most: number): Promise<void> {
  const hard = { [COUNTED]: String(most) };
  const place = { namespace, name: 'few' };
  if ((await stage.admin.find(QUOTAS, place)) === null) {
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: place, spec: { hard } } as AnyObject;
    await stage.admin.create(QUOTAS, quota);
    await stage.admin.mergePatch(
      QUOTAS,
      { ...place, subresource: 'status' },
      { status: { used: { [COUNTED]: '0' } } },
    );
  }
  await stage.admin.mergePatch(QUOTAS, place, { spec: { hard } });
  await stage.admin.mergePatch(QUOTAS, { ...place, subresource: 'status' }, { status: { hard } });
}

/** How often a back-off that begins with 5 ms and doubles lets one key come within `ms`. */
const triesWithin = (ms: number): number => Math.log2(ms / 5) + 2;

const seen = (like: (request: SeenRequest) => boolean): SeenRequest[] => proxy.requests.filter(like);

async function passes(ms: number): Promise<void> {
  const since = performance.now();
  await poll('the time of it', () => performance.now() - since > ms, { deadlineMs: 2 * ms });
}

describe('a quota that is used up', () => {
  test(
    'is told with what the server said, costs few requests, concerns no other network, and heals when it is raised',
    async () => {
      const namespace = await stage.namespace();
      await limitAttachments(namespace, 1);
      const labels = { app: namespace };
      const machines = [0, 1, 2].map(() => machine(stage.name('vm'), { labels }));
      await stage.agent({ machines });
      await stage.network(namespace, 'net', { selector: { matchLabels: labels } });
      const refused = await stage.untilCondition(
        namespace,
        'net',
        'Programmed',
        'False',
        'ProgrammingFailed',
      );
      expect(conditionOf(refused, 'Programmed')?.message).toMatch(
        /403 Forbidden: .*exceeded quota: few.*used: count.*=1.* Ask whoever sets the quotas/,
      );
      expect(conditionOf(refused, 'Accepted')?.status).toBe('True');
      expect(conditionOf(refused, 'Ready')?.status).toBe('False');
      const place = { namespace, name: 'net' };
      await stage.until<Network>('what the quota allows', NETWORKS, place, (network) => {
        return network?.status?.attachments?.summary === '1/3';
      });

      const since = performance.now();
      await passes(REFUSED_MS / 2);
      const began = performance.now();
      const other = await oneHost(stage);
      await stage.edit(other.namespace, 'net', { desiredState: 'Quarantined' });
      await stage.untilCondition(other.namespace, 'net', 'Enforced', 'True', 'Quarantined');
      await passes(REFUSED_MS / 2);

      const ofIt = (from: number) =>
        seen((request) => request.namespace === namespace && request.atMs >= from);
      const tries = ofIt(0).filter(({ verb, status }) => verb === 'create' && status === 403);
      // Two cards each time, and a few times more for what is told of the one attachment that stands.
      expect(tries.length).toBeGreaterThan(6);
      expect(tries.length).toBeLessThan(2 * (triesWithin(2 * REFUSED_MS) + 3));
      // Nothing new is to be said of it.
      expect(
        ofIt(since).filter((request) => isWrite(request) && request.resource.endsWith('/status')),
      ).toEqual([]);
      expect(ofIt(began).length).toBeLessThan(2 * 3);

      await limitAttachments(namespace, 3);
      const healed = await stage.untilReady(namespace, 'net', HEALED_WITHIN_MS);
      expect(healed.status?.attachments).toMatchObject({ desired: 3, enforced: 3 });
    },
    REFUSED_MS + HEALED_WITHIN_MS + 60_000,
  );
});

describe('a Secret that the API server fails to read', () => {
  async function networkWithKey(): Promise<{ namespace: string; made: Promise<Network> }> {
    const namespace = await stage.namespace();
    const data = { psk: Buffer.from(randomBytes(32).toString('base64')).toString('base64') };
    const metadata = { name: 'psk', namespace };
    await stage.admin.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata, data } as AnyObject);
    const vm = machine(stage.name('vm'));
    await stage.agent({ machines: [vm] });
    const wireGuard = {
      peerPublicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
      presharedKeySecretRef: { name: 'psk', key: 'psk' },
      addresses: ['10.99.0.2/32'],
    };
    const made = stage.network(namespace, 'net', { wireGuard, selector: { names: [vm.name] } });
    return { namespace, made };
  }

  test(
    'holds up no quarantine; what needs the key says so, and goes on by itself when it can be read',
    async () => {
      const known = await networkWithKey();
      await known.made;
      await stage.untilReady(known.namespace, 'net');
      const [before] = await stage.attachments(known.namespace, 'net');

      const readable = proxy.inject(
        { do: 'answer', status: 500 },
        { on: ({ resource }) => resource === 'secrets' },
      );
      const since = performance.now();
      await stage.edit(known.namespace, 'net', { desiredState: 'Quarantined' });
      const quarantined = await stage.untilCondition(
        known.namespace,
        'net',
        'Enforced',
        'True',
        'Quarantined',
      );
      expect(quarantined.status?.observedGeneration).toBe(quarantined.metadata.generation);
      const [closed] = await stage.attachments(known.namespace, 'net');
      expect(closed?.spec.policy.desiredState).toBe('Quarantined');
      // What was sealed to its host is still good.
      expect(closed?.spec.sealedPresharedKey).toEqual(before?.spec.sealedPresharedKey);

      const fresh = await networkWithKey();
      await fresh.made;
      const waiting = await stage.untilCondition(
        fresh.namespace,
        'net',
        'Accepted',
        'Unknown',
        'InvalidSecret',
      );
      expect(conditionOf(waiting, 'Accepted')?.message).toMatch(
        /Secret .*\/psk cannot be read.* tried again every minute/,
      );
      expect(conditionOf(waiting, 'Ready')?.status).not.toBe('True');
      await passes(REFUSED_MS / 2);
      expect(await stage.attachments(fresh.namespace, 'net')).toEqual([]);
      // Each look is three requests, for a read may be repeated.
      const looks = seen(({ resource, atMs }) => resource === 'secrets' && atMs >= since);
      expect(looks.length).toBeGreaterThan(0);
      expect(looks.length).toBeLessThan(3 * 2 * 5);
      // Others are worked on meanwhile.
      await oneHost(stage);

      readable();
      await stage.untilReady(fresh.namespace, 'net', HEALED_WITHIN_MS);
      const [made] = await stage.attachments(fresh.namespace, 'net');
      expect(made?.spec.sealedPresharedKey).toBeDefined();
      await stage.edit(known.namespace, 'net', { desiredState: 'Active' });
      await stage.untilReady(known.namespace, 'net');
    },
    REFUSED_MS + HEALED_WITHIN_MS + 60_000,
  );
});
