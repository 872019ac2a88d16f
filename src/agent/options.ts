import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseCidr } from '../api/v1alpha1/cidr.ts';
import { dnsLabelSchema, dnsSubdomainSchema } from '../api/v1alpha1/dns-1123.ts';
import { isVmnError } from '../lib/errors.ts';
import { listenAddress } from '../kube/health/listen-address.ts';
import type { ListenAddress } from '../kube/health/listen-address.ts';
import { LOG_LEVELS } from '../lib/log.ts';
import type { LogLevel } from '../lib/log.ts';
import { parsePatterns } from './wiring/managed.ts';
import { DEFAULT_PATHS } from './wiring/paths.ts';
import type { AttachmentPaths } from './wiring/paths.ts';

export interface AgentOptions extends AttachmentPaths {
  readonly source: SourceOptions;
  readonly nodeName: string;
  readonly logLevel: LogLevel;
  readonly resyncSeconds: number;
  /** How long to wait for another agent of this host to end. */
  readonly takeoverSeconds: number;
  /** Patterns of taps that are closed whoever made them; see wiring/managed.ts. */
  readonly managedInterfaces: readonly string[];
  /** Of /healthz, /readyz and /metrics; undefined: they are not served. */
  readonly healthAddress?: ListenAddress;
}

/** Where the wishes come from. */
export type SourceOptions = { readonly kind: 'manifests'; readonly dir: string } | ClusterOptions;

export interface ClusterOptions {
  readonly kind: 'cluster';
  /** Path; undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Of the Lease. */
  readonly namespace: string;
}

/** What `vmnet-agent` exits with. */
export const EXIT_OK = 0;
/** Something that nobody foresaw; a bug. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** This machine lacks something the agent cannot work without; the message names it. */
export const EXIT_ENVIRONMENT = 3;

const HELP = `
The agent makes this host enforce what VMNetworks say: nothing of a VM passes but what goes to its declared endpoint. It
proves that by reading the kernel back, and changes nothing of what is not its own.

What is wanted it takes from one of two places:
  --manifests       VMNetworks in a folder. It makes a closed tap for every VM that they name and that
                    does not run on taps of others.
  --kubeconfig, --in-cluster
                    the VMNetworkAttachments of this node. It reports the VMs of this host, and what it enforces for
                    them; while the API server is away it goes on by what it last said, also after a start.

Stopping it (SIGTERM, SIGINT, even SIGKILL) opens nothing and closes nothing: the filter stays in the kernel, and the
next start takes it over. A VM that nothing names any more is denied at once; its tap is removed when the VM has ended.

One agent has a host, that is its network namespace, whatever its folders. A second one changes nothing: it waits
--takeover-seconds for the first one to end, and then gives up and says which process that is.

Status: vmnetctl status. Refused frames: vmnetctl drops -f. Logs: JSON on standard output, one line a change.

Examples:
  vmnet-agent --manifests /etc/vmnetwork
  vmnet-agent --kubeconfig /etc/vmnetwork/kubeconfig --node-name node-3

Exit codes:
  0  ended by a signal, everything in place
  1  unexpected failure (a bug)
  2  the command line is wrong
  3  this machine lacks something: root, a capability, bpffs, a way to the API server; or another agent has it. The
     message says what to do
`;

