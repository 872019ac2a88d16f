import { Command } from 'commander';
import { isClaimAlive } from '../../agent/wiring/closed-tap.ts';
import type { AttachmentRecord } from '../../agent/wiring/record.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { enginesHere, systemEngineKeeper } from '../leave/engines.ts';
import { inUseTable, removedTable } from '../leave/leave-text.ts';
import { asSoleUser } from '../leave/sole-user.ts';
import { leftFiles, systemLeavePorts } from '../leave/system-ports.ts';
import { uninstall, type Uninstalled } from '../leave/uninstall.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';

interface UninstallCommandOptions extends PathOptions {
  readonly output: OutputFormat;
  readonly leaveClosed?: boolean;
}

const HELP = `
Taps of ours, filters and their pins, routes, records, the forwarding of uplinks
that was switched on for VMs, the guard, and the agent's files: all of it goes, in
an order in which no VM that runs is opened. So while a VM has a managed tap, or a
userspace engine, nothing is done, and the taps are listed.

With --leave-closed taps that VMs have are left as they are, if all of them are
closed (\`vmnetctl drain\`): with their filters, their records and the guard. All
else goes. Run it again when these VMs have ended.

Refused while an agent runs. Cut off anywhere, even by SIGKILL, it leaves every VM
closed or as it was; run again it goes on. Give folders and pool as the agent had
them. CRDs and what is in the cluster: helm/vmnetwork/README.md.

Examples:
  sudo vmnetctl uninstall
  sudo vmnetctl drain && sudo vmnetctl uninstall --leave-closed

Exits with 1 when nothing was done because VMs have managed taps.`;

export function uninstallCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('uninstall')
    .description('Removes everything of ours from this host, and opens no VM.')
    .option('--leave-closed', 'leave taps of running VMs closed, and remove the rest')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (options: UninstallCommandOptions) => {
    demandRoot('uninstall');
    const leaveClosed = options.leaveClosed === true;
    const result = await asSoleUser('uninstall', options, async () => {
      const ports = systemLeavePorts(options);
      const keeper = systemEngineKeeper(options);
      try {
        const isClaimed = ({ claim }: AttachmentRecord): boolean => isClaimAlive(ports.kernel, claim);
        const engines = await enginesHere({ records: ports.records, engines: keeper, isClaimed });
        return await uninstall(ports, options, { leaveClosed, files: leftFiles(options), engines });
      } finally {
        keeper.close();
      }
    });
    await tell(context, options.output, result, leaveClosed);
    settle(result.done ? EXIT_OK : EXIT_NOT_AS_ASKED);
  });
}

async function tell(
  { output }: CommandContext,
  format: OutputFormat,
  result: Uninstalled,
  leaveClosed: boolean,
): Promise<void> {
  const { done, removed, inUse } = result;
  if (format === 'json') await output.json(result);
  else if (inUse.length > 0) await output.text(inUseTable(inUse, output));
  if (format === 'table' && removed.length > 0) await output.text(removedTable(removed));
  if (!done) return output.note(refusal(leaveClosed));
  if (inUse.length > 0)
    return output.note(
      'vmnetctl: these taps stay closed, and the guard with them. Run it again when their VMs have ended.',
    );
  if (removed.length === 0) output.note('vmnetctl: nothing of ours is here.');
}

function refusal(leaveClosed: boolean): string {
  const remedy = leaveClosed
    ? 'Close them first: vmnetctl drain.'
    : 'End these VMs; or close them (vmnetctl drain) and give --leave-closed.';
  return `vmnetctl: nothing was removed, for VMs have managed taps\n  ${remedy}`;
}
