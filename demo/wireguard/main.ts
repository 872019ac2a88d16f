import { ensureDebianImage } from '../../test/support/debian-guest/image.ts';
import { ensureImage } from '../../test/support/guest/index.ts';
import { runDemo } from '../run-demo.ts';
import { tellStory } from './story.ts';

const HELP = `usage: make demo-wireguard (as root)

Boots a real Debian with the seed image of \`vmnetctl run\`, shows the WireGuard tunnel from both ends and the tenant's own
user-data, and lets root in it take firewall and tunnel down and try to get away. See demo/README.md.

Exit codes: 0 every line as expected, 1 one is not or the story broke off, 2 wrong use, 130 interrupted.`;

const LEGEND = `Counts are the kernel's own. "guard (nftables)" dropped it before the filter, "no such flow" found no way into the tap.`;

process.exit(
  await runDemo({
    ...{ name: 'demo-wireguard', help: HELP, legend: LEGEND },
    prepare: async (narrator) => {
      narrator.busy('a Debian of its packages: from the cache, or a minute the first time');
      const small = await ensureImage((text) => narrator.busy(text));
      const debian = await ensureDebianImage();
      return (stage) => tellStory({ ...stage, debian, small });
    },
  }),
);
