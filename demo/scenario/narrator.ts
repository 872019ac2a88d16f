import type { Line } from './ledger.ts';

/** Whoever tells the story to a person; a test passes one that is silent. */
export interface Narrator {
  step(title: string, text: string): void;
  say(text: string): void;
  /** Something that takes a while; ends with the next call of any kind. */
  busy(text: string): void;
  attempt(line: Line): void;
}

export const SILENT: Narrator = {
  step: () => undefined,
  say: () => undefined,
  busy: () => undefined,
  attempt: () => undefined,
};
