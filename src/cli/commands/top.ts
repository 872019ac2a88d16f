import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_OK } from '../exit-code.ts';
import { lookingAt } from '../filters/looking.ts';
import { addPathOptions, outputOption, type PathOptions, secondsParser } from '../options.ts';
import { demandRoot } from '../root.ts';
import { type Interval, intervals } from '../top/intervals.ts';
import { screen } from '../top/rate-table.ts';

interface TopOptions extends PathOptions {
  readonly interval: number;
  readonly count?: number;
  readonly once?: boolean;
  readonly output: OutputFormat;
}

const HELP = `
Reads the kernel's own counters twice and shows the difference by second; needs
no agent. ALLOWED is what passed, of an audited policy also what broke a rule;
the reason is that of most of what was dropped or broke one. BIT/S is what
passed, with Ethernet headers. The busiest come first; a filter that is new is
shown from the next interval on.

With -o json one object an interval and line: time, seconds (as measured), and
vms with vm, tap and, for fromVm and toVm each, allowed, dropped and all reasons.

Examples:
  vmnetctl top
  vmnetctl top rental-7f3a --interval 5
  vmnetctl top --once -o json | jq '.vms[] | {vm, dropped: .fromVm.dropped}'`;

export function topCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('top')
    .description('Shows what passes and what is dropped a second, by VM and direction.')
    .argument('[vm]', 'only this VM, or interface')
    .addOption(
      new Option('-i, --interval <seconds>', 'over which rates are measured')
        .default(1)
        .argParser(secondsParser(0.1, 3600)),
    )
    .addOption(new Option('-n, --count <number>', 'end after so many intervals').argParser(count))
    .addOption(new Option('--once', 'end after one interval').conflicts('count'))
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (vm: string | undefined, options: TopOptions) => {
    demandRoot('read the counters');
    const wanted = {
      intervalMs: options.interval * 1000,
      count: options.once ? 1 : (options.count ?? Infinity),
    };
    const take = lookingAt(context, options, vm);
    for await (const interval of intervals(take, context.clock, wanted, context.signal)) {
      await show(context, options, interval, wanted.count);
    }
    settle(EXIT_OK);
  });
}

async function show(
  { output }: CommandContext,
  options: TopOptions,
  interval: Interval,
  wanted: number,
): Promise<void> {
  if (options.output === 'json') return output.jsonLine(interval);
  await output.text(screen(interval, output, wanted > 1));
}

function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give a whole number from 1 on.');
}
