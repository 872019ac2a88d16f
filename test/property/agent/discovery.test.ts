import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualMachineSchema } from '../../../src/api/v1alpha1/virtual-machine.ts';
import type { HostCard } from '../../../src/agent/discovery/directory.ts';
import { FoundVms } from '../../../src/agent/discovery/found-vms.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  ModelMachine,
  type ModelProcess,
  type ModelTap,
  OWN,
} from '../../support/discovery/model-machine.ts';

/*
 * Discovery over a model of a machine on which VMs come and go, taps are renamed and moved, cards are plugged, monitors are
 * held, and namespaces lose their names. After each step, when what it led to has settled, nothing may be believed that is
 * not so; in the end, when the slow look has been, everything must be known.
 */

const SETTLE_MS = 200;
const RESYNC_MS = 30_000;

type Step =
  | {
      readonly do: 'start';
      readonly at: number;
      readonly taps: number;
      readonly monitor: ModelProcess['monitor'];
      readonly by: 'name' | 'fd' | 'exec';
    }
  | {
      readonly do: 'kill' | 'rename' | 'plug' | 'unplug' | 'stranger' | 'unname' | 'restart';
      readonly which: number;
    }
  | { readonly do: 'move'; readonly which: number; readonly at: number }
  | { readonly do: 'monitor'; readonly which: number; readonly monitor: ModelProcess['monitor'] }
  | { readonly do: 'wait'; readonly ms: number };

const which = fc.nat({ max: 20 });
const at = fc.nat({ max: 3 });
const monitor = fc.constantFrom('none' as const, 'free' as const, 'held' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('start' as const),
      at,
      taps: fc.nat({ max: 3 }),
      monitor,
      by: fc.constantFrom('name' as const, 'fd' as const, 'exec' as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'kill' as const,
        'rename' as const,
        'plug' as const,
        'unplug' as const,
        'stranger' as const,
        'unname' as const,
        'restart' as const,
      ),
      which,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), which, at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('monitor' as const), which, monitor }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 100, 3000, 40_000) }),
  },
);

class World {
  readonly clock = new FakeClock();
  readonly machine = new ModelMachine();
  readonly #places: number[] = [OWN];
  readonly #strangers: ModelProcess[] = [];
  readonly vms: ModelProcess[] = [];
  /** Those whose command line tells of their first cards, whatever became of the names: by descriptors, or seen from the start. */
  readonly #traceable = new Map<ModelProcess, ReadonlySet<number>>();
  found = this.#found();
  changes = 0;

