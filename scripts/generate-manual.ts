/**
 * Writes docs/cli.md from what the commands say of themselves; a test fails when the two differ.
 *
 *     node scripts/generate-manual.ts > docs/cli.md
 */
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { agentCommand } from '../src/agent/options.ts';
import type { CommandContext } from '../src/cli/command-context.ts';
import { createProgram } from '../src/cli/program.ts';
import { Output } from '../src/cli/terminal/output.ts';
import { controllerCommand } from '../src/controller/options.ts';
import { systemClock } from '../src/lib/clock.ts';

const HELP_WIDTH = 80;
/** In place of what this machine is called. */
const HOSTNAME = "the host's name";

const INTRODUCTION = `# Commands

Generated from \`--help\` by \`node scripts/generate-manual.ts > docs/cli.md\`; a test fails when the two differ.

\`vmnetctl\` is for people, \`vmnet-agent\` runs on each host, \`vmnet-controller\` in a cluster. Each exits with 127 when Node.js
is too old or the checkout is not set up, and says so.

Results of \`vmnetctl\` go to standard output, everything else to standard error, so \`-o json\` stays parseable. Colours appear
on a terminal only, and never when \`NO_COLOR\` is set. Text that comes from tenants and guests is escaped wherever it is
printed. A reader that closes the pipe (\`| head\`) ends the command quietly.
`;

/** Text of docs/cli.md. */
export function manual(): string {
  const vmnetctl = vmnetctlCommand();
  const sections = [
    section('vmnetctl', vmnetctl),
    ...vmnetctl.commands.map((command) => section(`vmnetctl ${command.name()}`, command)),
    section('vmnet-agent', agentCommand('', HOSTNAME)),
    section('vmnet-controller', documentedController()),
  ];
  return [INTRODUCTION, ...sections].join('\n');
}

/** As it is outside of a pod. */
export function documentedController(): Command {
  return controllerCommand({ version: '', hostname: HOSTNAME, env: {} });
}

function vmnetctlCommand(): Command {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const context: CommandContext = {
    output: new Output(nowhere, nowhere, {}),
    environment: {},
    clock: systemClock,
    signal: new AbortController().signal,
    outliveReaders: () => undefined,
  };
  const sink = { write: () => undefined, writeError: () => undefined };
  return createProgram(context, sink, () => undefined);
}

function section(title: string, command: Command): string {
  return `## ${title}\n\n\`\`\`text\n${helpOf(command).trimEnd()}\n\`\`\`\n`;
}

/** What `--help` prints on a terminal of {@link HELP_WIDTH} columns. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => void (text += part),
    getOutHelpWidth: () => HELP_WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text;
}

if (import.meta.main) process.stdout.write(manual());
