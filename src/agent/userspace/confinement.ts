/**
 * What the kernel says of an engine's process against what it must be: a user without rights, who can get none, under seccomp.
 * Pure. Returns what is wrong, or null.
 *
 * @param status text of /proc/PID/status (proc_pid_status(5))
 */
export function confinementFault(status: string, uid: number): string | null {
  const lines = new Map(status.split('\n').map((line) => [line.split(':')[0], line.split('\t').slice(1)]));
  const said = (name: string): string => lines.get(name)?.join(' ').trim() ?? 'not told';
  const ids = [uid, uid, uid, uid].join(' ');
  const wanted: readonly (readonly [string, string, string])[] = [
    ['Uid', ids, 'runs as another user'],
    ['Gid', ids, 'runs in another group'],
    ['Groups', '', 'is in more groups'],
    ['Seccomp', '2', 'is not under seccomp'],
    ['NoNewPrivs', '1', 'may get new privileges'],
  ];
  for (const [name, value, fault] of wanted)
    if (said(name) !== value) return `it ${fault} (${name} ${said(name)})`;
  const rights = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].find((name) => !/^0+$/.test(said(name)));
  return rights === undefined ? null : `it has capabilities (${rights} ${said(rights)})`;
}
