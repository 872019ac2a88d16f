import { VmnError } from '../lib/errors.ts';

/**
 * For what commander cannot check by itself: options that exclude or need each other. Exit code 2.
 * @param fault what is wrong, by itself a line for people: `--vm x: no such VM in the file`
 */
export function usageError(fault: string, remedy: string): VmnError {
  return new VmnError('VMN_USAGE', { attempted: 'read the command line', on: fault, remedy });
}
