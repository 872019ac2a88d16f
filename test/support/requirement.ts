/** What tests ask of a machine, each with the words that a person needs to provide it. For `requires()` of skip.ts. */
import { accessSync, constants, existsSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Requirement } from './skip.ts';

export const root: Requirement = {
  met: process.getuid?.() === 0,
  reason: 'needs root: run it with sudo',
};

/** The kernel is at least this version, e.g. `kernel(6, 6)` for tcx. */
export function kernel(major: number, minor: number): Requirement {
  const [haveMajor = 0, haveMinor = 0] = release().split('.').map(Number);
  return {
    met: process.platform === 'linux' && (haveMajor > major || (haveMajor === major && haveMinor >= minor)),
    reason: `needs Linux >= ${major}.${minor}, this is ${process.platform} ${release()}`,
  };
}

/** A program on the PATH; /usr/sbin and /sbin count even when the PATH lacks them. */
export function executable(name: string): Requirement {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return {
    met: folders.some((folder) => isExecutable(join(folder, name))),
    reason: `needs ${name}: run make setup`,
  };
}

/** A file or device, e.g. `file('/dev/net/tun', 'modprobe tun')`. */
export function file(path: string, remedy: string): Requirement {
  return { met: existsSync(path), reason: `needs ${path}: ${remedy}` };
}

/** The same requirement, but a machine without it is no failure in CI. */
export function optional(requirement: Requirement): Requirement {
  return { ...requirement, optional: true };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
