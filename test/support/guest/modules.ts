import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface KernelModule {
  name: string;
  /** The decompressed ELF file. */
  content: Buffer;
}

/**
 * The named modules and all that they need, in the order in which insmod takes them. The package carries no modules.dep
 * (depmod writes it at installation), so the `depends=` line of each module is read. A name without a file is built in.
 */
export function modulesInOrder(folder: string, names: readonly string[]): KernelModule[] {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const match = /^(.*)\.ko(\.xz)?$/.exec(basename(entry));
    if (match?.[1] !== undefined) files.set(match[1].replaceAll('-', '_'), join(folder, entry));
  }
  const order = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const file = files.get(name);
    if (order.has(name) || file === undefined) return;
    const content = file.endsWith('.xz')
      ? execFileSync('xz', ['-dc', file], { maxBuffer: 64 << 20 })
      : readFileSync(file);
    for (const needed of dependencies(content)) visit(needed);
    order.set(name, { name, content });
  };
  for (const name of names) visit(name);
  return [...order.values()];
}

function dependencies(elf: Buffer): string[] {
  const match = /\0depends=([^\0]*)\0/.exec(elf.toString('latin1'));
  return (match?.[1] ?? '')
    .split(',')
    .filter((name) => name !== '')
    .map((name) => name.replaceAll('-', '_'));
}
