import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS, HOST_NODES, NETWORKS, SECRETS } from '../../../src/controller/kinds.ts';
import type { Attachment, HostNode, Network, Secret } from '../../../src/controller/kinds.ts';
import { policyHash } from '../../../src/controller/vmnetwork/plan/policy-hash.ts';
import { generateSealingKey, openPresharedKey } from '../../../src/wireguard/sealed-key.ts';
import { World } from '../../property/controller/support/world.ts';

/** Secrets are looked at again and again: there is always something due later. */
const SOON_MS = 5_000;
const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);
const VM = { id: 'vm1', name: 'vm1', labels: {}, interfaces: [{ mac: '02:00:00:00:00:01' }] };
const SPEC = {
  selector: { names: ['vm1'] },
  consumerEndpoint: { address: '203.0.113.10', port: 51820 },
  wireGuard: { presharedKeySecretRef: { name: 'tunnel', key: 'psk' } },
};

function putSecret(world: World, key: Buffer | string): void {
  const value = typeof key === 'string' ? key : key.toString('base64');
  const data = { psk: Buffer.from(value).toString('base64') };
  const before = world.api.find<Secret>(SECRETS, 'a/tunnel');
  if (before !== undefined) world.api.update(SECRETS, { ...before, data } as never);
  else
    world.api.create(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: 'a', name: 'tunnel' },
      data,
    } as never);
}

function publish(world: World, sealingKey: string | undefined): void {
  const node = world.api.find<HostNode>(HOST_NODES, 'n1');
  world.api.update(HOST_NODES, { ...node, status: { ...node?.status, sealingKey } } as never, 'status');
}

const attachment = (world: World) => world.api.all<Attachment>(ATTACHMENTS)[0];
const condition = (world: World, type: string) => {
  const [network] = world.api.all<Network>(NETWORKS);
  return network?.status?.conditions?.find((one) => one.type === type);
};

async function sealedWorld(): Promise<{ world: World; host: ReturnType<typeof generateSealingKey> }> {
  const world = new World();
  const host = generateSealingKey();
  world.report('n1', [VM]);
  publish(world, host.publicKey);
  putSecret(world, KEY);
  world.apply('a', 'one', SPEC);
  await world.converge(SOON_MS);
  return { world, host };
}

function opened({ metadata, spec }: Attachment, privateKey: Buffer): Buffer {
  const { name, namespace = '' } = metadata;
  return openPresharedKey(spec.sealedPresharedKey?.ciphertext ?? '', privateKey, { name, namespace });
}

describe('a network with a pre-shared key', () => {
  test('its host gets the key sealed, and opens it; the hash is over both', async () => {
    const { world, host } = await sealedWorld();
    const made = attachment(world) as Attachment;
    expect(opened(made, host.privateKey)).toEqual(KEY);
    expect(made.spec.hash).toBe(policyHash(made.spec.policy, made.spec.sealedPresharedKey));
    expect(condition(world, 'Ready')?.status).toBe('True');
  });

  test('the key is nowhere else: no object, status, event or failure has it', async () => {
    const { world } = await sealedWorld();
    const said = JSON.stringify([
      world.api.all(ATTACHMENTS),
      world.api.all(NETWORKS),
      world.process.events,
      world.process.failures.map(String),
    ]);
    for (const form of ['base64', 'hex', 'latin1'] as const) expect(said).not.toContain(KEY.toString(form));
  });

  test('another key, and a new key of the host, are sealed anew with the next generation of the policy', async () => {
    const { world, host } = await sealedWorld();
    putSecret(world, OTHER_KEY);
    world.clock.stall(600_000);
    world.process.tick();
    await world.converge(SOON_MS);
    expect(opened(attachment(world) as Attachment, host.privateKey)).toEqual(OTHER_KEY);
    expect(attachment(world)?.spec.policyGeneration).toBe(2);
    const later = generateSealingKey();
    publish(world, later.publicKey);
    await world.converge(SOON_MS);
    expect(opened(attachment(world) as Attachment, later.privateKey)).toEqual(OTHER_KEY);
    expect(attachment(world)?.spec.policyGeneration).toBe(3);
  });

  test('nothing is sealed again while nothing changes', async () => {
    const { world } = await sealedWorld();
    const before = attachment(world)?.metadata.resourceVersion;
    world.process.enqueue('network a/one');
    world.restart();
    await world.converge(SOON_MS);
    expect(attachment(world)?.metadata.resourceVersion).toBe(before);
  });

  test('a Secret that comes to be invalid denies its VMs, and a good one within a minute serves them again', async () => {
    const { world, host } = await sealedWorld();
    putSecret(world, 'no key');
    world.clock.stall(600_000);
    world.process.tick();
    await world.converge(SOON_MS);
    expect(attachment(world)).toBeUndefined();
    expect(condition(world, 'Accepted')).toMatchObject({ status: 'False', reason: 'InvalidSecret' });
    putSecret(world, KEY);
    world.clock.stall(60_000);
    world.process.tick();
    await world.converge(SOON_MS);
    expect(opened(attachment(world) as Attachment, host.privateKey)).toEqual(KEY);
  });

  test('a host without a sealing key enforces, and provisions nothing, until it publishes one', async () => {
    const { world, host } = await sealedWorld();
    world.apply('a', 'one', { ...SPEC, desiredState: 'Quarantined' });
    world.report('n1', []);
    await world.converge(SOON_MS);
    world.report('n1', [VM]);
    await world.converge(SOON_MS);
    expect(attachment(world)?.spec.policy.wireGuard).toBeUndefined();
    expect(attachment(world)?.spec.sealedPresharedKey).toBeUndefined();
    publish(world, host.publicKey);
    await world.converge(SOON_MS);
    expect(opened(attachment(world) as Attachment, host.privateKey)).toEqual(KEY);
    expect(attachment(world)?.spec.policy.wireGuard).toBeDefined();
  });
});
