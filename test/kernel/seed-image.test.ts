import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { writeSeedImage } from '../../src/cloudinit/seed-image/image-file.ts';
import { mustRun } from '../support/lab/index.ts';
import { executable, file, optional, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { FILE_SETS, sumsIn, sumsOf } from '../unit/cloudinit/seed-image/file-sets.ts';

/*
 * What the tools by which people look at discs make of a seed image, and this machine's kernel where it can mount one; for
 * that of a guest see e2e/seed-image.test.ts.
 */

let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'seed-image-'));
  for (const [set, files] of Object.entries(FILE_SETS)) await writeSeedImage(imageOf(set), files);
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function imageOf(set: string): string {
  return join(scratch, `${set}.iso`);
}

/** Runs a shell script in an empty folder, $1 being the image of each set, and expects in the end all its files there. */
async function expectToRead(script: string): Promise<void> {
  for (const [set, files] of Object.entries(FILE_SETS)) {
    const folder = mkdtempSync(join(scratch, 'read-'));
    const output = await mustRun(['sh', '-ec', script, 'sh', imageOf(set)], { cwd: folder });
    expect([set, sumsIn(output)]).toEqual([set, await sumsOf(files)]);
  }
}

requires(executable('blkid')).test("blkid sees the label, as cloud-init's search does", async () => {
  for (const set of Object.keys(FILE_SETS)) {
    const output = await mustRun(['blkid', '-p', '-o', 'export', imageOf(set)]);
    expect(output.split('\n')).toEqual(expect.arrayContaining(['LABEL=cidata', 'TYPE=iso9660']));
  }
});

const isoinfo = requires(executable('isoinfo'));

isoinfo.test('[CI-2] isoinfo finds both extensions, and the label', async () => {
  const output = await mustRun(['isoinfo', '-d', '-i', imageOf('documents')]);
  expect(output).toContain('Volume id: cidata\n');
  expect(output).toContain('Joliet with UCS level 3 found');
  expect(output).toContain('Rock Ridge signatures version 1 found');
});

for (const [tree, option] of [
  ['Rock Ridge', '-R'],
  ['Joliet', '-J'],
] as const) {
  isoinfo.test(`[CI-2] isoinfo reads every file by ${tree}`, async () => {
    const paths = `isoinfo ${option} -f -i "$1" >../paths`;
    const each = `while read path; do isoinfo ${option} -i "$1" -x "$path" >".$path"; done <../paths`;
    await expectToRead(`${paths}; ${each}; sha256sum *`);
  });
}

requires(executable('xorriso')).test('xorriso reads every file, and the label', async () => {
  await expectToRead('xorriso -osirrox on -indev "$1" -extract / . 2>../said; sha256sum *');
  expect(readFileSync(join(scratch, 'said'), 'utf8')).toContain("Volume id    : 'cidata'\n");
});

const bsdtar = requires(root, executable('bsdtar'));
bsdtar.test('bsdtar reads every file by Rock Ridge', async () => {
  await expectToRead('bsdtar -xf "$1"; sha256sum *');
});
bsdtar.test('bsdtar reads every file by Joliet', async () => {
  await expectToRead('bsdtar --options \'!rockridge\' -xf "$1"; sha256sum *');
});

/** Kernels of small machines may have none. */
const isofs = {
  met:
    readFileSync('/proc/filesystems', 'utf8').includes('\tiso9660\n') ||
    existsSync(`/lib/modules/${release()}/kernel/fs/isofs`),
  reason: `needs a kernel with ISO 9660, which Linux ${release()} here is built without; a guest's mounts it in the e2e tier`,
};

requires(root, optional(isofs), optional(file('/dev/loop-control', 'modprobe loop'))).test(
  "this machine's kernel mounts it by a loop device",
  async () => {
    const mountPoint = join(scratch, 'mounted');
    mkdirSync(mountPoint);
    // In a mount namespace of its own, with which the mount and the loop device go.
    const mounted = `mount -t iso9660 -o loop,ro "$1" ${mountPoint}; cd ${mountPoint}; sha256sum *`;
    await expectToRead(`unshare --mount sh -ec '${mounted}' sh "$1"`);
  },
);
