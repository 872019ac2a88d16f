/** Prints what discovery finds on this machine, as JSON: `node scripts/host-vms.ts [seconds]` (root). */
import { FoundVms } from '../src/agent/discovery/found-vms.ts';
import { systemMachine } from '../src/agent/discovery/system-machine.ts';
import { systemClock } from '../src/lib/clock.ts';
import { createLogger } from '../src/lib/log.ts';

const seconds = Number(process.argv[2] ?? 3);
const vms = new FoundVms({
  machine: systemMachine(),
  clock: systemClock,
  log: createLogger({ level: 'silent' }),
});
vms.start();
// Monitors answer, and whoever holds taps without being QEMU is told after a while.
await systemClock.sleep(seconds * 1000);
process.stdout.write(`${JSON.stringify({ vms: vms.list(), problems: vms.problems() }, null, 2)}\n`);
vms.close();
