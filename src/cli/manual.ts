import { Writable } from 'node:stream';
import { systemClock } from '../lib/clock.ts';
import type { CommandContext } from './command-context.ts';
import { createProgram, runProgram } from './program.ts';
import { Output } from './terminal/output.ts';

/*
 * docs/cli.md, generated from the commands themselves; a test fails when the two differ.
 *
 *     node src/cli/manual.ts > docs/cli.md
 */

const HELP_WIDTH = 80;

const INTRODUCTION = `# vmnetctl

Generated from \`--help\` by \`node src/cli/manual.ts > docs/cli.md\`; a test fails when the two differ.

Results go to standard output, everything else to standard error, so \`-o json\` stays parseable. Colours appear on a
terminal only, and never when \`NO_COLOR\` is set. Text that comes from tenants and guests is escaped wherever it is
printed. A reader that closes the pipe (\`| head\`) ends the command quietly.
`;

/** Text of docs/cli.md. */
export async function manual(): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const context: CommandContext = {
    output: new Output(nowhere, nowhere, {}),
    environment: {},
    clock: systemClock,
    signal: new AbortController().signal,
    outliveReaders: () => undefined,
  };
  const help = async (argv: readonly string[]): Promise<string> => {
    let text = '';
    const write = (part: string): void => void (text += part);
    await runProgram([...argv, '--help'], context, { write, writeError: write, width: HELP_WIDTH });
    return text;
  };
  const sink = { write: () => undefined, writeError: () => undefined };
  const names = createProgram(context, sink, () => undefined).commands.map((command) => command.name());
  const sections = [await section('vmnetctl', help([]))];
  for (const name of names) sections.push(await section(`vmnetctl ${name}`, help([name])));
  return [INTRODUCTION, ...sections].join('\n');
}

async function section(title: string, help: Promise<string>): Promise<string> {
  return `## ${title}\n\n\`\`\`text\n${(await help).trimEnd()}\n\`\`\`\n`;
}

if (import.meta.main) process.stdout.write(await manual());
