import { InvalidArgumentError } from 'commander';
import { isVmnError, VmnError } from '../../../lib/errors.ts';
import { CEngine } from './c-engine.ts';
import { EbpfEngine } from './ebpf-engine.ts';
import { type Engine, type EngineName, ENGINES } from './engine.ts';
import { TsEngine } from './ts-engine.ts';

/** For commander: `c`, `ebpf`, `ts`, `all`, or several with commas between. */
export function parseEngines(text: string): readonly EngineName[] {
  if (text === 'all') return ENGINES;
  const names = text.split(',');
  const chosen = ENGINES.filter((name) => names.includes(name));
  if (chosen.length === names.length && names.length > 0) return chosen;
  throw new InvalidArgumentError(`Give ${ENGINES.join(', ')} or all; several as ts,c.`);
}

const OPENERS: Readonly<Record<EngineName, () => Engine>> = {
  ebpf: () => new EbpfEngine(),
  c: () => new CEngine(),
  ts: () => new TsEngine(),
};

/** Who judges when one of these cannot. */
const INSTEAD: Readonly<Record<EngineName, string>> = {
  ebpf: ' Or judge without the kernel: --engine c,ts.',
  c: ' Or judge by the reference alone: --engine ts.',
  ts: '',
};

/** Throws what an engine lacks here, and names the alternative; then none stays open. */
export function openEngines(names: readonly EngineName[]): Engine[] {
  const engines: Engine[] = [];
  try {
    for (const name of names) engines.push(openEngine(name));
    return engines;
  } catch (error) {
    closeEngines(engines);
    throw error;
  }
}

function openEngine(name: EngineName): Engine {
  try {
    return OPENERS[name]();
  } catch (error) {
    if (!isVmnError(error)) throw error;
    const { code, attempted, on, remedy, cause } = error;
    throw new VmnError(code, { attempted, on, remedy: remedy + INSTEAD[name], cause });
  }
}

export function closeEngines(engines: readonly Engine[]): void {
  for (const engine of engines) engine.close();
}
