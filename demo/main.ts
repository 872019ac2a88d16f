import { parseArgs } from 'node:util';
import { ensureImage } from '../test/support/guest/index.ts';
import { Lab } from '../test/support/lab/index.ts';
import { ConsoleNarrator } from './console-narrator.ts';
import { Palette } from './palette.ts';
import { Ledger } from './scenario/ledger.ts';
import { tellStory } from './scenario/story.ts';
import { renderTable } from './table.ts';

const HELP = `usage: make demo (as root)

Boots a real guest that may reach its consumer and nothing else, lets root in it try to get away, kills the agent, moves
the endpoint, removes the spec. Prints what happens and ends with one table. See demo/README.md.

Exit codes: 0 every line as expected, 1 one is not or the story broke off, 2 wrong use, 130 interrupted.`;

const LEGEND = `Counts are the kernel's own, one number for each step of the heading above a row. Where nothing is counted:
"closed tap" is down, "guard (nftables)" dropped it before the filter, "no such flow" found no way into the tap.`;

/** `make demo`: exit 0 when every line is as expected, 1 when one is not or the story broke off, 130 on Ctrl-C. */
async function main(): Promise<number> {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help === true) {
      console.log(HELP);
      return 0;
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return 2;
  }
  const palette = Palette.for(process.stdout, process.env);
  const narrator = new ConsoleNarrator(process.stdout, palette);
  const ledger = new Ledger();
  const started = performance.now();
  if (process.getuid?.() !== 0) {
    console.error('The demo makes network namespaces and loads eBPF programs: run it as root.');
    return 1;
  }
  const image = await ensureImage((text) => narrator.busy(text));
  const lab = await Lab.create('demo');
  const broken = await tellOrBreak(() => tellStory({ lab, image, ledger, narrator }), lab);
  narrator.finish();

  if (ledger.lines.length > 0)
    console.log(`\n${renderTable(ledger.lines, palette)}\n\n${palette.dim(LEGEND)}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const { lines, unexpected } = ledger;
  const summary = `${String(lines.length - unexpected.length)} of ${String(lines.length)} as expected, in ${seconds} s`;
  if (broken === null && unexpected.length === 0) {
    console.log(`\n${palette.good(`✓ ${summary}. Nothing is left behind.`)}`);
    return 0;
  }
  console.log(`\n${palette.bad(`✗ ${summary}.`)}`);
  if (broken === null) return 1;
  console.error(broken.interrupted ? 'Interrupted; everything was cleaned up.' : broken.reason);
  return broken.interrupted ? 130 : 1;
}

interface Break {
  interrupted: boolean;
  reason: string;
}

/** Tells the story and cleans up, whichever way it ends; returns why it broke off, if it did. */
async function tellOrBreak(tell: () => Promise<void>, lab: Lab): Promise<Break | null> {
  let signalled: Break | null = null;
  let interrupt: (signal: string) => void = () => undefined;
  const interrupted = new Promise<Break>((resolve) => {
    interrupt = (signal) => resolve((signalled = { interrupted: true, reason: signal }));
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, interrupt);
  const told = tell().then(
    () => null,
    (error: unknown): Break => ({
      interrupted: false,
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
  const outcome = await Promise.race([told, interrupted]);
  try {
    await lab.close();
  } catch (error) {
    return { interrupted: false, reason: error instanceof Error ? error.message : String(error) };
  }
  // Ctrl-C reaches the guests as well: the story may have broken off for their end, just before we were told.
  return signalled ?? outcome;
}

process.exit(await main());
