import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { ATTACHMENTS, CLASSES, HOST_NODES } from '../../../../src/agent/source/cluster/kinds.ts';
import type { AttachmentObject, NodeObject } from '../../../../src/agent/source/cluster/kinds.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import { LEASE } from '../../../../src/kube/leader-election/lease.ts';
import { generateSealingKey, sealPresharedKey } from '../../../../src/wireguard/sealed-key.ts';
import { ClusterAgent } from '../support/cluster-agent.ts';
import { attachment, ENDPOINT, networkClass } from '../support/cluster-objects.ts';
import type { AttachmentFields } from '../support/cluster-objects.ts';
import { FakeApi } from '../support/fake-api.ts';

const KEY = 't/net-vm-a';
const OTHER = { address: '198.51.100.20', port: 51820 };

describe('an agent of a cluster', () => {
  let api: FakeApi;
  let agent: ClusterAgent;
  beforeEach(() => {
    api = new FakeApi();
    agent = ClusterAgent.start(api);
  });
  afterEach(() => agent.close());

  const apply = (fields: AttachmentFields = {}): AttachmentObject => {
    const object = attachment(fields);
    const before = api.find<AttachmentObject>(ATTACHMENTS, KEY);
    const generation = (before?.metadata.generation ?? 0) + 1;
    return api.put(ATTACHMENTS, { ...object, metadata: { ...object.metadata, generation } });
  };
  const stored = (): AttachmentObject | undefined => api.find<AttachmentObject>(ATTACHMENTS, KEY);
  const condition = (type: string) => stored()?.status?.conditions?.find((one) => one.type === type);
  const passes = (port: number) => () => agent.inForce('vm-a')?.endpoint?.port === port;
  const isDenied = (): boolean => agent.inForce('vm-a') === null;

  async function enforced(): Promise<void> {
    api.put(CLASSES, networkClass());
    agent.startVm('vm-a');
    apply();
    await agent.until('the policy', passes(ENDPOINT.port));
    await agent.until('its status', () => condition('Enforced')?.status === 'True');
  }

  test('reports its VMs, enforces what it is told, and says so', async () => {
    await enforced();
    const node = api.find<NodeObject>(HOST_NODES, 'node-1');
    expect(node?.status?.virtualMachines?.map(({ id }) => id)).toEqual(['vm-a']);
    expect(api.find(LEASE, 'system/node.node-1')).toBeDefined();
    expect(stored()?.status).toMatchObject({ observedGeneration: 1, exposureMilliseconds: 0 });
  });

  test('a single attachment that fails is told on its VMNetworkNode, until it does not', async () => {
    await enforced();
    const degraded = () =>
      api.find<NodeObject>(HOST_NODES, 'node-1')?.status?.conditions?.find(({ type }) => type === 'Degraded');
    const before = degraded()?.reason;
    expect(before).not.toBe('AttachmentsFailing');
    const { kernel } = agent.host;
    kernel.writePolicy = () => {
      throw new VmnError('VMN_BPF_MAP', { attempted: 'write the policy', on: 'vm-a' });
    };
    apply({ policy: { consumerEndpoint: OTHER } });
    await agent.until('it to be said', () => degraded()?.reason === 'AttachmentsFailing');
    expect(degraded()).toMatchObject({
      status: 'True',
      message: expect.stringMatching(/^[^;]*: 1, VM vm-a: .*write the policy/),
    });
    // The old policy is intact.
    expect(passes(ENDPOINT.port)()).toBe(true);
    Reflect.deleteProperty(kernel, 'writePolicy');
    apply();
    await agent.until('nothing to be said', () => degraded()?.reason === before);
  });

  test('makes no tap for an attachment whose card is not here', async () => {
    api.put(CLASSES, networkClass());
    apply();
    await agent.until('its status', () => condition('Programmed')?.reason === 'Pending');
    expect([...agent.host.kernel.modelLinks.values()].filter(({ ours }) => ours)).toEqual([]);
  });

  test('one for another node is not enforced, whatever the server sends', async () => {
    await enforced();
    apply({ nodeName: 'node-2' });
    await agent.until('denial', isDenied);
  });

  test('an edit of status asks for no pass; an edit of the spec, of its class, its deletion do', async () => {
    await enforced();
    await agent.until('rest', () => true);
    const { asked } = agent;
    api.put(ATTACHMENTS, { ...stored()!, status: { ...stored()!.status, exposureMilliseconds: 1 } });
    await agent.clock.advance(1000);
    expect(agent.asked).toBe(asked);
    apply({ policy: { consumerEndpoint: OTHER } });
    await agent.until('the new endpoint', passes(OTHER.port));
    api.put(CLASSES, networkClass({ deniedPorts: [OTHER.port] }));
    await agent.until('denial', isDenied);
    await agent.until('the reason', () => condition('Programmed')?.reason === 'DeniedByClass');
    api.put(CLASSES, networkClass());
    await agent.until('the endpoint again', passes(OTHER.port));
    api.remove(CLASSES, 'default');
    await agent.until('denial', isDenied);
  });

  test('being deleted: denied, Released; gone: the tap goes when the VM has ended', async () => {
    await enforced();
    api.put(ATTACHMENTS, {
      ...stored()!,
      metadata: { ...stored()!.metadata, generation: 2, deletionTimestamp: '2026-01-31T12:00:00Z' },
    });
    await agent.until('its release', () => condition('Released')?.status === 'True');
    expect([isDenied(), condition('Released')?.observedGeneration]).toEqual([true, 2]);
    api.remove(ATTACHMENTS, KEY);
    agent.endVm('vm-a');
    await agent.until('the end of the tap', () => agent.host.records.states.size === 0);
  });

  describe('the checkpoint', () => {
    test('is written before anything of it is enforced', async () => {
      api.put(CLASSES, networkClass());
      agent.startVm('vm-a');
      let ahead: string | null = null;
      const writePolicy = agent.host.kernel.writePolicy.bind(agent.host.kernel);
      agent.host.kernel.writePolicy = (pinDir, policy) => {
        ahead ??= agent.checkpoint;
        writePolicy(pinDir, policy);
      };
      apply();
      await agent.until('the policy', passes(ENDPOINT.port));
      expect(ahead).toContain(ENDPOINT.address);
    });

    test('holds a start without the API server: the flow goes on, and nothing is told that is not known', async () => {
      await enforced();
      api.away = true;
      agent = await agent.restart();
      agent.host.changes.splice(0);
      const { result, status } = await agent.pass();
      expect(agent.host.changes).toEqual([]);
      expect(passes(ENDPOINT.port)()).toBe(true);
      expect(status.networks.map(({ name }) => name)).toEqual(['net']);
      expect(result.wanted.complete).toBe(true);
      await agent.clock.advance(6000);
      expect((await agent.pass()).status.problems).toEqual([
        expect.objectContaining({ code: 'VMN_API_UNREACHABLE', file: 'API server' }),
      ]);
    });

    test('after a reboot, too: the policy is in force before the API server answers', async () => {
      await enforced();
      api.away = true;
      agent.host.kernel.modelLinks.clear();
      agent.host.kernel.pins.clear();
      agent.host.kernel.routeTable.splice(0);
      agent.host.nft.table = null;
      agent = await agent.restart();
      await agent.pass();
      expect(passes(ENDPOINT.port)()).toBe(true);
    });

    test('keeps what was deleted meanwhile until the API server answers, then it goes', async () => {
      await enforced();
      api.away = true;
      api.remove(ATTACHMENTS, KEY);
      agent = await agent.restart();
      await agent.pass();
      expect(passes(ENDPOINT.port)()).toBe(true);
      api.away = false;
      await agent.until('denial', isDenied);
    });

    test('never undoes a kill switch: what was last enforced is what it says', async () => {
      await enforced();
      apply({ policy: { desiredState: 'Quarantined' } });
      await agent.until('quarantine', () => agent.inForce('vm-a')?.flags.quarantined === true);
      api.away = true;
      agent = await agent.restart();
      await agent.pass();
      expect(agent.inForce('vm-a')?.flags.quarantined).toBe(true);
    });

    test('that cannot be written keeps nothing from being closed, and does not stay', async () => {
      await enforced();
      mkdirSync(`${agent.paths.file}.new`);
      apply({ policy: { desiredState: 'Quarantined' } });
      await agent.until('quarantine', () => agent.inForce('vm-a')?.flags.quarantined === true);
      const { status } = await agent.pass();
      expect(status.problems).toEqual([
        expect.objectContaining({ file: 'checkpoint', code: 'VMN_STATE_UNREADABLE' }),
      ]);
      api.away = true;
      agent = await agent.restart();
      await agent.pass();
      expect(isDenied()).toBe(true);
    });

    test('damaged, without the API server: existing taps are denied, none is removed, with the reason', async () => {
      await enforced();
      api.away = true;
      writeFileSync(agent.paths.file, `${agent.checkpoint ?? ''} `);
      agent = await agent.restart();
      const { status, result } = await agent.pass();
      expect([isDenied(), result.wanted.complete]).toEqual([true, false]);
      expect(status.problems).toEqual([
        expect.objectContaining({ file: 'checkpoint', code: 'VMN_STATE_UNREADABLE' }),
      ]);
      agent.endVm('vm-a');
      await agent.pass();
      expect(agent.host.records.states.size).toBe(1);
      api.away = false;
      await agent.until('the policy again', passes(ENDPOINT.port));
      expect((await agent.pass()).status.problems).toEqual([]);
    });

    test('there is none: as damaged, without a fault of the file', async () => {
      api.away = true;
      agent.startVm('vm-a');
      rmSync(agent.paths.file, { force: true });
      agent = await agent.restart();
      expect((await agent.pass()).status.problems).toEqual([]);
      await agent.clock.advance(6000);
      expect((await agent.pass()).status.problems).toEqual([
        expect.objectContaining({
          code: 'VMN_API_UNREACHABLE',
          message: expect.stringContaining('every VM is denied'),
        }),
      ]);
    });

    test('is not written again by a start that finds the same', async () => {
      await enforced();
      const before = agent.checkpoint;
      agent = await agent.restart();
      const { asked } = agent;
      await agent.until('the server', () => agent.asked > asked);
      expect(agent.checkpoint).toBe(before);
    });

    test('half of what there is means nothing: attachments without classes change nothing', async () => {
      await enforced();
      const list = agent.client.list.bind(agent.client);
      agent = await agent.restart({
        client: {
          ...agent.client,
          list: (type, options, signal) =>
            type === CLASSES ? Promise.reject(new Error('not yet')) : list(type, options, signal),
        },
      });
      apply({ policy: { consumerEndpoint: OTHER } });
      await agent.quietly(
        'the list of attachments',
        () => api.requests.at(-1) === 'watch vmnetworkattachments',
      );
      await agent.pass();
      expect(passes(ENDPOINT.port)()).toBe(true);
    });
  });

  test('an end of grace is by the clock that cannot be set', async () => {
    await enforced();
    const until = new Date(agent.clock.nowMs() + 30_000).toISOString();
    apply({ policy: { consumerEndpoint: OTHER, previousEndpoint: { ...ENDPOINT, until } } });
    await agent.until('the new endpoint', passes(OTHER.port));
    const endsNs = agent.host.nowNs + 30_000_000_000n;
    expect(agent.inForce('vm-a')?.previous).toMatchObject({ port: ENDPOINT.port, untilNs: endsNs });
    agent.host.changes.splice(0);
    agent.host.advance(10_000);
    await agent.pass();
    expect([agent.host.changes, agent.inForce('vm-a')?.previous?.untilNs]).toEqual([[], endsNs]);
  });

  test('a sealed key is opened to see that it opens, and no more is said', async () => {
    const key = generateSealingKey();
    agent = await agent.restart({ key });
    await enforced();
    const where = { namespace: 't', name: 'net-vm-a', recipient: key.publicKey };
    const sealed = (name: string) => ({
      recipient: key.publicKey,
      secretUid: 'u',
      secretResourceVersion: '1',
      ciphertext: sealPresharedKey(Buffer.alloc(32, 7), { ...where, name }),
    });
    apply({ sealedPresharedKey: sealed('net-vm-a'), policyGeneration: 2 });
    await agent.until('its status', () => stored()?.status?.enforced?.policyGeneration === 2);
    expect(condition('GuestProvisioned')).toBeUndefined();
    expect(agent.checkpoint).toContain('ciphertext');
    apply({ sealedPresharedKey: sealed('another'), policyGeneration: 3 });
    await agent.until('the fault', () => condition('GuestProvisioned')?.reason === 'InvalidSecret');
    expect(condition('Enforced')?.status).toBe('True');
  });

  test('a pass that failed as a whole: nothing is known to be enforced, and the host is not ready', async () => {
    await enforced();
    agent.source.failed({ file: 'host', message: 'no netlink', remedy: 'r', code: 'VMN_NETLINK' });
    await agent.quietly('its status', () => condition('Enforced')?.status === 'Unknown');
    const node = api.find<NodeObject>(HOST_NODES, 'node-1');
    expect(node?.status?.conditions?.[0]).toMatchObject({ type: 'Ready', status: 'False' });
  });

  test('gives no sign of life before its first pass, nor while passes stand still', async () => {
    const renewals = (): number => api.writes.filter((write) => write.includes('leases')).length;
    await agent.clock.advance(60_000);
    expect(renewals()).toBe(0);
    await enforced();
    expect(renewals()).toBeGreaterThan(0);
    agent.overdueMs = 60_000;
    await agent.clock.advance(15_000);
    const before = renewals();
    await agent.clock.advance(120_000);
    expect(renewals()).toBe(before);
    agent.overdueMs = 0;
    await agent.clock.advance(15_000);
    expect(renewals()).toBeGreaterThan(before);
  });

  test('what drops frames is told: counts and who was spoken to', async () => {
    await enforced();
    const head = new Uint8Array(64);
    head.set([0x08, 0x00, 0x45], 12);
    head.set([17], 23);
    head.set([192, 0, 2, 66], 30);
    head.set([0, 53], 36);
    agent.host.kernel.pins.values().next().value!.counters = [
      { direction: 'from-vm', reason: 0, audited: false, packets: 3n, bytes: 1n },
      { direction: 'from-vm', reason: 20, audited: false, packets: 2n, bytes: 1n },
    ];
    agent.clock.stall(61_000);
    agent.source.violated(identityOf('vm-a').tap, {
      kind: 'drop',
      audited: false,
      timeNs: 0n,
      generation: 1n,
      ifindex: 1,
      frameBytes: 60,
      direction: 'from-vm',
      reason: 20,
      head,
    });
    await agent.until('the evidence', () => stored()?.status?.lastViolations !== undefined);
    expect(stored()?.status).toMatchObject({
      counters: { allowed: 3, dropped: 2 },
      lastViolations: [{ direction: 'FromVM', protocol: 'UDP', address: '192.0.2.66', port: 53, packets: 1 }],
    });
  });
});
