/** Reads the packet corpus: what scapy made from the RFCs, and the packets that once made engines differ. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CorpusError, parseCase, type CorpusCase } from './case-file.ts';

export {
  CorpusError,
  parseCase,
  type CorpusCase,
  type CorpusExpectation,
  type CorpusMeta,
  type CorpusPolicy,
} from './case-file.ts';

export const corpusFolder = fileURLToPath(new URL('.', import.meta.url));

const REASON_HEADER = fileURLToPath(new URL('../../../native/include/vmn/reason.h', import.meta.url));

/** Who plays in every case, see README.md. */
export const CORPUS_CAST = Object.freeze({
  guestMac: '02:76:aa:bb:cc:dd',
  guestAddress: '100.64.0.5',
  gatewayMac: '02:76:6d:6e:00:01',
  gatewayAddress: '169.254.1.1',
  endpoint: Object.freeze({ address: '203.0.113.10', port: 51900 }),
  previous: Object.freeze({ address: '198.51.100.7', port: 51820 }),
  generation: 7n,
});

/** The names and numbers of reason.h, which is where they are defined. */
export function reasonNumbers(header = readFileSync(REASON_HEADER, 'utf8')): ReadonlyMap<string, number> {
  const rows = [...header.matchAll(/^\s*X\((\d+), [A-Z0-9_]+, "([A-Za-z0-9]+)"\)/gm)];
  if (rows.length === 0) throw new Error(`${REASON_HEADER} has no rows X(number, SYMBOL, "Name")`);
  return new Map(rows.map(([, number, name]) => [name ?? '', Number(number)]));
}

/**
 * Every case of `cases/` and `found/`, by file name. Throws CorpusError for the first file that is no case, and when
 * `cases/` is missing or empty: a corpus that vanished is not a corpus that passed.
 */
export function loadCorpus(folder = corpusFolder): readonly CorpusCase[] {
  const reasons = reasonNumbers();
  const cases = ['cases', 'found'].flatMap((part) =>
    caseNames(folder, part).map((name) =>
      parseCase(`${part}/${name}`, readFileSync(`${folder}/${part}/${name}`, 'utf8'), reasons),
    ),
  );
  if (!cases.some(({ file }) => file.startsWith('cases/')))
    throw new CorpusError(`${folder}/cases`, 0, 'no cases', 'run python3 generate.py cases');
  return Object.freeze(cases);
}

function caseNames(folder: string, part: string): string[] {
  const path = `${folder}/${part}`;
  const names = existsSync(path) ? readdirSync(path).sort() : [];
  return names.filter((name) => {
    if (name === 'README.md') return false;
    if (/^[a-z0-9]+(-[a-z0-9]+)*\.case$/.test(name)) return true;
    throw new CorpusError(
      `${part}/${name}`,
      0,
      'not the name of a case',
      'name it what-it-tries.case or remove it',
    );
  });
}
