/** What a program prints, compared with a file that people have read. `UPDATE_GOLDEN=1` writes the files anew. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';

const FOLDER = join(import.meta.dirname, 'golden');

export function expectGolden(name: string, text: string): void {
  const file = join(FOLDER, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, text);
  }
  expect(text).toBe(readFileSync(file, 'utf8'));
}

/** What differs from run to run, made the same in the same width, so that columns stay where they are. */
export function masked(text: string, namespace: string): string {
  return text
    .replaceAll(namespace, 'tenant-a')
    .replaceAll(/\b[0-9]+s\b/g, (age) => '0s'.padEnd(age.length))
    .replaceAll(/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/(Resource Version: +)[0-9]+/g, '$1N')
    .replaceAll(/ +$/gm, '');
}
