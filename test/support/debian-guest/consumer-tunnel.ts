import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll, startWireGuardGo, type Lab, type Namespace } from '../lab/index.ts';

/** The consumer's address in the tunnel. */
export const CONSUMER_INSIDE = '10.99.0.1';

export interface Peer {
  readonly publicKey: string;
  /** In the tunnel. */
  readonly address: string;
}

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** The consumer's end: a WireGuard that knows nothing of this project. */
export class ConsumerTunnel {
  /** Its interface. */
  readonly name: string;
  readonly publicKey: string;
  readonly #lab: Lab;
  readonly #keys: KeyPair;
  #place: { namespace: Namespace; port: number };
  #process: ChildProcess | null = null;

  private constructor(lab: Lab, name: string, keys: KeyPair, place: { namespace: Namespace; port: number }) {
    this.#lab = lab;
    this.name = name;
    this.#keys = keys;
    this.publicKey = keys.publicKey;
    this.#place = place;
  }

  static async open(lab: Lab, namespace: Namespace, port: number): Promise<ConsumerTunnel> {
    const tunnel = new ConsumerTunnel(lab, `vmd${process.pid}`, await keyPair(namespace), {
      namespace,
      port,
    });
    await tunnel.#start();
    return tunnel;
  }

  get namespace(): Namespace {
    return this.#place.namespace;
  }

  /** From now on the consumer knows this VM. `more`: words of `wg set` for this peer. */
  async admit({ publicKey, address }: Peer, more: readonly string[] = []): Promise<void> {
    await this.#set(['peer', publicKey, 'allowed-ips', `${address}/32`, ...more]);
  }

  /** What `vmnetctl peer-config` printed, with the consumer's private key in its place: one file, as wg-quick takes it. */
  async configure(peerConfig: string): Promise<void> {
    const file = join(this.#lab.scratch, `${this.name}.conf`);
    writeFileSync(file, peerConfig.replace('YOUR_OWN_PRIVATE_KEY', this.#keys.privateKey), { mode: 0o600 });
    const stripped = await this.namespace.run(['wg-quick', 'strip', file]);
    writeFileSync(file, stripped, { mode: 0o600 });
    await this.namespace.run(['wg', 'setconf', this.name, file]);
  }

  /** What `wg show` prints here. */
  show(): Promise<string> {
    return this.namespace.run(['wg', 'show', this.name]);
  }

  /** Of the last handshake with a peer, in seconds since the epoch; 0 before the first. */
  async handshake(publicKey: string): Promise<number> {
    const said = await this.namespace.run(['wg', 'show', this.name, 'latest-handshakes']);
    return Number(
      said
        .split('\n')
        .find((line) => line.startsWith(publicKey))
        ?.split('\t')[1] ?? 0,
    );
  }

  /** Killed: nothing is left of it but its keys and its configuration. Its port is closed. */
  async end(): Promise<void> {
    const configuration = (await this.namespace.run(['wg', 'showconf', this.name]))
      // Where it heard its peers last is no configuration.
      .replaceAll(/^Endpoint = .*\n/gm, '');
    writeFileSync(this.#kept, configuration, { mode: 0o600 });
    const old = this.#process;
    old?.kill('SIGKILL');
    await poll('the end of the consumer', () => old === null || old.signalCode !== null);
    this.#process = null;
  }

  /** Started again after its end, there or elsewhere; without sessions. */
  async startAgain(place = this.#place): Promise<void> {
    const configuration = readFileSync(this.#kept, 'utf8');
    const moved = configuration.replace(/^ListenPort = .*$/m, `ListenPort = ${place.port}`);
    writeFileSync(this.#kept, moved, { mode: 0o600 });
    this.#place = place;
    await this.#start(['wg', 'setconf', this.name, this.#kept]);
  }

  get #kept(): string {
    return join(this.#lab.scratch, `${this.name}.kept`);
  }

  async #start(configure: readonly string[] | null = null): Promise<void> {
    const { namespace, port } = this.#place;
    this.#process = await startWireGuardGo(this.#lab, namespace, this.name);
    if (configure === null) {
      const key = join(this.#lab.scratch, 'consumer.key');
      writeFileSync(key, this.#keys.privateKey, { mode: 0o600 });
      await this.#set(['listen-port', String(port), 'private-key', key]);
    } else {
      await namespace.run(configure);
    }
    await namespace.run(['ip', 'address', 'add', `${CONSUMER_INSIDE}/24`, 'dev', this.name]);
    await namespace.run(['ip', 'link', 'set', this.name, 'mtu', '1420', 'up']);
  }

  async #set(words: readonly string[]): Promise<void> {
    await this.namespace.run(['wg', 'set', this.name, ...words]);
  }
}

/** As people make them. */
export async function keyPair(namespace: Namespace): Promise<KeyPair> {
  const privateKey = (await namespace.run(['wg', 'genkey'])).trim();
  const publicKey = (await namespace.run(['wg', 'pubkey'], { input: `${privateKey}\n` })).trim();
  return { privateKey, publicKey };
}
