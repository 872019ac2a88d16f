import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { ATTACHMENTS, CLASSES } from '../../../src/agent/source/cluster/kinds.ts';
import type { AttachmentObject } from '../../../src/agent/source/cluster/kinds.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { isVmnError } from '../../../src/lib/errors.ts';
import { ClusterAgent } from '../../unit/agent/support/cluster-agent.ts';
import { attachment, networkClass } from '../../unit/agent/support/cluster-objects.ts';
import { FakeApi } from '../../unit/agent/support/fake-api.ts';
import { Crash } from '../../unit/agent/support/model-kernel.ts';

/*
 * The agent of a cluster's host over any history: wishes that come, change and go, an API server that is away, a disk that is
 * full, a checkpoint that is damaged, a wall clock that is set, kernel steps that fail, and processes that die anywhere. Each
 * wish of a VM has a port of its own, counted up, so that a policy in force tells how old the wish is that it came from.
 */

const VMS = ['vm-a', 'vm-b'] as const;
type Vm = (typeof VMS)[number];

type Step =
  | { readonly do: 'apply'; readonly vm: Vm; readonly quarantined: boolean; readonly grace: number }
  | { readonly do: 'delete'; readonly vm: Vm }
  | { readonly do: 'rival'; readonly vm: Vm; readonly comes: boolean }
  | { readonly do: 'tamper'; readonly vm: Vm }
  | { readonly do: 'class'; readonly is: 'lax' | 'forbids' | 'gone' }
  | { readonly do: 'away'; readonly away: boolean }
  | { readonly do: 'disk'; readonly full: boolean }
  | { readonly do: 'damage' }
  | { readonly do: 'fail'; readonly steps: number }
  | { readonly do: 'crash'; readonly steps: number }
  | { readonly do: 'restart'; readonly away: boolean }
  | { readonly do: 'clock'; readonly byMs: number }
  | { readonly do: 'wait'; readonly ms: number };

const vm = fc.constantFrom(...VMS);
const story = (weight: number, what: Step['do'], more: Record<string, fc.Arbitrary<unknown>> = {}) => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(what), ...more }) as unknown as fc.Arbitrary<Step>,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  story(8, 'apply', {
    vm,
    quarantined: fc.constantFrom(false, false, true),
    grace: fc.constantFrom(0, 0, 60),
  }),
  story(3, 'delete', { vm }),
  story(2, 'rival', { vm, comes: fc.boolean() }),
  story(1, 'tamper', { vm }),
  story(2, 'class', { is: fc.constantFrom('lax', 'lax', 'forbids', 'gone') }),
  story(2, 'away', { away: fc.boolean() }),
  story(2, 'disk', { full: fc.boolean() }),
  story(1, 'damage'),
  story(4, 'fail', { steps: fc.integer({ min: 1, max: 60 }) }),
  story(4, 'crash', { steps: fc.integer({ min: 1, max: 60 }) }),
  story(5, 'restart', { away: fc.boolean() }),
  story(1, 'clock', { byMs: fc.constantFrom(-7_200_000, -30_000, 30_000, 7_200_000) }),
  story(3, 'wait', { ms: fc.integer({ min: 1, max: 90_000 }) }),
);

const LAX = networkClass();
const FORBIDS = networkClass({ allowedModes: ['Conntrack'] });

class Story {
  readonly api = new FakeApi();
  agent = ClusterAgent.start(this.api);
  /** The latest wish of each VM. */
  readonly port: Record<Vm, number> = { 'vm-a': 0, 'vm-b': 0 };
  /** No policy of an older wish may be in force any more: a newer one, or the end of it, has been enforced. */
  readonly floor: Record<Vm, number> = { 'vm-a': 0, 'vm-b': 0 };
  /** `vm port`: whatever was ever wished for. */
  readonly given = new Set<string>();
  /** Since when the policy in force is one and the same change, and when its grace ends. */
  readonly graces = new Map<Vm, { readonly port: number; readonly untilNs: bigint }>();

  static async begin(): Promise<Story> {
    const told = new Story();
    told.api.put(CLASSES, LAX);
    for (const name of VMS) told.agent.startVm(name);
    await told.passes();
    return told;
  }

