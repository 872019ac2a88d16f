import { existsSync, readdirSync } from 'node:fs';
import type { Namespace } from '../lab/index.ts';

/** What a namespace and the folders of an agent hold, without what moves by itself (counters, timers, neighbour states). */
export type Snapshot = Record<string, unknown>;

/** Values that move by themselves. */
const RESTLESS =
  /^(net\.netfilter\.nf_conntrack_(count|max|buckets)|net\.ipv4\.(tcp_fastopen_key|.*route\.flush)|net\.ipv6\..*(stable_secret|flush))/;

/** Takes a snapshot; folders are listed whole, absent ones as absent. */
export async function snapshot(host: Namespace, folders: readonly string[]): Promise<Snapshot> {
  const json = async (...argv: string[]): Promise<unknown> =>
    JSON.parse((await host.run(argv)) || '[]') as unknown;
  const sysctls = (await host.run(['sysctl', '-a', '-r', '^net\\.']))
    .split('\n')
    .filter((line) => !RESTLESS.test(line));
  return {
    links: strip(await json('ip', '-j', '-d', 'link'), ['txqlen', 'stats', 'stats64']),
    addresses: strip(await json('ip', '-j', 'address'), ['valid_life_time', 'preferred_life_time']),
    routes: await json('ip', '-j', 'route', 'show', 'table', 'all'),
    rules: await json('ip', '-j', 'rule'),
    neighbours: await json('ip', '-j', 'neigh', 'show', 'nud', 'permanent'),
    proxies: await json('ip', '-j', 'neigh', 'show', 'proxy'),
    nftables: await json('nft', '-j', '-s', 'list', 'ruleset'),
    qdiscs: await json('tc', '-j', 'qdisc'),
    sockets: (await host.run(['ss', '-Hanltu'])).split('\n').sort(),
    sysctls: sysctls.sort(),
    folders: Object.fromEntries(folders.map((folder) => [folder, listing(folder)])),
  };
}

function listing(folder: string): string[] | 'absent' {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort() : 'absent';
}

function strip(value: unknown, keys: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => strip(item, keys));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !keys.includes(key))
      .map(([key, item]) => [key, strip(item, keys)]),
  );
}

/** BPF objects pinned under a folder, by kind and id, as bpftool sees them. */
export async function pinnedObjects(host: Namespace, folder: string): Promise<BpfIds> {
  const ids: BpfIds = { link: [], map: [], prog: [] };
  if (!existsSync(folder)) return ids;
  for (const kind of ['link', 'map', 'prog'] as const) {
    const all = JSON.parse(await host.run(['bpftool', '-j', '-f', kind, 'show'])) as Pinned[];
    const here = all.filter(({ pinned = [] }) => pinned.some((path) => path.startsWith(`${folder}/`)));
    ids[kind] = here.map(({ id }) => id);
  }
  return ids;
}

/** Those of the objects that still exist. */
export async function stillThere(host: Namespace, { link, map, prog }: BpfIds): Promise<string[]> {
  const left: string[] = [];
  for (const [kind, wanted] of Object.entries({ link, map, prog })) {
    const all = JSON.parse(await host.run(['bpftool', '-j', kind, 'show'])) as Pinned[];
    left.push(...all.filter(({ id }) => wanted.includes(id)).map(({ id }) => `${kind} ${String(id)}`));
  }
  return left;
}

export type BpfIds = Record<'link' | 'map' | 'prog', number[]>;
interface Pinned {
  id: number;
  pinned?: string[];
}
