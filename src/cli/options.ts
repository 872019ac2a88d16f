import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_PATHS } from '../agent/wiring/paths.ts';
import type { AttachmentPaths } from '../agent/wiring/paths.ts';
import { parseCidr } from '../api/v1alpha1/cidr.ts';

/** `-o json|table`, on every command that prints results. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', 'json or table').choices(['json', 'table']).default('table');
}

/** The parsed options that `addPathOptions` adds. */
export type PathOptions = AttachmentPaths;

/** Where the agent keeps its things; the same names and defaults as `vmnet-agent`. */
export function addPathOptions(command: Command): Command {
  return command
    .option('--state-dir <path>', "the agent's records", DEFAULT_PATHS.stateDir)
    .option('--run-dir <path>', "folder of the agent's socket", DEFAULT_PATHS.runDir)
    .addOption(
      new Option('--bpffs <path>', 'folder of the pinned filters')
        .default(DEFAULT_PATHS.bpffs)
        .argParser((path) => resolve(path)),
    )
    .addOption(
      new Option('--pool <cidr>', 'where guest addresses are taken from')
        .default(DEFAULT_PATHS.pool)
        .argParser(cidr),
    );
}

function cidr(text: string): string {
  if (parseCidr(text) === null) throw new InvalidArgumentError('Give a network such as 100.64.0.0/16.');
  return text;
}

/** For commander: a whole or decimal number of seconds within bounds. */
export function secondsParser(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (seconds >= minimum && seconds <= maximum) return seconds;
    throw new InvalidArgumentError(`Give seconds from ${minimum} to ${maximum}.`);
  };
}

/** For commander: options that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}
