/** Finds tests in their sources, for what cannot be learnt from a run: ids of tests that did not run. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Tier } from './tier.ts';

export interface SourceTitle {
  /** The text of the title as it is written; a template's `${...}` parts stay as they are. */
  title: string;
  /** Relative to the project's folder. */
  file: string;
}

/** All test files of a tier, sorted, relative to the project's folder. */
export function testFiles(projectRoot: string, tier: Tier): string[] {
  return tier.folders.flatMap((folder) => testFilesBelow(projectRoot, join('test', folder)));
}

export function testFilesBelow(projectRoot: string, folder: string): string[] {
  return filesBelow(projectRoot, folder, /\.test\.ts$/);
}

/** Files that tests take their cases and titles from. */
export function caseTables(projectRoot: string): string[] {
  return [
    ...filesBelow(projectRoot, join('native', 'test'), /\.[ch]$/),
    ...filesBelow(projectRoot, join('test', 'support'), /\.ts$/),
  ];
}

function filesBelow(projectRoot: string, folder: string, name: RegExp): string[] {
  try {
    return readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && name.test(entry.name))
      .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)))
      .sort();
  } catch {
    return [];
  }
}

// The first string literal after test(, it(, describe(, testWhen(... and their .each/.skip/.only forms, in which the
// table, the reason or the condition may stand before it; a literal that carries an id is a title wherever it stands.
const LITERAL_WITH_ID = /(['"`])((?:(?!\1)[^\\\n]|\\.)*?\[[A-Z][A-Z0-9]*-\d+\](?:(?!\1)[^\\\n]|\\.)*)\1/g;
const TEST_CALL = /^\s*(?:test|it)(?:\.\w+)*\(\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/gm;

/** Tests of the tests: the ids in them are samples. */
const REPOSITORY_TESTS = 'test/unit/repository/';

/** String literals that carry an acceptance id. */
export function titlesWithIds(projectRoot: string, file: string): SourceTitle[] {
  if (file.startsWith(REPOSITORY_TESTS)) return [];
  return matches(projectRoot, file, LITERAL_WITH_ID);
}

/** Titles of plain `test('...')` calls; a table of tests (`test.each`) counts as none. */
export function plainTitles(projectRoot: string, file: string): SourceTitle[] {
  return matches(projectRoot, file, TEST_CALL);
}

function matches(projectRoot: string, file: string, pattern: RegExp): SourceTitle[] {
  const text = readFileSync(join(projectRoot, file), 'utf8');
  return [...text.matchAll(pattern)].map((match) => ({ title: match[2] ?? '', file }));
}
