import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { HostVm } from '../../../src/agent/discovery/directory.ts';
import { wantedOf } from '../../../src/agent/source/manifest-source.ts';
import type { HostView, Wanted } from '../../../src/agent/source/wanted.ts';
import { isCardKey } from '../../../src/agent/wiring/card-key.ts';
import { GATEWAY_MAC } from '../../../src/agent/wiring/identity.ts';
import { isManaged } from '../../../src/agent/wiring/managed.ts';
import { parseMacAddress } from '../../../src/api/v1alpha1/mac-address.ts';
import { isVmnError } from '../../../src/lib/errors.ts';
import { decodePolicy } from '../../../src/native/policy-abi.ts';
import { GENEROUS, manifests, ModelHost } from '../../unit/agent/support/model-host.ts';
import { Crash } from '../../unit/agent/support/model-kernel.ts';

// Long because it is one story: what can happen to a host, what must hold after each step, and how both are told.

/*
 * Whole passes over links that others made: VMs that come, go and come back elsewhere, links that are renamed, enslaved, robbed,
 * moved away and whose numbers are used again, a directory that lags behind, and an agent that fails or is killed between any
 * two steps. Checked between all steps, not only at the end.
 */

const CARDS = ['vm-a', 'vm-b'] as const;
type Name = (typeof CARDS)[number];
const MACS: Record<Name, string> = { 'vm-a': '52:54:00:00:00:0a', 'vm-b': '52:54:00:00:00:0b' };
/** The links of vm-a match; those of vm-b are managed once they are bound. */
const PATTERNS = ['aa*'];
const BRIDGE = 77;

type Step =
  | { readonly do: 'wish'; readonly vm: Name; readonly port: number | null }
  | { readonly do: 'start'; readonly vm: Name; readonly reuse: boolean; readonly bridged: boolean }
  | { readonly do: 'end'; readonly vm: Name; readonly linkStays: boolean }
  | { readonly do: 'swap' }
  | { readonly do: 'twin'; readonly vm: Name }
  | { readonly do: 'rename' | 'enslave' | 'moveAway'; readonly vm: Name }
  | { readonly do: 'rob'; readonly vm: Name; readonly side: 'from' | 'to' }
  | { readonly do: 'look' | 'restart' | 'flush' | 'unwire' }
  | { readonly do: 'upgrade'; readonly tag: string }
  | { readonly do: 'fail' | 'crash'; readonly steps: number }
  | { readonly do: 'wait'; readonly ms: number };

const vm = fc.constantFrom(...CARDS);
const of = <T extends string>(...kinds: T[]) => fc.record({ do: fc.constantFrom(...kinds), vm });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wish' as const),
      vm,
      port: fc.option(fc.integer({ min: 1, max: 4 })),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('start' as const),
      vm,
      reuse: fc.boolean(),
      bridged: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), vm, linkStays: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('swap' as const) }) },
  { weight: 1, arbitrary: of('twin') },
  { weight: 4, arbitrary: of('rename', 'enslave', 'moveAway') },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('rob' as const), vm, side: fc.constantFrom('from', 'to') }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('look' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('restart', 'flush', 'unwire') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('upgrade' as const), tag: fc.constantFrom('bbbb', 'cccc') }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('fail', 'crash'), steps: fc.integer({ min: 1, max: 70 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60_000 }) }),
  },
);

const seldom = fc.integer({ min: 0, max: 3 }).map((die) => die === 0);

class Story {
  readonly host = new ModelHost();
  readonly wishes = new Map<Name, number>();
  /** `mac port` of every wish that was ever made. */
  readonly given = new Set<string>();
  /** Where each VM really is, and by which process. */
  readonly places = new Map<Name, { ifindex: number; pid: number }>();
  /** A second card that the directory puts on the link of a VM. */
  readonly twins = new Set<Name>();
  readonly left: number[] = [];
  /** Policies seen in force, by link object. */
  readonly seen = new Map<object, string>();
  #pid = 100;
  #names = 0;

  constructor() {
    this.host.managedPatterns = PATTERNS;
    this.host.kernel.check = () => this.checkInstant();
  }

  async tell(item: Step): Promise<void> {
    this.do(item);
    await this.pass();
  }

