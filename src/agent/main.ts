import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../lib/clock.ts';
import { outliveReaders } from '../lib/closed-readers.ts';
import { isVmnError } from '../lib/errors.ts';
import { HealthServer } from '../kube/health/health-server.ts';
import { ConnectionConfigError } from '../kube/transport/connection-config-error.ts';
import { createLogger } from '../lib/log.ts';
import { openEvents } from '../native/filter-engine.ts';
import { lack, TCX } from '../native/kernel-feature.ts';
import { randomSecret } from '../native/policy-abi.ts';
import { watchNftables } from '../native/nftables-watch.ts';
import { watchLinks } from '../native/rtnetlink.ts';
import { Agent } from './agent.ts';
import { FoundVms } from './discovery/found-vms.ts';
import { systemMachine } from './discovery/system-machine.ts';
import { acquireLock } from './host/lock.ts';
import type { HeldLock } from './host/lock.ts';
import { nftProgram } from './host/nft.ts';
import { prepareHost } from './host/prepare.ts';
import { systemSites } from './host/system-site.ts';
import { openMetrics } from './metrics/open.ts';
import type { Measured, MetricsMeans } from './metrics/open.ts';
import { EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_OK, parseAgentOptions, usageExitCode } from './options.ts';
import type { AgentOptions } from './options.ts';
import { sourceOf } from './source/open.ts';
import { CableFile } from './vm-control/cable-file.ts';
import { systemControl } from './vm-control/system-control.ts';
import { systemPorts } from './wiring/closed-tap.ts';
import { demandTapsOnly } from './wiring/managed.ts';
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
  const locks = new Locks();
  let agent: Agent | null = null;
  let health: HealthServer | null = null;
  try {
    const programTags = prepareHost(options);
    locks.take(options.stateDir);
    locks.take(options.runDir);
    const info = {
      version,
      pid: process.pid,
      startedAt: systemClock.now().toISOString(),
      manifests: options.source.kind === 'manifests' ? options.source.dir : null,
      bpffs: options.bpffs,
      programTags,
    };
    const system = systemPorts(options);
    const measured = openMeasured(options, { info, kernel: system.kernel, clock: systemClock, log });
    const ports = { ...system, kernel: measured?.kernel ?? system.kernel };
    demandTapsOnly(options.managedInterfaces, ports.kernel.links());
    agent = new Agent(
      {
        info,
        paths: options,
        nodeName: options.nodeName,
        resyncMs: options.resyncSeconds * 1000,
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
        nft: nftProgram(),
        found: new FoundVms({ machine: systemMachine(), clock: systemClock, log }),
        sites: systemSites(ports.kernel),
        engine: lack(TCX) === null ? 'tcx' : 'clsact',
        uplinks: openedUplinksFile(
          openedUplinksOf(options),
          () => ports.kernel.readSetting('kernel/random/boot_id') ?? '',
        ),
        clock: systemClock,
        log,
        control: systemControl(systemClock),
        cables: new CableFile(cablesOf(options)),
        observer: measured?.observer ?? null,
        newSecret: randomSecret,
        watchLinks,
        watchGuard: watchNftables,
        openEvents: (onEvent) => openEvents(options.bpffs, onEvent),
      },
    );
    const signal = nextSignal();
    health = await serveHealth(options, agent, measured);
    await agent.start();
    const { source, nodeName } = options;
    log.info({ version, source, nodeName, programTags, healthPort: health?.port }, 'started');
    log.info({ signal: await signal }, 'stopping; the filters stay in force');
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
    locks.release();
  }
}

/** Nobody asks: nothing is counted. */
function openMeasured(options: AgentOptions, means: Omit<MetricsMeans, 'paths'>): Measured | null {
  return options.healthAddress === undefined ? null : openMetrics({ ...means, paths: options });
}

/** Before the first pass, for it to be told that it has not ended. */
async function serveHealth(
  { healthAddress }: AgentOptions,
  { health: { live, ready } }: Agent,
  measured: Measured | null,
): Promise<HealthServer | null> {
  if (healthAddress === undefined || measured === null) return null;
  const { metrics } = measured;
  return HealthServer.listen({ ...healthAddress, live, ready, metrics, clock: systemClock });
}

/** One agent on one host: the state folder and the run folder each belong to one process at a time. */
class Locks {
  readonly #held: HeldLock[] = [];

  take(dir: string): void {
    this.#held.push(acquireLock(join(dir, 'agent.lock'), { wait: false }));
  }

  release(): void {
    for (const lock of this.#held.splice(0)) lock.release();
  }
}

/** Further signals change nothing: the end is under way and takes no longer than a pass. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
  });
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
