/**
 * Preloaded into an agent or a controller (`node --import`): says how long its event loop stood still, what it failed by, and on
 * SIGUSR2 how much memory it holds. Files of VMN_PROBE_DIR, named by process: `PID.started`,
 * `PID.stalls` and `PID.failures`, one line each, and `PID.memory`.
 */
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MemorySeen, Stall } from './probed.ts';

const BEAT_MS = 10;
/** Shorter ones are not written down. */
const WORTH_TELLING_MS = 50;
/** Of an agent only: see blocking-calls.ts. */
const { takeLongest } =
  process.env['VMN_PROBE_NATIVE'] === undefined
    ? { takeLongest: () => null }
    : await import('./blocking-calls.ts');
const own = join(process.env['VMN_PROBE_DIR'] ?? '/nowhere', String(process.pid));

/** What this thread has waited for a processor, ms: /proc/PID/schedstat, its second number, in ns. */
const waitedMs = (): number => Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;

let last = performance.now();
let lastWaitedMs = waitedMs();
let lastUse = process.cpuUsage();

function beat(): void {
  const now = performance.now();
  const waited = waitedMs();
  const use = process.cpuUsage();
  const lateMs = now - last - BEAT_MS;
  if (lateMs > WORTH_TELLING_MS) {
    const busyMs = (use.user - lastUse.user + use.system - lastUse.system) / 1000;
    const atMs = Date.now();
    const stall: Stall = { atMs, lateMs, waitedMs: waited - lastWaitedMs, busyMs, call: takeLongest() };
    appendFileSync(`${own}.stalls`, `${JSON.stringify(stall)}\n`);
  }
  takeLongest();
  [last, lastWaitedMs, lastUse] = [now, waited, use];
}

writeFileSync(`${own}.started`, '');
setInterval(beat, BEAT_MS).unref();

process.on('uncaughtExceptionMonitor', (error, origin) => {
  appendFileSync(`${own}.failures`, `${JSON.stringify({ origin, text: error.stack ?? String(error) })}\n`);
});

let collect: (() => void) | null = null;
let asked = 0;
process.on('SIGUSR2', () => {
  asked += 1;
  setFlagsFromString('--expose-gc');
  collect ??= runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  const seen: MemorySeen = { asked, heapBytes: heapUsed, externalBytes: external, residentBytes: rss };
  writeFileSync(`${own}.memory.new`, JSON.stringify(seen));
  renameSync(`${own}.memory.new`, `${own}.memory`);
  // Collecting is not what it does by itself.
  [last, lastWaitedMs, lastUse] = [performance.now(), waitedMs(), process.cpuUsage()];
});