/** Of the process, where an option is not given. */
export interface Surroundings {
  readonly version: string;
  readonly hostname: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Parsed
  extends
    AttachmentPaths,
    Pick<
      AgentOptions,
      'nodeName' | 'logLevel' | 'resyncSeconds' | 'takeoverSeconds' | 'managedInterfaces' | 'healthAddress'
    > {
  readonly manifests?: string;
  readonly kubeconfig?: string;
  readonly inCluster?: boolean;
  readonly context?: string;
  readonly namespace: string;
}

/** Parses; prints help or the usage error itself and throws CommanderError then. */
export function parseAgentOptions(argv: readonly string[], around: Surroundings): AgentOptions {
  const { version, hostname, env } = around;
  const command = agentCommand(version, hostname, env);
  const { manifests, kubeconfig, inCluster, context, namespace, ...rest } = command
    .parse(argv, { from: 'user' })
    .opts<Parsed>();
  if (manifests !== undefined) return { ...rest, source: { kind: 'manifests', dir: manifests } };
  if (kubeconfig === undefined && inCluster !== true) {
    command.error('error: where are the wishes? Give one of --manifests, --kubeconfig and --in-cluster');
  }
  const isGiven = command.getOptionValueSource('nodeName') === 'cli';
  // As the kubelet does with the name of its host.
  const nodeName = isGiven ? rest.nodeName : env['NODE_NAME'] || hostname.toLowerCase();
  if (!dnsSubdomainSchema.safeParse(nodeName).success) {
    command.error(`error: '${nodeName}' cannot be the name of a node; give its own with --node-name`);
  }
  return { ...rest, nodeName, source: { kind: 'cluster', kubeconfig, context, namespace } };
}

/** The command line, for whoever writes down what it says of itself. */
export function agentCommand(version: string, hostname: string, env: Surroundings['env'] = {}): Command {
  return new Command('vmnet-agent')
    .description('Enforces VMNetworks on this host.')
    .version(version)
    .addOption(
      new Option('--manifests <dir>', 'folder of the manifests (*.yaml, *.yml, *.json)').conflicts([
        'kubeconfig',
        'inCluster',
        'context',
        'namespace',
      ]),
    )
    .addOption(
      new Option('--kubeconfig <file>', 'how to reach the API server; needs no pod').conflicts('inCluster'),
    )
    .addOption(new Option('--in-cluster', 'reach it by the service account of this pod').conflicts('context'))
    .option('--context <name>', 'context of the kubeconfig; else its current one')
    .addOption(
      new Option('--namespace <name>', 'namespace of the Lease by which this agent is known to be alive')
        .default(env['POD_NAMESPACE'] || 'vmnetwork-system')
        .argParser(namespace),
    )
    .option('--state-dir <dir>', 'where attachments are recorded; survives a reboot', DEFAULT_PATHS.stateDir)
    .option('--run-dir <dir>', "folder of the agent's socket", DEFAULT_PATHS.runDir)
    .option('--bpffs <dir>', 'folder on a BPF file system for pins', DEFAULT_PATHS.bpffs)
    .addOption(
      new Option('--pool <cidr>', 'where guest addresses are taken from')
        .default(DEFAULT_PATHS.pool)
        .argParser(pool),
    )
    .addOption(
      new Option(
        '--managed-interfaces <patterns>',
        'taps that are closed from their first packet, whoever makes them: names, or a prefix and * (vnet*), ' +
          'separated by commas; vmn-* always is',
      )
        .default([], 'none')
        .argParser(managedInterfaces),
    )
    .option('--node-name <name>', 'name of this host: of its Node, and for selector.nodeName', hostname)
    .addOption(
      new Option('--log-level <level>', 'least severe line that is written')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .addOption(
      new Option(
        '--resync-seconds <n>',
        'read everything back, and look for VMs and manifests anew, at least this often',
      )
        .default(30)
        .argParser(resyncSeconds),
    )
    .addOption(
      new Option(
        '--takeover-seconds <n>',
        'wait so long for another agent of this host to end; 0: not at all',
      )
        .default(10)
        .argParser(takeoverSeconds),
    )
    .addOption(
      new Option(
        '--health-address <address>',
        'where /healthz, /readyz and /metrics are served: [HOST]:PORT; nowhere unless given',
      ).argParser(listenAddress),
    )
    .allowExcessArguments(false)
    .showHelpAfterError('See: vmnet-agent --help')
    .addHelpText('after', HELP)
    .exitOverride();
}

/** Exit code for what `parseAgentOptions` threw, or null when it was not about the command line. */
export function usageExitCode(error: unknown): number | null {
  if (!(error instanceof CommanderError)) return null;
  return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
}

function namespace(text: string): string {
  if (dnsLabelSchema.safeParse(text).success) return text;
  throw new InvalidArgumentError('Give the name of a namespace.');
}

function pool(text: string): string {
  const parsed = parseCidr(text);
  if (parsed === null || parsed.prefixLength < 8) {
    throw new InvalidArgumentError('Give an IPv4 network of at most 2^24 addresses, such as 100.64.0.0/16.');
  }
  return text;
}

/** For commander, of `vmnetctl guard` too. */
export function managedInterfaces(text: string): readonly string[] {
  try {
    return parsePatterns(text);
  } catch (error) {
    if (isVmnError(error, 'VMN_USAGE'))
      throw new InvalidArgumentError(`${error.on ?? error.message}. ${error.remedy}`);
    throw error;
  }
}

function resyncSeconds(text: string): number {
  return seconds(text, 0.1);
}

function takeoverSeconds(text: string): number {
  return seconds(text, 0);
}

function seconds(text: string, least: number): number {
  const given = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (given >= least && given <= 3600) return given;
  throw new InvalidArgumentError(`Give seconds from ${least} to 3600.`);
}
