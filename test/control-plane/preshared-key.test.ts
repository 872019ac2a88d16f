/** A pre-shared key goes from the tenant's Secret to the one host that needs it, and nobody else can read it. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  accessOf,
  ApiClient,
  conditionOf,
  machine,
  NETWORKS,
  SECRETS,
  Stage,
  SYSTEM,
  VM_NODES,
  type AnyObject,
  type Attachment,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

interface Secret extends AnyObject {
  data?: Record<string, string>;
}

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

const newKey = (): string => randomBytes(32).toString('base64');

function secret(namespace: string, value: string | Buffer | null): Promise<Secret> {
  const data = value === null ? {} : { psk: Buffer.from(value).toString('base64') };
  const metadata = { name: 'psk', namespace };
  return stage.admin.create<Secret>(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata, data });
}

/** A network that names the Secret `psk` of its namespace, and two hosts with a VM for it each. */
async function networkWithKey(namespace: string): Promise<ScriptedAgent[]> {
  const labels = { app: stage.name('psk') };
  const hosts = await Promise.all(
    [0, 1].map(() => stage.agent({ machines: [machine(stage.name('vm'), { labels })] })),
  );
  agents.push(...hosts);
  const peerPublicKey = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
  const wireGuard = {
    peerPublicKey,
    presharedKeySecretRef: { name: 'psk', key: 'psk' },
    addresses: ['10.99.0.2/32'],
  };
  await stage.network(namespace, 'net', { wireGuard, selector: { matchLabels: labels } });
  return hosts;
}

const hostOf = (hosts: readonly ScriptedAgent[], { spec }: Attachment): ScriptedAgent =>
  hosts.find(({ nodeName }) => nodeName === spec.nodeName)!;

function opened(host: ScriptedAgent, attachment: Attachment): string {
  return host.sealingKey.open(attachment).toString('base64');
}

