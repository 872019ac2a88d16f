import { Command } from 'commander';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import { socketPathOf } from '../../agent/wiring/paths.ts';
import { isDrop, reasonName } from '../../filter/drop-reason.ts';
import { counters } from '../../native/filter-engine.ts';
import { readAgentEvents } from '../agent/agent-status.ts';
import { AgentSocket } from '../agent/agent-socket.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { countTable, reasonText, sortCounts } from '../drops/counter-table.ts';
import { type FollowedDrop, followDrops } from '../drops/follow.ts';
import { KernelCounts } from '../drops/kernel-counts.ts';
import { EXIT_OK } from '../exit-code.ts';
import { HostFilters } from '../filters/host-filters.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';
import { Table } from '../terminal/table.ts';

interface DropsOptions extends PathOptions {
  readonly output: OutputFormat;
  readonly follow?: boolean;
  readonly all?: boolean;
}

const HELP = `
The counters are the kernel's own and need no agent; they begin at zero when the
VM's tap is made. With --follow a line is the first frame of its kind (the same
addresses, ports and reason, told again after ten seconds), as the agent tells
it; without an agent, a line is the increase of a counter. Frames that broke a
rule and passed, since the policy is on Audit, are marked.

Examples:
  vmnetctl drops
  vmnetctl drops rental-7f3a -o json
  vmnetctl drops -f`;

export function dropsCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('drops')
    .description('Counts what was dropped, by VM, direction and reason.')
    .argument('[vm]', 'only this VM')
    .option('-f, --follow', 'go on and print what is dropped from now on, until interrupted')
    .option('-a, --all', 'count what was let through, too')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (vm: string | undefined, options: DropsOptions) => {
    demandRoot('read the counters');
    const filters = new HostFilters(systemKernel(), options);
    const counts = new KernelCounts(filters, counters, { name: reasonName, isDrop });
    if (options.follow) await follow(context, options, counts, vm ?? null);
    else await list(context, options, counts, vm ?? null);
    settle(EXIT_OK);
  });
}

async function list(
  { output }: CommandContext,
  options: DropsOptions,
  counts: KernelCounts,
  vm: string | null,
): Promise<void> {
  const found = counts.read(vm, options.all === true, true);
  if (options.output === 'json') await output.json({ drops: sortCounts(found) });
  else await output.text(countTable(found));
}

async function follow(
  { output, clock, signal }: CommandContext,
  options: DropsOptions,
  counts: KernelCounts,
  vm: string | null,
): Promise<void> {
  const socket = new AgentSocket(socketPathOf(options));
  const ports = {
    clock,
    events: (until: AbortSignal) => readAgentEvents(socket, until),
    counts: () => counts.read(vm, false),
    note: (text: string) => output.note(`vmnetctl: ${text}`),
  };
  const table = new Table([
    { heading: 'TIME' },
    { heading: 'VM' },
    { heading: 'DIRECTION' },
    { heading: 'REASON' },
    { heading: 'FRAME' },
  ]);
  const row = (drop: FollowedDrop): string[] => [
    drop.time,
    drop.vm,
    drop.direction,
    reasonText(drop.reason, drop.audited),
    drop.kind === 'violations' ? `too many violations, the last: ${drop.summary}` : drop.summary,
  ];
  for await (const drop of followDrops(ports, signal)) {
    if (vm !== null && drop.vm !== vm) continue;
    if (options.output === 'json') await output.jsonLine(drop);
    else await output.text(table.render([row(drop)]));
  }
}
