import { readFileSync } from 'node:fs';

/** The reasons as native/include/vmn/reason.h lists them, read from its text so that no second list can agree by accident. */
export interface HeaderReason {
  number: number;
  symbol: string;
  name: string;
}

const header = readFileSync(new URL('../../../native/include/vmn/reason.h', import.meta.url), 'utf8');

export const headerReasons: readonly HeaderReason[] = [
  ...header.matchAll(/X\((\d+), ([A-Z0-9_]+), "(\w+)"\)/g),
].map(([, number, symbol, name]) => ({ number: Number(number), symbol: symbol ?? '', name: name ?? '' }));

const firstDrop = Number(/VMN_REASON_FIRST_DROP (\d+)/.exec(header)?.[1] ?? Number.NaN);

export const dropSymbols: readonly string[] = headerReasons
  .filter(({ number }) => number >= firstDrop)
  .map(({ symbol }) => symbol);

/** "SOURCE_MAC" for 20; a number that reason.h does not have is shown as such, and so equals no expectation. */
export function symbolOf(number: number): string {
  return headerReasons.find((reason) => reason.number === number)?.symbol ?? `reason ${String(number)}`;
}

export function isDropSymbol(symbol: string): boolean {
  return dropSymbols.includes(symbol);
}