  constructor() {
    for (const name of ['pod-a', 'pod-b']) this.#places.push(this.machine.makeNetns(name));
    this.#places.push(this.machine.makeNetns(null));
    // Somebody stays in each, so that it lives on without its name.
    for (const place of this.#places) this.machine.fork('pause', place);
  }

  async take(step: Step): Promise<void> {
    const { machine } = this;
    switch (step.do) {
      case 'start':
        await this.#start(step);
        break;
      case 'kill': {
        const vm = this.#pick([...this.vms, ...this.#strangers], step.which);
        if (vm === undefined) break;
        for (const list of [this.vms, this.#strangers])
          if (list.includes(vm)) list.splice(list.indexOf(vm), 1);
        machine.kill(vm);
        break;
      }
      case 'rename': {
        const tap = this.#pick(this.#taps(), step.which);
        if (tap !== undefined) machine.rename(tap, `n${String(machine.next())}`);
        break;
      }
      case 'move': {
        const tap = this.#pick(this.#taps(), step.which);
        if (tap !== undefined) machine.move(tap, this.#place(step.at));
        break;
      }
      case 'plug': {
        const vm = this.#pick(this.vms, step.which);
        if (vm === undefined) break;
        const fd = machine.next();
        machine.hold(vm, fd, machine.makeTap(vm.netns, `p${String(fd)}`));
        await this.settle(60);
        vm.cards.set(`late${String(fd)}`, { mac: macOf(fd), fd, kind: 'tap' });
        break;
      }
      case 'unplug': {
        const vm = this.#pick(this.vms, step.which);
        const [id, card] = this.#pick([...(vm?.cards ?? [])], step.which) ?? [];
        if (vm === undefined || id === undefined || card === undefined) break;
        vm.cards.delete(id);
        if (card.fd !== null) machine.drop(vm, card.fd);
        break;
      }
      case 'stranger': {
        const stranger = machine.fork('openvpn', this.#place(step.which));
        machine.hold(stranger, 3, machine.makeTap(stranger.netns, `s${String(stranger.pid)}`));
        this.#strangers.push(stranger);
        break;
      }
      case 'unname':
        machine.unnameNetns(this.#place(1 + (step.which % 2)));
        break;
      case 'monitor': {
        const vm = this.#pick(this.vms, step.which);
        if (vm !== undefined) vm.monitor = step.monitor;
        break;
      }
      case 'restart':
        this.found.close();
        expect(machine.isLetGo).toBe(true);
        this.found = this.#found();
        // What it knew of renamed taps is gone with it.
        for (const vm of this.vms) if (vm.words.join(' ').includes('ifname=')) this.#traceable.delete(vm);
        break;
      case 'wait':
        await this.settle(step.ms);
        break;
    }
    await this.settle(SETTLE_MS);
  }

  settle(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /** Whatever is said to be filterable is so. */
  checkBeliefs(): void {
    const reported = this.found.list().map(({ reported }) => virtualMachineSchema.parse(reported));
    expect(new Set(reported.map(({ id }) => id)).size).toBe(reported.length);
    for (const { cards } of this.found.list()) {
      for (const card of cards) if (card.unsupported === null) expect(this.#isSo(card)).toBe(true);
    }
  }

  /** Whether, between two slow looks, there is nothing left to be done but the next of them. */
  async comesToRest(): Promise<boolean> {
    let atRest = false;
    for (let second = 0; second < 30; second++) {
      await this.settle(1000);
      atRest ||= this.clock.pending === 1;
    }
    return atRest;
  }

  /** Nothing that there is may be missing. */
  checkKnowledge(): void {
    const listed = new Map(
      this.found
        .list()
        .flatMap(({ cards, reported }) =>
          cards.map((card) => [
            `${String(card.pid)} ${card.link?.netns ?? ''} ${String(card.link?.ifindex)}`,
            { card, reported },
          ]),
        ),
    );
    for (const process of [...this.vms, ...this.#strangers]) {
      for (const [fd, tap] of process.taps) {
        const netns = tap.netns === OWN ? '' : `net:[${String(tap.netns)}]`;
        const found = listed.get(`${String(process.pid)} ${netns} ${String(tap.ifindex)}`);
        expect([process.program, found === undefined ? 'missing' : 'listed']).toEqual([
          process.program,
          'listed',
        ]);
        const [card] = [...process.cards.values()].filter((one) => one.fd === fd);
        if (card === undefined) continue;
        if (process.monitor !== 'free' && this.#traceable.get(process)?.has(fd) !== true) continue;
        expect(found?.card).toMatchObject({
          mac: card.mac,
          unsupported: null,
          link: { name: this.machine.nameOf(tap) },
        });
      }
    }
    const names = this.vms.map(({ pid }) => `vm-${String(pid)}`);
    expect(
      this.found
        .list()
        .map(({ reported }) => reported.name)
        .filter((name) => name.startsWith('vm-'))
        .sort(),
    ).toEqual(names.sort());
  }

  close(): void {
    this.found.close();
    this.found.close();
    expect(this.machine.isLetGo).toBe(true);
    expect(this.clock.pending).toBe(0);
  }

  #isSo({ mac, link, pid, startTicks }: HostCard): boolean {
    const process = this.vms.find((vm) => vm.pid === pid);
    const [card] = [...(process?.cards.values() ?? [])].filter((one) => one.mac === mac);
    const tap = card?.fd == null ? undefined : process?.taps.get(card.fd);
    return (
      tap !== undefined &&
      process?.startTicks === startTicks &&
      link?.ifindex === tap.ifindex &&
      (link.netns ?? `net:[${String(OWN)}]`) === `net:[${String(tap.netns)}]` &&
      link.name === this.machine.nameOf(tap)
    );
  }

  async #start({ at, taps, monitor, by }: Extract<Step, { do: 'start' }>): Promise<void> {
    const { machine } = this;
    const netns = this.#place(at);
    const vm = machine.fork(by === 'exec' ? 'libvirtd' : 'qemu-system-x86_64', netns);
    const words = [
      'qemu-system-x86_64',
      '-name',
      `vm-${String(vm.pid)}`,
      '-nodefaults',
      '-qmp',
      'unix:/q,server=on,wait=off',
    ];
    for (let i = 0; i < taps; i++) {
      const fd = machine.next();
      const name = `t${String(fd)}`;
      machine.hold(vm, fd, machine.makeTap(netns, name));
      vm.cards.set(`n${String(fd)}`, { mac: macOf(fd), fd, kind: 'tap' });
      const how = by === 'name' ? `ifname=${name}` : `fd=${String(fd)}`;
      words.push(
        '-netdev',
        `tap,id=n${String(fd)},${how}`,
        '-device',
        `virtio-net-pci,netdev=n${String(fd)},mac=${macOf(fd)}`,
      );
    }
    if (by === 'exec') await this.settle(120);
    vm.program = 'qemu-system-x86_64';
    vm.words = words;
    vm.monitor = monitor;
    this.vms.push(vm);
    const isNamed = machine.namespaces.get(netns)?.name !== null || netns === OWN;
    if (by !== 'name' || isNamed) this.#traceable.set(vm, new Set(vm.taps.keys()));
  }

  #taps(): ModelTap[] {
    return [...this.vms, ...this.#strangers].flatMap(({ taps }) => [...taps.values()]);
  }

  #place(at: number): number {
    return this.#places[at % this.#places.length] ?? OWN;
  }

  #pick<T>(among: readonly T[], at: number): T | undefined {
    return among[at % Math.max(among.length, 1)];
  }

  #found(): FoundVms {
    const { machine, clock } = this;
    const found = new FoundVms({
      machine,
      clock,
      log: createLogger({ level: 'silent' }),
      resyncMs: RESYNC_MS,
    });
    found.onChange(() => (this.changes += 1));
    found.start();
    return found;
  }
}

function macOf(fd: number): string {
  return `52:54:00:00:${(fd >> 8).toString(16).padStart(2, '0')}:${(fd & 255).toString(16).padStart(2, '0')}`;
}

test('what is said is so, all that there is is said in the end, and nothing is held on to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps) => {
      const world = new World();
      for (const one of steps) {
        await world.take(one);
        world.checkBeliefs();
      }
      await world.settle(2 * RESYNC_MS + SETTLE_MS);
      world.checkBeliefs();
      world.checkKnowledge();
      const { changes } = world;
      await world.settle(3 * RESYNC_MS);
      expect(world.changes).toBe(changes);
      expect(await world.comesToRest()).toBe(true);
      world.close();
    }),
    { numRuns: 400 },
  );
}, 120_000);
