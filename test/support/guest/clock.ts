import { runCommand } from '../lab/command.ts';
import type { Accelerator } from './accelerator.ts';
import { ensureProbe } from './probe.ts';

let measured: Promise<string[]> | undefined;

/**
 * Kernel words that give an emulated guest a right clock on a busy machine. While it boots, Linux measures its time stamp counter
 * against timers that come late when the emulator is not scheduled; it was seen to go wrong by a factor of 8, or to
 * give up. Under emulation the counter is that of the machine, so it is measured here and told.
 */
export function clockWords(engine: Accelerator): Promise<string[]> {
  if (engine === 'kvm') return Promise.resolve([]);
  measured ??= measure();
  return measured;
}

async function measure(): Promise<string[]> {
  const { code, stdout } = await runCommand([await ensureProbe(), 'tsc']);
  const rate = code === 0 ? [`tsc_early_khz=${stdout.trim()}`] : [];
  return ['no_timer_check', 'tsc=reliable', ...rate];
}
