/** The ids of test/acceptance.md, in its order. */

export interface AcceptanceRow {
  id: string;
  /** What is tried, and what must come of it: the table's two other columns. */
  what: string;
  expected: string;
}

const ROW = /^\|\s*([A-Z][A-Z0-9]*-\d+)\s*\|(.*?)\|(.*)\|\s*$/;

export function parseAcceptanceTable(markdown: string): AcceptanceRow[] {
  const rows = markdown.split('\n').flatMap((line) => {
    const match = ROW.exec(line);
    if (match === null) return [];
    const [, id = '', what = '', expected = ''] = match;
    return [{ id, what: what.trim(), expected: expected.trim() }];
  });
  const twice = rows.find((row, index) => rows.findIndex(({ id }) => id === row.id) !== index);
  if (twice !== undefined) throw new Error(`${twice.id} is twice in the acceptance table`);
  return rows;
}

const ID_IN_TITLE = /\[([A-Z][A-Z0-9]*-\d+)\]/g;

/** The ids that a test's title carries: `[EF-1] [EF-2] parses ...` carries two. */
export function idsInTitle(title: string): string[] {
  return [...title.matchAll(ID_IN_TITLE)].map((match) => match[1] ?? '');
}
