import { readFileSync } from 'node:fs';

/** A text that a real program printed; see the folder's README. */
export function recorded(name: string): string {
  return readFileSync(new URL(`recorded/${name}`, import.meta.url), 'utf8');
}

/** The words of a command line that was recorded one a line. */
export function recordedWords(name: string): string[] {
  return recorded(name).trimEnd().split('\n');
}
