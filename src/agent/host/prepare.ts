import { VmnError } from '../../lib/errors.ts';
import { ensureBpffs, programTags } from '../../native/filter-engine.ts';
import type { ProgramPair } from '../status/status.ts';
import { stateLockOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import { withFileLock } from './lock.ts';

/**
 * What the agent cannot work without, tried in the order in which it fails most often. Throws VMN_NOT_ROOT,
 * VMN_NATIVE_MISSING, VMN_CAPABILITY, VMN_BPF_LOAD, VMN_BPFFS_MISSING, VMN_BPFFS_PRIVATE. Returns the tags of the
 * filter programs, as the kernel gave them: so the programs were loaded once.
 */
export function prepareHost(paths: AttachmentPaths): ProgramPair<string> {
  if (process.geteuid?.() !== 0) throw new VmnError('VMN_NOT_ROOT', { attempted: 'start the agent' });
  const tags = programTags();
  // Under the lock: two who find it missing at one moment would mount one over the other, and hide its pins.
  withFileLock(stateLockOf(paths), () => ensureBpffs(paths.bpffs));
  return tags;
}