describe('a pre-shared key', () => {
  test('arrives sealed, and only its own host opens it, for its own attachment', async () => {
    const namespace = await stage.namespace();
    const key = newKey();
    const kept = await secret(namespace, key);
    const hosts = await networkWithKey(namespace);
    const network = await stage.untilReady(namespace, 'net');
    const attachments = await stage.attachments(namespace, 'net');
    expect(attachments).toHaveLength(2);
    for (const attachment of attachments) {
      const { sealedPresharedKey: sealed } = attachment.spec;
      const host = hostOf(hosts, attachment);
      const stranger = hosts.find((other) => other !== host)!;
      expect(sealed).toMatchObject({
        recipient: host.sealingKey.publicKey,
        secretUid: kept.metadata.uid,
        secretResourceVersion: kept.metadata.resourceVersion,
      });
      expect(opened(host, attachment)).toBe(key);
      expect(() => opened(stranger, attachment)).toThrow();
      // Moved to another attachment of the same host it is nothing.
      const moved = { ...attachment, metadata: { ...attachment.metadata, name: 'another' } };
      expect(() => opened(host, moved)).toThrow();
    }
    const [one, other] = attachments.map(({ spec }) => spec.sealedPresharedKey!.ciphertext);
    expect(one).not.toBe(other);
    const everything = JSON.stringify([network, attachments]);
    expect(everything).not.toContain(key);
    expect(everything).not.toContain(Buffer.from(key).toString('base64'));
    expect(network.status?.peers).toHaveLength(2);
  });

  test('is out of reach of agents', async () => {
    const namespace = await stage.namespace();
    await secret(namespace, newKey());
    const account = { namespace: SYSTEM, name: 'vmnetwork-agent', node: stage.name('host') };
    const client = new ApiClient(
      accessOf(await stage.plane.kubeconfigForServiceAccount(account)),
      'curious-agent',
    );
    await expect(client.get(SECRETS, { namespace, name: 'psk' })).rejects.toMatchObject({ status: 403 });
    await expect(client.list(SECRETS, { namespace })).rejects.toMatchObject({ status: 403 });
    client.close();
  });

  test('is sealed anew for a host that has another key', async () => {
    const namespace = await stage.namespace();
    const key = newKey();
    await secret(namespace, key);
    const hosts = await networkWithKey(namespace);
    await stage.untilReady(namespace, 'net');
    const [host] = hosts;
    const before = await stage.attachments(namespace, 'net');
    const { publicKey } = await host!.changeKey();
    const after = await stage.untilAttachments(namespace, 'net', 'the new recipient', (all) =>
      all.some(({ spec }) => spec.sealedPresharedKey?.recipient === publicKey),
    );
    for (const attachment of after) {
      expect(opened(hostOf(hosts, attachment), attachment)).toBe(key);
      const former = before.find(({ metadata }) => metadata.name === attachment.metadata.name)!;
      const isMoved = attachment.spec.nodeName === host!.nodeName;
      expect(attachment.spec.hash !== former.spec.hash).toBe(isMoved);
    }
    await stage.untilReady(namespace, 'net');
  });

  test('waits for a host that publishes no sealing key: enforced, neither provisioned nor Ready until it does', async () => {
    const namespace = await stage.namespace();
    await secret(namespace, newKey());
    const vm = machine(stage.name('vm'));
    const host = await stage.agent({ machines: [vm] });
    agents.push(host);
    const place = { name: host.nodeName, subresource: 'status' } as const;
    await stage.admin.mergePatch(VM_NODES, place, { status: { sealingKey: null } });
    const wireGuard = {
      peerPublicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
      presharedKeySecretRef: { name: 'psk', key: 'psk' },
      addresses: ['10.99.0.2/32'],
    };
    await stage.network(namespace, 'net', { wireGuard, selector: { names: [vm.name] } });
    // The agent sees a policy without a tunnel, and says NotRequested.
    await stage.untilCondition(namespace, 'net', 'Enforced', 'True', 'Verified');
    const waiting = await stage.untilCondition(namespace, 'net', 'GuestProvisioned', 'False', 'Pending');
    expect(conditionOf(waiting, 'GuestProvisioned')?.message).toContain(`VMNetworkNode ${host.nodeName}`);
    const ready = await stage.untilCondition(namespace, 'net', 'Ready', 'False', 'Pending');
    expect(conditionOf(ready, 'Ready')?.message).toMatch(/^GuestProvisioned: .*VMNetworkNode /);
    const [keyless] = await stage.attachments(namespace, 'net');
    const said = keyless?.status?.conditions?.find(({ type }) => type === 'GuestProvisioned');
    expect(said).toMatchObject({ status: 'False', reason: 'NotRequested' });

    await host.changeKey();
    const provisioned = await stage.untilReady(namespace, 'net');
    expect(conditionOf(provisioned, 'GuestProvisioned')).toMatchObject({ status: 'True' });
  });

  test('is not sealed again while nothing changes', async () => {
    const namespace = await stage.namespace();
    await secret(namespace, newKey());
    await networkWithKey(namespace);
    await stage.untilReady(namespace, 'net');
    const before = await stage.attachments(namespace, 'net');
    await stage.edit(namespace, 'net', { endpointGraceSeconds: 5 });
    await stage.until<AnyObject & { status?: { observedGeneration?: number } }>(
      'the edit to be seen',
      { root: '/apis/vmnetwork.io/v1alpha1', plural: 'vmnetworks' },
      { namespace, name: 'net' },
      (network) => network?.status?.observedGeneration === 2,
    );
    const after = await stage.attachments(namespace, 'net');
    expect(after.map(({ spec }) => spec)).toEqual(before.map(({ spec }) => spec));
  });

  test.each<[string, string | Buffer | null]>([
    ['has no such entry', null],
    ['is empty', ''],
    ['is too short', randomBytes(31).toString('base64')],
    ['is too long', randomBytes(33).toString('base64')],
    ['is far too long', randomBytes(500_000).toString('base64')],
    ['is no base64', '*'.repeat(44)],
    ['is not text', Buffer.from([0xff, 0xfe, 0, 1, 2, 3])],
  ])('of a Secret that %s is refused, and the VM denied', async (_what, value) => {
    const namespace = await stage.namespace();
    await secret(namespace, value);
    await networkWithKey(namespace);
    const refused = await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'InvalidSecret');
    expect(conditionOf(refused, 'Accepted')?.message).toContain('psk');
    if (typeof value === 'string' && value !== '')
      expect(JSON.stringify(refused.status)).not.toContain(value.slice(0, 40));
    expect(conditionOf(refused, 'Ready')?.status).toBe('False');
    expect(await stage.attachments(namespace, 'net')).toEqual([]);
  });

  test('that came late, was rotated or went is seen with the next edit of the network', async () => {
    const [late, rotated, gone] = await Promise.all([
      stage.namespace(),
      stage.namespace(),
      stage.namespace(),
    ]);
    const [first, second] = [newKey(), newKey()];
    await Promise.all([secret(rotated, first), secret(gone, first)]);
    const [, hosts] = await Promise.all([late, rotated, gone].map(networkWithKey));
    await stage.untilCondition(late, 'net', 'Accepted', 'False', 'InvalidSecret');
    await Promise.all([rotated, gone].map((namespace) => stage.untilReady(namespace, 'net')));

    await secret(late, first);
    await stage.admin.mergePatch(
      SECRETS,
      { namespace: rotated, name: 'psk' },
      { stringData: { psk: second } },
    );
    await stage.admin.delete(SECRETS, { namespace: gone, name: 'psk' });
    // Secrets cannot be watched, by design: a network that is as it was is looked at in minutes.
    await Promise.all(
      [late, rotated, gone].map((namespace) => stage.edit(namespace, 'net', { endpointGraceSeconds: 1 })),
    );
    const isSecond = (attachment: Attachment): boolean =>
      attachment.spec.sealedPresharedKey !== undefined &&
      opened(hostOf(hosts!, attachment), attachment) === second;
    await Promise.all([
      stage.untilReady(late, 'net'),
      stage.untilAttachments(rotated, 'net', 'the new key', (all) => all.length === 2 && all.every(isSecond)),
      stage.untilCondition(gone, 'net', 'Accepted', 'False', 'InvalidSecret'),
    ]);
    await stage.untilReady(rotated, 'net');
    await stage.untilAttachments(gone, 'net', 'none', (all) => all.length === 0);
  });

  test('that came late is seen when somebody annotates the network: look again', async () => {
    const namespace = await stage.namespace();
    await networkWithKey(namespace);
    await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'InvalidSecret');
    await secret(namespace, newKey());
    const annotations = { 'example.com/look': 'again' };
    await stage.admin.mergePatch(NETWORKS, { namespace, name: 'net' }, { metadata: { annotations } });
    const { metadata } = await stage.untilReady(namespace, 'net');
    expect(metadata.generation).toBe(1);
  });
});
