import { ensureImage } from '../test/support/guest/index.ts';
import { runDemo } from './run-demo.ts';
import { tellStory } from './scenario/story.ts';

const HELP = `usage: make demo (as root)

Boots a real guest that may reach its consumer and nothing else, lets root in it try to get away, kills the agent, moves
the endpoint, removes the spec. Prints what happens and ends with one table. See demo/README.md.

Exit codes: 0 every line as expected, 1 one is not or the story broke off, 2 wrong use, 130 interrupted.`;

const LEGEND = `Counts are the kernel's own, one number for each step of the heading above a row. Where nothing is counted:
"closed tap" is down, "guard (nftables)" dropped it before the filter, "no such flow" found no way into the tap.`;

process.exit(
  await runDemo({
    ...{ name: 'demo', help: HELP, legend: LEGEND },
    prepare: async (narrator) => {
      const image = await ensureImage((text) => narrator.busy(text));
      return (stage) => tellStory({ ...stage, image });
    },
  }),
);
