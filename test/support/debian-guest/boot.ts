import type { ChildProcess } from 'node:child_process';
import { Guest, type GuestMachine, type GuestResult } from '../guest/index.ts';
import { qemuWords } from '../guest/machine.ts';
import { mustRun } from '../lab/command.ts';
import { poll } from '../lab/index.ts';
import type { DebianImage } from './image.ts';

const MEMORY_MIB = 512;
/** Half a minute under emulation on an idle machine. */
const REBOOT_DEADLINE_MS = 240_000;
/** A minute, likewise. */
const BOOT_DEADLINE_MS = 280_000;
const END_DEADLINE_MS = 60_000;

export interface DebianGuestOptions {
  /** Unique in `scratch`. */
  name: string;
  image: DebianImage;
  scratch: string;
  /** QEMU's words for its second drive, the seed image, and for its network card; none where its launcher adds them. */
  devices: readonly string[];
  /** A disk of {@link copyDisk}, which keeps what is written to it; else all of that is gone with its QEMU. */
  disk?: string;
  /** A program of its disk, without the leading slash, that fails whenever it is called. */
  broken?: string;
  /** Starts QEMU where the tap is. */
  spawn: (argv: string[]) => ChildProcess;
}

/**
 * Boots a Debian; resolves as soon as its shell answers, which is long before cloud-init or the network.
 */
export function bootDebian(options: DebianGuestOptions): Promise<Guest> {
  const { name, image, scratch } = options;
  return Guest.boot({ name, image, scratch, launch: (_, machine) => options.spawn(words(machine, options)) });
}

function words(machine: GuestMachine, { image, devices, broken, disk }: DebianGuestOptions): string[] {
  const more = broken === undefined ? [] : [`vmn.broken=${broken}`];
  const commandLine = [machine.commandLine, ...more].join(' ');
  return [
    ...qemuWords({ ...machine, memoryMiB: MEMORY_MIB, commandLine }).filter((word) => word !== '-no-reboot'),
    ...[
      '-drive',
      `if=virtio,format=raw,${disk === undefined ? `file=${image.disk},snapshot=on` : `file=${disk}`}`,
    ],
    ...devices,
  ];
}

/** Copies a disk, with little more on this machine than what was written to it. */
export async function copyDisk(disk: string, path: string): Promise<string> {
  await mustRun(['cp', '--sparse=always', '--reflink=auto', disk, path]);
  return path;
}

/** As root does it; its disk has everything when it resolves. */
export async function powerOff(guest: Guest): Promise<void> {
  await guest.must('systemctl --no-block poweroff');
  await poll('the end of the guest', () => guest.process.exitCode !== null, { deadlineMs: END_DEADLINE_MS });
  await guest.stop();
}

/** Its card's other end: a tap that is there already, or a Unix socket where somebody listens for a stream of frames. */
export interface GuestCard {
  tap: string | { readonly stream: string };
  mac: string;
}

/** The seed image, its second drive, and its card. */
export function ownDevices(seed: string, card: GuestCard): string[] {
  return ['-drive', `file=${seed},if=virtio,format=raw,readonly=on`, ...cardDevices(card)];
}

/** Likewise, of a VM whose launcher knows of no seed. */
export function cardDevices({ tap, mac }: GuestCard): string[] {
  return [
    ...['-netdev', typeof tap === 'string' ? tapWords(tap) : streamWords(tap.stream)],
    ...['-device', `virtio-net-pci,netdev=n0,mac=${mac}`],
  ];
}

function tapWords(tap: string): string {
  return `tap,id=n0,ifname=${tap},script=no,downscript=no`;
}

function streamWords(path: string): string {
  return `stream,id=n0,server=off,addr.type=unix,addr.path=${path}`;
}

/** Nothing is left to be started, whatever became of it. */
export function booted(guest: Guest): Promise<GuestResult> {
  const wait = 'cloud-init status --wait >/dev/null; systemctl is-system-running --wait';
  return guest.run(wait, BOOT_DEADLINE_MS);
}

/** Has it reboot as root does; resolves when its shell answers again. */
export async function reboot(guest: Guest): Promise<void> {
  const before = await guest.must(BOOT_ID);
  await guest.must('systemctl --no-block reboot');
  const again = async (): Promise<boolean> => {
    if (guest.process.exitCode !== null) throw new Error(`the guest ended instead\n${guest.diagnosis()}`);
    // What was said while nobody listened gets no answer.
    const { code, output } = await guest.run(BOOT_ID, 3000).catch(() => ({ code: -1, output: '' }));
    return code === 0 && output !== before;
  };
  const detail = (): string => guest.diagnosis();
  await poll('the guest to boot again', again, { deadlineMs: REBOOT_DEADLINE_MS, everyMs: 500, detail });
}

const BOOT_ID = 'cat /proc/sys/kernel/random/boot_id';
