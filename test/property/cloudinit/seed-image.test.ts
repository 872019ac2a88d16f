import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_FILES } from '../../../src/cloudinit/seed-image/file-rules.ts';
import { seedFile } from '../../../src/cloudinit/seed-image/seed-file.ts';
import { isVmnError } from '../../../src/lib/errors.ts';
import { readVolume } from '../../unit/cloudinit/seed-image/iso9660-reader.ts';
import { wholeImage } from '../../unit/cloudinit/seed-image/whole-image.ts';

/** The names of NoCloud, names that are nearly theirs, and what somebody might try. */
const names = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('user-data', 'meta-data', 'vendor-data', 'network-config') },
  { weight: 8, arbitrary: fc.stringMatching(/^[a-eA-E0-3]([a-c_.-]{0,4}[a-c])?$/) },
  { weight: 2, arbitrary: fc.stringMatching(/^[A-Za-z0-9._-]{28,31}$/) },
  { weight: 1, arbitrary: fc.constantFrom('USER-DATA', 'user_data', 'user.data', 'user-data.') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '..',
      '../x',
      '/etc/passwd',
      'a\0b',
      'a;1',
      ' ',
      '\u202e',
      'ı',
      '\ud800',
      'x\n',
    ),
  },
);
/** Around the ends of sectors, and anywhere. */
const sizes = fc.oneof(fc.constantFrom(0, 1, 2047, 2048, 2049, 4096), fc.nat({ max: 10_000 }));
const content = { size: sizes, fill: fc.nat({ max: 255 }) };
const anySets = fc.oneof(
  { weight: 9, arbitrary: fc.array(fc.record({ name: names, ...content }), { maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.record(content), { minLength: MAX_FILES - 1, maxLength: MAX_FILES + 2 })
      .map((set) => set.map((file, index) => ({ name: `file${index}`, ...file }))),
  },
);
const plainSets = fc.uniqueArray(
  fc.record({ name: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$/), ...content }),
  { selector: ({ name }) => name, maxLength: MAX_FILES, size: 'max' },
);

type FileSet = readonly { readonly name: string; readonly size: number; readonly fill: number }[];

/** What went in comes out of all three trees, in whatever order it was given. */
async function roundTrip(set: FileSet): Promise<void> {
  const files = set.map(({ name, size, fill }) => seedFile(name, Buffer.alloc(size, fill)));
  const image = await wholeImage(files);
  const volume = readVolume(image);
  for (const tree of [volume.rockRidge, volume.joliet]) {
    expect([...tree.keys()].sort()).toEqual(set.map(({ name }) => name).sort());
    for (const { name, size, fill } of set) {
      expect(tree.get(name)?.content.equals(Buffer.alloc(size, fill))).toBe(true);
    }
  }
  expect(volume.plain.size).toBe(set.length);
  expect((await wholeImage(files.toReversed())).equals(image)).toBe(true);
}

/** The rules again, in other words than those of the writer. */
function mayBe(set: FileSet): boolean {
  const folded = set.map(({ name }) => {
    const parts = name.toLowerCase().replaceAll(/[_-]/g, '_').split('.');
    const extension = parts.length > 1 ? parts.pop() : '';
    return `${parts.join('_')}.${extension ?? ''}`;
  });
  const plain = ({ name }: FileSet[number]): boolean =>
    name.length <= 30 && /^[\w.-]+$/.test(name) && /^[^._-]/.test(name) && !name.endsWith('.');
  return set.length <= 32 && set.every(plain) && new Set(folded).size === set.length;
}

test('any set of plain names and sizes is read back as it was written', async () => {
  await fc.assert(fc.asyncProperty(plainSets, roundTrip), { numRuns: 150 });
});

test('any names at all make an image that is read back with them, or an error before its first byte', async () => {
  const seen = { made: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(anySets, async (set) => {
      try {
        await roundTrip(set);
        seen.made += 1;
        expect(mayBe(set)).toBe(true);
      } catch (error) {
        if (!isVmnError(error, 'VMN_SEED_IMAGE')) throw error;
        seen.refused += 1;
        expect(mayBe(set)).toBe(false);
        expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      }
    }),
    { numRuns: 1000 },
  );
  expect(Math.min(seen.made, seen.refused)).toBeGreaterThan(100);
});
