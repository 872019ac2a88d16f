import type { Problem } from '../../api/manifest.ts';

/** A manifest that a command depends on is invalid; it does nothing then. Exit code 1. */
export class ManifestError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`${problems.length} problems in the manifest`);
    this.name = 'ManifestError';
    this.problems = problems;
  }
}
