import { Command } from 'commander';
import { type Finding, probe } from '../../native/probe.ts';
import type { CommandContext, OutputFormat } from '../command-context.ts';
import { EXIT_ENVIRONMENT, EXIT_OK } from '../exit-code.ts';
import { outputOption } from '../options.ts';
import { type Cell, Table } from '../terminal/table.ts';

const HELP = `
Tries what the agent and \`vmnetctl run\` need, and changes nothing.

Examples:
  sudo vmnetctl doctor
  vmnetctl doctor -o json

Exits with 3 when something is missing.`;

export function doctorCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const { output } = context;
  return new Command('doctor')
    .description('Finds out what this machine lacks, and what to do about it.')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async (options: { output: OutputFormat }) => {
      const findings = Object.entries<Finding>({ ...probe() });
      const ok = findings.every(([, finding]) => finding.ok);
      if (options.output === 'json') await output.json({ ok, findings: Object.fromEntries(findings) });
      else {
        const table = new Table([
          { heading: 'NEEDED' },
          {
            heading: 'FOUND',
            paint: (padded, text) => output.paint(text === 'yes' ? 'good' : 'bad', padded),
          },
          { heading: 'DETAIL' },
          { heading: 'REMEDY' },
        ]);
        const rows = findings.map(([name, { ok: found, detail, remedy }]): Cell[] => [
          name,
          found ? 'yes' : 'no',
          detail,
          remedy,
        ]);
        await output.text(table.render(rows));
      }
      settle(ok ? EXIT_OK : EXIT_ENVIRONMENT);
    });
}