  async tell(item: Step): Promise<void> {
    const { agent, api } = this;
    const { kernel } = agent.host;
    switch (item.do) {
      case 'apply':
        this.apply(item.vm, item.quarantined, item.grace);
        break;
      case 'delete':
        this.change(item.vm, (object) => ({
          ...object,
          metadata: { ...object.metadata, deletionTimestamp: '2026-01-31T12:00:00Z' },
        }));
        break;
      case 'rival': {
        // Alone it allows nothing.
        const rival = attachment({ vm: item.vm, name: `rival-${item.vm}`, policy: { className: 'none' } });
        if (item.comes) api.put(ATTACHMENTS, rival);
        else api.remove(ATTACHMENTS, `t/rival-${item.vm}`);
        break;
      }
      case 'tamper':
        this.change(item.vm, (object) => ({
          ...object,
          spec: { ...(object.spec as object), hash: '0'.repeat(64) },
        }));
        break;
      case 'class':
        if (item.is === 'gone') api.remove(CLASSES, 'default');
        else api.put(CLASSES, item.is === 'lax' ? LAX : FORBIDS);
        break;
      case 'away':
        api.away = item.away;
        break;
      case 'disk':
        if (item.full) mkdirSync(`${agent.paths.file}.new`, { recursive: true });
        else rmSync(`${agent.paths.file}.new`, { recursive: true, force: true });
        break;
      case 'damage':
        if (existsSync(agent.paths.file)) writeFileSync(agent.paths.file, `${agent.checkpoint ?? ''}x`);
        break;
      case 'fail':
        kernel.failIn(item.steps);
        break;
      case 'crash':
        kernel.crashIn(item.steps);
        break;
      case 'restart':
        api.away = item.away;
        await this.restart();
        break;
      case 'clock':
        agent.host.wallStepMs += item.byMs;
        break;
      case 'wait':
        agent.host.advance(item.ms);
        break;
    }
    await this.passes();
  }

  /** A wish of a VM that has one moves it; of a VM whose attachment is being deleted it comes once that is gone. */
  apply(name: Vm, quarantined: boolean, grace: number): void {
    const before = this.stored(name);
    if (before?.metadata.deletionTimestamp !== undefined) return;
    const port = (this.port[name] += 1);
    this.given.add(`${name} ${port}`);
    const spec = before?.spec as { policy?: { consumerEndpoint?: object } } | undefined;
    // The controller's clock is right, whatever the host's is.
    const until = new Date(this.agent.host.clock.nowMs() - this.agent.host.wallStepMs + grace * 1000);
    const previous = grace > 0 ? spec?.policy?.consumerEndpoint : undefined;
    const wish = attachment({
      vm: name,
      uid: before?.metadata.uid ?? `${name} ${port}`,
      generation: (before?.metadata.generation ?? 0) + 1,
      policyGeneration: port,
      policy: {
        consumerEndpoint: { address: '203.0.113.10', port },
        ...(previous === undefined ? {} : { previousEndpoint: { ...previous, until: until.toISOString() } }),
        desiredState: quarantined ? 'Quarantined' : 'Active',
      },
    });
    const { resourceVersion: _version, ...metadata } = wish.metadata;
    this.api.put(ATTACHMENTS, { ...wish, metadata });
  }

  change(name: Vm, edit: (object: AttachmentObject) => AttachmentObject): void {
    const before = this.stored(name);
    if (before === undefined || before.metadata.deletionTimestamp !== undefined) return;
    const { metadata, ...rest } = edit(before);
    this.api.put(ATTACHMENTS, {
      ...rest,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
    });
  }

  stored(name: Vm): AttachmentObject | undefined {
    return this.api.find<AttachmentObject>(ATTACHMENTS, `t/net-${name}`);
  }

  async restart(): Promise<void> {
    this.agent.host.kernel.check = () => undefined;
    this.agent = await this.agent.restart();
  }

