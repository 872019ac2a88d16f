import { existsSync } from 'node:fs';
import { attackerOf } from '../../../demo/scenario/attacker.ts';
import { describe } from '../../../demo/scenario/arrivals.ts';
import type { Attacker, Attempt } from '../../../demo/scenario/attempt.ts';
import { attempts } from '../../../demo/scenario/attempts.ts';
import { asDenied, asDeniedInbound } from '../../../demo/scenario/denied.ts';
import { macOf, type FarEndName } from '../../../demo/scenario/far-end.ts';
import { ask } from '../../../demo/scenario/guest-script.ts';
import { inboundAttempts } from '../../../demo/scenario/inbound.ts';
import type { Ledger, Line } from '../../../demo/scenario/ledger.ts';
import { PLACES } from '../../../demo/scenario/places.ts';
import { mustReach } from '../../../demo/scenario/reach.ts';
import { GuestFarEnd } from '../../../demo/scenario/tenant.ts';
import { tryInboundInVain, tryInVain, type Subject } from '../../../demo/scenario/trial.ts';
import type { AttachmentStatus } from '../../../src/agent/status/status.ts';
import { GATEWAY_ADDRESS, GATEWAY_MAC } from '../../../src/agent/wiring/identity.ts';
import type { Guest } from '../guest/index.ts';
import { poll } from '../lab/index.ts';
import { atOnce, inOneGo } from './at-once.ts';
import { acrossTheBridge, fromTheBridge, type Mate } from './on-the-bridge.ts';
import { BRIDGE, type FoundStage } from './stage.ts';
import { bootFound, readdress, TAKE_PLUGGED_CARD, type FoundVmSpec, type PluggedCard } from './vm.ts';

/** What is tried when; each VM has its own. */
export const PHASES = {
  found: 'found',
  before: 'before any policy',
  enforced: 'enforced',
  removed: 'network deleted',
} as const;

export function stepOf(vm: string, phase: (typeof PHASES)[keyof typeof PHASES]): string {
  return `${vm}, ${phase}`;
}

export interface Running {
  spec: FoundVmSpec;
  guest: Guest;
  subject: Subject;
}

/** So that frames leave whatever is answered, and the guest asks nobody by itself. */
const KNOWS_GATEWAY = `arp -s ${GATEWAY_ADDRESS} ${GATEWAY_MAC}`;

/**
 * Boots VMs side by side; then root of one after the other attacks before there is a network, while it is enforced, and after it
 * was deleted. All that was seen is in the ledger.
 */
export async function besiege(
  stage: FoundStage,
  specs: readonly FoundVmSpec[],
  ledger: Ledger,
): Promise<Running[]> {
  ledger.add(await stage.bridgeIsHeard());
  const guests = await Promise.all(specs.map((spec) => bootFound(spec, stage)));
  const running: Running[] = [];
  for (const [at, spec] of specs.entries()) {
    const guest = guests[at];
    if (guest === undefined) throw new Error(`${spec.name} did not boot`);
    running.push({ spec, guest, subject: await found(stage, spec, guest, ledger) });
    stage.world.add(new GuestFarEnd(guest, `VM ${spec.name}`));
  }
  await stage.world.newArrivals();
  for (const vm of running) await before(stage, vm, running, ledger);
  for (const vm of running) await bind(stage, vm, running, ledger);
  for (const vm of running) await remove(stage, vm, running, ledger);
  return running;
}

/** A card is plugged into one that runs, and the same is tried through it. */
export async function besiegePlugged(
  stage: FoundStage,
  vm: Running,
  card: PluggedCard,
  all: readonly Running[],
  ledger: Ledger,
): Promise<Running> {
  const { label, mac, address, tap, prepare } = card;
  await prepare?.(stage);
  await card.plug(stage, vm.spec);
  const spec: FoundVmSpec = { ...vm.spec, label, mac, address, tap, inBridge: true, prepare };
  await vm.guest.must(`${TAKE_PLUGGED_CARD} && ${readdress(address)}`);
  const plugged = { spec, guest: vm.guest, subject: await found(stage, spec, vm.guest, ledger) };
  await before(stage, plugged, all, ledger);
  await bind(stage, plugged, all, ledger);
  await remove(stage, plugged, all, ledger);
  return plugged;
}