  do(item: Step): void {
    const { kernel } = this.host;
    const place = 'vm' in item ? this.places.get(item.vm) : undefined;
    const link = place === undefined ? undefined : kernel.modelLinks.get(place.ifindex);
    switch (item.do) {
      case 'wish':
        this.wishes.delete(item.vm);
        if (item.port === null) break;
        this.wishes.set(item.vm, item.port);
        this.given.add(`${MACS[item.vm]} ${item.port}`);
        break;
      case 'start': {
        if (place !== undefined) break;
        const number = item.reuse ? this.left.find((ifindex) => !kernel.modelLinks.has(ifindex)) : undefined;
        const name = `${item.vm === 'vm-a' ? 'aa' : 'bb'}${(this.#names += 1)}`;
        const master = item.bridged ? BRIDGE : 0;
        const ifindex = kernel.addForeignTap(name, {
          master,
          ...(number === undefined ? {} : { ifindex: number }),
        });
        this.#run(item.vm, ifindex);
        break;
      }
      case 'end':
        if (place === undefined) break;
        this.#stop(item.vm, place.pid);
        this.left.push(place.ifindex);
        if (!item.linkStays && link !== undefined) kernel.removeForeign(place.ifindex);
        break;
      case 'swap': {
        // Each VM is started again on the other's link.
        const [one, two] = [this.places.get('vm-a'), this.places.get('vm-b')];
        if (one === undefined || two === undefined) break;
        this.#stop('vm-a', one.pid);
        this.#stop('vm-b', two.pid);
        this.#run('vm-a', two.ifindex);
        this.#run('vm-b', one.ifindex);
        break;
      }
      case 'twin':
        if (this.twins.has(item.vm)) this.twins.delete(item.vm);
        else this.twins.add(item.vm);
        break;
      case 'rename':
        if (link !== undefined) link.name = `${link.name.slice(0, 2)}r${(this.#names += 1)}`;
        break;
      case 'enslave':
        if (link !== undefined) link.master = BRIDGE;
        break;
      case 'moveAway':
        if (place === undefined || link === undefined) break;
        // It still runs, and the directory does not know yet.
        kernel.moveAway(place.ifindex);
        this.places.delete(item.vm);
        this.left.unshift(place.ifindex);
        break;
      case 'rob':
        if (link !== undefined) kernel.rob(link.name, item.side);
        break;
      case 'look':
        this.look();
        break;
      case 'restart':
        this.host.restart();
        break;
      case 'flush':
        this.host.nft.table = null;
        break;
      case 'unwire':
        kernel.routeTable.splice(0);
        break;
      case 'upgrade':
        kernel.tag = item.tag;
        this.host.restart();
        break;
      case 'fail':
        kernel.failIn(item.steps);
        break;
      case 'crash':
        kernel.crashIn(item.steps);
        break;
      case 'wait':
        this.host.advance(item.ms);
        break;
    }
  }

  /** The directory sees what is there. */
  look(): void {
    this.host.vms = [...this.places].flatMap(([name, { ifindex, pid }]): HostVm[] => {
      const link = this.host.kernel.modelLinks.get(ifindex);
      if (link === undefined) return [];
      const at = { netns: null, ifindex, name: link.name };
      const card = (mac: string) => ({ mac, link: at, unsupported: null, pid, startTicks: String(pid) });
      const macs = this.twins.has(name) ? [MACS[name], '52:54:00:00:00:ff'] : [MACS[name]];
      const interfaces = macs.map((mac) => ({ mac: parseMacAddress(mac)!, name: link.name }));
      return [{ reported: { id: name, name, labels: {}, interfaces }, cards: macs.map(card) }];
    });
  }

  #run(name: Name, ifindex: number): void {
    const pid = (this.#pid += 1);
    this.host.kernel.processes.set(pid, String(pid));
    this.places.set(name, { ifindex, pid });
  }

