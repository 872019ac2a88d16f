import { type Lab, type Namespace } from '../../test/support/lab/index.ts';
import type { Arrival } from './arrivals.ts';
import { CapturedFarEnd, HostFarEnd, Listeners, macOf, type FarEnd, type FarEndName } from './far-end.ts';
import type { Endpoint } from './tunnel-datagram.ts';
import { PLACES } from './places.ts';

/**
 * The provider's host and everything around it, each in a network namespace:
 *
 *     VM ── tap ── host ── uplink0 ── internet (router) ──┬── consumer, second consumer
 *     other VM ─ tap ┘ │ │                                └── 198.51.100.1, 8.8.8.8
 *                      │ └── lan0 ── neighbour on the provider's LAN
 *                      └── meta0 ── metadata server
 *
 * Every far end runs real listeners and a capture. Neighbours are static, so that nobody sends a frame of his own accord
 * and whatever a far end receives was caused by the VM.
 */
export class World {
  readonly lab: Lab;
  readonly host: Namespace;
  readonly internet: Namespace;
  readonly lan: Namespace;
  readonly consumer: Namespace;
  readonly secondConsumer: Namespace;
  readonly hostFarEnd: HostFarEnd;
  readonly #farEnds: FarEnd[];
  #last = new Map<FarEndName, number>();

  private constructor(lab: Lab, spaces: Spaces, farEnds: FarEnd[]) {
    this.lab = lab;
    this.host = spaces.host;
    this.internet = spaces.internet;
    this.lan = spaces.lan;
    this.consumer = spaces.consumer;
    this.secondConsumer = spaces.secondConsumer;
    this.hostFarEnd = new HostFarEnd(spaces.host);
    this.#farEnds = [...farEnds, this.hostFarEnd];
  }

  /** `withTunnels`: the consumers' own WireGuard will listen where otherwise something answers that looks like it. */
  static async build(lab: Lab, { withTunnels = false } = {}): Promise<World> {
    const spaces = await makeSpaces(lab);
    await cable(lab, spaces);
    const answers = ({ port }: { port: number }): string[] => (withTunnels ? [] : [`udp:${String(port)}`]);
    await Promise.all([
      Listeners.start(spaces.host, ['tcp:22', 'tcp:80', 'udp:53', 'udp:123']),
      Listeners.start(spaces.internet, [
        'udp:53',
        'tcp:53',
        'tcp:443',
        `udp:${String(PLACES.consumer.port)}`,
      ]),
      Listeners.start(spaces.lan, ['tcp:80', 'udp:161']),
      Listeners.start(spaces.metadata, ['tcp:80', 'udp:53']),
      Listeners.start(spaces.consumer, [
        ...answers(PLACES.consumer),
        ...[`tcp:${String(PLACES.consumer.port)}`, 'udp:51901', 'tcp:80'],
      ]),
      Listeners.start(spaces.secondConsumer, [...answers(PLACES.secondConsumer), 'tcp:80']),
    ]);
    const watched: [FarEndName, Namespace][] = [
      ['consumer', spaces.consumer],
      ['second consumer', spaces.secondConsumer],
      ['internet', spaces.internet],
      ['LAN neighbour', spaces.lan],
      ['metadata server', spaces.metadata],
    ];
    const farEnds = watched.map(async ([name, space]) =>
      CapturedFarEnd.watch(name, space, 'eth0', await macOf(space, 'eth0')),
    );
    return new World(lab, spaces, await Promise.all(farEnds));
  }

  /** One more place to watch. */
  add(farEnd: FarEnd): void {
    this.#farEnds.push(farEnd);
  }

