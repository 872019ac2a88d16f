import { accessSync, constants } from 'node:fs';
import type { Kernel } from '../../agent/host/kernel.ts';
import { LOOSE, REVERSE_PATH_OF_ALL } from '../../agent/host/reverse-path.ts';
import { settingFile } from '../../agent/host/system-kernel.ts';
import { isVmnError } from '../../lib/errors.ts';
import { type Check, messageOf, no, unknown, yes } from './check.ts';

/** Kernel settings of the host that the ways of guests' packets depend on. */
export function settingChecks(
  kernel: Pick<Kernel, 'readSetting'>,
  isWritable: (path: string) => true | Error = writable,
): Check[] {
  return [written(isWritable), forwarding(kernel), reversePath(kernel)];
}

function written(isWritable: (path: string) => true | Error): Check {
  const about = { name: 'settings', purpose: 'forwarding of taps and uplinks', needed: true };
  const path = settingFile('net/ipv4/conf/default/forwarding');
  const answer = isWritable(path);
  if (answer === true)
    return yes(about, `${path.replace('/ipv4/conf/default/forwarding', '')} can be written to`);
  const code = (answer as NodeJS.ErrnoException).code;
  if (code === 'EACCES') return unknown(about, 'not for this user to write to', 'Run it as root to tell.');
  return no(
    about,
    messageOf(answer),
    'Mount /proc/sys/net for reading and writing; in a pod, hostNetwork with it, and its place in VMNET_PROC_SYS_NET.',
  );
}

/** Either will do: the agent lets single uplinks forward where the host does not. */
function forwarding(kernel: Pick<Kernel, 'readSetting'>): Check {
  const about = { name: 'forwarding', purpose: 'routing guests’ packets', needed: true };
  return setting(kernel, 'net/ipv4/conf/all/forwarding', about, (value) =>
    value === '1'
      ? yes(about, 'the host forwards')
      : yes(about, 'off; the agent turns it on for the uplinks that are needed, guarded'),
  );
}

/** The greater of this and the tap's own counts, and loose is the greatest. */
function reversePath(kernel: Pick<Kernel, 'readSetting'>): Check {
  const about = { name: 'rp_filter', purpose: 'second opinion on guests’ addresses', needed: false };
  return setting(kernel, REVERSE_PATH_OF_ALL, about, (value) =>
    value === LOOSE
      ? no(
          about,
          'net.ipv4.conf.all.rp_filter is 2, which makes that of every tap loose',
          'Set it to 0 or 1, unless something else here needs it: sysctl -w net.ipv4.conf.all.rp_filter=1',
        )
      : yes(about, `net.ipv4.conf.all.rp_filter is ${value}; taps are given 1`),
  );
}

function setting(
  kernel: Pick<Kernel, 'readSetting'>,
  path: string,
  about: Pick<Check, 'name' | 'purpose' | 'needed'>,
  judge: (value: string) => Check,
): Check {
  try {
    const value = kernel.readSetting(path);
    if (value !== null) return judge(value);
    return no(about, `there is no ${settingFile(path)}`, 'Use a kernel with IPv4, and mount /proc.');
  } catch (error) {
    if (!isVmnError(error)) throw error;
    return unknown(about, error.message, error.remedy);
  }
}

function writable(path: string): true | Error {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
