import { execFile, type ExecFileException } from 'node:child_process';
import type { Clock } from '../../lib/clock.ts';
import { isExhaustion, isVmnError, VmnError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { here, type Inside } from './inside.ts';

export type NftFamily = 'inet' | 'bridge' | 'arp';

/** nftables as the agent uses it: the JSON form of libnftables (libnftables-json(5)) in and out. */
export interface Nft {
  /** The objects of `table FAMILY NAME` in kernel order, or null when there is no such table. */
  listTable(name: string, family: NftFamily): Promise<unknown[] | null>;
  /** Applies commands as one transaction: all of them or none. */
  apply(commands: readonly unknown[]): Promise<void>;
}

const TIMEOUT_MS = 10_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * The `nft` program, which acts in the network namespace in which it is started. Throws VMN_NFT_MISSING when it cannot be
 * run, VMN_NFT_FAILED when it refuses.
 */
export function nftProgram(path = 'nft', inside: Inside = here): Nft {
  return {
    async listTable(name, family) {
      const result = await run(inside, path, ['-j', 'list', 'table', family, name]);
      if (result.code !== 0) {
        // nft exits with 1 for everything; the message tells absence from refusal.
        if (/No such file or directory/.test(result.stderr)) return null;
        throw failed('VMN_NFT_FAILED', `read table ${family} ${name}`, result.stderr);
      }
      try {
        const { nftables } = JSON.parse(result.stdout) as { nftables: unknown[] };
        return nftables;
      } catch (cause) {
        throw new VmnError('VMN_NFT_FAILED', { attempted: `understand table ${family} ${name}`, cause });
      }
    },
    async apply(commands) {
      // As arguments: `-f -` opens /dev/stdin, which fails for the socket that Node gives a child. As many, which nft joins:
      // the kernel takes no single one above 128 KiB.
      const texts = commands.map((command) => JSON.stringify(command)).flatMap((text) => [',', text]);
      const result = await run(inside, path, ['-j', '{"nftables":[', ...texts.slice(1), ']}']);
      if (result.code !== 0) throw failed('VMN_NFT_FAILED', 'apply the rule set', result.stderr);
    },
  };
}

/** However long the rule set has been the same: a table is read at least this often, so each resync reads it, ms. */
const LONGEST_REMEMBERED_MS = 20_000;

/**
 * Looks at a table only when the rule set is another one than at the last look, for to start `nft` takes longer than all else
 * in a pass. That the table is still as it was read is asked of the kernel each time: see nftablesGeneration. Where it does not
 * tell, `nft` is asked.
 */
export function sparingNft(nft: Nft, generation: () => number, clock: Pick<Clock, 'monotonicMs'>): Nft {
  const looks = new Map<string, { generation: number; atMs: number; objects: unknown[] | null }>();
  const generationNow = (): number | null => {
    try {
      return generation();
    } catch (error) {
      if (isVmnError(error)) return null;
      throw error;
    }
  };
  return {
    async listTable(name, family) {
      const table = `${family} ${name}`;
      const last = looks.get(table);
      const before = generationNow();
      const atMs = clock.monotonicMs();
      if (last !== undefined && last.generation === before && atMs - last.atMs < LONGEST_REMEMBERED_MS)
        return last.objects;
      const objects = await nft.listTable(name, family);
      // Of the generation before it was read: what changed meanwhile, seen or not, is read again.
      if (before !== null) looks.set(table, { generation: before, atMs, objects });
      return objects;
    },
    apply: (commands) => nft.apply(commands),
  };
}

function failed(code: ErrorCode, attempted: string, stderr: string): VmnError {
  const line = stderr.split('\n').find((text) => text.trim() !== '') ?? 'no message';
  return new VmnError(code, { attempted, cause: new Error(line.trim()) });
}

interface Result {
  /** Exit code; null when nft was killed, by its time limit for example. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(inside: Inside, path: string, args: readonly string[]): Promise<Result> {
  // The message is matched above, hence the locale.
  const options = {
    env: { ...process.env, LC_ALL: 'C' },
    timeout: TIMEOUT_MS,
    maxBuffer: OUTPUT_LIMIT_BYTES,
  };
  return new Promise((resolve, reject) => {
    const ended = (error: ExecFileException | null, stdout: string, stderr: string): void => {
      const code = error === null ? 0 : (error.code ?? null);
      if (typeof code !== 'string') return resolve({ code, stdout, stderr });
      // A name instead of a number: it could not be started, or said too much.
      const failure = isExhaustion(error) ? 'VMN_NFT_FAILED' : 'VMN_NFT_MISSING';
      reject(new VmnError(failure, { attempted: 'run nft', on: path, cause: error }));
    };
    // By the time this returns the child exists, and has the namespace of this moment (libuv forks synchronously).
    inside(() => execFile(path, args, options, ended));
  });
}
