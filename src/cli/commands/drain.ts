import { Command } from 'commander';
import { nftProgram } from '../../agent/host/nft.ts';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import type { ManagedInterfaces } from '../../agent/wiring/managed.ts';
import { readGuard } from '../../agent/wiring/nft-table.ts';
import { recordsDirOf } from '../../agent/wiring/paths.ts';
import { RecordFolder } from '../../agent/wiring/record.ts';
import { isVmnError } from '../../lib/errors.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { drain, type Drained } from '../leave/drain.ts';
import { drainEngines, systemEngineKeeper } from '../leave/engines.ts';
import { drainTable } from '../leave/leave-text.ts';
import { asSoleUser } from '../leave/sole-user.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';
import { escapeText } from '../terminal/escape.ts';

interface DrainOptions extends PathOptions {
  readonly output: OutputFormat;
}

const HELP = `
Every tap that is managed, and every userspace engine, gets deny-all, which is read back: from then on its VM
reaches nothing, its endpoint neither. VMs run on. Without this a host that has no
agent any more goes on as it was: each VM reaches its endpoint, and nothing else.

Refused while an agent runs. One that is started later opens again what it is told
to; end the VMs, then \`vmnetctl uninstall\`. Give folders and pool as the agent
had them.

Examples:
  sudo vmnetctl drain
  vmnetctl drain -o json | jq -r '.taps[] | select(.outcome == "failed")'

Exits with 1 when a tap could not be closed.`;

export function drainCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('drain')
    .description('Closes every VM of this host, for good; for a host without an agent.')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (options: DrainOptions) => {
    demandRoot('close the VMs of this host');
    const taps = await asSoleUser('close the VMs of this host', options, async () => {
      const ports = { kernel: systemKernel(), records: new RecordFolder(recordsDirOf(options)) };
      const keeper = systemEngineKeeper(options);
      try {
        const served = await drainEngines({ records: ports.records, engines: keeper });
        return [...drain(ports, options, await guardedInterfaces(context)), ...served];
      } finally {
        keeper.close();
      }
    });
    await tell(context, options.output, taps);
    const isDone = taps.every(({ outcome }) => outcome !== 'failed');
    settle(isDone ? EXIT_OK : EXIT_NOT_AS_ASKED);
  });
}

/** Taps that have filters are closed without it. */
async function guardedInterfaces({ output }: CommandContext): Promise<ManagedInterfaces> {
  try {
    return (await readGuard(nftProgram()))?.managed ?? { patterns: [], links: [] };
  } catch (error) {
    if (!isVmnError(error)) throw error;
    output.note(`vmnetctl: what the guard closes by name is not known: ${escapeText(error.message)}`);
    return { patterns: [], links: [] };
  }
}

async function tell(
  { output }: CommandContext,
  format: OutputFormat,
  taps: readonly Drained[],
): Promise<void> {
  if (format === 'json') return output.json({ taps });
  if (taps.length === 0) return output.note('vmnetctl: no tap is managed here.');
  await output.text(drainTable(taps, output));
}