  #stop(name: Name, pid: number): void {
    this.host.kernel.processes.delete(pid);
    this.places.delete(name);
  }

  async pass(): Promise<void> {
    try {
      await this.host.passFor((view) => this.wanted(view));
    } catch (error) {
      if (error instanceof Crash || this.host.kernel.dead) this.host.restart();
      else if (!isVmnError(error)) throw error;
    }
    this.checkInstant();
  }

  wanted(view: HostView): Wanted {
    const networks = Object.fromEntries(
      [...this.wishes].map(([name, port]) => [
        `net-${name}`,
        {
          selector: { names: [name] },
          consumerEndpoint: { address: '203.0.113.10', port },
          endpointGraceSeconds: 60,
        },
      ]),
    );
    // No taps of our own in this story.
    return {
      ...wantedOf(manifests(networks, { classes: [GENEROUS] }), view, this.host.vms),
      attachments: [],
    };
  }

  /** At any instant: nothing passes but by a policy for exactly this card, on a link outside of any bridge when it was written. */
  checkInstant(): void {
    const { kernel, vms } = this.host;
    for (const link of kernel.modelLinks.values()) {
      if (link.foreignTap !== true) continue;
      const { from, to } = kernel.attached(link.ifindex);
      const policies = [from, to]
        .flatMap((attachment) => attachment?.program.slot.policy ?? [])
        .map(decodePolicy);
      for (const { guestMac, endpoint, previous } of policies) {
        for (const allowed of previous === null ? [endpoint] : [endpoint, previous]) {
          if (!this.given.has(`${guestMac} ${String(allowed?.port)}`))
            throw new Error(`nobody ever allowed ${guestMac} ${String(allowed?.port)}`);
        }
        if (this.seen.get(link) === guestMac) continue;
        // New on this link.
        const claims = vms.flatMap(({ cards }) =>
          cards.filter((card) => card.link?.ifindex === link.ifindex),
        );
        const [claim] = claims;
        if (claims.length !== 1 || claim?.mac !== guestMac || claim.link?.name !== link.name)
          throw new Error(`${link.name} got the policy of ${guestMac}, which is not known to be there`);
        if (link.master !== 0) throw new Error(`${link.name} got a policy while it is in a bridge`);
        if (from === null || to === null) throw new Error(`${link.name} got a policy without both programs`);
        this.seen.set(link, guestMac);
      }
      if (policies.length === 0) this.seen.delete(link);
      const isWired =
        link.mac === GATEWAY_MAC || kernel.routeTable.some(({ ifindex }) => ifindex === link.ifindex);
      if (isWired && (from === null || to === null) && !kernel.robbed.has(link.ifindex))
        throw new Error(`${link.name} was wired before it was closed`);
    }
    // What left us judges by nothing once a pass was through; see checkConverges.
  }

  async checkConverges(): Promise<void> {
    const { host } = this;
    const { kernel } = host;
    kernel.calm();
    this.look();
    for (let round = 0; round < 3; round += 1) {
      await this.pass();
      host.advance(61_000);
    }
    host.changes.splice(0);
    const result = await host.passFor((view) => this.wanted(view));
    expect(host.changes).toEqual([]);
    expect(result.problems).toEqual([]);
    const bound = new Map<number, Name>();
    for (const [name, { ifindex }] of this.places) if (!this.twins.has(name)) bound.set(ifindex, name);
    for (const link of kernel.modelLinks.values()) {
      if (link.foreignTap !== true) continue;
      const name = bound.get(link.ifindex);
      const port = name === undefined ? undefined : this.wishes.get(name);
      const { from, to } = kernel.attached(link.ifindex);
      const found = result.attachments.find(({ observed }) => observed?.link?.ifindex === link.ifindex);
      if (port === undefined) {
        if (isManaged(link.name, PATTERNS))
          expect([from?.program.slot.policy, to?.program.slot.policy]).toEqual([null, null]);
        else
          expect([from?.program.slot.policy ?? null, to?.program.slot.policy ?? null]).toEqual([null, null]);
        expect(kernel.routeTable.filter(({ ifindex }) => ifindex === link.ifindex)).toEqual([]);
        continue;
      }
      expect([found?.verified, found?.policy?.endpoint?.port, found?.policy?.guestMac]).toEqual([
        true,
        port,
        MACS[name!],
      ]);
      expect([link.master, link.mac, link.up, from?.program.tag]).toEqual([
        0,
        GATEWAY_MAC,
        true,
        kernel.programTags().fromVm,
      ]);
    }
    // Nobody's pins, nobody's records; what is elsewhere is closed there.
    for (const [path, set] of kernel.pins) {
      const isAway = [set.from, set.to].some((attachment) => attachment?.away === true);
      if (isAway) expect([set.from?.program.slot.policy, set.to?.program.slot.policy]).toEqual([null, null]);
      else expect(kernel.modelLinks.has(Number(path.split('-').at(-1)))).toBe(true);
    }
    for (const [key, state] of host.records.states) {
      if (!isCardKey(key) || state.state !== 'ok') continue;
      const { vm: name } = state.record;
      expect(this.wishes.has(name as Name) || this.places.has(name as Name)).toBe(true);
    }
  }
}

