import { VmnError } from '../lib/errors.ts';

/** For what commander cannot check by itself: options that exclude or need each other. Exit code 2. */
export function usageError(remedy: string, on?: string): VmnError {
  return new VmnError('VMN_USAGE', { attempted: 'read the command line', on, remedy });
}
