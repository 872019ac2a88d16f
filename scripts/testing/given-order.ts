/**
 * Jest starts files in the order in which `--runTestsByPath` names them, instead of by what it remembers of earlier runs: a fresh
 * clone remembers nothing, and would start the longest of them last. See https://jestjs.io/docs/configuration#testsequencer-string.
 */

interface TestFile {
  readonly path: string;
}

export default class GivenOrder {
  sort<T extends TestFile>(tests: readonly T[]): T[] {
    const place = new Map(process.argv.map((argument, index) => [argument, index]));
    const placeOf = ({ path }: T): number =>
      [...place].find(([argument]) => argument !== '' && path.endsWith(`/${argument}`))?.[1] ?? Infinity;
    return [...tests].sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** Nothing is remembered. */
  cacheResults(): void {}
}
