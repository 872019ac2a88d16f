import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeSeedImage } from '../../src/cloudinit/seed-image/image-file.ts';
import { ensureImage, Guest } from '../support/guest/index.ts';
import { executable } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { FILE_SETS, sumsIn, sumsOf, type Sums } from '../unit/cloudinit/seed-image/file-sets.ts';

/** A cold cache, then a boot under emulation. */
const BOOT_TIMEOUT_MS = 240_000;

const SETS = Object.keys(FILE_SETS);
const driveOf = (set: string): string => `/dev/vd${'abcd'.charAt(SETS.indexOf(set))}`;

/** What is below /mnt: sums, then who may do what. Leaves it unmounted. */
const LIST = 'cd /mnt && sha256sum * && stat -c "%a %u %g %n" * && cd / && umount /mnt';

const { describe } = requires(
  executable('qemu-system-x86_64'),
  executable('busybox'),
  executable('nft'),
  executable('apt-get'),
);

describe("a seed image in a guest's kernel", () => {
  let scratch: string;
  let guest: Guest;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'seed-guest-'));
    const drives: string[] = [];
    for (const [set, files] of Object.entries(FILE_SETS)) {
      const path = join(scratch, `${set}.iso`);
      await writeSeedImage(path, files);
      drives.push('-drive', `file=${path},if=virtio,format=raw,readonly=on`);
    }
    guest = await Guest.boot({
      name: 'reader',
      image: await ensureImage(undefined, ['virtio_blk', 'loop', 'isofs']),
      scratch,
      launch: ([qemu = '', ...words]) => spawn(qemu, [...words, ...drives]),
    });
    await guest.must('mkdir /mnt');
  }, BOOT_TIMEOUT_MS);

  afterAll(async () => {
    await guest?.stop();
    rmSync(scratch, { recursive: true, force: true });
  }, 30_000);

  test('is mounted from a drive as cloud-init mounts it, and only root may read', async () => {
    for (const [set, files] of Object.entries(FILE_SETS)) {
      const output = await guest.must(`mount -o ro -t auto ${driveOf(set)} /mnt && ls -ld /mnt && ${LIST}`);
      expect([set, sumsIn(output)]).toEqual([set, await sumsOf(files)]);
      expect(output).toMatch(/^dr-x------ /);
      for (const { name } of files) expect(output).toContain(`\n400 0 0 ${name}\n`);
    }
  });

  test('is found by its label', async () => {
    expect(await guest.must('findfs LABEL=cidata')).toMatch(/^\/dev\/vd[a-d]\n$/);
  });

  /** Rock Ridge and Joliet show the names as they are; without both Linux shows identifiers in lower case, less their `.;1`. */
  const folded = (sums: Sums): Sums =>
    Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name.replaceAll('-', '_'), sum]));
  test.each([
    ['Rock Ridge', 'ro', (sums: Sums) => sums],
    ['Joliet', 'ro,norock', (sums: Sums) => sums],
    ['neither', 'ro,norock,nojoliet', folded],
  ])('[CI-2] is mounted by a loop device, and read by %s', async (_, options, shown) => {
    for (const [set, files] of Object.entries(FILE_SETS)) {
      const loop = `cat ${driveOf(set)} >/tmp/image && losetup /dev/loop0 /tmp/image`;
      const mount = `mount -t iso9660 -o ${options} /dev/loop0 /mnt`;
      const output = await guest.must(`${loop} && ${mount} && ${LIST} && losetup -d /dev/loop0`);
      expect([set, sumsIn(output)]).toEqual([set, shown(await sumsOf(files))]);
    }
  });
});
