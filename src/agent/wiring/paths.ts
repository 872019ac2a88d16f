import { join } from 'node:path';
import { DEFAULT_POOL } from './identity.ts';

/** The places on a host that belong to us. Agent and `vmnetctl` must be given the same ones. */
export interface AttachmentPaths {
  /** Survives a reboot: records of the attachments. */
  readonly stateDir: string;
  /** Gone after a reboot: the agent's socket, and what filters counted that are no more. */
  readonly runDir: string;
  /** Folder on the BPF file system under which everything is pinned. */
  readonly bpffs: string;
  /** CIDR that guest addresses are taken from. */
  readonly pool: string;
}

export const DEFAULT_PATHS: AttachmentPaths = {
  stateDir: '/var/lib/vmnetwork',
  runDir: '/run/vmnetwork',
  bpffs: '/sys/fs/bpf/vmnet',
  pool: DEFAULT_POOL,
};

export function socketPathOf(paths: Pick<AttachmentPaths, 'runDir'>): string {
  return join(paths.runDir, 'agent.sock');
}

export function recordsDirOf(paths: Pick<AttachmentPaths, 'stateDir'>): string {
  return join(paths.stateDir, 'attachments');
}

/** See OpenedUplinks. */
export function openedUplinksOf(paths: Pick<AttachmentPaths, 'stateDir'>): string {
  return join(paths.stateDir, 'opened-uplinks.json');
}

/** See CableFile. */
export function cablesOf(paths: Pick<AttachmentPaths, 'stateDir'>): string {
  return join(paths.stateDir, 'pulled-cables.json');
}

/** The last known wishes of the cluster; see CheckpointFile. */
export function checkpointOf({
  stateDir,
  runDir,
}: Pick<AttachmentPaths, 'stateDir' | 'runDir'>): Readonly<Record<'file' | 'voidMark', string>> {
  return { file: join(stateDir, 'wishes.checkpoint'), voidMark: join(runDir, 'wishes.void') };
}

/** The private half of the key that pre-shared keys are sealed to. */
export function sealingKeyOf(paths: Pick<AttachmentPaths, 'stateDir'>): string {
  return join(paths.stateDir, 'sealing-key');
}

/** The private key of a VM's tunnel, by the name of its record; see guest/key-file.ts. */
export function guestKeyOf(paths: Pick<AttachmentPaths, 'stateDir'>, record: string): string {
  return join(paths.stateDir, 'guest-keys', `${record}.json`);
}

/** Images that VMs are started with. They hold private keys; a run folder is memory. */
export function seedsDirOf(paths: Pick<AttachmentPaths, 'runDir'>): string {
  return join(paths.runDir, 'seeds');
}

export function seedOf(paths: Pick<AttachmentPaths, 'runDir'>, record: string): string {
  return join(seedsDirOf(paths), `${record}.iso`);
}

/** See GoneCounts. */
export function goneCountsOf(paths: Pick<AttachmentPaths, 'runDir'>): string {
  return join(paths.runDir, 'gone-counts.json');
}

/** Held for the moments in which records, taps or pins are made or removed, by the agent and by `vmnetctl run`. */
export function stateLockOf(paths: Pick<AttachmentPaths, 'stateDir'>): string {
  return join(paths.stateDir, 'state.lock');
}

/** Where the programs, maps and links of one tap are pinned. */
export function pinDirOf(paths: Pick<AttachmentPaths, 'bpffs'>, tap: string): string {
  return join(paths.bpffs, tap);
}
