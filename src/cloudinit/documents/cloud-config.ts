import { bootCommands } from './boot-commands.ts';
import type { Guest } from './guest.ts';
import { guestFiles } from './guest-files/all.ts';
import { yamlText } from './yaml-text.ts';

/** cloud-init reads it as a description of what to do, not as a script, because of its first line. */
const FIRST_LINE = '#cloud-config\n';

/**
 * What we ask of cloud-init. By default a list of the tenant's takes the place of the vendor's list of the same name: their
 * `bootcmd` would do away with our firewall. MERGING says how ours is merged into theirs: both are kept, ours goes first, and
 * of anything else theirs wins.
 *
 * No user, no password, no key for SSH: whom the guest lets in is the tenant's business alone.
 */
export function cloudConfig(guest: Guest): string {
  // Under both names of the same setting: parts of one document are merged by the first, which is lost with that; then
  // vendor-data with user-data by the second (mergers/__init__.py of cloud-init, dict_extract_mergers).
  const merging = { merge_how: MERGING, merge_type: MERGING };
  return yamlText({ ...merging, bootcmd: bootCommands(guestFiles(guest)) }, FIRST_LINE);
}

const MERGING = [
  { name: 'list', settings: ['prepend'] },
  { name: 'dict', settings: ['no_replace', 'recurse_list'] },
  { name: 'str', settings: [] },
];
