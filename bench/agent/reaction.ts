import { writeSync } from 'node:fs';
import { fromGuest } from '../../test/support/frames/cast.ts';
import type { Destination } from '../../test/support/frames/policy-bytes.ts';
import { NETWORKS } from '../../test/support/scripted-agent/kinds.ts';
import { castOf } from '../../test/support/stage/agent-cast.ts';
import type { AgentProcess } from '../../test/support/stage/agent-process.ts';
import { ClusterLab, type RunningVm } from '../../test/support/stage/cluster-lab.ts';
import { RentalLab } from '../../test/support/stage/rental-lab.ts';
import type { Deadline } from '../fleet/deadline.ts';
import { quantileOf, spreadOf } from '../statistics.ts';
import type { Told } from '../told.ts';
import type { Effort } from './effort.ts';
import { FarEar } from './far-ear.ts';
import { isEnforced, NetworkWatch } from './network-watch.ts';

/** What something took, and right before it one write of an object that means nothing to anybody. */
interface Reaction {
  readonly ms: number;
  readonly roundTripMs: number;
}

export interface ReactionFigures {
  /** From sending a new VMNetwork until the API server shows it enforced. */
  readonly applied: readonly Reaction[];
  /** From sending another endpoint until the first datagram has come there. */
  readonly moved: readonly Reaction[];
}

const VM = 'rental';
const BYSTANDER = 'bystander';
/** How often the guest sends to the endpoint that it is about to have, ms. */
const SENDS_EVERY_MS = 1;

/** P18 and P19: API server, controller, agent and kernel, all of them real, with a VM that runs. */
export async function measureReaction({ changes }: Effort, deadline: Deadline): Promise<ReactionFigures> {
  deadline.doing('a cluster of one host starts');
  const lab = await ClusterLab.open('bench');
  try {
    await lab.stage.controller();
    const agent = lab.startAgent();
    const vm = await lab.startVm(VM);
    const scene = await Scene.open(lab, agent, vm, deadline);
    try {
      deadline.doing(`${String(changes)} networks are applied`);
      const applied = await inTurn(changes, () => scene.apply());
      deadline.doing(`${String(changes)} endpoints change`);
      await scene.rent();
      const moved = await inTurn(changes, (at) => scene.move(at));
      return { applied, moved };
    } finally {
      await scene.close();
    }
  } finally {
    await lab.close();
  }
}

class Scene {
  readonly #lab: ClusterLab;
  readonly #agent: AgentProcess;
  readonly #vm: RunningVm;
  readonly #tenant: string;
  readonly #watch: NetworkWatch;
  readonly #ears: readonly FarEar[];
  readonly #signal: AbortSignal;
  #writes = 0;

  private constructor(parts: {
    lab: ClusterLab;
    agent: AgentProcess;
    vm: RunningVm;
    tenant: string;
    watch: NetworkWatch;
    ears: readonly FarEar[];
    signal: AbortSignal;
  }) {
    this.#lab = parts.lab;
    this.#agent = parts.agent;
    this.#vm = parts.vm;
    this.#tenant = parts.tenant;
    this.#watch = parts.watch;
    this.#ears = parts.ears;
    this.#signal = parts.signal;
  }

  static async open(
    lab: ClusterLab,
    agent: AgentProcess,
    vm: RunningVm,
    { signal }: Deadline,
  ): Promise<Scene> {
    const { consumerA, consumerB } = lab.rental;
    const ears = [await FarEar.open(consumerA, RentalLab.a), await FarEar.open(consumerB, RentalLab.b)];
    const tenant = await lab.stage.namespace();
    // It selects a VM that there is not.
    await lab.network(tenant, BYSTANDER);
    const watch = await NetworkWatch.start(lab.stage.admin);
    return new Scene({ lab, agent, vm, tenant, watch, ears, signal });
  }

  /** The VM gets a network that it had not, and loses it again. */
  async apply(): Promise<Reaction> {
    const roundTripMs = await this.#roundTrip();
    const ms = await timed(() => this.rent());
    await this.#lab.stage.remove(this.#tenant, VM);
    await this.#watch.until(VM, this.#signal, (network) => network === null);
    return { ms, roundTripMs };
  }

