import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLACES } from '../../../demo/scenario/places.ts';
import { reservePins } from '../../../demo/scenario/provider.ts';
import { GuestFarEnd } from '../../../demo/scenario/tenant.ts';
import type { Subject } from '../../../demo/scenario/trial.ts';
import { World } from '../../../demo/scenario/world.ts';
import type { AgentStatus, AttachmentStatus } from '../../../src/agent/status/status.ts';
import { GATEWAY_ADDRESS, identityOf } from '../../../src/agent/wiring/identity.ts';
import { Qemu } from '../discovery/qemu.ts';
import { readdress } from '../found-guests/vm.ts';
import { ensureImage, Guest } from '../guest/index.ts';
import type { Lab } from '../lab/index.ts';
import { AgentHome, networkOf, type AgentProcess } from '../stage/agent-process.ts';
import { makeTap } from '../stage/found-vm.ts';
import { applyMode } from '../stage/moded-manifest.ts';
import { MonitorReader } from './monitor-reader.ts';

/** Names of the VMs: an agent looks at all of the machine. */
export const OWN = 'mode-own';
export const FOUND = 'mode-found';
const BESIDE = 'mode-beside';

const CTL = fileURLToPath(new URL('../../../bin/vmnetctl', import.meta.url));
const FOUND_CARD = { mac: '52:54:00:e2:e3:02', tap: 'e2m-found0', address: '100.64.201.2' };
const BESIDE_CARD = { mac: '52:54:00:e2:e3:03', tap: 'e2m-beside0' };
/** What Direct may not reach, besides what no class can allow. */
const CLASS = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkClass
metadata: {name: e2e}
spec:
  allowedModes: [Direct, Sampled, Conntrack, Filtered]
  deniedDestinations: {networks: [${PLACES.lanNeighbour}/32]}
