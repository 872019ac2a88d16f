import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { parseEngines } from '../explain/engine/engine-choice.ts';
import { explain, type ExplainOptions } from '../explain/explain.ts';
import { addPathOptions, collect, outputOption } from '../options.ts';
import { usageError } from '../usage-error.ts';

const HELP = `
Nothing is sent, and no tap is needed. Engines c and ts need no root; ebpf runs
the programs in this kernel and does. With several, each frame gives a line an
engine, and the exit code is 1 if two of them differ: all, or for example c,ts.

A VMNetwork does not say who the guest is: give --guest-mac and --guest-address.
Else this host's record of the VM is taken, else what a host would likely give
it, and that is said. A VMNetworkAttachment says it all.

With --live the policy is read back from the kernel, as the filter of that VM
judges by it now; no agent is asked, and nothing is counted. What the filter
remembers is not read: flows and limits begin afresh.

With -o json one object a line: index (from 0), direction, engine, verdict
(allow, drop, reply or unknown), reason, reasonCode, audited, decidingField,
found, wanted, and more. What the columns mean: docs/explain.md.

Examples:
  vmnetctl explain --policy rental.yaml --pcap guest.pcap \\
    --guest-mac 02:76:1f:00:a2:4c --guest-address 100.64.0.5
  vmnetctl explain --policy rental.yaml --frame "0276 6d6e 0001 0276 1234 ..."
  tcpdump -U -i vmn-0123456789 -c 20 -w - |
    vmnetctl explain --live rental-7f3a --pcap - -o json

Exits with 0 when every frame was judged, whatever became of it; with 1 when
engines differ, when too little of a frame was captured to judge it, or, with
--fail-on-drop, when a frame is dropped.`;

export function explainCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('explain')
    .description('Says of each frame of a capture whether a policy lets it pass, and why.')
    .option('--policy <file>', 'manifest with the VMNetwork or the VMNetworkAttachment')
    .option('--live <vm>', 'judge by what the kernel holds now for this VM, or interface; needs root')
    .option('--network <[namespace/]name>', 'which VMNetwork, when the file holds several')
    .option('--vm <name>', 'which VM, when the file names several')
    .option('--pcap <file>', 'a capture, pcap or pcapng, of Ethernet; - reads standard input')
    .addOption(
      new Option(
        '--frame <hex>',
        'a frame, Ethernet header first; may be repeated; - reads standard input',
      ).argParser(collect),
    )
    .option('--guest-mac <mac>', 'MAC of the VM')
    .option('--guest-address <ip>', 'IPv4 address of the VM')
    .option('--gateway-mac <mac>', 'MAC of the gateway')
    .option(
      '--previous-endpoint <address:port>',
      'the endpoint before the last change; endpointGraceSeconds begin with the first frame',
    )
    .addOption(
      new Option('--direction <direction>', 'which way the frames go; auto tells by their MACs')
        .choices(['from-vm', 'to-vm', 'auto'])
        .default('auto'),
    )
    .addOption(
      new Option('--engine <engine>', 'who judges: ebpf, c, ts or all; several as c,ts')
        .argParser(parseEngines)
        .default(['c'], 'c'),
    )
    .addOption(
      new Option('--seed <number>', 'what mode Sampled draws by; the same gives the same')
        .argParser(seed)
        .default(0),
    )
    .option('--fail-on-drop', 'exit with 1 when a frame is dropped')
    .option('--wide', 'cut nothing off, however long the lines')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (options: ExplainOptions) => {
    demandOnePolicy(options);
    if ((options.frame === undefined) === (options.pcap === undefined)) {
      const fault =
        options.frame === undefined ? 'there is nothing to judge' : 'both --frame and --pcap are given';
      throw usageError(fault, 'Give either --frame or --pcap.');
    }
    if (options.policy === '-' && [options.pcap, ...(options.frame ?? [])].includes('-'))
      throw usageError(
        'policy and frames are both to come from standard input',
        'Give a file for one of them.',
      );
    settle(await explain(context, options));
  });
}

/** Either a file with what goes with it, or the kernel, which says it all. */
function demandOnePolicy(options: ExplainOptions): void {
  if ((options.policy === undefined) === (options.live === undefined)) {
    const fault =
      options.live === undefined ? 'there is no policy to judge by' : 'both --policy and --live are given';
    throw usageError(fault, 'Give either --policy or --live.');
  }
  if (options.live === undefined) return;
  const { network, vm, guestMac, guestAddress, gatewayMac, previousEndpoint } = options;
  const told = Object.entries({
    '--network': network,
    '--vm': vm,
    '--guest-mac': guestMac,
    '--guest-address': guestAddress,
    '--gateway-mac': gatewayMac,
    '--previous-endpoint': previousEndpoint,
  }).find(([, value]) => value !== undefined);
  if (told !== undefined)
    throw usageError(`${told[0]} has no meaning with --live`, 'Leave it out: the kernel says it all.');
}

function seed(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give a whole number from 0 on.');
}
