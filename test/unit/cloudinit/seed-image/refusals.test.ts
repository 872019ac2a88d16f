import { describe, expect, test } from '@jest/globals';
import { seedFile, type SeedFile } from '../../../../src/cloudinit/seed-image/seed-file.ts';
import { seedImage, seedImageBytes } from '../../../../src/cloudinit/seed-image/seed-image.ts';
import { isVmnError, type VmnError } from '../../../../src/lib/errors.ts';
import { wholeImage } from './whole-image.ts';

const named = (...names: string[]): SeedFile[] => names.map((name) => seedFile(name, 'secret'));
/** Says a size without having the bytes. */
const sized = (...sizes: number[]): SeedFile[] =>
  sizes.map((size, index) => ({ name: `file${index}`, size, chunks: () => [] }));

function refusal(files: readonly SeedFile[]): VmnError {
  const refusals = [seedImage, seedImageBytes].map((ask) => {
    try {
      ask(files);
    } catch (error) {
      if (isVmnError(error, 'VMN_SEED_IMAGE')) return error;
      throw error;
    }
    throw new Error(`${ask.name} did not refuse it`);
  });
  expect(refusals[1]).toEqual(refusals[0]);
  return refusals[0]!;
}

describe('a seed image is not begun', () => {
  test.each([
    ['nothing', ''],
    ['the folder itself', '.'],
    ['its parent', '..'],
    ['a path', '../etc/shadow'],
    ['a path of another system', 'a\\b'],
    ['a hidden file', '.user-data'],
    ['an option', '-rf'],
    ['a blank', 'user data'],
    ['a newline', 'user-data\n'],
    ['a null byte', 'user-data\0'],
    ['an escape sequence', '\u001b[2J'],
    ['a direction mark', 'user\u202edata'],
    ['a letter that folds to ASCII', 'user\u017fdata'],
    ['half a character', '\ud83d'],
    ['a version', 'user-data;1'],
    ['a dot at the end, which some readers drop', 'user-data.'],
    ['31 characters', 'n'.repeat(31)],
    ['a megabyte', 'n'.repeat(1 << 20)],
  ])('with a name that is %s', (_, name) => {
    const { message, remedy } = refusal(named(name));
    expect(message).toMatch(
      /^cannot make the seed image \(name ".*"\): these documents make no seed image: \S/,
    );
    expect(message.length).toBeLessThan(300);
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
    expect(remedy).toMatch(/^(Use|Give) /);
  });

  test('with names of 30 characters it is', () => {
    expect(seedImageBytes(named('n'.repeat(30), `${'m'.repeat(26)}.txt`))).toBeGreaterThan(0);
  });

  test.each([
    ['user-data', 'user-data'],
    ['user-data', 'User-Data'],
    ['user-data', 'user_data'],
    ['a.b.c', 'a-b.c'],
  ])('with %s and %s, which are one where readers fold', (first, second) => {
    expect(refusal(named(first, 'other', second)).message).toContain(
      `(name "${second}"): these documents make no seed image: it is the same as "${first}"`,
    );
  });

  test('with more than 32 files', () => {
    expect(refusal(sized(...Array.from({ length: 33 }, () => 1))).message).toContain(
      '(files): these documents make no seed image: there are 33, more than 32',
    );
    expect(seedImageBytes(sized(...Array.from({ length: 32 }, () => 1)))).toBeGreaterThan(0);
  });

  test('with a document of more than 16 MiB', () => {
    const most = 16 * 1024 * 1024;
    expect(seedImageBytes(sized(most))).toBeGreaterThan(most);
    const { message, remedy } = refusal(sized(0, most + 1));
    expect(message).toContain('(size of file1)');
    expect(message).toContain('it has 16777217 bytes, more than 16777216');
    expect(remedy).toContain('#include');
  });

  test('with documents of more than 64 MiB together', () => {
    const most = 16 * 1024 * 1024;
    expect(seedImageBytes(sized(most, most, most, most))).toBeGreaterThan(4 * most);
    expect(refusal(sized(most, most, most, most, 1)).message).toContain(
      'have 67108865 bytes together, more than 67108864',
    );
  });

  test.each([-1, 0.5, NaN, Infinity, 2 ** 53])('with a size of %p', (size) => {
    expect(refusal(sized(size)).message).toContain(`${size} is no number of bytes`);
  });
});

test.each([
  ['longer', ['four', 'five!']],
  ['shorter', ['four']],
])('a content that turns out %s than its size breaks the image off', async (fault, texts) => {
  const chunks = (): Buffer[] => texts.map((text) => Buffer.from(text));
  const written = wholeImage([{ name: 'user-data', size: 8, chunks }]);
  await expect(written).rejects.toMatchObject({
    code: 'VMN_SEED_IMAGE',
    message: expect.stringContaining(`(size of user-data)`),
  });
  await expect(written).rejects.toThrow(`the content is ${fault} than the 8 bytes that were said`);
});

test('no refusal quotes a content', async () => {
  const files = [...named('user-data'), { name: 'x', size: 1, chunks: () => [Buffer.from('secret')] }];
  await expect(wholeImage(files)).rejects.toMatchObject({
    message: expect.not.stringContaining('secret'),
  });
});
