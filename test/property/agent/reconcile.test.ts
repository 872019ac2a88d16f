import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ManifestSet } from '../../../src/agent/source/manifest-set.ts';
import { cidrRange } from '../../../src/agent/wiring/address-pool.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { isVmnError } from '../../../src/lib/errors.ts';
import { decodePolicy } from '../../../src/native/policy-abi.ts';
import type { Policy } from '../../../src/native/policy-abi.ts';
import { GENEROUS, manifests, ModelHost, PATHS, resultOf } from '../../unit/agent/support/model-host.ts';
import { Crash } from '../../unit/agent/support/model-kernel.ts';

/*
 * Whole passes of the agent over a model of a kernel, with wishes that change, steps that fail, processes that are
 * killed between any two steps, and others who meddle. Checked between all steps, not only at the end.
 */

const VMS = ['vm-a', 'vm-b'] as const;
type Vm = (typeof VMS)[number];

/** An address that the host always has, and what it may come to have. */
const HOST = '192.0.2.99/32';
const COMING = ['192.0.2.100/32', '198.18.0.0/24', '198.18.1.1/32'] as const;

interface Wish {
  readonly port: number;
  readonly grace: number;
  readonly quarantined: boolean;
  /** The network it comes from: of two, so that a VM may change hands. */
  readonly network: 'one' | 'two';
  readonly supported: boolean;
  readonly mode: 'Filtered' | 'Conntrack' | 'Sampled' | 'Direct';
  readonly audit: boolean;
  readonly packetsPerSecond: number;
  readonly action: 'Drop' | 'Quarantine' | 'Terminate';
}

type Step =
  | { readonly do: 'wish'; readonly vm: Vm; readonly wish: Wish | null }
  | { readonly do: 'legible'; readonly complete: boolean }
  | { readonly do: 'fail'; readonly steps: number }
  | { readonly do: 'crash'; readonly steps: number }
  | { readonly do: 'rob'; readonly vm: Vm; readonly side: 'from' | 'to' }
  | { readonly do: 'qemu'; readonly vm: Vm; readonly holds: boolean }
  | { readonly do: 'violate'; readonly vm: Vm }
  | { readonly do: 'upgrade'; readonly tag: string }
  | { readonly do: 'flush' }
  | { readonly do: 'address'; readonly network: string }
  | { readonly do: 'unwire'; readonly vm: Vm }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'restart' };