  /** As many passes as are asked for; a crash needs a new process. What the agent says has arrived when it resolves. */
  async passes(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) {
      this.agent.host.kernel.check = () => this.checkInstant();
      await this.agent.clock.advance(60);
      try {
        await this.agent.pass();
        this.noteFloors();
      } catch (error) {
        if (error instanceof Crash || this.agent.host.kernel.dead) await this.restart();
        else if (!isVmnError(error)) throw error;
      }
      this.checkInstant();
      // What it says arrives, true or not.
      for (let settled = 0; settled < 4; settled += 1) await this.agent.clock.advance(0);
      this.checkReleases();
    }
    this.collect();
  }

  /** Whoever holds the kernel now: nothing older may come after it. */
  noteFloors(): void {
    for (const name of VMS) {
      const inForce = this.agent.inForce(name);
      if (inForce !== null) this.floor[name] = Math.max(this.floor[name], inForce.endpoint?.port ?? 0);
      const isOver =
        this.stored(name)?.metadata.deletionTimestamp !== undefined || this.stored(name) === undefined;
      // The agent was told, for its status says so or the object is gone from its cache, and the kernel denies.
      const isTold = this.released(name);
      if (isOver && isTold && inForce === null)
        this.floor[name] = Math.max(this.floor[name], this.port[name] + 1);
    }
  }

  released(name: Vm): boolean {
    const object = this.stored(name);
    const said = object?.status?.conditions?.find(({ type }) => type === 'Released');
    return said?.status === 'True' && said.observedGeneration === object?.metadata.generation;
  }

  /** Rules that hold at every instant, also between two steps of the kernel. */
  checkInstant(): void {
    const { host } = this.agent;
    for (const name of VMS) {
      const policy = this.agent.inForce(name);
      if (policy === null) {
        this.graces.delete(name);
        continue;
      }
      const { endpoint, previous } = policy;
      if (endpoint === null) throw new Error(`nobody ever wished for ${name} without an endpoint`);
      const allowed = previous !== null && previous.untilNs > host.nowNs ? [endpoint, previous] : [endpoint];
      for (const { port } of allowed) {
        if (!this.given.has(`${name} ${port}`)) throw new Error(`nobody ever wished for ${name} ${port}`);
      }
      if (endpoint.port < this.floor[name])
        throw new Error(`${name} ${endpoint.port} is older than what was enforced, ${this.floor[name]}`);
      this.checkGrace(name, endpoint.port, previous?.untilNs ?? 0n);
    }
  }

  /** Within one change of endpoint the end of the grace only ever comes nearer. */
  checkGrace(name: Vm, port: number, untilNs: bigint): void {
    const known = this.graces.get(name);
    if (known?.port === port && known.untilNs > 0n && untilNs > known.untilNs + 1_000_000_000n)
      throw new Error(`the grace of ${name} ${port} was prolonged`);
    if (known?.port !== port || untilNs > 0n) this.graces.set(name, { port, untilNs });
  }

  checkReleases(): void {
    for (const name of VMS) {
      if (this.released(name) && this.agent.inForce(name) !== null)
        throw new Error(`${name} is said to be released and passes`);
    }
  }

  /** What the controller does: an attachment whose host has said Released goes. */
  collect(): void {
    for (const name of VMS) if (this.released(name)) this.api.remove(ATTACHMENTS, `t/net-${name}`);
  }

  /** With nothing going wrong any more everything becomes as wished, is told, and then rests. */
  async checkConverges(): Promise<void> {
    this.agent.host.kernel.calm();
    this.api.away = false;
    this.api.put(CLASSES, LAX);
    rmSync(`${this.agent.paths.file}.new`, { recursive: true, force: true });
    for (const name of VMS) this.api.remove(ATTACHMENTS, `t/rival-${name}`);
    for (let round = 0; round < 12; round += 1) {
      this.agent.host.advance(61_000);
      await this.agent.clock.advance(61_000);
      await this.passes();
    }
    const writes = this.api.writes.filter((write) => !write.includes('leases')).length;
    this.agent.host.changes.splice(0);
    await this.passes();
    expect(this.agent.host.changes).toEqual([]);
    expect(this.api.writes.filter((write) => !write.includes('leases')).length).toBe(writes);
    expect((await this.agent.pass()).status.problems).toEqual([]);
    for (const name of VMS) this.checkSettled(name);
  }

  checkSettled(name: Vm): void {
    const object = this.stored(name);
    const inForce = this.agent.inForce(name);
    const spec = object?.spec as { hash: string; policy: { desiredState: string } } | undefined;
    const enforced = object?.status?.conditions?.find(({ type }) => type === 'Enforced');
    // One that is being deleted was released, and is gone by now.
    expect(object?.metadata.deletionTimestamp).toBeUndefined();
    if (object === undefined || spec?.hash === '0'.repeat(64)) {
      expect(inForce).toBeNull();
      if (object !== undefined) expect(enforced?.status).toBe('False');
      return;
    }
    expect(inForce).toMatchObject({
      endpoint: { port: this.port[name] },
      flags: { quarantined: spec?.policy.desiredState === 'Quarantined' },
    });
    expect([enforced?.status, object.status?.enforced?.policyHash]).toEqual(['True', spec?.hash]);
  }
}

describe('the agent of a cluster, over any history', () => {
  test('nothing older than what was enforced, nothing that nobody wished for, no word that is not true, and it always arrives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (steps) => {
        const told = await Story.begin();
        try {
          for (const item of steps) await told.tell(item);
          await told.checkConverges();
        } finally {
          await told.agent.close();
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

/** A VM is known by its tap: two of them must not share one. */
test('the VMs of these stories have taps of their own', () => {
  expect(new Set(VMS.map((name) => identityOf(name).tap)).size).toBe(VMS.length);
});
