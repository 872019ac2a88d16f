import { join } from 'node:path';
import type { TargetName } from './target.ts';

const root = join(import.meta.dirname, '..', '..');
const work = join(root, 'build', 'fuzz');

/** Where everything is. What is in build/ can be thrown away; inputs in build/fuzz/corpus make the next run start further on. */
export const FOLDERS = {
  root,
  work,
  sources: join(root, 'native', 'fuzz'),
  build: join(work, 'native'),
  artifacts: join(work, 'artifacts'),
  coverage: join(work, 'coverage'),
  cases: join(root, 'test', 'support', 'corpus', 'cases'),
  foundCases: join(root, 'test', 'support', 'corpus', 'found'),
  foundSequences: join(root, 'test', 'support', 'differential', 'found'),
  seeds: (target: TargetName): string => join(work, 'seeds', target),
  corpus: (target: TargetName): string => join(work, 'corpus', target),
  /** Inputs that once crashed a target; kept in the repository. */
  found: (target: TargetName): string => join(root, 'native', 'fuzz', 'found', target),
} as const;

/** A path as a person types it. */
export const shown = (path: string): string => path.replace(`${root}/`, '');
