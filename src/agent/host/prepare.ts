import { VmnError } from '../../lib/errors.ts';
import { programTags } from '../../native/filter-engine.ts';
import type { ProgramPair } from '../status/status.ts';

/**
 * What the agent cannot work without, tried in the order in which it fails most often, before anything is made; see takeHost for the
 * rest. Throws VMN_NOT_ROOT, VMN_NATIVE_MISSING, VMN_CAPABILITY, VMN_BPF_LOAD. Returns the tags of the filter programs, as the kernel
 * gave them: so the programs were loaded once.
 */
export function prepareHost(): ProgramPair<string> {
  if (process.geteuid?.() !== 0) throw new VmnError('VMN_NOT_ROOT', { attempted: 'start the agent' });
  return programTags();
}
