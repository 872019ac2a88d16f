/**
 * A process that writes the image of the four documents to the path that it is given, as a test wants it:
 *
 *     node write-image.ts PATH [reversed] [half] [BYTES]
 *
 * `reversed`: the files in the other order, in chunks of one byte. `half`: the last content never comes to its end; says
 * `half` when it has begun. BYTES: one document more, of that size.
 */
import { writeSeedImage } from '../../../../src/cloudinit/seed-image/image-file.ts';
import type { SeedFile } from '../../../../src/cloudinit/seed-image/seed-file.ts';
import { DOCUMENTS, FILES } from './documents.ts';

const [path = '', ...words] = process.argv.slice(2);
let files: SeedFile[] = [...FILES];
if (words.includes('reversed')) {
  files = files.reverse().map((file) => ({
    ...file,
    async *chunks() {
      for await (const chunk of file.chunks()) for (const byte of chunk) yield Buffer.of(byte);
    },
  }));
}
if (words.includes('half')) {
  const endless: SeedFile = {
    name: 'vendor-data',
    size: DOCUMENTS.vendorData.length,
    async *chunks() {
      yield Buffer.from(DOCUMENTS.vendorData.slice(0, 60));
      process.stdout.write('half\n');
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    },
  };
  files = [...files.filter(({ name }) => name !== endless.name), endless];
}
const bytes = Number(words.find((word) => /^\d+$/.test(word)) ?? 0);
if (bytes > 0) files.push({ name: 'more', size: bytes, chunks: () => [Buffer.alloc(bytes, 'm')] });
try {
  await writeSeedImage(path, files);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