describe('links of others, over any history', () => {
  test('never a policy but for exactly the card that is there, closed before wired, and it always arrives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, seldom), { minLength: 1, maxLength: 16 }), async (steps) => {
        const story = new Story();
        // Some of it happens before the next pass, or while no agent runs.
        for (const [item, isUnseen] of steps) {
          if (isUnseen) story.do(item);
          else await story.tell(item);
        }
        await story.checkConverges();
      }),
      { numRuns: 500, seed: 20240612 },
    );
  }, 60_000);

  test('the address of a card outlives its interface', async () => {
    const story = new Story();
    const begin: Step[] = [
      { do: 'wish', vm: 'vm-a', port: 1 },
      { do: 'start', vm: 'vm-a', reuse: false, bridged: true },
      { do: 'look' },
    ];
    for (const item of begin) await story.tell(item);
    const address = (): string[] => story.host.kernel.routeTable.map(({ destination }) => destination);
    const first = address();
    expect(first).toHaveLength(1);
    await story.tell({ do: 'end', vm: 'vm-a', linkStays: false });
    await story.tell({ do: 'look' });
    expect(address()).toEqual([]);
    for (const item of begin.slice(1)) await story.tell(item);
    expect(address()).toEqual(first);
    await story.checkConverges();
  });

  const inForce = ({ host: { kernel } }: Story, ifindex: number): unknown =>
    kernel.attached(ifindex).from?.program.slot.policy;

  test('a VM has ended and its interface stays: closed before the directory has looked', async () => {
    const story = await bound('vm-a');
    const { ifindex } = story.places.get('vm-a')!;
    expect(inForce(story, ifindex)).not.toBeNull();
    await story.tell({ do: 'end', vm: 'vm-a', linkStays: true });
    expect(inForce(story, ifindex)).toBeNull();
  });

  test('a link left us, and another has its number before the directory has looked: closed there and here', async () => {
    const story = await bound('vm-a');
    story.do({ do: 'wish', vm: 'vm-b', port: 2 });
    const { ifindex } = story.places.get('vm-a')!;
    const [former] = [...story.host.kernel.pins.values()];
    story.do({ do: 'moveAway', vm: 'vm-a' });
    await story.tell({ do: 'start', vm: 'vm-b', reuse: true, bridged: false });
    expect([former?.from?.away, former?.from?.program.slot.policy]).toEqual([true, null]);
    expect(story.places.get('vm-b')?.ifindex).toBe(ifindex);
    expect(inForce(story, ifindex)).toBeNull();
    await story.tell({ do: 'look' });
    expect(inForce(story, ifindex)).not.toBeNull();
    await story.checkConverges();
  });

  test('renamed while bound: nothing changes, before the directory has looked and after', async () => {
    const story = await bound('vm-b');
    const { ifindex } = story.places.get('vm-b')!;
    const before = inForce(story, ifindex);
    await story.tell({ do: 'rename', vm: 'vm-b' });
    expect(inForce(story, ifindex)).toBe(before);
    await story.tell({ do: 'look' });
    expect(inForce(story, ifindex)).toBe(before);
  });

  test('killed before every single step of a binding, of its move, and of its end, it arrives all the same', async () => {
    const tale: Step[] = [
      { do: 'wish', vm: 'vm-b', port: 1 },
      { do: 'start', vm: 'vm-b', reuse: false, bridged: true },
      { do: 'look' },
      { do: 'wish', vm: 'vm-b', port: 2 },
      { do: 'moveAway', vm: 'vm-b' },
      { do: 'look' },
      { do: 'start', vm: 'vm-b', reuse: true, bridged: false },
      { do: 'look' },
      { do: 'wish', vm: 'vm-b', port: null },
    ];
    const whole = new Story();
    for (const item of tale) await whole.tell(item);
    const total = whole.host.kernel.steps;
    expect(total).toBeGreaterThan(60);
    for (let at = 1; at <= total; at += 1) {
      const story = new Story();
      story.host.kernel.crashIn(at);
      for (const item of tale) await story.tell(item);
      await story.checkConverges();
    }
  }, 60_000);
});

/** This VM runs, and its network is enforced. */
async function bound(name: Name): Promise<Story> {
  const story = new Story();
  await story.tell({ do: 'wish', vm: name, port: 1 });
  await story.tell({ do: 'start', vm: name, reuse: false, bridged: true });
  await story.tell({ do: 'look' });
  return story;
}
