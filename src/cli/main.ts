import { systemClock } from '../lib/clock.ts';
import { outliveReaders } from '../lib/closed-readers.ts';
import { Output } from './terminal/output.ts';
import { runProgram } from './program.ts';

// Most commands are there to be read: without readers they end at once and say nothing.
let endWithReaders = true;
outliveReaders(() => {
  if (endWithReaders) process.exit(0);
});

const abort = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => abort.abort());
}

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    output: new Output(process.stdout, process.stderr, process.env),
    environment: process.env,
    clock: systemClock,
    signal: abort.signal,
    outliveReaders: () => (endWithReaders = false),
  },
  {
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
  },
);
