import type { ChildProcess } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../unit/cli/vmnetctl.ts';
import { fromGuest, STRANGER, type Cast } from '../frames/cast.ts';
import { RentalLab } from './rental-lab.ts';

/** In QEMU's place: a program that waits, while the test itself is at the guest's end of the stream. Returns its path. */
export function idleQemu({ lab }: RentalLab): string {
  const path = join(lab.scratch, 'idle-qemu');
  writeFileSync(path, '#!/bin/sh\nwhile :; do sleep 0.05; done\n');
  chmodSync(path, 0o755);
  return path;
}

/** `vmnetctl run` of a VM that has a manifest, on the userspace engine. */
export function runOnEngine(
  { home, host }: RentalLab,
  name: string,
  command: readonly string[],
): ChildProcess {
  const file = ['-f', join(home.manifests, `${name}.yaml`), '--engine', 'userspace', '--no-seed'];
  const words = [process.execPath, 'src/cli/main.ts', 'run', ...home.paths, ...file, '--', ...command];
  return host.spawn(words, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** What a guest tries, and must not do, while consumer A is its endpoint. */
export function forbidden(cast: Cast): Uint8Array[] {
  const { b, x } = RentalLab;
  return [
    fromGuest(cast, { ip: { destination: x.address } }),
    fromGuest(cast, { ip: { destination: b.address }, udp: { destinationPort: b.port } }),
    fromGuest(cast, { udp: { destinationPort: 53 } }),
    fromGuest(cast, { ethernet: { source: STRANGER.mac } }),
    fromGuest(cast, { ip: { source: STRANGER.address } }),
  ];
}
