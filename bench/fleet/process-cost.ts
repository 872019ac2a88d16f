/** What a process has cost so far, as the kernel tells it in /proc (Linux). */
import { readFileSync } from 'node:fs';

export interface Memory {
  /** Most that was resident since it began, bytes (VmHWM). */
  peak: number;
  /** Resident now, bytes (VmRSS). */
  resident: number;
  /** Resident now, shared pages by their share, bytes (PSS). */
  proportional: number;
}

/** USER_HZ, which the kernel has fixed for what it tells in /proc on all architectures that we run on. */
const TICKS_A_SECOND = 100;

/** utime and stime of all its threads, seconds. */
export function cpuSecondsOf(pid: number): number {
  return cpuSecondsIn(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const rollup = readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8');
  return {
    peak: bytesIn(status, 'VmHWM'),
    resident: bytesIn(status, 'VmRSS'),
    proportional: bytesIn(rollup, 'Pss'),
  };
}

/** @param stat the text of /proc/PID/stat; the name in it may hold spaces and parentheses */
export function cpuSecondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Field 14 and 15 of proc(5), the first one here being field 3.
  const [utime, stime] = [fields[11], fields[12]].map(Number);
  return (utime! + stime!) / TICKS_A_SECOND;
}

export function bytesIn(text: string, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  if (kilobytes === undefined) throw new Error(`no ${name} in\n${text}`);
  return Number(kilobytes) * 1024;
}
