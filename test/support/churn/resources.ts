import { existsSync, readdirSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Namespace } from '../lab/index.ts';
import { snapshot, type Snapshot } from '../stage/snapshot.ts';
import { descriptors, type MemorySeen, type Probes } from './probed.ts';

/** What everything holds while no VM is there. */
export interface Resources {
  /** By name of the network namespace. */
  readonly spaces: Readonly<Record<string, Snapshot>>;
  readonly processes: Readonly<Record<string, ProcessSeen>>;
  /** Network namespaces of the machine that have a name or a process. */
  readonly namespaces: number;
}

export interface ProcessSeen {
  readonly descriptors: Readonly<Record<string, number>>;
  readonly memory: MemorySeen;
}

/** Of nftables, and of a bridge: numbers and timers of no meaning. */
const RESTLESS = ['handle', 'info_data'];
/** Connections to the API server are kept for a while, and made anew after an outage. */
const SPARE_SOCKETS = 6;
/** Of what a process holds after all garbage is gone: its caches fill, its code is compiled. */
const GROWN_BYTES = 24 * 2 ** 20;

export async function resourcesOf(
  spaces: readonly Namespace[],
  folders: readonly string[],
  processes: Readonly<Record<string, { readonly pid: number; readonly probes: Probes }>>,
): Promise<Resources> {
  const seen: Record<string, Snapshot> = {};
  for (const space of spaces) {
    const all = await snapshot(space, space === spaces[0] ? folders : []);
    // Connections come and go; those of the agent are counted with its descriptors.
    delete all['sockets'];
    seen[space.name] = without(all, RESTLESS) as Snapshot;
  }
  const held: Record<string, ProcessSeen> = {};
  for (const [name, { pid, probes }] of Object.entries(processes))
    held[name] = { memory: await probes.memory(pid), descriptors: descriptors(pid) };
  return { spaces: seen, processes: held, namespaces: namespacesOfMachine() };
}

/** What is there after that was not before, a line each; empty if all is as it was. */
export function differences(before: Resources, after: Resources): string[] {
  const lines: string[] = [];
  for (const [space, parts] of Object.entries(before.spaces))
    for (const [part, was] of Object.entries(parts)) {
      const is = after.spaces[space]?.[part];
      if (!isDeepStrictEqual(was, is))
        lines.push(`${part} of namespace ${space}: ${firstDifference(was, is)}`);
    }
  for (const [name, was] of Object.entries(before.processes)) {
    const is = after.processes[name];
    if (is !== undefined) lines.push(...grown(name, was, is, after.namespaces - before.namespaces));
  }
  return lines;
}

/**
 * An agent looks into every network namespace of the machine: of each one it has a descriptor and a socket, and of each QEMU in there
 * a pidfd. Where others make some meanwhile (`more`), these are no leak.
 */
function grown(name: string, was: ProcessSeen, is: ProcessSeen, more: number): string[] {
  const others = Math.max(0, more);
  const spare = (kind: string): number => {
    if (kind === 'socket') return SPARE_SOCKETS + others;
    return kind === NAMESPACES || kind === 'anon_inode:[pidfd]' ? others : 0;
  };
  const before = byKind(was);
  const lines = Object.entries(byKind(is))
    .filter(([kind, count]) => count > (before[kind] ?? 0) + spare(kind))
    .map(
      ([kind, count]) =>
        `${name} has ${String(count)} descriptors of ${kind}, had ${String(before[kind] ?? 0)}`,
    );
  const bytes = heldBytes(is) - heldBytes(was);
  return bytes > GROWN_BYTES
    ? [...lines, `${name} holds ${String(Math.round(bytes / 2 ** 20))} MiB more than before`]
    : lines;
}

const NAMESPACES = 'network namespaces';

/** Those of namespaces as one kind, whether they were opened by name or by process. */
function byKind({ descriptors }: ProcessSeen): Record<string, number> {
  const isNamespace = (kind: string): boolean => kind === 'net' || kind.startsWith('/run/netns/');
  const counts: Record<string, number> = {};
  for (const [found, count] of Object.entries(descriptors)) {
    const kind = isNamespace(found) ? NAMESPACES : found;
    counts[kind] = (counts[kind] ?? 0) + count;
  }
  return counts;
}

function namespacesOfMachine(): number {
  const below = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  const paths = [
    ...below('/run/netns').map((name) => `/run/netns/${name}`),
    ...below('/proc').flatMap((name) => (/^\d+$/.test(name) ? [`/proc/${name}/ns/net`] : [])),
  ];
  const inodes = paths.flatMap((path) => {
    try {
      return statSync(path).ino;
    } catch {
      // Gone meanwhile.
      return [];
    }
  });
  return new Set(inodes).size;
}

export function heldBytes({ memory }: ProcessSeen): number {
  return memory.heapBytes + memory.externalBytes;
}

function firstDifference(was: unknown, is: unknown): string {
  if (!Array.isArray(was) || !Array.isArray(is)) return `${brief(was)} became ${brief(is)}`;
  const more = is.filter((item) => !was.some((other) => isDeepStrictEqual(item, other)));
  const gone = was.filter((item) => !is.some((other) => isDeepStrictEqual(item, other)));
  return `more: ${brief(more)}; gone: ${brief(gone)}`;
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 600);
}

function without(value: unknown, keys: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, keys));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !keys.includes(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, without(item, keys)]));
}
