import { join } from 'node:path';
import { accelerator, type Accelerator } from './accelerator.ts';
import { clockWords } from './clock.ts';
import type { GuestImage } from './image.ts';

/** A guest before anybody has started it: all but its network cards. */
export interface GuestMachine {
  accelerator: Accelerator;
  memoryMiB: number;
  kernel: string;
  initramfs: string;
  /** Of the kernel. */
  commandLine: string;
  /** Files: the first serial port is written to the one, the second listens on the other. */
  console: string;
  socket: string;
}

export async function machineFor(
  image: GuestImage,
  name: string,
  scratch: string,
  settings: Readonly<Record<string, string>>,
): Promise<GuestMachine> {
  const engine = await accelerator(image);
  const words = ['console=ttyS0', 'quiet', 'panic=-1', 'mitigations=off', 'nokaslr'];
  const own = Object.entries(settings).map(([key, value]) => `vmn.${key}=${value}`);
  return {
    accelerator: engine,
    memoryMiB: 192,
    kernel: image.kernel.image,
    initramfs: image.initramfs,
    commandLine: [...words, ...(await clockWords(engine)), ...own].join(' '),
    console: join(scratch, `${name}.console`),
    socket: join(scratch, `${name}.sock`),
  };
}

/** What starts it as a plain QEMU. */
export function qemuWords(machine: GuestMachine): string[] {
  const { kernel, initramfs, commandLine } = machine;
  return [
    'qemu-system-x86_64',
    ...['-accel', machine.accelerator, '-m', `${String(machine.memoryMiB)}M`, '-smp', '1'],
    ...['-nodefaults', '-no-reboot', '-display', 'none'],
    ...['-serial', `file:${machine.console}`, '-serial', `unix:${machine.socket},server=on,wait=off`],
    ...['-kernel', kernel, '-initrd', initramfs, '-append', commandLine],
  ];
}
