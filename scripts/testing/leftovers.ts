/** What tests could leave on a machine, or in a lane: compared before and after the tiers that touch the host's network. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const LIKE_OURS = /^qemu-system|(^| )tcpdump |src\/(agent|cli|controller)\/main\.ts|\/(etcd|kube-[a-z-]+) --/;

/**
 * Each leftover as a person would name it, e.g. `network namespace vmn-lab-1`. A machine runs processes of others, a lane
 * does not.
 */
export function leftovers(which: 'processes like ours' | 'every process'): Set<string> {
  return new Set([
    ...names('/run/netns').map((name) => `network namespace ${name}`),
    ...names('/sys/class/net')
      .filter((name) => readText(join('/sys/class/net', name, 'tun_flags')) !== null)
      .map((name) => `tap ${name}`),
    ...names('/sys/fs/bpf')
      .filter((name) => name.startsWith('vmn'))
      .map((name) => `pins in /sys/fs/bpf/${name}`),
    ...mountsOfOurs().map((path) => `mount ${path}`),
    ...processes(which === 'every process' ? /./ : LIKE_OURS),
  ]);
}

/** What is there now and was not before; sorted. */
export function newLeftovers(before: ReadonlySet<string>, after: ReadonlySet<string>): string[] {
  return [...after].filter((item) => !before.has(item)).sort();
}

function mountsOfOurs(): string[] {
  return (readText('/proc/self/mounts') ?? '')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => /vmn|^\/run\/netns\//.test(path));
}

function processes(like: RegExp): string[] {
  return names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const words = (readText(join('/proc', pid, 'cmdline')) ?? '').split('\0');
      const command = words.slice(0, 4).join(' ').trim();
      return like.test(command) ? [`process ${pid} ${command}`] : [];
    });
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
