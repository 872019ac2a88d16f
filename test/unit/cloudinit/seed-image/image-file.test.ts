import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { removeUnfinishedSeeds, writeSeedImage } from '../../../../src/cloudinit/seed-image/image-file.ts';
import { seedFile, type SeedFile } from '../../../../src/cloudinit/seed-image/seed-file.ts';
import { scratch } from '../../cli/scratch.ts';
import { FILES } from './documents.ts';
import { readVolume } from './iso9660-reader.ts';

const WRITE_IMAGE = join(import.meta.dirname, 'write-image.ts');
const UNFINISHED = /^seed\.iso\.[0-9a-f]{16}\.unfinished-seed$/;

const temporary = scratch();
let folder: string;
let path: string;
let tests = 0;
beforeEach(() => {
  folder = join(temporary.folder, String((tests += 1)), 'seeds');
  path = join(folder, 'seed.iso');
});

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);
const userData = (): string | undefined =>
  readVolume(readFileSync(path)).rockRidge.get('user-data')?.content.toString();
const withUserData = (text: string): SeedFile[] => [
  ...FILES.filter(({ name }) => name !== 'user-data'),
  seedFile('user-data', text),
];
/** `user-data` that does something when it is half read. */
const interrupted = (halfway: () => void | Promise<void>): SeedFile[] => [
  ...FILES.filter(({ name }) => name !== 'user-data'),
  {
    name: 'user-data',
    size: 10,
    async *chunks() {
      yield Buffer.from('first');
      await halfway();
      yield Buffer.from('after');
    },
  },
];

describe('a seed image on the disk', () => {
  test.each([0o000, 0o022, 0o777])('is for its owner only, whatever the umask (%i)', async (umask) => {
    const before = process.umask(umask);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await writeSeedImage(path, FILES);
    } finally {
      process.umask(before);
    }
    expect(modeOf(path)).toBe('600');
    expect(readVolume(readFileSync(path)).label).toBe('cidata');
  });

  test('makes its folder, for its owner only', async () => {
    await writeSeedImage(path, FILES);
    expect(modeOf(folder)).toBe('700');
  });

  test('takes the place of the old one at once; who has that open keeps it', async () => {
    await writeSeedImage(path, withUserData('old'));
    const held = openSync(path, 'r');
    try {
      await writeSeedImage(
        path,
        interrupted(() => {
          expect(userData()).toBe('old');
          const halves = readdirSync(folder).filter((name) => name !== 'seed.iso');
          expect(halves).toEqual([expect.stringMatching(UNFINISHED)]);
          expect(modeOf(join(folder, halves[0]!))).toBe('600');
        }),
      );
      expect(userData()).toBe('firstafter');
      expect(readVolume(readFileSync(held)).rockRidge.get('user-data')?.content.toString()).toBe('old');
    } finally {
      closeSync(held);
    }
    expect(readdirSync(folder)).toEqual(['seed.iso']);
  });

  test('replaces a link and leaves what it led to alone', async () => {
    mkdirSync(folder, { recursive: true });
    const other = join(temporary.folder, 'other');
    writeFileSync(other, 'untouched');
    symlinkSync(other, path);
    await writeSeedImage(path, FILES);
    expect([lstatSync(path).isFile(), readFileSync(other, 'utf8')]).toEqual([true, 'untouched']);
  });
});

