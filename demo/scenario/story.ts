import { identityOf } from '../../src/agent/wiring/identity.ts';
import type { AttachmentStatus } from '../../src/agent/status/status.ts';
import type { Guest, GuestImage } from '../../test/support/guest/index.ts';
import type { Lab } from '../../test/support/lab/index.ts';
import { attachedAt, sameAttachment } from './adoption.ts';
import { attackerOf, guestAddressOf } from './attacker.ts';
import type { Attacker, Attempt } from './attempt.ts';
import { attempts } from './attempts.ts';
import { describe } from './arrivals.ts';
import { asDenied, asDeniedInbound } from './denied.ts';
import { ask } from './guest-script.ts';
import { inboundAttempts } from './inbound.ts';
import type { Ledger, Line } from './ledger.ts';
import type { Rental } from './manifest.ts';
import type { Narrator } from './narrator.ts';
import { OTHER_VM, PLACES, VM } from './places.ts';
import { Provider, reservePins } from './provider.ts';
import { mustReach, type Handshake } from './reach.ts';
import { bootRented, GuestFarEnd } from './tenant.ts';
import { tryInboundInVain, tryInVain, type Subject } from './trial.ts';
import { World } from './world.ts';

export interface StoryOptions {
  lab: Lab;
  image: GuestImage;
  ledger: Ledger;
  narrator: Narrator;
}

/** Both VMs run, the first one's tap is watched, and everything tried so far is in the ledger. */
interface Scene {
  world: World;
  provider: Provider;
  subject: Subject;
  other: Subject;
  ledger: Ledger;
  narrator: Narrator;
}

const RENTAL: Rental = { name: VM, endpoint: PLACES.consumer };
const OTHER: Rental = { name: OTHER_VM, endpoint: PLACES.secondConsumer };

export const STEPS = {
  born: 'no agent yet',
  enforced: 'enforced',
  killed: 'agent killed',
  adopted: 'new agent',
  moved: 'endpoint moved',
  removed: 'spec removed',
} as const;

/** The whole story, from the first boot to the removed spec. Throws when it cannot go on; what it saw is in the ledger. */
export async function tellStory({ lab, image, ledger, narrator }: StoryOptions): Promise<void> {
  const scene = await open(lab, image, ledger, narrator);
  const attacker = await startEnforcing(scene);
  await attack(scene, STEPS.enforced, attacker);
  await killAgent(scene, attacker);
  const moved = await moveEndpoint(scene, attacker);
  await removeSpec(scene, moved);
}

async function open(lab: Lab, image: GuestImage, ledger: Ledger, narrator: Narrator): Promise<Scene> {
  narrator.step(
    'A VM is rented',
    'A host, its LAN, a metadata server, the internet and two consumers: namespaces of this machine.',
  );
  const bpffs = reservePins(lab);
  const world = await World.build(lab);
  const provider = new Provider(world, bpffs);
  const file = provider.manifests.apply(RENTAL);
  const otherFile = provider.manifests.apply(OTHER);
  narrator.busy('booting two guests with `vmnetctl run` (5 s)');
  const [guest, otherGuest] = await Promise.all([
    bootRented(RENTAL, file, image, world, provider),
    bootRented(OTHER, otherFile, image, world, provider),
  ]);
  const subject = subjectOf(VM, guest, provider, null);
  world.add(new GuestFarEnd(otherGuest));
  await world.hostFarEnd.watch(subject.tap);
  await world.newArrivals();
  const scene = {
    world,
    provider,
    subject,
    other: subjectOf(OTHER_VM, otherGuest, provider, 'other VM'),
    ledger,
    narrator,
  };
  narrator.say('Both VMs run; no agent does. Their taps were closed before QEMU opened them.');
  add(scene, await nothingLeaves(scene));
  return scene;
}

function subjectOf(vm: string, guest: Guest, provider: Provider, watchedAs: Subject['watchedAs']): Subject {
  const { tap } = identityOf(vm);
  return { guest, tap, pinDir: provider.pinDir(tap), watchedAs };
}

/**
 * Before any agent has run the tap is not even up, so nothing can be counted. What the guest still holds back for its
 * gateway is thrown away, or it would be sent, quite rightly, as soon as the VM is enforced.
 */
async function nothingLeaves({ subject, world }: Scene): Promise<Line> {
  const words = `${ask(PLACES.consumer.address, PLACES.consumer.port)}; code=$?; ip neigh flush dev eth0; exit $code`;
  const { code, output } = await subject.guest.run(words);
  const arrived = await world.newArrivals();
  const faults = arrived.length === 0 ? [] : [`arrived: ${describe(arrived)}`];
  if (code !== 1) faults.push(`the guest was answered, or could not ask: ${output.trim()}`);
  return {
    step: STEPS.born,
    attempt: 'handshake to the consumer',
    expected: 'dropped',
    seen: arrived.length === 0 ? 'nothing' : describe(arrived),
    reason: 'closed tap',
    count: null,
    faults,
  };
}

async function startEnforcing(scene: Scene): Promise<Attacker> {
  const { provider, narrator, subject } = scene;
  narrator.step(
    'One YAML, enforced',
    `The agent starts on ${VM}.yaml: the VM may talk to ${text(PLACES.consumer)} and nothing else.`,
  );
  narrator.busy('starting the agent, waiting for Enforced');
  await provider.startAgent();
  const attachment = await provider.attachment(VM, 'Enforced', isEnforced);
  await provider.attachment(OTHER_VM, 'Enforced', isEnforced);
  narrator.say(
    `Enforced, read back from the kernel: tap ${attachment.tap}, policy ${attachment.enforced?.policyHash.slice(0, 12) ?? '?'}.`,
  );
  await reachConsumer(scene, STEPS.enforced);
  const firewall = await subject.guest.must(
    'nft list ruleset | grep -c . && nft flush ruleset && nft list ruleset | wc -l',
  );
  narrator.say(
    `Root in the guest flushes its own firewall: ${firewall.trim().replace('\n', ' lines of rules before, ')} after.`,
  );
  const other = await provider.attachment(OTHER_VM, 'Enforced', isEnforced);
  return attackerOf(attachment, guestAddressOf(other), PLACES.consumer);
}

