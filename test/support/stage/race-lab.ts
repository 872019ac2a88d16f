import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AgentHome } from './agent-process.ts';
import { capture, Lab, poll, type Capture, type Namespace } from '../lab/index.ts';

const SCRIPT = fileURLToPath(new URL('tap_race.py', import.meta.url));

/** What became of one tap. */
export interface RacedTap {
  /** See tap_race.py. */
  readonly order: string;
  /** Frames that the guest could write, and that it was given. */
  readonly written: number;
  readonly read: number;
  /** Addresses that the host learned on the tap. */
  readonly neighbours: number;
}

/** Frames of the guests at each far end. */
export interface Leaked {
  readonly bridge: number;
  readonly mate: number;
  readonly uplink: number;
  /** Datagrams that a program on the host was given. */
  readonly ipv4: number;
  readonly ipv6: number;
}

/**
 * A host as a VM manager has it: a bridge with the host's address and a neighbour on it (`mate`), an uplink, forwarding
 * and IPv6 switched on. And what else a host has, which is none of our business: another bridge with two containers.
 *
 *   mate --- br0 (192.0.2.1) --- taps     host --- uplink (198.51.100.1) --- far     left --- docker7 --- right
 */
export class RaceLab {
  static readonly guest = '192.0.2.77';
  static readonly host = '192.0.2.1';
  static readonly far = '198.51.100.2';
  readonly host: Namespace;
  readonly far: Namespace;
  readonly left: Namespace;
  readonly #lab: Lab;
  readonly #mate: Namespace;

  private constructor(lab: Lab, spaces: Namespace[]) {
    const [host, mate, far, left] = spaces as [Namespace, Namespace, Namespace, Namespace];
    this.#lab = lab;
    this.host = host;
    this.#mate = mate;
    this.far = far;
    this.left = left;
  }

  static async open(name: string): Promise<RaceLab> {
    const lab = await Lab.create(name);
    try {
      const host = await lab.namespace('host', { ipv6: true });
      const spaces = [host];
      for (const part of ['mate', 'far', 'left', 'right']) spaces.push(await lab.namespace(part));
      const [, mate, far, left, right] = spaces as [Namespace, Namespace, Namespace, Namespace, Namespace];
      for (const [bridge, mac] of [
        ['br0', '02:76:00:00:00:01'],
        ['docker7', '02:42:00:00:00:01'],
      ] as const)
        await host.run(['ip', 'link', 'add', bridge, 'address', mac, 'type', 'bridge']);
      await lab.connect(host, mate, { nameA: 'tomate', nameB: 'card', addressB: '192.0.2.50/24' });
      await lab.connect(host, far, {
        nameA: 'uplink',
        nameB: 'card',
        addressA: '198.51.100.1/24',
        addressB: `${RaceLab.far}/24`,
      });
      await lab.connect(host, left, { nameA: 'toleft', nameB: 'card', addressB: '172.17.0.2/16' });
      await lab.connect(host, right, { nameA: 'toright', nameB: 'card', addressB: '172.17.0.3/16' });
      for (const [port, bridge] of [
        ['tomate', 'br0'],
        ['toleft', 'docker7'],
        ['toright', 'docker7'],
      ] as const)
        await host.run(['ip', 'link', 'set', port, 'master', bridge]);
      await host.run(['ip', 'address', 'add', `${RaceLab.host}/24`, 'dev', 'br0']);
      await host.run(['ip', 'address', 'add', '172.17.0.1/16', 'dev', 'docker7']);
      for (const bridge of ['br0', 'docker7']) await host.run(['ip', 'link', 'set', bridge, 'up']);
      await far.run(['ip', 'route', 'add', 'default', 'via', '198.51.100.1']);
      await left.run(['ip', 'route', 'add', 'default', 'via', '172.17.0.1']);
      for (const setting of ['all', 'default']) {
        await host.sysctl(`net.ipv4.conf.${setting}.rp_filter`, 0);
        await host.sysctl(`net.ipv4.conf.${setting}.forwarding`, 1);
      }
      return new RaceLab(lab, spaces);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Races `count` taps called PREFIX0, PREFIX1, ...; the bridge's mate floods towards them all the while. */
  async race(prefix: string, count: number): Promise<{ taps: RacedTap[]; leaked: Leaked }> {
    const { host, far } = this;
    const { guest } = RaceLab;
    const ofGuests = `ether src 02:76:00:00:00:77 or src host ${guest}`;
    const captures: Capture[] = [];
    for (const [space, device] of [
      [host, 'br0'],
      [this.#mate, 'card'],
      [far, 'card'],
    ] as const)
      captures.push(await capture(space, device, ofGuests));
    const ears = new Role(host, ['listen', guest]);
    await ears.says('ready');
    const sender = new Role(this.#mate, ['send', 'card', guest]);
    try {
      const argv = ['race', prefix, 'br0', String(count), guest, RaceLab.host, RaceLab.far];
      const said = await host.run(['python3', SCRIPT, ...argv], { timeoutMs: 120_000 });
      const taps = said
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as RacedTap);
      for (const each of captures) await each.drain();
      const [bridge = -1, mate = -1, uplink = -1] = captures.map((each) => each.frames().length);
      const heard = JSON.parse(await ears.end()) as Pick<Leaked, 'ipv4' | 'ipv6'>;
      return { taps, leaked: { bridge, mate, uplink, ...heard } };
    } finally {
      await sender.end();
      await ears.end();
      for (const each of captures) await each.stop();
    }
  }

  /** Of agents on the host. */
  agentHome(name: string): AgentHome {
    const bpffs = `/sys/fs/bpf/vmnet-t-${String(process.pid)}-${name}`;
    this.#lab.undoLater(`rm -rf ${bpffs}`);
    return new AgentHome(this.host, this.#lab.scratch, bpffs);
  }

  close(): Promise<void> {
    return this.#lab.close();
  }
}

/** tap_race.py, for as long as it has an input. */
class Role {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = '';

  constructor(namespace: Namespace, argv: readonly string[]) {
    this.#child = namespace.spawn(['python3', SCRIPT, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ended = once(this.#child, 'close');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
  }

  says(word: string): Promise<unknown> {
    return poll(word, () => this.#said.includes(word));
  }

  /** Its last line. Idempotent. */
  async end(): Promise<string> {
    this.#child.stdin?.end();
    await this.#ended;
    return this.#said.trim().split('\n').at(-1) ?? '';
  }
}
