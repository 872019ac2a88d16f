import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { hostHolder } from '../../agent/host/host-lock.ts';
import { describeHolder } from '../../agent/host/lock-holder.ts';
import { nftProgram } from '../../agent/host/nft.ts';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import { socketPathOf } from '../../agent/wiring/paths.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { AgentSocket } from '../agent/agent-socket.ts';
import { readAgentStatus, type SeenStatus } from '../agent/agent-status.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_ENVIRONMENT, EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';
import { readKernelStatus } from '../status/kernel-status.ts';
import { isAsAsked, kernelText, statusText } from '../status/status-view.ts';
import { escapeText } from '../terminal/escape.ts';

interface StatusOptions extends PathOptions {
  readonly output: OutputFormat;
  readonly watch?: boolean;
}

const WATCH_INTERVAL_MS = 1000;
/** Cursor home, erase below: redraws in place without the flicker of a cleared screen. */
const REDRAW = '\u001b[H\u001b[J';

const HELP = `
Asks the agent. If none answers, reads filters and policies back from the kernel
(as root) and shows those: what is enforced is enforced without the agent.

Examples:
  vmnetctl status
  vmnetctl status -o json | jq '.attachments[] | {vm, state}'
  vmnetctl status --watch

Exits with 0 when every network is ready and nothing is wrong. A VM may be Denied
then: no network names it, or it is quarantined. With 1 when a network is not
ready (a refused one never is) or something is wrong, with 3 when no agent
answers. With --watch always with 0.`;

export function statusCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('status')
    .description('Shows networks, VMs, and whether the kernel enforces what was asked for.')
    .addOption(outputOption())
    .option('-w, --watch', 'show again every second, until interrupted')
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (options: StatusOptions) => {
    if (!options.watch) return settle(await show(context, options));
    while (!context.signal.aborted) {
      await show(context, options);
      await delay(WATCH_INTERVAL_MS, undefined, { signal: context.signal }).catch(() => undefined);
    }
    settle(EXIT_OK);
  });
}

/** One look: prints and gives the exit code. Throws what the fall back to the kernel throws. */
async function show(context: CommandContext, options: StatusOptions): Promise<number> {
  const { output } = context;
  const status = await askAgent(context, options);
  if (status instanceof VmnError) {
    output.note(`vmnetctl: ${escapeText(status.message)}\n  ${escapeText(remedyOf(status, options))}`);
    demandRoot('read the kernel back');
    const attachments = await readKernelStatus(systemKernel(), nftProgram(), options);
    output.note('This is what the kernel holds:');
    if (options.output === 'json') {
      await writeJson(context, options, { agent: null, networks: [], attachments, problems: [] });
    } else await output.text(frame(context, options) + kernelText(attachments, output.paint.bind(output)));
    return EXIT_ENVIRONMENT;
  }
  if (options.output === 'json') await writeJson(context, options, status);
  else await output.text(frame(context, options) + statusText(status, output.paint.bind(output)));
  return isAsAsked(status) ? EXIT_OK : EXIT_NOT_AS_ASKED;
}

/** Somebody may have this host whose folders are others. */
function remedyOf({ remedy }: VmnError, { runDir }: StatusOptions): string {
  const holder = hostHolder();
  if (holder === null) return remedy;
  const { folders } = holder;
  const how = folders === null || folders.runDir === runDir ? '' : `; ask it by --run-dir ${folders.runDir}`;
  return `This host is that of ${describeHolder(holder)}${how}.`;
}

async function askAgent(context: CommandContext, options: StatusOptions): Promise<SeenStatus | VmnError> {
  try {
    return await readAgentStatus(new AgentSocket(socketPathOf(options)), context.signal);
  } catch (error) {
    if (isVmnError(error, 'VMN_AGENT_UNREACHABLE')) return error;
    throw error;
  }
}

/** One document, or with --watch one a line. */
async function writeJson({ output }: CommandContext, options: StatusOptions, value: unknown): Promise<void> {
  await (options.watch ? output.jsonLine(value) : output.json(value));
}

/** What stands before each look of --watch. */
function frame({ output, clock }: CommandContext, options: StatusOptions): string {
  if (!options.watch) return '';
  return `${output.isTerminal ? REDRAW : ''}${clock.now().toISOString()}\n`;
}
