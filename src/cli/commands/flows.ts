import { Command, Option } from 'commander';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import { socketPathOf } from '../../agent/wiring/paths.ts';
import { AgentSocket } from '../agent/agent-socket.ts';
import { readAgentStatus } from '../agent/agent-status.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_INTERRUPTED, EXIT_OK } from '../exit-code.ts';
import { policyOn } from '../filters/host-filters.ts';
import { isWanted, lookingAt } from '../filters/looking.ts';
import { flowsText } from '../flows/flow-text.ts';
import { vmFlows } from '../flows/passages.ts';
import { lastRefused } from '../flows/refused.ts';
import { addPathOptions, outputOption, type PathOptions, secondsParser } from '../options.ts';
import { demandRoot } from '../root.ts';

interface FlowsOptions extends PathOptions {
  readonly interval: number;
  readonly output: OutputFormat;
}

const HELP = `
GUEST and ENDPOINT are the ends of every flow that may pass, by the policy that
is read back from the kernel: in modes Filtered and Conntrack, without Audit,
there is no other. FRAMES are the kernel's own counts, by how they came through,
since the filter's maps were made; PACKETS/S is measured over --interval.

In mode Conntrack the first frame of a flow is judged in full, later ones are of
a known flow: many in full are many new flows, or more at a time than the table
holds. Of flows the kernel keeps fingerprints under a secret, and neither ports
nor times: there is no list of them to show.

LAST REFUSED are the latest distinct frames that broke a rule, as the agent was
told; without an agent it is left out (null in JSON).

Examples:
  vmnetctl flows
  vmnetctl flows rental-7f3a -o json | jq '.vms[].passages'`;

export function flowsCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('flows')
    .description('Shows whom VMs may speak to, and how their frames come through.')
    .argument('[vm]', 'only this VM, or interface')
    .addOption(
      new Option('-i, --interval <seconds>', 'over which rates are measured')
        .default(1)
        .argParser(secondsParser(0.1, 3600)),
    )
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (vm: string | undefined, options: FlowsOptions) => {
    demandRoot('read the filters back');
    settle(await show(context, options, vm));
  });
}

async function show(context: CommandContext, options: FlowsOptions, vm: string | undefined): Promise<number> {
  const { output, clock, signal } = context;
  const take = lookingAt(context, options, vm);
  const before = take();
  await clock.sleep(options.interval * 1000, signal).catch(() => undefined);
  if (signal.aborted) return EXIT_INTERRUPTED;
  const now = take();
  const kernel = systemKernel();
  const policies = new Map(now.filters.map(({ pinDir }) => [pinDir, policyOn(kernel, pinDir)]));
  const vms = vmFlows(before, now, policies);
  const socket = new AgentSocket(socketPathOf(options));
  const refused = await lastRefused(() => readAgentStatus(socket, signal), isWanted(vm));
  if (options.output === 'json') await output.json({ vms, refused });
  else {
    await output.text(flowsText(vms, refused));
    if (refused === null) output.note('vmnetctl: no agent answers: what was refused last is not known');
  }
  return EXIT_OK;
}
