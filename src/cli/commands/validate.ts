import { Command } from 'commander';
import type { ManifestObject } from '../../api/manifest.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { outputOption } from '../options.ts';
import { escapeText } from '../terminal/escape.ts';
import { type CheckedFile, checkFile, refusals, withDuplicates } from '../validate/checked-file.ts';
import { problemText } from '../validate/problem-text.ts';

const HELP = `
Checks as the agent would, without applying anything; needs no privilege and no
agent. Give all files of a folder at once to find objects that are declared
twice and VMs that two networks claim. A valid VMNetwork that this version would
refuse all the same is a warning.

Examples:
  vmnetctl validate rental.yaml
  vmnetctl validate /etc/vmnetwork/*.yaml
  generate-manifest | vmnetctl validate -

Exits with 1 when a file has a problem.`;

export function validateCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const { output } = context;
  return new Command('validate')
    .description('Checks manifests: file, field, value and what to do about it.')
    .argument('<file...>', 'manifests; - for standard input')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async (names: string[], options: { output: OutputFormat }) => {
      const files = withDuplicates([...new Set(names)].map(checkFile));
      const warnings = refusals(files);
      const valid = files.every(({ problems }) => problems.length === 0);
      if (options.output === 'json') await output.json({ valid, files: files.map(plain), warnings });
      else {
        const paint = output.paint.bind(output);
        for (const file of files) await output.text(describe(file, paint));
        for (const { network, reason, message } of warnings) {
          const mark = paint('warning', 'warning');
          await output.text(`${mark}  VMNetwork ${network}: ${escapeText(`${reason}: ${message}`)}\n`);
        }
      }
      settle(valid ? EXIT_OK : EXIT_NOT_AS_ASKED);
    });
}

function title(entry: ManifestObject): string {
  return entry.kind === 'VMNetwork'
    ? `VMNetwork ${entry.object.metadata.namespace}/${entry.object.metadata.name}`
    : `VMNetworkClass ${entry.object.metadata.name}`;
}

function plain({ file, objects, problems }: CheckedFile): object {
  return { file, valid: problems.length === 0, objects: objects.map(title), problems };
}

function describe(
  { file, objects, problems }: CheckedFile,
  paint: CommandContext['output']['paint'],
): string {
  if (problems.length === 0)
    return `${paint('good', 'ok')}  ${escapeText(file)}: ${objects.map(title).join(', ')}\n`;
  return problemText(problems, paint('bad', 'invalid'));
}
