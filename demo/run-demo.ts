import { parseArgs } from 'node:util';
import { Lab } from '../test/support/lab/index.ts';
import { ConsoleNarrator } from './console-narrator.ts';
import { Palette } from './palette.ts';
import { Ledger } from './scenario/ledger.ts';
import type { Narrator } from './scenario/narrator.ts';
import { renderTable } from './table.ts';

export interface Demo {
  /** Of its lab. */
  name: string;
  help: string;
  /** Under the table. */
  legend: string;
  /** Fetches and builds what guests boot from, before there is a lab. */
  prepare: (narrator: Narrator) => Promise<(stage: DemoStage) => Promise<unknown>>;
}

export interface DemoStage {
  lab: Lab;
  ledger: Ledger;
  narrator: Narrator;
}

/** Exit 0 when every line is as expected, 1 when one is not or the story broke off, 2 for wrong use, 130 on Ctrl-C. */
export async function runDemo({ name, help, legend, prepare }: Demo): Promise<number> {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help === true) {
      console.log(help);
      return 0;
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
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
  const tell = await prepare(narrator);
  const lab = await Lab.create(name);
  const broken = await tellOrBreak(() => tell({ lab, ledger, narrator }), lab);
  narrator.finish();

  if (ledger.lines.length > 0)
    console.log(`\n${renderTable(ledger.lines, palette)}\n\n${palette.dim(legend)}`);
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
async function tellOrBreak(tell: () => Promise<unknown>, lab: Lab): Promise<Break | null> {
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