describe('a seed image that cannot be written', () => {
  test('leaves the old one and nothing else: a document that fails', async () => {
    await writeSeedImage(path, withUserData('old'));
    const cause = new Error('EIO');
    await expect(
      writeSeedImage(
        path,
        interrupted(() => {
          throw cause;
        }),
      ),
    ).rejects.toMatchObject({ code: 'VMN_SEED_FILE', cause });
    expect([userData(), readdirSync(folder)]).toEqual(['old', ['seed.iso']]);
  });

  test('the same: a document that is not as long as it said', async () => {
    await writeSeedImage(path, withUserData('old'));
    const files = [{ name: 'user-data', size: 3, chunks: () => [Buffer.from('four')] }];
    await expect(writeSeedImage(path, files)).rejects.toMatchObject({ code: 'VMN_SEED_IMAGE' });
    expect([userData(), readdirSync(folder)]).toEqual(['old', ['seed.iso']]);
  });

  test('the same: given up', async () => {
    await writeSeedImage(path, withUserData('old'));
    const { signal, abort } = abortable();
    await expect(writeSeedImage(path, interrupted(abort), { signal })).rejects.toThrow('enough');
    expect([userData(), readdirSync(folder)]).toEqual(['old', ['seed.iso']]);
  });

  test('the same: no room', async () => {
    await writeSeedImage(path, withUserData('old'));
    const script = `trap '' XFSZ; ulimit -f 100; exec "$@"`;
    const words = ['-c', script, 'sh', process.execPath, WRITE_IMAGE, path, '1000000'];
    const { status, stderr } = spawnSync('bash', words, { encoding: 'utf8' });
    expect(stderr).toContain(`cannot write the seed image (${path})`);
    expect(stderr).toContain('EFBIG');
    expect([status, userData(), readdirSync(folder)]).toEqual([1, 'old', ['seed.iso']]);
  });

  test('does not begin: documents that are refused', async () => {
    await expect(writeSeedImage(path, [seedFile('..', '')])).rejects.toMatchObject({
      code: 'VMN_SEED_IMAGE',
    });
    expect(existsSync(folder)).toBe(false);
  });

  test('says so: a folder that is none', async () => {
    writeFileSync(join(temporary.folder, 'file'), '');
    await expect(writeSeedImage(join(temporary.folder, 'file', 'seed.iso'), FILES)).rejects.toMatchObject({
      code: 'VMN_SEED_FILE',
      message: expect.stringContaining('EEXIST'),
      remedy: expect.stringContaining('folder'),
    });
  });
});

describe('a writer that is killed', () => {
  test('leaves half a secret for its owner only, and the next start removes it and nothing else', async () => {
    await writeSeedImage(path, withUserData('old'));
    const others = ['seed.iso.0123456789abcdef.unfinished-seed.bak', 'unfinished-seed', 'seed.iso.new'];
    for (const name of others) writeFileSync(join(folder, name), '');
    const child = spawn(process.execPath, [WRITE_IMAGE, path, 'half'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await ended;
    const halves = readdirSync(folder).filter((name) => UNFINISHED.test(name));
    expect(halves).toHaveLength(1);
    expect(modeOf(join(folder, halves[0]!))).toBe('600');
    expect(userData()).toBe('old');
    expect(await removeUnfinishedSeeds(folder)).toEqual(halves);
    expect(readdirSync(folder).sort()).toEqual(['seed.iso', ...others].sort());
    expect(await removeUnfinishedSeeds(folder)).toEqual([]);
  });

  test('in a folder that is gone left nothing', async () => {
    expect(await removeUnfinishedSeeds(join(folder, 'none'))).toEqual([]);
  });

  test('in what is no folder: the error says so', async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, '');
    await expect(removeUnfinishedSeeds(path)).rejects.toMatchObject({ code: 'VMN_SEED_FILE' });
  });
});

describe('a start of another process while an image is written', () => {
  test('makes the writer begin again', async () => {
    const swept: string[][] = [];
    const files = interrupted(async () => {
      if (swept.length < 3) swept.push(await removeUnfinishedSeeds(folder));
    });
    await writeSeedImage(path, files);
    expect(swept.map((names) => names.length)).toEqual([1, 1, 1]);
    expect([userData(), readdirSync(folder)]).toEqual(['firstafter', ['seed.iso']]);
  });

  test('the folder with it: the same', async () => {
    let times = 0;
    const files = interrupted(() => {
      if ((times += 1) === 1) rmSync(folder, { recursive: true });
    });
    await writeSeedImage(path, files);
    expect(userData()).toBe('firstafter');
  });

  test('again and again: it gives up, and says why', async () => {
    const files = interrupted(async () => {
      await removeUnfinishedSeeds(folder);
    });
    await expect(writeSeedImage(path, files)).rejects.toThrow('removed by another process');
    expect(readdirSync(folder)).toEqual([]);
  });
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) };
}
