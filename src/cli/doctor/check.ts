/** One prerequisite of the agent, or something that is good to know about the host it is to run on. */
export interface Check {
  readonly name: string;
  /** What it is for, in a few words. */
  readonly purpose: string;
  /** Without it the agent does not start, or enforces less than was asked for. */
  readonly needed: boolean;
  /** `unknown`: this caller may not find out. */
  readonly found: 'yes' | 'no' | 'unknown';
  /** One line: what was found. */
  readonly detail: string;
  /** What to do; empty when there is nothing to do. */
  readonly remedy: string;
}

/** What a check is about; how it ended is said by one of the functions below. */
export type Subject = Pick<Check, 'name' | 'purpose' | 'needed'>;

export function yes(subject: Subject, detail: string): Check {
  return { ...subject, found: 'yes', detail, remedy: '' };
}

export function no(subject: Subject, detail: string, remedy: string): Check {
  return { ...subject, found: 'no', detail, remedy };
}

export function unknown(subject: Subject, detail: string, remedy: string): Check {
  return { ...subject, found: 'unknown', detail, remedy };
}

/** What cannot be told is not taken for found. */
export function isReady(checks: readonly Check[]): boolean {
  return checks.every(({ needed, found }) => !needed || found === 'yes');
}

/** First line of what was thrown. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1).join('');
}