  async rent(): Promise<void> {
    await this.#lab.network(this.#tenant, VM);
    await this.#watch.until(VM, this.#signal, isEnforced);
  }

  /** While the guest never stops sending to where it is not yet allowed to. */
  async move(at: number): Promise<Reaction> {
    const turn = at % 2 === 0 ? 1 : 0;
    const to = [RentalLab.a, RentalLab.b][turn]!;
    const ear = this.#ears[turn]!;
    const frame = await this.#frameTo(to);
    const roundTripMs = await this.#roundTrip();
    const send = setInterval(() => writeSync(this.#vm.fd, frame), SENDS_EVERY_MS);
    try {
      const heard = ear.hears(this.#signal);
      const ms = await timed(async () => {
        await this.#lab.stage.edit(this.#tenant, VM, { consumerEndpoint: to });
        await heard;
      });
      await this.#watch.until(VM, this.#signal, isEnforced);
      return { ms, roundTripMs };
    } finally {
      clearInterval(send);
    }
  }

  async close(): Promise<void> {
    for (const ear of this.#ears) ear.close();
    await this.#watch.close();
  }

  async #frameTo({ address, port }: Destination): Promise<Uint8Array> {
    const status = await this.#agent.until('the address of the guest', ({ attachments }) =>
      attachments.some(({ vm, guestAddress }) => vm === VM && guestAddress !== null),
    );
    const cast = castOf(status, VM, RentalLab.a);
    return fromGuest(cast, { ip: { destination: address }, udp: { destinationPort: port } });
  }

  /** Another value each time: what changes nothing is not written. */
  #roundTrip(): Promise<number> {
    const { admin } = this.#lab.stage;
    const place = { namespace: this.#tenant, name: BYSTANDER };
    const label = { metadata: { labels: { round: String((this.#writes += 1)) } } };
    return timed(() => admin.mergePatch(NETWORKS, place, label));
  }
}

async function inTurn<T>(count: number, work: (at: number) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  for (let at = 0; at < count; at += 1) done.push(await work(at));
  return done;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function appliedRows({ applied }: ReactionFigures): Told[] {
  const what = 'a VMNetwork is applied, its VM runs: until it is enforced';
  const slowest = quantileOf(
    applied.map(({ ms }) => ms),
    0.99,
  );
  const { ours, other } = sidesOf(applied);
  return [
    { id: 'p50', what, ...inRoundTrips(applied), target: { gate: 10, aim: 5 } },
    {
      ...{
        id: 'p99',
        what: `${what}, 99 of 100`,
        against: ONE_WRITE,
        unit: 'times',
        values: [slowest / other],
      },
      sides: { ours: slowest, other, unit: 'ms' },
      target: { gate: 30, aim: 15 },
    },
    {
      id: 'ms',
      what: 'the same',
      unit: 'ms',
      values: applied.map(({ ms }) => ms),
      sides: { ours, other, unit: 'ms' },
    },
  ];
}

export function movedRows({ moved }: ReactionFigures): Told[] {
  const what = 'another endpoint: until the first datagram has come there';
  return [{ id: 'p50', what, ...inRoundTrips(moved), target: { gate: 5, aim: 3 } }];
}

const ONE_WRITE = 'one write of another VMNetwork';

function inRoundTrips(reactions: readonly Reaction[]): Pick<Told, 'against' | 'unit' | 'values' | 'sides'> {
  return {
    against: ONE_WRITE,
    unit: 'times',
    values: reactions.map(({ ms, roundTripMs }) => ms / roundTripMs),
    sides: { ...sidesOf(reactions), unit: 'ms' },
  };
}

function sidesOf(reactions: readonly Reaction[]): { ours: number; other: number } {
  return {
    ours: spreadOf(reactions.map(({ ms }) => ms)).median,
    other: spreadOf(reactions.map(({ roundTripMs }) => roundTripMs)).median,
  };
}
