import { ensureProbe } from '../../test/support/guest/index.ts';
import { macBytes } from '../../test/support/frames/index.ts';
import { capture, poll, type Capture, type Namespace } from '../../test/support/lab/index.ts';
import { PLACES } from './places.ts';
import { isTunnelDatagram, type Endpoint } from './tunnel-datagram.ts';

/** A place that a frame of the VM could reach, with a count of what did reach it. */
export interface FarEnd {
  name: FarEndName;
  /** Frames that have arrived so far, whatever they were; less those of the tunnel since one was agreed on. */
  arrivals(): Promise<number>;
  /** From now on a tunnel's datagrams to this endpoint are expected. */
  agree?(endpoint: Endpoint): Promise<void>;
}

export type FarEndName =
  | 'consumer'
  | 'second consumer'
  | 'internet'
  | 'LAN neighbour'
  | 'metadata server'
  | 'other VM'
  | `VM ${string}`
  | 'neighbour on the bridge'
  | 'host';

/** A far end in a namespace of its own: counts what its interface receives, by capture. */
export class CapturedFarEnd implements FarEnd {
  readonly name: FarEndName;
  readonly namespace: Namespace;
  readonly #capture: Capture;
  readonly #ownMac: Buffer;
  #agreed: Endpoint | null = null;
  #judged = 0;
  #arrived = 0;

  private constructor(name: FarEndName, namespace: Namespace, seen: Capture, ownMac: Buffer) {
    this.name = name;
    this.namespace = namespace;
    this.#capture = seen;
    this.#ownMac = ownMac;
  }

  static async watch(
    name: FarEndName,
    namespace: Namespace,
    device: string,
    ownMac: string,
  ): Promise<CapturedFarEnd> {
    return new CapturedFarEnd(
      name,
      namespace,
      await capture(namespace, device),
      Buffer.from(macBytes(ownMac)),
    );
  }

  async arrivals(): Promise<number> {
    await this.#capture.drain();
    const fresh = this.#capture.frames().slice(this.#judged);
    this.#judged += fresh.length;
    const foreign = fresh.filter((frame) => !this.#ownMac.equals(frame.subarray(6, 12)));
    this.#arrived += foreign.filter((frame) => !this.#isAgreed(frame)).length;
    return this.#arrived;
  }

  async agree(endpoint: Endpoint): Promise<void> {
    await this.arrivals();
    this.#agreed = endpoint;
  }

  #isAgreed(frame: Uint8Array): boolean {
    return this.#agreed !== null && isTunnelDatagram(frame, PLACES.host, this.#agreed);
  }
}

/** Real listeners in a namespace: what reached them is in {@link heard}. */
export class Listeners {
  #said = '';

  /** `ports` such as `udp:51900` and `tcp:80`. Resolves once they listen. */
  static async start(namespace: Namespace, ports: readonly string[]): Promise<Listeners> {
    const listeners = new Listeners();
    const child = namespace.spawn([await ensureProbe(), 'serve', ...ports], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (listeners.#said += text));
    await poll(`listeners in ${namespace.name}`, () => listeners.#said.includes('serving\n'));
    return listeners;
  }

  /** One line for each datagram or connection: `udp:51900 from ADDRESS:PORT, N bytes`. */
  heard(): string[] {
    return this.#said.split('\n').slice(1, -1);
  }
}

/**
 * What passed the filters of taps and so entered the host: one counter on the interfaces' netdev hooks, which the kernel runs
 * right after the tc programs, for frames of any EtherType and before anything else can drop them.
 */
export class HostFarEnd implements FarEnd {
  readonly name = 'host';
  readonly #namespace: Namespace;
  readonly #devices: string[] = [];

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** One more tap. */
  async watch(device: string): Promise<void> {
    const rules = `table netdev witness {
      counter arrivals { }
      ${AGREED}
      chain arrivals_${String(this.#devices.length)} {
        type filter hook ingress device "${device}" priority -500; policy accept;
        ip daddr . udp dport @agreed accept
        counter name arrivals
      }
    }`;
    await this.#namespace.run(['nft', '-f', '-'], { input: rules });
    this.#devices.push(device);
  }

  async agree({ address, port }: Endpoint): Promise<void> {
    // No interface may be watched yet.
    const rules = `table netdev witness {
        ${AGREED}
      }
      flush set netdev witness agreed
      add element netdev witness agreed { ${address} . ${String(port)} }
    `;
    await this.#namespace.run(['nft', '-f', '-'], { input: rules });
  }

  async arrivals(): Promise<number> {
    if (this.#devices.length === 0) return 0;
    const text = await this.#namespace.run(['nft', 'list', 'counter', 'netdev', 'witness', 'arrivals']);
    const packets = /packets (\d+)/.exec(text)?.[1];
    if (packets === undefined) throw new Error(`the host's witness is gone: ${text}`);
    return Number(packets);
  }
}

const AGREED = 'set agreed { type ipv4_addr . inet_service; }';

/** The MAC of an interface of a namespace. */
export async function macOf(namespace: Namespace, device: string): Promise<string> {
  const links = JSON.parse(await namespace.run(['ip', '-j', 'link', 'show', 'dev', device])) as {
    address: string;
  }[];
  const found = links[0]?.address;
  if (found === undefined) throw new Error(`${namespace.name} has no ${device}`);
  return found;
}
