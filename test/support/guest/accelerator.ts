import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import type { GuestImage } from './image.ts';

export type Accelerator = 'kvm' | 'tcg';

/** A guest on working KVM says it is ready within 1 s; one that hangs never does. */
const PROBE_DEADLINE_MS = 4_000;

let decided: Promise<Accelerator> | undefined;

/**
 * KVM only when a guest has been seen to boot on it: the device can be there and open, and every guest hang on it. The
 * answer is kept for this boot of the machine and this QEMU. `VMN_GUEST_ACCEL` overrules.
 */
export function accelerator(image: GuestImage): Promise<Accelerator> {
  decided ??= decide(image);
  return decided;
}

async function decide(image: GuestImage): Promise<Accelerator> {
  const asked = process.env['VMN_GUEST_ACCEL'];
  if (asked === 'kvm' || asked === 'tcg') return asked;
  if (!usable('/dev/kvm')) return 'tcg';
  const file = join(cacheFolder(), 'accelerator.json');
  const machine = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${qemuIdentity()}`;
  const known = readKnown(file);
  if (known?.machine === machine) return known.accelerator;
  const found: Accelerator = (await bootsOnKvm(image)) ? 'kvm' : 'tcg';
  mkdirSync(cacheFolder(), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ machine, accelerator: found })}\n`);
  return found;
}

function usable(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function qemuIdentity(): string {
  const path = '/usr/bin/qemu-system-x86_64';
  return existsSync(path) ? String(statSync(path).mtimeMs) : 'elsewhere';
}

function readKnown(file: string): { machine: string; accelerator: Accelerator } | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { machine: string; accelerator: Accelerator };
  } catch {
    return null; // not asked yet, or half written
  }
}

function bootsOnKvm(image: GuestImage): Promise<boolean> {
  const disk = [
    '-kernel',
    image.kernel.image,
    '-initrd',
    image.initramfs,
    '-append',
    'console=ttyS0 quiet panic=-1',
  ];
  const machine = [
    '-accel',
    'kvm',
    '-m',
    '192M',
    '-nodefaults',
    '-no-reboot',
    '-display',
    'none',
    '-serial',
    'stdio',
  ];
  const child = spawn('qemu-system-x86_64', [...machine, ...disk], { stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve) => {
    let ready = false;
    let said = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), PROBE_DEADLINE_MS);
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      said += text;
      ready ||= said.includes('init: ready');
      if (ready) child.kill('SIGKILL');
    });
    child.on('error', () => resolve(false));
    child.on('close', () => {
      clearTimeout(timer);
      resolve(ready);
    });
  });
}
