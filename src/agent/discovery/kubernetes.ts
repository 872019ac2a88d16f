/**
 * The pod in whose control group a process is, by `/proc/PID/cgroup`: kubelet puts pods below `kubepods`, and names their
 * groups by uid (cgroupfs: `kubepods/burstable/podUID`; systemd: `kubepods-burstable-podUID.slice`, with `_` for `-`). Null
 * outside of pods.
 */
export function podOf(cgroups: string): string | null {
  const [, uid] =
    /\/kubepods[^\n]*?[/-]pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})/.exec(cgroups) ?? [];
  return uid?.replaceAll('_', '-') ?? null;
}
