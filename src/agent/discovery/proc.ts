import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { errnoOf } from '../host/errno.ts';

/*
 * What /proc says of processes (proc(5)), bounded. Nothing here waits for anybody: these files are the kernel's own, and a
 * command line is read from anonymous memory only (Linux 4.17). Everything comes and goes meanwhile; what is gone is null.
 */

const COMMAND_LINE_BYTES = 256 * 1024;
const TEXT_BYTES = 64 * 1024;

/** All processes, unsorted. */
export function pids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^[1-9]\d*$/.test(name) ? [Number(name)] : []));
}

/**
 * Base name of the program that a process runs; null for kernel threads and zombies. Where that may not be seen, the name
 * that the process goes by, of at most 15 characters.
 */
export function programOf(pid: number): string | null {
  try {
    // Replaced by an upgrade since it was started.
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return null;
    return textOf(`/proc/${pid}/comm`, TEXT_BYTES).trim() || null;
  }
}

/** Start in clock ticks since boot: with the pid it names a process for good. Null when there is none, or it has ended. */
export function startOf(pid: number): string | null {
  const stat = textOf(`/proc/${pid}/stat`, TEXT_BYTES);
  // The name in field 2 may hold blanks and brackets; this is what follows it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

/** Its words, as many as fit in 256 KiB. */
export function commandLineOf(pid: number): string[] {
  const words = textOf(`/proc/${pid}/cmdline`, COMMAND_LINE_BYTES).split('\0');
  return words.at(-1) === '' ? words.slice(0, -1) : words;
}

export function cgroupsOf(pid: number): string {
  return textOf(`/proc/${pid}/cgroup`, TEXT_BYTES);
}

/** Inode of its network namespace. */
export function netnsOf(pid: number | 'thread-self'): number | null {
  const [, inode] = /^net:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/ns/net`) ?? '') ?? [];
  return inode === undefined ? null : Number(inode);
}

/** Its pids, that of the innermost pid namespace last. */
export function nestedPidsOf(pid: number): number[] {
  const [, list = ''] = /^NSpid:\t(.*)$/m.exec(textOf(`/proc/${pid}/status`, TEXT_BYTES)) ?? [];
  return list.split('\t').map(Number);
}

/** The user it runs as. */
export function userOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return null;
  }
}

function textOf(path: string, mostBytes: number): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return '';
  }
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for (let got = -1; got !== 0 && length < mostBytes; length += got) {
      const chunk = Buffer.allocUnsafe(Math.min(mostBytes - length, 16 * 1024));
      got = readSync(fd, chunk, 0, chunk.length, null);
      chunks.push(chunk.subarray(0, got));
    }
  } catch {
    // It has ended meanwhile: ESRCH. What was read is as good as nothing.
    return '';
  } finally {
    closeSync(fd);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