/** The agent closed it, and names it as whoever started it does. */
async function found(
  { world, provider }: FoundStage,
  spec: FoundVmSpec,
  guest: Guest,
  ledger: Ledger,
): Promise<Subject> {
  const { name, uuid, mac, tap } = spec;
  const isClosed = (one: AttachmentStatus): boolean => one.mac === mac && one.state === 'Denied';
  const closed = await provider.attachment(uuid, `found with ${mac}, and closed`, isClosed);
  await world.hostFarEnd.watch(closed.tap);
  const watchedAs: FarEndName = `VM ${name}`;
  const arrived = (await world.newArrivals()).filter(({ at }) => at !== watchedAs);
  const faults = arrived.length === 0 ? [] : [`arrived meanwhile: ${describe(arrived)}`];
  if (!isCalled(closed.tap, tap)) faults.push(`said to be on ${closed.tap}; it is on ${tap}`);
  if (closed.network !== null || closed.guestAddress !== null) faults.push(closed.message);
  ledger.add({
    ...{ step: stepOf(labelOf(spec), PHASES.found), attempt: 'boot', expected: 'closed' },
    ...{ seen: closed.message, reason: '', count: null, faults },
  });
  await guest.must(`nft flush ruleset && ${KNOWS_GATEWAY}`);
  return { guest, tap: closed.tap, pinDir: provider.pinDir(closed.pins), watchedAs };
}

/** It is closed, and where it was put: in its bridge, if that. */
async function before(
  stage: FoundStage,
  vm: Running,
  all: readonly Running[],
  ledger: Ledger,
): Promise<void> {
  const step = stepOf(labelOf(vm.spec), PHASES.before);
  const inBridge = await isInBridge(stage, vm.subject.tap);
  ledger.add(
    fact(
      step,
      'its place',
      vm.spec.inBridge ? 'in the bridge' : 'in no bridge',
      inBridge === vm.spec.inBridge,
    ),
  );
  const attacker = attackerBefore(vm.spec, otherThan(vm.spec, all).address);
  await deny(stage, vm, attacker, all, step, ledger);
}

async function bind(stage: FoundStage, vm: Running, all: readonly Running[], ledger: Ledger): Promise<void> {
  const { provider, world } = stage;
  const { spec, subject } = vm;
  const step = stepOf(labelOf(spec), PHASES.enforced);
  provider.manifests.apply({ name: spec.name, endpoint: PLACES.consumer });
  const bound = await provider.attachment(spec.uuid, 'enforced', on(subject, 'Enforced'));
  ledger.add(
    fact(step, 'bound by its name', `tenant-a/${spec.name}`, bound.network === `tenant-a/${spec.name}`),
  );
  ledger.add(fact(step, 'its place', 'in no bridge', !(await isInBridge(stage, subject.tap))));
  const attacker = attackerOf(bound, otherThan(spec, all).address, PLACES.consumer);
  await subject.guest.must(readdress(attacker.address));
  await world.newArrivals();
  const handshake = { step, attempt: 'handshake to the consumer', endpoint: PLACES.consumer };
  ledger.add(await mustReach({ ...handshake, at: 'consumer' }, subject, world));
  await subject.guest.must(KNOWS_GATEWAY);
  const tries = [...attempts(attacker), ...acrossTheBridge(attacker, await matesOf(stage, spec, all))];
  for (const attempt of atOnce(tries)) ledger.add(await tryInVain(step, attempt, subject, world));
  const inbound = [...inboundAttempts(attacker), ...fromTheBridge(attacker, stage.neighbour)];
  ledger.add(await tryInboundInVain(step, inOneGo(inbound), subject, world));
  // Nobody has stopped it on its way.
  ledger.add(await mustReach({ ...handshake, attempt: 'the same, at last', at: 'consumer' }, subject, world));
}

async function remove(
  stage: FoundStage,
  vm: Running,
  all: readonly Running[],
  ledger: Ledger,
): Promise<void> {
  const { provider } = stage;
  const { spec, subject } = vm;
  const bound = await provider.attachment(spec.uuid, 'enforced', on(subject, 'Enforced'));
  provider.manifests.remove(spec.name);
  await provider.attachment(spec.uuid, 'denied', on(subject, 'Denied'));
  const attacker = attackerOf(bound, otherThan(spec, all).address, PLACES.consumer);
  await deny(stage, vm, attacker, all, stepOf(labelOf(spec), PHASES.removed), ledger);
}

