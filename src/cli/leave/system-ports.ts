import { existsSync, rmSync } from 'node:fs';
import { RecordsAndSecrets } from '../../agent/guest/records.ts';
import { nftProgram } from '../../agent/host/nft.ts';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import { openedUplinksFile } from '../../agent/wiring/opened-uplinks.ts';
import {
  type AttachmentPaths,
  cablesOf,
  checkpointOf,
  goneCountsOf,
  openedUplinksOf,
  sealingKeyOf,
  socketPathOf,
} from '../../agent/wiring/paths.ts';
import { removePins } from '../../native/bpffs.ts';
import type { UninstallOptions, UninstallPorts } from './uninstall.ts';

/** The real machine. */
export function systemLeavePorts(paths: AttachmentPaths): UninstallPorts {
  const kernel = systemKernel();
  return {
    kernel,
    nft: nftProgram(),
    records: new RecordsAndSecrets(paths),
    uplinks: openedUplinksFile(
      openedUplinksOf(paths),
      () => kernel.readSetting('kernel/random/boot_id') ?? '',
    ),
    detach: (pinDir) => removePins(pinDir, { attachedToo: true }),
    removeFile,
  };
}

/** What agents leave besides records and the opened uplinks. */
export function leftFiles(paths: AttachmentPaths): UninstallOptions['files'] {
  const { file, voidMark } = checkpointOf(paths);
  return {
    always: [file, voidMark, sealingKeyOf(paths), goneCountsOf(paths), socketPathOf(paths)],
    // Of VMs whose cable is pulled.
    atLast: [cablesOf(paths)],
  };
}

/** With what an interrupted write of it left. */
function removeFile(path: string): boolean {
  const isThere = existsSync(path);
  for (const one of [path, `${path}.new`]) rmSync(one, { force: true });
  return isThere;
}
