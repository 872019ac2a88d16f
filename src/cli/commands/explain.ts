import { Command, Option } from 'commander';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { framesOf, type FrameSource } from '../explain/frame-source.ts';
import { type Direction, directionOf, type Judgement, judgeFrame } from '../explain/judgement.ts';
import {
  describePolicy,
  type ExplainedPolicy,
  explainedPolicy,
  type PolicySource,
} from '../explain/policy-source.ts';
import { JsonReport, TableReport, writeReport } from '../explain/report.ts';
import { addPathOptions, collect, outputOption, type PathOptions } from '../options.ts';
import { hostKnowledge } from '../explain/host-knowledge.ts';
import { usageError } from '../usage-error.ts';
import { isDrop, reasonName, ruleOf } from '../../filter/drop-reason.ts';
import { judge } from '../../native/verdict.ts';

interface ExplainOptions extends FrameSource, PolicySource, PathOptions {
  readonly direction: Direction | 'auto';
  readonly output: OutputFormat;
}

const HELP = `
The filter itself judges, compiled for this machine: no root, no tap, nothing is
sent. What the manifest does not tell is taken from this host's record of the VM,
else assumed, and said so. Not known from a capture, and so taken as follows: an
ARP answer that equals the filter's own is the filter's own; a previous endpoint
within its grace (endpointGraceSeconds) is refused.

Examples:
  vmnetctl explain --policy rental.yaml --pcap tap.pcap
  vmnetctl explain --policy rental.yaml --frame "0276 6d6e 0001 0276 1234 ..."
  tcpdump -i vmn-0123456789 -c 20 -w - |
    vmnetctl explain --policy rental.yaml --pcap -

Exits with 1 when a frame is dropped or cannot be judged.`;

export function explainCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('explain')
    .description('Says of each frame whether a policy lets it pass, and by which rule.')
    .requiredOption('--policy <file>', 'manifest with the VMNetwork')
    .option('--network <[namespace/]name>', 'which VMNetwork, when the file holds several')
    .option('--vm <name>', 'which VM, when the VMNetwork names several')
    .addOption(
      new Option(
        '--frame <hex>',
        'a frame, Ethernet header first; may be repeated; - reads standard input',
      ).argParser(collect),
    )
    .option('--pcap <file>', 'a capture (classic pcap, Ethernet); - reads standard input')
    .option('--guest-mac <mac>', 'MAC of the VM')
    .option('--guest-address <ip>', 'IPv4 address of the VM')
    .option('--gateway-mac <mac>', 'MAC of the gateway')
    .addOption(
      new Option('--direction <direction>', 'which way the frames go; auto tells by their MACs')
        .choices(['from-vm', 'to-vm', 'auto'])
        .default('auto'),
    )
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (options: ExplainOptions) => {
    if ((options.frame === undefined) === (options.pcap === undefined)) {
      throw usageError('Give either --frame or --pcap.');
    }
    const policy = explainedPolicy(options, hostKnowledge(options));
    const report =
      options.output === 'json'
        ? new JsonReport(context.output, policy.shown)
        : new TableReport(context.output);
    if (options.output === 'table') context.output.note(describePolicy(policy));
    const counts = await writeReport(judgements(options, policy), report);
    settle(counts.dropped + counts.unknown > 0 ? EXIT_NOT_AS_ASKED : EXIT_OK);
  });
}

function* judgements(
  options: ExplainOptions,
  policy: ExplainedPolicy,
): Generator<Judgement, void, undefined> {
  const reasons = { name: reasonName, rule: ruleOf, isDrop };
  for (const frame of framesOf(options)) {
    const direction =
      options.direction === 'auto' ? directionOf(frame.bytes, policy.sides) : options.direction;
    yield judgeFrame(frame, direction, policy.bytes, judge, reasons);
  }
}
