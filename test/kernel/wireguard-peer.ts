import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startWireGuardGo, type Lab, type Namespace } from '../support/lab/index.ts';

export interface PeerKeys {
  readonly own: string;
  /** Of the other side. */
  readonly peer: string;
}

/** What `wg set` is told of a side: of itself, and of its peer. */
export interface PeerOptions {
  readonly keys: PeerKeys;
  readonly address: string;
  readonly own?: readonly string[];
  readonly peer?: readonly string[];
}

/** wireguard-go in a namespace, up; it ends with the lab. Returns its interface. */
export async function startPeer(
  lab: Lab,
  namespace: Namespace,
  suffix: string,
  { keys, address, own = [], peer = [] }: PeerOptions,
): Promise<string> {
  const name = `vmx${process.pid}${suffix}`;
  await startWireGuardGo(lab, namespace, name);
  const key = join(lab.scratch, name);
  writeFileSync(key, `${keys.own}\n`, { mode: 0o600 });
  const to = ['peer', keys.peer, 'allowed-ips', '10.99.0.0/24', ...peer];
  await namespace.run(['wg', 'set', name, ...own, 'private-key', key, ...to]);
  await namespace.run(['ip', 'address', 'add', address, 'dev', name]);
  await namespace.run(['ip', 'link', 'set', name, 'mtu', '1420', 'up']);
  return name;
}

/** A key pair by the real tools. */
export async function newKeys(namespace: Namespace): Promise<{ key: string; pub: string }> {
  const key = (await namespace.run(['wg', 'genkey'])).trim();
  return { key, pub: (await namespace.run(['wg', 'pubkey'], { input: `${key}\n` })).trim() };
}