async function attack(scene: Scene, step: string, attacker: Attacker): Promise<void> {
  const { world, subject, narrator } = scene;
  const tries = attempts(attacker);
  narrator.step(
    `Root tries everything (${step})`,
    `${String(tries.length)} ways out, then the ways in. Far ends listen and capture.`,
  );
  for (const attempt of tries) add(scene, await tryInVain(step, attempt, subject, world));
  for (const attempt of inboundAttempts(attacker))
    add(scene, await tryInboundInVain(step, attempt, subject, world));
}

async function killAgent(scene: Scene, attacker: Attacker): Promise<void> {
  scene.narrator.step('kill -9', 'The agent dies without a word. The filter lives in the kernel.');
  await scene.provider.killAgent();
  await reachConsumer(scene, STEPS.killed);
  await attack(scene, STEPS.killed, attacker);
}

async function moveEndpoint(scene: Scene, attacker: Attacker): Promise<Attacker> {
  const { provider, narrator, subject, world } = scene;
  narrator.step(
    'A new agent adopts',
    'It finds the programs at their pins and must not replace or reopen them.',
  );
  const before = attachedAt(subject.pinDir);
  await provider.startAgent();
  const adopted = await provider.attachment(VM, 'Enforced', isEnforced);
  add(scene, sameAttachment(STEPS.adopted, before, attachedAt(subject.pinDir)));
  await reachConsumer(scene, STEPS.adopted);

  const to = PLACES.secondConsumer;
  narrator.step(
    'The endpoint moves',
    `One line of the YAML changes: ${text(PLACES.consumer)} becomes ${text(to)}.`,
  );
  provider.manifests.apply({ ...RENTAL, endpoint: to });
  const generation = adopted.enforced?.generation ?? 0;
  const moved = (found: AttachmentStatus): boolean =>
    isEnforced(found) && (found.enforced?.generation ?? 0) > generation;
  await provider.attachment(VM, 'Enforced with the new endpoint', moved);
  const attempt = 'handshake to the new consumer';
  const handshake: Handshake = { step: STEPS.moved, attempt, at: 'second consumer', endpoint: to };
  add(scene, await mustReach(handshake, subject, world));
  const later = { ...attacker, endpoint: to };
  for (const attempt of afterMove(later)) add(scene, await tryInVain(STEPS.moved, attempt, subject, world));
  return later;
}

/** The old endpoint, and a wrong port of the new one. */
function afterMove({ endpoint }: Attacker): Attempt[] {
  const common = { group: 'The consumer', repeats: true };
  const old = PLACES.consumer;
  return [
    {
      ...common,
      title: 'the old endpoint',
      script: ask(old.address, old.port),
      drops: { DestinationAddress: 1 },
      reaches: 'consumer',
    },
    {
      ...common,
      title: 'a wrong port of the new one',
      script: ask(endpoint.address, endpoint.port + 1),
      drops: { DestinationPort: 1 },
      reaches: 'second consumer',
    },
  ];
}

async function removeSpec(scene: Scene, attacker: Attacker): Promise<void> {
  const { provider, narrator, subject, world, other } = scene;
  narrator.step(
    'The spec is removed',
    'The YAML is deleted while the VM runs: from now on nothing passes at all.',
  );
  provider.manifests.remove(VM);
  await provider.attachment(VM, 'Denied', (found) => found.state === 'Denied');
  for (const attempt of withoutSpec(attacker))
    add(scene, await tryInVain(STEPS.removed, attempt, subject, world));
  for (const attempt of asDeniedInbound(inboundAttempts(attacker)))
    add(scene, await tryInboundInVain(STEPS.removed, attempt, subject, world));
  narrator.say('The other VM on this host has its own spec and noticed nothing:');
  const attempt = "the other VM's handshake to its consumer";
  const { endpoint } = OTHER;
  add(
    scene,
    await mustReach({ step: STEPS.removed, attempt, at: 'second consumer', endpoint }, other, world),
  );
}

function withoutSpec(attacker: Attacker): Attempt[] {
  const { endpoint } = attacker;
  const common = { group: 'The consumer', repeats: true, reaches: 'consumer' } as const;
  const agreed: Attempt[] = [
    { ...common, title: 'the endpoint', script: ask(endpoint.address, endpoint.port), drops: {} },
    {
      ...common,
      title: 'the old endpoint',
      script: ask(PLACES.consumer.address, PLACES.consumer.port),
      drops: {},
    },
  ];
  const before = attempts(attacker).filter(({ group }) =>
    ['The internet', 'The provider', 'Spoofing'].includes(group),
  );
  return asDenied([...agreed, ...before]);
}

async function reachConsumer(scene: Scene, step: string): Promise<void> {
  const { subject, world } = scene;
  const attempt = 'handshake to the consumer';
  add(scene, await mustReach({ step, attempt, at: 'consumer', endpoint: PLACES.consumer }, subject, world));
}

function isEnforced(found: AttachmentStatus): boolean {
  return found.state === 'Enforced';
}

function add(scene: Scene, line: Line): void {
  scene.ledger.add(line);
  scene.narrator.attempt(line);
}

function text({ address, port }: { address: string; port: number }): string {
  return `${address}:${String(port)}`;
}