  /** From now on what is a tunnel's datagram to that endpoint is no arrival: it is what was agreed. */
  async agree(endpoint: Endpoint): Promise<void> {
    for (const farEnd of this.#farEnds) await farEnd.agree?.(endpoint);
  }

  /** Carrier is lost on the host's uplink, and comes back: what the host configured there stays. */
  async flapUplink(meanwhile: () => Promise<void>): Promise<void> {
    await this.internet.run(['ip', 'link', 'set', 'eth0', 'down']);
    await meanwhile();
    await this.internet.run(['ip', 'link', 'set', 'eth0', 'up']);
    await plug([this.internet, 'eth0', PLACES.router], [this.host, 'uplink0', PLACES.host]);
    await routeToGuests(this.internet);
  }

  /**
   * What has arrived anywhere since the last call. A frame that comes late is so seen by the next call: between two calls
   * nothing is forgotten.
   */
  async newArrivals(): Promise<Arrival[]> {
    const counted = await Promise.all(
      this.#farEnds.map(async (end) => [end.name, await end.arrivals()] as const),
    );
    const fresh = counted.map(([at, count]) => ({ at, frames: count - (this.#last.get(at) ?? 0) }));
    this.#last = new Map(counted);
    return fresh.filter(({ frames }) => frames !== 0);
  }
}

interface Spaces {
  host: Namespace;
  internet: Namespace;
  lan: Namespace;
  metadata: Namespace;
  consumer: Namespace;
  secondConsumer: Namespace;
}

async function makeSpaces(lab: Lab): Promise<Spaces> {
  const [host, internet, lan, metadata, consumer, secondConsumer] = await Promise.all([
    lab.namespace('host'),
    lab.namespace('internet'),
    lab.namespace('lan'),
    lab.namespace('metadata'),
    lab.namespace('consumer'),
    lab.namespace('consumer2'),
  ]);
  return { host, internet, lan, metadata, consumer, secondConsumer };
}

async function cable(
  lab: Lab,
  { host, internet, lan, metadata, consumer, secondConsumer }: Spaces,
): Promise<void> {
  await host.sysctl('net.ipv4.conf.all.forwarding', 0); // a host that routes for nobody, until the agent says otherwise
  await internet.sysctl('net.ipv4.conf.all.forwarding', 1);

  await join(lab, [host, 'uplink0', PLACES.host], [internet, 'eth0', PLACES.router]);
  await join(lab, [host, 'lan0', PLACES.hostOnLan], [lan, 'eth0', PLACES.lanNeighbour]);
  await join(lab, [host, 'meta0', PLACES.hostOnMetadata], [metadata, 'eth0', PLACES.metadata]);
  await join(lab, [internet, 'consumer0', '203.0.113.1'], [consumer, 'eth0', PLACES.consumer.address]);
  await join(
    lab,
    [internet, 'consumer1', '203.0.113.2'],
    [secondConsumer, 'eth0', PLACES.secondConsumer.address],
  );

  await host.run(['ip', 'route', 'add', 'default', 'via', PLACES.router]);
  for (const address of [PLACES.internet, PLACES.nameServer]) {
    await internet.run(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
  }
  // Others send to the VM's own address as well: the internet and the LAN believe that the host routes it.
  await routeToGuests(internet);
  await lan.run(['ip', 'route', 'add', 'default', 'via', PLACES.hostOnLan]);
  await consumer.run(['ip', 'route', 'add', 'default', 'via', '203.0.113.1']);
  await secondConsumer.run(['ip', 'route', 'add', 'default', 'via', '203.0.113.2']);
  await metadata.run(['ip', 'route', 'add', 'default', 'via', PLACES.hostOnMetadata]);
}

type End = [namespace: Namespace, device: string, address: string];

async function routeToGuests(internet: Namespace): Promise<void> {
  await internet.run(['ip', 'route', 'replace', '100.64.0.0/10', 'via', PLACES.host]);
}

/** A cable with a route to the other end and its MAC on both sides. */
async function join(lab: Lab, a: End, b: End): Promise<void> {
  await lab.connect(a[0], b[0], { nameA: a[1], nameB: b[1] });
  await plug(a, b);
  await plug(b, a);
}

/** One side of a cable. */
async function plug([space, device, address]: End, [peerSpace, peerDevice, peer]: End): Promise<void> {
  await space.run(['ip', 'address', 'replace', `${address}/32`, 'dev', device]);
  await space.run(['ip', 'route', 'replace', peer, 'dev', device, 'scope', 'link']);
  const lladdr = ['lladdr', await macOf(peerSpace, peerDevice)];
  await space.run(['ip', 'neighbour', 'replace', peer, ...lladdr, 'dev', device, 'nud', 'permanent']);
}
