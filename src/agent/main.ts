import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../lib/clock.ts';
import { outliveReaders } from '../lib/closed-readers.ts';
import { isVmnError } from '../lib/errors.ts';
import { ConnectionConfigError } from '../kube/transport/connection-config-error.ts';
import { createLogger } from '../lib/log.ts';
import { openEvents } from '../native/filter-engine.ts';
import { randomSecret } from '../native/policy-abi.ts';
import { watchNftables } from '../native/nftables-watch.ts';
import { watchLinks } from '../native/rtnetlink.ts';
import { Agent } from './agent.ts';
import { acquireLock } from './host/lock.ts';
import type { HeldLock } from './host/lock.ts';
import { nftProgram } from './host/nft.ts';
import { prepareHost } from './host/prepare.ts';
import { EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_OK, parseAgentOptions, usageExitCode } from './options.ts';
import type { AgentOptions } from './options.ts';
import { sourceOf } from './source/open.ts';
import { systemPorts } from './wiring/closed-tap.ts';
import { openedUplinksFile } from './wiring/opened-uplinks.ts';
import { openedUplinksOf } from './wiring/paths.ts';

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
    const ports = systemPorts(options);
    agent = new Agent(
      {
        info,
        paths: options,
        nodeName: options.nodeName,
        resyncMs: options.resyncSeconds * 1000,
        openSource: await sourceOf(options, {
          version,
          programTags,
          kernel: ports.kernel,
          clock: systemClock,
          log,
        }),
      },
      {
        ...ports,
        nft: nftProgram(),
        uplinks: openedUplinksFile(
          openedUplinksOf(options),
          () => ports.kernel.readSetting('kernel/random/boot_id') ?? '',
        ),
        clock: systemClock,
        log,
        newSecret: randomSecret,
        watchLinks,
        watchGuard: watchNftables,
        openEvents: (onEvent) => openEvents(options.bpffs, onEvent),
      },
    );
    const signal = nextSignal();
    await agent.start();
    log.info({ version, source: options.source, nodeName: options.nodeName, programTags }, 'started');
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
    await agent?.close();
    locks.release();
  }
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
