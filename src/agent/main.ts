import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemClock } from '../lib/clock.ts';
import { outliveReaders } from '../lib/closed-readers.ts';
import { isVmnError } from '../lib/errors.ts';
import type { HealthServer } from '../kube/health/health-server.ts';
import { ConnectionConfigError } from '../kube/transport/connection-config-error.ts';
import { createLogger } from '../lib/log.ts';
import { bpffsFault } from '../native/bpffs.ts';
import { openEvents } from '../native/filter-engine.ts';
import { lack, TCX } from '../native/kernel-feature.ts';
import { randomSecret } from '../native/policy-abi.ts';
import { watchNftables } from '../native/nftables-watch.ts';
import { watchLinks } from '../native/rtnetlink.ts';
import { Agent } from './agent.ts';
import { FoundVms } from './discovery/found-vms.ts';
import { systemMachine } from './discovery/system-machine.ts';
import { firstSignal } from './first-signal.ts';
import { awaitHost } from './host/host-lock.ts';
import type { HeldHost } from './host/host-lock.ts';
import { prepareHost } from './host/prepare.ts';
import { ownHeap, TidyHeap } from './host/tidy-heap.ts';
import { warnOfLooseReversePath } from './host/reverse-path.ts';
import { systemSites } from './host/system-site.ts';
import { TouchedFolders } from './host/touched-folders.ts';
import type { Measured, MetricsMeans } from './metrics/open.ts';
import type { PassObserver } from './metrics/pass-observer.ts';
import { EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_OK, parseAgentOptions, usageExitCode } from './options.ts';
import type { AgentOptions } from './options.ts';
import { sourceOf } from './source/open.ts';
import { CableFile } from './vm-control/cable-file.ts';
import { systemControl } from './vm-control/system-control.ts';
import { systemPorts } from './wiring/closed-tap.ts';
import { demandTapsOnly } from './wiring/managed.ts';
import { systemEngines } from './userspace/engine-machine.ts';
import { openedUplinksFile } from './wiring/opened-uplinks.ts';
import { cablesOf, openedUplinksOf } from './wiring/paths.ts';

/** `vmnet-agent`: everything is put together here and nowhere else. */
async function main(argv: readonly string[]): Promise<number> {
  const version = ownVersion();
  let options: AgentOptions;
  try {
    options = parseAgentOptions(argv, { version, hostname: hostname(), env: process.env });
  } catch (error) {
    const exitCode = usageExitCode(error);
    if (exitCode !== null) return exitCode;
    throw error;
  }
  const log = createLogger({ name: 'vmnet-agent', level: options.logLevel });
  // Whatever is made from here on is for root alone.
  process.umask(0o077);
  let host: HeldHost | null = null;
  let agent: Agent | null = null;
  let health: HealthServer | null = null;
  try {
    const programTags = prepareHost();
    host = await awaitHost(options, {
      clock: systemClock,
      waitMs: options.takeoverSeconds * 1000,
      signal: firstSignal,
      onWait: ({ message }) =>
        log.warn({ seconds: options.takeoverSeconds }, `waiting for another agent to end: ${message}`),
    });
    if (host === null) return EXIT_OK;
    const info = {
      version,
      pid: process.pid,
      startedAt: systemClock.now().toISOString(),
      manifests: options.source.kind === 'manifests' ? options.source.dir : null,
      bpffs: options.bpffs,
      programTags,
    };
    const system = systemPorts(options);
    const kernel = host.pins.guarding(system.kernel);
    const measured = await openMeasured(options, { info, kernel, clock: systemClock, log });
    const ports = { ...system, kernel: measured?.kernel ?? kernel };
    demandTapsOnly(options.managedInterfaces, ports.kernel.links());
    warnOfLooseReversePath(ports.kernel, log);
    const sites = systemSites(ports.kernel);
    const resyncMs = options.resyncSeconds * 1000;
    const control = systemControl(systemClock);
    agent = new Agent(
      {
        info,
        paths: options,
        nodeName: options.nodeName,
        resyncMs,
        managedPatterns: options.managedInterfaces,
        openSource: await sourceOf(options, {
          version,
          programTags,
          kernel: ports.kernel,
          clock: systemClock,
          log,
          metrics: measured?.metrics,
        }),
      },
      {
        ...ports,
        nft: sites.own.nft,
        found: new FoundVms({ machine: systemMachine(), clock: systemClock, log, resyncMs }),
        sites,
        engine: lack(TCX) === null ? 'tcx' : 'clsact',
        uplinks: openedUplinksFile(
          openedUplinksOf(options),
          () => ports.kernel.readSetting('kernel/random/boot_id') ?? '',
        ),
        clock: systemClock,
        log,
        control,
        userspace: systemEngines(control),
        cables: new CableFile(cablesOf(options)),
        observer: tidying(measured?.observer ?? null),
        bpffsFault: () => bpffsFault(options.bpffs),
        newSecret: randomSecret,
        watchLinks,
        watchGuard: watchNftables,
        watchFolders: (onTouch) => new TouchedFolders(onTouch),
        openEvents: (onEvent) => openEvents(options.bpffs, onEvent),
      },
    );
    health = await serveHealth(options, agent, measured);
    await agent.start();
    const { source, nodeName } = options;
    log.info({ version, source, nodeName, programTags, healthPort: health?.port }, 'started');
    if (!firstSignal.aborted) await once(firstSignal, 'abort');
    log.info({ signal: firstSignal.reason }, 'stopping; the filters stay in force');
    return EXIT_OK;
  } catch (error) {
    if (error instanceof ConnectionConfigError) {
      process.stderr.write(`vmnet-agent: ${error.message}\n`);
      return EXIT_ENVIRONMENT;
    }
    if (!isVmnError(error)) throw error;
    log.fatal({ code: error.code, remedy: error.remedy }, error.message);
    process.stderr.write(`vmnet-agent: ${error.message} [${error.code}]\n  ${error.remedy}\n`);
    return EXIT_ENVIRONMENT;
  } finally {
    await health?.close();
    await agent?.close();
    host?.release();
  }
}

/** Nobody asks: nothing is counted, and nothing loaded for it. */
async function openMeasured(
  options: AgentOptions,
  means: Omit<MetricsMeans, 'paths'>,
): Promise<Measured | null> {
  if (options.healthAddress === undefined) return null;
  const { openMetrics } = await import('./metrics/open.ts');
  return openMetrics({ ...means, paths: options });
}

function tidying(observer: PassObserver | null): PassObserver | null {
  const heap = ownHeap();
  return heap === null ? observer : new TidyHeap(heap, systemClock, observer);
}

/** Before the first pass, for it to be told that it has not ended. */
async function serveHealth(
  { healthAddress }: AgentOptions,
  { health: { live, ready } }: Agent,
  measured: Measured | null,
): Promise<HealthServer | null> {
  if (healthAddress === undefined || measured === null) return null;
  const { HealthServer } = await import('../kube/health/health-server.ts');
  const { metrics } = measured;
  return HealthServer.listen({ ...healthAddress, live, ready, metrics, clock: systemClock });
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
    `vmnet-agent: this is a bug, please report it\n${String(error instanceof Error ? error.stack : error)}\n`,
  );
  process.exitCode = EXIT_FAILURE;
}
