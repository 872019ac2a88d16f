import { describe, expect, test } from '@jest/globals';
import { MAX_FILES } from '../../../../src/cloudinit/seed-image/file-rules.ts';
import { noCloudFiles } from '../../../../src/cloudinit/seed-image/no-cloud.ts';
import { seedFile, type SeedFile } from '../../../../src/cloudinit/seed-image/seed-file.ts';
import { seedImage, seedImageBytes } from '../../../../src/cloudinit/seed-image/seed-image.ts';
import { DOCUMENTS, FILES } from './documents.ts';
import { readVolume } from './iso9660-reader.ts';
import { wholeImage } from './whole-image.ts';

describe('a seed image, read by the standards', () => {
  test('holds the four documents under the names that cloud-init asks for, twice', async () => {
    const volume = readVolume(await wholeImage(FILES));
    const expected = {
      'meta-data': DOCUMENTS.metaData,
      'network-config': DOCUMENTS.networkConfig,
      'user-data': DOCUMENTS.userData,
      'vendor-data': DOCUMENTS.vendorData,
    };
    for (const tree of [volume.rockRidge, volume.joliet]) {
      expect(Object.fromEntries([...tree].map(([name, { content }]) => [name, content.toString()]))).toEqual(
        expected,
      );
    }
    expect([...volume.plain.keys()]).toEqual([
      'META_DATA.;1',
      'NETWORK_CONFIG.;1',
      'USER_DATA.;1',
      'VENDOR_DATA.;1',
    ]);
  });

  test('says its label in both descriptors, in the case that every cloud-init takes', async () => {
    const { label, jolietLabel } = readVolume(await wholeImage(FILES));
    expect([label, jolietLabel]).toEqual(['cidata', 'cidata']);
  });

  test("lets only root read: the guest's key is in it", async () => {
    const { rockRidge, extensions } = readVolume(await wholeImage(FILES));
    expect([...rockRidge.values()].map(({ mode, owner }) => [mode?.toString(8), owner])).toEqual(
      FILES.map(() => ['100400', 0]),
    );
    expect(extensions).toEqual(['RRIP_1991A']);
  });

  test('of documents that a tenant left out says nothing', async () => {
    const { metaData, userData } = DOCUMENTS;
    const { rockRidge } = readVolume(await wholeImage(noCloudFiles({ metaData, userData })));
    expect([...rockRidge.keys()]).toEqual(['meta-data', 'user-data']);
  });

  test.each([0, 1, 2047, 2048, 2049, 4096, 5_000_000])('a document of %i bytes', async (size) => {
    const content = Buffer.alloc(size, 'x');
    const { rockRidge } = readVolume(
      await wholeImage([seedFile('user-data', content), ...FILES.slice(0, 1)]),
    );
    expect(rockRidge.get('user-data')?.content.equals(content)).toBe(true);
  });

  test('without any file is still a volume', async () => {
    expect(readVolume(await wholeImage([])).rockRidge.size).toBe(0);
  });

  test('a directory goes on in the next sector', async () => {
    const files = Array.from({ length: MAX_FILES }, (_, index) =>
      seedFile(`${'n'.repeat(28)}${String(index).padStart(2, '0')}`, `content ${index}`),
    );
    const volume = readVolume(await wholeImage(files));
    for (const tree of [volume.rockRidge, volume.joliet]) {
      expect([...tree].map(([name, { content }]) => [name, content.toString()])).toEqual(
        files.map(({ name }, index) => [name, `content ${index}`]),
      );
    }
  });

  test('records are in order where a dot decides', async () => {
    const names = ['a.b1', 'a.b', 'a', 'a-b', 'a.bc', 'a0', 'A1.x', 'b'];
    expect([...readVolume(await wholeImage(names.map((name) => seedFile(name, name)))).plain.keys()]).toEqual(
      ['A.;1', 'A.B;1', 'A.B1;1', 'A.BC;1', 'A0.;1', 'A1.X;1', 'A_B.;1', 'B.;1'],
    );
  });

  test('is as long as it says beforehand', async () => {
    expect((await wholeImage(FILES)).length).toBe(seedImageBytes(FILES));
  });
});

test('one chunk of one content is in memory at a time', async () => {
  let given = 0;
  let taken = 0;
  let most = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const source = (name: string): SeedFile => ({
    name,
    size: 100 * chunk.length,
    async *chunks() {
      for (let index = 0; index < 100; index += 1) {
        given += 1;
        most = Math.max(most, given - taken);
        yield chunk;
      }
    },
  });
  for await (const bytes of seedImage([source('user-data'), source('vendor-data')])) {
    if (bytes === chunk) taken += 1;
    else expect(bytes.length).toBeLessThan(64 * 1024);
  }
  expect([given, taken, most]).toEqual([200, 200, 1]);
});
