import { mkdirSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RUNS = fileURLToPath(new URL('../../../build/control-plane', import.meta.url));
/** Logs of so many runs are kept to be read. */
const KEPT_RUNS = 8;
const NOT_LOGS = [
  'etcd-data',
  'etcd-snapshot',
  'pki',
  'kubeconfigs',
  'kubectl-cache',
  'kube-controller-manager.json',
  'k3s.yaml',
];

/** No run takes so long. */
const LONG_AGO_MS = 6 * 3_600_000;

let made = 0;

/**
 * A new folder in build/control-plane, named by when and by whom: keys, data and logs of one set of servers. Older ones
 * whose process has ended are removed, but for the newest few.
 */
export function makeRunFolder(): string {
  mkdirSync(RUNS, { recursive: true });
  removeOldRuns();
  const name = `${String(Date.now())}-${String(process.pid)}-${String(++made)}-${processNamespace()}`;
  const folder = join(RUNS, name);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

function removeOldRuns(): void {
  const ended = readdirSync(RUNS)
    .sort()
    .filter(hasEnded)
    .map((name) => join(RUNS, name));
  for (const folder of ended.slice(0, -KEPT_RUNS)) rmSync(folder, { recursive: true, force: true });
  // Of those that were killed.
  for (const folder of ended.slice(-KEPT_RUNS)) removeSecrets(folder);
}

/** All but the logs. */
export function removeSecrets(folder: string): void {
  for (const name of NOT_LOGS) rmSync(join(folder, name), { recursive: true, force: true });
}

function hasEnded(name: string): boolean {
  const [startedMs, pid, , namespace] = name.split('-');
  if (namespace === processNamespace()) return !isRunning(Number(pid));
  // Another lane of the tests, whose processes cannot be seen from here.
  return Date.now() - Number(startedMs) > LONG_AGO_MS;
}

/** Within which a process id means something. */
function processNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 'none';
  } catch {
    return 'none';
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
