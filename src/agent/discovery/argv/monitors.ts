import { basename } from 'node:path';
import { type Options, parseOptions } from './options.ts';
import type { Option } from './words.ts';

/** The monitor through which libvirt steers a VM (qemu_command.c). It is libvirt's alone. */
const LIBVIRT_CHARDEV = 'charmonitor';
const LIBVIRT_SOCKET = 'monitor.sock';

/**
 * Where QEMU listens for QMP by itself: unix sockets, server end, that QEMU does not wait on. With `wait=on` the machine
 * stands still until its launcher connects, and whoever connects first in its place sets it going.
 */
export function qmpSockets(options: readonly Option[]): { paths: string[]; libvirt: boolean } {
  const chardevs = new Map<string, Options>();
  const monitors: Options[] = [];
  for (const { name, value } of options) {
    if (name === 'chardev') {
      const chardev = parseOptions(value, 'backend');
      chardevs.set(chardev.get('id') ?? '', chardev);
    } else if (name === 'qmp' || name === 'qmp-pretty') {
      monitors.push(ofShortForm(value, chardevs));
    }
  }
  for (const { name, value } of options) {
    const monitor = name === 'mon' ? parseOptions(value, 'chardev') : null;
    if (monitor?.get('mode') !== 'control') continue;
    monitors.push(chardevs.get(monitor.get('chardev') ?? '') ?? new Map());
  }
  const paths = monitors.filter(isFreeToUse).flatMap((monitor) => monitor.get('path') ?? []);
  return { paths: [...new Set(paths)], libvirt: monitors.some(isLibvirts) };
}

/** `unix:PATH,…` or `chardev:ID`; anything else (tcp, stdio, pty) is left alone. */
function ofShortForm(value: string, chardevs: ReadonlyMap<string, Options>): Options {
  if (value.startsWith('chardev:')) return chardevs.get(value.slice('chardev:'.length)) ?? new Map();
  if (!value.startsWith('unix:')) return new Map();
  return new Map([...parseOptions(value.slice('unix:'.length), 'path'), ['backend', 'socket']]);
}

function isFreeToUse(monitor: Options): boolean {
  return (
    monitor.get('backend') === 'socket' &&
    monitor.get('server') === 'on' &&
    monitor.get('wait') === 'off' &&
    !isLibvirts(monitor)
  );
}

function isLibvirts(monitor: Options): boolean {
  return monitor.get('id') === LIBVIRT_CHARDEV || basename(monitor.get('path') ?? '') === LIBVIRT_SOCKET;
}
