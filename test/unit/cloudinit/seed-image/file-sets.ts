/** Images that the readers of others are asked about, and what must come out of them. */
import { createHash } from 'node:crypto';
import { MAX_FILES } from '../../../../src/cloudinit/seed-image/file-rules.ts';
import { seedFile, type SeedFile } from '../../../../src/cloudinit/seed-image/seed-file.ts';
import { FILES } from './documents.ts';

export const FILE_SETS: Readonly<Record<string, readonly SeedFile[]>> = {
  documents: FILES,
  'ends-of-sectors': [0, 1, 2047, 2048, 2049].map((size) => filled(`user-data-${size}`, size)),
  'five-mebibytes': [filled('user-data', 5 * 1024 * 1024), ...FILES.slice(0, 1)],
  // The directories of both trees go on in a second sector.
  'many-names': Array.from({ length: MAX_FILES }, (_, index) =>
    filled(`${'n'.repeat(28)}${10 + index}`, index),
  ),
};

/** SHA-256 by name. */
export type Sums = Readonly<Record<string, string>>;

export async function sumsOf(files: readonly SeedFile[]): Promise<Sums> {
  const sums: Record<string, string> = {};
  for (const file of files) {
    const hash = createHash('sha256');
    for await (const chunk of file.chunks()) hash.update(chunk);
    sums[file.name] = hash.digest('hex');
  }
  return sums;
}

/** Of the lines of `sha256sum`, whatever else is between them. */
export function sumsIn(output: string): Sums {
  return Object.fromEntries(
    [...output.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)].map(([, sum = '', name = '']) => [name, sum]),
  );
}

/** A content in which no two sectors are the same. */
function filled(name: string, size: number): SeedFile {
  const content = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) content.writeUInt32LE(at, at);
  return seedFile(name, content);
}
