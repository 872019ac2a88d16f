import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { Command } from 'commander';
import { isVmnError } from '../../lib/errors.ts';
import { programTags } from '../../native/filter-engine.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_OK } from '../exit-code.ts';
import { outputOption } from '../options.ts';
import { Table } from '../terminal/table.ts';

/** The version in package.json; the one place that holds it. */
export function ownVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

interface Filter {
  /** Tags of the programs that this build would attach; null when they cannot be known here. */
  readonly tags: { readonly fromVm: string; readonly toVm: string } | null;
  readonly text: string;
}

/** The kernel computes the tags, so it must take the programs: for root, and where it can. */
function builtFilter(): Filter {
  try {
    const tags = programTags();
    return { tags, text: `from-vm ${tags.fromVm}, to-vm ${tags.toVm}` };
  } catch (error) {
    if (isVmnError(error, 'VMN_NATIVE_MISSING')) return { tags: null, text: 'not built: make build' };
    if (isVmnError(error, 'VMN_CAPABILITY')) return { tags: null, text: 'built; its tags show as root' };
    return { tags: null, text: 'built; this kernel does not take it, see vmnetctl doctor' };
  }
}

export function versionCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  return new Command('version')
    .description('Prints the versions that matter in a bug report.')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  vmnetctl version\n  vmnetctl version -o json')
    .action(async (options: { output: OutputFormat }) => {
      const { tags, text } = builtFilter();
      const versions = {
        vmnetctl: ownVersion(),
        node: process.version,
        kernel: release(),
        programTags: tags,
      };
      if (options.output === 'json') await context.output.json(versions);
      else {
        const table = new Table([{ heading: 'PART' }, { heading: 'VERSION' }]);
        await context.output.text(
          table.render([
            ['vmnetctl', versions.vmnetctl],
            ['node', versions.node],
            ['kernel', versions.kernel],
            ['filter', text],
          ]),
        );
      }
      settle(EXIT_OK);
    });
}