/** Nothing passes at all. */
async function deny(
  stage: FoundStage,
  { spec, subject }: Running,
  attacker: Attacker,
  all: readonly Running[],
  step: string,
  ledger: Ledger,
): Promise<void> {
  const { address, port } = PLACES.consumer;
  const agreed: Attempt = {
    ...{ group: 'The consumer', title: 'the endpoint', script: ask(address, port), drops: { NoPolicy: 1 } },
    ...{ repeats: true, reaches: 'consumer' },
  };
  const tries = [
    agreed,
    ...attempts(attacker),
    ...acrossTheBridge(attacker, await matesOf(stage, spec, all)),
  ];
  for (const attempt of atOnce(asDenied(tries)))
    ledger.add(await tryInVain(step, attempt, subject, stage.world));
  const inbound = [...inboundAttempts(attacker), ...fromTheBridge(attacker, stage.neighbour)];
  ledger.add(await tryInboundInVain(step, inOneGo(asDeniedInbound(inbound)), subject, stage.world));
}

/** The VMs end, and then the taps that outlive them. Returns what the agent still has of them, by the names of their taps. */
export async function endAll(stage: FoundStage, running: readonly Running[]): Promise<string[]> {
  const { world, provider } = stage;
  await Promise.all(running.map(({ guest }) => guest.stop()));
  const isThere = async ({ tap }: Subject): Promise<boolean> =>
    (await world.host.exec(['ip', 'link', 'show', tap])).code === 0;
  for (const { spec, subject } of running) {
    if (spec.prepare !== undefined) await world.host.run(['ip', 'link', 'del', subject.tap]);
    await poll(`the end of ${subject.tap}`, async () => !(await isThere(subject)));
  }
  const left = async (): Promise<string[]> => {
    const named = (await provider.status())?.attachments.map(({ tap }) => tap);
    const isLeft = ({ tap, pinDir }: Subject): boolean =>
      named?.includes(tap) !== false || existsSync(pinDir);
    return running.filter(({ subject }) => isLeft(subject)).map(({ subject }) => subject.tap);
  };
  await poll('the end of what the agent has of them', async () => (await left()).length === 0).catch(
    () => null,
  );
  return left();
}

function attackerBefore({ mac, address }: FoundVmSpec, otherVm: string): Attacker {
  const gateway = { gatewayMac: GATEWAY_MAC, gatewayAddress: GATEWAY_ADDRESS };
  return { mac, address, ...gateway, endpoint: PLACES.consumer, otherVm };
}

/** Another VM on the bridge; where there is none, an address that nobody has. */
function otherThan(spec: FoundVmSpec, all: readonly Running[]): { mac: string | null; address: string } {
  const other = all.map((vm) => vm.spec).find((one) => one.uuid !== spec.uuid && one.inBridge);
  return other ?? { mac: null, address: '100.64.200.99' };
}

async function matesOf(stage: FoundStage, spec: FoundVmSpec, all: readonly Running[]): Promise<Mate[]> {
  const { mac, address } = otherThan(spec, all);
  const neighbour = {
    title: 'the neighbour',
    mac: await macOf(stage.neighbour, 'eth0'),
    address: '192.168.78.1',
  };
  return mac === null ? [neighbour] : [{ title: 'the other VM', mac, address }, neighbour];
}

async function isInBridge({ world }: FoundStage, tap: string): Promise<boolean> {
  return (await world.host.run(['ip', '-o', 'link', 'show', tap])).includes(` master ${BRIDGE} `);
}

function fact(step: string, attempt: string, expected: string, holds: boolean): Line {
  const seen = holds ? expected : 'otherwise';
  return { step, attempt, expected, seen, reason: '', count: null, faults: holds ? [] : ['it is otherwise'] };
}

function on({ tap }: Subject, wanted: AttachmentStatus['state']): (one: AttachmentStatus) => boolean {
  return (one) => one.tap === tap && one.state === wanted;
}

function labelOf({ name, label = name }: FoundVmSpec): string {
  return label;
}

/** `%d` is a number that its maker chose. */
function isCalled(tap: string, name: string): boolean {
  const [stem = '', rest] = name.split('%d');
  return rest === undefined ? tap === name : tap.startsWith(stem) && /^\d+$/.test(tap.slice(stem.length));
}
