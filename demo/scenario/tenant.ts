import { Guest, type GuestImage } from '../../test/support/guest/index.ts';
import type { FarEnd, FarEndName } from './far-end.ts';
import type { Provider } from './provider.ts';
import type { Rental } from './manifest.ts';
import type { World } from './world.ts';

/** Boots a rented VM as its launcher would: QEMU through `vmnetctl run`, which makes the closed tap first. */
export async function bootRented(
  rental: Rental,
  file: string,
  image: GuestImage,
  world: World,
  provider: Provider,
): Promise<Guest> {
  const { host, lab } = world;
  return Guest.boot({
    name: rental.name,
    image,
    scratch: lab.scratch,
    network: { address: '{{address}}', gateway: '{{gateway}}', endpoint: '{{endpoint}}' },
    launch: (argv) =>
      host.spawn(provider.runWords(file, rental.name, argv), { stdio: ['ignore', 'pipe', 'pipe'] }),
  });
}

/** A guest as a far end: what its own network card has received. */
export class GuestFarEnd implements FarEnd {
  readonly name: FarEndName;
  readonly #guest: Guest;

  constructor(guest: Guest, name: FarEndName = 'other VM') {
    this.#guest = guest;
    this.name = name;
  }

  arrivals(): Promise<number> {
    return receivedBy(this.#guest);
  }
}

/** Frames that the guest's network card was given since it booted. */
export async function receivedBy(guest: Guest, card = 'eth0'): Promise<number> {
  return Number(await guest.must(`read count </sys/class/net/${card}/statistics/rx_packets; echo $count`));
}
