import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { poll } from '../support/lab/index.ts';
import { describe } from '../support/stage/needs.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

describe('an agent that begins', () => {
  let rental: RentalLab;

  beforeAll(async () => {
    rental = await RentalLab.open('begin');
  }, 45_000);
  afterAll(async () => {
    await rental?.close();
  }, 30_000);

  test('and is told to end while it is loaded ends in order', async () => {
    // In the midst of it, wherever the machine is slow: the module itself is what sends it.
    const hook = join(rental.lab.scratch, 'signal-while-loading.mjs');
    writeFileSync(
      hook,
      `import { registerHooks } from 'node:module';
      registerHooks({
        load(url, context, next) {
          if (url.endsWith('/src/agent/agent.ts')) process.kill(process.pid, 'SIGTERM');
          return next(url, context);
        },
      });`,
    );
    rental.home.wrapper = ['env', `NODE_OPTIONS=--import=${hook}`];
    const agent = rental.home.start();
    await poll('its end', () => !agent.running, { deadlineMs: 30_000, detail: () => agent.log });
    expect([agent.exitCode, agent.log]).toEqual([0, expect.not.stringContaining('fatal')]);
  }, 45_000);
});
