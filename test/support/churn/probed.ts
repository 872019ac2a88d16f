import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { poll } from '../lab/index.ts';

/** The event loop stood still once. */
export interface Stall {
  /** When it was over, ms since 1970. */
  readonly atMs: number;
  /** How much later than due a timer ran. */
  readonly lateMs: number;
  /** Of that, what the thread was ready to run and was given no processor: the machine's doing. */
  readonly waitedMs: number;
  /** Processor time of the whole process meanwhile. */
  readonly busyMs: number;
  /** What kept it longest, of an agent: where that is neither busy nor without a processor, the kernel let it wait for others. */
  readonly call: BlockingCall | null;
}

/** A function of the addon, the start of a program, or writing to the disk. */
export interface BlockingCall {
  readonly name: string;
  readonly ms: number;
}

/** After all that can be collected was. */
export interface MemorySeen {
  readonly asked: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly residentBytes: number;
}

const PROBE = new URL('probe.ts', import.meta.url).href;

/** What the probes of processes wrote down; see probe.ts. */
export class Probes {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  /** Of a process that is to be watched. */
  get environment(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--import=${PROBE}`, VMN_PROBE_DIR: this.#folder };
  }

  /** Words before the command of an agent that is to be watched. */
  get words(): string[] {
    const variables = { ...this.environment, VMN_PROBE_NATIVE: '1' };
    return ['env', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  }

  /** Of all processes that were watched. */
  pids(): number[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.started'));
    return names.map((name) => Number.parseInt(name, 10));
  }

  /** Longest first; of all processes unless one is named. */
  stalls(pid?: number): Stall[] {
    return this.#lines<Stall>(pid, 'stalls').sort((a, b) => ownMs(b) - ownMs(a));
  }

  /** What a process was ended by: exceptions and rejections that nobody handled. */
  failures(pid?: number): { readonly origin: string; readonly text: string }[] {
    return this.#lines(pid, 'failures');
  }

  /** Has everything collected that can be. */
  async memory(pid: number): Promise<MemorySeen> {
    const file = join(this.#folder, `${String(pid)}.memory`);
    const read = (): MemorySeen | null =>
      existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MemorySeen) : null;
    const before = read()?.asked ?? 0;
    process.kill(pid, 'SIGUSR2');
    return poll(`the memory of process ${String(pid)}`, () => {
      const seen = read();
      return seen !== null && seen.asked > before ? seen : null;
    });
  }

  #lines<T>(pid: number | undefined, kind: string): T[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith(`.${kind}`));
    return names
      .filter((name) => pid === undefined || name === `${String(pid)}.${kind}`)
      .flatMap((name) => readFileSync(join(this.#folder, name), 'utf8').trim().split('\n'))
      .map((line) => JSON.parse(line) as T);
  }
}

/** Of a stall, what the process brought about itself, ms. */
export function ownMs({ lateMs, waitedMs }: Stall): number {
  return lateMs - waitedMs;
}

/** How many descriptors of each kind a process has open: `socket`, `anon_inode:bpf-map`, a path. */
export function descriptors(pid: number): Record<string, number> {
  const folder = `/proc/${String(pid)}/fd`;
  const counts = new Map<string, number>();
  for (const fd of readdirSync(folder)) {
    const kind = kindOf(join(folder, fd));
    if (kind !== null) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort());
}

/** Null: it is closed by now. */
function kindOf(link: string): string | null {
  try {
    return readlinkSync(link).replace(/:\[\d+\]$/, '');
  } catch {
    return null;
  }
}
