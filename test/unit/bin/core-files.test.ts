import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { runCommand } from '../../support/lab/index.ts';
import { ROOT } from '../cli/vmnetctl.ts';

/** Has Node tell, before anything else, what the process may do. */
const TELL = `data:text/javascript,import{readFileSync}from'node:fs';console.error(readFileSync('/proc/self/limits','utf8'))`;

test.each(['vmnet-agent', 'vmnet-controller', 'vmnetctl', 'kubectl-vmnet'])(
  '%s leaves no core file, whoever allowed one: keys are in its memory',
  async (program) => {
    const words = program === 'kubectl-vmnet' ? ['peer-config', '--help'] : ['--version'];
    const start = ['sh', '-c', 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" "$@"', join(ROOT, 'bin', program)];
    const { code, stderr } = await runCommand([...start, ...words], {
      env: { ...process.env, NODE_OPTIONS: `--import=${TELL}` },
    });
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('Max core file size'),
    });
    expect(stderr).toMatch(/^Max core file size +0 +0 +bytes/m);
  },
);
