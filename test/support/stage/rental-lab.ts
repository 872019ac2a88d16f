import { capture, Lab, type Capture, type Namespace } from '../lab/index.ts';
import { AgentHome } from './agent-process.ts';
import { Arrivals } from './arrivals.ts';
import type { Destination } from '../frames/policy-bytes.ts';

/** Far ends say only what a test has them say: no "port unreachable" for what nobody listens to. */
const SILENCE = `table inet silence { chain out { type filter hook output priority 0
  icmp type destination-unreachable drop
}
}
`;

/**
 * A provider's host whose uplink leads over a router to two consumers and to everybody else. The host is as a host is:
 * it forwards nothing until an agent makes it. Each far end has a capture of its own.
 *
 *   host (uplink) --- (access) wan (to-a) --- consumer A   203.0.113.10
 *                                    (to-b) --- consumer B   198.51.100.20
 *                                    (to-x) --- internet     192.0.2.66
 */
export class RentalLab {
  static readonly a: Destination = { address: '203.0.113.10', port: 51900 };
  static readonly b: Destination = { address: '198.51.100.20', port: 51820 };
  /** Nobody's endpoint. */
  static readonly x: Destination = { address: '192.0.2.66', port: 51900 };
  static readonly hostAddress = '10.0.0.2';
  readonly lab: Lab;
  readonly host: Namespace;
  readonly wan: Namespace;
  readonly consumerA: Namespace;
  readonly consumerB: Namespace;
  readonly internet: Namespace;
  readonly home: AgentHome;

  private constructor(lab: Lab, spaces: Namespace[], home: AgentHome) {
    const [host, wan, consumerA, consumerB, internet] = spaces as [
      Namespace,
      Namespace,
      Namespace,
      Namespace,
      Namespace,
    ];
    this.lab = lab;
    this.host = host;
    this.wan = wan;
    this.consumerA = consumerA;
    this.consumerB = consumerB;
    this.internet = internet;
    this.home = home;
  }

  static async open(name: string): Promise<RentalLab> {
    const lab = await Lab.create(name);
    try {
      const spaces: Namespace[] = [];
      for (const part of ['host', 'wan', 'a', 'b', 'x']) spaces.push(await lab.namespace(part));
      const bpffs = `/sys/fs/bpf/vmnet-t-${String(process.pid)}-${name}`;
      lab.undoLater(`rm -rf ${bpffs}`);
      const [host] = spaces;
      if (host === undefined) throw new Error('no host');
      const rental = new RentalLab(lab, spaces, new AgentHome(host, lab.scratch, bpffs));
      await rental.#cable();
      return rental;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  async #cable(): Promise<void> {
    const { lab, host, wan } = this;
    await lab.connect(host, wan, {
      nameA: 'uplink',
      nameB: 'access',
      addressA: `${RentalLab.hostAddress}/24`,
      addressB: '10.0.0.1/24',
    });
    await host.run(['ip', 'route', 'add', 'default', 'via', '10.0.0.1']);
    await wan.sysctl('net.ipv4.ip_forward', 1);
    for (const [space, device, { address }] of [
      [this.consumerA, 'to-a', RentalLab.a],
      [this.consumerB, 'to-b', RentalLab.b],
      [this.internet, 'to-x', RentalLab.x],
    ] as const) {
      const router = address.replace(/\.\d+$/, '.1');
      const ends = { addressA: `${router}/24`, addressB: `${address}/24` };
      await lab.connect(wan, space, { nameA: device, nameB: 'eth0', ...ends });
      await space.run(['ip', 'route', 'add', 'default', 'via', router]);
      await space.run(['nft', '-f', '-'], { input: SILENCE });
    }
  }

  /** Captures at the three far ends. */
  async captures(filter = 'not arp'): Promise<{ a: Capture; b: Capture; x: Capture }> {
    const a = await capture(this.consumerA, 'eth0', filter);
    const b = await capture(this.consumerB, 'eth0', filter);
    const x = await capture(this.internet, 'eth0', filter);
    return { a, b, x };
  }

  /** Kernel counters at the three far ends. */
  async arrivals(...vms: string[]): Promise<{ a: Arrivals; b: Arrivals; x: Arrivals }> {
    const a = await Arrivals.count(this.consumerA, 'eth0', vms);
    const b = await Arrivals.count(this.consumerB, 'eth0', vms);
    const x = await Arrivals.count(this.internet, 'eth0', vms);
    return { a, b, x };
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}
