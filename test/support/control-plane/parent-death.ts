/**
 * The command line that runs this one so that the kernel kills it when its parent ends, by SIGKILL too (prctl(2),
 * PR_SET_PDEATHSIG; the parent is the thread that spawned it, so spawn from a main thread). Linux only: elsewhere it is
 * returned as it is, and only an orderly end takes the child along.
 */
export function withParentDeath(argv: readonly [string, ...string[]]): [string, ...string[]] {
  return process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL', '--', ...argv] : [...argv];
}
