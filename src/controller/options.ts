import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { listenAddress } from '../kube/health/listen-address.ts';
import type { ListenAddress } from '../kube/health/listen-address.ts';
import { LOG_LEVELS } from '../lib/log.ts';
import type { LogLevel } from '../lib/log.ts';

export interface ControllerOptions {
  /** Path; absent: KUBECONFIG, else the service account of the pod. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Of the Leases: the leader's and those of the hosts. */
  readonly namespace: string;
  /** False: this is known to be the only one. */
  readonly leaderElect: boolean;
  readonly leaseSeconds: number;
  /** Who leads, for people. */
  readonly identity: string;
  readonly workers: number;
  readonly healthAddress: ListenAddress;
  readonly logLevel: LogLevel;
}

/** What `vmnet-controller` exits with. */
export const EXIT_OK = 0;
/** Something that nobody foresaw; a bug. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** The API server cannot be asked, or the address is taken; the message names it. */
export const EXIT_ENVIRONMENT = 3;

const HELP = `
The controller turns VMNetworks into one VMNetworkAttachment for each network card, keeps their status true, and writes
the ranges of the cluster into each VMNetworkClass. Several may run; one leads, by the Lease vmnetwork-controller.

Stopping it opens nothing and closes nothing: the hosts go on with what they were told.

Exit codes:
  0  ended by a signal; the Lease was given back
  1  unexpected failure (a bug)
  2  the command line is wrong
  3  no way to the API server is configured, or the health address is taken; the message says what to do
`;

export interface Surroundings {
  readonly version: string;
  readonly hostname: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Parses; prints help or the usage error itself and throws CommanderError then. */
export function parseControllerOptions(argv: readonly string[], around: Surroundings): ControllerOptions {
  return controllerCommand(around).parse(argv, { from: 'user' }).opts<ControllerOptions>();
}

/** The command line, for whoever writes down what it says of itself. */
export function controllerCommand({ env, hostname, version }: Surroundings): Command {
  return new Command('vmnet-controller')
    .description('Binds VMNetworks to the VMs that hosts report.')
    .version(version)
    .option(
      '--kubeconfig <file>',
      'how to reach the API server; else $KUBECONFIG, else the service account of the pod',
    )
    .option('--context <name>', 'context of the kubeconfig; else its current one')
    .option(
      '--namespace <name>',
      'namespace of the Leases; else $POD_NAMESPACE',
      env['POD_NAMESPACE'] || 'vmnetwork-system',
    )
    .option(
      '--identity <name>',
      'name of this process in the Lease; else $POD_NAME',
      env['POD_NAME'] || hostname,
    )
    .addOption(
      new Option('--leader-elect <bool>', 'false only if no other one can run').default(true).argParser(bool),
    )
    .addOption(
      new Option('--lease-seconds <n>', 'others take over this long after the leader was last heard')
        .default(15)
        .argParser(whole('--lease-seconds', 5, 300)),
    )
    .addOption(
      new Option('--workers <n>', 'VMNetworks that are worked on at the same time')
        .default(4)
        .argParser(whole('--workers', 1, 256)),
    )
    .addOption(
      new Option('--health-address <address>', 'where /healthz, /readyz and /metrics are served: [HOST]:PORT')
        .default({ host: '::', port: 8080 }, ':8080')
        .argParser(listenAddress),
    )
    .addOption(
      new Option('--log-level <level>', 'least severe line that is written')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .allowExcessArguments(false)
    .showHelpAfterError('See: vmnet-controller --help')
    .addHelpText('after', HELP)
    .exitOverride();
}

/** Exit code for what `parseControllerOptions` threw, or null when it was not about the command line. */
export function usageExitCode(error: unknown): number | null {
  if (!(error instanceof CommanderError)) return null;
  return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
}

function bool(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('Give true or false.');
}

function whole(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give ${option} a whole number from ${least} to ${most}.`);
  };
}
