import { seedImage } from '../../../../src/cloudinit/seed-image/seed-image.ts';
import type { SeedFile } from '../../../../src/cloudinit/seed-image/seed-file.ts';

/** All of an image at once, which only tests want. */
export async function wholeImage(files: readonly SeedFile[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of seedImage(files)) parts.push(part);
  return Buffer.concat(parts);
}
