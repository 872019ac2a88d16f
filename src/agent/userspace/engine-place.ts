import { join, resolve } from 'node:path';
import { identityOf } from '../wiring/identity.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';

/** Names of its sockets, in a folder of its own: what it binds, and so what the kernel knows them by. */
export const CONTROL_SOCKET = 'control';
export const GUEST_SOCKET = 'guest';

/** Where the engine of a VM can be spoken to, by the name of its record. Gone after a reboot, as the engine is. */
export interface EnginePlace {
  readonly dir: string;
  readonly control: string;
  /** For QEMU: -netdev stream. */
  readonly guest: string;
}

export function enginePlaceOf({ runDir }: Pick<AttachmentPaths, 'runDir'>, record: string): EnginePlace {
  const dir = resolve(runDir, 'engines', record);
  return { dir, control: join(dir, CONTROL_SOCKET), guest: join(dir, GUEST_SOCKET) };
}

/** Above what systemd gives to containers and below 2^31, where no system has users; see docs/adr/0031. */
const FIRST_UID = 0x76000000;

/** The user, and the group, that the engine of a VM runs as: nobody else's on this host. */
export function engineUidOf(vm: string): number {
  return FIRST_UID + parseInt(identityOf(vm).key.slice(0, 6), 16);
}
