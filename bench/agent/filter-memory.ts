import { join } from 'node:path';
import { mustRun } from '../../test/support/lab/command.ts';

/** What the kernel says one filter takes, bytes. Maps of each CPU are counted for all CPUs. */
export interface FilterMemory {
  readonly maps: number;
  /** The programs as the verifier left them, and as machine code. */
  readonly programs: number;
}

interface ShownProgram {
  readonly bytes_memlock: number;
  readonly bytes_jited: number;
  readonly map_ids: readonly number[];
}

/** Shared by all VMs of a host, so no part of what one takes. */
const SHARED = 'events';

/** Of the filter that is pinned there, by bpftool: two of its maps are pinned nowhere and are found by their ids. */
export async function filterMemory(pinDir: string): Promise<FilterMemory> {
  const show = async (words: readonly string[]): Promise<unknown> =>
    JSON.parse(await mustRun(['bpftool', '-j', ...words])) as unknown;
  const programs: ShownProgram[] = [];
  for (const name of ['from_vm', 'to_vm'])
    programs.push((await show(['prog', 'show', 'pinned', join(pinDir, name)])) as ShownProgram);
  let maps = 0;
  for (const id of new Set(programs.flatMap((program) => program.map_ids))) {
    const map = (await show(['map', 'show', 'id', String(id)])) as { name: string; bytes_memlock: number };
    if (map.name !== SHARED) maps += map.bytes_memlock;
  }
  const sum = programs.reduce(
    (bytes, { bytes_memlock, bytes_jited }) => bytes + bytes_memlock + bytes_jited,
    0,
  );
  return { maps, programs: sum };
}