const vm = fc.constantFrom(...VMS);
const wish: fc.Arbitrary<Wish> = fc.record({
  port: fc.integer({ min: 1, max: 5 }),
  grace: fc.constantFrom(0, 5, 60),
  quarantined: fc.boolean(),
  network: fc.constantFrom('one', 'two'),
  // More true than false, or hardly a story has a policy twice.
  supported: fc.constantFrom(true, true, true, false),
  mode: fc.constantFrom('Filtered', 'Conntrack', 'Sampled', 'Direct'),
  audit: fc.boolean(),
  packetsPerSecond: fc.constantFrom(0, 1000),
  action: fc.constantFrom('Drop', 'Quarantine', 'Terminate'),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wish' as const), vm, wish: fc.option(wish) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('legible' as const), complete: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('fail' as const), steps: fc.integer({ min: 1, max: 90 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('crash' as const), steps: fc.integer({ min: 1, max: 90 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('rob' as const), vm, side: fc.constantFrom('from', 'to') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('qemu' as const), vm, holds: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('violate' as const), vm }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('upgrade' as const), tag: fc.constantFrom('bbbb', 'cccc') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('address' as const),
      network: fc.constantFrom(...COMING),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unwire' as const), vm }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** The host, what was ever wished of it, and the rules that hold at every instant. */
class Story {
  readonly host = new ModelHost();
  readonly wishes = new Map<Vm, Wish>();
  /** `vm port`, or `vm Direct`, of every wish that was ever made: nothing else may ever be in force. */
  readonly given = new Set<string>();
  /** VMs that an agent has quarantined for violations, as a record said after a pass. */
  readonly condemned = new Set<Vm>();
  complete = true;

  constructor() {
    this.host.kernel.check = () => this.checkInstant();
  }

  async tell(item: Step): Promise<void> {
    const { kernel } = this.host;
    switch (item.do) {
      case 'wish':
        this.wishes.delete(item.vm);
        if (item.wish !== null) {
          this.wishes.set(item.vm, item.wish);
          const { supported, mode, port } = item.wish;
          if (supported) this.given.add(`${item.vm} ${mode === 'Direct' ? mode : port}`);
        }
        break;
      case 'legible':
        this.complete = item.complete;
        break;
      case 'fail':
        kernel.failIn(item.steps);
        break;
      case 'crash':
        kernel.crashIn(item.steps);
        break;
      case 'rob':
        kernel.rob(identityOf(item.vm).tap, item.side);
        break;
      case 'qemu': {
        const link = kernel.byName(identityOf(item.vm).tap);
        if (link === undefined) break;
        link.heldByQemu = item.holds;
        if (item.holds) kernel.holders.set(link.name, [{ pid: link.ifindex, startTicks: '1' }]);
        else kernel.holders.delete(link.name);
        break;
      }
      case 'violate': {
        const pins = kernel.pins.get(`/bpf/${identityOf(item.vm).tap}`);
        if (pins !== undefined) pins.crossings += 1;
        break;
      }
      case 'upgrade':
        kernel.tag = item.tag;
        this.host.restart();
        break;
      case 'flush':
        this.host.nft.table = null;
        break;
      case 'address':
        // It comes, or it goes.
        if (!kernel.own.delete(item.network)) kernel.own.add(item.network);
        break;
      case 'unwire':
        kernel.routeTable.splice(0);
        break;
      case 'wait':
        this.host.advance(item.ms);
        break;
      case 'restart':
        this.host.restart();
        break;
    }
    await this.pass();
  }

  /** One pass; a failure of the whole pass is tried again by the next, a crash needs a new process. */
  async pass(): Promise<void> {
    try {
      await this.host.pass(this.set());
    } catch (error) {
      if (error instanceof Crash || this.host.kernel.dead) this.host.restart();
      else if (!isVmnError(error)) throw error;
    }
    this.checkInstant();
    for (const name of VMS) {
      const found = this.host.records.states.get(identityOf(name).tap);
      // The record goes when the VM has ended and nobody wants it any more: what comes then is another VM.
      if (found === undefined) this.condemned.delete(name);
      if (found?.state !== 'ok') continue;
      const wished = this.wishes.get(name);
      // Only the kill switch may have released it.
      if (found.record.violations?.quarantinedAt != null) this.condemned.add(name);
      else if (wished?.quarantined === true && wished.supported) this.condemned.delete(name);
    }
  }

  set(): ManifestSet {
    const networks = Object.fromEntries(
      [...this.wishes].map(([name, wished]) => [
        `${wished.network}-${name}`,
        {
          selector: { names: [name] },
          endpointGraceSeconds: wished.grace,
          desiredState: wished.quarantined ? ('Quarantined' as const) : ('Active' as const),
          mode: wished.mode,
          ...(wished.mode === 'Direct'
            ? { consumerEndpoint: undefined }
            : {
                consumerEndpoint: { address: '203.0.113.10', port: wished.port },
                enforcement: wished.audit ? ('Audit' as const) : ('Enforce' as const),
                violation: { action: wished.action },
              }),
          limits: { packetsPerSecond: wished.supported ? wished.packetsPerSecond : 2_000_000_000 },
        },
      ]),
    );
    return manifests(networks, { complete: this.complete, classes: [GENEROUS] });
  }

  /** Rules 1 and 2, at any instant. */
  checkInstant(): void {
    const { kernel } = this.host;
    for (const link of kernel.modelLinks.values()) {
      if (!link.ours) continue;
      const { from, to } = kernel.attached(link.ifindex);
      const closable = from !== null && to !== null;
      if ((link.persistent || link.up) && !closable && !kernel.robbed.has(link.ifindex)) {
        throw new Error(`${link.name} is ${link.up ? 'up' : 'persistent'} without both programs`);
      }
      const name = VMS.find((candidate) => identityOf(candidate).tap === link.name) ?? 'nobody';
      for (const attachment of [from, to]) {
        const bytes = attachment?.program.slot.policy ?? null;
        if (bytes === null) continue;
        const { endpoint, previous, denied } = decodePolicy(bytes);
        for (const allowed of previous === null ? [endpoint] : [endpoint, previous]) {
          const what = `${name} ${allowed?.port ?? 'Direct'}`;
          if (!this.given.has(what)) throw new Error(`nobody ever allowed ${what}`);
        }
        if (endpoint !== null) continue;
        for (const network of ['127.0.0.0/8', HOST, PATHS.pool])
          if (!isDenied(network, denied)) throw new Error(`${name} reaches ${network}`);
      }
    }
  }

  /** Rule 3: with nothing going wrong any more and every manifest legible, everything becomes as wished, and then rests. */
  async checkConverges(): Promise<void> {
    const { host } = this;
    host.kernel.calm();
    this.complete = true;
    for (let round = 0; round < 3; round += 1) {
      await this.pass();
      host.advance(61_000);
    }
    host.changes.splice(0);
    const result = await host.pass(this.set());
    expect(host.changes).toEqual([]);
    expect(result.problems).toEqual([]);
    expect(host.kernel.robbed.size).toBe(0);
    for (const name of VMS) this.checkSettled(name, result);
    if (host.records.states.size === 0) {
      expect(host.nft.table).toBeNull();
      expect(host.kernel.sharedPins).toBe(false);
    }
    const allowed = VMS.some((name) => {
      const wished = this.wishes.get(name);
      return wished !== undefined && wished.supported && !wished.quarantined && !this.condemned.has(name);
    });
    expect(host.kernel.settings.get('net/ipv4/conf/eth0/forwarding')).toBe(allowed ? '1' : '0');
  }

  checkSettled(name: Vm, result: Awaited<ReturnType<ModelHost['pass']>>): void {
    const { kernel, records } = this.host;
    const { tap } = identityOf(name);
    const wished = this.wishes.get(name);
    const link = kernel.byName(tap);
    if (wished === undefined && link?.heldByQemu !== true) {
      expect([link, records.states.get(tap), kernel.pins.get(`/bpf/${tap}`)]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      return;
    }
    if (link === undefined && wished === undefined) return;
    const { verified, policy } = resultOf(result, name);
    expect(verified).toBe(true);
    expect(link?.up).toBe(true);
    if (wished === undefined || !wished.supported) {
      expect(policy).toBeNull();
      return;
    }
    const isDirect = wished.mode === 'Direct';
    expect(policy?.endpoint?.port).toBe(isDirect ? undefined : wished.port);
    expect(policy?.flags).toMatchObject({
      quarantined: wished.quarantined || this.condemned.has(name),
      audit: wished.audit && !isDirect,
    });
    if (isDirect)
      for (const network of [HOST, ...COMING])
        expect(isDenied(network, policy?.denied)).toBe(kernel.own.has(network));
    expect([policy?.mode, policy?.limits.packetsPerSecond]).toEqual([wished.mode, wished.packetsPerSecond]);
    if (policy?.previous !== null) expect(policy?.previous.untilNs).toBeLessThan(this.host.nowNs);
    expect(kernel.attached(link?.ifindex ?? 0).from?.program.tag).toBe(kernel.programTags().fromVm);
  }
}

describe('the agent over any history', () => {
  test('never an open tap, never a rule nobody gave, and it always arrives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const story = new Story();
        for (const item of steps) await story.tell(item);
        await story.checkConverges();
      }),
      { numRuns: 800, seed: 20240611 },
    );
  }, 60_000);

  test('killed before every single step of the first attachment and of an update, it arrives all the same', async () => {
    const first: Step = { do: 'wish', vm: 'vm-a', wish: plain(1) };
    const second: Step = { do: 'wish', vm: 'vm-a', wish: plain(2) };
    const total = await countSteps([first, second]);
    expect(total).toBeGreaterThan(40);
    for (let at = 1; at <= total; at += 1) {
      const story = new Story();
      story.host.kernel.crashIn(at);
      await story.tell(first);
      await story.tell(second);
      await story.checkConverges();
    }
  }, 60_000);

  test('[FS-4] killed before every single step of a quarantine and of its end, it arrives all the same', async () => {
    const first: Step = { do: 'wish', vm: 'vm-a', wish: plain(1) };
    const violate: Step = { do: 'violate', vm: 'vm-a' };
    const killSwitch: Step = { do: 'wish', vm: 'vm-a', wish: { ...plain(1), quarantined: true } };
    const total = await countSteps([first, violate, killSwitch, first]);
    for (let at = await countSteps([first]); at <= total; at += 1) {
      const story = new Story();
      await story.tell(first);
      story.host.kernel.crashIn(at - story.host.kernel.steps + 1);
      await story.tell(violate);
      await story.pass();
      expect(story.condemned.has('vm-a')).toBe(true);
      await story.tell(killSwitch);
      await story.pass();
      await story.tell(first);
      await story.checkConverges();
      expect(story.condemned.size).toBe(0);
    }
  }, 60_000);

  test('killed before every single step of the removal, nothing is left in the end', async () => {
    const first: Step = { do: 'wish', vm: 'vm-a', wish: plain(1) };
    const last: Step = { do: 'wish', vm: 'vm-a', wish: null };
    const whole = await countSteps([first, last]);
    for (let at = 1; at <= whole; at += 1) {
      const story = new Story();
      await story.tell(first);
      story.host.kernel.crashIn(at);
      await story.tell(last);
      await story.checkConverges();
      expect(story.host.records.states.size).toBe(0);
    }
  }, 60_000);
});

function isDenied(network: string, denied: Policy['denied'] = []): boolean {
  const { first, last } = cidrRange(network);
  return denied.some((range) => cidrRange(range.first).first <= first && last <= cidrRange(range.last).last);
}

function plain(port: number): Wish {
  return {
    port,
    grace: 0,
    quarantined: false,
    network: 'one',
    supported: true,
    mode: 'Filtered',
    audit: false,
    packetsPerSecond: 0,
    action: 'Quarantine',
  };
}

async function countSteps(steps: readonly Step[]): Promise<number> {
  const story = new Story();
  for (const item of steps) await story.tell(item);
  return story.host.kernel.steps;
}
