import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { allocateAddress } from '../../src/agent/wiring/address-pool.ts';
import { DEFAULT_POOL } from '../../src/agent/wiring/identity.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import type { Destination } from '../support/frames/policy-bytes.ts';
import { poll, type Capture } from '../support/lab/index.ts';
import { networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { Blaster, type BlasterCard } from '../support/stage/blaster.ts';
import { bareTaps } from '../support/stage/bare-taps.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { seededRandom } from '../support/stage/random.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { tally } from '../support/stage/tally.ts';
import { briefly, destinationOf, stampOf, type Stamp } from '../support/stage/stamp.ts';
import { describe } from '../support/stage/needs.ts';
import { vmnetctl } from '../unit/cli/vmnetctl.ts';

/*
 * Theory of operation. Six VMs send to three places all the time: consumer A, consumer B, and X, which nobody ever
 * named. "still" is held to A and never touched; "mover" is moved between A and B; "comer" is held to A, comes and
 * goes. These are on taps of ours; three others (FOUND) do the same on taps that somebody else made and put into a bridge, and
 * somebody puts that of the moving one back there now and then. Agents are started and killed at random moments meanwhile, in
 * the middle of attach, update and detach. Every
 * frame carries who sent it, to whom, and when, so what arrived can be held against what was in force at that moment:
 *
 *  - a place no manifest had named for a VM before the frame was sent: forbidden;
 *  - a place that an agent had reported as no longer in force ("Enforced" for the other, or "Denied"), until a
 *    manifest named it again: forbidden;
 *  - everything else may or may not arrive, but "still" and its like must not lose a single frame.
 *
 * After each kill the kernel is asked as well: no tap may be left without both programs.
 */

/** `make test-kills` has 300. */
const KILLS = Number(process.env['VMN_KILLS'] ?? 100);
const LONGEST_LIFE_MS = 500;
/** Every so often an agent is left alone until it has converged, then disturbed, then killed within this. */
const CONVERGE_EVERY = 12;
const DISTURBED_LIFE_MS = 60;
/** Between stamping a frame and writing it a blaster may lose the processor for this long, and the policy may open meanwhile. */
const SLACK_NS = 20_000_000n;
const SEED = Number(process.env['VMN_KILL_SEED'] ?? 20_240_607);

const { a, b, x } = RentalLab;
const places = { a, b, x };
type Place = keyof typeof places;
/** Agents look at all VMs of the machine, and so at those of another run of this. */
const RUN = (process.pid % 36 ** 4).toString(36);
/** Those on taps of others: the one that nobody touches, the one that moves, the one that comes and goes. */
const FOUND = [`fs-${RUN}`, `fm-${RUN}`, `fc-${RUN}`] as const;
const [FSTILL, FMOVER, FCOMER] = FOUND;
const TAPS = `kl-${RUN}`;
const PATTERNS = ['--managed-interfaces', `${TAPS}*`];
const BRIDGE = 'br-kill';
const tapOf = (vm: string): string => TAPS + vm.slice(0, 2);
const same = (one: Destination | null, other: Destination): boolean =>
  one?.address === other.address && one.port === other.port;

/** When a VM was forbidden a place, in CLOCK_MONOTONIC nanoseconds; an open end is still so. */
interface Ban {
  vm: string;
  place: Place;
  fromNs: bigint;
  untilNs: bigint | null;
}

class Bans {
  readonly all: Ban[] = [];

  /** From this moment on. */
  begin(vm: string, place: Place): void {
    if (this.#open(vm, place) !== undefined) return;
    this.all.push({ vm, place, fromNs: process.hrtime.bigint(), untilNs: null });
  }

  /** To be called before a manifest that names the place is written. */
  end(vm: string, place: Place): void {
    const open = this.#open(vm, place);
    if (open !== undefined) open.untilNs = process.hrtime.bigint();
  }

  breaks({ vm, place, sentNs }: Stamp): boolean {
    return this.all.some(
      (ban) =>
        ban.vm === vm &&
        ban.place === place &&
        sentNs >= ban.fromNs &&
        (ban.untilNs === null || sentNs < ban.untilNs - SLACK_NS),
    );
  }

  #open(vm: string, place: Place): Ban | undefined {
    return this.all.find((ban) => ban.vm === vm && ban.place === place && ban.untilNs === null);
  }
}

describe('the agent is killed at any moment', () => {
  const random = seededRandom(SEED);
  const bans = new Bans();
  /** What the manifests say now; null is no manifest. */
  const declared: Record<string, Destination | null> = {
    ...{ still: null, mover: null, comer: null },
    ...Object.fromEntries(FOUND.map((vm) => [vm, null])),
  };
  const vms = Object.keys(declared);
  let rental: RentalLab;
  let blaster: Blaster;
  let captures: { a: Capture; b: Capture; x: Capture };
  let arrivals: Awaited<ReturnType<RentalLab['arrivals']>>;
  let agent: AgentProcess | undefined;
  const qemus: FoundVm[] = [];
  /** Of those on taps of others. */
  const cards = new Map<string, BlasterCard>();
  /** Names of the pins of those who are never touched. */
  let stillPins: Record<string, string>;
  let leave = (): void => undefined;

  beforeAll(async () => {
    rental = await RentalLab.open('kill');
    leave = moveInto(rental.host);
    captures = await rental.captures();
    arrivals = await rental.arrivals(...vms);
    // Puts the guard in place.
    agent = start();
    await agent.until('the first pass', () => true, 30_000);
    await rental.host.run(['ip', 'link', 'add', BRIDGE, 'up', 'type', 'bridge']);
    for (const [at, vm] of FOUND.entries()) {
      await makeTap(rental.host, tapOf(vm), BRIDGE);
      qemus.push(FoundVm.start(rental.host, vm, [{ tap: tapOf(vm), mac: macOf(at) }]));
    }
    const fds = qemus.map((qemu) => qemu.fd());
    blaster = new Blaster(rental.host, places, 4, fds);
    for (const vm of vms) for (const place of ['a', 'b', 'x'] as const) bans.begin(vm, place);
    for (const [fd, vm] of FOUND.entries()) {
      const guestMac = macOf(fd);
      const guestAddress = allocateAddress(`${vm}/${guestMac}`, DEFAULT_POOL, new Set());
      cards.set(vm, { tap: tapOf(vm), guestMac, guestAddress, fd });
      // Of the one that is not to lose a frame each must arrive that its filter passes: its way must be there.
      if (vm !== FSTILL) await blaster.plug(vm, cards.get(vm)!);
    }
    await agent.until('all of them to be found', (status) =>
      FOUND.every((vm) => attachmentOf(status, vm)?.vm === vm),
    );
  }, 90_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    for (const qemu of qemus) await qemu.kill();
    leave();
    await rental?.close();
  }, 30_000);

  const start = (): AgentProcess => rental.home.start(PATTERNS);
  const macOf = (at: number): string => `52:54:00:ce:00:0${String(at + 1)}`;

  /** On its tap; an agent that starts before it knows who is here makes one more for a VM of that name. */
  function attachmentOf(status: AgentStatus, vm: string): AttachmentStatus | undefined {
    const isFound = FOUND.some((one) => one === vm);
    return status.attachments.find((one) => one.vm === vm && (!isFound || one.tap === tapOf(vm)));
  }

  function enforces(status: AgentStatus, vm: string, endpoint: Destination): boolean {
    const inForce = networkOf(status, vm)?.endpoint ?? null;
    if (inForce === null || !same(inForce, endpoint)) return false;
    const attachment = attachmentOf(status, vm);
    return attachment?.state === 'Enforced' && attachment.network === `tenant/${vm}`;
  }

  function declare(vm: string, endpoint: Destination): void {
    for (const place of ['a', 'b'] as const) if (same(endpoint, places[place])) bans.end(vm, place);
    declared[vm] = endpoint;
    apply(rental.home, { name: vm, endpoint });
  }

  function retract(vm: string): void {
    declared[vm] = null;
    withdraw(rental.home, vm);
  }

  /** One of the things that an operator does; half of them meet a VM that is running. */
  async function disturb(): Promise<void> {
    const isOwn = random() < 0.5;
    const [mover, comer] = isOwn ? ['mover', 'comer'] : [FMOVER, FCOMER];
    if (!isOwn && random() < 0.3) {
      await rental.host.run(['ip', 'link', 'set', tapOf(FMOVER), 'master', BRIDGE]);
    } else if (random() < 0.5) {
      declare(mover, same(declared[mover] ?? null, a) ? b : a);
    } else if (declared[comer] === null) {
      declare(comer, a);
    } else {
      retract(comer);
      if (isOwn && random() < 0.5) await blaster.unplug(comer);
    }
  }

  /** True when the agent reports for every VM just what its manifest says now. */
  function converged(status: AgentStatus): boolean {
    return vms.every((vm) => {
      const endpoint = declared[vm] ?? null;
      if (endpoint !== null) return enforces(status, vm, endpoint);
      const state = attachmentOf(status, vm)?.state ?? 'Denied';
      return state === 'Denied' && !status.networks.some(({ name }) => name === vm);
    });
  }

  /** Holds the agent to what it reports, and plugs in the guests whose taps it made. */
  async function settle(current: AgentProcess): Promise<AgentStatus> {
    const status = await current.until('convergence', converged, 30_000);
    for (const vm of vms) {
      const endpoint = declared[vm] ?? null;
      for (const place of ['a', 'b'] as const) if (!same(endpoint, places[place])) bans.begin(vm, place);
      const attachment = attachmentOf(status, vm);
      if (endpoint === null || attachment?.guestAddress == null) continue;
      const { tap, mac: guestMac, guestAddress } = attachment;
      await blaster.plug(vm, cards.get(vm) ?? { tap, guestMac, guestAddress });
    }
    return status;
  }

  async function kill(): Promise<void> {
    await agent?.end('SIGKILL');
    agent = undefined;
    expect(bareTaps(rental.home.bpffs)).toEqual([]);
    expect(FOUND.filter((vm) => isBare(tapOf(vm)))).toEqual([]);
  }

  /** Whether a tap of somebody else's lacks a program on either hook. */
  function isBare(tap: string): boolean {
    const { ifindex = 0 } = linkByName(tap) ?? {};
    const { fromVm, toVm } = readBack(join(rental.home.bpffs, `if-0-${String(ifindex)}`));
    return [fromVm, toVm].some((hook) => hook?.ifindex !== ifindex || !hook.first);
  }

  test(`[contract 1] ${String(KILLS)} times SIGKILL, seed ${String(SEED)}`, async () => {
    for (const vm of vms) declare(vm, a);
    await settle(agent!);
    await kill();
    let converges = 0;
    for (let round = 0; round < KILLS; round += 1) {
      agent = start();
      const lifeMs = random() * LONGEST_LIFE_MS;
      if (round % CONVERGE_EVERY === 0) {
        await settle(agent);
        converges += 1;
        await disturb();
        await pause(random() * DISTURBED_LIFE_MS);
      } else if (round % 3 === 0) {
        const disturbedMs = random() * lifeMs;
        await pause(disturbedMs);
        await disturb();
        await pause(lifeMs - disturbedMs);
      } else {
        await pause(lifeMs);
      }
      await kill();
    }
    expect(converges).toBe(Math.ceil(KILLS / CONVERGE_EVERY));
  }, 480_000);

  test('the next agent converges, and what is declared works', async () => {
    for (const mover of ['mover', FMOVER]) declare(mover, b);
    for (const comer of ['comer', FCOMER]) declare(comer, a);
    agent = start();
    const status = await settle(agent);
    const pinsOf = (vm: string): string => attachmentOf(status, vm)?.pins ?? '';
    stillPins = { still: pinsOf('still'), [FSTILL]: pinsOf(FSTILL) };
    const moment = process.hrtime.bigint();
    for (const [vm, place] of [
      ['still', 'a'],
      ['mover', 'b'],
      ['comer', 'a'],
      [FSTILL, 'a'],
      [FMOVER, 'b'],
      [FCOMER, 'a'],
    ] as const) {
      const fresh = (): boolean =>
        stamps(captures[place]).some((stamp) => stamp.vm === vm && stamp.sentNs > moment);
      await poll(`frames of ${vm} at ${place}`, fresh, { everyMs: 100 });
    }
  }, 60_000);

  test('far-end captures show no frame that no policy in force ever allowed', async () => {
    await blaster.end();
    for (const one of Object.values(captures)) await one.drain();
    expect(briefly(captures.x.frames())).toEqual([]);
    expect((await arrivals.x.seen()).get('all')).toBe(0);
    const atB = await arrivals.b.seen();
    const staying = ['still', 'comer', FSTILL, FCOMER];
    expect(staying.map((vm) => atB.get(vm))).toEqual([0, 0, 0, 0]);
    for (const place of ['a', 'b'] as const) {
      const frames = captures[place].frames();
      const seen = stamps(captures[place]);
      expect(seen.length).toBe(frames.length);
      expect(new Set(frames.map(destinationOf))).toEqual(new Set([places[place].address]));
      expect(seen.filter((stamp) => stamp.place !== place)).toEqual([]);
      expect(seen.filter((stamp) => bans.breaks(stamp)).slice(0, 5)).toEqual([]);
      // A capture may miss frames on a busy machine, the kernel's counter does not; it must not be blind.
      expect(seen.length).toBeGreaterThan(0.9 * ((await arrivals[place].seen()).get('all') ?? 0));
      expect(seen.length).toBeGreaterThan(100);
    }
    expect(stamps(captures.b).filter(({ vm }) => staying.includes(vm))).toEqual([]);
  }, 60_000);

  test.each([
    ['ours', 'still'],
    ['of others', FSTILL],
  ])(
    '[EB-4] [contract 1] the VM that nobody touched, on a tap %s, lost not one frame',
    async (_whose, vm) => {
      const seen = await arrivals.a.seen();
      const counted = tally(join(rental.home.bpffs, stillPins[vm] ?? ''));
      expect({ arrived: seen.get(vm), counted }).toEqual({
        arrived: Number(counted.get('from-vm ALLOWED')),
        counted,
      });
      const reasons = [...counted.keys()].filter((key) => key.startsWith('from-vm '));
      expect(reasons.sort()).toEqual(['from-vm ALLOWED', 'from-vm DESTINATION_ADDRESS']);
      expect(seen.get(vm)).toBeGreaterThan(1000);
    },
  );

  test('removal leaves nothing', async () => {
    for (const vm of vms) retract(vm);
    for (const qemu of qemus) await qemu.kill();
    for (const vm of FOUND) await rental.host.run(['ip', 'link', 'del', tapOf(vm)]);
    await agent?.until('removal', (status) => !status.attachments.some(({ vm }) => vms.includes(vm)));
    await poll('the pins to go', async () => (await pins()) === '');
    await agent?.end('SIGTERM');
    // Who has patterns leaves the guard in place.
    const removal = await vmnetctl(['guard', 'remove', ...rental.home.paths], {
      prefix: rental.host.enter([]),
    });
    expect(removal).toMatchObject({ code: 0 });
    expect(await rental.host.run(['ip', '-o', 'link', 'show', 'type', 'tun'])).toBe('');
    expect(await rental.host.run(['nft', 'list', 'tables'])).toBe('');
    expect(await pins()).toBe('');
  }, 60_000);

  async function pins(): Promise<string> {
    return (await rental.host.exec(['sh', '-c', `find ${rental.home.bpffs} -type f`])).stdout;
  }
});

function stamps(capture: Capture): Stamp[] {
  return capture
    .frames()
    .map(stampOf)
    .filter((stamp) => stamp !== null);
}
