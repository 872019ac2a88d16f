import { Command } from 'commander';
import { systemPorts } from '../../agent/wiring/closed-tap.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_OK } from '../exit-code.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';
import { demandRoot } from '../root.ts';
import { rotateKey } from '../rotate-key/rotate-key.ts';
import { Table } from '../terminal/table.ts';

interface RotateKeyOptions extends PathOptions {
  readonly output: OutputFormat;
}

const HELP = `
Both keys hold for a while, in this order:

  1  this command makes the next key beside the present one, which stays in force
  2  the consumer adds a peer with the next key (vmnetctl peer-config tells both)
  3  the VM is started anew: from then on it has the next key alone, and the
     former one is overwritten on this host
  4  the consumer gives the new peer the addresses of the old one, and removes that

A running guest keeps the key that it has read. Asked again before step 3 this
prints the same keys. VM is its name as \`vmnetctl status\` has it.

Examples:
  sudo vmnetctl rotate-key rental-7f3a
  vmnetctl rotate-key rental-7f3a -o json | jq -r '.keys[].nextPublicKey'`;

export function rotateKeyCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('rotate-key')
    .description(
      'Makes the next WireGuard key of a VM, which takes the place of the present one at its next start.',
    )
    .argument('<vm>', 'the VM')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (vm: string, options: RotateKeyOptions) => {
    demandRoot('make a key for a VM');
    const { output } = context;
    const keys = rotateKey(vm, options, systemPorts(options));
    if (options.output === 'json') await output.json({ keys });
    else {
      const headings = ['VM', 'NETWORK', 'KEY', 'NEXT KEY'].map((heading) => ({ heading }));
      const rows = keys.map((key) => [key.vm, key.network, key.publicKey, key.nextPublicKey]);
      await output.text(new Table(headings).render(rows));
      output.note('vmnetctl: tell the consumer the next key, then start the VM anew.');
    }
    settle(EXIT_OK);
  });
}
