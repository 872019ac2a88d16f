import { Command } from 'commander';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { checkTable } from '../doctor/check-table.ts';
import { isReady } from '../doctor/check.ts';
import { examine } from '../doctor/doctor.ts';
import { EXIT_ENVIRONMENT, EXIT_OK } from '../exit-code.ts';
import { addPathOptions, outputOption, type PathOptions } from '../options.ts';

interface DoctorOptions extends PathOptions {
  readonly output: OutputFormat;
}

const HELP = `
Looks for what the agent and \`vmnetctl run\` need, and for what is good to know
about this host. Changes nothing, needs no agent and no root; what a user may not
find out is \`unknown\`, and counts as missing where it is needed. Capabilities and
limits are the caller's: an agent has those of its unit or pod.

Give folders and pool as the agent has them.

Examples:
  sudo vmnetctl doctor
  vmnetctl doctor -o json | jq '.findings[] | select(.needed and .found != "yes")'

Exits with 0 when everything that is needed was found, else with 3.`;

export function doctorCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('doctor')
    .description('Finds out what this machine lacks, and what to do about it.')
    .addOption(outputOption())
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (options: DoctorOptions) => {
    const { output } = context;
    const checks = await examine(options, context.signal);
    const ok = isReady(checks);
    if (options.output === 'json') {
      const findings = checks.map(
        ({ name, ...check }) => [name, { ok: check.found === 'yes', ...check }] as const,
      );
      await output.json({ ok, findings: Object.fromEntries(findings) });
    } else await output.text(checkTable(checks, output.paint.bind(output)));
    settle(ok ? EXIT_OK : EXIT_ENVIRONMENT);
  });
}
