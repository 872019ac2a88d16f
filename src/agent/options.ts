import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseCidr } from '../api/v1alpha1/cidr.ts';
import { LOG_LEVELS } from '../lib/log.ts';
import type { LogLevel } from '../lib/log.ts';
import { DEFAULT_PATHS } from './wiring/paths.ts';
import type { AttachmentPaths } from './wiring/paths.ts';

export interface AgentOptions extends AttachmentPaths {
  readonly manifests: string;
  readonly nodeName: string;
  readonly logLevel: LogLevel;
  readonly resyncSeconds: number;
}

/** What `vmnet-agent` exits with. */
export const EXIT_OK = 0;
/** Something that nobody foresaw; a bug. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** This machine lacks something the agent cannot work without; the message names it. */
export const EXIT_ENVIRONMENT = 3;

const HELP = `
The agent reads VMNetwork manifests from a folder, makes a closed tap for every VM they name, lets exactly the declared
endpoint through, and proves it by reading the kernel back. It changes nothing of what is not its own.

Stopping it (SIGTERM, SIGINT, even SIGKILL) opens nothing and closes nothing: the filter stays in the kernel, and the
next start takes it over. A VM whose manifest is removed is denied at once; its tap is removed when the VM has ended.

Status: vmnetctl status. Refused frames: vmnetctl drops -f. Logs: JSON on standard output, one line a change.

Exit codes:
  0  ended by a signal, everything in place
  1  unexpected failure (a bug)
  2  the command line is wrong
  3  this machine lacks something: root, a capability, bpffs, the lock; the message says what to do
`;

/** Parses; prints help or the usage error itself and throws CommanderError then. */
export function parseAgentOptions(argv: readonly string[], version: string, nodeName: string): AgentOptions {
  return agentCommand(version, nodeName).parse(argv, { from: 'user' }).opts<AgentOptions>();
}

/** The command line, for whoever writes down what it says of itself. */
export function agentCommand(version: string, nodeName: string): Command {
  return new Command('vmnet-agent')
    .description('Enforces VMNetworks on this host, standalone.')
    .version(version)
    .requiredOption('--manifests <dir>', 'folder of the manifests (*.yaml, *.yml, *.json)')
    .option('--state-dir <dir>', 'where attachments are recorded; survives a reboot', DEFAULT_PATHS.stateDir)
    .option('--run-dir <dir>', "folder of the agent's socket", DEFAULT_PATHS.runDir)
    .option('--bpffs <dir>', 'folder on a BPF file system for pins', DEFAULT_PATHS.bpffs)
    .addOption(
      new Option('--pool <cidr>', 'where guest addresses are taken from')
        .default(DEFAULT_PATHS.pool)
        .argParser(pool),
    )
    .option('--node-name <name>', 'name of this host for selector.nodeName', nodeName)
    .addOption(
      new Option('--log-level <level>', 'least severe line that is written')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .addOption(
      new Option('--resync-seconds <n>', 'read everything back at least this often')
        .default(30)
        .argParser(resyncSeconds),
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

function pool(text: string): string {
  const parsed = parseCidr(text);
  if (parsed === null || parsed.prefixLength < 8) {
    throw new InvalidArgumentError('Give an IPv4 network of at most 2^24 addresses, such as 100.64.0.0/16.');
  }
  return text;
}

function resyncSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (seconds >= 0.1 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError('Give seconds from 0.1 to 3600.');
}
