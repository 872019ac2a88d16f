import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll, type Lab, type Namespace } from '../lab/index.ts';

/** The consumer's address in the tunnel. */
export const CONSUMER_INSIDE = '10.99.0.1';

export interface Peer {
  readonly publicKey: string;
  /** In the tunnel. */
  readonly address: string;
}

/** A real WireGuard in the consumer's namespace. */
export class ConsumerTunnel {
  readonly consumer: Namespace;
  readonly name: string;
  readonly publicKey: string;

  private constructor(consumer: Namespace, name: string, publicKey: string) {
    this.consumer = consumer;
    this.name = name;
    this.publicKey = publicKey;
  }

  /** Listens at this port when it resolves. */
  static async open(lab: Lab, consumer: Namespace, port: number): Promise<ConsumerTunnel> {
    // wireguard-go keeps its control socket in one folder for all namespaces.
    const name = `vmd${process.pid}`;
    lab.undoLater(`rm -f /var/run/wireguard/${name}.sock`);
    const child = consumer.spawn(['wireguard-go', '-f', name], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const isUp = async (): Promise<boolean> => (await consumer.exec(['wg', 'show', name])).code === 0;
    await poll(`wireguard-go ${name}`, isUp, { detail: () => said });
    const { privateKey, publicKey } = await keyPair(consumer);
    const key = join(lab.scratch, 'consumer.key');
    writeFileSync(key, privateKey, { mode: 0o600 });
    await consumer.run(['wg', 'set', name, 'listen-port', String(port), 'private-key', key]);
    await consumer.run(['ip', 'address', 'add', `${CONSUMER_INSIDE}/24`, 'dev', name]);
    await consumer.run(['ip', 'link', 'set', name, 'mtu', '1420', 'up']);
    return new ConsumerTunnel(consumer, name, publicKey);
  }

  /** From now on the consumer knows this VM. `more`: words of `wg set` for this peer. */
  async admit({ publicKey, address }: Peer, more: readonly string[] = []): Promise<void> {
    await this.consumer.run([
      ...['wg', 'set', this.name, 'peer', publicKey, 'allowed-ips', `${address}/32`],
      ...more,
    ]);
  }

  /** Of the last handshake with a peer, seconds since the epoch; 0 before the first. */
  async handshake(publicKey: string): Promise<number> {
    const said = await this.consumer.run(['wg', 'show', this.name, 'latest-handshakes']);
    const line = said.split('\n').find((one) => one.startsWith(publicKey));
    return Number(line?.split('\t')[1] ?? 0);
  }
}

/** As people make them. */
export async function keyPair(namespace: Namespace): Promise<{ privateKey: string; publicKey: string }> {
  const privateKey = (await namespace.run(['wg', 'genkey'])).trim();
  const publicKey = (await namespace.run(['wg', 'pubkey'], { input: `${privateKey}\n` })).trim();
  return { privateKey, publicKey };
}
