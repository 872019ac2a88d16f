import { Command, CommanderError } from 'commander';
import type { CommandContext } from './command-context.ts';
import { doctorCommand } from './commands/doctor.ts';
import { drainCommand } from './commands/drain.ts';
import { dropsCommand } from './commands/drops.ts';
import { explainCommand } from './commands/explain.ts';
import { flowsCommand } from './commands/flows.ts';
import { guardCommand } from './commands/guard.ts';
import { peerConfigCommand } from './commands/peer-config.ts';
import { rotateKeyCommand } from './commands/rotate-key.ts';
import { runCommand } from './commands/run.ts';
import { statusCommand } from './commands/status.ts';
import { topCommand } from './commands/top.ts';
import { uninstallCommand } from './commands/uninstall.ts';
import { validateCommand } from './commands/validate.ts';
import { ownVersion, versionCommand } from './commands/version.ts';
import { EXIT_CODE_HELP, EXIT_OK, EXIT_USAGE } from './exit-code.ts';
import { describeFailure } from './failure.ts';
import { escapeLines } from './terminal/escape.ts';

/** Where commander writes, and how wide: a fixed width makes docs/cli.md the same on every machine. */
export interface HelpSink {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly width?: number;
}

/** The whole command line, not yet run. `settle` is told the exit code of the command that ran. */
export function createProgram(
  context: CommandContext,
  sink: HelpSink,
  settle: (exitCode: number) => void,
): Command {
  const program = new Command('vmnetctl')
    .description('Runs VMs that may reach one endpoint only, and shows what the kernel enforces.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print this help, or that of a command')
    .enablePositionalOptions()
    .addHelpText('afterAll', `\n${EXIT_CODE_HELP}`);
  const commands = [
    runCommand,
    statusCommand,
    dropsCommand,
    flowsCommand,
    topCommand,
    explainCommand,
    peerConfigCommand,
    rotateKeyCommand,
    validateCommand,
    guardCommand,
    drainCommand,
    uninstallCommand,
    doctorCommand,
    versionCommand,
  ];
  for (const make of commands) program.addCommand(make(context, settle));
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError(`See: ${command === program ? 'vmnetctl' : `vmnetctl ${command.name()}`} --help`)
      .configureOutput({
        writeOut: sink.write,
        writeErr: sink.writeError,
        outputError: (text, write) => write(escapeLines(text)),
        ...(sink.width === undefined ? {} : { getOutHelpWidth: () => sink.width ?? 80 }),
      });
  }
  return program;
}

/** Parses and runs. Resolves with the exit code; never throws. */
export async function runProgram(
  argv: readonly string[],
  context: CommandContext,
  sink: HelpSink,
): Promise<number> {
  let exitCode = EXIT_OK;
  const program = createProgram(context, sink, (code) => (exitCode = code));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const failure = describeFailure(error);
    context.output.note(failure.text);
    return failure.exitCode;
  }
}
