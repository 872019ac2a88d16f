import { Argument, Command, Option } from 'commander';
import { nftProgram } from '../../agent/host/nft.ts';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import { managedInterfaces } from '../../agent/options.ts';
import { openedUplinksFile } from '../../agent/wiring/opened-uplinks.ts';
import { openedUplinksOf } from '../../agent/wiring/paths.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import {
  putGuard,
  takeGuardAway,
  viewGuard,
  type GuardPorts,
  type GuardView,
} from '../guard/standing-guard.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';
import { Table } from '../terminal/table.ts';
import { usageError } from '../usage-error.ts';

interface GuardOptions extends PathOptions {
  readonly output: OutputFormat;
  readonly managedInterfaces?: readonly string[];
  readonly force?: boolean;
}

type Action = 'apply' | 'show' | 'remove';

const HELP = `
The standing guard is the host's nftables rules (tables vmnetwork) that drop what
comes from or goes to a managed tap, unless the filter allowed it. With it a tap is
closed from its first packet, agent running or not.

  apply   puts it in force for --managed-interfaces, and for vmn-*
  show    shows what the kernel holds
  remove  removes it; a running agent that needs it puts it back

Give --pool and --managed-interfaces as the agent has them. An agent adds its
patterns to those in force and takes none away.

Examples:
  vmnetctl guard apply --managed-interfaces 'vnet*'
  vmnetctl guard show -o json
  vmnetctl guard remove

\`show\` exits with 1 when the guard is not in force. \`apply\` refuses to leave out a
pattern whose taps exist, \`remove\` while taps of ours, managed taps or pinned
filters exist, unless --force is given.`;

export function guardCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('guard')
    .description('Closes taps from their first packet, without an agent; for boot.')
    .addArgument(new Argument('<action>', 'what to do').choices(['apply', 'show', 'remove']))
    .addOption(
      new Option(
        '--managed-interfaces <patterns>',
        'taps to be closed: names, or a prefix and *, separated by commas',
      ).argParser(managedInterfaces),
    )
    .option('--force', 'even if that opens taps')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (action: Action, options: GuardOptions) => {
    const patterns = demandFitting(action, options);
    demandRoot(`${action} the standing guard`);
    const kernel = systemKernel();
    const ports: GuardPorts = {
      kernel,
      nft: nftProgram(),
      uplinks: openedUplinksFile(
        openedUplinksOf(options),
        () => kernel.readSetting('kernel/random/boot_id') ?? '',
      ),
      pool: options.pool,
      bpffs: options.bpffs,
    };
    const done = await perform(action, ports, patterns, options.force === true);
    const view = await viewGuard(ports);
    await tell(context, options.output, done, view);
    settle(action === 'show' && !view.inForce ? EXIT_NOT_AS_ASKED : EXIT_OK);
  });
}

/** The patterns of `apply`; none for the others. */
function demandFitting(
  action: Action,
  { managedInterfaces: patterns, force }: GuardOptions,
): readonly string[] {
  if (action === 'apply') {
    if (patterns !== undefined) return patterns;
    throw usageError('guard apply: --managed-interfaces is missing', 'Give the patterns that the agent has.');
  }
  if (patterns !== undefined)
    throw usageError(`guard ${action}: --managed-interfaces has no meaning here`, 'Leave it out.');
  if (action === 'show' && force === true)
    throw usageError('guard show: --force has no meaning here', 'Leave it out.');
  return [];
}

/** What was done, in a word. */
async function perform(
  action: Action,
  ports: GuardPorts,
  patterns: readonly string[],
  force: boolean,
): Promise<string | null> {
  switch (action) {
    case 'apply':
      return putGuard(ports, patterns, force);
    case 'remove':
      return (await takeGuardAway(ports, force)) ? 'removed' : 'unchanged';
    case 'show':
      return null;
  }
}

async function tell(
  { output }: CommandContext,
  format: OutputFormat,
  done: string | null,
  view: GuardView,
): Promise<void> {
  if (format === 'json') return output.json({ ...(done === null ? {} : { done }), ...view });
  const lines = [
    ['guard', view.inForce ? 'in force' : 'not in force'],
    ['patterns', view.patterns.join(', ')],
    ['bound taps', view.boundLinks.join(', ')],
    ['opened uplinks', view.openedUplinks.join(', ')],
    ...view.interfaces.map(({ name, tap, up }) => [
      'managed now',
      `${name}${tap ? '' : ' (no tap!)'}${up ? '' : ', down'}`,
    ]),
  ];
  const table = new Table([
    { heading: 'WHAT' },
    {
      heading: 'FOUND',
      paint: (padded, text) =>
        text === 'in force'
          ? output.paint('good', padded)
          : text === 'not in force'
            ? output.paint('bad', padded)
            : padded,
    },
  ]);
  await output.text(table.render(done === null ? lines : [['done', done], ...lines]));
}
