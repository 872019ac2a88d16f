/** Other processes: which taps they hold open, where they listen, and their end. */
import { addon, type Closable, type NativeTunFile, type NativeUnixSocket } from './addon.ts';
import { attempt, type Attempt } from './native-failure.ts';

/** A descriptor of a tap in some process. */
export interface TunFile extends NativeTunFile {
  /** Its number in that process. */
  fd: number;
  /** `tun` carries packets without a frame and is no network card; `macvtap` sends by its lower interface. */
  kind: 'tap' | 'tun' | 'macvtap';
  /** Of the interface now, in the network namespace where it is now. */
  name: string;
  /** Inode of that namespace; 0 where the kernel does not tell. */
  netns: number;
}

/**
 * The taps that a process holds, one entry a descriptor: a tap of several queues has several. Asked of the descriptors
 * themselves, which are borrowed for a moment. `fds`: only these are looked at, which is cheaper by far.
 * @throws VmnError VMN_CAPABILITY when the process may not be looked into; VMN_NETLINK when there is none (cause ESRCH, ENOENT)
 */
export function tunFiles(pid: number, fds?: readonly number[]): TunFile[] {
  const which = fds === undefined ? null : Int32Array.from(fds);
  return attempt(ofProcess('look at the taps of a process', pid), () => addon().tunFiles(pid, which));
}

/** A descriptor of the network namespace in which the tap behind a process's descriptor is. The caller closes it. */
export function openTunNetns(pid: number, fd: number): number {
  return attempt(ofProcess('find the network namespace of a tap', pid), () => addon().tunNetns(pid, fd));
}

/** A unix socket with a path, in some process. */
export interface UnixSocket extends NativeUnixSocket {
  /** Where it listens, or was accepted; as it was bound, which may be a relative path. */
  path: string;
  listening: boolean;
  /** Who connected, of one that was accepted; 0: nobody that can be seen from here. */
  peerPid: number;
}

/**
 * The unix sockets of a process at which it listens, and those that it accepted there, whatever namespaces the two ends
 * are in.
 * @throws VmnError as tunFiles() does
 */
export function unixSockets(pid: number): UnixSocket[] {
  return attempt(ofProcess('look at the sockets of a process', pid), () => addon().unixSockets(pid));
}

/** Calls back once when the process has ended. Keeps ours alive until then, or until closed. */
export function watchProcessEnd(pid: number, callback: () => void): Closable {
  return attempt(ofProcess('wait for the end of a process', pid), () =>
    addon().watchProcessEnd(pid, callback),
  );
}

/**
 * A descriptor of the process that has this pid now, which goes on meaning that process whoever has the pid later. The caller
 * closes it, and looks at who it is after it was opened, not before.
 * @throws VmnError VMN_NETLINK when there is none (cause ESRCH)
 */
export function openProcess(pid: number): number {
  return attempt(ofProcess('take hold of a process', pid), () => addon().openProcess(pid));
}

/**
 * Sends a signal to the process behind a descriptor; 0 only asks whether its pid is still its own.
 * @throws VmnError VMN_CAPABILITY; VMN_NETLINK with cause ESRCH when it has ended
 */
export function signalProcess(process: number, signal: number): void {
  const privilege = {
    code: 'VMN_CAPABILITY',
    remedy: 'Run as root or with CAP_KILL, or stop the VM by hand.',
  } as const;
  const attempted = `send signal ${signal} to a process`;
  attempt({ code: 'VMN_NETLINK', attempted, means: { EPERM: privilege } }, () =>
    addon().signalProcess(process, signal),
  );
}

/** As watchProcessEnd(), of the process behind a descriptor, which stays the caller's. */
export function watchProcess(process: number, callback: () => void): Closable {
  return attempt({ code: 'VMN_NETLINK', attempted: 'wait for the end of a process' }, () =>
    addon().watchProcess(process, callback),
  );
}

function ofProcess(attempted: string, pid: number): Attempt {
  const privilege = {
    code: 'VMN_CAPABILITY',
    remedy: 'Run as root or with CAP_SYS_PTRACE: which tap a VM holds is read from its process.',
  } as const;
  return {
    code: 'VMN_NETLINK',
    attempted,
    on: `pid ${pid}`,
    means: { EPERM: privilege, EACCES: privilege },
  };
}
