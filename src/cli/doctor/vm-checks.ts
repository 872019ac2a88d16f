import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Finding } from '../../native/probe.ts';
import { type Check, no, yes } from './check.ts';

const LIBVIRT_SOCKETS = ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock'] as const;

/** What runs VMs here, and what people expect to be needed and is not. */
export function vmChecks(qemu: Finding): Check[] {
  return [qemuCheck(qemu), libvirtCheck(), WIREGUARD];
}

function qemuCheck({ ok, detail, remedy }: Finding): Check {
  const about = { name: 'qemu', purpose: 'vmnetctl run', needed: false };
  const running = runningQemus();
  const visible = running === 0 ? 'no VM of it is visible' : `${running} VMs of it are visible`;
  return ok ? yes(about, `${detail}; ${visible}`) : no(about, `${detail}; ${visible}`, remedy);
}

function libvirtCheck(): Check {
  const about = { name: 'libvirt', purpose: 'names of VMs that it runs', needed: false };
  const socket = LIBVIRT_SOCKETS.find((path) => existsSync(path));
  return socket === undefined ? no(about, 'no daemon of it is visible', '') : yes(about, socket);
}

const WIREGUARD = no(
  { name: 'wireguard', purpose: 'nothing on this host', needed: false },
  'not looked for: the tunnel is between guest and consumer',
  '',
);

/** Processes of this process namespace, by the name that the kernel shows of them (15 characters). */
function runningQemus(): number {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && /^qemu-(system|kvm)/.test(nameOf(name)))
    .length;
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    return '';
  }
}
