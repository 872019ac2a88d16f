/** What one program said in a kernel under test: one JSON object a line, in an array or not. */
export interface ProgramReport {
  /** As printed; null when it never ended. 0 and 1 are results, anything else is a crash. */
  code: number | null;
  checks: readonly Check[];
  facts: Readonly<Record<string, unknown>>;
}

/** One check of a program; neither failed nor skipped means passed. */
export interface Check {
  name: string;
  /** A short name where the matrix shows this check on its own. */
  key?: string;
  /** Where and what; empty when there was none. */
  failure: string;
  /** Why this kernel cannot be asked; absent or empty when it was. */
  skipped?: string;
}

export interface Transcript {
  release: string | null;
  /** From power-on to the first program. */
  bootSeconds: number | null;
  btf: boolean;
  programs: ReadonlyMap<string, ProgramReport>;
  /** Init came to its end. */
  complete: boolean;
}

interface OpenReport {
  code: number | null;
  checks: Check[];
  facts: Record<string, unknown>;
}

/** Reads what `init` wrote. Words that are no result are left out: a program that said nothing has no checks. */
export function readTranscript(text: string): Transcript {
  const programs = new Map<string, OpenReport>();
  const values = new Map<string, string>();
  let running: OpenReport | null = null;
  for (const line of text.split(/\r?\n/).map((raw) => raw.trim())) {
    const [word = '', value = '', code = ''] = line.split(' ');
    if (running !== null && line.startsWith('{')) {
      takeResult(line.replace(/,$/, ''), running);
    } else if (word === 'begin') {
      running = { code: null, checks: [], facts: {} };
      programs.set(value, running);
    } else if (word === 'end') {
      if (running !== null) running.code = Number(code);
      running = null;
    } else if (running === null && word !== '') {
      values.set(word, value);
    }
  }
  const uptime = values.get('uptime');
  return {
    release: values.get('release') ?? null,
    bootSeconds: uptime === undefined ? null : Number(uptime),
    btf: values.get('btf') === 'yes',
    programs,
    complete: values.has('done'),
  };
}

function takeResult(line: string, report: OpenReport): void {
  let result: Partial<Check> & { facts?: Record<string, unknown> };
  try {
    result = JSON.parse(line) as typeof result;
  } catch {
    report.checks.push({ name: 'every line is a result', failure: `cut off: ${line.slice(0, 200)}` });
    return;
  }
  if (result.facts !== undefined) Object.assign(report.facts, result.facts);
  if (result.name !== undefined) report.checks.push({ failure: '', ...result, name: result.name });
}
