import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { Command } from 'commander';
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

/** Tags of the filter that this build would attach; null when the addon is not built. */
function builtTags(): { fromVm: string; toVm: string } | null {
  try {
    return programTags();
  } catch {
    return null;
  }
}

export function versionCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  return new Command('version')
    .description('Prints the versions that matter in a bug report.')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  vmnetctl version\n  vmnetctl version -o json')
    .action(async (options: { output: OutputFormat }) => {
      const tags = builtTags();
      const versions = {
        vmnetctl: ownVersion(),
        node: process.version,
        kernel: release(),
        programTags: tags,
      };
      if (options.output === 'json') await context.output.json(versions);
      else {
        const filter = tags ? `from-vm ${tags.fromVm}, to-vm ${tags.toVm}` : 'not built (make build)';
        const table = new Table([{ heading: 'PART' }, { heading: 'VERSION' }]);
        await context.output.text(
          table.render([
            ['vmnetctl', versions.vmnetctl],
            ['node', versions.node],
            ['kernel', versions.kernel],
            ['filter', filter],
          ]),
        );
      }
      settle(EXIT_OK);
    });
}
