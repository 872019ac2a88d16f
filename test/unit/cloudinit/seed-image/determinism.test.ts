import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { scratch } from '../../cli/scratch.ts';
import { FILES } from './documents.ts';
import { wholeImage } from './whole-image.ts';

/** A change of the bytes shows here: is it meant, and does no guest take it for another seed? */
const SHA256 = '0bd18dfc8eb13cd92e54a170da351ffba1a13e83aec014d1591e7a64ebc663cd';

const folder = scratch();

test('[CI-2] is the same, byte for byte, in this process and in others of any time zone and locale, in any order of files', async () => {
  const places = [
    { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    { TZ: 'America/Los_Angeles', LC_ALL: 'C' },
  ];
  const images = places.map((place, index) => {
    const path = join(folder.folder, `${index}.iso`);
    const script = join(import.meta.dirname, 'write-image.ts');
    const words = index === 0 ? ['reversed'] : [];
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', script, path, ...words], {
      env: { ...process.env, ...place },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return readFileSync(path);
  });
  const here = await wholeImage(FILES);
  expect(images.map((image) => image.equals(here))).toEqual([true, true]);
  expect(createHash('sha256').update(here).digest('hex')).toBe(SHA256);
});
