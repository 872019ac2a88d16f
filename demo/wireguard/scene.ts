import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { bootDebian } from '../../test/support/debian-guest/boot.ts';
import { CONSUMER_INSIDE, ConsumerTunnel } from '../../test/support/debian-guest/consumer-tunnel.ts';
import type { DebianImage } from '../../test/support/debian-guest/image.ts';
import type { GuestImage } from '../../test/support/guest/index.ts';
import type { Lab } from '../../test/support/lab/index.ts';
import type { Ledger, Line } from '../scenario/ledger.ts';
import type { Rental } from '../scenario/manifest.ts';
import type { Narrator } from '../scenario/narrator.ts';
import { OTHER_VM, PLACES, VM } from '../scenario/places.ts';
import { Provider, reservePins } from '../scenario/provider.ts';
import { bootRented, GuestFarEnd } from '../scenario/tenant.ts';
import type { Subject } from '../scenario/trial.ts';
import { World } from '../scenario/world.ts';
import { CARD, USER_DATA, VM_INSIDE } from './places.ts';

export interface SceneOptions {
  lab: Lab;
  /** Of the VM that is watched. */
  debian: DebianImage;
  /** Of the other VM on its host. */
  small: GuestImage;
  ledger: Ledger;
  narrator: Narrator;
}

/** The demo's world with an agent, a real WireGuard at the consumer, and a real Debian that `vmnetctl run` started. */
export class Scene {
  readonly world: World;
  readonly provider: Provider;
  readonly tunnel: ConsumerTunnel;
  readonly narrator: Narrator;
  readonly #options: SceneOptions;
  rental: Rental;
  /** The VM of the story; another QEMU after a restart. */
  subject: Subject;
  /** Of the VM's key, as the consumer was told. */
  publicKey = '';

  private constructor(
    options: SceneOptions,
    parts: { world: World; provider: Provider; tunnel: ConsumerTunnel; rental: Rental; subject: Subject },
  ) {
    this.#options = options;
    this.narrator = options.narrator;
    this.world = parts.world;
    this.provider = parts.provider;
    this.tunnel = parts.tunnel;
    this.rental = parts.rental;
    this.subject = parts.subject;
  }

  /** Everything but the end of the guest's boot: its shell answers, and nothing else of it is waited for. */
  static async open(options: SceneOptions): Promise<Scene> {
    const { lab, small } = options;
    const bpffs = reservePins(lab);
    const world = await World.build(lab, { withTunnels: true });
    const tunnel = await ConsumerTunnel.open(lab, world.consumer, PLACES.consumer.port);
    const provider = new Provider(world, bpffs);
    const inside = { address: VM_INSIDE, nameServer: CONSUMER_INSIDE };
    const rental = {
      ...{ name: VM, endpoint: PLACES.consumer },
      tunnel: { peerPublicKey: tunnel.publicKey, ...inside },
    };
    const other: Rental = { name: OTHER_VM, endpoint: PLACES.secondConsumer };
    provider.manifests.apply(rental);
    const otherFile = provider.manifests.apply(other);
    await provider.startAgent();
    const { tap } = identityOf(VM);
    const otherGuest = await bootRented(other, otherFile, small, world, provider);
    world.add(new GuestFarEnd(otherGuest));
    await provider.attachment(OTHER_VM, 'Enforced', ({ state }) => state === 'Enforced');
    const guest = await bootTenant(options, world, provider);
    const subject = { guest, tap, pinDir: provider.pinDir(tap), watchedAs: null, card: CARD };
    const scene = new Scene(options, { world, provider, tunnel, rental, subject });
    const peerConfig = await provider.peerConfig(VM);
    scene.publicKey = /^PublicKey = (.*)$/m.exec(peerConfig)?.[1] ?? '';
    await tunnel.configure(peerConfig);
    return scene;
  }

  /** Its QEMU ended, and it is started anew by the same command: the same key, and a new seed for what the network says now. */
  async startAgain(): Promise<void> {
    await this.subject.guest.stop();
    this.subject = { ...this.subject, guest: await bootTenant(this.#options, this.world, this.provider) };
  }

  /** Of all that was tried and looked at. */
  add(line: Line): void {
    this.#options.ledger.add(line);
    this.narrator.attempt(line);
  }
}

let boots = 0;

async function bootTenant({ lab, debian, narrator }: SceneOptions, world: World, provider: Provider) {
  const userData = join(lab.scratch, 'user-data');
  writeFileSync(userData, USER_DATA);
  narrator.busy('booting Debian under `vmnetctl run` (a minute under emulation)');
  return bootDebian({
    ...{ name: `${VM}-${String(++boots)}`, image: debian, scratch: lab.scratch, devices: [] },
    spawn: (argv) => {
      const words = provider.runWords(provider.manifests.pathOf(VM), VM, argv, ['--user-data', userData]);
      return world.host.spawn(words, { stdio: ['ignore', 'pipe', 'pipe'] });
    },
  });
}
