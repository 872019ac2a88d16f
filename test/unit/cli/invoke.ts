import { EventEmitter } from 'node:events';
import type { CommandContext } from '../../../src/cli/command-context.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { Output, type TextSink } from '../../../src/cli/terminal/output.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Outcome } from './vmnetctl.ts';

class Collector extends EventEmitter implements TextSink {
  text = '';

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

/** Runs a whole command line within this process: everything but `main.ts`. */
export async function invoke(
  args: readonly string[],
  change: Partial<CommandContext> = {},
): Promise<Outcome> {
  const [out, err] = [new Collector(), new Collector()];
  const context: CommandContext = {
    output: new Output(out, err, {}),
    environment: { PATH: process.env['PATH'] },
    clock: systemClock,
    signal: new AbortController().signal,
    outliveReaders: () => undefined,
    ...change,
  };
  const sink = {
    write: (text: string) => void out.write(text),
    writeError: (text: string) => void err.write(text),
    width: 80,
  };
  const code = await runProgram(args, context, sink);
  return { code, stdout: out.text, stderr: err.text };
}