`;

/** A guest under the agent, and what its QEMU says of its own end. */
export interface ModedGuest extends Subject {
  readonly name: string;
  readonly monitor: MonitorReader;
}

/** What may be said of a network besides its mode. */
interface Declared {
  readonly mode: string;
  readonly more?: readonly string[];
}

export class ModedStage {
  readonly lab: Lab;
  readonly world: World;
  readonly home: AgentHome;
  readonly agent: AgentProcess;
  readonly own: ModedGuest;
  readonly found: ModedGuest;
  /** A machine with a card on a tap of its own, which nobody has reason to end. Its guest never runs. */
  readonly beside: Qemu;

  private constructor(
    parts: Pick<ModedStage, 'lab' | 'world' | 'home' | 'agent' | 'own' | 'found' | 'beside'>,
  ) {
    this.lab = parts.lab;
    this.world = parts.world;
    this.home = parts.home;
    this.agent = parts.agent;
    this.own = parts.own;
    this.found = parts.found;
    this.beside = parts.beside;
  }

  /** Both guests run, and are held to the consumer in mode Filtered. */
  static async open(lab: Lab): Promise<ModedStage> {
    const image = await ensureImage();
    const world = await World.build(lab);
    const { host } = world;
    const home = new AgentHome(host, lab.scratch, reservePins(lab));
    writeFileSync(join(home.manifests, 'class.yaml'), CLASS);
    for (const name of [OWN, FOUND]) declare(home, name, { mode: 'Filtered' });
    for (const { tap } of [FOUND_CARD, BESIDE_CARD]) await makeTap(host, tap);
    const agent = home.start(['--managed-interfaces', 'e2m-*']);
    await agent.until('the first pass', () => true, 60_000);
    const qmp = (path: string): string[] => ['-qmp', `unix:${path},server=on,wait=off`];
    const card = (tap: string, mac: string): string[] => [
      ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no`],
      ...['-device', `virtio-net-pci,netdev=n0,mac=${mac}`],
    ];
    const beside = new Qemu(host, ['-name', `guest=${BESIDE}`, ...card(BESIDE_CARD.tap, BESIDE_CARD.mac)]);
    const monitorOf = (name: string): string => join(lab.scratch, `${name}.qmp`);
    const boot = (
      name: string,
      network: { address: string; gateway: string },
      words: Words,
    ): Promise<Guest> =>
      Guest.boot({
        ...{ name, image, scratch: lab.scratch },
        network: { ...network, endpoint: `${PLACES.consumer.address}:${String(PLACES.consumer.port)}` },
        launch: (argv) => host.spawn(words(argv), { stdio: ['ignore', 'pipe', 'pipe'] }),
      });
    const run = [CTL, 'run', '-f', join(home.manifests, `${OWN}.yaml`), '--vm', OWN, ...home.paths, '--'];
    // The own one has a monitor that is free besides; that of the found one is always in somebody's use.
    const spare = join(lab.scratch, 'spare.qmp');
    const [ownGuest, foundGuest] = await Promise.all([
      boot(OWN, { address: '{{address}}', gateway: '{{gateway}}' }, (argv) => [
        ...[...run, ...argv, ...qmp(monitorOf(OWN)), ...qmp(spare)],
      ]),
      boot(FOUND, { address: FOUND_CARD.address, gateway: GATEWAY_ADDRESS }, (argv) => [
        ...[...argv, '-name', `guest=${FOUND}`, ...qmp(monitorOf(FOUND))],
        ...card(FOUND_CARD.tap, FOUND_CARD.mac),
      ]),
    ]);
    const subject = async (name: string, guest: Guest, tap: string): Promise<ModedGuest> => {
      const { pins } = await enforcedOn(agent, tap);
      const monitor = await MonitorReader.hold(monitorOf(name));
      await world.hostFarEnd.watch(tap);
      await guest.must('nft flush ruleset');
      const watchedAs = name === FOUND ? 'other VM' : null;
      return { name, guest, tap, pinDir: join(home.bpffs, pins), watchedAs, monitor };
    };
    const own = await subject(OWN, ownGuest, identityOf(OWN).tap);
    const found = await subject(FOUND, foundGuest, FOUND_CARD.tap);
    const { guestAddress } = await enforcedOn(agent, FOUND_CARD.tap);
    await foundGuest.must(readdress(guestAddress ?? ''));
    world.add(new GuestFarEnd(foundGuest));
    await world.newArrivals();
    return new ModedStage({ lab, world, home, agent, own, found, beside });
  }

  /** Writes the network of a guest anew; resolves when the agent has read the new policy back from the kernel. */
  async declare({ name, tap }: ModedGuest, declared: Declared): Promise<AgentStatus> {
    const generation = (status: AgentStatus): number => this.on(status, tap)?.enforced?.generation ?? 0;
    const before = generation(await this.now());
    declare(this.home, name, declared);
    return this.agent.until(`${name} in mode ${declared.mode}`, (status) => {
      const isTold = networkOf(status, name)?.mode === declared.mode;
      return isTold && generation(status) > before;
    });
  }

  now(): Promise<AgentStatus> {
    return this.agent.until('a status', () => true);
  }

  on(status: AgentStatus, tap: string): AttachmentStatus | undefined {
    return status.attachments.find((one) => one.tap === tap);
  }

  /** `Status Reason` of a condition of a guest's network. */
  said(status: AgentStatus, { name }: ModedGuest, type: string): string {
    const condition = networkOf(status, name)?.conditions.find((one) => one.type === type);
    return `${condition?.status ?? ''} ${condition?.reason ?? ''}`;
  }

  async close(): Promise<void> {
    for (const { monitor, guest } of [this.own, this.found]) {
      monitor.close();
      await guest.stop();
    }
    if (!this.beside.ended) await this.beside.kill();
    await this.agent.end('SIGKILL');
  }
}

type Words = (argv: readonly string[]) => string[];

function declare(home: AgentHome, name: string, { mode, more = [] }: Declared): void {
  const endpoint = mode === 'Direct' ? {} : { endpoint: PLACES.consumer };
  const common = ['className: e2e', ...(mode === 'Direct' ? [] : ['wireGuard: {strict: true}'])];
  applyMode(home, mode, { name, ...endpoint, more: [...common, ...more] });
}

async function enforcedOn(agent: AgentProcess, tap: string): Promise<AttachmentStatus> {
  const find = (status: AgentStatus): AttachmentStatus | undefined =>
    status.attachments.find((one) => one.tap === tap && one.state === 'Enforced');
  return find(await agent.until(`${tap} to be enforced`, (seen) => find(seen) !== undefined, 30_000))!;
}
