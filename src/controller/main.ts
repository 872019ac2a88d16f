import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { eventRecorder } from '../kube/events/recorder.ts';
import { fence } from '../kube/fenced-client.ts';
import { HealthServer } from '../kube/health/health-server.ts';
import { leaderElection } from '../kube/leader-election/leader-election.ts';
import { ConnectionConfigError } from '../kube/transport/connection-config-error.ts';
import { connect } from '../kube/transport/connect.ts';
import { Backoff } from '../lib/backoff.ts';
import { systemClock } from '../lib/clock.ts';
import { outliveReaders } from '../lib/closed-readers.ts';
import { isVmnError } from '../lib/errors.ts';
import { createLogger } from '../lib/log.ts';
import { Metrics } from '../lib/metrics.ts';
import { EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_OK, parseControllerOptions, usageExitCode } from './options.ts';
import type { ControllerOptions } from './options.ts';
import { LostPast, runTerm } from './term.ts';
import { REQUESTS_AT_A_TIME } from './vmnetwork/attachment-pass.ts';

const NAME = 'vmnet-controller';
const LEASE = 'vmnetwork-controller';
/** A renewal must not wait for a connection behind the work, or the work costs the term. The second is for when one hangs. */
const ELECTION_CONNECTIONS = 2;
/** Of the work. */
const FEWEST_CONNECTIONS = 16;
/** After a term failed for a reason that nobody foresaw: doubled each time, so that it cannot become a storm. */
const AFTER_FAILURE = { initialMs: 1_000, longestMs: 60_000, jitter: 0.2 };
/** A term that held this long was well: the next failure begins at the first pause again. */
const WELL_AFTER_MS = 300_000;

/** `vmnet-controller`: everything is put together here and nowhere else. */
async function main(argv: readonly string[]): Promise<number> {
  const version = ownVersion();
  let options: ControllerOptions;
  try {
    options = parseControllerOptions(argv, { version, hostname: hostname(), env: process.env });
  } catch (error) {
    const exitCode = usageExitCode(error);
    if (exitCode !== null) return exitCode;
    throw error;
  }
  try {
    await serve(options, version);
    return EXIT_OK;
  } catch (error) {
    const remedy = error instanceof ConnectionConfigError || isVmnError(error) ? error.remedy : null;
    if (remedy === null || !(error instanceof Error)) throw error;
    const code = isVmnError(error) ? ` [${error.code}]` : '';
    process.stderr.write(`${NAME}: ${error.message}${code}\n${code === '' ? '' : `  ${remedy}\n`}`);
    return EXIT_ENVIRONMENT;
  }
}

async function serve(options: ControllerOptions, version: string): Promise<void> {
  const clock = systemClock;
  const log = createLogger({ name: NAME, level: options.logLevel });
  const metrics = new Metrics();
  const { kubeconfig, context, namespace, identity } = options;
  const access = { kubeconfig, context, userAgent: `${NAME}/${version}`, metrics, clock };
  // Whoever has a worker has connections too: none of its requests waits behind another's that are not answered.
  const maxConnections = Math.max(options.workers * REQUESTS_AT_A_TIME, FEWEST_CONNECTIONS);
  const client = await connect({ ...access, maxConnections });

  const leaseDurationMs = options.leaseSeconds * 1000;
  const election = options.leaderElect
    ? leaderElection({
        client: await connect({ ...access, maxConnections: ELECTION_CONNECTIONS }),
        ...{ namespace, name: LEASE, identity, clock, log, metrics, leaseDurationMs },
        // The shares of client-go: 15, 10 and 2 seconds.
        renewDeadlineMs: (leaseDurationMs * 2) / 3,
        retryPeriodMs: (leaseDurationMs * 2) / 15,
      })
    : null;
  const fenced = fence(client, () => election?.isLeading() ?? true);

  const state = { filling: false };
  const health = await HealthServer.listen({
    ...options.healthAddress,
    // One that waits for the Lease is ready: it does what it is there for.
    ready: { caches: () => (state.filling ? 'are being filled' : null) },
    metrics,
    clock,
  });
  const stop = new AbortController();
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const end = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'ending');
    stop.abort();
  };
  for (const signal of signals) process.on(signal, end);
  const lead = async (lost: AbortSignal): Promise<void> => {
    const backoff = new Backoff(AFTER_FAILURE);
    while (!lost.aborted) {
      const recorder = eventRecorder({
        ...{ client: fenced, clock, log, metrics, reportingInstance: identity },
        reportingController: 'vmnetwork.io/controller',
      });
      const beganMs = clock.monotonicMs();
      try {
        state.filling = true;
        const onReady = () => {
          state.filling = false;
        };
        await runTerm(
          { client: fenced, namespace, workers: options.workers, recorder, clock, log, metrics, onReady },
          lost,
        );
      } catch (err) {
        if (lost.aborted) return;
        if (clock.monotonicMs() - beganMs > WELL_AFTER_MS) backoff.reset();
        const delayMs = backoff.nextMs();
        if (err instanceof LostPast) log.warn({ err, delayMs }, err.remedy);
        else log.error({ err, delayMs }, 'stopped working for a reason that was not foreseen; begins anew');
        await clock.sleep(delayMs, lost).catch(() => undefined);
      } finally {
        state.filling = false;
        await recorder.flush();
      }
    }
  };
  try {
    log.info({ version, namespace, identity, port: health.port }, 'started');
    await (election === null ? lead(stop.signal) : election.run(stop.signal, lead));
    log.info('ended');
  } finally {
    for (const signal of signals) process.off(signal, end);
    await health.close();
  }
}

function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

outliveReaders();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(
    `${NAME}: this is a bug, please report it\n${String(error instanceof Error ? error.stack : error)}\n`,
  );
  process.exitCode = EXIT_FAILURE;
}
