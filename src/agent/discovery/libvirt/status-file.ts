import { nestedPidsOf, userOf } from '../proc.ts';
import type { VmFacts } from '../facts.ts';
import type { PatientFiles } from '../patient-files.ts';
import { readDomainStatus } from './domain-status.ts';

const MOST_BYTES = 1024 * 1024;

/**
 * What libvirt's status file says of a domain, if there is one for this very process. The file is looked for in the process's
 * own view of the file system, where libvirt and its VMs are together, also in a pod: of the system's daemon, of one that
 * runs as a user of its own (KubeVirt), of a user's session. Never rejects.
 */
export async function libvirtFacts(pid: number, name: string, files: PatientFiles): Promise<VmFacts | null> {
  // The name is somebody's word; libvirt has none with a slash.
  if (name === '' || name.includes('/') || name.includes('\0') || name.startsWith('.')) return null;
  const user = userOf(pid);
  const pids = nestedPidsOf(pid);
  for (const folder of [
    'libvirt/qemu',
    'libvirt/qemu/run',
    ...(user === null ? [] : [`user/${user}/libvirt/qemu/run`]),
  ]) {
    const text = await files.read(`/proc/${pid}/root/run/${folder}/${name}.xml`, MOST_BYTES);
    const status = text === null ? null : readDomainStatus(text);
    if (status !== null && pids.includes(status.pid) && status.facts.name === name) return status.facts;
  }
  return null;
}
