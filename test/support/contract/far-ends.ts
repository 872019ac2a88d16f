import { capture, type Capture, type Namespace } from '../lab/index.ts';
import { RentalLab } from '../stage/rental-lab.ts';
import { briefly } from '../stage/stamp.ts';
import { LAN, SOURCE_PORTS, type Kind, type Place } from './guest-frames.ts';

/** Datagrams at the two consumers, by whose they are. */
export type Arrived = Record<Place, Record<Kind, number>>;

export interface Somewhere {
  readonly rental: RentalLab;
  /** The machine in the host's network. */
  readonly lan: Namespace;
  /** Of the host: its bridge, and the tap of the neighbour VM in it. */
  readonly bridge: string;
  readonly neighbourTap: string;
  /** Name patterns of the guests' taps, as nft has them. */
  readonly taps: readonly string[];
}

/**
 * Everywhere a frame of the guests can come out: both consumers, the wire to them, the internet, the host's own network, a
 * neighbour VM, the host. Each has a capture that sees all but what some policy may allow; the host, of which a capture would
 * see what the guard is about to drop, has counters behind the guard.
 */
export class FarEnds {
  readonly #where: Somewhere;
  readonly #captures: Readonly<Record<string, Capture>>;
  #known: Readonly<Record<string, number>> = {};

  private constructor(where: Somewhere, captures: Readonly<Record<string, Capture>>) {
    this.#where = where;
    this.#captures = captures;
  }

  static async watch(where: Somewhere): Promise<FarEnds> {
    const { rental, lan, bridge, neighbourTap } = where;
    const { host, wan, consumerA, consumerB, internet } = rental;
    const stranger = `not ether src ${LAN.machineMac}`;
    const toConsumer = `src host ${RentalLab.hostAddress} and ((${allowed('a')}) or (${allowed('b')}))`;
    const captures = {
      'consumer A': await capture(consumerA, 'eth0', `not arp and not (${allowed('a')})`),
      'consumer B': await capture(consumerB, 'eth0', `not arp and not (${allowed('b')})`),
      'the wire': await capture(wan, 'access', `not arp and not (${toConsumer})`),
      'the internet': await capture(internet, 'eth0', 'not arp'),
      'the LAN': await capture(lan, 'card', stranger),
      'the bridge': await capture(host, bridge, stranger),
      'the neighbour VM': await capture(host, neighbourTap, stranger),
    };
    for (const [space, place] of [
      [consumerA, 'a'],
      [consumerB, 'b'],
    ] as const)
      await space.run(['nft', '-f', '-'], { input: counters(place) });
    await host.run(['nft', '-f', '-'], { input: earsOfTheHost(bridge, where.taps) });
    return new FarEnds(where, captures);
  }

  /** Counted in the kernel, which misses none. */
  async arrived(): Promise<Arrived> {
    const { consumerA, consumerB } = this.#where.rental;
    const [a, b] = await Promise.all(
      [consumerA, consumerB].map((space) => countsOf(space, 'netdev', 'seen')),
    );
    const by = (counts: Counts | undefined): Record<Kind, number> => ({
      own: counts?.get('own') ?? Number.NaN,
      found: counts?.get('found') ?? Number.NaN,
    });
    return { a: by(a), b: by(b) };
  }

  /** Whatever came out where from now on is news to `leaked`. */
  async forget(): Promise<void> {
    this.#known = await this.#totals();
  }

  /**
   * What came out that no policy allows, by place, since `forget`. Empty is as it must be.
   *
   * @param isAllowed of a policy that holds its VM to no endpoint: whether it lets this frame come out
   */
  async leaked(isAllowed: (frame: Uint8Array) => boolean = () => false): Promise<Record<string, unknown>> {
    const totals = await this.#totals();
    const news = Object.entries(totals).map(([place, count]) => {
      const known = this.#known[place] ?? 0;
      const frames = this.#captures[place]?.frames().slice(known, count) ?? [];
      const wrong = frames.filter((frame) => !isAllowed(frame));
      return { place, count: count - known - (frames.length - wrong.length), first: briefly(wrong) };
    });
    return Object.fromEntries(
      news.filter(({ count }) => count !== 0).map(({ place, ...leak }) => [place, leak]),
    );
  }

  async #totals(): Promise<Record<string, number>> {
    const all = Object.entries(this.#captures);
    // A marker would be given to the neighbour.
    const inNamespaces = all.filter(([place]) => place !== 'the neighbour VM');
    await Promise.all(inNamespaces.map(([, one]) => one.drain()));
    const { host } = this.#where.rental;
    const heard = [await countsOf(host, 'inet', 'input'), await countsOf(host, 'arp', 'input')];
    const byHost = heard.flatMap((counts) => [...counts.values()]).reduce((sum, count) => sum + count, 0);
    return {
      ...Object.fromEntries(all.map(([place, one]) => [place, one.frames().length])),
      'the host': byHost,
    };
  }
}

type Counts = ReadonlyMap<string, number>;

/** Of tcpdump: what a policy may allow somebody to send to this consumer. */
function allowed(place: Place): string {
  const { address, port } = RentalLab[place];
  const ranges = Object.values(SOURCE_PORTS[place]).map(([first, last]) => `src portrange ${first}-${last}`);
  return `udp and dst host ${address} and dst port ${port} and (${ranges.join(' or ')})`;
}

/** In mode Direct masquerading gives one of two datagrams from the same forbidden port any port, of these too: the endpoint's tells. */
function counters(place: Place): string {
  const rules = Object.entries(SOURCE_PORTS[place]).map(
    ([kind, [first, last]]) =>
      `udp dport ${RentalLab[place].port} udp sport ${first}-${last} counter comment "${kind}"`,
  );
  const hook = 'type filter hook ingress device "eth0" priority 0';
  return `table netdev witness { chain seen { ${hook}\n${rules.join('\n')}\n}\n}\n`;
}

/** Behind the guard, whose chains have lower priorities. */
function earsOfTheHost(bridge: string, taps: readonly string[]): string {
  const chain = [bridge, ...taps].map((name) => `iifname "${name}" counter comment "${name}"`).join('\n');
  const tableOf = (family: string): string =>
    `table ${family} witness { chain input { type filter hook input priority 1000\n${chain}\n}\n}\n`;
  return ['inet', 'arp'].map(tableOf).join('');
}

async function countsOf(space: Namespace, family: string, chain: string): Promise<Counts> {
  const { nftables } = JSON.parse(
    await space.run(['nft', '-j', 'list', 'chain', family, 'witness', chain]),
  ) as { nftables: { rule?: { comment: string; expr: { counter?: { packets: number } }[] } }[] };
  return new Map(
    nftables
      .flatMap(({ rule }) => rule ?? [])
      .map(({ comment, expr }) => [comment, expr.flatMap(({ counter }) => counter?.packets ?? [])[0] ?? 0]),
  );
}
